import { describe, expect, test, vi } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { utf8, values } from './log-reading.ts'

const HOUR_MS = 60 * 60 * 1000
const START_MS = 1_700_000_000_000

async function opened(disk: SimulatedFileSystem, clock: ManualClock): Promise<EmbeddedLog> {
  const log = await openLog({
    directory: '/data',
    fileSystem: disk,
    clock,
    random: seededRandom(1),
    journalBytesMax: 1 << 20,
    maintenanceEveryMs: 1e15,
  })
  return log as EmbeddedLog
}

/** A topic whose segments hold one record each. */
async function topicWith(config: Record<string, string>) {
  const disk = new SimulatedFileSystem()
  const clock = new ManualClock(START_MS)
  const log = await opened(disk, clock)
  await log.createTopic('t', { partitions: 1, config: { 'segment.bytes': '90', ...config } })
  return { disk, clock, log }
}

async function send(log: EmbeddedLog, value: string, timestampMs?: number): Promise<void> {
  await log.producer().send({
    topic: 't',
    partition: 0,
    key: null,
    value: utf8(value.padEnd(20)),
    ...(timestampMs === undefined ? {} : { timestampMs }),
  })
}

const left = async (log: EmbeddedLog): Promise<string[]> =>
  (await values(log, 't', 0, log.ends('t', 0).logStart)).map((value) => value.trim())

const segmentFiles = (disk: SimulatedFileSystem): number =>
  disk.paths().filter((path) => path.endsWith('.log')).length

describe('retention by time', () => {
  test('keeps everything unless told otherwise, whatever its timestamps', async () => {
    const { clock, log } = await topicWith({})
    await send(log, 'a', 0)
    await send(log, 'b')
    clock.advanceTo(START_MS + 10_000 * HOUR_MS)
    await log.maintain()
    expect(await left(log)).toEqual(['a', 'b'])
    await log.close()
  })

  test('counts from the append: history replayed today stays', async () => {
    const { disk, clock, log } = await topicWith({ 'retention.ms': String(HOUR_MS) })
    await send(log, 'replayed', 1_420_070_400_000)
    clock.advanceTo(START_MS + HOUR_MS)
    await send(log, 'later', 1_420_070_400_001)
    await log.maintain()
    expect(await left(log)).toEqual(['replayed', 'later'])
    clock.advanceTo(START_MS + HOUR_MS + 1)
    await log.maintain()
    expect(await left(log)).toEqual(['later'])
    expect(log.ends('t', 0)).toMatchObject({ logStart: 1, highWatermark: 2 })
    await expect(log.read('t', 0, 0, 1000)).rejects.toMatchObject({ code: 'LOG_OFFSET_OUT_OF_RANGE' })
    await log.close()
    const again = await opened(disk, clock)
    expect(await left(again)).toEqual(['later'])
    expect(segmentFiles(disk)).toBe(1)
    await again.close()
  })

  test("counts from the records' timestamps where asked, as in Kafka", async () => {
    const { clock, log } = await topicWith({
      'retention.ms': String(HOUR_MS),
      'retention.counts.from': 'timestamp',
    })
    await send(log, 'from 2015', 1_420_070_400_000)
    await send(log, 'from the future', START_MS + 5 * HOUR_MS)
    await send(log, 'now', START_MS)
    await log.maintain()
    expect(await left(log)).toEqual(['from the future', 'now'])
    clock.advanceTo(START_MS + 3 * HOUR_MS)
    await log.maintain()
    // It keeps what lies behind it, too.
    expect(await left(log)).toEqual(['from the future', 'now'])
    await log.close()
  })

  test('empties a quiet partition: the active segment is sealed and goes', async () => {
    const { disk, clock, log } = await topicWith({ 'retention.ms': String(HOUR_MS) })
    await send(log, 'a')
    await send(log, 'b')
    clock.advanceTo(START_MS + 2 * HOUR_MS)
    await log.maintain()
    expect(log.ends('t', 0)).toMatchObject({ logStart: 2, highWatermark: 2 })
    expect(await left(log)).toEqual([])
    await vi.waitFor(() => expect(segmentFiles(disk)).toBe(0))
    await send(log, 'c')
    expect(await left(log)).toEqual(['c'])
    await log.close()
    const again = await opened(disk, clock)
    expect(await left(again)).toEqual(['c'])
    await again.close()
  })

  test('leaves internal topics and those that only compact alone', async () => {
    const { clock, log } = await topicWith({ 'retention.ms': '1', 'cleanup.policy': 'compact' })
    await log.createTopic('_millrace-x', {
      partitions: 1,
      config: { 'retention.ms': '1', 'segment.bytes': '90' },
    })
    for (const topic of ['t', '_millrace-x']) {
      for (const key of ['1', '2'])
        await log.producer().send({ topic, key: utf8(key), value: utf8('x'.repeat(20)) })
    }
    clock.advanceTo(START_MS + HOUR_MS)
    await log.maintain()
    for (const topic of ['t', '_millrace-x']) expect(await values(log, topic)).toHaveLength(2)
    await log.close()
  })
})

