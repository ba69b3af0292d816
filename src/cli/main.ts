import { Command, InvalidArgumentError, Option } from 'commander'
import type { Millrace, MillraceOptions } from '../runtime/millrace.ts'
import type { CommandContext, CommonOptions } from './command-context.ts'
import type { ConsumeCommandOptions } from './command-consume.ts'
import type { GroupResetOptions, GroupsCommandOptions } from './command-groups.ts'
import type { ProduceCommandOptions } from './command-produce.ts'
import type { RunCommandOptions } from './command-run.ts'
import type { SqlCommandOptions } from './command-sql.ts'
import type {
  TopicAlterOptions,
  TopicCreateOptions,
  TopicDescribeOptions,
  TopicsCommandOptions,
} from './command-topics.ts'
import { errorText, EXIT, exitCodeFor } from './error-text.ts'
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

/** @param context  called once, by the command that runs */
export function program(context: () => CommandContext): Command {
  const millrace = new Command('millrace')
    .description('Streaming SQL over a durable log: ksqlDB’s dialect, exactly once, in one process.')
    .version('0.1.0')
    .showHelpAfterError('(millrace --help tells more)')
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

  command('produce <topic>', 'append the rows of a file, or of standard input, to a topic, in order')
    .option('--file <file>', 'what to read (default: standard input)')
    .addOption(
      new Option('--format <format>', 'of the input (default: by the file’s name, else ndjson)').choices([
        'csv',
        'ndjson',
      ]),
    )
    .option('--key <column>', 'column that becomes the record’s key')
    .option('--timestamp <column>', 'column that holds the time: epoch milliseconds or ISO 8601')
    .option('--partitions <n>', 'of a topic that is not there yet (default: 1)', wholeNumber)
    .action(async (topic: string, options: ProduceCommandOptions) => {
      const { produceCommand } = await import('./command-produce.ts')
      process.exitCode = await produceCommand(context(), topic, options)
    })

  command('consume <topic>', 'write the records of a topic')
    .option('--from-beginning', 'from the first record there is, not from the end')
    .option('--max <n>', 'end after so many records', wholeNumber)
    .option('--follow', 'wait for more records at the end')
    .option('--json', 'one JSON object per record')
    .action(async (topic: string, options: ConsumeCommandOptions) => {
      const { consumeCommand } = await import('./command-consume.ts')
      process.exitCode = await consumeCommand(context(), topic, options)
    })

  const topics = command('topics', 'list the topics; or make, show, change or delete one')
    .option('--all', 'Millrace’s own too')
    .option('--json', 'one JSON object per topic')
    .action(async (options: TopicsCommandOptions) => {
      const { topicsCommand } = await import('./command-topics.ts')
      process.exitCode = await topicsCommand(context(), options)
    })

  command('create <topic>', 'make a topic', topics)
    .option('--partitions <n>', 'default: 1', wholeNumber)
    .option('--config <name=value>', 'a setting, under Kafka’s name; may be repeated', settings, [])
    .action(async (topic: string, options: TopicCreateOptions, self: Command) => {
      const { topicCreateCommand } = await import('./command-topics.ts')
      process.exitCode = await topicCreateCommand(context(), topic, inherited(options, self))
    })

  command('describe <topic>', 'show the partitions and settings of a topic', topics)
    .option('--all', 'settings that have their default too')
    .option('--json', 'one JSON object per partition and setting')
    .action(async (topic: string, options: TopicDescribeOptions, self: Command) => {
      const { topicDescribeCommand } = await import('./command-topics.ts')
      process.exitCode = await topicDescribeCommand(context(), topic, inherited(options, self))
    })

  command('alter <topic>', 'change settings of a topic', topics)
    .option('--config <name=value>', 'may be repeated', settings, [])
    .option('--reset <name>', 'back to the default; may be repeated', several, [])
    .action(async (topic: string, options: TopicAlterOptions, self: Command) => {
      const { topicAlterCommand } = await import('./command-topics.ts')
      process.exitCode = await topicAlterCommand(context(), topic, inherited(options, self))
    })

  command('add-partitions <topic>', 'give a topic more partitions', topics)
    .argument('<total>', 'how many it has then', wholeNumber)
    .action(async (topic: string, total: number, options: CommonOptions, self: Command) => {
      const { topicAddPartitionsCommand } = await import('./command-topics.ts')
      process.exitCode = await topicAddPartitionsCommand(context(), topic, total, inherited(options, self))
    })

  command('delete <topic>', 'delete a topic with its records', topics).action(
    async (topic: string, options: CommonOptions, self: Command) => {
      const { topicDeleteCommand } = await import('./command-topics.ts')
      process.exitCode = await topicDeleteCommand(context(), topic, inherited(options, self))
    },
  )

  const groups = command('groups', 'list the consumer groups with their lag; or show, reset or delete one')
    .option('--json', 'one JSON object per group')
    .action(async (options: GroupsCommandOptions) => {
      const { groupsCommand } = await import('./command-groups.ts')
      process.exitCode = await groupsCommand(context(), options)
    })

  command('describe <group>', 'show committed offsets, ends and lag of a group', groups)
    .option('--json', 'one JSON object per partition')
    .action(async (group: string, options: GroupsCommandOptions, self: Command) => {
      const { groupDescribeCommand } = await import('./command-groups.ts')
      process.exitCode = await groupDescribeCommand(context(), group, inherited(options, self))
    })

  command('reset <group>', 'move the committed offsets of a group; shows what would happen', groups)
    .option('--topic <topic[:partition]>', 'default: all it has offsets for; may be repeated', several, [])
    .option('--to-earliest', 'to the first record there is')
    .option('--to-latest', 'to the end')
    .option('--to-offset <n>', 'to this offset', anyWholeNumber)
    .option('--to-time <time>', 'to the first record from then on: epoch milliseconds or ISO 8601')
    .option('--shift-by <n>', 'forwards, or with a minus backwards', anyWholeNumber)
    .option('--execute', 'do it')
    .option('--json', 'one JSON object per partition')
    .action(async (group: string, options: GroupResetOptions, self: Command) => {
      const { groupResetCommand } = await import('./command-groups.ts')
      process.exitCode = await groupResetCommand(context(), group, inherited(options, self))
    })

  command('delete <group>', 'forget the committed offsets of a group', groups).action(
    async (group: string, options: CommonOptions, self: Command) => {
      const { groupDeleteCommand } = await import('./command-groups.ts')
      process.exitCode = await groupDeleteCommand(context(), group, inherited(options, self))
    },
  )

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

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value === 0) {
    throw new InvalidArgumentError('It takes a whole number from 1 on.')
  }
  return value
}

function anyWholeNumber(text: string): number {
  const value = Number(text)
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('It takes a whole number.')
  }
  return value
}

/** A subcommand's options; those given before its name count too. */
function inherited<Options extends CommonOptions>(options: Options, self: Command): Options {
  const { parent } = self
  if (parent === null) return options
  const given = Object.entries(parent.opts()).filter(
    ([name]) => parent.getOptionValueSource(name) === 'cli' && self.getOptionValueSource(name) !== 'cli',
  )
  return { ...options, ...Object.fromEntries(given) }
}

function several(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

function settings(text: string, before: readonly string[]): readonly string[] {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError('It takes name=value.')
  return [...before, text]
}

function definitions(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[A-Za-z_][A-Za-z0-9_@]*=/.test(text)) throw new InvalidArgumentError('It takes name=value.')
  return [...before, text]
}
