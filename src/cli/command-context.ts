import type { Millrace, MillraceOptions, RestoreProgress, RuntimeProblem } from '../runtime/millrace.ts'
import { errorText, exitCodeFor, exitCodeForOpening } from './error-text.ts'
import { HealthNotes } from './health-notes.ts'
import { loadFunctions } from './load-functions.ts'
import { Progress } from './progress.ts'
import type { Terminal } from './terminal.ts'

const HEALTH_EVERY_MS = 500

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
  let watch: NodeJS.Timeout | undefined
  const progress = new Progress()
  try {
    millrace = await context.open({
      dataDirectory: options.dataDir,
      functions: await loadFunctions(options.functions ?? []),
      ...(onProblem && { onProblem }),
      onRestore: (restore) => progress.update(() => restoreText(restore)),
    })
    progress.clear()
    const notes = new HealthNotes(millrace)
    notes.tell(context.terminal)
    watch = setInterval(() => notes.tell(context.terminal), HEALTH_EVERY_MS)
    return await work(millrace)
  } catch (error) {
    progress.clear()
    context.terminal.err(errorText(error, context.terminal))
    return millrace === undefined ? exitCodeForOpening(error) : exitCodeFor(error)
  } finally {
    clearInterval(watch)
    await millrace?.close()
  }
}

function restoreText({ queryId, task, tasks, recordsDone, recordsTotal }: RestoreProgress): string {
  const done = recordsDone.toLocaleString('en')
  const total = recordsTotal.toLocaleString('en')
  return `restoring the state of ${queryId}, task ${task} of ${tasks}: ${done} of ${total} changelog records`
}
