import { join } from 'node:path'
import { assert } from '../base/assert.ts'
import { StorageError } from '../base/errors.ts'
import { type FileHandle, type FileSystem, readFully } from '../base/file-system.ts'
import type { CheckpointPartition } from './checkpoint.ts'
import type { FilePool } from './file-pool.ts'
import { IndexFiles } from './index-files.ts'
import type { AppendEntry, SwapEntry } from './journal-entry.ts'
import type { Isolation, LogSlice, PartitionEnds } from './log.ts'
import { diskError, platformCode } from './disk-error.ts'
import { ProducerStates } from './producer-states.ts'
import {
  AT_ATTRIBUTES,
  AT_BATCH_LENGTH,
  AT_LAST_OFFSET_DELTA,
  AT_MAGIC,
  AT_MAX_TIMESTAMP,
  BATCH_HEADER_BYTES,
  batchCrcHolds,
  CONTROL,
  readI16,
  readI32,
  readI64,
} from './record-batch.ts'
import { SegmentIndex } from './segment-index.ts'
import { Tail } from './tail.ts'
import { numericSetting } from './topic-config.ts'
import { walkRecords } from './walk-records.ts'

/** What a partition needs of the log it lies in. */
export interface PartitionHome {
  readonly fileSystem: FileSystem
  readonly files: FilePool
  readonly topic: string
  readonly topicId: string
  /** In force now: altering the topic replaces it. */
  config: Readonly<Record<string, string>>
  /** Of the topic; the partition's own lies in it. */
  readonly directory: string
}

/** A file of record batches, and nothing else; its length is its end. */
export interface Segment {
  readonly base: number
  /** How often it has been cleaned: a cleaned segment is a new file beside the one it replaces. */
  readonly generation: number
  /** Cleaned by a version that left out offsets where batches were gone. */
  readonly hasGaps: boolean
  readonly path: string
  readonly createdMs: number
  /** When its last batch was appended, epoch ms. */
  appendedMs: number
  /** Published length. */
  bytes: number
  index: SegmentIndex
  readonly indexFiles: IndexFiles
}

/** Where an append will lie. */
export interface Reservation {
  readonly segmentBase: number
  readonly position: number
  readonly baseOffset: number
}

/** Name of a segment's file: base offset, 20 digits, and how often it has been cleaned. */
export function segmentFile(base: number, generation = 0): string {
  return `${String(base).padStart(20, '0')}${generation === 0 ? '' : `.${generation}`}.log`
}

/** Where batches are read from, and what must be found there. */
interface Place {
  readonly segment: Segment
  readonly position: number
  /** Base offset of the batch there, where it is known: no batch begins before it. */
  readonly base: number | null
  /** Last offset of the batch there, where it is known. */
  readonly last: number | null
}

/** Read this much at a time to find a place in a segment, or to index it. */
const SCAN_BYTES = 256 * 1024
/** For so many readers it is known where they go on. */
const CURSORS_MAX = 64

/**
 * One partition: its segments, its ends, and what it knows of producers.
 *
 * Published state moves only in {@link apply}, in the order of the journal. Reservations run ahead of it
 * while a group is on its way to the journal, and fall back to it if the group never gets there.
 */
export class Partition {
  readonly number: number
  readonly directory: string
  readonly producers: ProducerStates
  readonly #home: PartitionHome
  readonly #segments: Segment[] = []
  /** Records below went through the cleaner: each key has one of them at most, and later ones decide on it. */
  cleanedTo: number
  /** Everything below is durable in the segments, as of the last checkpoint. */
  checkpointedTo: number
  #logStart: number
  #nextOffset: number
  #reserved: { segmentBase: number; bytes: number; nextOffset: number; createdMs: number }
  /** Base of a segment that must not grow. */
  #givenUp: number | null = null
  /** Where sequential readers will go on, the last to come last. */
  #cursors: Place[] = []
  /** Kept from when somebody first read up to the end. */
  #tail: Tail | null = null

