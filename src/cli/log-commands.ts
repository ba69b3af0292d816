import { type Command, InvalidArgumentError, Option } from 'commander'
import { DATA_FORMATS, FIELDS, INPUT_FORMATS } from './choices.ts'
import type { CommandContext, CommonOptions } from './command-context.ts'
import type { ConsumeCommandOptions } from './command-consume.ts'
import type { GroupResetOptions } from './command-group-reset.ts'
import type {
  GroupDeleteOffsetsOptions,
  GroupDescribeOptions,
  GroupsCommandOptions,
} from './command-groups.ts'
import type { ProduceCommandOptions } from './command-produce.ts'
import type { TopicDeleteRecordsOptions, TopicOffsetsOptions } from './command-topic-records.ts'
import type {
  TopicAlterOptions,
  TopicCreateOptions,
  TopicDeleteOptions,
  TopicDescribeOptions,
  TopicsCommandOptions,
} from './command-topics.ts'
import type { TransactionsCommandOptions } from './command-transactions.ts'
import { anyWholeNumber, ordinal, settings, several, severalOrdinals, wholeNumber } from './option-parsers.ts'

/** Makes a command with the options all of them have. */
export type CommandMaker = (definition: string, description: string, parent?: Command) => Command

/** `produce`, `consume`, `topics`, `groups`, `transactions`: what can be done with the log itself. */
export function logCommands(command: CommandMaker, context: () => CommandContext): void {
  produceAndConsume(command, context)
  topicCommands(command, context)
  groupCommands(command, context)
  transactionCommands(command, context)
}

function produceAndConsume(command: CommandMaker, context: () => CommandContext): void {
  command('produce <topic>', 'append the rows of a file, or of standard input, to a topic, in order')
    .option('--file <file>', 'what to read (default: standard input)')
    .addOption(
      new Option('--format <format>', 'of the input (default: by the file’s name, else ndjson)').choices(
        INPUT_FORMATS,
      ),
    )
    .option('--key <column>', 'column that becomes the record’s key')
    .option('--timestamp <column>', 'column that holds the time: epoch milliseconds or ISO 8601')
    .option('--key-separator <text>', 'lines of text are key, this, value', unescaped)
    .option('--headers', 'lines of text begin with name:value,name:value and a tab')
    .option('--null-marker <text>', 'a key or value of exactly this text is null')
    .option('--header <name=value>', 'a header of every record; may be repeated', settings, [])
    .option('--partition <n>', 'where all records go', ordinal)
    .option('--partitions <n>', 'of a topic that is not there yet (default: 1)', wholeNumber)
    .addOption(
      new Option('--compression <codec>', 'of the batches (default: none)').choices([
        'none',
        'gzip',
        'snappy',
        'lz4',
        'zstd',
      ]),
    )
    .addOption(
      new Option('--acks <acks>', 'when a record counts as written: sent, with the system, durable')
        .choices(['0', '1', 'all'])
        .default('all'),
    )
    .action(async (topic: string, options: ProduceCommandOptions) => {
      const { produceCommand } = await import('./command-produce.ts')
      process.exitCode = await produceCommand(context(), topic, options)
    })

  command('consume <topic>', 'write the records of a topic')
    .option('--from-beginning', 'from the first record there is, not from the end')
    .option('--from-time <time>', 'from the first record then: epoch milliseconds or ISO 8601')
    .option('--partition <n>', 'only this one; may be repeated', severalOrdinals, [])
    .option('--offset <n>', 'from this offset on; or earliest, latest')
    .option('--group <group>', 'from where this group is; it moves on')
    .option('--max <n>', 'end after so many records', wholeNumber)
    .option('--follow', 'wait for more records at the end')
    .option('--timeout <ms>', 'wait for so long after the last record, then end', wholeNumber)
    .addOption(
      new Option('--isolation <level>', 'whether transactions have to be committed')
        .choices(['read_committed', 'read_uncommitted'])
        .default('read_committed'),
    )
    .addOption(dataFormat('--key-format <format>', 'how keys are read (default: auto)'))
    .addOption(dataFormat('--value-format <format>', 'how values are read (default: auto)'))
    .option('--print <fields>', `only these, in this order: ${FIELDS.join(',')}`, fields)
    .option('--separator <text>', 'between the fields of --print (default: a tab)', unescaped)
    .option('--null-marker <text>', 'what stands for null in --print (default: null)')
    .option('--json', 'one JSON object per record')
    .action(async (topic: string, options: ConsumeCommandOptions) => {
      const { consumeCommand } = await import('./command-consume.ts')
      process.exitCode = await consumeCommand(context(), topic, options)
    })
}

