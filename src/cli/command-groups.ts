import { SqlError } from '../base/errors.ts'
import type { CommittedOffset } from '../log/log.ts'
import type { Schema } from '../plan/schema.ts'
import { BIGINT, INTEGER, STRING } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import { offsetsGroup } from '../engine/query-spec.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { type CommandContext, type CommonOptions, withMillrace } from './command-context.ts'
import { existing, printRows } from './command-topics.ts'
import { EXIT } from './error-text.ts'

export interface GroupsCommandOptions extends CommonOptions {
  readonly json?: boolean
}

const LIST: Schema = {
  columns: [
    { name: 'group', type: STRING, role: 'key' },
    { name: 'query', type: STRING, role: 'value' },
    { name: 'topics', type: STRING, role: 'value' },
    { name: 'lag', type: BIGINT, role: 'value' },
  ],
}

/** `millrace groups`: all consumer groups, what they read, and how far they are behind. @returns the exit code */
export async function groupsCommand(context: CommandContext, options: GroupsCommandOptions): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const rows = millrace.log
      .groups()
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((group) => {
        const offsets = millrace.log.committedOffsets(group)
        const topics = [...new Set(offsets.map(({ topic }) => topic))].join(', ')
        const lag = offsets.reduce((sum, offset) => sum + lagOf(millrace, offset), 0)
        return [group, queryOf(millrace, group), topics, lag]
      })
    await printRows(context, LIST, rows, options.json)
    return EXIT.done
  })
}

const OFFSETS: Schema = {
  columns: [
    { name: 'topic', type: STRING, role: 'key' },
    { name: 'partition', type: INTEGER, role: 'key' },
    { name: 'committed', type: BIGINT, role: 'value' },
    { name: 'end', type: BIGINT, role: 'value' },
    { name: 'lag', type: BIGINT, role: 'value' },
    { name: 'member', type: STRING, role: 'value' },
  ],
}

/** `millrace groups describe`: committed offset, end and lag of each partition. @returns the exit code */
export async function groupDescribeCommand(
  context: CommandContext,
  group: string,
  options: GroupsCommandOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    refuseUnknown(millrace, group)
    const { members } = millrace.log.describeGroup(group)
    const rows = sorted(millrace.log.committedOffsets(group)).map((offset): Row => {
      const { topic, partition } = offset
      const owner = members.find(({ assignment }) =>
        assignment.some((owned) => owned.topic === topic && owned.partition === partition),
      )
      const end = millrace.log.ends(topic, partition).lastStable
      return [topic, partition, offset.offset, end, lagOf(millrace, offset), owner?.memberId ?? null]
    })
    await printRows(context, OFFSETS, rows, options.json)
    return EXIT.done
  })
}

export interface GroupResetOptions extends CommonOptions {
  /** `topic` or `topic:partition`; none: all the group has offsets for. */
  readonly topic: readonly string[]
  readonly toEarliest?: boolean
  readonly toLatest?: boolean
  readonly toOffset?: number
  readonly shiftBy?: number
  /** Epoch milliseconds or ISO 8601. */
  readonly toTime?: string
  /** Without it, only what would happen is shown. */
  readonly execute?: boolean
  readonly json?: boolean
}

const RESET: Schema = {
  columns: [
    { name: 'topic', type: STRING, role: 'key' },
    { name: 'partition', type: INTEGER, role: 'key' },
    { name: 'committed', type: BIGINT, role: 'value' },
    { name: 'new_offset', type: BIGINT, role: 'value' },
  ],
}

/**
 * `millrace groups reset`: moves the committed offsets of a group. Refused for the group of a query that
 * exists: its state would not go with them.
 *
 * @returns the exit code
 */
