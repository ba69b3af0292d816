import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualClock, systemClock } from '../../src/base/clock.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'

const NOON = Date.UTC(2026, 0, 15, 12)
const YEAR = 365 * 86_400_000

let clock: ManualClock
let log: Log

beforeEach(async () => {
  clock = new ManualClock(NOON)
  log = await openLog({
    directory: '/log',
    fileSystem: new MemoryFileSystem(),
    clock,
    journalBytesMax: 1 << 20,
  })
  await log.createTopic('t', { partitions: 2 })
})
afterEach(() => log.close())

const value = new TextEncoder().encode('x')

test('a topic takes times up to message.timestamp.after.max.ms ahead of the clock', async () => {
  await log.alterTopic('t', { 'message.timestamp.after.max.ms': '3600000' })
  const producer = log.producer()
  const send = (timestampMs: number) =>
    producer.send({ topic: 't', partition: 0, key: null, value, timestampMs })
  await send(NOON + 3_600_000)
  await expect(send(NOON + 3_600_001)).rejects.toMatchObject({ code: 'LOG_INVALID_TIMESTAMP' })
  await expect(send(NOON + YEAR)).rejects.toThrow(/too far from now/)
  await producer.close()
  expect(log.ends('t', 0).highWatermark).toBe(1)
})

test('a poll ends when its time is up, although the clock was set back by a year', async () => {
  const consumer = log.consumer({ group: 'g' })
  consumer.subscribe(['t'])
  const polled = consumer.poll(1_000)
  await new Promise((resolve) => setImmediate(resolve))
  clock.jumpBy(-YEAR)
  clock.advanceTo(clock.nowMs() + 1_001)
  expect(await polled).toEqual([])
  await consumer.close()
})

test.each([
  ['forward', YEAR],
  ['back', -YEAR],
])(
  'a consumer that polls stays in its group, and one that does not goes, although the clock was set %s',
  async (_, jumpMs) => {
    const consumer = log.consumer({ group: 'g', sessionTimeoutMs: 9_000, maxPollIntervalMs: 60_000 })
    consumer.subscribe(['t'])
    await consumer.poll(0)
    const members = (): number => log.describeGroup('g').members.length
    clock.jumpBy(jumpMs)
    clock.advanceTo(clock.nowMs() + 10_000)
    expect(members()).toBe(1)
    await consumer.poll(0)
    clock.advanceTo(clock.nowMs() + 65_000)
    expect(members()).toBe(0)
    await consumer.close()
  },
)

test('a transaction times out although the clock was set back by a year', async () => {
  const producer = log.producer({ transactionalId: 'x', transactionTimeoutMs: 5_000 })
  await producer.beginTransaction()
  await producer.send({ topic: 't', partition: 0, key: null, value })
  await producer.flush()
  expect(log.ends('t', 0)).toMatchObject({ lastStable: 0, highWatermark: 1 })
  clock.jumpBy(-YEAR)
  for (let second = 0; second < 12; second++) {
    clock.advanceTo(clock.nowMs() + 1_000)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(log.ends('t', 0).lastStable).toBeGreaterThan(0)
  await expect(producer.commitTransaction()).rejects.toMatchObject({ code: /FENCED|EPOCH/ })
})

test('a timer further away than timers reach does not fire at once', async () => {
  let isFired = false
  const timer = systemClock.after(YEAR, () => (isFired = true))
  await new Promise((resolve) => setTimeout(resolve, 20))
  timer.cancel()
  expect(isFired).toBe(false)
})