function topicCommands(command: CommandMaker, context: () => CommandContext): void {
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
    .option('--if-not-exists', 'one that is there is fine')
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

  command('delete <topic>', 'delete a topic with its records', topics)
    .option('--if-exists', 'one that is not there is fine')
    .action(async (topic: string, options: TopicDeleteOptions, self: Command) => {
      const { topicDeleteCommand } = await import('./command-topics.ts')
      process.exitCode = await topicDeleteCommand(context(), topic, inherited(options, self))
    })

  command('offsets [topic[:partition]...]', 'show where partitions begin, end, or were at a time', topics)
    .option('--time <when>', 'earliest, latest, newest (largest timestamp), or a time (default: latest)')
    .option('--json', 'one JSON object per partition')
    .action(async (names: string[], options: TopicOffsetsOptions, self: Command) => {
      const { topicOffsetsCommand } = await import('./command-topic-records.ts')
      process.exitCode = await topicOffsetsCommand(context(), names, inherited(options, self))
    })

  command('delete-records <topic>', 'delete the oldest records of a topic', topics)
    .option('--before <partition:offset>', 'or partition:end for all; may be repeated', several, [])
    .option('--before-time <time>', 'of all partitions: epoch milliseconds or ISO 8601')
    .option('--json', 'one JSON object per partition')
    .action(async (topic: string, options: TopicDeleteRecordsOptions, self: Command) => {
      const { topicDeleteRecordsCommand } = await import('./command-topic-records.ts')
      process.exitCode = await topicDeleteRecordsCommand(context(), topic, inherited(options, self))
    })
}

function groupCommands(command: CommandMaker, context: () => CommandContext): void {
  const groups = command('groups', 'list the consumer groups with their lag; or show, reset or delete one')
    .option('--json', 'one JSON object per group')
    .action(async (options: GroupsCommandOptions) => {
      const { groupsCommand } = await import('./command-groups.ts')
      process.exitCode = await groupsCommand(context(), options)
    })

  command('describe <group>', 'show committed offsets, ends and lag of a group', groups)
    .option('--members', 'who is in it, and what each reads')
    .option('--json', 'one JSON object per partition or member')
    .action(async (group: string, options: GroupDescribeOptions, self: Command) => {
      const { groupDescribeCommand } = await import('./command-groups.ts')
      process.exitCode = await groupDescribeCommand(context(), group, inherited(options, self))
    })

  command('reset <group>', 'move the committed offsets of a group; shows what would happen', groups)
    .option('--topic <topic[:partition]>', 'default: all it has offsets for; may be repeated', several, [])
    .option('--to-earliest', 'to the first record there is')
    .option('--to-latest', 'to the end')
    .option('--to-current', 'to where it is: shows its offsets, or brings them back into range')
    .option('--to-offset <n>', 'to this offset', anyWholeNumber)
    .option('--to-time <time>', 'to the first record from then on: epoch milliseconds or ISO 8601')
    .option('--by-duration <duration>', 'to the first record from so long ago on: ISO 8601, like PT2H')
    .option('--shift-by <n>', 'forwards, or with a minus backwards', anyWholeNumber)
    .option('--from-file <file>', 'to the offsets of its lines: topic,partition,offset')
    .option('--execute', 'do it')
    .option('--json', 'one JSON object per partition')
    .action(async (group: string, options: GroupResetOptions, self: Command) => {
      const { groupResetCommand } = await import('./command-group-reset.ts')
      process.exitCode = await groupResetCommand(context(), group, inherited(options, self))
    })

  command('delete <group>', 'forget the committed offsets of a group', groups).action(
    async (group: string, options: CommonOptions, self: Command) => {
      const { groupDeleteCommand } = await import('./command-groups.ts')
      process.exitCode = await groupDeleteCommand(context(), group, inherited(options, self))
    },
  )

  command('delete-offsets <group>', 'forget a group’s committed offsets of a topic', groups)
    .requiredOption('--topic <topic[:partition]>', 'may be repeated', several, [])
    .action(async (group: string, options: GroupDeleteOffsetsOptions, self: Command) => {
      const { groupDeleteOffsetsCommand } = await import('./command-groups.ts')
      process.exitCode = await groupDeleteOffsetsCommand(context(), group, inherited(options, self))
    })
}

function transactionCommands(command: CommandMaker, context: () => CommandContext): void {
  const transactions = command(
    'transactions',
    'list the transactional ids; or show or abort what one has open',
  )
    .option('--json', 'one JSON object per transactional id')
    .action(async (options: TransactionsCommandOptions) => {
      const { transactionsCommand } = await import('./command-transactions.ts')
      process.exitCode = await transactionsCommand(context(), options)
    })

  command('describe <id>', 'show where a transaction has records, and its offsets', transactions)
    .option('--json', 'one JSON object per partition')
    .action(async (id: string, options: TransactionsCommandOptions, self: Command) => {
      const { transactionDescribeCommand } = await import('./command-transactions.ts')
      process.exitCode = await transactionDescribeCommand(context(), id, inherited(options, self))
    })

  command('abort <id>', 'abort what a producer that is gone has left open', transactions).action(
    async (id: string, options: CommonOptions, self: Command) => {
      const { transactionAbortCommand } = await import('./command-transactions.ts')
      process.exitCode = await transactionAbortCommand(context(), id, inherited(options, self))
    },
  )
}

function dataFormat(flags: string, description: string): Option {
  return new Option(flags, description).choices(DATA_FORMATS)
}

function fields(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !(FIELDS as readonly string[]).includes(name))
  if (unknown === undefined) return names
  throw new InvalidArgumentError(`There is no field '${unknown}'. There are ${FIELDS.join(', ')}.`)
}

/** A separator as it is typed: `\t` is a tab. */
function unescaped(text: string): string {
  return text.replaceAll('\\t', '\t').replaceAll('\\n', '\n')
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
