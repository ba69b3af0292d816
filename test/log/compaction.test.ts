import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { ManualClock, systemClock } from '../../src/base/clock.ts'
import type { FileHandle, OpenMode } from '../../src/base/file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { KeyOffsets } from '../../src/log/key-offsets.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import {
  AT_ATTRIBUTES,
  AT_BASE_SEQUENCE,
  AT_BATCH_LENGTH,
  AT_LAST_OFFSET_DELTA,
  AT_RECORD_COUNT,
  DELETE_HORIZON,
  readI16,
  readI32,
  readI64,
  RecordBatchWriter,
} from '../../src/log/record-batch.ts'
import { walkRecords } from '../../src/log/walk-records.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { text, utf8 } from './log-reading.ts'

const DAY_MS = 24 * 60 * 60 * 1000

interface Found {
  readonly offset: number
  readonly key: string
  readonly value: string | null
  readonly timestampMs: number
}

async function opened(disk: SimulatedFileSystem, clock = new ManualClock(1_000_000)): Promise<EmbeddedLog> {
  const log = await openLog({
    directory: '/data',
    fileSystem: disk,
    clock,
    random: seededRandom(1),
    journalBytesMax: 1 << 20,
    // Rounds are asked for here.
    maintenanceEveryMs: 1e12,
  })
  return log as EmbeddedLog
}

/** A batch of `key=value`; `key` alone is a tombstone. */
function pairs(
  specs: readonly string[],
  compression: 'none' | 'gzip' | 'lz4' | 'snappy' | 'zstd' = 'none',
): Uint8Array {
  const writer = new RecordBatchWriter({ compression })
  for (const [i, spec] of specs.entries()) {
    const [key, value] = spec.split('=') as [string, string | undefined]
    const keyBytes = utf8(key)
    const valueBytes = value === undefined ? null : utf8(value)
    writer.append(1000 + i, keyBytes, 0, keyBytes.length, valueBytes, 0, valueBytes?.length ?? 0)
  }
  return writer.finish()
}

async function put(log: Log, ...batches: Uint8Array[]): Promise<void> {
  const owner = await log.claim('w')
  for (const batch of batches) {
    const outcome = await log.commit({
      owner,
      appends: [{ topic: 't', partition: 0, batches: batch }],
      offsets: [],
    })
    expect(outcome.kind).toBe('committed')
  }
}

/** A disk on which syncs of the journal wait. */
class SlowJournalDisk extends SimulatedFileSystem {
  syncsMayEnd: Promise<void> = Promise.resolve()

  override async open(path: string, mode: OpenMode): Promise<FileHandle> {
    const file = await super.open(path, mode)
    if (!path.includes('journal.')) return file
    const sync = file.sync.bind(file)
    return Object.assign(file, {
      sync: async () => {
        await this.syncsMayEnd
        await sync()
      },
    })
  }
}

async function found(log: Log, from = log.ends('t', 0).logStart): Promise<Found[]> {
  const all: Found[] = []
  for (let offset = from; offset < log.ends('t', 0).lastStable;) {
    const slice = await log.read('t', 0, offset, 1000)
    const columns = walkRecords(slice.bytes, offset, slice.aborted)
    const part = (start: number, end: number): string | null =>
      start < 0 ? null : text(columns.bytes.subarray(start, end))
    for (let i = 0; i < columns.count; i++) {
      all.push({
        offset: columns.offsets[i]!,
        key: part(columns.keyStarts[i]!, columns.keyEnds[i]!)!,
        value: part(columns.valueStarts[i]!, columns.valueEnds[i]!),
        timestampMs: columns.timestamps[i]!,
      })
    }
    expect(slice.nextOffset).toBeGreaterThan(offset)
    offset = slice.nextOffset
  }
  return all
}

const brief = (records: readonly Found[]): string[] =>
  records.map(({ offset, key, value }) => `${offset} ${key}${value === null ? '' : `=${value}`}`)

