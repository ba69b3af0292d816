import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { Consumer, ConsumerOptions, ConsumedRecord, Log, OffsetReset } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { text, utf8 } from './log-reading.ts'

let clock: ManualClock
let disk: SimulatedFileSystem
let log: Log

beforeEach(async () => {
  clock = new ManualClock(1_000_000)
  disk = new SimulatedFileSystem()
  log = await opened()
})

afterEach(async () => {
  await log.close()
})

async function opened(): Promise<Log> {
  return openLog({
    directory: '/data',
    fileSystem: disk,
    clock,
    random: seededRandom(1),
    journalBytesMax: 1 << 20,
    maintenanceEveryMs: 1e15,
  })
}

async function send(topic: string, partition: number, value: string, timestampMs = 1000): Promise<void> {
  await log.producer().send({ topic, partition, key: null, value: utf8(value), timestampMs })
}

const valuesOf = (records: readonly ConsumedRecord[]): string[] => records.map(({ value }) => text(value!))

/** Numbers of the partitions of topic t, like "0 1". */
const owns = (consumer: Consumer): string =>
  consumer
    .assignment()
    .map(({ partition }) => partition)
    .toSorted((a, b) => a - b)
    .join(' ')

function join(options: ConsumerOptions = {}, topics: readonly string[] | RegExp = ['t']): Consumer {
  const consumer = log.consumer({ group: 'g', offsetReset: 'earliest', ...options })
  consumer.subscribe(topics)
  return consumer
}

/** Polls all of them until nothing moves any more. */
async function settle(...consumers: Consumer[]): Promise<readonly ConsumedRecord[]> {
  const records: ConsumedRecord[] = []
  for (let i = 0; i < 4; i++) for (const consumer of consumers) records.push(...(await consumer.poll()))
  return records
}

describe('the well-known shapes', () => {
  test('4 partitions over groups of 3 and 2, and one that comes late', async () => {
    await log.createTopic('t', { partitions: 4 })
    for (let i = 0; i < 8; i++) await send('t', i % 4, `v${i}`)
    const three = [join({ group: 'three' }), join({ group: 'three' }), join({ group: 'three' })]
    const two = [join({ group: 'two' }), join({ group: 'two' })]
    const readByThree = await settle(...three)
    const readByTwo = await settle(...two)
    expect(three.map(owns)).toEqual(['0 1', '2', '3'])
    expect(two.map(owns)).toEqual(['0 1', '2 3'])
    expect(valuesOf(readByThree).toSorted()).toEqual(Array.from({ length: 8 }, (_, i) => `v${i}`))
    expect(readByTwo).toHaveLength(8)
    await Promise.all([...three, ...two].map((consumer) => consumer.commit()))

    const late = join({ group: 'late' })
    const records = await settle(late)
    expect(records).toHaveLength(8)
    expect(new Set(records.filter(({ offset }) => offset === 0).map(({ partition }) => partition))).toEqual(
      new Set([0, 1, 2, 3]),
    )
  })

  test('a fifth member idles, and takes over', async () => {
    await log.createTopic('t', { partitions: 4 })
    const members = Array.from({ length: 5 }, () => join())
    await settle(...members)
    expect(members.map(owns)).toEqual(['0', '1', '2', '3', ''])
    await members[1]!.close()
    const rest = members.filter((_, i) => i !== 1)
    await settle(...rest)
    expect(rest.map(owns)).toEqual(['0', '1', '2', '3'])
    expect(log.describeGroup('g')).toMatchObject({ state: 'stable', members: [{}, {}, {}, {}] })
  })
})

