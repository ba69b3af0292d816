import { crc32c } from '@node-rs/crc32'
import { compress, type CompressionName } from './compression.ts'
import type { RecordHeader } from './log.ts'

/*
 * Record batch, magic 2, big-endian; the same bytes on disk, in memory and on Kafka's wire.
 *
 *    0  i64  base offset
 *    8  i32  batch length: bytes after this field
 *   12  i32  partition leader epoch
 *   16  i8   magic = 2
 *   17  u32  CRC-32C of bytes 21 … end
 *   21  i16  attributes
 *   23  i32  last offset delta
 *   27  i64  base timestamp (or the delete horizon)
 *   35  i64  max timestamp
 *   43  i64  producer id, −1: none
 *   51  i16  producer epoch, −1: none
 *   53  i32  base sequence, −1: none
 *   57  i32  record count
 *   61       records, compressed as one block if a codec is set
 */
export const BATCH_HEADER_BYTES = 61

export const AT_BATCH_LENGTH = 8
export const AT_LEADER_EPOCH = 12
export const AT_MAGIC = 16
export const AT_CRC = 17
export const AT_ATTRIBUTES = 21
export const AT_LAST_OFFSET_DELTA = 23
export const AT_BASE_TIMESTAMP = 27
export const AT_MAX_TIMESTAMP = 35
export const AT_PRODUCER_ID = 43
export const AT_PRODUCER_EPOCH = 51
export const AT_BASE_SEQUENCE = 53
export const AT_RECORD_COUNT = 57

export const CODEC_MASK = 0x07
export const LOG_APPEND_TIME = 0x08
export const TRANSACTIONAL = 0x10
export const CONTROL = 0x20
/** Base timestamp is the time from which on the batch's tombstones, or its marker, may go. */
export const DELETE_HORIZON = 0x40

/** Where a batch is closed and the next begun: stays below Kafka's `max.message.bytes` of 1,048,588. */
export const BATCH_BYTES_TARGET = 1_000_000

/** What a record takes beside key, value and headers, at most; the header of its batch included. */
export const RECORD_OVERHEAD_BYTES = 100

/** Reads a big-endian i64 as a number; exact up to 2^53. */
export function readI64(bytes: Uint8Array, at: number): number {
  const high = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  return high * 4294967296 + readU32(bytes, at + 4)
}

export function writeI64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 4294967296)
  writeI32(bytes, at, high | 0)
  writeI32(bytes, at + 4, (value - high * 4294967296) | 0)
}

export function readI32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

export function readU32(bytes: Uint8Array, at: number): number {
  return readI32(bytes, at) >>> 0
}

export function writeI32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function readI16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!
}

export function writeI16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

/** Computes and stores the CRC of the batch at [start, end). */
export function sealBatch(bytes: Uint8Array, start: number, end: number): void {
  writeI32(bytes, start + AT_CRC, crc32c(bytes.subarray(start + AT_ATTRIBUTES, end)))
}

/** Whether the stored CRC of the batch at [start, end) is that of its bytes. */
export function batchCrcHolds(bytes: Uint8Array, start: number, end: number): boolean {
  return readU32(bytes, start + AT_CRC) === crc32c(bytes.subarray(start + AT_ATTRIBUTES, end))
}

export interface RecordBatchOptions {
  readonly compression?: CompressionName
  /** Bytes at which a batch is closed and the next begun. */
  readonly batchBytesTarget?: number
  /**
   * The writer takes turns between so many arrays, and doesn't copy: what `finish` returns is good until the
   * call of it that many times later, less one. For one commit after the other, where copies cost a fifth of
   * the time (W2c). Absent: each is an array of its own.
   */
  readonly arrays?: number
  /** Idempotent or transactional producer; `baseSequence` is that of the first record. */
  readonly producer?: {
    readonly id: number
    readonly epoch: number
    readonly baseSequence: number
    readonly transactional: boolean
  }
}

/**
 * Encodes records into finished record batches, back to back. A batch is closed when the next record would
 * take it past its target size, so one record may make a batch larger than that, two never do.
 *
 * Reusable: {@link finish} empties the writer and keeps its buffer. No allocation and no native call per
 * record (native calls only per batch, and for keys or values of 48 bytes and more).
 */
export class RecordBatchWriter {
  #bytes = new Uint8Array(4096)
  /** Those whose content was returned and which are used again, the oldest first. */
  readonly #returned: Uint8Array<ArrayBuffer>[] = []
  #length = 0
  /** Start of the open batch in `#bytes`; −1: none is open. */
  #batchStart = -1
  #batchRecords = 0
  #recordCount = 0
  #baseTimestampMs = 0
  #maxTimestampMs = 0
  #target: number
  readonly #options: RecordBatchOptions
  #compression: CompressionName
  #nextSequence: number

