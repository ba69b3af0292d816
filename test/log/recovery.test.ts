import { crc32c } from '@node-rs/crc32'
import { beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { CommitOwner, Log, Producer } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { RecordBatchWriter } from '../../src/log/record-batch.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { type FramePlace, framesOf } from '../fault/journal-frames.ts'
import { batchOf, utf8, values } from './log-reading.ts'

/* What docs/guarantees.md promises of opening a log whose process is gone, one promise at a time. */

const JOURNAL = '/data/journal.0'
const DAY_MS = 24 * 60 * 60 * 1000

let clock: ManualClock
beforeEach(() => {
  clock = new ManualClock(1_000_000)
})

async function opened(
  disk: SimulatedFileSystem,
  options: { durability?: 'fsync' | 'os'; journalBytesMax?: number } = {},
): Promise<EmbeddedLog> {
  const log = await openLog({
    directory: '/data',
    fileSystem: disk,
    random: seededRandom(1),
    journalBytesMax: 1 << 20,
    maintenanceEveryMs: 1e15,
    clock,
    ...options,
  })
  return log as EmbeddedLog
}

async function fresh(
  config: Record<string, string> = {},
): Promise<{ disk: SimulatedFileSystem; log: EmbeddedLog; owner: CommitOwner }> {
  const disk = new SimulatedFileSystem()
  const log = await opened(disk)
  await log.createTopic('t', { partitions: 1, config })
  return { disk, log, owner: await log.claim('w') }
}

const append = (log: Log, owner: CommitOwner, value: string, topic = 't') =>
  log.commit({ owner, appends: [{ topic, partition: 0, batches: batchOf(value) }], offsets: [] })

/** Batches of a client, `sequence` the first of each. */
function clientBatch(producerId: number, epoch: number, baseSequence: number): Uint8Array {
  const writer = new RecordBatchWriter({
    producer: { id: producerId, epoch, baseSequence, transactional: false },
  })
  writer.append(1_000_000, null, 0, 0, utf8('x'), 0, 1)
  return writer.finish()
}

const segmentsOf = (disk: SimulatedFileSystem): string[] =>
  disk.paths().filter((path) => path.endsWith('.log'))

/** Of the first journal file. */
function lastFrame(disk: SimulatedFileSystem): FramePlace {
  return framesOf(JOURNAL, disk.bytesOf(JOURNAL)).at(-1)!
}

/** What was answered last, and what has to be there of it. */
interface Change {
  readonly before?: (log: EmbeddedLog) => Promise<unknown>
  readonly change: (log: EmbeddedLog) => Promise<unknown>
  /** Seen the same before the power failed and after. */
  readonly look: (log: EmbeddedLog) => unknown
}

/** Of a producer with a transaction that has a record in t, and offsets. */
async function openTransaction(log: EmbeddedLog): Promise<Producer> {
  const producer = log.producer({ transactionalId: 'x' })
  await producer.beginTransaction()
  await producer.send({ topic: 't', partition: 0, key: null, value: utf8('of x') })
  await producer.sendOffsets('g', [{ topic: 't', partition: 0, offset: 9 }])
  return producer
}

let producer: Producer
const lookAtTransaction = async (log: EmbeddedLog): Promise<unknown> => [
  log.transactions(),
  log.committedOffsets('g'),
  log.ends('t', 0),
  await values(log, 't'),
]

const CHANGES: Record<string, Change> = {
  'a topic that was created': {
    change: (log) => log.createTopic('u', { partitions: 3, config: { 'retention.ms': '5' } }),
    look: (log) => log.topic('u'),
  },
  'a topic that was altered': {
    change: (log) => log.alterTopic('t', { 'retention.ms': '7' }),
    look: (log) => log.topic('t'),
  },
  'a topic that was deleted': {
    change: (log) => log.deleteTopic('t'),
    look: (log) => [log.topic('t'), log.committedOffsets('g')],
  },
  'partitions that were added': {
    change: (log) => log.addPartitions('t', 4),
    look: (log) => log.topic('t'),
  },
  'a log start that moved': {
    change: (log) => log.deleteRecords('t', 0, 1),
    look: (log) => log.ends('t', 0),
  },
  'a partition that was sealed, and emptied': {
    before: (log) => log.alterTopic('t', { 'retention.ms': '5' }),
    change: async (log) => {
      clock.advanceTo(clock.nowMs() + DAY_MS)
      await log.maintain()
      await append(log, await log.claim('w'), 'c')
    },
    look: async (log) => [log.ends('t', 0), await values(log, 't', 0, log.ends('t', 0).logStart)],
  },
  'offsets that were committed': {
    change: (log) => log.commitOffsets('h', [{ topic: 't', partition: 0, offset: 2 }]),
    look: (log) => log.committedOffsets('h'),
  },
  'offsets that were deleted': {
    change: (log) => log.deleteOffsets('g', [{ topic: 't', partition: 0 }]),
    look: (log) => log.committedOffsets('g'),
  },
  'a group that was deleted': {
    change: (log) => log.deleteGroup('g'),
    look: (log) => log.groups(),
  },
  'a claim': {
    change: (log) => log.claim('w'),
    look: async (log) => (await append(log, { name: 'w', epoch: 0 }, 'x')).kind,
  },
  'a transaction that is open': {
    change: async (log) => (producer = await openTransaction(log)),
    look: lookAtTransaction,
  },
  'a transaction that was committed': {
    before: async (log) => (producer = await openTransaction(log)),
    change: () => producer.commitTransaction(),
    look: lookAtTransaction,
  },
  'a transaction that was aborted': {
    before: async (log) => (producer = await openTransaction(log)),
    change: () => producer.abortTransaction(),
    look: lookAtTransaction,
  },
  'a newer producer of a transactional id': {
    before: async (log) => (producer = await openTransaction(log)),
    change: (log) => log.coordinator.initialise('x', 7_000),
    look: lookAtTransaction,
  },
  'a transactional id that was forgotten': {
    before: async (log) => (producer = await openTransaction(log)).abortTransaction(),
    change: async (log) => {
      clock.advanceTo(clock.nowMs() + 8 * DAY_MS)
      await log.maintain()
    },
    look: (log) => log.transactions(),
  },
}

/* No checkpoint knows of any of them, so the journal has to. */
test.each(Object.entries(CHANGES))(
  '%s survives a power cut right after it was answered',
  async (_, { before, change, look }) => {
    const { disk, log, owner } = await fresh()
    for (const value of ['a', 'b']) await append(log, owner, value)
    await log.commitOffsets('g', [{ topic: 't', partition: 0, offset: 1 }])
    await before?.(log)
    // Nothing of the change is seen yet.
    const earlier = JSON.stringify(await look(await opened(disk.clone())))
    await change(log)
    const after = disk.afterPowerCut(seededRandom(1))
    const seen = await look(log)
    expect(JSON.stringify(seen)).not.toBe(earlier)
    const again = await opened(after)
    expect(await look(again)).toEqual(seen)
    await again.close()
  },
)

test('an id that was given to a producer is given to no other, after a power cut too', async () => {
  const { disk, log } = await fresh()
  const { producerId } = await log.coordinator.initialise(null, 60_000)
  const again = await opened(disk.afterPowerCut(seededRandom(1)))
  expect((await again.coordinator.initialise(null, 60_000)).producerId).toBe(producerId + 1)
})

test('a transaction ends in all its partitions and with its offsets, or not at all, whenever the power fails', async () => {
  const { disk, log } = await fresh()
  // So many that their markers lie in several sectors.
  const partitions = Array.from({ length: 12 }, (_, n) => n)
  await log.createTopic('u', { partitions: partitions.length })
  const ending = await openTransaction(log)
  for (const partition of partitions) {
    await ending.send({ topic: 'u', partition, key: null, value: utf8('of x') })
  }
  const cuts: SimulatedFileSystem[] = []
  const cut = (seeds = 1): void => {
    for (let seed = 0; seed < seeds; seed++) cuts.push(disk.afterPowerCut(seededRandom(seed)))
  }
  disk.schedule = async ({ kind, path }, effect) => {
    // Before the sync of the frame it may be torn at any sector.
    if (kind === 'sync' && path.includes('journal.')) cut(40)
    else if (kind === 'write') cut()
    return effect()
  }
  await ending.commitTransaction()
  cut()
  const left = new Set<string>()
  for (const one of cuts) {
    const again = await opened(one)
    const ended = partitions.filter((n) => again.ends('u', n).lastStable > 0)
    left.add(`${ended.length}, ${(await values(again, 't')).length}, ${again.committedOffsets('g').length}`)
    await again.close()
  }
  expect([...left]).toEqual(['0, 0, 0', '12, 1, 1'])
})

describe('the chain of frames', () => {
  /** A frame with a checksum that holds. */
  function frameOf(
    { epoch, sequence, syncedThrough = 0, previousCrc }: Record<string, number>,
    entry: object,
  ): Uint8Array {
    const json = utf8(JSON.stringify(entry))
    const bytes = new Uint8Array(44 + 5 + json.length)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, 0x4d524a31)
    view.setUint32(4, 5 + json.length)
    view.setBigInt64(8, BigInt(epoch!))
    view.setBigInt64(16, BigInt(sequence!))
    view.setBigInt64(24, BigInt(syncedThrough))
    view.setUint32(32, previousCrc!)
    bytes[44] = 1
    view.setUint32(45, json.length)
    bytes.set(json, 49)
    view.setUint32(40, crc32c(bytes.subarray(44), crc32c(bytes.subarray(0, 40))))
    return bytes
  }

  test.each<[string, boolean, (next: Record<string, number>) => Record<string, number>]>([
    ['the next one is taken', true, (next) => next],
    ['one of an older epoch is not', false, (next) => ({ ...next, epoch: next['epoch']! - 1 })],
    ['one too far ahead is not', false, (next) => ({ ...next, sequence: next['sequence']! + 1 })],
    ['one that is there already is not', false, (next) => ({ ...next, sequence: next['sequence']! - 1 })],
    [
      'one that follows another is not',
      false,
      (next) => ({ ...next, previousCrc: next['previousCrc']! ^ 1 }),
    ],
  ])('of frames whose checksums hold %s', async (_, isTaken, changed) => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    const { id } = log.topic('t')!
    const { to, from, epoch, sequence } = lastFrame(disk)
    const previousCrc = new DataView(disk.bytesOf(JOURNAL).buffer).getUint32(from + 40)
    const frame = frameOf(changed({ epoch, sequence: sequence + 1, previousCrc }), {
      kind: 'delete-topic',
      id,
    })
    const copy = disk.clone()
    copy.bytesOf(JOURNAL).set(frame, Math.ceil(to / 4096) * 4096)
    const again = await opened(copy)
    expect(again.topic('t') === undefined).toBe(isTaken)
    await again.close()
  })

  test('each byte of a header is under the checksum of its frame', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    await append(log, owner, 'b')
    const { from } = lastFrame(disk)
    for (let at = 0; at < 44; at++) {
      const copy = disk.clone()
      copy.bytesOf(JOURNAL)[from + at]! ^= 1
      const again = await opened(copy)
      expect(await values(again, 't'), `byte ${at}`).toEqual(['a'])
      await again.close()
    }
  })

  test('every opening begins an epoch of its own', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    const { epoch } = lastFrame(disk)
    for (let life = 1; life <= 3; life++) {
      disk.afterKill()
      const again = await opened(disk)
      await append(again, await again.claim('w'), 'b')
      expect(lastFrame(disk).epoch).toBe(epoch + life)
    }
  })

  test('a torn frame in the middle of a group is its end, although what was written behind it is whole', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    await Promise.all(['b', 'c', 'd'].map((value) => append(log, owner, value)))
    const [b, c, d] = framesOf(JOURNAL, disk.bytesOf(JOURNAL)).slice(-3)
    expect([c!.from, d!.from]).toEqual([b!.to, c!.to])
    for (const [torn, kept] of [
      [b, ['a']],
      [c, ['a', 'b']],
    ] as const) {
      const copy = disk.clone()
      copy.bytesOf(JOURNAL)[torn!.from + 60]! ^= 1
      const again = await opened(copy)
      expect(await values(again, 't')).toEqual(kept)
      await again.close()
    }
  })

  test('a group that was not synced is a torn end also where its later blocks came to the disk first', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    await Promise.all([append(log, owner, 'b'.repeat(4096 - 44)), append(log, owner, 'c'.repeat(8000))])
    const copy = disk.clone()
    const [b] = framesOf(JOURNAL, disk.bytesOf(JOURNAL)).slice(-2)
    copy.bytesOf(JOURNAL).fill(0, b!.from, b!.from + 4096)
    const again = await opened(copy)
    expect(await values(again, 't')).toEqual(['a'])
    await again.close()
  })

  test('a frame that was known to be durable is missed, whichever file tells of it', async () => {
    const disk = new SimulatedFileSystem()
    const log = await opened(disk, { journalBytesMax: 1 << 16 })
    await log.createTopic('t', { partitions: 1 })
    const owner = await log.claim('w')
    // Up to the first frame in the other file.
    while (framesOf('1', disk.bytesOf('/data/journal.1')).length === 0)
      await append(log, owner, 'x'.repeat(6_000))
    const { from } = lastFrame(disk)
    const copy = disk.clone()
    copy.bytesOf(JOURNAL)[from + 60]! ^= 1
    await expect(opened(copy, { journalBytesMax: 1 << 16 })).rejects.toMatchObject({ code: 'LOG_DAMAGED' })
  })
})

