import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { utf8, values } from './log-reading.ts'

describe('a topic setting', () => {
  test.each([
    ['retention.ms', 'long', 'a whole number from -1 on'],
    ['segment.bytes', '13', 'a whole number from 14 to 2147483647'],
    ['compression.type', 'brotli', 'one of producer, uncompressed, gzip, snappy, lz4, zstd'],
    ['cleanup.policy', 'compact,drop', 'delete, compact, or both with a comma between them'],
    ['min.cleanable.dirty.ratio', '1.1', 'a number from 0 to 1'],
    ['min.cleanable.dirty.ratio', '', 'a number from 0 to 1'],
    ['message.timestamp.type', 'createtime', 'one of CreateTime, LogAppendTime'],
  ])('%s = %s is refused with what it takes', async (name, value, wanted) => {
    const log = await openLog({ directory: '/data', fileSystem: new SimulatedFileSystem() })
    await expect(log.createTopic('t', { partitions: 1, config: { [name]: value } })).rejects.toMatchObject({
      code: 'LOG_INVALID_CONFIG',
      message: `Topic t: '${value}' is not a value for ${name}.`,
      hint: `It takes ${wanted}.`,
    })
    expect(log.topic('t')).toBeUndefined()
    await log.close()
  })

  test('is refused where it contradicts another, or does not exist', async () => {
    const log = await openLog({ directory: '/data', fileSystem: new SimulatedFileSystem() })
    await log.createTopic('t', { partitions: 1, config: { 'max.compaction.lag.ms': '10' } })
    await expect(log.alterTopic('t', { 'min.compaction.lag.ms': '11' })).rejects.toMatchObject({
      message: expect.stringContaining('is above max.compaction.lag.ms'),
    })
    await expect(log.alterTopic('t', { 'retention.hours': '1' })).rejects.toMatchObject({
      hint: expect.stringContaining('retention.ms'),
    })
    await log.close()
  })
})

test('topics whose names differ in . and _ only are refused, as by Kafka', async () => {
  const log = await openLog({ directory: '/data', fileSystem: new SimulatedFileSystem() })
  await log.createTopic('a.b', { partitions: 1 })
  await expect(log.createTopic('a_b', { partitions: 1 })).rejects.toMatchObject({
    code: 'LOG_INVALID_TOPIC',
    message: expect.stringContaining('collides with topic a.b'),
  })
  await log.close()
})

describe('a log that leaves syncing to the system', () => {
  const survivors = async (
    config: Record<string, string>,
    write: (log: Log, clock: ManualClock) => Promise<void>,
  ): Promise<number[]> => {
    const counts: number[] = []
    for (let seed = 0; seed < 8; seed++) {
      const disk = new SimulatedFileSystem()
      const clock = new ManualClock(1_000_000)
      const place = { directory: '/data', clock, durability: 'os', maintenanceEveryMs: 1e15 } as const
      const log = await openLog({ ...place, fileSystem: disk })
      await log.createTopic('t', { partitions: 1, config })
      await write(log, clock)
      const rest = disk.afterPowerCut(seededRandom(seed))
      const after = await openLog({ ...place, fileSystem: rest })
      counts.push(after.topic('t') === undefined ? 0 : (await values(after, 't')).length)
      await after.close()
      await log.close()
    }
    return counts
  }
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  const sendOne = (log: Log) => log.producer().send({ topic: 't', partition: 0, key: null, value: utf8('v') })

  test('may lose what was acknowledged', async () => {
    expect(await survivors({}, async (log) => void (await sendOne(log)))).toContain(0)
  })

  test('syncs after flush.messages records', async () => {
    const counts = await survivors({ 'flush.messages': '3' }, async (log) => {
      for (let i = 0; i < 4; i++) await sendOne(log)
    })
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(3)
  })

  test('syncs flush.ms after a record', async () => {
    const counts = await survivors({ 'flush.ms': '1000' }, async (log, clock) => {
      await sendOne(log)
      await turns()
      clock.advanceTo(clock.nowMs() + 1000)
      await turns()
    })
    expect(Math.min(...counts)).toBe(1)
  })
})
