import { SqlError } from '../base/errors.ts'
import { settingsInForce } from '../log/topic-config.ts'
import { BIGINT, BOOLEAN, INTEGER, STRING } from '../plan/sql-type.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { type CommandContext, type CommonOptions, withMillrace } from './command-context.ts'
import { EXIT } from './error-text.ts'
import { existing } from './places.ts'
import { columns, printRows } from './print-rows.ts'
import { recordCount } from './waiting-text.ts'

export interface TopicsCommandOptions extends CommonOptions {
  /** Millrace's own topics too. */
  readonly all?: boolean
  readonly json?: boolean
}

const LIST = columns({ topic: STRING, partitions: INTEGER, records: BIGINT })

/** `millrace topics`: all topics with their partitions and records. @returns the exit code */
export async function topicsCommand(context: CommandContext, options: TopicsCommandOptions): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const rows = millrace.log
      .topics()
      .filter((topic) => options.all === true || !topic.internal)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((topic) => [topic.name, topic.partitions, recordCount(millrace, topic.name)])
    await printRows(context, LIST, rows, options.json)
    return EXIT.done
  })
}

export interface TopicCreateOptions extends CommonOptions {
  readonly partitions?: number
  /** `name=value` */
  readonly config: readonly string[]
  readonly ifNotExists?: boolean
}

/** `millrace topics create`. @returns the exit code */
export async function topicCreateCommand(
  context: CommandContext,
  topic: string,
  options: TopicCreateOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    if (options.ifNotExists === true && millrace.log.topic(topic) !== undefined) {
      context.terminal.out(`Topic ${topic} exists already.\n`)
      return EXIT.done
    }
    const { partitions } = await millrace.log.createTopic(topic, {
      partitions: options.partitions ?? 1,
      config: settingsFrom(options.config),
    })
    context.terminal.out(`Created topic ${topic} (${partitionCount(partitions)}).\n`)
    return EXIT.done
  })
}

export interface TopicDescribeOptions extends CommonOptions {
  /** Settings that have their default too. */
  readonly all?: boolean
  readonly json?: boolean
}

const PARTITIONS = columns({ partition: INTEGER, log_start: BIGINT, end: BIGINT, stable_end: BIGINT })

const SETTINGS = columns({ setting: STRING, value: STRING, is_default: BOOLEAN })

/** `millrace topics describe`: ends of its partitions, and its settings. @returns the exit code */
export async function topicDescribeCommand(
  context: CommandContext,
  name: string,
  options: TopicDescribeOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const topic = existing(millrace, name)
    if (options.json !== true) context.terminal.out(`Topic ${name}, id ${topic.id}\n`)
    const partitions = Array.from({ length: topic.partitions }, (_, partition) => {
      const { logStart, highWatermark, lastStable } = millrace.log.ends(name, partition)
      return [partition, logStart, highWatermark, lastStable]
    })
    await printRows(context, PARTITIONS, partitions, options.json)
    const settings = settingsInForce(topic.config)
      .filter(({ isDefault }) => options.all === true || !isDefault)
      .map((setting) => [setting.name, setting.value, setting.isDefault])
    if (settings.length > 0) await printRows(context, SETTINGS, settings, options.json)
    else if (options.json !== true)
      context.terminal.out('All settings have their defaults (--all shows them).\n')
    return EXIT.done
  })
}

export interface TopicAlterOptions extends CommonOptions {
  /** `name=value` */
  readonly config: readonly string[]
  /** Settings that go back to their default. */
  readonly reset: readonly string[]
}

/** `millrace topics alter`. @returns the exit code */
export async function topicAlterCommand(
  context: CommandContext,
  topic: string,
  options: TopicAlterOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const changes = {
      ...settingsFrom(options.config),
      ...Object.fromEntries(options.reset.map((name) => [name, null])),
    }
    if (Object.keys(changes).length === 0) {
      throw new SqlError('CLI_NOTHING_TO_DO', {
        message: `Nothing is to be altered in topic ${topic}.`,
        hint: 'Give --config name=value, or --reset name.',
      })
    }
    await millrace.log.alterTopic(topic, changes)
    context.terminal.out(`Altered topic ${topic}.\n`)
    return EXIT.done
  })
}

/** `millrace topics add-partitions`. @returns the exit code */
export async function topicAddPartitionsCommand(
  context: CommandContext,
  topic: string,
  partitions: number,
  options: CommonOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    existing(millrace, topic)
    refuseIfUsed(millrace, topic, 'get partitions')
    await millrace.log.addPartitions(topic, partitions)
    context.terminal.out(
      `Topic ${topic} has ${partitionCount(partitions)} now. Its records stay where they are; later records of a key may go elsewhere.\n`,
    )
    return EXIT.done
  })
}

export interface TopicDeleteOptions extends CommonOptions {
  readonly ifExists?: boolean
}

/** `millrace topics delete`. @returns the exit code */
export async function topicDeleteCommand(
  context: CommandContext,
  topic: string,
  options: TopicDeleteOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    if (options.ifExists === true && millrace.log.topic(topic) === undefined) {
      context.terminal.out(`There is no topic ${topic}.\n`)
      return EXIT.done
    }
    if (existing(millrace, topic).internal) {
      throw new SqlError('CLI_TOPIC_IN_USE', {
        message: `Topic ${topic} is Millrace's own and cannot be deleted.`,
      })
    }
    refuseIfUsed(millrace, topic, 'be deleted')
    await millrace.log.deleteTopic(topic)
    context.terminal.out(`Deleted topic ${topic}.\n`)
    return EXIT.done
  })
}

/** Streams and tables count on what is in their topic, and on where. */
function refuseIfUsed(millrace: Millrace, topic: string, what: string): void {
  const { catalog } = millrace
  const users = catalog.sourceNames().flatMap((name) => {
    const source = catalog.source(name)
    return source?.topic === topic ? [source] : []
  })
  if (users.length === 0) return
  const names = users.map(({ kind, name }) => `${kind} ${name}`).join(', ')
  throw new SqlError('CLI_TOPIC_IN_USE', {
    message: `Topic ${topic} cannot ${what}: it holds the records of ${names}.`,
    hint: 'Drop them first.',
  })
}

function settingsFrom(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=')
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

function partitionCount(partitions: number): string {
  return `${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`
}
