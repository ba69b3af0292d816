import { crc32 } from 'node:zlib'
import { crc32c } from '@node-rs/crc32'
import { MillraceError, StorageError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import type { Log, LogSlice } from '../../src/log/log.ts'
import { walkRecords } from '../../src/log/walk-records.ts'

/** What a log holds, as text. */
export interface Content {
  /** By `topic-partition`; a partition that cannot be read whole is its error. */
  readonly partitions: ReadonlyMap<string, PartitionContent>
  /** Committed offsets, a line each. */
  readonly offsets: readonly string[]
  /** Topics with their ids, partitions and settings, a line each. */
  readonly topics: readonly string[]
}

export interface PartitionContent {
  readonly ends: string
  /** A line per record, in order, or why they cannot be read. */
  readonly records: readonly string[] | StorageError
  /** Answers to searches by time; a search that failed is its error. */
  readonly times: ReadonlyMap<number, string | StorageError>
}

/** A reader that goes nowhere. */
class Stalled extends Error {}

export const TIMES = [0, 1_699_999_996_500, 1_700_000_020_000, 1_800_000_000_000]

/**
 * Reads everything there is, partition by partition, in slices whose size the seed chooses.
 *
 * @param times  to search for; one that the seed chooses, where none are given
 * @throws what no reader should see: anything but a StorageError
 */
export async function readContent(log: Log, random: Random, times?: readonly number[]): Promise<Content> {
  const searched = times ?? [TIMES[random.below(TIMES.length)]!]
  const partitions = new Map<string, PartitionContent>()
  for (const { name, partitions: count } of log.topics()) {
    for (let partition = 0; partition < count; partition++) {
      const found = new Map<number, string | StorageError>()
      for (const time of searched) {
        found.set(time, await orError(async () => String(await log.offsetForTime(name, partition, time))))
      }
      partitions.set(`${name}-${partition}`, {
        ends: JSON.stringify(log.ends(name, partition)),
        records: await orError(() => readPartition(log, name, partition, 0, random)),
        times: found,
      })
    }
  }
  const offsets = log
    .groups()
    .flatMap((group) => log.committedOffsets(group).map((offset) => `${group} ${JSON.stringify(offset)}`))
  const topics = log.topics().map((topic) => JSON.stringify(topic))
  return { partitions, offsets: offsets.toSorted(), topics: topics.toSorted() }
}

/** Texts of the records in a slice, by what was read: the same bytes come again in every case. */
const linesOfSlices = new Map<string, readonly string[]>()

/** The records of a partition from `from` on. @throws StorageError */
export async function readPartition(
  log: Log,
  topic: string,
  partition: number,
  from: number,
  random: Random,
): Promise<string[]> {
  const found: string[] = []
  const { logStart, lastStable } = log.ends(topic, partition)
  const bytesMax = SLICE_BYTES[random.below(SLICE_BYTES.length)]!
  for (let offset = Math.max(from, logStart); offset < lastStable;) {
    const slice = await log.read(topic, partition, offset, bytesMax)
    // Two checksums, of which one is not that of the batches.
    const key = `${offset} ${crc32c(slice.bytes)} ${crc32(slice.bytes)} ${JSON.stringify(slice.aborted)}`
    let lines = linesOfSlices.get(key)
    if (lines === undefined) {
      lines = linesOf(slice, offset)
      linesOfSlices.set(key, lines)
    }
    for (const line of lines) found.push(line)
    if (slice.nextOffset <= offset) {
      throw new Stalled(
        `${topic}-${partition}: nothing comes at offset ${offset}, and the end is ${lastStable}`,
      )
    }
    offset = slice.nextOffset
  }
  return found
}

/** Mostly one batch at a time, or a few, or all there is. */
const SLICE_BYTES = [128, 2_000, 1 << 18]

/** A line per record. */
function linesOf(slice: LogSlice, from: number): string[] {
  const columns = walkRecords(slice.bytes, from, slice.aborted)
  const part = (start: number, end: number): string =>
    start < 0 ? 'null' : Buffer.from(columns.bytes.subarray(start, end)).toString('latin1')
  return Array.from(
    columns.offsets.subarray(0, columns.count),
    (offset, row) =>
      `${offset} @${columns.timestamps[row]} ` +
      `${part(columns.keyStarts[row]!, columns.keyEnds[row]!)} = ` +
      part(columns.valueStarts[row]!, columns.valueEnds[row]!),
  )
}

async function orError<T>(read: () => Promise<T>): Promise<T | StorageError> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof StorageError) return error
    throw error
  }
}