  constructor(home: PartitionHome, number: number, stored?: CheckpointPartition) {
    this.#home = home
    this.number = number
    this.directory = join(home.directory, String(number))
    this.#logStart = stored?.logStart ?? 0
    this.#nextOffset = stored?.nextOffset ?? 0
    this.cleanedTo = stored?.cleanedTo ?? 0
    this.checkpointedTo = this.#nextOffset
    for (const segment of stored?.segments ?? []) this.#segments.push(this.#newSegment(segment))
    this.producers = new ProducerStates(stored?.producers ?? [], stored?.aborted ?? [])
    this.#reserved = this.#published()
  }

  get ends(): PartitionEnds {
    return {
      logStart: this.#logStart,
      highWatermark: this.#nextOffset,
      lastStable: this.producers.firstOpenOffset() ?? this.#nextOffset,
    }
  }

  get nextOffset(): number {
    return this.#nextOffset
  }

  get segments(): readonly Segment[] {
    return this.#segments
  }

  stored(): CheckpointPartition {
    return {
      logStart: this.#logStart,
      nextOffset: this.#nextOffset,
      cleanedTo: this.cleanedTo,
      segments: this.#segments.map(({ base, generation, hasGaps, bytes, createdMs, appendedMs }) => ({
        base,
        generation,
        ...(generation > 0 && !hasGaps ? { dense: true } : {}),
        bytes,
        createdMs,
        appendedMs,
      })),
      ...this.producers.stored(),
    }
  }

  segmentPath(base: number, generation = 0): string {
    return join(this.directory, segmentFile(base, generation))
  }

  /** Whether a file in the partition's directory has been replaced or expired; later ones may be on their way in. */
  mayRemove(path: string): boolean {
    if (this.#segments.some((segment) => segment.path === path)) return false
    return path < this.segmentPath(this.#segments.at(-1)?.base ?? 0)
  }

  /** Length of the segments that are not wholly cleaned. */
  get dirtyBytes(): number {
    let bytes = 0
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const segment = this.#segments[i]!
      if (this.endOf(segment) <= this.cleanedTo) break
      bytes += segment.bytes
    }
    return bytes
  }

  /** First offset behind a segment. */
  endOf(segment: Segment): number {
    return this.#segments[this.#segments.indexOf(segment) + 1]?.base ?? this.#nextOffset
  }

  // Writing

  /** Takes the next place for `length` bytes holding `offsets` offsets. */
  reserve(length: number, offsets: number, nowMs: number): Reservation {
    const { config } = this.#home
    const reserved = this.#reserved
    const roll =
      reserved.segmentBase < 0 ||
      (reserved.bytes > 0 && reserved.segmentBase === this.#givenUp) ||
      (reserved.bytes > 0 &&
        (reserved.bytes + length > numericSetting(config, 'segment.bytes') ||
          nowMs - reserved.createdMs > numericSetting(config, 'segment.ms') ||
          reserved.nextOffset + offsets - reserved.segmentBase > 2147483647))
    if (roll) {
      reserved.segmentBase = reserved.nextOffset
      reserved.bytes = 0
      reserved.createdMs = nowMs
    }
    const place = {
      segmentBase: reserved.segmentBase,
      position: reserved.bytes,
      baseOffset: reserved.nextOffset,
    }
    reserved.bytes += length
    reserved.nextOffset += offsets
    return place
  }

  /** Nothing more is appended to the active segment, of which something is missing. */
  giveUpActive(): void {
    this.#givenUp = this.#segments.at(-1)?.base ?? null
  }

  /** Gives back what was reserved and not applied. */
  resetReservation(): void {
    this.#reserved = this.#published()
    this.producers.forgetPlans()
  }

  /**
   * Publishes an append whose bytes are in their segment. `bytes` are its batches.
   *
   * @returns the segment this append sealed by starting a new one, if its index is complete
   */
  apply(entry: AppendEntry, bytes: Uint8Array): Segment | null {
    let segment = this.#segments.at(-1)
    let sealed: Segment | null = null
    if (segment === undefined || segment.base !== entry.segmentBase) {
      assert(entry.position === 0, 'a new segment starts at position 0')
      if (segment !== undefined && segment.index.coveredTo === segment.bytes) sealed = segment
      segment = this.#newSegment({ base: entry.segmentBase, bytes: 0, createdMs: entry.atMs })
      this.#segments.push(segment)
    }
    assert(entry.baseOffset === this.#nextOffset, 'offsets of appends are dense')
    assert(entry.position === segment.bytes, 'batches of a segment lie back to back')
    const indexed = segment.index.coveredTo === entry.position
    for (let at = 0; at < bytes.length;) {
      const length = 12 + readI32(bytes, at + AT_BATCH_LENGTH)
      const base = readI64(bytes, at)
      const last = base + readI32(bytes, at + AT_LAST_OFFSET_DELTA)
      if (indexed) {
        segment.index.observe(
          last - segment.base,
          readI64(bytes, at + AT_MAX_TIMESTAMP),
          entry.position + at,
          length,
        )
      }
      this.producers.observe(bytes, at, entry.atMs)
      at += length
    }
    segment.bytes = entry.position + entry.length
    this.#tail?.append(segment, entry.position, bytes)
    segment.appendedMs = entry.atMs
    this.#nextOffset = entry.nextOffset
    if (this.#reserved.nextOffset <= this.#nextOffset) this.resetReservation()
    return sealed
  }

  /** Begins a new, empty segment. @returns the one this sealed, if its index is complete */
  applyRoll(atMs: number): Segment | null {
    const sealed = this.#segments.at(-1)
    this.#segments.push(this.#newSegment({ base: this.#nextOffset, bytes: 0, createdMs: atMs }))
    this.resetReservation()
    return sealed !== undefined && sealed.index.coveredTo === sealed.bytes ? sealed : null
  }

  /**
   * Puts cleaned segments in the place of those they were made from.
   *
   * @param indexes of the new segments, where they are known
   * @returns those that are not in use any more
   */
  applySwap(entry: SwapEntry, indexes: ReadonlyMap<string, SegmentIndex> = new Map()): Segment[] {
    this.cleanedTo = Math.max(this.cleanedTo, entry.cleanedTo)
    if (entry.replaced.length === 0) return []
    const first = this.#segments.findIndex(({ base }) => base === entry.replaced[0])
    assert(first >= 0, 'a swap replaces segments that exist')
    const added = entry.segments.map((stored) => {
      const segment = this.#newSegment(stored)
      const index = indexes.get(segment.path)
      if (index !== undefined) segment.index = index
      return segment
    })
    const removed = this.#segments.splice(first, entry.replaced.length, ...added)
    assert(
      removed.every(({ base }, i) => base === entry.replaced[i]) &&
        this.#segments.length > first + added.length,
      'a swap replaces neighbours, never the active segment',
    )
    this.#cursors = []
    return removed
  }

  /** Moves the log start, and takes out the oldest segments. @returns those that are not in use any more */
  applyLogStart(offset: number, removed: readonly number[]): Segment[] {
    this.#logStart = Math.max(this.#logStart, offset)
    assert(
      removed.every((base, i) => this.#segments[i]?.base === base) && removed.length < this.#segments.length,
      'the oldest segments go first, the active one stays',
    )
    this.producers.forgetAbortedBelow(this.#logStart)
    this.#cursors = []
    return this.#segments.splice(0, removed.length)
  }

  #published(): { segmentBase: number; bytes: number; nextOffset: number; createdMs: number } {
    const active = this.#segments.at(-1)
    return {
      segmentBase: active?.base ?? -1,
      bytes: active?.bytes ?? 0,
      nextOffset: this.#nextOffset,
      createdMs: active?.createdMs ?? 0,
    }
  }

  #newSegment(stored: CheckpointPartition['segments'][number]): Segment {
    const {
      base,
      generation = 0,
      dense = generation === 0,
      bytes,
      createdMs,
      appendedMs = createdMs,
    } = stored
    const path = this.segmentPath(base, generation)
    return {
      base,
      generation,
      hasGaps: !dense,
      path,
      createdMs,
      appendedMs,
      bytes,
      index: this.newIndex(),
      indexFiles: new IndexFiles(this.#home.fileSystem, path),
    }
  }

  newIndex(): SegmentIndex {
    return new SegmentIndex(this.#indexInterval)
  }

  get #indexInterval(): number {
    return numericSetting(this.#home.config, 'index.interval.bytes')
  }

  // Reading

  /** @see Log.read */
  async read(
    fromOffset: number,
    bytesMax: number,
    isolation: Isolation,
    buffer?: Uint8Array<ArrayBuffer>,
  ): Promise<LogSlice> {
    const { logStart, highWatermark, lastStable } = this.ends
    if (!(fromOffset >= logStart && fromOffset <= highWatermark)) {
      throw new StorageError('LOG_OFFSET_OUT_OF_RANGE', {
        message:
          `Offset ${fromOffset} of topic ${this.#home.topic}, partition ${this.number}, is out of range: ` +
          `it holds ${logStart} to ${highWatermark}.`,
      })
    }
    const bound = isolation === 'read_committed' ? lastStable : highWatermark
    const empty = { bytes: new Uint8Array(0), nextOffset: fromOffset, aborted: [] }
    if (fromOffset >= bound) return empty

    for (;;) {
      let reading: Segment | null = null
      try {
        return await this.#readFrom(fromOffset, bytesMax, isolation, bound, buffer, (s) => (reading = s))
      } catch (cause) {
        // Cleaned or expired while it was read: its file may have gone.
        if (reading === null || this.#segments.includes(reading)) throw cause
        if (fromOffset < this.#logStart) return this.read(fromOffset, bytesMax, isolation, buffer)
      }
    }
  }

  async #readFrom(
    fromOffset: number,
    bytesMax: number,
    isolation: Isolation,
    bound: number,
    buffer: Uint8Array<ArrayBuffer> | undefined,
    reading: (segment: Segment) => void,
  ): Promise<LogSlice> {
    let place = this.#takeCursor(fromOffset)
    if (place === undefined) {
      const segment = this.#segmentOf(fromOffset)
      reading(segment)
      place = await this.#seek(segment, fromOffset)
    }
    for (;;) {
      const segment: Segment = place.segment
      reading(segment)
      // Looked up before anything is awaited: a swap may take the segment out of the list.
      const following: Segment | undefined = this.#segments[this.#segments.indexOf(segment) + 1]
      const slice = await this.#readBatches(place, fromOffset, bytesMax, bound, buffer)
      if (slice !== null) {
        this.#remember(slice.nextOffset, segment, slice.end)
        if (slice.nextOffset === this.#nextOffset) this.#tail ??= new Tail()
        const aborted =
          isolation === 'read_committed'
            ? this.producers.abortedBetween(slice.firstOffset, slice.nextOffset)
            : []
        return { bytes: slice.bytes, nextOffset: slice.nextOffset, aborted }
      }
      // Nothing is left up to the bound: what was there has been compacted away.
      if (following === undefined || following.base >= bound) {
        return { bytes: new Uint8Array(0), nextOffset: bound, aborted: [] }
      }
      place = startOf(following)
    }
  }

  /**
   * Whole batches from `place` on whose last offset is at least `fromOffset` and whose first is below
   * `bound`; null if the segment holds none. What is passed over must lead to them offset by offset: a
   * damaged header never hides a batch.
   */
  async #readBatches(
    place: Place,
    fromOffset: number,
    bytesMax: number,
    bound: number,
    buffer?: Uint8Array<ArrayBuffer>,
  ): Promise<{ bytes: Uint8Array; firstOffset: number; nextOffset: number; end: number } | null> {
    const { segment } = place
    let { position, base: expectedBase, last: expectedLast } = place
    const limit = segment.bytes
    const end = this.endOf(segment)
    // Of a segment that was left as it is those behind it may be gone.
    const mayHaveGaps = segment.hasGaps || (segment.generation === 0 && end <= this.cleanedTo)
    let want = Math.max(bytesMax, BATCH_HEADER_BYTES)
    while (position < limit) {
      const bytes = await this.#readAt(segment, position, Math.min(want, limit - position), buffer)
      let at = 0
      let first = -1
      let firstOffset = 0
      let nextOffset = fromOffset
      while (at + BATCH_HEADER_BYTES <= bytes.length) {
        const { base, last, length } = this.#header(segment, bytes, at, position, limit, expectedBase)
        if (base >= bound) {
          if (first < 0) return null
          break
        }
        if (expectedLast !== null && last !== expectedLast) throw this.#corrupt(segment, position + at, base)
        const isWanted = last >= fromOffset
        // The offsets of what was cleaned have gaps: only its CRCs can tell.
        if (isWanted || mayHaveGaps) {
          if (at + length > bytes.length) {
            if (first < 0) want = length
            break
          }
          if (!batchCrcHolds(bytes, at, at + length)) throw this.#corrupt(segment, position + at, base)
        }
        expectedLast = null
        expectedBase = last + 1
        if (isWanted) {
          if (first < 0) {
            first = at
            firstOffset = base
          }
          nextOffset = last + 1
        }
        at += length
      }
      if (first >= 0) {
        const slice = first === 0 && at === bytes.length ? bytes : bytes.subarray(first, at)
        return { bytes: slice, firstOffset, nextOffset, end: position + at }
      }
      if (at + BATCH_HEADER_BYTES > limit - position && at < limit - position) {
        throw this.#corrupt(segment, position + at, null)
      }
      // Nothing yet: the batch wanted is larger than the read, or lies behind what was skipped.
      position += at
    }
    if (!mayHaveGaps && expectedBase !== null && expectedBase !== end) {
      throw this.#corrupt(segment, limit, null)
    }
    return null
  }

  /**
   * Whole batches of a segment, in pieces of about 256 KiB, CRCs verified.
   *
   * @param from  where a batch begins
   *
   * @throws StorageError `LOG_CORRUPT`
   */
  async *scan(segment: Segment, from = 0): AsyncGenerator<Uint8Array> {
    const start = from === 0 ? startOf(segment) : { segment, position: from, base: null, last: null }
    for (let place: Place = start; place.position < segment.bytes;) {
      const slice = await this.#readBatches(place, segment.base, SCAN_BYTES, Infinity)
      if (slice === null) return
      yield slice.bytes
      place = { segment, position: slice.end, base: slice.nextOffset, last: null }
    }
  }

  /** Largest timestamp of a segment's records, −1 if there is none. */
  async maxTimestampMs(segment: Segment): Promise<number> {
    await this.#cover(segment)
    return segment.index.maxTimestampMs
  }

  /** The first record with the largest timestamp, or null. */
  async newestRecord(): Promise<{ offset: number; timestampMs: number } | null> {
    return this.#overSegments(async (segments) => {
      let largestMs = -1
      for (const segment of segments) largestMs = Math.max(largestMs, await this.maxTimestampMs(segment))
      const offset = await this.#offsetForTime(segments, largestMs)
      if (offset !== null) return { offset, timestampMs: largestMs }
      // A marker has it, or a record before the log start: all are looked at.
      let newest: { offset: number; timestampMs: number } | null = null
      for (const segment of segments) {
        for await (const slice of this.scan(segment)) {
          const { count, offsets, timestamps } = walkRecords(slice, this.#logStart)
          for (let i = 0; i < count; i++) {
            if (timestamps[i]! > (newest?.timestampMs ?? -1))
              newest = { offset: offsets[i]!, timestampMs: timestamps[i]! }
          }
        }
      }
      return newest
    })
  }

  /** The first offset whose record has a timestamp ≥ `timestampMs`, below the high watermark; or null. */
  async offsetForTime(timestampMs: number): Promise<number | null> {
    return this.#overSegments((segments) => this.#offsetForTime(segments, timestampMs))
  }

  async #overSegments<T>(work: (segments: readonly Segment[]) => Promise<T>): Promise<T> {
    for (;;) {
      const segments = [...this.#segments]
      try {
        return await work(segments)
      } catch (cause) {
        // Cleaned or expired while it was read: its file may have gone.
        if (segments.every((segment) => this.#segments.includes(segment))) throw cause
      }
    }
  }

  async #offsetForTime(segments: readonly Segment[], timestampMs: number): Promise<number | null> {
    for (const segment of segments) {
      await this.#cover(segment)
      if (segment.index.maxTimestampMs < timestampMs) continue
      const place = placeIn(segment, segment.index.placeForTime(timestampMs))
      let { position, base: expectedBase, last: expectedLast } = place
      const limit = segment.bytes
      while (position < limit) {
        const head = await this.#readAt(segment, position, Math.min(BATCH_HEADER_BYTES, limit - position))
        const { base, last, length } = this.#header(segment, head, 0, position, limit, expectedBase)
        const batch = await this.#readAt(segment, position, length)
        if ((expectedLast !== null && last !== expectedLast) || !batchCrcHolds(batch, 0, length)) {
          throw this.#corrupt(segment, position, base)
        }
        expectedLast = null
        expectedBase = last + 1
        const control = (readI16(head, AT_ATTRIBUTES) & CONTROL) !== 0
        if (!control && readI64(head, AT_MAX_TIMESTAMP) >= timestampMs) {
          const { count, timestamps, offsets } = walkRecords(batch, this.#logStart)
          for (let i = 0; i < count; i++) if (timestamps[i]! >= timestampMs) return offsets[i]!
        }
        position += length
      }
    }
    return null
  }

  #segmentOf(offset: number): Segment {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#segments[middle]!.base <= offset) low = middle + 1
      else high = middle
    }
    return this.#segments[Math.max(0, low - 1)]!
  }

  async #seek(segment: Segment, offset: number): Promise<Place> {
    await this.#cover(segment)
    return placeIn(segment, segment.index.placeFor(offset - segment.base))
  }

  #remember(nextOffset: number, segment: Segment, position: number): void {
    this.#takeCursor(nextOffset)
    this.#cursors.push({ segment, position, base: nextOffset, last: null })
    if (this.#cursors.length > CURSORS_MAX) this.#cursors.shift()
  }

  #takeCursor(nextOffset: number): Place | undefined {
    const at = this.#cursors.findIndex(({ base }) => base === nextOffset)
    return at < 0 ? undefined : this.#cursors.splice(at, 1)[0]
  }

  #header(
    segment: Segment,
    bytes: Uint8Array,
    at: number,
    position: number,
    limit: number,
    expectedBase: number | null,
  ): { base: number; last: number; length: number } {
    if (bytes.length - at < BATCH_HEADER_BYTES) throw this.#corrupt(segment, position + at, null)
    const length = 12 + readI32(bytes, at + AT_BATCH_LENGTH)
    const base = readI64(bytes, at)
    const last = base + readI32(bytes, at + AT_LAST_OFFSET_DELTA)
    // Length and base offset are outside the CRC: check what can be checked.
    const follows = expectedBase === null || base === expectedBase || (segment.hasGaps && base > expectedBase)
    if (
      !follows ||
      length < BATCH_HEADER_BYTES ||
      position + at + length > limit ||
      bytes[at + AT_MAGIC] !== 2 ||
      base < segment.base ||
      last < base ||
      last >= this.#nextOffset
    ) {
      throw this.#corrupt(segment, position + at, null)
    }
    return { base, last, length }
  }

  async #readAt(
    segment: Segment,
    position: number,
    length: number,
    buffer?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    // A new array is not zeroed first: every byte is read, or the read fails.
    const bytes =
      buffer !== undefined && buffer.length >= length
        ? buffer.subarray(0, length)
        : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer as ArrayBuffer, 0, length)
    if (this.#tail?.read(segment, position, bytes) === true) return bytes
    const read = await this.#withFile(segment, (file) => readFully(file, bytes, position))
    if (read < length) throw this.#corrupt(segment, position + read, null)
    return bytes
  }

  async #withFile<T>(segment: Segment, use: (file: FileHandle) => Promise<T>): Promise<T> {
    try {
      return await this.#home.files.use(segment.path, 'write', use)
    } catch (cause) {
      const where = `Topic ${this.#home.topic}, partition ${this.number}`
      if (platformCode(cause) !== 'ENOENT') {
        throw diskError('LOG_READ_FAILED', `${where}: ${segment.path} could not be read`, cause)
      }
      throw new StorageError('LOG_CORRUPT', {
        message:
          `${where}: the records from offset ${segment.base} on are missing ` +
          `(byte 0 of ${segment.path}: there is no such file).`,
        hint: 'Restore this file from a copy of the data directory; everything else stays readable.',
        cause,
      })
    }
  }

  #corrupt(segment: Segment, position: number, offset: number | null): StorageError {
    return new StorageError('LOG_CORRUPT', {
      message:
        `Topic ${this.#home.topic}, partition ${this.number}: the record batch ` +
        `${offset === null ? `after offset ${segment.base}` : `at offset ${offset}`} is damaged ` +
        `(byte ${position} of ${segment.path}).`,
      hint: 'Restore this file from a copy of the data directory; everything else stays readable.',
    })
  }

  // Indexes

  /** Brings the index of a segment up to its published end: from its files, else by scanning the batches. */
  async #cover(segment: Segment): Promise<void> {
    if (segment.index.coveredTo >= segment.bytes) return
    // Built apart and swapped in whole, since appends may go on meanwhile.
    const index = (await segment.indexFiles.read(segment.bytes, this.#indexInterval)) ?? this.newIndex()
    let bytes = new Uint8Array(0)
    let buffer = new Uint8Array(Math.min(SCAN_BYTES, segment.bytes - index.coveredTo))
    let start = 0
    let expectedBase: number | null = index.coveredTo === 0 ? segment.base : null
    while (index.coveredTo < segment.bytes) {
      const position = index.coveredTo
      const limit = segment.bytes
      if (position + BATCH_HEADER_BYTES > start + bytes.length) {
        start = position
        bytes = await this.#readAt(segment, start, Math.min(buffer.length, limit - start), buffer)
      }
      let at = position - start
      const { last, length } = this.#header(segment, bytes, at, start, limit, expectedBase)
      if (at + length > bytes.length) {
        start = position
        at = 0
        if (length > buffer.length) buffer = new Uint8Array(2 * length)
        bytes = await this.#readAt(segment, start, Math.min(buffer.length, limit - start), buffer)
      }
      // Where a batch is damaged, any time may be in it; what lies behind stays within reach by offset.
      const holds = batchCrcHolds(bytes, at, at + length)
      const maxTimestampMs = holds ? readI64(bytes, at + AT_MAX_TIMESTAMP) : Number.MAX_SAFE_INTEGER
      index.observe(last - segment.base, maxTimestampMs, position, length)
      index.isDamaged ||= !holds
      expectedBase = last + 1
    }
    segment.index = index
    if (segment !== this.#segments.at(-1)) await this.writeIndexFiles(segment)
  }

  /** Brings the index files of a sealed segment up to its end. */
  async writeIndexFiles({ index, indexFiles }: Segment): Promise<void> {
    await indexFiles.write(index, index.mark())
  }

  /**
   * What of the active segment's index is worth being written now. A checkpoint writes it when it is written itself:
   * the index tells of nothing that recovery could cut.
   */
  dueIndexFiles(): (() => Promise<void>) | null {
    const active = this.#segments.at(-1)
    if (active === undefined) return null
    const { index, indexFiles } = active
    const mark = indexFiles.due(index)
    return mark === null ? null : () => indexFiles.write(index, mark)
  }
}

function startOf(segment: Segment): Place {
  return { segment, position: 0, base: segment.base, last: null }
}

/** @param place  as the segment's index gives it */
function placeIn(segment: Segment, { position, last }: { position: number; last: number | null }): Place {
  if (last === null) return startOf(segment)
  return { segment, position, base: null, last: segment.base + last }
}
