import type { Log } from '../log/log.ts'
import type { RecordColumns } from '../log/records.ts'
import { walkRecords } from '../log/walk-records.ts'
import type { Format } from '../formats/format.ts'
import type { DataSource, FormatName } from '../plan/data-source.ts'
import { SourceDecoder, type DecodedRecords } from './source-decoder.ts'

/** Slices read when a query keeps up, and when it is behind by more than that. */
const SLICE_BYTES = 1 << 20
const SLICE_BYTES_BEHIND = 4 << 20

/** A slice of a partition, decoded. */
export interface ReadSlice {
  readonly decoded: DecodedRecords
  /** Where to read next. */
  readonly nextOffset: number
}

interface CachedSlice {
  readonly fromOffset: number
  readonly columns: number
  readonly slice: ReadSlice
}

/**
 * Reads and decodes each slice of a topic's partition once for all queries that read the same source:
 * they go forward in step, so the last slice is kept for those that come next. Only the columns that some
 * query reads are decoded. A query that is behind the others reads slices of its own.
 */
export class SharedReader {
  readonly #log: Log
  readonly #formatOf: (name: FormatName) => Format | undefined
  readonly #sources = new Map<string, SharedSource>()

  constructor(log: Log, formatOf: (name: FormatName) => Format | undefined) {
    this.#log = log
    this.#formatOf = formatOf
  }

  /** Declares which columns of a source somebody reads. Columns are never taken back. */
  register(source: DataSource, columns: ReadonlySet<number>): void {
    const shared = this.#shared(source)
    for (const column of columns) shared.wanted.add(column)
  }

  /** The records from `fromOffset` on; null at the end of what may be read. */
  async read(source: DataSource, partition: number, fromOffset: number): Promise<ReadSlice | null> {
    const shared = this.#shared(source)
    const cached = shared.slices.get(partition)
    if (cached !== undefined && cached.fromOffset === fromOffset && cached.columns === shared.wanted.size)
      return cached.slice
    const records = await readRecords(this.#log, source.topic, partition, fromOffset)
    if (records === null) return null
    const slice = {
      decoded: shared.decoder.decode(records.records, partition, shared.wanted),
      nextOffset: records.nextOffset,
    }
    shared.slices.set(partition, { fromOffset, columns: shared.wanted.size, slice })
    return slice
  }

  #shared(source: DataSource): SharedSource {
    const key = JSON.stringify([
      source.topic,
      source.schema,
      source.keyFormat,
      source.valueFormat,
      source.timestamp,
      source.headers,
      source.windowedKey,
    ])
    let shared = this.#sources.get(key)
    if (shared === undefined) {
      shared = { decoder: new SourceDecoder(source, this.#formatOf), wanted: new Set(), slices: new Map() }
      this.#sources.set(key, shared)
    }
    return shared
  }
}

interface SharedSource {
  readonly decoder: SourceDecoder
  readonly wanted: Set<number>
  /** The last slice of each partition. */
  readonly slices: Map<number, CachedSlice>
}

/** The committed records of a partition from an offset on; null when there are none yet. */
export async function readRecords(
  log: Log,
  topic: string,
  partition: number,
  fromOffset: number,
): Promise<{ records: RecordColumns; nextOffset: number } | null> {
  const ends = log.ends(topic, partition)
  const from = Math.max(fromOffset, ends.logStart)
  if (from >= ends.lastStable) return null
  const behind = ends.lastStable - from > 20_000
  const slice = await log.read(
    topic,
    partition,
    from,
    behind ? SLICE_BYTES_BEHIND : SLICE_BYTES,
    'read_committed',
  )
  if (slice.nextOffset <= from) return null
  return { records: walkRecords(slice.bytes, from, slice.aborted), nextOffset: slice.nextOffset }
}
