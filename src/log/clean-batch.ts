import { StorageError } from '../base/errors.ts'
import { CODECS, compress, inflate } from './compression.ts'
import {
  AT_ATTRIBUTES,
  AT_BASE_SEQUENCE,
  AT_BASE_TIMESTAMP,
  AT_BATCH_LENGTH,
  AT_LAST_OFFSET_DELTA,
  AT_MAGIC,
  AT_MAX_TIMESTAMP,
  AT_PRODUCER_EPOCH,
  AT_PRODUCER_ID,
  AT_RECORD_COUNT,
  BATCH_HEADER_BYTES,
  CODEC_MASK,
  DELETE_HORIZON,
  LOG_APPEND_TIME,
  putVarint,
  putVarlong,
  readI16,
  readI32,
  readI64,
  sealBatch,
  varlongBytes,
  writeI16,
  writeI32,
  writeI64,
} from './record-batch.ts'

/** What becomes of a record; `until-horizon`: a tombstone or marker that stays for a while. */
export type Keep = 'keep' | 'drop' | 'until-horizon'

/** Decides on one record: its offset, and its key as a range of `data` (−1: null); whether its value is null. */
export type KeepRecord = (
  offset: number,
  data: Uint8Array,
  keyStart: number,
  keyEnd: number,
  isTombstone: boolean,
) => Keep

export interface CleanedBatch {
  /** The batch as it was if nothing is dropped, else a new one; null if no record is left. */
  readonly bytes: Uint8Array | null
  readonly dropped: number
}

/**
 * Leaves out records of the batch at [start, end) of `bytes`. Base offset, last offset delta, producer and
 * sequence stay, and with them the offsets of the records that are left; the maximum timestamp is theirs.
 *
 * A batch that keeps tombstones gets a delete horizon the first time: `horizonMs`.
 *
 * @throws StorageError `LOG_CORRUPT`
 */
export function cleanBatch(
  bytes: Uint8Array,
  start: number,
  end: number,
  keep: KeepRecord,
  horizonMs: number,
): CleanedBatch {
  const attributes = readI16(bytes, start + AT_ATTRIBUTES)
  const codec = attributes & CODEC_MASK
  const packed = bytes.subarray(start + BATCH_HEADER_BYTES, end)
  const data = codec === 0 ? packed : inflate(codec, packed)
  const baseOffset = readI64(bytes, start)
  const baseTimestamp = readI64(bytes, start + AT_BASE_TIMESTAMP)
  const count = readI32(bytes, start + AT_RECORD_COUNT)

  // Per record kept: where it starts, where what follows its timestamp delta starts, where it ends.
  const kept: {
    readonly start: number
    readonly rest: number
    readonly end: number
    readonly delta: number
  }[] = []
  let at = 0
  let dropped = 0
  let marked = false
  const varint = (): number => {
    let z = 0
    for (let shift = 0; ; shift += 7) {
      const byte = data[at++]
      if (byte === undefined || shift > 28) throw malformed(baseOffset)
      z |= (byte & 0x7f) << shift
      if (byte < 0x80) return (z >>> 1) ^ -(z & 1)
    }
  }
  const varlong = (): number => {
    const first = data[at++]
    if (first === undefined) throw malformed(baseOffset)
    let magnitude = (first & 0x7f) >>> 1
    let byte: number | undefined = first
    for (let scale = 64; byte > 0x7f; scale *= 128) {
      byte = data[at++]
      if (byte === undefined || scale > 2 ** 69) throw malformed(baseOffset)
      magnitude += (byte & 0x7f) * scale
    }
    return (first & 1) === 1 ? -magnitude - 1 : magnitude
  }
  for (let i = 0; i < count; i++) {
    const recordStart = at
    const length = varint()
    const recordEnd = at + length
    if (length < 6 || recordEnd > data.length) throw malformed(baseOffset)
    at++ // attributes
    const delta = varlong()
    const rest = at
    const offset = baseOffset + varint()
    const keyBytes = varint()
    const keyStart = keyBytes < 0 ? -1 : at
    if (keyBytes > 0) at += keyBytes
    const keyEnd = keyBytes < 0 ? -1 : at
    const valueBytes = varint()
    if (at > recordEnd) throw malformed(baseOffset)
    const verdict = keep(offset, data, keyStart, keyEnd, valueBytes < 0)
    if (verdict === 'drop') {
      dropped++
    } else {
      if (verdict === 'until-horizon') marked = true
      kept.push({ start: recordStart, rest, end: recordEnd, delta })
    }
    at = recordEnd
  }
  if (at !== data.length) throw malformed(baseOffset)

  const setsHorizon = marked && (attributes & DELETE_HORIZON) === 0
  if (dropped === 0 && !setsHorizon) return { bytes: bytes.subarray(start, end), dropped }
  if (kept.length === 0) return { bytes: null, dropped }

  // Deltas count from the base timestamp, which becomes the horizon: those records are written anew.
  const shift = setsHorizon ? baseTimestamp - horizonMs : 0
  let size = 0
  for (const record of kept) size += record.end - record.start + (setsHorizon ? 15 : 0)
  const records = new Uint8Array(size)
  let to = 0
  let maxTimestamp = -1
  for (const { start: from, rest, end: to0, delta } of kept) {
    maxTimestamp = Math.max(maxTimestamp, baseTimestamp + delta)
    if (setsHorizon) {
      to = putVarint(records, to, 1 + varlongBytes(delta + shift) + to0 - rest)
      records[to++] = 0
      to = putVarlong(records, to, delta + shift)
      records.set(data.subarray(rest, to0), to)
      to += to0 - rest
    } else {
      records.set(data.subarray(from, to0), to)
      to += to0 - from
    }
  }
  const written = records.subarray(0, to)
  const repacked = codec === 0 ? written : compress(CODECS[codec]!, written).bytes
  const batch = new Uint8Array(BATCH_HEADER_BYTES + repacked.length)
  batch.set(bytes.subarray(start, start + BATCH_HEADER_BYTES))
  batch.set(repacked, BATCH_HEADER_BYTES)
  writeI32(batch, AT_BATCH_LENGTH, batch.length - 12)
  if (setsHorizon) {
    writeI16(batch, AT_ATTRIBUTES, attributes | DELETE_HORIZON)
    writeI64(batch, AT_BASE_TIMESTAMP, horizonMs)
  }
  if ((attributes & LOG_APPEND_TIME) === 0) writeI64(batch, AT_MAX_TIMESTAMP, maxTimestamp)
  writeI32(batch, AT_RECORD_COUNT, kept.length)
  sealBatch(batch, 0, batch.length)
  return { bytes: batch, dropped }
}

