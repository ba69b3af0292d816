import { Command, Help, Option } from 'commander'
import type { Millrace, MillraceOptions } from '../runtime/millrace.ts'
import type { CommandContext } from './command-context.ts'
import type { RunCommandOptions } from './command-run.ts'
import type { SqlCommandOptions } from './command-sql.ts'
import { errorText, EXIT, exitCodeFor } from './error-text.ts'
import { logCommands } from './log-commands.ts'
import { definitions } from './option-parsers.ts'
import { stopSignal } from './stop-signal.ts'
import { processTerminal } from './terminal.ts'

/** The command `millrace`. Sets the process's exit code; never rejects. */
export async function main(argv: readonly string[]): Promise<void> {
  const terminal = processTerminal()
  // `millrace … | head`: nobody reads any more.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done)
    throw error
  })
  try {
    await program(() => ({
      terminal,
      stop: stopSignal(),
      open: openMillrace,
    })).parseAsync([...argv])
  } catch (error) {
    terminal.err(errorText(error, terminal))
    process.exitCode = exitCodeFor(error)
  }
}

/** What help says of options that may be repeated. */
const NONE_GIVEN = ' (default: [])'

/** @param context  called once, by the command that runs */
export function program(context: () => CommandContext): Command {
  const help = new Help()
  const millrace = new Command('millrace')
    .description('Streaming SQL over a durable log: ksqlDB’s dialect, exactly once, in one process.')
    .version('0.1.0')
    .showHelpAfterError('(millrace --help tells more)')
    .configureHelp({ optionDescription: (option) => help.optionDescription(option).replace(NONE_GIVEN, '') })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))

  /** A command with the option all of them have. */
  const command = (definition: string, description: string, parent = millrace): Command =>
    parent
      .command(definition)
      .description(description)
      .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
      .addOption(
        new Option('--data-dir <directory>', 'where everything is kept; made if missing')
          .env('MILLRACE_DATA_DIR')
          .default('millrace-data'),
      )

  command('run <file...>', 'run the statements of SQL files and keep their queries going')
    .addOption(functionsOption())
    .option('--until-idle', 'end when every query has consumed and committed all its input')
    .option('--json', 'rows as one JSON object each, nothing else on stdout')
    .action(async (files: string[], options: RunCommandOptions) => {
      const { runCommand } = await import('./command-run.ts')
      process.exitCode = await runCommand(context(), files, options)
    })

  command('sql', 'the interactive shell; or statements, once')
    .addOption(functionsOption())
    .option('-e, --execute <statements>', 'run these and end')
    .option('-f, --file <file>', 'run the statements of a file and end')
    .option('-d, --define <name=value>', 'define a variable; may be repeated', definitions)
    .option('--json', 'rows as one JSON object each, nothing else on stdout')
    .action(async (options: SqlCommandOptions) => {
      const { sqlCommand } = await import('./command-sql.ts')
      process.exitCode = await sqlCommand(context(), options)
    })

  logCommands(command, context)

  command('test <path...>', 'run the cases of test files and directories')
    .option('--json', 'one JSON object per case')
    .action(async (paths: string[], options: { readonly json?: boolean }) => {
      const { terminal } = context()
      const { runTestCommand } = await import('../testing/conformance/run-test-command.ts')
      process.exitCode = await runTestCommand(
        paths,
        { json: options.json === true },
        { line: (text) => terminal.out(`${text}\n`) },
      )
    })

  return millrace
}

/** Most of the program is loaded here, so that help and wrong usage are answered at once. */
async function openMillrace(options: MillraceOptions): Promise<Millrace> {
  const runtime = await import('../runtime/millrace.ts')
  return runtime.Millrace.open(options)
}

function functionsOption(): Option {
  return new Option('--functions <module>', 'register the functions a module exports; may be repeated')
    .default([], 'none')
    .argParser((file, before: readonly string[]) => [...before, file])
}
