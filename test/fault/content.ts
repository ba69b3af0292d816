import { QueryError, StorageError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import type { Log } from '../../src/log/log.ts'
import { walkRecords } from '../../src/log/walk-records.ts'

/** What a log holds, as text. */
export interface Content {
  /** By `topic-partition`; a partition that cannot be read whole is its error. */
  readonly partitions: ReadonlyMap<string, PartitionContent>
  /** Committed offsets, a line each. */
  readonly offsets: readonly string[]
}

export interface PartitionContent {
  readonly ends: string
  /** A line per record, in order, or why they cannot be read. */
  readonly records: readonly string[] | StorageError
  /** Answers to a few searches by time, a line each; a search that failed is its error. */
  readonly times: readonly (string | StorageError)[]
}

/** A reader that goes nowhere. */
class Stalled extends Error {}

const TIMES = [
  0, 1_699_999_996_500, 1_700_000_000_000, 1_700_000_020_000, 1_700_000_090_000, 1_800_000_000_000,
]

/**
 * Reads everything there is, partition by partition, in slices whose size the seed chooses.
 *
 * @throws what no reader should see: anything but a StorageError
 */
export async function readContent(log: Log, random: Random): Promise<Content> {
  const partitions = new Map<string, PartitionContent>()
  for (const { name, partitions: count } of log.topics()) {
    for (let partition = 0; partition < count; partition++) {
      const times: (string | StorageError)[] = []
      for (const time of TIMES) {
        times.push(await orError(async () => `${time}: ${await log.offsetForTime(name, partition, time)}`))
      }
      partitions.set(`${name}-${partition}`, {
        ends: JSON.stringify(log.ends(name, partition)),
        records: await orError(() => readPartition(log, name, partition, 0, random)),
        times,
      })
    }
  }
  const offsets = log
    .groups()
    .flatMap((group) => log.committedOffsets(group).map((offset) => `${group} ${JSON.stringify(offset)}`))
  return { partitions, offsets: offsets.toSorted() }
}

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
  for (let offset = Math.max(from, logStart); offset < lastStable;) {
    const slice = await log.read(topic, partition, offset, 1 << (7 + random.below(12)))
    const columns = walkRecords(slice.bytes, offset, slice.aborted)
    const part = (start: number, end: number): string =>
      start < 0 ? 'null' : Buffer.from(columns.bytes.subarray(start, end)).toString('latin1')
    for (let row = 0; row < columns.count; row++) {
      found.push(
        `${columns.offsets[row]} @${columns.timestamps[row]} ` +
          `${part(columns.keyStarts[row]!, columns.keyEnds[row]!)} = ` +
          part(columns.valueStarts[row]!, columns.valueEnds[row]!),
      )
    }
    if (slice.nextOffset <= offset) {
      throw new Stalled(
        `${topic}-${partition}: nothing comes at offset ${offset}, and the end is ${lastStable}`,
      )
    }
    offset = slice.nextOffset
  }
  return found
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

/** @param mayLoseEnd  the last frames of the journal are gone, and nothing tells that they were there */
export function compareContent(found: Content, expected: Content, mayLoseEnd: boolean): Verdict {
  let refused: string | null = null
  const wrong = (detail: string): Verdict => ({ kind: 'wrong', detail })
  let isShorter = false
  for (const [place, { ends, records, times }] of expected.partitions) {
    const other = found.partitions.get(place)
    if (other === undefined) {
      if (mayLoseEnd) continue
      return wrong(`${place} is gone`)
    }
    if (other.records instanceof StorageError) {
      const problem = unnamed(other.records, place)
      if (problem !== null) return wrong(problem)
      refused = other.records.message
    } else {
      const whole = records as readonly string[]
      const at = other.records.findIndex((line, i) => line !== whole[i])
      if (at >= 0) return wrong(`${place}: ${short(other.records[at])} instead of ${short(whole[at])}`)
      if (other.records.length < whole.length) {
        if (!mayLoseEnd)
          return wrong(`${place}: ends after ${other.records.length} of ${whole.length} records`)
        isShorter = true
        continue
      }
    }
    if (other.ends !== ends) {
      if (!mayLoseEnd) return wrong(`${place}: ends ${other.ends} instead of ${ends}`)
      isShorter = true
      continue
    }
    for (const [i, time] of other.times.entries()) {
      if (time instanceof StorageError) {
        const problem = unnamed(time, place)
        if (problem !== null) return wrong(problem)
        refused ??= time.message
      } else if (time !== times[i]) {
        return wrong(`${place}: search by time ${time} instead of ${String(times[i])}`)
      }
    }
  }
  for (const place of found.partitions.keys()) {
    if (!expected.partitions.has(place)) return wrong(`${place} came from nowhere`)
  }
  if (!mayLoseEnd && found.offsets.join('\n') !== expected.offsets.join('\n')) {
    return wrong('committed offsets differ')
  }
  if (refused !== null) return { kind: 'refused', detail: refused }
  return { kind: 'whole', detail: isShorter ? 'cut at the torn end' : '' }
}

/** Whether an error says where the damage is; if not, what is wrong with it. */
function unnamed(error: StorageError, place: string): string | null {
  const [, topic, partition] = /^(.*)-(\d+)$/s.exec(place)!
  const names = error.message.includes(`Topic ${topic}, partition ${partition}`)
  return names && /byte \d+|offset \d+/.test(error.message)
    ? null
    : `${place}: the error does not name the place: ${error.code} ${error.message}`
}

/** A refusal names what is damaged; anything else that is thrown is a bug. */
export function refusal(error: unknown): Verdict {
  const named =
    (error instanceof StorageError &&
      error.code === 'LOG_DAMAGED' &&
      /journal\.[01]|checkpoint|byte \d+/.test(error.message + (error.hint ?? ''))) ||
    ((error instanceof StorageError || error instanceof QueryError) &&
      /Topic .+, partition \d+.*byte \d+|Topic .+, partition \d+.*offset \d+/.test(error.message))
  return named
    ? { kind: 'refused', detail: error.message }
    : {
        kind: 'wrong',
        detail: `thrown: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      }
}

function short(line: string | undefined): string {
  return line === undefined ? 'nothing' : line.length > 120 ? `${line.slice(0, 120)}…` : line
}
