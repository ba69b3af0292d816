import { readI32, readI64, writeI32, writeI64 } from './record-batch.ts'

/*
 * Kafka's two indexes of a segment, big-endian, sorted, sparse:
 *
 *   .index      i32 last offset of a batch, relative to the segment's base · i32 position of the batch
 *   .timeindex  i64 largest timestamp up to that batch · i32 its last offset, relative
 *
 * An entry is added when more than `intervalBytes` were appended since the last one. The log is the truth: a
 * damaged index is rebuilt, never trusted.
 */
export const OFFSET_ENTRY_BYTES = 8
export const TIME_ENTRY_BYTES = 12

/** How many entries there are, and up to which byte of the segment they tell of it. */
export interface IndexMark {
  readonly offsets: number
  readonly times: number
  readonly coveredTo: number
}

/** Both indexes of one segment, in memory. */
export class SegmentIndex {
  readonly #intervalBytes: number
  #offsets = new Int32Array(16)
  #positions = new Int32Array(16)
  #count = 0
  #times = new Float64Array(16)
  #timeOffsets = new Int32Array(16)
  #timeCount = 0
  #bytesSinceEntry = 0
  #maxTimestampMs = -1
  #maxTimestampOffset = 0
  /** Position up to which batches have been observed. */
  coveredTo = 0
  /** A batch is damaged, and any time may be in it: such an index is not kept in files. */
  isDamaged = false

  constructor(intervalBytes: number) {
    this.#intervalBytes = intervalBytes
  }

  /** Largest timestamp observed, −1 if none. */
  get maxTimestampMs(): number {
    return this.#maxTimestampMs
  }

  /** Takes note of the next batch. `lastOffset` is relative to the segment's base. */
  observe(lastOffset: number, maxTimestampMs: number, position: number, length: number): void {
    if (maxTimestampMs > this.#maxTimestampMs) {
      this.#maxTimestampMs = maxTimestampMs
      this.#maxTimestampOffset = lastOffset
    }
    if (this.#bytesSinceEntry > this.#intervalBytes) {
      this.#addOffset(lastOffset, position)
      this.#addTime()
      this.#bytesSinceEntry = 0
    }
    this.#bytesSinceEntry += length
    this.coveredTo = position + length
  }

  /**
   * Where to start scanning for `offset` (relative): the start of a batch at or before the one holding it, and
   * that batch's last offset (relative); null at the start of the segment.
   */
  placeFor(offset: number): { position: number; last: number | null } {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#offsets[middle]! <= offset) low = middle + 1
      else high = middle
    }
    return low === 0
      ? { position: 0, last: null }
      : { position: this.#positions[low - 1]!, last: this.#offsets[low - 1]! }
  }

  /** Where to start scanning for the first record with a timestamp ≥ `timestampMs`. */
  placeForTime(timestampMs: number): { position: number; last: number | null } {
    let low = 0
    let high = this.#timeCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#times[middle]! < timestampMs) low = middle + 1
      else high = middle
    }
    return low === 0 ? { position: 0, last: null } : this.placeFor(this.#timeOffsets[low - 1]!)
  }

  /** How far it has come: what is in the files once they are written up to here. */
  mark(): IndexMark {
    // The largest timestamp must be the last entry, so that a search by time can skip the segment.
    this.#addTime()
    return { offsets: this.#count, times: this.#timeCount, coveredTo: this.coveredTo }
  }

  /** What the two files of the segment hold between two marks. */
  encode(from: IndexMark, to: IndexMark): { index: Uint8Array; timeIndex: Uint8Array } {
    const index = new Uint8Array((to.offsets - from.offsets) * OFFSET_ENTRY_BYTES)
    for (let i = from.offsets, at = 0; i < to.offsets; i++, at += OFFSET_ENTRY_BYTES) {
      writeI32(index, at, this.#offsets[i]!)
      writeI32(index, at + 4, this.#positions[i]!)
    }
    const timeIndex = new Uint8Array((to.times - from.times) * TIME_ENTRY_BYTES)
    for (let i = from.times, at = 0; i < to.times; i++, at += TIME_ENTRY_BYTES) {
      writeI64(timeIndex, at, this.#times[i]!)
      writeI32(timeIndex, at + 8, this.#timeOffsets[i]!)
    }
    return { index, timeIndex }
  }

  /** The index of the first `coveredTo` bytes of a segment from its files, whose CRCs have been checked. */
  static decode(
    index: Uint8Array,
    timeIndex: Uint8Array,
    coveredTo: number,
    intervalBytes: number,
  ): SegmentIndex {
    const decoded = new SegmentIndex(intervalBytes)
    for (let at = 0; at + OFFSET_ENTRY_BYTES <= index.length; at += OFFSET_ENTRY_BYTES) {
      decoded.#addOffset(readI32(index, at), readI32(index, at + 4))
    }
    for (let at = 0; at + TIME_ENTRY_BYTES <= timeIndex.length; at += TIME_ENTRY_BYTES) {
      decoded.#maxTimestampMs = readI64(timeIndex, at)
      decoded.#maxTimestampOffset = readI32(timeIndex, at + 8)
      decoded.#addTime()
    }
    decoded.coveredTo = coveredTo
    return decoded
  }

  #addOffset(offset: number, position: number): void {
    if (this.#count === this.#offsets.length) {
      this.#offsets = grown(this.#offsets)
      this.#positions = grown(this.#positions)
    }
    this.#offsets[this.#count] = offset
    this.#positions[this.#count++] = position
  }

  /** Timestamps of the entries strictly ascend. */
  #addTime(): void {
    if (this.#maxTimestampMs < 0) return
    if (this.#timeCount > 0 && this.#times[this.#timeCount - 1]! >= this.#maxTimestampMs) return
    if (this.#timeCount === this.#times.length) {
      const times = new Float64Array(this.#times.length * 2)
      times.set(this.#times)
      this.#times = times
      this.#timeOffsets = grown(this.#timeOffsets)
    }
    this.#times[this.#timeCount] = this.#maxTimestampMs
    this.#timeOffsets[this.#timeCount++] = this.#maxTimestampOffset
  }
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