/** Makes the active segment old enough to be sealed, and cleans. */
async function cleaned(log: EmbeddedLog, clock: ManualClock): Promise<void> {
  clock.advanceTo(clock.nowMs() + 11 * 60 * 1000)
  await log.maintain()
  expect(log.health()).toMatchObject({ state: 'open', detail: 'The log in /data is open.' })
}

async function compactedTopic(config: Record<string, string> = {}) {
  const disk = new SimulatedFileSystem()
  const clock = new ManualClock(1_000_000)
  const log = await opened(disk, clock)
  await log.createTopic('t', { partitions: 1, config: { 'cleanup.policy': 'compact', ...config } })
  return { disk, clock, log }
}

describe('compaction keeps', () => {
  test('for every key the record with the highest offset, at its offset and time', async () => {
    const { disk, clock, log } = await compactedTopic({ 'min.cleanable.dirty.ratio': '0.1' })
    await put(log, pairs(['a=1', 'b=1', 'a=2']), pairs(['c=1', 'b=2', 'c=2']), pairs(['d=1']))
    await cleaned(log, clock)
    expect(await found(log)).toEqual([
      { offset: 2, key: 'a', value: '2', timestampMs: 1002 },
      { offset: 4, key: 'b', value: '2', timestampMs: 1001 },
      { offset: 5, key: 'c', value: '2', timestampMs: 1002 },
      { offset: 6, key: 'd', value: '1', timestampMs: 1000 },
    ])
    // The old file has gone, and a new one stands beside the active segment.
    expect(
      disk.paths().filter((path) => path.endsWith('.log') && disk.bytesOf(path).length > 0),
    ).toHaveLength(1)
    await put(log, pairs(['a=3', 'd=2']))
    await cleaned(log, clock)
    const expected = ['4 b=2', '5 c=2', '7 a=3', '8 d=2']
    expect(brief(await found(log))).toEqual(expected)
    expect(brief(await found(log, 6))).toEqual(['7 a=3', '8 d=2'])
    await log.close()
    const again = await opened(disk)
    expect(brief(await found(again))).toEqual(expected)
    expect(again.ends('t', 0)).toMatchObject({ logStart: 0, highWatermark: 9 })
    await again.close()
  })

  test('codecs, base and last offsets of the batches', async () => {
    for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
      const { clock, log } = await compactedTopic()
      const long = 'x'.repeat(300)
      await put(
        log,
        pairs([`a=${long}1`, `b=${long}1`, `a=${long}2`, `b=${long}2`, `c=${long}`], codec),
        pairs(['c=1']),
      )
      await cleaned(log, clock)
      expect(brief(await found(log))).toEqual([`2 a=${long}2`, `3 b=${long}2`, '5 c=1'])
      const { bytes } = await log.read('t', 0, 0, 1 << 20)
      expect(readI64(bytes, 0)).toBe(0)
      expect(readI32(bytes, AT_LAST_OFFSET_DELTA)).toBe(4)
      expect(readI32(bytes, AT_RECORD_COUNT)).toBe(2)
      expect(readI16(bytes, AT_ATTRIBUTES) & 7).toBe(['none', 'gzip', 'snappy', 'lz4', 'zstd'].indexOf(codec))
      await log.close()
    }
  })

  property.prop(
    [
      fc.array(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.option(fc.integer({ min: 0, max: 99 }))), {
          minLength: 1,
          maxLength: 6,
        }),
        { minLength: 1, maxLength: 30 },
      ),
      fc.array(fc.integer({ min: 0, max: 29 }), { maxLength: 4 }),
    ],
    { numRuns: 40 },
  )('exactly the last record of each key, whenever it runs', async (batches, passes) => {
    const { clock, log } = await compactedTopic({
      'segment.bytes': '400',
      'min.cleanable.dirty.ratio': '0',
    })
    const last = new Map<string, string>()
    let offset = 0
    for (const [i, batch] of batches.entries()) {
      const specs = batch.map(([key, value]) => `k${key}${value === null ? '' : `=${value}`}`)
      for (const spec of specs) last.set(spec.split('=')[0]!, `${offset++} ${spec}`)
      await put(log, pairs(specs))
      if (passes.includes(i)) await cleaned(log, clock)
    }
    await cleaned(log, clock)
    const expected = [...last.values()].sort((a, b) => parseInt(a, 10) - parseInt(b, 10))
    expect(brief(await found(log))).toEqual(expected)
    // From anywhere, what lies behind is found.
    for (const from of [1, Math.floor(offset / 2), offset - 1]) {
      expect(brief(await found(log, from))).toEqual(expected.filter((line) => parseInt(line, 10) >= from))
    }
    await log.close()
  })

  test("a producer's last sequence, in an empty batch", async () => {
    const { clock, log } = await compactedTopic()
    const { producerId, epoch } = await log.coordinator.initialise(null, 1000)
    const idempotent = (sequence: number, spec: string): Uint8Array => {
      const writer = new RecordBatchWriter({
        producer: { id: producerId, epoch, baseSequence: sequence, transactional: false },
      })
      const [key, value] = spec.split('=').map(utf8) as [Uint8Array, Uint8Array]
      writer.append(1000, key, 0, key.length, value, 0, value.length)
      return writer.finish()
    }
    await log.coordinator.produce('t', 0, idempotent(0, 'a=1'))
    await log.coordinator.produce('t', 0, idempotent(1, 'a=2'))
    await put(log, pairs(['a=3']))
    await cleaned(log, clock)
    expect(brief(await found(log))).toEqual(['2 a=3'])
    const { bytes } = await log.read('t', 0, 1, 1 << 20)
    expect([readI64(bytes, 0), readI32(bytes, AT_RECORD_COUNT), readI32(bytes, AT_BASE_SEQUENCE)]).toEqual([
      1, 0, 1,
    ])
    // The sequence goes on, and a duplicate gets its original's offset.
    expect(await log.coordinator.produce('t', 0, idempotent(1, 'a=2'))).toBe(1)
    expect(await log.coordinator.produce('t', 0, idempotent(2, 'b=1'))).toBe(3)
    await log.close()
  })

  test('the end of what was cleaned, so that readers see they are at it', async () => {
    const { clock, log } = await compactedTopic({
      'delete.retention.ms': '0',
      'min.cleanable.dirty.ratio': '0',
    })
    await put(log, pairs(['a=1']), pairs(['a']))
    await cleaned(log, clock)
    await put(log, pairs(['b']))
    await cleaned(log, clock)
    await put(log, pairs(['c']))
    await cleaned(log, clock)
    expect(brief(await found(log))).toEqual(['3 c'])
    expect((await log.read('t', 0, 3, 1000)).nextOffset).toBe(4)
    await log.close()
  })

  test('what lies before and behind a segment of which nothing is left', async () => {
    const { disk, clock, log } = await compactedTopic({
      'segment.bytes': '100',
      'min.cleanable.dirty.ratio': '0.1',
    })
    await put(log, ...['x=0', 'a=1', 'b=1', 'a=2', 'b=2', 'c=1'].map((pair) => pairs([pair])))
    await cleaned(log, clock)
    const kept = ['0 x=0', '3 a=2', '4 b=2', '5 c=1']
    for (const from of [0, 1, 2, 3])
      expect(brief(await found(log, from))).toEqual(kept.slice(from === 0 ? 0 : 1))
    await log.close()
    const again = await opened(disk, clock)
    expect(brief(await found(again, 1))).toEqual(kept.slice(1))
    await again.close()
  })

  test('records younger than the compaction lag', async () => {
    const { clock, log } = await compactedTopic({ 'min.compaction.lag.ms': String(DAY_MS) })
    await put(log, pairs(['a=1']), pairs(['a=2']))
    await cleaned(log, clock)
    expect(brief(await found(log))).toEqual(['0 a=1', '1 a=2'])
    clock.advanceTo(clock.nowMs() + DAY_MS)
    await cleaned(log, clock)
    expect(brief(await found(log))).toEqual(['1 a=2'])
    await log.close()
  })
})

