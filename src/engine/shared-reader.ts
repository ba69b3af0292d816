import { ArrayArena } from '../base/array-memory.ts'
import { assert } from '../base/assert.ts'
import type { Log } from '../log/log.ts'
import type { RecordColumns } from '../log/records.ts'
import { walkRecords } from '../log/walk-records.ts'
import type { Format } from '../formats/format.ts'
import type { DataSource, FormatName } from '../plan/data-source.ts'
import { SourceDecoder, type DecodedRecords } from './source-decoder.ts'

/** Slices read when a query keeps up, and when it is behind by more than that. */
const SLICE_BYTES = 1 << 20
const SLICE_BYTES_BEHIND = 4 << 20
/** The first slice of a partition: what comes first comes soon, and more each time. */
const SLICE_BYTES_FIRST = 64 << 10
const BEHIND_RECORDS = 20_000

/**
 * A slice of a partition, decoded. Its bytes are used again for a later one when nobody holds it any more:
 * whoever gets it from {@link SharedReader.read} holds it until it calls `release`, once.
 */
export class ReadSlice {
  readonly decoded: DecodedRecords
  /** Where to read next. */
  readonly nextOffset: number
  #holders = 1
  readonly #free: () => void

  constructor(decoded: DecodedRecords, nextOffset: number, free: () => void) {
    this.decoded = decoded
    this.nextOffset = nextOffset
    this.#free = free
  }

  hold(): this {
    this.#holders++
    return this
  }