/** What came of a damaged directory. */
export interface Verdict {
  /** `whole`: nothing is missing. `refused`: an error names the place. `wrong`: something else was served. */
  readonly kind: 'whole' | 'refused' | 'wrong'
  readonly detail: string
}

/** Whether everything is there, or an error stands in the place of what is missing. */
export function compareContent(found: Content, expected: Content): Verdict {
  let refused: string | null = null
  const wrong = (detail: string): Verdict => ({ kind: 'wrong', detail })
  const topic = firstDifference(found.topics, expected.topics)
  if (topic !== null) return wrong(`topics: ${topic}`)
  for (const [place, { ends, records, times }] of expected.partitions) {
    const other = found.partitions.get(place)
    if (other === undefined) return wrong(`${place} is gone`)
    if (other.records instanceof StorageError) {
      const problem = unnamed(other.records, place)
      if (problem !== null) return wrong(problem)
      refused = other.records.message
    } else {
      const difference = firstDifference(other.records, records as readonly string[])
      if (difference !== null) return wrong(`${place}: ${difference}`)
    }
    if (other.ends !== ends) return wrong(`${place}: ends ${other.ends} instead of ${ends}`)
    for (const [time, offset] of other.times) {
      if (offset instanceof StorageError) {
        const problem = unnamed(offset, place)
        if (problem !== null) return wrong(problem)
        refused ??= offset.message
      } else if (offset !== times.get(time)) {
        return wrong(`${place}: search by time ${time} gives ${offset} instead of ${String(times.get(time))}`)
      }
    }
  }
  for (const place of found.partitions.keys()) {
    if (!expected.partitions.has(place)) return wrong(`${place} came from nowhere`)
  }
  const offset = firstDifference(found.offsets, expected.offsets)
  if (offset !== null) return wrong(`committed offsets: ${offset}`)
  return refused === null ? { kind: 'whole', detail: '' } : { kind: 'refused', detail: refused }
}

/** Whether two readings saw the same, errors included. */
export function sameContent(one: Content, other: Content): boolean {
  const same = (a: readonly unknown[] | StorageError, b: readonly unknown[] | StorageError): boolean =>
    a instanceof StorageError || b instanceof StorageError
      ? String(a) === String(b)
      : a.length === b.length && a.every((item, i) => item === b[i] || String(item) === String(b[i]))
  return (
    same(one.topics, other.topics) &&
    same(one.offsets, other.offsets) &&
    one.partitions.size === other.partitions.size &&
    [...one.partitions].every(([place, { ends, records, times }]) => {
      const second = other.partitions.get(place)
      if (second?.ends !== ends || !same(records, second.records)) return false
      return [...times].every(
        ([time, offset]) => !second.times.has(time) || String(second.times.get(time)) === String(offset),
      )
    })
  )
}

export function firstDifference(found: readonly string[], expected: readonly string[]): string | null {
  const length = Math.max(found.length, expected.length)
  for (let i = 0; i < length; i++) {
    if (found[i] !== expected[i]) return `${short(found[i])} instead of ${short(expected[i])}`
  }
  return null
}

/** Whether an error says where the damage is; if not, what is wrong with it. */
function unnamed(error: StorageError, place: string): string | null {
  const [, topic, partition] = /^(.*)-(\d+)$/s.exec(place)!
  return error.message.includes(`Topic ${topic}, partition ${partition}:`) && namesPlace(error.message)
    ? null
    : `${place}: the error does not name the place: ${error.code} ${error.message}`
}

/** Whether a sentence names the damaged file and the byte in it. */
export function namesPlace(sentence: string): boolean {
  return /byte \d+ of \S*(?:(?:journal|checkpoint)\.[01]|\d{20}(?:\.\d+)?\.log)/.test(sentence)
}

/** A refusal names what is damaged; anything else that is thrown is a bug. */
export function refusal(error: unknown): Verdict {
  if (error instanceof MillraceError && namesPlace(error.message)) {
    return { kind: 'refused', detail: error.message }
  }
  const thrown = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { kind: 'wrong', detail: `thrown: ${thrown}` }
}

function short(line: string | undefined): string {
  return line === undefined ? 'nothing' : line.length > 120 ? `${line.slice(0, 120)}…` : line
}
