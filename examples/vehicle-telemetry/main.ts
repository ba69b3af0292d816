/** What `npm start` runs. */
import { errorText, EXIT, exitCodeFor } from '../../src/cli/error-text.ts'
import { InputError } from '../../src/cli/input-records.ts'
import { stopSignal } from '../../src/cli/stop-signal.ts'
import { processTerminal } from '../../src/cli/terminal.ts'
import { systemClock } from '../../src/index.ts'
import { runExample } from './example.ts'
import { parseOptions, UsageError, type ExampleOptions } from './options.ts'
import { SHOW_CURSOR } from './screen.ts'

const terminal = processTerminal()
// `npm start | head`: nobody reads any more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done)
  throw error
})
// However it ends.
process.on('exit', () => {
  if (terminal.isInteractive) process.stdout.write(SHOW_CURSOR)
})

try {
  const options = parsed(process.argv.slice(2))
  if (options !== null) {
    await runExample(options, {
      terminal,
      height: () => process.stdout.rows ?? 24,
      clock: systemClock,
      stop: stopSignal(),
    })
  }
} catch (error) {
  terminal.err(errorText(error, terminal))
  process.exitCode = error instanceof InputError ? EXIT.usage : exitCodeFor(error)
}

/** null: there is nothing (more) to do. */
function parsed(args: readonly string[]): ExampleOptions | null {
  try {
    return parseOptions(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    if (error.isHelp) terminal.out(error.message)
    else {
      terminal.err(`${error.message}\n`)
      process.exitCode = EXIT.usage
    }
    return null
  }
}
