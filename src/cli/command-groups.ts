import { SqlError } from '../base/errors.ts'
import type { CommittedOffset } from '../log/log.ts'
import { BIGINT, INTEGER, STRING } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import { offsetsGroup } from '../engine/query-spec.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { type CommandContext, type CommonOptions, withMillrace } from './command-context.ts'
import { EXIT } from './error-text.ts'
import { type Place, placesOf, sorted } from './places.ts'
import { columns, printRows } from './print-rows.ts'

export interface GroupsCommandOptions extends CommonOptions {
  readonly json?: boolean
}

const LIST = columns({
  group: STRING,
  state: STRING,
  members: INTEGER,
  query: STRING,
  topics: STRING,
  lag: BIGINT,
})

/** `millrace groups`: all consumer groups, what they read, and how far they are behind. @returns the exit code */
export async function groupsCommand(context: CommandContext, options: GroupsCommandOptions): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const rows = millrace.log
      .groups()
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((group) => {
        const { state, members } = millrace.log.describeGroup(group)
        const offsets = millrace.log.committedOffsets(group)
        const topics = [...new Set(offsets.map(({ topic }) => topic))].join(', ')
        const lag = offsets.reduce((sum, offset) => sum + standing(millrace, offset).lag, 0)
        return [group, state, members.length, queryOf(millrace, group), topics, lag]
      })
    await printRows(context, LIST, rows, options.json)
    return EXIT.done
  })
}

const OFFSETS = columns({
  topic: STRING,
  partition: INTEGER,
  committed: BIGINT,
  end: BIGINT,
  lag: BIGINT,
  expired: BIGINT,
  member: STRING,
})

const MEMBERS = columns({ member: STRING, instance_id: STRING, partitions: STRING })

export interface GroupDescribeOptions extends GroupsCommandOptions {
  readonly members?: boolean
}

/** `millrace groups describe`: committed offset, end and lag of each partition, or who is in it. @returns the exit code */
export async function groupDescribeCommand(
  context: CommandContext,
  group: string,
  options: GroupDescribeOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    refuseUnknown(millrace, group)
    const { state, members } = millrace.log.describeGroup(group)
    if (options.json !== true) {
      const query = queryOf(millrace, group)
      context.terminal.out(`Group ${group}: ${state}${query === null ? '' : `, of query ${query}`}\n`)
    }
    if (options.members === true) {
      const rows = members.map(({ memberId, instanceId, assignment }): Row => {
        const partitions = sorted(assignment).map(({ topic, partition }) => `${topic}:${partition}`)
        return [memberId, instanceId, partitions.join(', ')]
      })
      await printRows(context, MEMBERS, rows, options.json)
      return EXIT.done
    }
    const committed = millrace.log.committedOffsets(group)
    const owned = members.flatMap(({ assignment }) => assignment)
    const places = [
      ...committed,
      ...owned.filter((place) => !committed.some((offset) => same(offset, place))),
    ]
    let lost = 0
    const rows = sorted(places).map((place: Place & { readonly offset?: number }): Row => {
      const owner = members.find(({ assignment }) => assignment.some((at) => same(at, place)))
      const member = owner?.memberId ?? null
      const { topic, partition, offset } = place
      const end = millrace.log.ends(topic, partition).lastStable
      if (offset === undefined) return [topic, partition, null, end, null, null, member]
      const { lag, expired } = standing(millrace, { topic, partition, offset })
      lost += expired
      return [topic, partition, offset, end, lag, expired, member]
    })
    await printRows(context, OFFSETS, rows, options.json)
    if (lost > 0 && options.json !== true) {
      context.terminal.out(
        `${lost.toLocaleString('en')} ${lost === 1 ? 'record' : 'records'} expired or were deleted before the group read them.\n`,
      )
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

export interface GroupDeleteOffsetsOptions extends CommonOptions {
  /** `topic` or `topic:partition` */
  readonly topic: readonly string[]
}

/** `millrace groups delete-offsets`. @returns the exit code */
export async function groupDeleteOffsetsCommand(
  context: CommandContext,
  group: string,
  options: GroupDeleteOffsetsOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    refuseUnknown(millrace, group)
    refuseOfQuery(millrace, group, 'changed')
    const known = millrace.log.committedOffsets(group)
    const places = options.topic
      .flatMap((text) => placesOf(millrace, text))
      .filter((place) => known.some((offset) => same(offset, place)))
    if (places.length === 0) {
      throw new SqlError('CLI_NOTHING_TO_DO', {
        message: `Group ${group} has no committed offsets there.`,
        hint: `millrace groups describe ${group} shows those it has; --topic TOPIC[:PARTITION] names them.`,
      })
    }
    await millrace.log.deleteOffsets(group, places)
    const count = `${places.length} ${places.length === 1 ? 'offset' : 'offsets'}`
    context.terminal.out(`Deleted ${count} of group ${group}.\n`)
    return EXIT.done
  })
}

function same(a: Place, b: Place): boolean {
  return a.topic === b.topic && a.partition === b.partition
}

/** What a group has still to read of a partition, and what of it is gone. */
function standing(
  millrace: Millrace,
  { topic, partition, offset }: CommittedOffset,
): { readonly lag: number; readonly expired: number } {
  const { logStart, lastStable } = millrace.log.ends(topic, partition)
  return {
    lag: Math.max(0, lastStable - Math.max(offset, logStart)),
    expired: Math.max(0, logStart - offset),
  }
}

/** The query whose offsets these are, or null. */
function queryOf(millrace: Millrace, group: string): string | null {
  return millrace.queries().find(({ id }) => offsetsGroup(id) === group)?.id ?? null
}

export function refuseOfQuery(millrace: Millrace, group: string, what: string): void {
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