describe('tombstones', () => {
  test('stay for delete.retention.ms after the first pass that saw them', async () => {
    const { clock, log } = await compactedTopic({ 'min.cleanable.dirty.ratio': '0' })
    await put(log, pairs(['a=1', 'b=1']), pairs(['a']))
    await cleaned(log, clock)
    expect(await found(log)).toMatchObject([
      { key: 'b' },
      { offset: 2, key: 'a', value: null, timestampMs: 1000 },
    ])
    const { bytes } = await log.read('t', 0, 2, 1000)
    expect(readI16(bytes, AT_ATTRIBUTES) & DELETE_HORIZON).toBe(DELETE_HORIZON)
    expect(readI64(bytes, 27)).toBe(clock.nowMs() + DAY_MS)
    clock.advanceTo(clock.nowMs() + DAY_MS - 12 * 60 * 1000)
    await put(log, pairs(['c=1']))
    await cleaned(log, clock)
    expect(brief(await found(log))).toEqual(['1 b=1', '2 a', '3 c=1'])
    await put(log, pairs(['c=2']))
    await cleaned(log, clock)
    expect(brief(await found(log))).toEqual(['1 b=1', '4 c=2'])
    await log.close()
  })

  test('stay while somebody may restore from before them', async () => {
    const { clock, log } = await compactedTopic({
      'delete.retention.ms': '0',
      'min.cleanable.dirty.ratio': '0',
    })
    log.holdFrom('t', 0, 1)
    await put(log, pairs(['a']), pairs(['b']))
    for (const value of [1, 2, 3]) {
      await put(log, pairs([`c=${value}`]))
      await cleaned(log, clock)
    }
    expect(brief(await found(log))).toEqual(['1 b', '4 c=3'])
    log.holdFrom('t', 0, 4)
    await put(log, pairs(['c=4']))
    await cleaned(log, clock)
    expect(brief(await found(log))).toEqual(['5 c=4'])
    await log.close()
  })

  test('of internal topics stay until their owner says from where it restores', async () => {
    const clock = new ManualClock(1_000_000)
    const log = await opened(new SimulatedFileSystem(), clock)
    const topic = '_millrace-x-changelog'
    await log.createTopic(topic, {
      partitions: 1,
      config: { 'cleanup.policy': 'compact', 'delete.retention.ms': '0', 'min.cleanable.dirty.ratio': '0' },
    })
    const owner = await log.claim('w')
    const write = async (spec: string): Promise<void> => {
      await log.commit({ owner, appends: [{ topic, partition: 0, batches: pairs([spec]) }], offsets: [] })
      await cleaned(log, clock)
    }
    for (const spec of ['a', 'b=1', 'b=2', 'b=3']) await write(spec)
    const count = async (): Promise<number> =>
      walkRecords((await log.read(topic, 0, 0, 1 << 20)).bytes, 0).count
    expect(await count()).toBe(2)
    log.holdFrom(topic, 0, 100)
    await write('b=4')
    expect(await count()).toBe(1)
    await log.close()
  })
})

