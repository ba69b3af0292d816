import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { Log, Producer } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { RecordBatchWriter } from '../../src/log/record-batch.ts'
import { utf8, values } from './log-reading.ts'

const place = () => ({ fileSystem: new MemoryFileSystem(), directory: '/data' })
const send = (producer: Producer, topic: string, partition: number, value: string) =>
  producer.send({ topic, partition, key: null, value: utf8(value) })
const turn = () => new Promise((resolve) => setImmediate(resolve))

async function withTopics(log: Log): Promise<Log> {
  await log.createTopic('a', { partitions: 2 })
  await log.createTopic('b', { partitions: 1 })
  return log
}

test('a transaction over several partitions and its offsets become visible together', async () => {
  const log = await withTopics(await openLog(place()))
  const producer = log.producer({ transactionalId: 'x' })
  await producer.beginTransaction()
  await send(producer, 'a', 0, '1')
  await send(producer, 'a', 1, '2')
  await send(producer, 'b', 0, '3')
  await producer.sendOffsets('g', [{ topic: 'b', partition: 0, offset: 9 }])
  await log.producer().send({ topic: 'a', partition: 0, key: null, value: utf8('behind') })

  expect(log.ends('a', 0)).toEqual({ logStart: 0, highWatermark: 2, lastStable: 0 })
  expect(await values(log, 'a', 0)).toEqual([])
  expect(await values(log, 'a', 0, 0, 1000, 'read_uncommitted')).toEqual(['1', 'behind'])
  expect(log.committedOffsets('g')).toEqual([])

  await producer.commitTransaction()
  expect(await values(log, 'a', 0)).toEqual(['1', 'behind'])
  expect(await values(log, 'a', 1)).toEqual(['2'])
  expect(await values(log, 'b', 0)).toEqual(['3'])
  expect(log.ends('a', 0)).toEqual({ logStart: 0, highWatermark: 3, lastStable: 3 })
  expect(log.committedOffsets('g')).toEqual([{ topic: 'b', partition: 0, offset: 9 }])
  await log.close()
})

test('an aborted transaction is skipped, before and after a restart', async () => {
  const where = place()
  let log = await withTopics(await openLog(where))
  const producer = log.producer({ transactionalId: 'x' })
  for (const [value, keep] of [
    ['1', true],
    ['2', false],
    ['3', true],
    ['4', false],
  ] as const) {
    await producer.beginTransaction()
    await send(producer, 'a', 0, value)
    await producer.sendOffsets('g', [{ topic: 'b', partition: 0, offset: Number(value) }])
    await (keep ? producer.commitTransaction() : producer.abortTransaction())
  }
  for (const bytesMax of [1, 100, 10_000]) expect(await values(log, 'a', 0, 0, bytesMax)).toEqual(['1', '3'])
  expect(await values(log, 'a', 0, 0, 10_000, 'read_uncommitted')).toEqual(['1', '2', '3', '4'])
  expect(log.committedOffsets('g')).toMatchObject([{ offset: 3 }])
  await log.close()
  log = await openLog(where)
  expect(await values(log, 'a', 0)).toEqual(['1', '3'])
  await log.close()
})

test('a newer producer of the same transactional id aborts what the older left, and fences it', async () => {
  const where = place()
  let log = await withTopics(await openLog(where))
  const older = log.producer({ transactionalId: 'x' })
  await older.beginTransaction()
  await send(older, 'a', 0, 'old')
  const newer = log.producer({ transactionalId: 'x' })
  await newer.beginTransaction()
  await send(newer, 'a', 0, 'new')
  await expect(send(older, 'a', 0, 'late')).rejects.toMatchObject({ code: 'LOG_PRODUCER_FENCED' })
  await expect(older.commitTransaction()).rejects.toMatchObject({ name: 'StorageError' })
  await newer.commitTransaction()
  expect(await values(log, 'a', 0)).toEqual(['new'])
  await log.close()
  log = await openLog(where)
  expect(await values(log, 'a', 0)).toEqual(['new'])
  await log.close()
})