  release(): void {
    assert(this.#holders > 0, 'a slice is released by those who hold it')
    if (--this.#holders === 0) this.#free()
  }
}

/**
 * Memory of slices that is used again: pages that were touched before cost a twentieth of new ones, and the
 * collector has nothing to do (W1 1.8 to 2.7 M records per CPU second).
 */
class SliceMemory {
  bytes: Uint8Array<ArrayBuffer>
  /** The records' columns and the decoded vectors. */
  readonly arrays: ArrayArena
  readonly #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.bytes = new Uint8Array(Math.min(bytesMax, SLICE_BYTES_FIRST))
    this.arrays = new ArrayArena(this.bytes.length)
  }

  /** Grows to what slices need: the next one of the size of `slice` will fit. */
  growFor(slice: Uint8Array): void {
    if (slice.length <= this.bytes.length || this.bytes.length === this.#bytesMax) return
    this.bytes = new Uint8Array(Math.min(this.#bytesMax, Math.max(slice.length, this.bytes.length * 4)))
  }
}

class SlicePool {
  readonly #free: SliceMemory[] = []
  readonly #sliceBytes: number

  constructor(sliceBytes: number) {
    this.#sliceBytes = sliceBytes
  }

  take(): SliceMemory {
    return this.#free.pop() ?? new SliceMemory(this.#sliceBytes)
  }

  give(memory: SliceMemory): void {
    memory.arrays.reset()
    if (this.#free.length < POOLED_MAX) this.#free.push(memory)
  }
}

const POOLED_MAX = 16

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
  /** Of {@link #sources}, by the sources they were asked for with. */
  readonly #found = new WeakMap<DataSource, SharedSource>()
  readonly #pool: SlicePool
  readonly #sliceBytesMax: number

  /** @param sliceBytesMax  what is read at a time by those who are behind; a larger batch is read all the same */
  constructor(
    log: Log,
    formatOf: (name: FormatName) => Format | undefined,
    sliceBytesMax = SLICE_BYTES_BEHIND,
  ) {
    this.#log = log
    this.#formatOf = formatOf
    this.#sliceBytesMax = sliceBytesMax
    this.#pool = new SlicePool(sliceBytesMax)
  }

  /** Declares which columns of a source somebody reads. Columns are never taken back. */
  register(source: DataSource, columns: ReadonlySet<number>): void {
    const shared = this.#shared(source)
    for (const column of columns) shared.wanted.add(column)
  }

  /** The records from `fromOffset` on; null at the end of what may be read. The caller releases the slice. */
  async read(source: DataSource, partition: number, fromOffset: number): Promise<ReadSlice | null> {
    const shared = this.#shared(source)
    const cached = shared.slices.get(partition)
    if (cached !== undefined && cached.fromOffset === fromOffset && cached.columns === shared.wanted.size) {
      return cached.slice.hold()
    }
    const { memory, reading } = this.#begun(shared, source.topic, partition, fromOffset)
    const records = await reading
    if (records === null) {
      this.#pool.give(memory)
      return null
    }
    memory.growFor(records.records.bytes)
    if (isBehind(this.#log, source.topic, partition, records.nextOffset)) {
      shared.ahead.set(partition, this.#begin(shared, source.topic, partition, records.nextOffset))
    }
    const loading = shared.decoder.loadSchemas(records.records)
    if (loading !== null) await loading
    const decoded = shared.decoder.decode(records.records, partition, shared.wanted, memory.arrays)
    const slice = new ReadSlice(decoded, records.nextOffset, () => this.#pool.give(memory))
    shared.slices.get(partition)?.slice.release()
    shared.slices.set(partition, { fromOffset, columns: shared.wanted.size, slice: slice.hold() })
    return slice
  }

  /** The read of these records: the one begun ahead, if it is that, or a new one. */
  #begun(shared: SharedSource, topic: string, partition: number, fromOffset: number): BegunRead {
    const ahead = shared.ahead.get(partition) ?? null
    if (ahead === null) return this.#begin(shared, topic, partition, fromOffset)
    if (ahead.fromOffset !== fromOffset && shared.slices.get(partition)?.fromOffset !== fromOffset) {
      // Somebody elsewhere in the topic; those who go on from the last slice will still want it.
      return this.#begin(shared, topic, partition, fromOffset)
    }
    shared.ahead.set(partition, null)
    if (ahead.fromOffset === fromOffset) return ahead
    const giveBack = (): void => this.#pool.give(ahead.memory)
    ahead.reading.then(giveBack, giveBack)
    return this.#begin(shared, topic, partition, fromOffset)
  }

  #begin(shared: SharedSource, topic: string, partition: number, fromOffset: number): BegunRead {
    const memory = this.#pool.take()
    const bytesMax = Math.min(this.#sliceBytesMax, shared.bytesMax.get(partition) ?? SLICE_BYTES_FIRST)
    if (bytesMax < this.#sliceBytesMax) shared.bytesMax.set(partition, bytesMax * 4)
    const reading = readRecords(this.#log, topic, partition, fromOffset, memory, bytesMax)
    // Whoever reads these records sees the failure; nobody may come.
    reading.catch(() => {})
    return { fromOffset, memory, reading }
  }

  #shared(source: DataSource): SharedSource {
    let shared = this.#found.get(source)
    if (shared === undefined) this.#found.set(source, (shared = this.#alike(source)))
    return shared
  }

  /** What is read of a source is the same for all that are declared alike. */
  #alike(source: DataSource): SharedSource {
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
      shared = {
        decoder: new SourceDecoder(source, this.#formatOf),
        wanted: new Set(),
        bytesMax: new Map(),
        slices: new Map(),
        ahead: new Map(),
      }
      this.#sources.set(key, shared)
    }
    return shared
  }
}

interface SharedSource {
  readonly decoder: SourceDecoder
  readonly wanted: Set<number>
  /** Of the next slice, by partition. */
  readonly bytesMax: Map<number, number>
  /** The last slice of each partition. */
  readonly slices: Map<number, CachedSlice>
  /** The slice behind the last one, where more than a slice is waiting: read while that one is worked off. */
  readonly ahead: Map<number, BegunRead | null>
}

interface BegunRead {
  readonly fromOffset: number
  readonly memory: SliceMemory
  readonly reading: ReturnType<typeof readRecords>
}

/** Whether more records wait than a reader that keeps up ever leaves. */
function isBehind(log: Log, topic: string, partition: number, fromOffset: number): boolean {
  return log.ends(topic, partition).lastStable - fromOffset > BEHIND_RECORDS
}

/**
 * The committed records of a partition from an offset on; null when there are none yet.
 *
 * @param memory  where their bytes and columns may be put
 */
export async function readRecords(
  log: Log,
  topic: string,
  partition: number,
  fromOffset: number,
  memory?: SliceMemory,
  bytesMax = SLICE_BYTES_BEHIND,
): Promise<{ records: RecordColumns; nextOffset: number } | null> {
  const ends = log.ends(topic, partition)
  const from = Math.max(fromOffset, ends.logStart)
  if (from >= ends.lastStable) return null
  const behind = isBehind(log, topic, partition, from)
  const slice = await log.read(
    topic,
    partition,
    from,
    Math.min(bytesMax, behind ? SLICE_BYTES_BEHIND : SLICE_BYTES),
    'read_committed',
    memory?.bytes,
  )
  if (slice.nextOffset <= from) return null
  return {
    records: walkRecords(slice.bytes, from, slice.aborted, memory?.arrays),
    nextOffset: slice.nextOffset,
  }
}
