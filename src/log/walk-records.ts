import { StorageError } from '../base/errors.ts'
import { inflate } from './compression.ts'
import type { LogSlice, RecordHeader } from './log.ts'
import {
  AT_ATTRIBUTES,
  AT_BASE_TIMESTAMP,
  AT_BATCH_LENGTH,
  AT_MAX_TIMESTAMP,
  AT_PRODUCER_ID,
  AT_RECORD_COUNT,
  BATCH_HEADER_BYTES,
  CODEC_MASK,
  CONTROL,
  LOG_APPEND_TIME,
  readI16,
  readI32,
  readI64,
  TRANSACTIONAL,
} from './record-batch.ts'
import { ownArrays, type ArrayMemory } from '../base/array-memory.ts'
import type { RecordColumns } from './records.ts'

/** A record takes at least this many bytes: length, attributes, two deltas, two lengths, header count. */
const RECORD_BYTES_MIN = 7

/**
 * Finds the records in a slice of whole batches. Control batches, batches of aborted transactions and
 * records below `fromOffset` are left out. CRCs are not checked here: `Log.read` has done it.
 *
 * Without compressed batches, `bytes` of the result is the given array; else it is a new one.
 *
 * @param aborted as in {@link LogSlice.aborted}
 * @param memory where the columns' arrays come from
 * @throws StorageError `LOG_CORRUPT` if a batch does not hold what its header says
 */
export function walkRecords(
  bytes: Uint8Array,
  fromOffset: number,
  aborted: LogSlice['aborted'] = [],
  memory: ArrayMemory = ownArrays,
): RecordColumns {
  // First the batches that count, and where their records lie once inflated.
  const starts: number[] = []
  const recordStarts: number[] = []
  const recordEnds: number[] = []
  const inflated: Uint8Array[] = []
  let inflatedBytes = 0
  let capacity = 0
  for (let start = 0; start < bytes.length;) {
    if (start + BATCH_HEADER_BYTES > bytes.length) throw malformed(bytes, start)
    const end = start + 12 + readI32(bytes, start + AT_BATCH_LENGTH)
    if (end < start + BATCH_HEADER_BYTES || end > bytes.length) throw malformed(bytes, start)
    const attributes = readI16(bytes, start + AT_ATTRIBUTES)
    if ((attributes & CONTROL) === 0 && !isAborted(bytes, start, attributes, aborted)) {
      starts.push(start)
      let recordBytes = end - start - BATCH_HEADER_BYTES
      if ((attributes & CODEC_MASK) === 0) {
        recordStarts.push(start + BATCH_HEADER_BYTES)
        recordEnds.push(end)
      } else {
        const records = inflate(attributes & CODEC_MASK, bytes.subarray(start + BATCH_HEADER_BYTES, end))
        recordBytes = records.length
        inflated.push(records)
        recordStarts.push(bytes.length + inflatedBytes)
        inflatedBytes += recordBytes
        recordEnds.push(bytes.length + inflatedBytes)
      }
      const count = readI32(bytes, start + AT_RECORD_COUNT)
      if (count < 0 || count * RECORD_BYTES_MIN > recordBytes) throw malformed(bytes, start)
      capacity += count
    }
    start = end
  }

  let data = bytes
  if (inflated.length > 0) {
    data = new Uint8Array(bytes.length + inflatedBytes)
    data.set(bytes)
    let to = bytes.length
    for (const records of inflated) {
      data.set(records, to)
      to += records.length
    }
  }

  const keyStarts = memory.int32(capacity)
  const keyEnds = memory.int32(capacity)
  const valueStarts = memory.int32(capacity)
  const valueEnds = memory.int32(capacity)
  const timestamps = memory.float64(capacity)
  const offsets = memory.float64(capacity)
  let headers: (readonly RecordHeader[])[] | null = null
  let count = 0

  for (let b = 0; b < starts.length; b++) {
    const start = starts[b]!
    const end = recordEnds[b]!
    const baseOffset = readI64(bytes, start)
    const baseTimestamp = readI64(bytes, start + AT_BASE_TIMESTAMP)
    const appendTime =
      (readI16(bytes, start + AT_ATTRIBUTES) & LOG_APPEND_TIME) === 0
        ? null
        : readI64(bytes, start + AT_MAX_TIMESTAMP)
    let at = recordStarts[b]!
    for (let left = readI32(bytes, start + AT_RECORD_COUNT); left > 0; left--) {
      // Zig-zag varints, spelled out: the one-byte form is by far the most frequent.
      let byte = data[at++]!
      let z = byte & 0x7f
      for (let shift = 7; byte > 0x7f && shift < 35; shift += 7) {
        byte = data[at++]!
        z |= (byte & 0x7f) << shift
      }
      const length = (z >>> 1) ^ -(z & 1)
      const recordEnd = at + length
      if (length < RECORD_BYTES_MIN - 1 || recordEnd > end) throw malformed(bytes, start)
      at++ // attributes

      byte = data[at++]!
      let timestampDelta: number
      if (byte < 0x80) {
        timestampDelta = (byte >>> 1) ^ -(byte & 1)
      } else {
        // Up to 64 bits: as a double, exact up to 2^53. The first bit is the sign.
        const isNegative = (byte & 1) === 1
        let magnitude = (byte & 0x7f) >>> 1
        let scale = 64
        do {
          byte = data[at++]!
          magnitude += (byte & 0x7f) * scale
          scale *= 128
        } while (byte > 0x7f && scale < 2 ** 69)
        timestampDelta = isNegative ? -magnitude - 1 : magnitude
      }

      byte = data[at++]!
      z = byte & 0x7f
      for (let shift = 7; byte > 0x7f && shift < 35; shift += 7) {
        byte = data[at++]!
        z |= (byte & 0x7f) << shift
      }
      const offset = baseOffset + ((z >>> 1) ^ -(z & 1))

      byte = data[at++]!
      z = byte & 0x7f
      for (let shift = 7; byte > 0x7f && shift < 35; shift += 7) {
        byte = data[at++]!
        z |= (byte & 0x7f) << shift
      }
      const keyBytes = (z >>> 1) ^ -(z & 1)
      const keyStart = keyBytes < 0 ? -1 : at
      if (keyBytes > 0) at += keyBytes
      const keyEnd = keyBytes < 0 ? -1 : at
      if (at >= recordEnd) throw malformed(bytes, start)

      byte = data[at++]!
      z = byte & 0x7f
      for (let shift = 7; byte > 0x7f && shift < 35; shift += 7) {
        byte = data[at++]!
        z |= (byte & 0x7f) << shift
      }
      const valueBytes = (z >>> 1) ^ -(z & 1)
      const valueStart = valueBytes < 0 ? -1 : at
      if (valueBytes > 0) at += valueBytes
      const valueEnd = valueBytes < 0 ? -1 : at
      if (at >= recordEnd) throw malformed(bytes, start)

      if (offset >= fromOffset) {
        if (data[at] !== 0) {
          headers ??= Array.from({ length: count }, () => NO_HEADERS)
          headers.push(readHeaders(data, at, recordEnd) ?? fail(bytes, start))
        } else if (headers !== null) {
          headers.push(NO_HEADERS)
        }
        keyStarts[count] = keyStart
        keyEnds[count] = keyEnd
        valueStarts[count] = valueStart
        valueEnds[count] = valueEnd
        timestamps[count] = appendTime ?? baseTimestamp + timestampDelta
        offsets[count] = offset
        count++
      }
      at = recordEnd
    }
    if (at !== end) throw malformed(bytes, start)
  }
  return { bytes: data, count, keyStarts, keyEnds, valueStarts, valueEnds, timestamps, offsets, headers }
}