test('entries a window store has expired go, once it has said so', async () => {
  const { clock, log } = await compactedTopic({ 'min.cleanable.dirty.ratio': '0' })
  await put(log, pairs(['1=x', '2=x', '3=x']), pairs(['1=y']))
  log.trim('t', 0, 3, (bytes, start) => bytes[start]! < '3'.charCodeAt(0))
  await cleaned(log, clock)
  // The later record of key 1 was written after that.
  expect(brief(await found(log))).toEqual(['2 3=x', '3 1=y'])
  await log.close()
})

describe('when it runs', () => {
  test('not before enough is dirty', async () => {
    const { clock, log } = await compactedTopic()
    await put(log, pairs(['a=1', 'b=1', 'c=1', 'd=1', 'e=1', 'f=1']))
    await cleaned(log, clock)
    await put(log, pairs(['a=2']))
    await cleaned(log, clock)
    expect(await found(log)).toHaveLength(7)
    await log.alterTopic('t', { 'max.compaction.lag.ms': '1000' })
    await cleaned(log, clock)
    expect(await found(log)).toHaveLength(6)
    await log.close()
  })

  test('it seals a busy active segment for it', async () => {
    const { log } = await compactedTopic()
    const value = 'x'.repeat(400_000)
    for (let i = 0; i < 4; i++) await put(log, pairs([`a=${i}${value}`]))
    await log.maintain()
    expect(await found(log)).toHaveLength(1)
    await log.close()
  })

  test('by itself', async () => {
    const clock = new ManualClock(1_000_000)
    const log = await openLog({ directory: '/data', fileSystem: new SimulatedFileSystem(), clock })
    await log.createTopic('t', { partitions: 1, config: { 'cleanup.policy': 'compact' } })
    await put(log, pairs(['a=1', 'a=2']))
    for (let i = 0; i < 100 && (await found(log)).length > 1; i++) clock.advanceTo(clock.nowMs() + 15_000)
    expect(brief(await found(log))).toEqual(['1 a=2'])
    await log.close()
  })

  test('never over a topic that only deletes', async () => {
    const { clock, log } = await compactedTopic({ 'cleanup.policy': 'delete' })
    await put(log, pairs(['a=1', 'a=2']))
    await cleaned(log, clock)
    expect(await found(log)).toHaveLength(2)
    await log.close()
  })
})

