import type { Millrace, MillraceOptions, RuntimeProblem } from '../runtime/millrace.ts'
import { errorText, exitCodeFor, exitCodeForOpening } from './error-text.ts'
import { loadFunctions } from './load-functions.ts'
import type { Terminal } from './terminal.ts'

/** What a command works with. */
export interface CommandContext {
  readonly terminal: Terminal
  /** Aborted when the user wants the command to end. */
  readonly stop: AbortSignal
  open(options: MillraceOptions): Promise<Millrace>
}

/** Options every command has. */
export interface CommonOptions {
  readonly dataDir: string
  /** Modules with functions of the user. */
  readonly functions?: readonly string[]
}

/**
 * Opens the data directory, works with it and closes it, whatever happens.
 *
 * @returns the exit code: that of `work`, or the one for the error it ended with
 */
export async function withMillrace(
  context: CommandContext,
  options: CommonOptions,
  work: (millrace: Millrace) => Promise<number>,
  onProblem?: (problem: RuntimeProblem) => void,
): Promise<number> {
  let millrace: Millrace | undefined
  try {
    millrace = await context.open({
      dataDirectory: options.dataDir,
      functions: await loadFunctions(options.functions ?? []),
      ...(onProblem && { onProblem }),
    })
    return await work(millrace)
  } catch (error) {
    context.terminal.err(errorText(error, context.terminal))
    return millrace === undefined ? exitCodeForOpening(error) : exitCodeFor(error)
  } finally {
    await millrace?.close()
  }
}