describe('rebalance', () => {
  test('a partition never has two owners, and no record is read twice', async () => {
    await log.createTopic('t', { partitions: 6 })
    const random = seededRandom(7)
    const members: Consumer[] = []
    const owners = new Map<number, Consumer>()
    const read = new Map<string, number>()
    let sent = 0
    const add = (): void => {
      const consumer: Consumer = join({
        assignor: 'cooperative-sticky',
        autoCommitIntervalMs: 0,
        onAssigned: (partitions) => {
          for (const { partition } of partitions) {
            expect(owners.has(partition)).toBe(false)
            owners.set(partition, consumer)
          }
        },
        onRevoked: (partitions) => {
          for (const { partition } of partitions) owners.delete(partition)
        },
      })
      members.push(consumer)
    }
    add()
    for (let step = 0; step < 300; step++) {
      const what = random.below(10)
      if (what === 0 && members.length < 8) add()
      if (what === 1 && members.length > 1) {
        const [gone] = members.splice(random.below(members.length), 1)
        for (const { partition } of gone!.assignment()) owners.delete(partition)
        await gone!.close()
      }
      if (what < 6) await send('t', random.below(6), String(sent++))
      const consumer = members[random.below(members.length)]!
      for (const { partition, offset } of await consumer.poll()) {
        const key = `${partition}:${offset}`
        read.set(key, (read.get(key) ?? 0) + 1)
      }
      clock.advanceTo(clock.nowMs() + 10)
    }
    for (const { partition, offset } of await settle(...members)) {
      const key = `${partition}:${offset}`
      read.set(key, (read.get(key) ?? 0) + 1)
    }
    expect(read.size).toBe(sent)
    expect([...read.values()].every((count) => count === 1)).toBe(true)
    const sizes = members.map((consumer) => consumer.assignment().length)
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
  })

  test('what moves is committed first, and goes on from there with its new owner', async () => {
    await log.createTopic('t', { partitions: 2 })
    await send('t', 0, 'a')
    await send('t', 1, 'b')
    const first = join()
    expect(valuesOf(await settle(first)).toSorted()).toEqual(['a', 'b'])
    expect(log.committedOffsets('g')).toEqual([])
    const second = join()
    await second.poll()
    expect(owns(second)).toBe('')
    await first.poll()
    expect(log.committedOffsets('g')).toMatchObject([{ partition: 1, offset: 1 }])
    await send('t', 1, 'c')
    expect(valuesOf(await second.poll())).toEqual(['c'])
    expect([owns(first), owns(second)]).toEqual(['0', '1'])
  })

  test('more partitions, a deleted topic, a topic that matches', async () => {
    await log.createTopic('t', { partitions: 1 })
    const consumer = join({}, /^t/)
    await settle(consumer)
    await log.addPartitions('t', 3)
    await settle(consumer)
    expect(owns(consumer)).toBe('0 1 2')
    await log.createTopic('tt', { partitions: 1 })
    await log.createTopic('other', { partitions: 1 })
    await settle(consumer)
    expect(consumer.assignment()).toHaveLength(4)
    await log.deleteTopic('t')
    await settle(consumer)
    expect(consumer.assignment()).toEqual([{ topic: 'tt', partition: 0 }])
  })

  test('a waiting poll takes part in it', async () => {
    await log.createTopic('t', { partitions: 2 })
    const first = join()
    await settle(first)
    const waiting = first.poll(60_000)
    const second = join()
    await settle(second)
    await new Promise((resolve) => setImmediate(resolve))
    await settle(second)
    expect([owns(first), owns(second)]).toEqual(['0', '1'])
    first.wakeUp()
    expect(await waiting).toEqual([])
  })

  test('all members assign the same way', async () => {
    await log.createTopic('t', { partitions: 1 })
    join()
    expect(() => join({ assignor: 'round-robin' })).toThrow(
      expect.objectContaining({ code: 'LOG_INCONSISTENT_GROUP' }),
    )
  })
})

describe('death', () => {
  test('a member that is not polled loses its partitions, and cannot commit them', async () => {
    await log.createTopic('t', { partitions: 2 })
    await send('t', 0, 'a')
    const lost: number[] = []
    const stuck = join({
      autoCommit: false,
      maxPollIntervalMs: 60_000,
      sessionTimeoutMs: 9000,
      onLost: (partitions) => void lost.push(...partitions.map(({ partition }) => partition)),
    })
    const other = join({ autoCommit: false, sessionTimeoutMs: 9000 })
    await settle(stuck, other)
    expect([owns(stuck), owns(other)]).toEqual(['0', '1'])
    for (let i = 0; i < 24; i++) {
      clock.advanceTo(clock.nowMs() + 3000)
      await other.poll()
    }
    expect(owns(other)).toBe('0 1')
    await expect(stuck.commit()).rejects.toMatchObject({ code: 'LOG_UNKNOWN_MEMBER' })
    // It comes back as a new member.
    await settle(stuck, other)
    expect(lost).toEqual([0])
    expect([owns(other), owns(stuck)]).toEqual(['0', '1'])
  })

  test('sessions end where nothing beats for them', async () => {
    await log.createTopic('t', { partitions: 2 })
    const alive = join()
    // As a member beyond a wire: joined, and never heard of again.
    const { groupCoordinator } = log as Log & {
      groupCoordinator: { join(request: object): string }
    }
    groupCoordinator.join({
      group: 'g',
      instanceId: null,
      clientId: 'gone',
      topics: () => ['t'],
      assignor: 'range',
      sessionTimeoutMs: 5000,
    })
    await settle(alive)
    expect(owns(alive)).toBe('0')
    clock.advanceTo(clock.nowMs() + 5001)
    await settle(alive)
    expect(owns(alive)).toBe('0 1')
  })
})

