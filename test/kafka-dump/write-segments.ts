import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { ProducerOptions, ProducerRecord } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { RecordBatchWriter } from '../../src/log/record-batch.ts'

const START_MS = 1_700_000_000_000
const HOUR_MS = 60 * 60 * 1000
const utf8 = (text: string): Uint8Array => Buffer.from(text)

/**
 * Writes a data directory with everything a segment can hold: each codec, headers, nulls, timestamps out of
 * order and of the append, batches packed anew for their topic, idempotent and transactional producers with their markers, and what the cleaner
 * makes: gaps, delete horizons, batches without records.
 */
export async function writeSegments(directory: string, seed: number): Promise<void> {
  const random = seededRandom(seed)
  const clock = new ManualClock(START_MS)
  const log = (await openLog({ directory, clock, random, maintenanceEveryMs: 1e15 })) as EmbeddedLog
  try {
    const word = (length: number): string =>
      Array.from({ length }, () => String.fromCharCode(97 + random.below(6))).join('')
    const record = (topic: string): ProducerRecord => ({
      topic,
      partition: 0,
      key: random.below(5) === 0 ? null : utf8(word(random.below(8))),
      value: random.below(7) === 0 ? null : utf8(word(random.below(300))),
      timestampMs: START_MS + random.below(100_000) - 50_000,
      headers: Array.from({ length: Math.max(0, random.below(5) - 2) }, (_, i) => ({
        key: `h${i}`,
        value: random.below(3) === 0 ? null : utf8(word(4)),
      })),
    })
    const sendAll = async (topic: string, options: ProducerOptions): Promise<void> => {
      await log.createTopic(topic, {
        partitions: 1,
        config: {
          'segment.bytes': '20000',
          ...(topic === 'append-time' ? { 'message.timestamp.type': 'LogAppendTime' } : {}),
        },
      })
      const producer = log.producer(options)
      for (let i = 0; i < 40; i++) {
        await Promise.all(Array.from({ length: 1 + random.below(20) }, () => producer.send(record(topic))))
        clock.advanceTo(clock.nowMs() + 10)
      }
      await producer.close()
    }
    for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
      await sendAll(compression, { compression })
    }
    await sendAll('append-time', { compression: 'gzip' })

    await log.createTopic('transactions', { partitions: 1 })
    for (const id of ['x', 'y']) {
      const producer = log.producer({ transactionalId: id, compression: 'lz4' })
      for (let i = 0; i < 6; i++) {
        await producer.beginTransaction()
        for (let n = 0; n < 3; n++) {
          void producer.send({ ...record('transactions'), value: utf8(word(100)) })
          await producer.flush()
        }
        await (i % 3 === 2 ? producer.abortTransaction() : producer.commitTransaction())
      }
    }

    // What the log packs anew: batches of commits and of clients, under each codec of a topic.
    const owner = await log.claim('worker')
    for (const type of ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const topic = `packed-${type}`
      await log.createTopic(topic, { partitions: 1, config: { 'compression.type': type } })
      for (const compression of ['none', 'gzip', 'zstd'] as const) {
        const writer = new RecordBatchWriter({ compression, batchBytesTarget: 1000 })
        const batches = (count: number): Uint8Array => {
          for (let n = 0; n < count; n++) {
            const { key, value, timestampMs, headers } = record(topic)
            const valueBytes = value?.length ?? 0
            writer.append(timestampMs!, key, 0, key?.length ?? 0, value, 0, valueBytes, headers)
          }
          return writer.finish()
        }
        await log.commit({ owner, appends: [{ topic, partition: 0, batches: batches(20) }], offsets: [] })
        await log.coordinator.produce(topic, 0, batches(1))
      }
    }

    for (const compression of ['none', 'zstd'] as const) {
      const topic = `compacted-${compression}`
      await log.createTopic(topic, {
        partitions: 1,
        config: { 'cleanup.policy': 'compact', 'segment.bytes': '3000', 'min.cleanable.dirty.ratio': '0' },
      })
      const { producerId, epoch } = await log.coordinator.initialise(null, 1000)
      let sequence = 0
      const append = async (count: number): Promise<void> => {
        const writer = new RecordBatchWriter({
          compression,
          producer: { id: producerId, epoch, baseSequence: sequence, transactional: false },
        })
        for (let n = 0; n < count; n++) {
          const key = utf8(`k${random.below(20)}`)
          const value = random.below(4) === 0 ? null : utf8(word(60))
          writer.append(START_MS + random.below(1000), key, 0, key.length, value, 0, value?.length ?? 0)
        }
        sequence += count
        await log.coordinator.produce(topic, 0, writer.finish())
      }
      // Its only record is overwritten: what stays is its sequence.
      const other = await log.coordinator.initialise(null, 1000)
      const writer = new RecordBatchWriter({
        producer: { id: other.producerId, epoch: other.epoch, baseSequence: 0, transactional: false },
      })
      for (const final of [writer, new RecordBatchWriter()]) {
        final.append(START_MS, utf8('same'), 0, 4, utf8('value'), 0, 5)
        await log.coordinator.produce(topic, 0, final.finish())
      }
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 15; i++) await append(1 + random.below(6))
        clock.advanceTo(clock.nowMs() + HOUR_MS)
        await log.maintain()
      }
    }
    const { state, detail } = log.health()
    if (state !== 'open' || !detail.endsWith('is open.')) throw new Error(detail)
  } finally {
    await log.close()
  }
}