test('an open transaction survives a restart and times out afterwards', async () => {
  const where = place()
  const clock = new ManualClock(1_000_000)
  let log = await withTopics(await openLog({ ...where, clock }))
  const producer = log.producer({ transactionalId: 'x', transactionTimeoutMs: 5000 })
  await producer.beginTransaction()
  await send(producer, 'a', 0, 'lost')
  await log.close()

  log = await openLog({ ...where, clock })
  expect(log.ends('a', 0)).toMatchObject({ highWatermark: 1, lastStable: 0 })
  clock.advanceTo(1_004_999)
  await turn()
  expect(log.ends('a', 0).lastStable).toBe(0)
  clock.advanceTo(1_005_000)
  await turn()
  expect(log.ends('a', 0)).toMatchObject({ highWatermark: 2, lastStable: 2 })
  expect(await values(log, 'a', 0)).toEqual([])
  await log.close()
})

test('a transaction that timed out cannot commit', async () => {
  const clock = new ManualClock(0)
  const log = await withTopics(await openLog({ ...place(), clock }))
  const producer = log.producer({ transactionalId: 'x', transactionTimeoutMs: 100 })
  await producer.beginTransaction()
  await send(producer, 'a', 0, 'late')
  clock.advanceTo(100)
  await turn()
  await expect(producer.commitTransaction()).rejects.toMatchObject({ code: 'LOG_PRODUCER_FENCED' })
  expect(await values(log, 'a', 0)).toEqual([])
  await log.close()
})

test('transactions are refused where they make no sense', async () => {
  const log = await withTopics(await openLog(place()))
  await expect(log.producer().beginTransaction()).rejects.toMatchObject({ code: 'LOG_NOT_TRANSACTIONAL' })
  const producer = log.producer({ transactionalId: 'x' })
  await expect(send(producer, 'a', 0, 'early')).rejects.toMatchObject({ code: 'LOG_TRANSACTION_STATE' })
  await expect(producer.commitTransaction()).rejects.toMatchObject({ code: 'LOG_TRANSACTION_STATE' })
  await producer.beginTransaction()
  await expect(producer.beginTransaction()).rejects.toMatchObject({ code: 'LOG_TRANSACTION_STATE' })
  await producer.commitTransaction()
  await log.close()
})

test('an idempotent producer’s batches are taken once and in order', async () => {
  const where = place()
  let log = (await withTopics(await openLog(where))) as EmbeddedLog
  const { producerId, epoch } = await log.coordinator.initialise(null, 60_000)
  const batch = (baseSequence: number, ofEpoch = epoch): Uint8Array => {
    const writer = new RecordBatchWriter({
      producer: { id: producerId, epoch: ofEpoch, baseSequence, transactional: false },
    })
    for (const value of ['x', 'y']) writer.append(0, null, 0, 0, utf8(`${baseSequence}${value}`), 0, 2)
    return writer.finish()
  }
  const { coordinator } = log
  // All in flight at once, one of them twice.
  const offsets = await Promise.all(
    [0, 2, 2, 4].map((sequence) => coordinator.produce('a', 0, batch(sequence))),
  )
  expect(offsets).toEqual([0, 2, 2, 4])
  await expect(coordinator.produce('a', 0, batch(8))).rejects.toMatchObject({
    code: 'LOG_OUT_OF_ORDER_SEQUENCE',
  })
  const damaged = batch(6)
  damaged[70]! ^= 1
  await expect(coordinator.produce('a', 0, damaged)).rejects.toMatchObject({ code: 'LOG_INVALID_BATCH' })
  expect(await coordinator.produce('a', 0, batch(0, epoch + 1))).toBe(6)
  await expect(coordinator.produce('a', 0, batch(6))).rejects.toMatchObject({
    code: 'LOG_INVALID_PRODUCER_EPOCH',
  })
  await log.close()
  log = (await openLog(where)) as EmbeddedLog
  expect(await log.coordinator.produce('a', 0, batch(0, epoch + 1))).toBe(6)
  expect((await log.coordinator.initialise(null, 1000)).producerId).toBe(producerId + 1)
  expect(await values(log, 'a', 0)).toEqual(['0x', '0y', '2x', '2y', '4x', '4y', '0x', '0y'])
  await log.close()
})