test('offsets whose batches are gone are covered, so that a damaged base offset shows', async () => {
  const { clock, disk, log } = await compactedTopic({ 'min.cleanable.dirty.ratio': '0' })
  for (const key of ['a', 'b', 'a', 'c', 'b', 'a']) await put(log, pairs([`${key}=1`]))
  await cleaned(log, clock)
  const expected = ['3 c=1', '4 b=1', '5 a=1']
  expect(brief(await found(log))).toEqual(expected)
  await log.close()
  const path = disk.paths().find((name) => name.endsWith('.1.log'))!
  const bytes = disk.bytesOf(path)
  const starts: number[] = []
  for (let at = 0; at < bytes.length; at += 12 + readI32(bytes, at + AT_BATCH_LENGTH)) starts.push(at)
  expect(starts.map((at) => readI64(bytes, at))).toEqual([0, 3, 4, 5])
  for (const at of starts) {
    for (let bit = 0; bit < 8; bit++) {
      const copy = disk.clone()
      copy.bytesOf(path)[at + 7]! ^= 1 << bit
      const again = await opened(copy, clock)
      await expect(found(again), `bit ${bit} of byte ${at + 7}`).rejects.toMatchObject({
        code: 'LOG_CORRUPT',
      })
      await again.close()
    }
  }
})

describe('transactions in a compacted topic', () => {
  test('aborted records go at once, markers a day after the last record of theirs', async () => {
    const { clock, log } = await compactedTopic({ 'min.cleanable.dirty.ratio': '0' })
    const producer = log.producer({ transactionalId: 'x' })
    const send = async (spec: string): Promise<void> => {
      const [key, value] = spec.split('=').map(utf8) as [Uint8Array, Uint8Array]
      void producer.send({ topic: 't', key, value })
      await producer.flush()
    }
    await producer.beginTransaction()
    await send('a=1')
    await producer.abortTransaction()
    await producer.beginTransaction()
    await send('b=1')
    await producer.commitTransaction()
    await cleaned(log, clock)
    const batches = async (): Promise<number[]> => {
      const { bytes } = await log.read('t', 0, 0, 1 << 20)
      const bases: number[] = []
      for (let at = 0; at < bytes.length; at += 12 + readI32(bytes, at + AT_BATCH_LENGTH))
        if (readI32(bytes, at + AT_RECORD_COUNT) > 0) bases.push(readI64(bytes, at))
      return bases
    }
    expect(brief(await found(log))).toEqual(['2 b=1'])
    expect(await batches()).toEqual([1, 2, 3])
    clock.advanceTo(clock.nowMs() + DAY_MS)
    await put(log, pairs(['c=1']))
    await cleaned(log, clock)
    expect(await batches()).toEqual([2, 3, 4])
    expect(brief(await found(log))).toEqual(['2 b=1', '4 c=1'])
    await log.close()
  })

  test('records of an open transaction are not touched', async () => {
    const { clock, log } = await compactedTopic()
    const producer = log.producer({ transactionalId: 'x', transactionTimeoutMs: 900_000 })
    await put(log, pairs(['a=1']))
    await producer.beginTransaction()
    void producer.send({ topic: 't', key: utf8('a'), value: utf8('2') })
    await producer.flush()
    await cleaned(log, clock)
    await producer.commitTransaction()
    expect(brief(await found(log))).toEqual(['0 a=1', '1 a=2'])
    await log.close()
  })
})