describe('static members', () => {
  test('get their partitions back after a restart, without a rebalance', async () => {
    await log.createTopic('t', { partitions: 4 })
    const a = join({ instanceId: 'a' })
    const b = join({ instanceId: 'b' })
    await settle(a, b)
    const { generation } = log.describeGroup('g')
    await a.close()
    await settle(b)
    expect(owns(b)).toBe('2 3')
    const again = join({ instanceId: 'a' })
    await settle(again, b)
    expect([owns(again), owns(b)]).toEqual(['0 1', '2 3'])
    expect(log.describeGroup('g').generation).toBe(generation)
  })

  test('lose them when they stay away for longer than their session', async () => {
    await log.createTopic('t', { partitions: 4 })
    const a = join({ instanceId: 'a', sessionTimeoutMs: 10_000 })
    const b = join({ instanceId: 'b', sessionTimeoutMs: 100_000 })
    await settle(a, b)
    await a.close()
    clock.advanceTo(clock.nowMs() + 10_001)
    await settle(b)
    expect(owns(b)).toBe('0 1 2 3')
  })

  test('fence the one whose place they take', async () => {
    await log.createTopic('t', { partitions: 1 })
    await send('t', 0, 'a')
    const old = join({ instanceId: 'a', autoCommit: false })
    await settle(old)
    const young = join({ instanceId: 'a', autoCommit: false })
    await expect(old.commit()).rejects.toMatchObject({ code: 'LOG_FENCED_INSTANCE' })
    await expect(old.poll()).rejects.toMatchObject({ code: 'LOG_FENCED_INSTANCE' })
    expect(valuesOf(await settle(young))).toEqual(['a'])
    await young.commit()
    expect(log.committedOffsets('g')).toMatchObject([{ offset: 1 }])
  })
})