test('a client’s batch is checked as a broker would: keys, times, size, codec', async () => {
  const nowMs = 1_000_000
  const log = (await openLog({ ...place(), clock: new ManualClock(nowMs) })) as EmbeddedLog
  const batch = (key: string | null, timestampMs = nowMs, value = 'v'): Uint8Array => {
    const writer = new RecordBatchWriter()
    const keyBytes = key === null ? null : utf8(key)
    writer.append(timestampMs, keyBytes, 0, keyBytes?.length ?? 0, utf8(value), 0, value.length)
    return writer.finish()
  }
  const create = (name: string, config: Record<string, string>) =>
    log.createTopic(name, { partitions: 1, config })
  await create('compacted', { 'cleanup.policy': 'compact' })
  await create('timed', {
    'message.timestamp.after.max.ms': '1000',
    'message.timestamp.before.max.ms': '1000',
  })
  await create('small', { 'segment.bytes': '300' })
  await create('packed', { 'compression.type': 'gzip' })
  const { coordinator } = log
  await expect(coordinator.produce('compacted', 0, batch(null))).rejects.toMatchObject({
    code: 'LOG_KEY_MISSING',
  })
  for (const timestampMs of [nowMs - 1001, nowMs + 1001]) {
    await expect(coordinator.produce('timed', 0, batch('k', timestampMs))).rejects.toMatchObject({
      code: 'LOG_INVALID_TIMESTAMP',
    })
  }
  await expect(coordinator.produce('small', 0, batch('k', nowMs, 'v'.repeat(300)))).rejects.toMatchObject({
    code: 'LOG_RECORD_TOO_LARGE',
  })
  const text = 'v'.repeat(300)
  await coordinator.produce('packed', 0, batch('k', nowMs, text))
  expect((await log.read('packed', 0, 0, 1000)).bytes.length).toBeLessThan(150)
  expect(await values(log, 'packed')).toEqual([text])
  await coordinator.produce('compacted', 0, batch('k'))
  await coordinator.produce('timed', 0, batch('k', nowMs + 1000))
  await log.close()
})

test('producers and transactional ids nobody uses any more are forgotten', async () => {
  const clock = new ManualClock(1_000_000)
  const where = { ...place(), clock, maintenanceEveryMs: 1e15 }
  let log = (await withTopics(await openLog(where))) as EmbeddedLog
  const { producerId, epoch } = await log.coordinator.initialise(null, 60_000)
  const batch = (baseSequence: number): Uint8Array => {
    const writer = new RecordBatchWriter({
      producer: { id: producerId, epoch, baseSequence, transactional: false },
    })
    writer.append(0, null, 0, 0, utf8('x'), 0, 1)
    return writer.finish()
  }
  await log.coordinator.produce('a', 0, batch(0))
  const producer = log.producer({ transactionalId: 'x' })
  await producer.beginTransaction()
  await send(producer, 'a', 0, '1')
  await producer.commitTransaction()
  const hours = async (count: number): Promise<void> => {
    clock.advanceTo(clock.nowMs() + count * 3_600_000)
    await log.maintain()
  }
  await hours(23)
  await expect(log.coordinator.produce('a', 0, batch(7))).rejects.toMatchObject({
    code: 'LOG_OUT_OF_ORDER_SEQUENCE',
  })
  await hours(2)
  // As in Kafka, a producer nobody knows may go on anywhere.
  expect(await log.coordinator.produce('a', 0, batch(7))).toBe(3)

  await hours(24 * 7 - 26)
  await producer.beginTransaction()
  await send(producer, 'a', 0, '2')
  await producer.commitTransaction()
  await hours(24 * 7 + 1)
  await expect(producer.beginTransaction()).rejects.toMatchObject({ code: 'LOG_PRODUCER_FENCED' })
  await log.close()
  log = (await openLog(where)) as EmbeddedLog
  // A new one under the old name starts over.
  const next = log.producer({ transactionalId: 'x' })
  await next.beginTransaction()
  await next.commitTransaction()
  await log.close()
})