test('segments the journal may still refer to are not cleaned: first comes a checkpoint', async () => {
  const { disk, clock, log } = await compactedTopic({ 'min.cleanable.dirty.ratio': '0' })
  await put(log, pairs(['a=1']), pairs(['a=2']))
  disk.fate = ({ kind, path }) =>
    kind === 'write' && path.includes('checkpoint') ? { code: 'ENOSPC' } : undefined
  clock.advanceTo(clock.nowMs() + 11 * 60 * 1000)
  await log.maintain()
  await put(log, pairs(['b=1']))
  await log.maintain()
  expect(brief(await found(log))).toEqual(['0 a=1', '1 a=2', '2 b=1'])
  disk.fate = () => undefined
  await log.maintain()
  expect(brief(await found(log))).toEqual(['1 a=2', '2 b=1'])
  await log.close()
})

test('a damaged segment is left as it is, reported, and harms no other', async () => {
  const { disk, clock, log } = await compactedTopic()
  await put(log, pairs(['a=1']), pairs(['a=2']))
  const path = disk.paths().find((name) => name.endsWith('.log'))!
  disk.bytesOf(path)[70]! ^= 1
  clock.advanceTo(clock.nowMs() + 11 * 60 * 1000)
  await log.maintain()
  expect(log.health().state).toBe('open')
  expect(log.health().detail).toContain('Topic t, partition 0, cannot be cleaned')
  expect(disk.paths()).toContain(path)
  await log.close()
})

test('a log that is cleaned can be closed', async () => {
  const { disk, log } = await compactedTopic({ 'segment.bytes': '500000', 'max.compaction.lag.ms': '1' })
  await log.close()
  // By a clock on which work takes time, and whose timers never fire.
  let nowMs = 0
  const clock = {
    nowMs: () => 2_000_000,
    monotonicMs: () => (nowMs += 5),
    after: () => ({ cancel: () => undefined }),
    turn: () => systemClock.turn(),
  }
  const again = (await openLog({ directory: '/data', fileSystem: disk, clock })) as EmbeddedLog
  const value = 'x'.repeat(400_000)
  for (let i = 0; i < 6; i++) await put(again, pairs([`a=${i}${value}`]))
  const cleaning = again.maintain()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await again.close()
  await cleaning
  const third = await opened(disk)
  expect((await found(third)).at(-1)).toMatchObject({ offset: 5 })
  await third.close()
})

test('a full disk leaves the segments as they are', async () => {
  const { disk, clock, log } = await compactedTopic()
  await put(log, pairs(['a=1']), pairs(['a=2']))
  disk.fate = ({ kind, path }) =>
    kind === 'write' && path.endsWith('.1.log') ? { code: 'ENOSPC' } : undefined
  clock.advanceTo(clock.nowMs() + 11 * 60 * 1000)
  await log.maintain()
  expect(await found(log)).toHaveLength(2)
  disk.fate = () => undefined
  await cleaned(log, clock)
  expect(await found(log)).toHaveLength(1)
  await log.close()
})

test('a reader goes on while the segment under it is cleaned', async () => {
  const { disk, clock, log } = await compactedTopic()
  await put(log, pairs(['a=1', 'b=1']), pairs(['a=2']), pairs(['c=1']))
  const reading: Promise<Found[]>[] = []
  disk.fate = ({ kind, path }) => {
    // Starts when the old file is about to go.
    if (kind === 'removeTree' && path.endsWith('.log')) reading.push(found(log))
    return undefined
  }
  await cleaned(log, clock)
  const [read] = await Promise.all(reading)
  expect(brief(read!)).toEqual(['1 b=1', '2 a=2', '3 c=1'])
  await log.close()
})

