import { readFile } from 'node:fs/promises'
import { SqlError } from '../base/errors.ts'
import type { CommittedOffset } from '../log/log.ts'
import { BIGINT, INTEGER, STRING } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { type CommandContext, type CommonOptions, withMillrace } from './command-context.ts'
import { refuseOfQuery } from './command-groups.ts'
import { EXIT } from './error-text.ts'
import { type Place, placesOf, sorted } from './places.ts'
import { columns, printRows } from './print-rows.ts'
import { durationMsFrom, timeMsFrom } from './times.ts'

export interface GroupResetOptions extends CommonOptions {
  /** `topic` or `topic:partition`; none: all the group has offsets for. */
  readonly topic: readonly string[]
  readonly toEarliest?: boolean
  readonly toLatest?: boolean
  readonly toOffset?: number
  readonly shiftBy?: number
  readonly toCurrent?: boolean
  /** ISO 8601, back from now. */
  readonly byDuration?: string
  /** Lines of topic,partition,offset. */
  readonly fromFile?: string
  /** Epoch milliseconds or ISO 8601. */
  readonly toTime?: string
  /** Without it, only what would happen is shown. */
  readonly execute?: boolean
  readonly json?: boolean
}

const RESET = columns({ topic: STRING, partition: INTEGER, committed: BIGINT, new_offset: BIGINT })

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
    const target = await targetOf(options)
    const known = millrace.log.committedOffsets(group)
    const named =
      options.topic.length > 0
        ? options.topic.flatMap((text) => placesOf(millrace, text))
        : (target.places?.map(({ topic, partition }) => placesOf(millrace, `${topic}:${partition}`)[0]!) ??
          known.map(({ topic, partition }) => ({ topic, partition })))
    const places = sorted(named)
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
      const wanted = await target.offset(millrace, { topic, partition }, before ?? logStart)
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

interface Target {
  /** Where it says itself which partitions are meant. */
  readonly places?: readonly Place[]
  /** May lie outside of the partition: the nearest there is counts. */
  offset(millrace: Millrace, at: Place, committed: number): Promise<number>
}

/** @throws SqlError unless exactly one target is given */
async function targetOf(options: GroupResetOptions): Promise<Target> {
  const { toEarliest, toLatest, toCurrent, toOffset, shiftBy, toTime, byDuration, fromFile } = options
  const targets: Target[] = []
  if (toEarliest === true) targets.push({ offset: async () => 0 })
  if (toLatest === true) targets.push({ offset: async () => Infinity })
  if (toCurrent === true) targets.push({ offset: async (_millrace, _at, committed) => committed })
  if (toOffset !== undefined) targets.push({ offset: async () => toOffset })
  if (shiftBy !== undefined)
    targets.push({ offset: async (_millrace, _at, committed) => committed + shiftBy })
  if (toTime !== undefined) targets.push(fromTime(timeMsFrom(toTime)))
  if (byDuration !== undefined) targets.push(fromTime(Date.now() - durationMsFrom(byDuration)))
  if (fromFile !== undefined) targets.push(await fromLines(fromFile))
  if (targets.length === 1) return targets[0]!
  throw new SqlError('CLI_ONE_TARGET', {
    message: `A reset needs one target, and has ${targets.length}.`,
    hint: 'Give one of --to-earliest, --to-latest, --to-current, --to-offset, --to-time, --by-duration, --shift-by, --from-file.',
  })
}

function fromTime(timeMs: number): Target {
  return {
    offset: async (millrace, { topic, partition }) =>
      (await millrace.log.offsetForTime(topic, partition, timeMs)) ?? Infinity,
  }
}

/** Lines of `topic,partition,offset`, as Kafka's own tool writes and reads them. */
async function fromLines(file: string): Promise<Target> {
  const offsets = (await readFile(file, 'utf8'))
    .split(/\r?\n/)
    .map((line, i) => ({ line: line.trim(), number: i + 1 }))
    .filter(({ line }) => line !== '')
    .map(({ line, number }) => {
      const parts = /^"?([^",]+)"?,(\d+),(\d+)$/.exec(line)
      if (parts === null) {
        throw new SqlError('CLI_BAD_OFFSETS_FILE', {
          message: `Line ${number} of ${file} is not topic,partition,offset: '${line}'.`,
        })
      }
      return { topic: parts[1]!, partition: Number(parts[2]), offset: Number(parts[3]) }
    })
  return {
    places: offsets,
    offset: async (_millrace, at, committed) =>
      offsets.find(({ topic, partition }) => topic === at.topic && partition === at.partition)?.offset ??
      committed,
  }
}