  constructor(options: RecordBatchOptions = {}) {
    this.#options = options
    this.#target = options.batchBytesTarget ?? BATCH_BYTES_TARGET
    this.#compression = options.compression ?? 'none'
    this.#nextSequence = options.producer?.baseSequence ?? -1
  }

  /** Of the batches closed from now on. */
  adapt(batchBytesTarget: number, compression: CompressionName): void {
    this.#target = batchBytesTarget
    this.#compression = compression
  }

  /** Records appended since the last {@link finish}. */
  get recordCount(): number {
    return this.#recordCount
  }

  /** Bytes {@link finish} would return now; before compression for the open batch. */
  get byteLength(): number {
    return this.#length
  }

  /**
   * Appends a record. `key` and `value` are ranges [start, end) of the given arrays, which are copied;
   * null means null, an empty range an empty key or value.
   */
  append(
    timestampMs: number,
    key: Uint8Array | null,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    headers: readonly RecordHeader[] | null = null,
  ): void {
    const keyBytes = key === null ? -1 : keyEnd - keyStart
    const valueBytes = value === null ? -1 : valueEnd - valueStart
    let bodyBytes =
      1 +
      varintBytes(keyBytes) +
      (keyBytes > 0 ? keyBytes : 0) +
      varintBytes(valueBytes) +
      (valueBytes > 0 ? valueBytes : 0)
    const encodedHeaders = headers === null || headers.length === 0 ? null : encodeHeaders(headers)
    bodyBytes += encodedHeaders === null ? 1 : encodedHeaders.length

    // 30: the length, the two deltas and some slack, at their longest.
    if (
      this.#batchStart >= 0 &&
      (this.#length - this.#batchStart + bodyBytes + 30 > this.#target ||
        // Times too far apart for an exact delta.
        !Number.isSafeInteger(timestampMs - this.#baseTimestampMs))
    )
      this.#closeBatch()
    if (this.#batchStart < 0) this.#openBatch(timestampMs)
    this.#reserve(bodyBytes + 30)

    const delta = timestampMs - this.#baseTimestampMs
    if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    bodyBytes += varlongBytes(delta) + varintBytes(this.#batchRecords)

    const bytes = this.#bytes
    let at = putVarint(bytes, this.#length, bodyBytes)
    bytes[at++] = 0
    at = putVarlong(bytes, at, delta)
    at = putVarint(bytes, at, this.#batchRecords)
    at = putVarint(bytes, at, keyBytes)
    if (keyBytes > 0) at = putBytes(bytes, at, key!, keyStart, keyEnd)
    at = putVarint(bytes, at, valueBytes)
    if (valueBytes > 0) at = putBytes(bytes, at, value!, valueStart, valueEnd)
    if (encodedHeaders === null) bytes[at++] = 0
    else at = putBytes(bytes, at, encodedHeaders, 0, encodedHeaders.length)
    this.#length = at
    this.#batchRecords++
    this.#recordCount++
  }

  /**
   * The finished batches, back to back, as an array of its own (see {@link RecordBatchOptions.arrays}); empty
   * if there are no records. Base offsets count from 0 (the log sets the real ones). The writer is empty
   * afterwards.
   */
  finish(): Uint8Array {
    if (this.#batchStart >= 0) this.#closeBatch()
    let batches: Uint8Array
    const { arrays } = this.#options
    if (arrays !== undefined) {
      batches = this.#bytes.subarray(0, this.#length)
      this.#returned.push(this.#bytes)
      this.#bytes =
        this.#returned.length < arrays ? new Uint8Array(this.#bytes.length) : this.#returned.shift()!
    } else {
      batches = this.#bytes.slice(0, this.#length)
    }
    this.clear()
    return batches
  }

  /** Forgets what was appended since the last {@link finish}. */
  clear(): void {
    this.#length = 0
    this.#batchStart = -1
    this.#batchRecords = 0
    this.#recordCount = 0
  }

  #openBatch(timestampMs: number): void {
    this.#reserve(BATCH_HEADER_BYTES)
    this.#batchStart = this.#length
    this.#batchRecords = 0
    this.#length += BATCH_HEADER_BYTES
    this.#baseTimestampMs = timestampMs
    this.#maxTimestampMs = timestampMs
  }

  #closeBatch(): void {
    const start = this.#batchStart
    const { producer } = this.#options
    let codec = 0
    if (this.#compression !== 'none') {
      const records = this.#bytes.subarray(start + BATCH_HEADER_BYTES, this.#length)
      const packed = compress(this.#compression, records)
      // Kept plain where compression does not pay, as other producers do.
      if (packed.bytes.length < records.length) {
        this.#bytes.set(packed.bytes, start + BATCH_HEADER_BYTES)
        this.#length = start + BATCH_HEADER_BYTES + packed.bytes.length
        codec = packed.codec
      }
    }
    const bytes = this.#bytes
    writeI64(bytes, start, this.#recordCount - this.#batchRecords)
    writeI32(bytes, start + AT_BATCH_LENGTH, this.#length - start - 12)
    writeI32(bytes, start + AT_LEADER_EPOCH, -1)
    bytes[start + AT_MAGIC] = 2
    writeI16(bytes, start + AT_ATTRIBUTES, codec | (producer?.transactional === true ? TRANSACTIONAL : 0))
    writeI32(bytes, start + AT_LAST_OFFSET_DELTA, this.#batchRecords - 1)
    writeI64(bytes, start + AT_BASE_TIMESTAMP, this.#baseTimestampMs)
    writeI64(bytes, start + AT_MAX_TIMESTAMP, this.#maxTimestampMs)
    writeI64(bytes, start + AT_PRODUCER_ID, producer?.id ?? -1)
    writeI16(bytes, start + AT_PRODUCER_EPOCH, producer?.epoch ?? -1)
    writeI32(bytes, start + AT_BASE_SEQUENCE, this.#nextSequence)
    if (producer !== undefined) {
      // Sequences wrap from 2147483647 to 0.
      this.#nextSequence = (this.#nextSequence + this.#batchRecords) % 2147483648
    }
    writeI32(bytes, start + AT_RECORD_COUNT, this.#batchRecords)
    sealBatch(bytes, start, this.#length)
    this.#batchStart = -1
    this.#batchRecords = 0
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + extra))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Bytes of a 32-bit number as a zig-zag varint. */
export function varintBytes(value: number): number {
  const z = ((value << 1) ^ (value >> 31)) >>> 0
  return z < 0x80 ? 1 : z < 0x4000 ? 2 : z < 0x200000 ? 3 : z < 0x10000000 ? 4 : 5
}

export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let z = ((value << 1) ^ (value >> 31)) >>> 0
  while (z > 0x7f) {
    bytes[at++] = (z & 0x7f) | 0x80
    z >>>= 7
  }
  bytes[at++] = z
  return at
}

/** Bytes of a safe integer as a zig-zag varint. */
export function varlongBytes(value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return varintBytes(value)
  let size = 1
  for (let rest = Math.floor(magnitude(value) / 64); rest > 0; rest = Math.floor(rest / 128)) size++
  return size
}

export function putVarlong(bytes: Uint8Array, at: number, value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return putVarint(bytes, at, value)
  // The sign's bit goes in front of the magnitude's without doubling it, which would not be exact.
  const sign = value < 0 ? 1 : 0
  const whole = magnitude(value)
  let rest = Math.floor(whole / 64)
  bytes[at++] = ((whole - rest * 64) << 1) | sign | (rest > 0 ? 0x80 : 0)
  while (rest > 0) {
    const next = Math.floor(rest / 128)
    bytes[at++] = (rest - next * 128) | (next > 0 ? 0x80 : 0)
    rest = next
  }
  return at
}

/** Zig-zag without its sign. */
function magnitude(value: number): number {
  return value < 0 ? -value - 1 : value
}

function putBytes(into: Uint8Array, at: number, from: Uint8Array, start: number, end: number): number {
  if (end - start < 48) {
    for (let i = start; i < end; i++) into[at++] = from[i]!
    return at
  }
  into.set(from.subarray(start, end), at)
  return at + end - start
}

const encoder = new TextEncoder()

/** The header count and the headers, as they end a record. */
function encodeHeaders(headers: readonly RecordHeader[]): Uint8Array {
  const keys = headers.map((header) => encoder.encode(header.key))
  let size = 5
  headers.forEach((header, i) => (size += 10 + keys[i]!.length + (header.value?.length ?? 0)))
  const bytes = new Uint8Array(size)
  let at = putVarint(bytes, 0, headers.length)
  headers.forEach((header, i) => {
    const key = keys[i]!
    at = putVarint(bytes, at, key.length)
    at = putBytes(bytes, at, key, 0, key.length)
    at = putVarint(bytes, at, header.value === null ? -1 : header.value.length)
    if (header.value !== null) at = putBytes(bytes, at, header.value, 0, header.value.length)
  })
  return bytes.subarray(0, at)
}
