import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { StorageError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { CommitGroup, CommitOwner, Log, ProducerRecord } from '../log/log.ts'
import { murmur2, partitionOf } from '../log/murmur2.ts'
import { BATCH_BYTES_TARGET, RECORD_OVERHEAD_BYTES, RecordBatchWriter } from '../log/record-batch.ts'
import { numericSetting, setting } from '../log/topic-config.ts'

/**
 * Records as one commit, each in the partition a producer would give it: visible together or not at all.
 *
 * @throws StorageError `LOG_RECORD_TOO_LARGE`, `LOG_KEY_MISSING` for a record its topic does not take
 */
export function groupOf(
  records: readonly ProducerRecord[],
  log: Log,
  owner: CommitOwner,
  random: Random,
  clock: Clock,
): CommitGroup {
  const writers = new Map<string, Map<number, RecordBatchWriter>>()
  const keyless = new Map<string, number>()
  for (const { topic, key, value, timestampMs, headers } of records) {
    const description = log.topic(topic)
    assert(description, 'records are appended to topics that exist')
    const { partitions, config } = description
    const bytesMax = numericSetting(config, 'max.message.bytes')
    const bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
    if (bytes > bytesMax) {
      throw new StorageError('LOG_RECORD_TOO_LARGE', {
        message: `A record of about ${bytes} bytes is larger than topic ${topic} takes (max.message.bytes).`,
      })
    }
    if (key === null && setting(config, 'cleanup.policy').includes('compact')) {
      throw new StorageError('LOG_KEY_MISSING', {
        message: `Topic ${topic} is compacted: its records need a key.`,
      })
    }
    if (!keyless.has(topic)) keyless.set(topic, random.below(partitions))
    const partition = key === null ? keyless.get(topic)! : partitionOf(murmur2(key), partitions)
    const ofTopic = writers.get(topic) ?? new Map<number, RecordBatchWriter>()
    writers.set(topic, ofTopic)
    const writer =
      ofTopic.get(partition) ??
      new RecordBatchWriter({ batchBytesTarget: Math.min(BATCH_BYTES_TARGET, bytesMax) })
    ofTopic.set(partition, writer)
    writer.append(
      timestampMs ?? clock.nowMs(),
      key,
      0,
      key?.length ?? 0,
      value,
      0,
      value?.length ?? 0,
      headers ?? null,
    )
  }
  return {
    owner,
    appends: [...writers].flatMap(([topic, ofTopic]) =>
      [...ofTopic].map(([partition, writer]) => ({ topic, partition, batches: writer.finish() })),
    ),
    offsets: [],
  }
}