describe('committed offsets', () => {
  beforeEach(async () => {
    await log.createTopic('t', { partitions: 2 })
    for (const value of ['a', 'b', 'c']) await send('t', 0, value)
  })

  test('are the next to read; the next member of the group goes on there, after a restart too', async () => {
    const consumer = join({ autoCommit: false, maxPollRecords: 2 })
    expect(valuesOf(await consumer.poll())).toEqual(['a', 'b'])
    await consumer.commit()
    expect(log.committedOffsets('g')).toMatchObject([{ topic: 't', partition: 0, offset: 2 }])
    await consumer.close()
    await log.close()
    log = await opened()
    expect(valuesOf(await settle(join()))).toEqual(['c'])
  })

  test('without a commit everything is read again', async () => {
    const consumer = join({ autoCommit: false })
    await settle(consumer)
    await consumer.close()
    expect(valuesOf(await settle(join()))).toEqual(['a', 'b', 'c'])
  })

  test('automatically: what the poll before handed out, every interval, and on close', async () => {
    const consumer = join({ autoCommitIntervalMs: 5000, maxPollRecords: 1 })
    await consumer.poll()
    await consumer.poll()
    expect(log.committedOffsets('g')).toEqual([])
    clock.advanceTo(clock.nowMs() + 5000)
    await consumer.poll()
    expect(log.committedOffsets('g')[0]).toMatchObject({ offset: 2 })
    await consumer.close()
    expect(log.committedOffsets('g').find(({ partition }) => partition === 0)).toMatchObject({ offset: 3 })
  })

  test('asynchronously, in order', async () => {
    const consumer = join({ autoCommit: false })
    await settle(consumer)
    const seen: unknown[] = []
    consumer.commitAsync([{ topic: 't', partition: 0, offset: 1 }], (error) => seen.push(error, 1))
    consumer.commitAsync([{ topic: 't', partition: 0, offset: 2 }], (error) => seen.push(error, 2))
    await consumer.commit([{ topic: 't', partition: 0, offset: 3, metadata: 'm' }])
    expect(seen).toEqual([null, 1, null, 2])
    expect(consumer.committed([{ topic: 't', partition: 0 }])).toEqual([
      { topic: 't', partition: 0, offset: 3, metadata: 'm' },
    ])
  })

  test('of a group with members are for its members only', async () => {
    const consumer = join({ autoCommit: false })
    await settle(consumer)
    const offsets = [{ topic: 't', partition: 0, offset: 1 }]
    await expect(log.commitOffsets('g', offsets)).rejects.toMatchObject({ code: 'LOG_GROUP_ACTIVE' })
    await expect(log.deleteGroup('g')).rejects.toMatchObject({ code: 'LOG_GROUP_ACTIVE' })
    const member = consumer.member()!
    await expect(
      log.commitOffsets('g', offsets, { ...member, generation: member.generation - 1 }),
    ).rejects.toMatchObject({ code: 'LOG_ILLEGAL_GENERATION' })
    const second = join({ autoCommit: false })
    await settle(consumer, second)
    await expect(log.commitOffsets('g', offsets, second.member()!)).rejects.toMatchObject({
      code: 'LOG_ILLEGAL_GENERATION',
    })
    await consumer.close()
    await second.close()
    await log.commitOffsets('g', offsets)
    await log.deleteGroup('g')
    expect(log.groups()).toEqual([])
  })

  test('in a transaction, fenced by membership', async () => {
    const consumer = join({ autoCommit: false })
    await settle(consumer)
    const producer = log.producer({ transactionalId: 'x' })
    const offsets = [{ topic: 't', partition: 0, offset: 3 }]
    await producer.beginTransaction()
    await producer.sendOffsets('g', offsets, consumer.member()!)
    expect(log.committedOffsets('g')).toEqual([])
    await producer.commitTransaction()
    expect(log.committedOffsets('g')).toMatchObject([{ offset: 3 }])
    const stale = consumer.member()!
    await consumer.close()
    await producer.beginTransaction()
    await expect(producer.sendOffsets('g', offsets, stale)).rejects.toMatchObject({
      code: 'LOG_UNKNOWN_MEMBER',
    })
    await producer.abortTransaction()
  })
})