export async function groupResetCommand(
  context: CommandContext,
  group: string,
  options: GroupResetOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    refuseOfQuery(millrace, group, 'reset')
    const target = targetOf(options)
    const known = millrace.log.committedOffsets(group)
    const places = sorted(
      options.topic.length > 0
        ? options.topic.flatMap((text) => placesOf(millrace, text))
        : known.map(({ topic, partition }) => ({ topic, partition })),
    )
    if (places.length === 0) {
      throw new SqlError('CLI_UNKNOWN_GROUP', {
        message: `Group ${group} has no committed offsets.`,
        hint: 'Name the topics with --topic.',
      })
    }
    const offsets: CommittedOffset[] = []
    const rows: Row[] = []
    for (const { topic, partition } of places) {
      const before = known.find((offset) => offset.topic === topic && offset.partition === partition)?.offset
      const { logStart, lastStable } = millrace.log.ends(topic, partition)
      const wanted = await target(millrace, topic, partition, before ?? logStart)
      const offset = Math.min(lastStable, Math.max(logStart, wanted))
      offsets.push({ topic, partition, offset })
      rows.push([topic, partition, before ?? null, offset])
    }
    if (options.execute === true) await millrace.log.commitOffsets(group, offsets)
    await printRows(context, RESET, rows, options.json)
    if (options.execute !== true && options.json !== true) {
      context.terminal.out('Nothing was changed. Add --execute to do it.\n')
    }
    return EXIT.done
  })
}

/** `millrace groups delete`. @returns the exit code */
export async function groupDeleteCommand(
  context: CommandContext,
  group: string,
  options: CommonOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    refuseUnknown(millrace, group)
    refuseOfQuery(millrace, group, 'deleted')
    await millrace.log.deleteGroup(group)
    context.terminal.out(`Deleted group ${group}.\n`)
    return EXIT.done
  })
}

type Target = (millrace: Millrace, topic: string, partition: number, committed: number) => Promise<number>

/** @throws SqlError unless exactly one target is given */
function targetOf(options: GroupResetOptions): Target {
  const { toEarliest, toLatest, toOffset, shiftBy, toTime } = options
  const targets: Target[] = []
  if (toEarliest === true) targets.push(async () => 0)
  if (toLatest === true) targets.push(async () => Infinity)
  if (toOffset !== undefined) targets.push(async () => toOffset)
  if (shiftBy !== undefined)
    targets.push(async (_millrace, _topic, _partition, committed) => committed + shiftBy)
  if (toTime !== undefined) {
    const timeMs = /^-?\d+$/.test(toTime) ? Number(toTime) : Date.parse(toTime)
    if (Number.isNaN(timeMs)) {
      throw new SqlError('CLI_BAD_TIME', {
        message: `'${toTime}' is not a time.`,
        hint: 'Give epoch milliseconds or ISO 8601, for example 2026-11-20T12:00:00Z.',
      })
    }
    targets.push(
      async (millrace, topic, partition) =>
        (await millrace.log.offsetForTime(topic, partition, timeMs)) ?? Infinity,
    )
  }
  if (targets.length === 1) return targets[0]!
  throw new SqlError('CLI_ONE_TARGET', {
    message: `A reset needs one target, and has ${targets.length}.`,
    hint: 'Give one of --to-earliest, --to-latest, --to-offset, --to-time, --shift-by.',
  })
}

interface Place {
  readonly topic: string
  readonly partition: number
}

function placesOf(millrace: Millrace, text: string): Place[] {
  const at = text.lastIndexOf(':')
  const topic = existing(millrace, at < 0 ? text : text.slice(0, at))
  if (at < 0)
    return Array.from({ length: topic.partitions }, (_, partition) => ({ topic: topic.name, partition }))
  const partition = Number(text.slice(at + 1))
  millrace.log.ends(topic.name, partition) // There is such a partition.
  return [{ topic: topic.name, partition }]
}

function sorted<P extends Place>(places: readonly P[]): P[] {
  return places.toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  )
}

function lagOf(millrace: Millrace, { topic, partition, offset }: CommittedOffset): number {
  return Math.max(0, millrace.log.ends(topic, partition).lastStable - offset)
}

/** The query whose offsets these are, or null. */
function queryOf(millrace: Millrace, group: string): string | null {
  return millrace.queries().find(({ id }) => offsetsGroup(id) === group)?.id ?? null
}

function refuseOfQuery(millrace: Millrace, group: string, what: string): void {
  const query = queryOf(millrace, group)
  if (query === null) return
  throw new SqlError('CLI_GROUP_OF_QUERY', {
    message: `Group ${group} cannot be ${what}: its offsets belong to the state of query ${query}.`,
    hint: `Terminate or drop the query first.`,
  })
}

function refuseUnknown(millrace: Millrace, group: string): void {
  if (millrace.log.groups().includes(group)) return
  throw new SqlError('CLI_UNKNOWN_GROUP', {
    message: `There is no group ${group}.`,
    hint: 'millrace groups lists them.',
  })
}