test("under 'os', what follows bulk that was lost is lost with it: what is left is a prefix", async () => {
  const disk = new SimulatedFileSystem()
  const log = await opened(disk, { durability: 'os' })
  for (const name of ['t', 'results']) await log.createTopic(name, { partitions: 1 })
  const owner = await log.claim('w')
  await append(log, owner, 'kept')
  await append(log, owner, 'x'.repeat(200_000))
  await append(log, owner, 'of what is lost', 'results')
  const copy = disk.clone()
  copy.bytesOf(segmentsOf(copy).find((path) => copy.bytesOf(path).length > 200_000)!)[100_000]! ^= 1
  const again = await opened(copy, { durability: 'os' })
  expect(await values(again, 't')).toEqual(['kept'])
  expect(await values(again, 'results')).toEqual([])
  await append(again, await again.claim('w'), 'next')
  await again.close()
  expect(await values(await opened(copy, { durability: 'os' }), 't')).toEqual(['kept', 'next'])
})

test('frames of a topic that is deleted further on are passed over: their files may be gone', async () => {
  for (const value of ['small', 'x'.repeat(200_000)]) {
    const { disk, log, owner } = await fresh()
    await append(log, owner, value)
    await log.createTopic('other', { partitions: 1 })
    await append(log, owner, 'kept', 'other')
    const { id } = log.topic('t')!
    await log.deleteTopic('t')
    await expect.poll(() => disk.paths().filter((path) => path.includes(id))).toEqual([])
    const again = await opened(disk.clone())
    expect(again.topics().map(({ name }) => name)).toEqual(['other'])
    expect(await values(again, 'other')).toEqual(['kept'])
    await again.close()
  }
})

