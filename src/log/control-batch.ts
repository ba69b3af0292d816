import {
  AT_ATTRIBUTES,
  AT_BASE_SEQUENCE,
  AT_BASE_TIMESTAMP,
  AT_BATCH_LENGTH,
  AT_LAST_OFFSET_DELTA,
  AT_LEADER_EPOCH,
  AT_MAGIC,
  AT_MAX_TIMESTAMP,
  AT_PRODUCER_EPOCH,
  AT_PRODUCER_ID,
  AT_RECORD_COUNT,
  BATCH_HEADER_BYTES,
  CONTROL,
  readI16,
  sealBatch,
  TRANSACTIONAL,
  writeI16,
  writeI32,
  writeI64,
} from './record-batch.ts'

/*
 * The one record of a marker: length 16, attributes, both deltas 0, key of 4 bytes (version i16, type i16:
 * 0 abort, 1 commit), value of 6 (version i16, coordinator epoch i32), no headers.
 */
const RECORD_BYTES = 17
const AT_KEY = 5

/** The control batch that ends a producer's transaction in a partition. It takes one offset. */
export function encodeMarker(
  committed: boolean,
  producerId: number,
  producerEpoch: number,
  timestampMs: number,
  coordinatorEpoch = 0,
): Uint8Array {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + RECORD_BYTES)
  writeI32(bytes, AT_BATCH_LENGTH, bytes.length - 12)
  writeI32(bytes, AT_LEADER_EPOCH, 0)
  bytes[AT_MAGIC] = 2
  writeI16(bytes, AT_ATTRIBUTES, TRANSACTIONAL | CONTROL)
  writeI32(bytes, AT_LAST_OFFSET_DELTA, 0)
  writeI64(bytes, AT_BASE_TIMESTAMP, timestampMs)
  writeI64(bytes, AT_MAX_TIMESTAMP, timestampMs)
  writeI64(bytes, AT_PRODUCER_ID, producerId)
  writeI16(bytes, AT_PRODUCER_EPOCH, producerEpoch)
  writeI32(bytes, AT_BASE_SEQUENCE, -1)
  writeI32(bytes, AT_RECORD_COUNT, 1)
  const record = BATCH_HEADER_BYTES
  bytes[record] = (RECORD_BYTES - 1) * 2
  bytes[record + 4] = 4 * 2
  writeI16(bytes, record + AT_KEY + 2, committed ? 1 : 0)
  bytes[record + AT_KEY + 4] = 6 * 2
  writeI32(bytes, record + AT_KEY + 7, coordinatorEpoch)
  sealBatch(bytes, 0, bytes.length)
  return bytes
}

/** What the first record of a control batch, at `at`, says; null for kinds that end no transaction. */
export function readControlType(bytes: Uint8Array, at: number): 'commit' | 'abort' | null {
  if (at + AT_KEY + 4 > bytes.length) return null
  const type = readI16(bytes, at + AT_KEY + 2)
  return type === 0 ? 'abort' : type === 1 ? 'commit' : null
}
