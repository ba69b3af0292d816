import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { FileSystem } from '../../src/base/file-system.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'
import type { CommitGroup, CommitOwner, Log } from '../../src/log/log.ts'
import { type LogOptions, openLog } from '../../src/log/open-log.ts'
import { walkRecords } from '../../src/log/walk-records.ts'
import { batchOf, utf8, values } from './log-reading.ts'

const group = (owner: CommitOwner, rest: Partial<CommitGroup> = {}): CommitGroup => ({
  owner,
  appends: [],
  offsets: [],
  ...rest,
})

const kinds: [string, () => Promise<{ fileSystem: FileSystem; directory: string }>][] = [
  ['memory', async () => ({ fileSystem: new MemoryFileSystem(), directory: '/data' })],
  [
    'node',
    async () => ({ fileSystem: nodeFileSystem, directory: await mkdtemp(join(tmpdir(), 'millrace-log-')) }),
  ],
]

describe.each(kinds)('the log on %s files', (kind, place) => {
  let open: Log[] = []
  let where: Awaited<ReturnType<typeof place>> | undefined

  async function start(options: Partial<LogOptions> = {}): Promise<Log> {
    where ??= await place()
    const log = await openLog({ ...where, journalBytesMax: 1 << 20, ...options })
    open.push(log)
    return log
  }

  afterEach(async () => {
    for (const log of open) await log.close()
    open = []
    if (kind === 'node' && where !== undefined) await rm(where.directory, { recursive: true })
    where = undefined
  })

  test('a topic has a name, an id, partitions and settings, and survives a restart', async () => {
    let log = await start()
    const made = await log.createTopic('t', { partitions: 3, config: { 'retention.ms': '1000' } })
    expect(made).toMatchObject({
      name: 't',
      partitions: 3,
      config: { 'retention.ms': '1000' },
      internal: false,
    })
    expect(made.id).toMatch(/^[\w-]{22}$/)
    const { id } = log
    await log.close()
    log = await start()
    expect(log.id).toBe(id)
    expect(log.topics()).toEqual([made])
  })

  test.each([
    ['../up', 'LOG_INVALID_TOPIC'],
    ['..', 'LOG_INVALID_TOPIC'],
    ['', 'LOG_INVALID_TOPIC'],
    ['a/b', 'LOG_INVALID_TOPIC'],
  ])('the name %j is refused', async (name, code) => {
    const log = await start()
    await expect(log.createTopic(name, { partitions: 1 })).rejects.toMatchObject({ code })
  })

  test('bad settings, partition counts and second creations are refused', async () => {
    const log = await start()
    await log.createTopic('t', { partitions: 1 })
    await expect(log.createTopic('t', { partitions: 1 })).rejects.toMatchObject({ code: 'LOG_TOPIC_EXISTS' })
    await expect(log.createTopic('u', { partitions: 0 })).rejects.toMatchObject({ code: 'LOG_INVALID_TOPIC' })
    for (const config of [{ 'no.such': '1' }, { 'retention.ms': 'soon' }, { toString: '1' }]) {
      await expect(log.createTopic('u', { partitions: 1, config })).rejects.toMatchObject({
        code: 'LOG_INVALID_CONFIG',
      })
    }
    expect(log.topics()).toHaveLength(1)
  })

  test('a group appears whole: appends, offsets and topics', async () => {
    const log = await start()
    const owner = await log.claim('worker')
    await log.createTopic('in', { partitions: 2 })
    const outcome = await log.commit(
      group(owner, {
        createTopics: [{ name: 'out', partitions: 1 }],
        appends: [
          { topic: 'in', partition: 1, batches: batchOf('a', 'b') },
          { topic: 'out', partition: 0, batches: batchOf('c') },
          { topic: 'in', partition: 1, batches: batchOf('d') },
        ],
        offsets: [{ group: 'g', offsets: [{ topic: 'in', partition: 1, offset: 2, metadata: 'here' }] }],
      }),
    )
    expect(outcome).toEqual({ kind: 'committed', baseOffsets: [0, 0, 2] })
    expect(await values(log, 'in', 1)).toEqual(['a', 'b', 'd'])
    expect(await values(log, 'in', 1, 1)).toEqual(['b', 'd'])
    expect(await values(log, 'out')).toEqual(['c'])
    expect(log.ends('in', 1)).toEqual({ logStart: 0, highWatermark: 3, lastStable: 3 })
    expect(log.committedOffsets('g')).toEqual([{ topic: 'in', partition: 1, offset: 2, metadata: 'here' }])
  })

  test('a refused group leaves nothing', async () => {
    const log = await start()
    const owner = await log.claim('worker')
    await log.createTopic('t', { partitions: 1 })
    const bad: Partial<CommitGroup>[] = [
      { appends: [{ topic: 'nowhere', partition: 0, batches: batchOf('x') }] },
      { appends: [{ topic: 't', partition: 1, batches: batchOf('x') }] },
      { appends: [{ topic: 't', partition: 0, batches: utf8('no batch') }] },
      { offsets: [{ group: 'g', offsets: [{ topic: 't', partition: 0, offset: -1 }] }] },
      { createTopics: [{ name: 'u', partitions: 1 }], deleteTopics: ['nowhere'] },
    ]
    for (const rest of bad) {
      const appends = [{ topic: 't', partition: 0, batches: batchOf('first') }, ...(rest.appends ?? [])]
      await expect(log.commit(group(owner, { ...rest, appends }))).rejects.toMatchObject({
        name: 'StorageError',
      })
    }
    expect(log.ends('t', 0).highWatermark).toBe(0)
    expect(log.topic('u')).toBeUndefined()
    expect(log.groups()).toEqual([])
  })

  test('a later claim fences, also over a restart', async () => {
    let log = await start()
    await log.createTopic('t', { partitions: 1 })
    const old = await log.claim('worker')
    const append = { topic: 't', partition: 0, batches: batchOf('x') }
    await log.close()
    log = await start()
    const owner = await log.claim('worker')
    expect(owner.epoch).toBeGreaterThan(old.epoch)
    expect(await log.commit(group(old, { appends: [append] }))).toEqual({ kind: 'fenced' })
    expect(await log.commit(group(owner, { appends: [append] }))).toMatchObject({ kind: 'committed' })
  })

  test('everything is there after a restart, bulk and small, over several journals and segments', async () => {
    let log = await start()
    const owner = await log.claim('worker')
    await log.createTopic('t', { partitions: 2, config: { 'segment.bytes': '400000' } })
    const expected: string[][] = [[], []]
    for (let i = 0; i < 30; i++) {
      const sizes = [1000 + i, i % 3 === 0 ? 200_000 : 50_000]
      const appends = sizes.map((size, partition) => {
        const value = String(i % 10).repeat(size)
        expected[partition]!.push(value)
        return { topic: 't', partition, batches: batchOf(value) }
      })
      expect(await log.commit(group(owner, { appends }))).toMatchObject({ kind: 'committed' })
    }
    for (const round of ['live', 'reopened', 'reopened twice']) {
      for (const partition of [0, 1]) {
        for (const bytesMax of [1, 300_000, 1 << 22]) {
          expect(await values(log, 't', partition, 0, bytesMax), round).toEqual(expected[partition])
        }
        expect(await values(log, 't', partition, 17)).toEqual(expected[partition]!.slice(17))
      }
      await log.close()
      log = await start()
    }
  })

  test('reading outside the log and from unknown places is refused', async () => {
    const log = await start()
    await log.createTopic('t', { partitions: 1 })
    await expect(log.read('t', 0, 1, 100)).rejects.toMatchObject({ code: 'LOG_OFFSET_OUT_OF_RANGE' })
    await expect(log.read('t', 0, -1, 100)).rejects.toMatchObject({ code: 'LOG_OFFSET_OUT_OF_RANGE' })
    await expect(log.read('t', 1, 0, 100)).rejects.toMatchObject({ code: 'LOG_UNKNOWN_PARTITION' })
    await expect(log.read('u', 0, 0, 100)).rejects.toMatchObject({ code: 'LOG_UNKNOWN_TOPIC' })
    expect(() => log.ends('u', 0)).toThrow('There is no topic u.')
  })

  test('a re-created topic is empty, has another id and no offsets', async () => {
    let log = await start()
    const first = await log.createTopic('t', { partitions: 1 })
    const producer = log.producer()
    await producer.send({ topic: 't', key: null, value: utf8('x') })
    await log.commitOffsets('g', [{ topic: 't', partition: 0, offset: 1 }])
    await log.deleteTopic('t')
    expect(log.topic('t')).toBeUndefined()
    const second = await log.createTopic('t', { partitions: 1 })
    expect(second.id).not.toBe(first.id)
    for (const round of ['live', 'reopened']) {
      expect(log.ends('t', 0).highWatermark, round).toBe(0)
      expect(log.committedOffsets('g')).toEqual([])
      await log.close()
      log = await start()
    }
    expect(await where!.fileSystem.list(join(where!.directory, 'topics'))).not.toContain(first.id)
  })

  test('groups keep and forget offsets', async () => {
    let log = await start()
    await log.createTopic('t', { partitions: 2 })
    await log.commitOffsets('g', [{ topic: 't', partition: 0, offset: 5 }])
    await log.commitOffsets('g', [{ topic: 't', partition: 1, offset: 7 }])
    await log.commitOffsets('h', [{ topic: 't', partition: 1, offset: 1 }])
    await log.commitOffsets('g', [{ topic: 't', partition: 0, offset: 6 }])
    await log.deleteGroup('h')
    await log.close()
    log = await start()
    expect(log.groups()).toEqual(['g'])
    expect(log.committedOffsets('g')).toEqual([
      { topic: 't', partition: 0, offset: 6 },
      { topic: 't', partition: 1, offset: 7 },
    ])
  })

  test.each([0, 1, 'all'] as const)('a producer with acks %s keeps order per key', async (acks) => {
    const log = await start()
    await log.createTopic('t', { partitions: 4 })
    const producer = log.producer({ acks, compression: 'zstd', batchBytesMax: 500 })
    const sent = []
    for (let i = 0; i < 200; i++) {
      sent.push(producer.send({ topic: 't', key: utf8(`k${i % 7}`), value: utf8(String(i)), timestampMs: i }))
    }
    await producer.flush()
    const deliveries = await Promise.all(sent)
    const all = await Promise.all([0, 1, 2, 3].map((p) => values(log, 't', p)))
    expect(all.flat()).toHaveLength(200)
    for (const ofPartition of all) {
      for (let k = 0; k < 7; k++) {
        const numbers = ofPartition.map(Number).filter((n) => n % 7 === k)
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      }
    }
    for (const [i, { partition, offset }] of deliveries.entries()) {
      if (acks !== 0) expect(all[partition]![offset]).toBe(String(i))
      else expect(offset).toBe(-1)
    }
  })

  test('a producer waits for lingerMs, refuses what is too large, and reports unknown topics', async () => {
    const log = await start()
    await log.createTopic('t', { partitions: 1, config: { 'max.message.bytes': '1000' } })
    await log.createTopic('c', { partitions: 1, config: { 'cleanup.policy': 'compact' } })
    const producer = log.producer({ lingerMs: 20 })
    const slow = producer.send({ topic: 't', key: null, value: utf8('x') })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(log.ends('t', 0).highWatermark).toBe(0)
    expect(await slow).toMatchObject({ offset: 0 })
    await expect(producer.send({ topic: 't', key: null, value: new Uint8Array(2000) })).rejects.toMatchObject(
      { code: 'LOG_RECORD_TOO_LARGE' },
    )
    await expect(producer.send({ topic: 'u', key: null, value: null })).rejects.toMatchObject({
      code: 'LOG_UNKNOWN_TOPIC',
    })
    await expect(producer.send({ topic: 'c', key: null, value: null })).rejects.toMatchObject({
      code: 'LOG_KEY_MISSING',
    })
  })

  test('offsets are found by time', async () => {
    let log = await start()
    await log.createTopic('t', { partitions: 1, config: { 'segment.bytes': '2000' } })
    const producer = log.producer({ batchBytesMax: 300 })
    for (let i = 0; i < 100; i++) {
      // Now and then a record is late.
      const timestampMs = 1000 + i * 10 - (i % 10 === 5 ? 500 : 0)
      await producer.send({ topic: 't', key: null, value: new Uint8Array(40), timestampMs })
    }
    for (const round of ['live', 'reopened']) {
      expect(await log.offsetForTime('t', 0, 0), round).toBe(0)
      expect(await log.offsetForTime('t', 0, 1000)).toBe(0)
      expect(await log.offsetForTime('t', 0, 1001)).toBe(1)
      expect(await log.offsetForTime('t', 0, 1500)).toBe(50)
      expect(await log.offsetForTime('t', 0, 1545)).toBe(56)
      expect(await log.offsetForTime('t', 0, 1990)).toBe(99)
      expect(await log.offsetForTime('t', 0, 1991)).toBeNull()
      await log.close()
      log = await start()
    }
  })

  test('LogAppendTime stamps records with the time of the append', async () => {
    const log = await start()
    await log.createTopic('t', { partitions: 1, config: { 'message.timestamp.type': 'LogAppendTime' } })
    await log.producer().send({ topic: 't', key: null, value: null, timestampMs: 5 })
    const { bytes } = await log.read('t', 0, 0, 1000)
    expect(walkRecords(bytes, 0).timestamps[0]).toBeGreaterThan(1_600_000_000_000)
  })

  test('listeners hear of moved ends until they stop', async () => {
    const log = await start()
    await log.createTopic('t', { partitions: 1 })
    let heard = 0
    const stop = log.onEndsMoved(() => {
      heard++
      expect(log.ends('t', 0).highWatermark).toBe(heard)
    })
    const producer = log.producer()
    await producer.send({ topic: 't', key: null, value: null })
    await producer.send({ topic: 't', key: null, value: null })
    stop()
    await producer.send({ topic: 't', key: null, value: null })
    expect(heard).toBe(2)
  })

  test('one process at a time', async () => {
    const log = await start()
    await expect(openLog(where!)).rejects.toMatchObject({ code: 'LOG_LOCKED' })
    await log.close()
    await start()
  })

  test('a closed log refuses work and says so', async () => {
    const log = await start()
    await log.createTopic('t', { partitions: 1 })
    expect(log.health().state).toBe('open')
    await log.close()
    await log.close()
    expect(log.health().state).toBe('closed')
    await expect(log.createTopic('u', { partitions: 1 })).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await expect(log.read('t', 0, 0, 10)).rejects.toMatchObject({ code: 'LOG_CLOSED' })
  })

  test('closing waits for what was sent', async () => {
    let log = await start()
    await log.createTopic('t', { partitions: 1 })
    const sent = log.producer().send({ topic: 't', key: null, value: utf8('x') })
    await log.close()
    await sent
    log = await start()
    expect(await values(log, 't')).toEqual(['x'])
  })
})

test('a directory that holds something else is refused and left alone', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  await writeFile(join(directory, 'package.json'), '{}')
  await expect(openLog({ directory })).rejects.toMatchObject({ code: 'LOG_FOREIGN_DIRECTORY' })
  expect(await nodeFileSystem.list(directory)).toEqual(['package.json'])
  await rm(directory, { recursive: true })
})
