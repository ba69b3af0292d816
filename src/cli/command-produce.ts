import { extname } from 'node:path'
import type { ProducerOptions, RecordHeader } from '../log/log.ts'
import { encodeData } from '../runtime/data.ts'
import type { Millrace, NewRecord } from '../runtime/millrace.ts'
import type { INPUT_FORMATS } from './choices.ts'
import { withMillrace, type CommandContext, type CommonOptions } from './command-context.ts'
import { errorText, EXIT, exitCodeFor } from './error-text.ts'
import { InputError, openInput, readRecords } from './input-records.ts'
import { Progress } from './progress.ts'
import { headerFrom, textRecords, writtenRecords } from './text-records.ts'

export interface ProduceCommandOptions extends CommonOptions {
  readonly file?: string
  readonly format?: (typeof INPUT_FORMATS)[number]
  readonly key?: string
  readonly timestamp?: string
  /** For a topic that is not there yet. */
  readonly partitions?: number
  readonly keySeparator?: string
  readonly headers?: boolean
  readonly nullMarker?: string
  /** `name=value`, for every record. */
  readonly header?: readonly string[]
  readonly partition?: number
  readonly compression?: Exclude<ProducerOptions['compression'], undefined>
  readonly acks?: '0' | '1' | 'all'
}

/** `millrace produce TOPIC`: appends the rows of a file, or of what is piped in, in order. @returns the exit code */
export async function produceCommand(
  context: CommandContext,
  topic: string,
  options: ProduceCommandOptions,
): Promise<number> {
  const { terminal } = context
  return withMillrace(context, options, async (millrace) => {
    const there = millrace.log.topic(topic)
    if (there !== undefined && options.partitions !== undefined && there.partitions !== options.partitions) {
      terminal.err(
        `error: The topic ${topic} has ${there.partitions} partitions, not ${options.partitions}.\n`,
      )
      return EXIT.failed
    }
    const headers = (options.header ?? []).map((text) => headerFrom(text, '=', '--header'))
    const records = await inputOf(options)
    if (there === undefined) await millrace.createTopic(topic, { partitions: options.partitions ?? 1 })
    const progress = new Progress()
    const sending = new Sending(millrace, topic, options, headers)
    try {
      for await (const record of records) {
        if (context.stop.aborted) break
        await sending.send(record)
        progress.update(() => `${sending.count.toLocaleString('en')} records`)
      }
    } catch (error) {
      sending.fail(error)
    }
    await sending.end()
    progress.clear()
    const { count, failure } = sending
    if (failure !== null) {
      terminal.err(errorText(failure.error, terminal))
      if (count > 0) {
        const records_ = count === 1 ? 'record before it was' : 'records before it were'
        terminal.err(`${count.toLocaleString('en')} ${records_} written to ${topic}.\n`)
      }
      return exitCodeFor(failure.error)
    }
    const partitions = millrace.log.topic(topic)?.partitions ?? 1
    const where = `topic ${topic} (${partitions} ${partitions === 1 ? 'partition' : 'partitions'})`
    terminal.out(`Wrote ${count.toLocaleString('en')} ${count === 1 ? 'record' : 'records'} to ${where}.\n`)
    return context.stop.aborted ? EXIT.interrupted : EXIT.done
  })
}

async function inputOf(options: ProduceCommandOptions): Promise<AsyncIterable<NewRecord>> {
  const { file, key, timestamp, keySeparator, headers, nullMarker } = options
  const format = options.format ?? (extname(file ?? '') === '.csv' ? 'csv' : 'ndjson')
  const isLines = format === 'text'
  const ofLines = keySeparator !== undefined || headers !== undefined || nullMarker !== undefined
  if (ofLines && !isLines) {
    throw new InputError('INPUT_OPTION', {
      message: `--key-separator, --headers and --null-marker are for lines of text, and the format is ${format}.`,
      hint: 'Add --format text.',
    })
  }
  if ((key !== undefined || timestamp !== undefined) && (isLines || format === 'records')) {
    throw new InputError('INPUT_OPTION', {
      message: `--key and --timestamp name columns, and the format ${format} has none.`,
      hint: isLines ? 'Use --key-separator.' : 'Records bring their own.',
    })
  }
  const input = await openInput(file)
  if (isLines) return textRecords(input, { keySeparator, headers, nullMarker })
  return format === 'records' ? writtenRecords(input) : readRecords(input, { format, key, timestamp })
}

/** Records on their way; the first failure ends it. */
class Sending {
  readonly #millrace: Millrace
  readonly #producer
  readonly #topic: string
  readonly #options: ProduceCommandOptions
  readonly #headers: readonly RecordHeader[]
  /** Acknowledged, or under acks 0 sent. */
  count = 0
  failure: { readonly error: unknown } | null = null

  constructor(
    millrace: Millrace,
    topic: string,
    options: ProduceCommandOptions,
    headers: readonly RecordHeader[],
  ) {
    const { compression, acks = 'all' } = options
    this.#millrace = millrace
    this.#topic = topic
    this.#options = options
    this.#headers = headers
    this.#producer = millrace.log.producer({
      acks: acks === 'all' ? acks : acks === '0' ? 0 : 1,
      ...(compression === undefined ? {} : { compression }),
    })
  }

  async send({ key = null, value, partition, timestampMs, headers = [] }: NewRecord): Promise<void> {
    if (this.failure !== null) throw this.failure.error
    await this.#producer.ready()
    const to = this.#options.partition ?? this.#partitionThere(partition)
    const sent = this.#producer.send({
      topic: this.#topic,
      key: encodeData(key),
      value: encodeData(value),
      headers: [...this.#headers, ...headers],
      ...(to === undefined ? {} : { partition: to }),
      ...(timestampMs === undefined ? {} : { timestampMs }),
    })
    sent.then(
      () => this.count++,
      (error: unknown) => this.fail(error),
    )
  }

  /** Records of another topic may name a partition this one lacks: they go by their key then. */
  #partitionThere(partition: number | undefined): number | undefined {
    const { partitions } = this.#millrace.log.topic(this.#topic)!
    return partition !== undefined && partition < partitions ? partition : undefined
  }

  fail(error: unknown): void {
    this.failure ??= { error }
  }

  async end(): Promise<void> {
    await this.#producer.close()
    // Answers of the last sends arrive behind the flush.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
