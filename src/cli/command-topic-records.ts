import { SqlError } from '../base/errors.ts'
import { BIGINT, INTEGER, STRING } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import type { Millrace } from '../runtime/millrace.ts'
import { type CommandContext, type CommonOptions, withMillrace } from './command-context.ts'
import { EXIT } from './error-text.ts'
import { existing, type Place, placesOf, sorted } from './places.ts'
import { columns, printRows } from './print-rows.ts'
import { timeMsFrom } from './times.ts'

export interface TopicOffsetsOptions extends CommonOptions {
  /** `earliest`, `latest`, `newest`, or a time. */
  readonly time?: string
  readonly json?: boolean
}

const OFFSETS = columns({ topic: STRING, partition: INTEGER, offset: BIGINT })

/** `millrace topics offsets`: where partitions begin, end, or were at a time. @returns the exit code */
export async function topicOffsetsCommand(
  context: CommandContext,
  named: readonly string[],
  options: TopicOffsetsOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const { log } = millrace
    const names = named.length > 0 ? named : log.topics().flatMap((t) => (t.internal ? [] : [t.name]))
    const offsetAt = lookup(millrace, options.time ?? 'latest')
    const rows: Row[] = []
    for (const { topic, partition } of sorted(names.flatMap((name) => placesOf(millrace, name)))) {
      rows.push([topic, partition, await offsetAt({ topic, partition })])
    }
    await printRows(context, OFFSETS, rows, options.json)
    return EXIT.done
  })
}

/** @returns what finds the offset, null where there is no such record */
function lookup({ log }: Millrace, time: string): (at: Place) => Promise<number | null> {
  switch (time) {
    case 'earliest':
      return async ({ topic, partition }) => log.ends(topic, partition).logStart
    case 'latest':
      return async ({ topic, partition }) => log.ends(topic, partition).lastStable
    case 'newest':
      return async ({ topic, partition }) => (await log.newestRecord(topic, partition))?.offset ?? null
    default: {
      const timeMs = timeMsFrom(time)
      return ({ topic, partition }) => log.offsetForTime(topic, partition, timeMs)
    }
  }
}

export interface TopicDeleteRecordsOptions extends CommonOptions {
  /** `partition:offset`, or `partition:end` */
  readonly before: readonly string[]
  /** Of all partitions. */
  readonly beforeTime?: string
  readonly json?: boolean
}

const LOG_STARTS = columns({ partition: INTEGER, log_start: BIGINT })

/** `millrace topics delete-records`: moves the log start. @returns the exit code */
export async function topicDeleteRecordsCommand(
  context: CommandContext,
  name: string,
  options: TopicDeleteRecordsOptions,
): Promise<number> {
  return withMillrace(context, options, async (millrace) => {
    const { log } = millrace
    const { partitions, internal } = existing(millrace, name)
    if (internal) {
      throw new SqlError('CLI_TOPIC_IN_USE', {
        message: `Topic ${name} is Millrace's own: its records cannot be deleted.`,
      })
    }
    const wanted = new Map<number, number>()
    for (const text of options.before) {
      const parts = /^(\d+):(\d+|end)$/.exec(text)
      if (parts === null) {
        throw new SqlError('CLI_BAD_OFFSET', {
          message: `'${text}' does not say before which offset.`,
          hint: 'Give PARTITION:OFFSET, or PARTITION:end for all there is.',
        })
      }
      const partition = Number(parts[1])
      const end = log.ends(name, partition).highWatermark
      wanted.set(partition, parts[2] === 'end' ? end : Number(parts[2]))
    }
    if (options.beforeTime !== undefined) {
      const timeMs = timeMsFrom(options.beforeTime)
      for (let partition = 0; partition < partitions; partition++) {
        const offset = await log.offsetForTime(name, partition, timeMs)
        wanted.set(partition, offset ?? log.ends(name, partition).highWatermark)
      }
    }
    if (wanted.size === 0) {
      throw new SqlError('CLI_NOTHING_TO_DO', {
        message: `No records of topic ${name} are named.`,
        hint: 'Give --before PARTITION:OFFSET, or --before-time TIME.',
      })
    }
    const rows: Row[] = []
    for (const [partition, offset] of wanted) {
      rows.push([partition, await log.deleteRecords(name, partition, offset)])
    }
    await printRows(context, LOG_STARTS, rows, options.json)
    return EXIT.done
  })
}
