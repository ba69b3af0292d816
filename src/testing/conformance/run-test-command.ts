import { NotSupportedError } from '../../base/errors.ts'

export interface TestCommandOptions {
  /** One JSON object per case and a summary, nothing else. */
  readonly json: boolean
}

/** Where the command prints: whole lines, without their line break. */
export interface TestOutput {
  line(text: string): void
}

/**
 * `millrace test PATH…`: runs the cases of files and directories and prints what came of each.
 *
 * @returns the exit code: 0 when at least one case ran and all passed
 */
export async function runTestCommand(
  _paths: readonly string[],
  _options: TestCommandOptions,
  _out: TestOutput,
): Promise<number> {
  throw new NotSupportedError('millrace test')
}
