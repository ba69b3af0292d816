import { extname } from 'node:path'
import type { NewRecord } from '../runtime/millrace.ts'
import { withMillrace, type CommandContext, type CommonOptions } from './command-context.ts'
import { errorText, EXIT, exitCodeFor } from './error-text.ts'
import { openInput, readRecords } from './input-records.ts'
import { Progress } from './progress.ts'

export interface ProduceCommandOptions extends CommonOptions {
  readonly file?: string
  readonly format?: 'csv' | 'ndjson'
  readonly key?: string
  readonly timestamp?: string
  /** For a topic that is not there yet. */
  readonly partitions?: number
}

/** `millrace produce TOPIC`: appends the rows of a file, or of what is piped in, in order. @returns the exit code */
export async function produceCommand(
  context: CommandContext,
  topic: string,
  options: ProduceCommandOptions,
): Promise<number> {
  const { terminal } = context
  const format = options.format ?? (extname(options.file ?? '') === '.csv' ? 'csv' : 'ndjson')
  return withMillrace(context, options, async (millrace) => {
    const progress = new Progress()
    let count = 0
    async function* counted(records: AsyncIterable<NewRecord>): AsyncIterable<NewRecord> {
      for await (const record of records) {
        if (context.stop.aborted) return
        yield record
        count++
        progress.update(() => `${count.toLocaleString('en')} records`)
      }
    }
    const there = millrace.log.topic(topic)
    if (there !== undefined && options.partitions !== undefined && there.partitions !== options.partitions) {
      terminal.err(
        `error: The topic ${topic} has ${there.partitions} partitions, not ${options.partitions}.\n`,
      )
      return EXIT.failed
    }
    const input = await openInput(options.file)
    if (there === undefined) await millrace.createTopic(topic, { partitions: options.partitions ?? 1 })
    try {
      const records = readRecords(input, {
        format,
        key: options.key,
        timestamp: options.timestamp,
      })
      await millrace.produce(topic, counted(records))
    } catch (error) {
      progress.clear()
      terminal.err(errorText(error, terminal))
      if (count > 0)
        terminal.err(`${count.toLocaleString('en')} records before it were written to ${topic}.\n`)
      return exitCodeFor(error)
    }
    progress.clear()
    const partitions = millrace.log.topic(topic)?.partitions ?? 1
    const where = `topic ${topic} (${partitions} ${partitions === 1 ? 'partition' : 'partitions'})`
    terminal.out(`Wrote ${count.toLocaleString('en')} ${count === 1 ? 'record' : 'records'} to ${where}.\n`)
    return context.stop.aborted ? EXIT.interrupted : EXIT.done
  })
}