const NO_HEADERS: readonly RecordHeader[] = []

function isAborted(
  bytes: Uint8Array,
  start: number,
  attributes: number,
  aborted: LogSlice['aborted'],
): boolean {
  if ((attributes & TRANSACTIONAL) === 0 || aborted.length === 0) return false
  const offset = readI64(bytes, start)
  const producerId = readI64(bytes, start + AT_PRODUCER_ID)
  return aborted.some(
    (range) => range.producerId === producerId && offset >= range.firstOffset && offset <= range.lastOffset,
  )
}

const decoder = new TextDecoder()

/** The headers of a record whose header count is at `at`, or null if they do not fill it up to `end`. */
function readHeaders(data: Uint8Array, at: number, end: number): RecordHeader[] | null {
  const varint = (): number => {
    let z = 0
    for (let shift = 0; shift < 35 && at < end; shift += 7) {
      const byte = data[at++]!
      z |= (byte & 0x7f) << shift
      if (byte < 0x80) return (z >>> 1) ^ -(z & 1)
    }
    return NaN
  }
  const headers: RecordHeader[] = []
  for (let left = varint(); left > 0; left--) {
    const keyBytes = varint()
    if (!(keyBytes >= 0 && at + keyBytes <= end)) return null
    const key = decoder.decode(data.subarray(at, at + keyBytes))
    at += keyBytes
    const valueBytes = varint()
    if (!(valueBytes >= -1 && at + valueBytes <= end)) return null
    headers.push({ key, value: valueBytes < 0 ? null : data.slice(at, at + valueBytes) })
    if (valueBytes > 0) at += valueBytes
  }
  return at === end ? headers : null
}

function fail(bytes: Uint8Array, start: number): never {
  throw malformed(bytes, start)
}

function malformed(bytes: Uint8Array, start: number): StorageError {
  const where =
    start + BATCH_HEADER_BYTES <= bytes.length
      ? `The record batch at offset ${readI64(bytes, start)}`
      : 'A record batch'
  return new StorageError('LOG_CORRUPT', { message: `${where} does not hold what its header says.` })
}