describe('positions', () => {
  const at = { topic: 't', partition: 0 }

  beforeEach(async () => {
    await log.createTopic('t', { partitions: 1, config: { 'segment.bytes': '100' } })
    for (const [i, value] of ['a', 'b', 'c', 'd'].entries()) await send('t', 0, value, 1000 * i)
  })

  test('begin where the reset policy says', async () => {
    const first = async (offsetReset: ConsumerOptions['offsetReset']): Promise<string[]> => {
      const consumer = log.consumer({ group: 'new', autoCommit: false, ...(offsetReset && { offsetReset }) })
      consumer.subscribe(['t'])
      return settle(consumer)
        .then(valuesOf)
        .finally(() => consumer.close())
    }
    expect(await first('earliest')).toEqual(['a', 'b', 'c', 'd'])
    expect(await first(undefined)).toEqual([])
    await expect(first('none')).rejects.toMatchObject({ code: 'LOG_NO_OFFSET' })
    expect(await first({ durationMs: 1_000_000 - 2000 })).toEqual(['c', 'd'])
  })

  test('out of range fall under it too', async () => {
    await log.commitOffsets('g', [{ ...at, offset: 1 }])
    await log.deleteRecords('t', 0, 2)
    const strict = join({ offsetReset: 'none', autoCommit: false })
    await expect(strict.poll()).rejects.toMatchObject({ code: 'LOG_OFFSET_OUT_OF_RANGE' })
    await strict.close()
    expect(valuesOf(await settle(join()))).toEqual(['c', 'd'])
  })

  test('seek by offset, by time, to both ends', async () => {
    const consumer = log.consumer()
    consumer.assign([at])
    consumer.seek(at, 2)
    expect(valuesOf(await consumer.poll())).toEqual(['c'])
    await consumer.seekToTime(900)
    expect(await consumer.position(at)).toBe(1)
    expect(valuesOf(await consumer.poll())).toEqual(['b'])
    consumer.seekToEnd()
    expect(await consumer.poll()).toEqual([])
    expect(await consumer.lag(at)).toBe(0)
    consumer.seekToBeginning()
    expect(await consumer.lag(at)).toBe(4)
    expect(valuesOf(await consumer.poll())).toEqual(['a'])
    await consumer.seekToTime(99_000)
    expect(await consumer.position(at)).toBe(4)
    expect(() => consumer.seek({ topic: 't', partition: 9 }, 0)).toThrow(
      expect.objectContaining({ code: 'LOG_NOT_ASSIGNED' }),
    )
  })

  test('pause and resume: it keeps the partition and its place', async () => {
    const consumer = join({ maxPollRecords: 1 })
    expect(valuesOf(await consumer.poll())).toEqual(['a'])
    consumer.pause([at])
    expect(await consumer.poll()).toEqual([])
    expect(consumer.paused()).toEqual([at])
    consumer.resume()
    expect(valuesOf(await consumer.poll())).toEqual(['b'])
    await consumer.close()
  })

  test('lag falls as records are handed out', async () => {
    const consumer = join({ maxPollRecords: 3 })
    await consumer.poll()
    while ((await consumer.position(at)) < 3) await consumer.poll()
    expect(await consumer.lag(at)).toBe(1)
    await send('t', 0, 'e')
    expect(await consumer.lag(at)).toBe(2)
    await consumer.close()
  })

  test('read_committed leaves out what was aborted, read_uncommitted does not wait', async () => {
    const producer = log.producer({ transactionalId: 'x' })
    const put = async (value: string): Promise<void> => {
      void producer.send({ topic: 't', key: null, value: utf8(value) })
      await producer.flush()
    }
    await producer.beginTransaction()
    await put('aborted')
    await producer.abortTransaction()
    await producer.beginTransaction()
    await put('open')
    const read = async (isolation: 'read_committed' | 'read_uncommitted'): Promise<string[]> => {
      const consumer = log.consumer({ isolation, offsetReset: 'earliest' })
      consumer.assign([at])
      consumer.seek(at, 4)
      return valuesOf(await settle(consumer))
    }
    expect(await read('read_committed')).toEqual([])
    expect(await read('read_uncommitted')).toEqual(['aborted', 'open'])
    await producer.commitTransaction()
    expect(await read('read_committed')).toEqual(['open'])
  })
})

test('a poll waits for records, and gives up in time', async () => {
  await log.createTopic('t', { partitions: 1 })
  const consumer = join()
  await consumer.poll()
  const arriving = consumer.poll(10_000)
  await send('t', 0, 'a')
  expect(valuesOf(await arriving)).toEqual(['a'])
  const empty = consumer.poll(10_000)
  await new Promise((resolve) => setImmediate(resolve))
  clock.advanceTo(clock.nowMs() + 10_000)
  expect(await empty).toEqual([])
  await expect(Promise.all([consumer.poll(), consumer.poll()])).rejects.toMatchObject({
    code: 'LOG_CONSUMER_BUSY',
  })
  await consumer.close()
  await expect(consumer.poll()).rejects.toMatchObject({ code: 'LOG_CONSUMER_CLOSED' })
})