test('retention by size leaves at least that much', async () => {
  const { log } = await topicWith({ 'retention.bytes': '250' })
  for (const value of ['a', 'b', 'c', 'd', 'e']) await send(log, value)
  await log.maintain()
  // One record takes 88 bytes: three are left, two would be less.
  expect(await left(log)).toEqual(['c', 'd', 'e'])
  await log.close()
})

test('no segment goes that the journal may still refer to: first comes a checkpoint', async () => {
  const { disk, clock, log } = await topicWith({ 'retention.ms': String(HOUR_MS) })
  const values = ['a', 'b', 'c']
  for (const value of values) await send(log, value)
  disk.fate = ({ kind, path }) =>
    kind === 'write' && path.includes('checkpoint') ? { code: 'ENOSPC' } : undefined
  clock.advanceTo(START_MS + 2 * HOUR_MS)
  await log.maintain()
  expect(await left(log)).toEqual(values)
  expect(await log.deleteRecords('t', 0, 2)).toBe(2)
  await log.maintain()
  expect(segmentFiles(disk)).toBe(3)
  const again = await opened(disk.clone(), clock)
  expect(await left(again)).toEqual(['c'])
  await again.close()
  disk.fate = () => undefined
  await log.maintain()
  expect(await left(log)).toEqual([])
  await vi.waitFor(() => expect(segmentFiles(disk)).toBe(0))
  await log.close()
})

describe('deleteRecords', () => {
  test('moves the log start at once, and survives', async () => {
    const { disk, clock, log } = await topicWith({})
    for (const value of ['a', 'b', 'c']) await send(log, value)
    expect(await log.deleteRecords('t', 0, 2)).toBe(2)
    expect(await left(log)).toEqual(['c'])
    // A log start never moves back.
    expect(await log.deleteRecords('t', 0, 1)).toBe(2)
    await log.maintain()
    await log.close()
    expect(segmentFiles(disk)).toBe(1)
    const again = await opened(disk, clock)
    expect(again.ends('t', 0).logStart).toBe(2)
    expect(await again.offsetForTime('t', 0, 0)).toBe(2)
    await again.close()
  })

  test('is refused beyond the end', async () => {
    const { log } = await topicWith({})
    await send(log, 'a')
    await expect(log.deleteRecords('t', 0, 2)).rejects.toMatchObject({ code: 'LOG_OFFSET_OUT_OF_RANGE' })
    await expect(log.deleteRecords('t', 1, 0)).rejects.toMatchObject({ code: 'LOG_UNKNOWN_PARTITION' })
    expect(await log.deleteRecords('t', 0, 1)).toBe(1)
    await log.close()
  })
})

describe('topics that change', () => {
  test('altered settings count from then on, and survive', async () => {
    const { disk, clock, log } = await topicWith({ 'segment.bytes': '1000000' })
    await log.alterTopic('t', { 'max.message.bytes': '150', 'segment.bytes': null })
    expect(log.topic('t')!.config).toEqual({ 'max.message.bytes': '150' })
    const producer = log.producer()
    const big = { topic: 't', key: null, value: utf8('x'.repeat(100)) }
    await expect(producer.send(big)).rejects.toMatchObject({ code: 'LOG_RECORD_TOO_LARGE' })
    await log.alterTopic('t', { 'max.message.bytes': null })
    expect((await producer.send(big)).offset).toBe(0)
    await log.close()
    const again = await opened(disk, clock)
    expect(again.topic('t')!.config).toEqual({})
    await again.close()
  })

  test('bad names and values are refused', async () => {
    const { log } = await topicWith({})
    for (const changes of [
      { 'retention.hours': '1' },
      { 'retention.hours': null },
      { 'retention.ms': 'long' },
    ]) {
      await expect(log.alterTopic('t', changes)).rejects.toMatchObject({ code: 'LOG_INVALID_CONFIG' })
    }
    await expect(log.alterTopic('no', {})).rejects.toMatchObject({ code: 'LOG_UNKNOWN_TOPIC' })
    expect(log.topic('t')!.config).toEqual({ 'segment.bytes': '90' })
    await log.close()
  })

  test('more partitions: old records stay, new ones spread, a producer goes on', async () => {
    const { disk, clock, log } = await topicWith({})
    const producer = log.producer({ partitioner: 'round-robin' })
    const record = { topic: 't', key: utf8('k'), value: utf8('v') }
    await producer.send(record)
    expect((await log.addPartitions('t', 3)).partitions).toBe(3)
    const partitions = new Set<number>()
    for (let i = 0; i < 6; i++) partitions.add((await producer.send(record)).partition)
    expect(partitions).toEqual(new Set([0, 1, 2]))
    expect(log.ends('t', 0).highWatermark).toBe(3)
    await expect(log.addPartitions('t', 3)).rejects.toMatchObject({ code: 'LOG_INVALID_PARTITIONS' })
    await expect(log.addPartitions('t', 2)).rejects.toMatchObject({ code: 'LOG_INVALID_PARTITIONS' })
    await log.close()
    const again = await opened(disk, clock)
    expect(again.topic('t')!.partitions).toBe(3)
    expect(again.ends('t', 2).highWatermark).toBe(2)
    await again.close()
  })

  test('a transactional producer keeps its sequences over an alteration', async () => {
    const { log } = await topicWith({})
    const producer = log.producer({ transactionalId: 'x' })
    await producer.beginTransaction()
    await Promise.all([producer.send({ topic: 't', key: null, value: utf8('1') }), producer.flush()])
    await log.alterTopic('t', { 'retention.ms': '5' })
    await Promise.all([producer.send({ topic: 't', key: null, value: utf8('2') }), producer.flush()])
    await producer.commitTransaction()
    expect(await left(log)).toEqual(['1', '2'])
    await log.close()
  })
})

