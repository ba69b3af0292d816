import { withMillrace, type CommandContext, type CommonOptions } from './command-context.ts'
import { EXIT } from './error-text.ts'
import { recordJson, recordLine } from './record-text.ts'
import { styled } from './terminal.ts'

export interface ConsumeCommandOptions extends CommonOptions {
  readonly fromBeginning?: boolean
  readonly max?: number
  /** Go on when the end is reached. */
  readonly follow?: boolean
  readonly json?: boolean
}

/** `millrace consume TOPIC`: writes the records of a topic as they lie there. @returns the exit code */
export async function consumeCommand(
  context: CommandContext,
  topic: string,
  options: ConsumeCommandOptions,
): Promise<number> {
  const { terminal, stop } = context
  const { fromBeginning = false, follow = false, json = false, max } = options
  return withMillrace(context, options, async (millrace) => {
    const records = millrace.consume(topic, {
      from: fromBeginning ? 'beginning' : 'end',
      follow,
      signal: stop,
      ...(max !== undefined && { limit: max }),
    })
    let count = 0
    let text = ''
    for await (const record of records) {
      text += `${json ? recordJson(record) : recordLine(record)}\n`
      count++
      if (!follow && text.length < TEXT_LENGTH_MAX) continue
      terminal.out(text)
      text = ''
    }
    if (text !== '') terminal.out(text)
    if (!fromBeginning && !follow) {
      terminal.err(
        `${styled(terminal, 'dim', 'Nothing was read: reading begins at the end. Use --from-beginning, or --follow to wait for records.')}\n`,
      )
    } else if (count === 0 && !json && !stop.aborted) {
      terminal.err(`${styled(terminal, 'dim', `The topic ${topic} has no records.`)}\n`)
    }
    return EXIT.done
  })
}

const TEXT_LENGTH_MAX = 64 * 1024