describe('an opening', () => {
  test('makes files that did not reach the disk from the journal', async () => {
    const { disk, log, owner } = await fresh()
    for (const value of ['a', 'b']) await append(log, owner, value)
    const copy = disk.clone()
    await copy.removeTree('/data/topics')
    const again = await opened(copy)
    expect(await values(again, 't')).toEqual(['a', 'b'])
    await again.close()
  })

  test('cuts a segment to what is accepted, and holds nothing but batches', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    await append(log, owner, 'torn')
    const [path] = segmentsOf(disk)
    for (const behind of ['torn', 'never'] as const) {
      const copy = disk.clone()
      if (behind === 'torn') copy.bytesOf(JOURNAL)[lastFrame(copy).from + 60]! ^= 1
      else {
        const file = await copy.open(path!, 'write')
        await file.write(new Uint8Array(5000).fill(7), await file.size())
      }
      const again = await opened(copy)
      const { bytes } = await again.read('t', 0, 0, 1 << 20)
      const file = await copy.open(path!, 'read')
      expect(await file.size()).toBe(bytes.length)
      await again.close()
    }
  })

  test('cuts nothing that a checkpoint knows of, and says what is missing', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    await append(log, owner, 'b')
    await log.close()
    const [path] = segmentsOf(disk)
    const file = await disk.open(path!, 'write')
    const bytes = await file.size()
    // The last batch is zeros, as a lost block is.
    await file.write(new Uint8Array(bytes / 2), bytes / 2)
    const again = await opened(disk)
    expect(again.ends('t', 0).highWatermark).toBe(2)
    expect(await values(again, 't', 0, 0, 1).catch(({ code }: { code: string }) => code)).toBe('LOG_CORRUPT')
    expect(await file.size()).toBe(bytes)
    await again.close()
  })

  test('brings back a partition that was idle while the journal was written over many times', async () => {
    const disk = new SimulatedFileSystem()
    const log = await opened(disk, { journalBytesMax: 1 << 16 })
    for (const name of ['idle', 'busy']) await log.createTopic(name, { partitions: 1 })
    const owner = await log.claim('w')
    const { producerId, epoch } = await log.coordinator.initialise(null, 60_000)
    await log.coordinator.produce('idle', 0, clientBatch(producerId, epoch, 0))
    await log.commitOffsets('g', [{ topic: 'idle', partition: 0, offset: 1 }])
    for (let n = 0; n < 60; n++) await append(log, owner, `${n}`.padEnd(6_000), 'busy')
    for (let seed = 0; seed < 5; seed++) {
      const again = await opened(disk.afterPowerCut(seededRandom(seed)), { journalBytesMax: 1 << 16 })
      expect(await values(again, 'idle')).toEqual(['x'])
      expect(again.committedOffsets('g')).toMatchObject([{ offset: 1 }])
      // Its producer is known, too: the same batch is a duplicate.
      expect(await again.coordinator.produce('idle', 0, clientBatch(producerId, epoch, 0))).toBe(0)
      expect(await values(again, 'idle')).toEqual(['x'])
      await again.close()
    }
  })
})