describe('timestamps', () => {
  test('too far from now are refused where the topic says so', async () => {
    const { log } = await topicWith({
      'message.timestamp.before.max.ms': '1000',
      'message.timestamp.after.max.ms': '500',
    })
    await send(log, 'ok', START_MS - 1000)
    await send(log, 'ok', START_MS + 500)
    await expect(send(log, 'old', START_MS - 1001)).rejects.toMatchObject({ code: 'LOG_INVALID_TIMESTAMP' })
    await expect(send(log, 'ahead', START_MS + 501)).rejects.toMatchObject({ code: 'LOG_INVALID_TIMESTAMP' })
    await log.alterTopic('t', { 'message.timestamp.type': 'LogAppendTime' })
    await send(log, 'any', 5)
    await log.close()
  })

  test('a delivery under LogAppendTime tells the time of the append', async () => {
    const { log } = await topicWith({ 'message.timestamp.type': 'LogAppendTime' })
    const delivery = await log.producer().send({ topic: 't', key: null, value: utf8('v'), timestampMs: 5 })
    expect(delivery.timestampMs).toBe(START_MS)
    await log.close()
  })
})

test("a producer's batches stay below the topic's limit", async () => {
  const { log } = await topicWith({ 'max.message.bytes': '300', 'segment.bytes': '1000000' })
  const producer = log.producer()
  await Promise.all(
    Array.from({ length: 30 }, () => producer.send({ topic: 't', key: null, value: utf8('x'.repeat(40)) })),
  )
  const { bytes } = await log.read('t', 0, 0, 1 << 20)
  for (let at = 0; at < bytes.length;) {
    const length = 12 + new DataView(bytes.buffer, bytes.byteOffset).getInt32(at + 8)
    expect(length).toBeLessThanOrEqual(300)
    at += length
  }
  expect(await left(log)).toHaveLength(30)
  await log.close()
})

test("a topic's compression.type wins over the producer's", async () => {
  const { log } = await topicWith({ 'compression.type': 'gzip', 'segment.bytes': '1000000' })
  await log.producer({ compression: 'zstd' }).send({ topic: 't', key: null, value: utf8('x'.repeat(500)) })
  const { bytes } = await log.read('t', 0, 0, 1 << 20)
  expect(bytes[22]! & 7).toBe(1)
  await log.close()
})

/* The log start and the end survive, files and frames agree, whenever the power fails. */
describe('power cuts while records expire', () => {
  test.each(Array.from({ length: 25 }, (_, seed) => seed))('seed %i', async (seed) => {
    const random = seededRandom(seed)
    const clock = new ManualClock(START_MS)
    let disk = new SimulatedFileSystem()
    let acknowledged = 0
    let started = 0
    for (let life = 0; life < 5; life++) {
      let operations = life === 4 ? Infinity : 30 + random.below(300)
      disk.fate = ({ kind }) => (kind !== 'read' && --operations < 0 ? 'power cut' : undefined)
      let log: EmbeddedLog | null = null
      try {
        log = await opened(disk, clock)
        if (log.topic('t') === undefined) {
          expect(acknowledged).toBe(0)
          await log.createTopic('t', {
            partitions: 1,
            config: { 'segment.bytes': '300', 'retention.ms': String(HOUR_MS) },
          })
        }
        const { logStart, highWatermark } = log.ends('t', 0)
        expect(highWatermark).toBeGreaterThanOrEqual(acknowledged)
        expect(logStart).toBeGreaterThanOrEqual(started)
        const found = (await left(log)).map(Number)
        expect(found).toEqual(Array.from({ length: highWatermark - logStart }, (_, i) => logStart + i))
        acknowledged = highWatermark
        started = logStart
        if (life === 4) break
        for (let n = highWatermark; ; n++) {
          await send(log, String(n))
          acknowledged = n + 1
          clock.advanceTo(clock.nowMs() + random.below(HOUR_MS / 4))
          if (random.below(4) === 0) {
            await log.maintain()
            started = log.ends('t', 0).logStart
          }
          if (random.below(12) === 0)
            started = await log.deleteRecords('t', 0, Math.max(0, acknowledged - random.below(3)))
        }
      } catch (error) {
        if (operations >= 0) throw error
      } finally {
        disk.fate = () => undefined
        await log?.close().catch(() => undefined)
      }
      disk = disk.afterPowerCut(random)
    }
    expect(started).toBeGreaterThan(0)
  })
})
