import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import type { FileHandle, FileSystem } from '../../src/base/file-system.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import { CODECS } from '../../src/log/compression.ts'
import type { Log, Producer, ProducerOptions } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { AT_ATTRIBUTES, CODEC_MASK, readI16 } from '../../src/log/record-batch.ts'
import { batchOf, utf8, values } from './log-reading.ts'

/** Files whose syncs wait while the gate is shut. */
class Gated extends MemoryFileSystem {
  gate: Promise<void> = Promise.resolve()
  open_ = (): void => {}

  shut(): void {
    this.gate = new Promise((resolve) => (this.open_ = resolve))
  }

  override async open(...args: Parameters<FileSystem['open']>): Promise<FileHandle> {
    const file = await super.open(...args)
    return new Proxy(file, {
      get: (target, name) => {
        if (name === 'sync') return () => this.gate.then(() => target.sync())
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

let clock: ManualClock
let disk: Gated
let log: Log

beforeEach(async () => {
  clock = new ManualClock(1_000_000)
  disk = new Gated()
  log = await openLog({ directory: '/data', fileSystem: disk, clock, random: seededRandom(7) })
})

afterEach(async () => {
  disk.open_()
  await log.close()
})

const later = (ms: number): void => clock.advanceTo(clock.nowMs() + ms)
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}
const record = (value: string, more: { key?: Uint8Array | null; partition?: number } = {}) => ({
  topic: 't',
  key: null,
  value: utf8(value),
  ...more,
})
const partitionsOf = async (producer: Producer, keys: readonly (Uint8Array | null)[]): Promise<number[]> => {
  const deliveries = await Promise.all(keys.map((key) => producer.send(record('x', { key }))))
  return deliveries.map(({ partition }) => partition)
}

describe('a record goes', () => {
  beforeEach(async () => {
    await log.createTopic('t', { partitions: 4 })
  })

  test('by its key to the partition Kafka’s Java client gives it; an empty key is a key', async () => {
    const keys = ['a', 'V001', 'foobar', 'é', '']
    expect(await partitionsOf(log.producer(), keys.map(utf8))).toEqual([0, 3, 2, 3, 1])
  })

  test('to the partition it names, whatever the partitioner', async () => {
    for (const partitioner of ['murmur2', 'sticky', 'round-robin', () => 0] as const) {
      const { partition } = await log
        .producer({ partitioner })
        .send(record('x', { key: utf8('a'), partition: 3 }))
      expect(partition).toBe(3)
    }
    await expect(log.producer().send(record('x', { partition: 4 }))).rejects.toMatchObject({
      code: 'LOG_UNKNOWN_PARTITION',
    })
  })

  test('in turn with round-robin, keys or not', async () => {
    const partitions = await partitionsOf(log.producer({ partitioner: 'round-robin' }), [
      utf8('a'),
      utf8('a'),
      null,
      utf8('a'),
      utf8('a'),
    ])
    expect(partitions.map((p) => (p - partitions[0]! + 4) % 4)).toEqual([0, 1, 2, 3, 0])
  })

  test('where a function says', async () => {
    const asked: unknown[] = []
    const partitioner: ProducerOptions['partitioner'] = (unplaced) => {
      asked.push(unplaced)
      return unplaced.key === null ? 0 : 2
    }
    expect(await partitionsOf(log.producer({ partitioner }), [null, utf8('k')])).toEqual([0, 2])
    expect(asked).toEqual([
      { topic: 't', key: null, partitions: 4 },
      { topic: 't', key: utf8('k'), partitions: 4 },
    ])
    await expect(log.producer({ partitioner: () => 9 }).send(record('x'))).rejects.toMatchObject({
      code: 'LOG_UNKNOWN_PARTITION',
    })
  })

  test('without a key to one partition until 16 KiB went there, then to another; a few sends do not spread', async () => {
    const producer = log.producer()
    const first: number[] = []
    for (let i = 0; i < 50; i++) first.push((await producer.send(record('x'))).partition)
    expect(new Set(first).size).toBe(1)
    const used = new Set<number>()
    for (let i = 0; i < 200; i++) used.add((await producer.send(record('x'.repeat(2000)))).partition)
    expect(used.size).toBe(4)
  })

  test('with the sticky partitioner as if it had no key', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => utf8(`key ${i}`))
    expect(new Set(await partitionsOf(log.producer({ partitioner: 'sticky' }), keys)).size).toBe(1)
  })
})

describe('the buffer', () => {
  beforeEach(async () => {
    await log.createTopic('t', { partitions: 1 })
  })

  test('full, sends wait for room in their order, and ready() tells when there is some', async () => {
    const producer = log.producer({ bufferBytesMax: 1000, maxInFlight: 1 })
    disk.shut()
    const sent = Array.from({ length: 10 }, (_, i) => producer.send(record(`${i}${'x'.repeat(300)}`)))
    let isReady = false
    const ready = producer.ready().then(() => (isReady = true))
    await turns()
    expect(isReady).toBe(false)
    disk.open_()
    await ready
    expect((await Promise.all(sent)).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect((await values(log, 't')).map((value) => value[0]).join('')).toBe('0123456789')
  })

  test('full for maxBlockMs refuses the send; what was taken is written', async () => {
    const producer = log.producer({ bufferBytesMax: 100, maxBlockMs: 500 })
    disk.shut()
    const first = producer.send(record('first'))
    const second = producer.send(record('second'))
    const refused = expect(second).rejects.toMatchObject({ code: 'LOG_PRODUCER_BUFFER_FULL' })
    await turns()
    later(499)
    await turns()
    later(1)
    await refused
    disk.open_()
    await first
    await producer.close()
    expect(await values(log, 't')).toEqual(['first'])
  })

  test('deliveryTimeoutMs ends the wait: what has gone may still be written, what has not is not', async () => {
    const producer = log.producer({ deliveryTimeoutMs: 1000, maxInFlight: 1 })
    disk.shut()
    const gone = expect(producer.send(record('gone'))).rejects.toMatchObject({
      code: 'LOG_DELIVERY_TIMEOUT',
      message: expect.stringContaining('may still be written'),
    })
    await turns()
    const waiting = expect(producer.send(record('waiting'))).rejects.toMatchObject({
      code: 'LOG_DELIVERY_TIMEOUT',
      message: expect.stringContaining('was not written'),
    })
    await turns()
    later(1000)
    await Promise.all([gone, waiting])
    // Nothing is left to wait for.
    await producer.flush()
    disk.open_()
    expect(await producer.send(record('next'))).toMatchObject({ offset: 1 })
    expect(await values(log, 't')).toEqual(['gone', 'next'])
  })

  test('a transaction with a record that timed out cannot commit', async () => {
    const producer = log.producer({ transactionalId: 'x', deliveryTimeoutMs: 1000 })
    await producer.beginTransaction()
    disk.shut()
    const late = expect(producer.send(record('late'))).rejects.toMatchObject({ code: 'LOG_DELIVERY_TIMEOUT' })
    await turns()
    later(1000)
    await late
    disk.open_()
    await expect(producer.commitTransaction()).rejects.toMatchObject({ code: 'LOG_TRANSACTION_FAILED' })
    await producer.abortTransaction()
    expect(await values(log, 't')).toEqual([])
  })

  test('flush waits for what was sent before it, not for what comes after', async () => {
    const producer = log.producer({ lingerMs: 10_000 })
    void producer.send(record('before'))
    const flushed = producer.flush()
    void producer.send(record('after'))
    await flushed
    expect(await values(log, 't')).toContain('before')
    await producer.flush()
    expect(await values(log, 't')).toEqual(['before', 'after'])
  })
})

test('records wait for lingerMs together, unless their batch is full', async () => {
  await log.createTopic('t', { partitions: 1 })
  const producer = log.producer({ lingerMs: 50, batchBytesMax: 1000 })
  let answered = 0
  for (let i = 0; i < 3; i++) void producer.send(record(`${i}`)).then(() => answered++)
  await turns()
  expect(answered).toBe(0)
  later(50)
  await turns()
  expect(answered).toBe(3)
  await producer.send(record('x'.repeat(1000)))
  expect(log.ends('t', 0).highWatermark).toBe(4)
})

test('what cannot be a record is refused before it harms a batch', async () => {
  await log.createTopic('t', { partitions: 1, config: { 'max.message.bytes': '2000' } })
  const producer = log.producer()
  const refused = async (more: object, code: string): Promise<void> => {
    await expect(producer.send({ ...record('x'), ...more })).rejects.toMatchObject({ code })
  }
  for (const timestampMs of [NaN, 1.5, -1, 2 ** 60]) await refused({ timestampMs }, 'LOG_INVALID_TIMESTAMP')
  await refused({ headers: [{ key: 'h', value: new Uint8Array(3000) }] }, 'LOG_RECORD_TOO_LARGE')
  await expect(producer.send({ ...record('x'), value: 'text' as never })).rejects.toBeInstanceOf(TypeError)
  await producer.send(record('good'))
  expect(await values(log, 't')).toEqual(['good'])
})

test('a running producer follows the settings of an altered topic', async () => {
  await log.createTopic('t', { partitions: 1 })
  const producer = log.producer()
  const codecAt = async (offset: number): Promise<string> => {
    const { bytes } = await log.read('t', 0, offset, 1)
    return CODECS[readI16(bytes, AT_ATTRIBUTES) & CODEC_MASK]!
  }
  const value = 'x'.repeat(500)
  await producer.send(record(value))
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd', 'uncompressed']) {
    await log.alterTopic('t', { 'compression.type': codec })
    const { offset } = await producer.send(record(value))
    expect(await codecAt(offset)).toBe(codec === 'uncompressed' ? 'none' : codec)
  }
  expect(await values(log, 't')).toEqual(Array.from({ length: 6 }, () => value))
})

test("a commit group's batches are stored under the topic's compression.type", async () => {
  await log.createTopic('t', { partitions: 1, config: { 'compression.type': 'zstd' } })
  const owner = await log.claim('w')
  const text = 'y'.repeat(400)
  const batches = new Uint8Array([...batchOf(text, text), ...batchOf(text)])
  await log.commit({ owner, appends: [{ topic: 't', partition: 0, batches }], offsets: [] })
  const { bytes } = await log.read('t', 0, 0, 1 << 20)
  expect(CODECS[readI16(bytes, AT_ATTRIBUTES) & CODEC_MASK]).toBe('zstd')
  expect(bytes.length).toBeLessThan(300)
  expect(await values(log, 't')).toEqual([text, text, text])
})