/*
 * Random keys, cleaned, expired and rolled all the time; the power fails at a random operation, and the
 * machine restarts with whatever the disk kept.
 */
describe('power cuts', () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'seed %i: the last record of each key is kept',
    async (seed) => {
      const random = seededRandom(seed)
      const clock = new ManualClock(1_000_000)
      let disk = new SimulatedFileSystem()
      /** What was acknowledged, and what may have been written besides. */
      const acknowledged = new Map<string, number>()
      let asked = 0
      let passes = 0
      for (let life = 0; life < 6; life++) {
        let left = life === 5 ? Infinity : 30 + random.below(400)
        disk.fate = ({ kind }) => (kind !== 'read' && --left < 0 ? 'power cut' : undefined)
        let log: EmbeddedLog | null = null
        try {
          log = await opened(disk, clock)
          if (log.topic('t') === undefined) {
            expect(acknowledged.size).toBe(0)
            await log.createTopic('t', {
              partitions: 1,
              config: { 'cleanup.policy': 'compact', 'segment.bytes': '2000', 'delete.retention.ms': '0' },
            })
          }
          const latest = new Map<string, number>()
          for (const { key, value } of await found(log)) latest.set(key, Number(value))
          for (const [key, value] of acknowledged) expect(latest.get(key), key).toBeGreaterThanOrEqual(value)
          for (const [key, value] of latest) {
            expect(value).toBeLessThanOrEqual(asked)
            acknowledged.set(key, value)
          }
          if (life === 5) break
          for (;;) {
            const key = `k${random.below(8)}`
            const value = ++asked
            await put(log, pairs([`${key}=${value}`, `pad${random.below(3)}=${value}`]))
            acknowledged.set(key, value)
            if (random.below(6) === 0) {
              clock.advanceTo(clock.nowMs() + 11 * 60 * 1000)
              await log.maintain()
              if (log.health().state === 'open') passes++
            }
          }
        } catch (error) {
          if (left >= 0) throw error
        } finally {
          disk.fate = () => undefined
          await log?.close().catch(() => undefined)
        }
        disk = disk.afterPowerCut(random)
      }
      expect(acknowledged.size).toBeGreaterThan(0)
      expect(passes).toBeGreaterThan(0)
    },
  )
})

property.prop([fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 3000 })], { numRuns: 20 })(
  'the table of keys knows the highest offset of each',
  (keys) => {
    const table = new KeyOffsets(1 << 20)
    const plain = new Map<string, number>()
    for (const [offset, key] of keys.entries()) {
      table.set(key, 0, key.length, offset)
      plain.set(Buffer.from(key).toString('hex'), offset)
    }
    expect(table.count).toBe(plain.size)
    for (const key of keys) {
      expect(table.get(key, 0, key.length)).toBe(plain.get(Buffer.from(key).toString('hex')))
    }
    expect(table.get(utf8('not there'), 0, 9)).toBe(-1)
  },
)

test('cleaning begins while a commit waits for its sync: the commit is there after a kill', async () => {
  const disk = new SlowJournalDisk()
  const log = await opened(disk)
  await log.createTopic('t', {
    partitions: 1,
    config: { 'cleanup.policy': 'compact', 'segment.bytes': '90' },
  })
  await put(log, pairs(['a=1']), pairs(['a=2']), pairs(['a=3']))
  const owner = await log.claim('w')
  let endSyncs = (): void => {}
  disk.syncsMayEnd = new Promise((resolve) => (endSyncs = resolve))
  const committing = log.commit({
    owner,
    appends: [{ topic: 't', partition: 0, batches: pairs(['b=1']) }],
    offsets: [],
  })
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  await turns()
  const cleaning = log.maintain()
  await turns()
  endSyncs()
  expect((await committing).kind).toBe('committed')
  const killed = disk.clone()
  await cleaning
  await log.close()

  const again = await opened(killed)
  const kept = await found(again)
  expect(kept.map(({ key, value }) => `${key}=${value}`)).toContain('b=1')
  await again.close()
})
