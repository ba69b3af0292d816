import { crc32c } from '@node-rs/crc32'
import { StorageError } from '../base/errors.ts'
import type { AppendEntry } from './journal-entry.ts'
import type { LogState, Topic } from './log-state.ts'
import type { Partition } from './partition.ts'
import {
  AT_ATTRIBUTES,
  AT_BASE_TIMESTAMP,
  AT_BATCH_LENGTH,
  AT_LAST_OFFSET_DELTA,
  AT_LEADER_EPOCH,
  AT_MAGIC,
  AT_MAX_TIMESTAMP,
  BATCH_HEADER_BYTES,
  batchCrcHolds,
  LOG_APPEND_TIME,
  readI16,
  readI32,
  sealBatch,
  writeI16,
  writeI32,
  writeI64,
} from './record-batch.ts'
import { setting } from './topic-config.ts'

/** From here on the bytes of an append go to their segment first, and the journal only refers to them. */
const BULK_BYTES_MIN = 128 * 1024

export interface CheckedAppend {
  readonly topic: Topic
  readonly partition: Partition
  readonly batches: Uint8Array
  /** How many offsets the batches take. */
  readonly offsets: number
}

/** Whether `batches` are whole, non-empty record batches, undamaged, that may be stored in `topic`. */
export function checkAppend(partition: Partition, topic: Topic, batches: Uint8Array): CheckedAppend {
  let offsets = 0
  let at = 0
  while (at < batches.length) {
    const length = at + BATCH_HEADER_BYTES <= batches.length ? 12 + readI32(batches, at + AT_BATCH_LENGTH) : 0
    const lastDelta = length === 0 ? -1 : readI32(batches, at + AT_LAST_OFFSET_DELTA)
    if (
      length < BATCH_HEADER_BYTES ||
      at + length > batches.length ||
      batches[at + AT_MAGIC] !== 2 ||
      lastDelta < 0
    ) {
      throw new StorageError('LOG_INVALID_BATCH', {
        message: `The bytes given for topic ${topic.name}, partition ${partition.number}, are not record batches.`,
      })
    }
    if (!batchCrcHolds(batches, at, at + length)) {
      throw new StorageError('LOG_INVALID_BATCH', {
        message:
          `A batch given for topic ${topic.name}, partition ${partition.number}, at byte ${at} does not match its ` +
          `checksum.`,
      })
    }
    offsets += lastDelta + 1
    at += length
  }
  return { topic, partition, batches, offsets }
}

/** Gives checked batches their place and their base offsets. */
export function reserveAppend(
  { topic, partition, batches, offsets }: CheckedAppend,
  atMs: number,
): AppendEntry {
  if (batches.length === 0) {
    return {
      kind: 'append',
      topicId: topic.id,
      partition: partition.number,
      segmentBase: -1,
      position: 0,
      baseOffset: partition.nextOffset,
      nextOffset: partition.nextOffset,
      atMs,
      length: 0,
      bytes: batches,
      bulkCrc: null,
    }
  }
  const place = partition.reserve(batches.length, offsets, atMs)
  const appendTime = setting(topic.config, 'message.timestamp.type') === 'LogAppendTime'
  let offset = place.baseOffset
  for (let at = 0; at < batches.length;) {
    const end = at + 12 + readI32(batches, at + AT_BATCH_LENGTH)
    writeI64(batches, at, offset)
    writeI32(batches, at + AT_LEADER_EPOCH, 0)
    if (appendTime) stampAppendTime(batches, at, end, atMs)
    offset += readI32(batches, at + AT_LAST_OFFSET_DELTA) + 1
    at = end
  }
  return {
    kind: 'append',
    topicId: topic.id,
    partition: partition.number,
    ...place,
    nextOffset: offset,
    atMs,
    length: batches.length,
    bytes: batches,
    bulkCrc: batches.length >= BULK_BYTES_MIN ? crc32c(batches) : null,
  }
}

export function partitionIn(topic: Topic, number: number): Partition {
  const partition = topic.parts[number]
  if (partition === undefined) {
    throw new StorageError('LOG_UNKNOWN_PARTITION', {
      message: `Topic ${topic.name} has no partition ${number}: it has ${topic.partitions}.`,
    })
  }
  return partition
}

/** Every record of the batch gets the time it was appended at. */
function stampAppendTime(bytes: Uint8Array, start: number, end: number, nowMs: number): void {
  writeI16(bytes, start + AT_ATTRIBUTES, readI16(bytes, start + AT_ATTRIBUTES) | LOG_APPEND_TIME)
  writeI64(bytes, start + AT_BASE_TIMESTAMP, nowMs)
  writeI64(bytes, start + AT_MAX_TIMESTAMP, nowMs)
  sealBatch(bytes, start, end)
}

/** @throws StorageError `LOG_UNKNOWN_TOPIC` */
export function existingTopic(state: LogState, name: string): Topic {
  const topic = state.topic(name)
  if (topic === undefined) throw unknownTopic(name)
  return topic
}

export function unknownTopic(name: string): StorageError {
  return new StorageError('LOG_UNKNOWN_TOPIC', { message: `There is no topic ${name}.` })
}