test('a program that waits for records goes on', async () => {
  const directory = await mkdtemp(joinPath(tmpdir(), 'millrace-consumer-'))
  const program = `
    import { openLog } from ${JSON.stringify(import.meta.resolve('../../src/log/open-log.ts'))}
    const log = await openLog({ directory: ${JSON.stringify(directory)} })
    await log.createTopic('t', { partitions: 1 })
    const consumer = log.consumer({ group: 'g' })
    consumer.subscribe(['t'])
    console.log((await consumer.poll(100)).length)
    await consumer.close()
    await log.close()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  expect(stdout).toBe('0\n')
  await rm(directory, { recursive: true })
})

test('partitions by hand: no group is needed, and none is joined', async () => {
  await log.createTopic('t', { partitions: 2 })
  await send('t', 1, 'a')
  const consumer = log.consumer({ offsetReset: 'earliest' })
  consumer.assign([{ topic: 't', partition: 1 }])
  expect(valuesOf(await consumer.poll())).toEqual(['a'])
  expect(() => consumer.subscribe(['t'])).toThrow(expect.objectContaining({ code: 'LOG_NO_GROUP' }))
  await expect(consumer.commit()).rejects.toMatchObject({ code: 'LOG_NO_GROUP' })
  expect(() => consumer.assign([{ topic: 'no', partition: 0 }])).toThrow(
    expect.objectContaining({ code: 'LOG_UNKNOWN_TOPIC' }),
  )
})

describe('partitions that are found later', () => {
  beforeEach(async () => {
    await log.createTopic('t', { partitions: 1 })
    await send('t', 0, 'old')
  })

  test('are read from their start, also under latest: nothing written before they are noticed is skipped', async () => {
    const first = join({ offsetReset: 'latest' })
    await settle(first)
    await log.addPartitions('t', 3)
    await send('t', 1, 'early 1')
    await send('t', 2, 'early 2')
    // One that joins only now knows the group's past, too.
    const second = join({ offsetReset: 'latest' })
    expect(valuesOf(await settle(first, second)).toSorted()).toEqual(['early 1', 'early 2'])
    await first.close()
    await second.close()
  })

  test('as are topics that come to match, that are made after they were asked for, or made anew', async () => {
    const consumer = join({ offsetReset: 'latest' }, /^(t|u)$/)
    const other = log.consumer({ group: 'other', offsetReset: 'latest' })
    other.subscribe(['u'])
    await settle(consumer, other)
    await log.createTopic('u', { partitions: 1 })
    await send('u', 0, 'first')
    expect(valuesOf(await settle(consumer))).toEqual(['first'])
    expect(valuesOf(await settle(other))).toEqual(['first'])
    await log.deleteTopic('u')
    await settle(consumer)
    await log.createTopic('u', { partitions: 1 })
    await send('u', 0, 'anew')
    expect(valuesOf(await settle(consumer))).toEqual(['anew'])
    await consumer.close()
    await other.close()
  })

  test('but not those that were there when a topic was asked for', async () => {
    await log.createTopic('u', { partitions: 1 })
    await send('u', 0, 'old')
    const consumer = join({ offsetReset: 'latest' })
    await settle(consumer)
    consumer.subscribe(['t', 'u'])
    expect(await settle(consumer)).toEqual([])
    await consumer.close()
    // One that comes back misses nothing; one that starts over is a new one.
    await log.addPartitions('u', 2)
    await send('u', 1, 'meanwhile')
    const back = join({ offsetReset: 'latest' }, ['u'])
    expect(valuesOf(await settle(back))).toEqual(['meanwhile'])
    await back.close()
    await log.deleteGroup('g')
    const anew = join({ offsetReset: 'latest' }, ['u'])
    expect(await settle(anew)).toEqual([])
    await anew.close()
    const again = log.consumer({ group: 'elsewhere', offsetReset: 'latest' })
    again.subscribe(['t', 'u'])
    expect(await settle(again)).toEqual([])
    await again.close()
  })
})

test('input that expired unread is told of and counted', async () => {
  await log.createTopic('t', { partitions: 1 })
  for (const value of ['a', 'b', 'c', 'd', 'e']) await send('t', 0, value)
  const resets: OffsetReset[] = []
  const consumer = join({
    onReset: (reset) => resets.push(reset),
    maxPollRecords: 1,
    partitionFetchBytesMax: 1,
  })
  expect(valuesOf(await consumer.poll())).toEqual(['a'])
  await log.deleteRecords('t', 0, 4)
  expect(valuesOf(await settle(consumer))).toEqual(['e'])
  expect(resets).toEqual([{ topic: 't', partition: 0, wanted: 1, offset: 4, expired: 3 }])
  expect(consumer.expiredUnread).toBe(3)
  await consumer.close()
})

test('a poll reads no more than it was told to', async () => {
  await log.createTopic('t', { partitions: 2 })
  for (const partition of [0, 1]) {
    for (let i = 0; i < 3; i++) await send('t', partition, 'x'.repeat(400))
  }
  const polled = async (options: ConsumerOptions): Promise<number> => {
    const consumer = log.consumer(options)
    consumer.assign([0, 1].map((partition) => ({ topic: 't', partition })))
    consumer.seekToBeginning()
    const { length } = await consumer.poll()
    await consumer.close()
    return length
  }
  expect(await polled({})).toBe(6)
  expect(await polled({ partitionFetchBytesMax: 1000 })).toBe(4)
  // The first batch comes in any case.
  expect(await polled({ partitionFetchBytesMax: 1 })).toBe(2)
  expect(await polled({ fetchBytesMax: 1 })).toBe(1)
  // What a poll does not come to keeps its place.
  await log.commitOffsets('g', [{ topic: 't', partition: 1, offset: 2 }])
  const member = join({ fetchBytesMax: 1 })
  expect((await settle(member)).map(({ partition, offset }) => `${partition}:${offset}`).toSorted()).toEqual([
    '0:0',
    '0:1',
    '0:2',
    '1:2',
  ])
  await member.close()
})

describe('offsets nobody uses', () => {
  const day = 24 * 3_600_000
  const at = { topic: 't', partition: 0 }

  async function days(count: number): Promise<void> {
    clock.advanceTo(clock.nowMs() + count * day)
    await (log as EmbeddedLog).maintain()
  }

  beforeEach(async () => {
    await log.createTopic('t', { partitions: 1 })
  })

  test('expire seven days after the last commit, over restarts; a query’s never do', async () => {
    const owner = await log.claim('worker')
    const offsets = [{ ...at, offset: 0 }]
    await log.commit({ owner, appends: [], offsets: [{ group: '_millrace-query-Q', offsets }] })
    await log.commitOffsets('g', offsets)
    await days(4)
    await log.commitOffsets('h', offsets)
    await log.close()
    log = await opened()
    await days(2)
    expect(log.groups()).toEqual(['_millrace-query-Q', 'g', 'h'])
    await days(1.1)
    expect(log.groups()).toEqual(['_millrace-query-Q', 'h'])
    await log.close()
    log = await opened()
    expect(log.groups()).toEqual(['_millrace-query-Q', 'h'])
    await days(30)
    expect(log.groups()).toEqual(['_millrace-query-Q'])
  })

  test('stay while the group has members, and count from when the last one left', async () => {
    await log.commitOffsets('g', [{ ...at, offset: 0 }])
    const member = join({ autoCommit: false, sessionTimeoutMs: 100 * day, maxPollIntervalMs: 100 * day })
    await days(20)
    expect(log.groups()).toEqual(['g'])
    await member.close()
    await days(6)
    expect(log.groups()).toEqual(['g'])
    await days(2)
    expect(log.groups()).toEqual([])
  })

  test('have an hour after an opening: members may come back', async () => {
    await log.commitOffsets('g', [{ ...at, offset: 0 }])
    await log.close()
    clock.advanceTo(clock.nowMs() + 30 * day)
    log = await opened()
    await days(1 / 25)
    expect(log.groups()).toEqual(['g'])
    await days(1 / 24)
    expect(log.groups()).toEqual([])
  })

  test('are deleted by partition where nobody reads the topic', async () => {
    await log.addPartitions('t', 2)
    await log.commitOffsets('g', [
      { ...at, offset: 0 },
      { topic: 't', partition: 1, offset: 0 },
    ])
    const member = join()
    await expect(log.deleteOffsets('g', [at])).rejects.toMatchObject({ code: 'LOG_GROUP_ACTIVE' })
    await member.close()
    await log.deleteOffsets('g', [at])
    await log.close()
    log = await opened()
    expect(log.committedOffsets('g')).toEqual([{ topic: 't', partition: 1, offset: 0 }])
  })

  test('of a query are not for others to move', async () => {
    const group = '_millrace-query-Q'
    const offsets = [{ ...at, offset: 0 }]
    const refused = { code: 'LOG_INTERNAL_GROUP' }
    await expect(log.commitOffsets(group, offsets)).rejects.toMatchObject(refused)
    await expect(log.deleteGroup(group)).rejects.toMatchObject(refused)
    await expect(log.deleteOffsets(group, [at])).rejects.toMatchObject(refused)
    const producer = log.producer({ transactionalId: 'x' })
    await producer.beginTransaction()
    await expect(producer.sendOffsets(group, offsets)).rejects.toMatchObject(refused)
  })
})