/** The header of a batch whose records are all gone: it keeps its offsets and its producer's sequence. */
export function emptyBatch(bytes: Uint8Array, start: number): Uint8Array {
  const batch = bytes.slice(start, start + BATCH_HEADER_BYTES)
  writeI32(batch, AT_BATCH_LENGTH, BATCH_HEADER_BYTES - 12)
  writeI16(batch, AT_ATTRIBUTES, readI16(batch, AT_ATTRIBUTES) & ~(CODEC_MASK | DELETE_HORIZON))
  writeI64(batch, AT_BASE_TIMESTAMP, -1)
  writeI32(batch, AT_RECORD_COUNT, 0)
  sealBatch(batch, 0, batch.length)
  return batch
}

/** A header without records for the offsets [from, to), whose batches are all gone: what is left has no gaps. */
export function fillerBatch(from: number, to: number): Uint8Array {
  const batch = new Uint8Array(BATCH_HEADER_BYTES)
  writeI64(batch, 0, from)
  writeI32(batch, AT_BATCH_LENGTH, BATCH_HEADER_BYTES - 12)
  batch[AT_MAGIC] = 2
  writeI32(batch, AT_LAST_OFFSET_DELTA, to - 1 - from)
  writeI64(batch, AT_BASE_TIMESTAMP, -1)
  writeI64(batch, AT_MAX_TIMESTAMP, -1)
  writeI64(batch, AT_PRODUCER_ID, -1)
  writeI16(batch, AT_PRODUCER_EPOCH, -1)
  writeI32(batch, AT_BASE_SEQUENCE, -1)
  sealBatch(batch, 0, batch.length)
  return batch
}

/** Time from which on tombstones of the batch at `start` may go; null while no cleaner has seen them. */
export function deleteHorizonOf(bytes: Uint8Array, start: number): number | null {
  return (readI16(bytes, start + AT_ATTRIBUTES) & DELETE_HORIZON) === 0
    ? null
    : readI64(bytes, start + AT_BASE_TIMESTAMP)
}

function malformed(baseOffset: number): StorageError {
  return new StorageError('LOG_CORRUPT', {
    message: `The record batch at offset ${baseOffset} does not hold what its header says.`,
  })
}
