import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import type { CommitOwner, Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { type FileOperation, SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { batchOf, utf8, values } from './log-reading.ts'

const DIRECTORY = '/data'
const JOURNAL = '/data/journal.0'

async function opened(disk: SimulatedFileSystem, durability: 'fsync' | 'os' = 'fsync'): Promise<Log> {
  return openLog({ directory: DIRECTORY, fileSystem: disk, durability, journalBytesMax: 1 << 20 })
}

async function fresh(): Promise<{ disk: SimulatedFileSystem; log: Log; owner: CommitOwner }> {
  const disk = new SimulatedFileSystem()
  const log = await opened(disk)
  await log.createTopic('t', { partitions: 1, config: { 'segment.bytes': '600000' } })
  return { disk, log, owner: await log.claim('w') }
}

async function append(log: Log, owner: CommitOwner, value: string) {
  return log.commit({
    owner,
    appends: [{ topic: 't', partition: 0, batches: batchOf(value) }],
    offsets: [
      { group: 'g', offsets: [{ topic: 't', partition: 0, offset: log.ends('t', 0).highWatermark }] },
    ],
  })
}

/** Where in the journal the frames start, by their magic on block borders. */
function framesIn(journal: Uint8Array): number[] {
  const at: number[] = []
  for (let block = 0; block + 4096 <= journal.length; block += 4096) {
    if (Buffer.from(journal.subarray(block, block + 4)).toString() === 'MRJ1') at.push(block)
  }
  return at
}

describe('the end of the journal', () => {
  test('torn at any byte of the last frame: everything before it is there, and nothing of it', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'kept')
    await append(log, owner, 'torn')
    const last = framesIn(disk.bytesOf(JOURNAL)).at(-1)!
    const length = 44 + new DataView(disk.bytesOf(JOURNAL).buffer).getUint32(last + 4)
    for (let cut = 0; cut < length; cut++) {
      const copy = disk.clone()
      // Zeros from the cut on; a byte that was zero already is no tear.
      const journal = copy.bytesOf(JOURNAL)
      if (journal.subarray(last + cut, last + length).every((byte) => byte === 0)) continue
      journal.fill(0, last + cut)
      const again = await opened(copy)
      expect(await values(again, 't'), `cut at ${cut}`).toEqual(['kept'])
      expect(again.committedOffsets('g')).toMatchObject([{ offset: 0 }])
      // And it goes on from there.
      await append(again, await again.claim('w'), 'next')
      await again.close()
      const third = await opened(copy)
      expect(await values(third, 't')).toEqual(['kept', 'next'])
      await third.close()
    }
  }, 60_000)

  test('damage below what is known durable is refused, naming the place', async () => {
    const { disk, log, owner } = await fresh()
    for (const value of ['a', 'b', 'c']) await append(log, owner, value)
    const frames = framesIn(disk.bytesOf(JOURNAL))
    expect(frames).toHaveLength(5)
    for (const [i, at] of frames.slice(0, -1).entries()) {
      const copy = disk.clone()
      copy.bytesOf(JOURNAL)[at + 50]! ^= 1
      await expect(opened(copy)).rejects.toMatchObject({
        code: 'LOG_DAMAGED',
        message: expect.stringContaining(`frame ${i + 1}, at byte ${at} of journal.0`) as string,
      })
    }
  })

  test('a journal that is gone or shorter than it was is refused; after a clean close nothing is missing', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    const harms = [
      (copy: SimulatedFileSystem) => copy.removeFile(JOURNAL),
      async (copy: SimulatedFileSystem) =>
        (await copy.open(JOURNAL, 'write')).truncate(framesIn(copy.bytesOf(JOURNAL)).at(-1)!),
      async (copy: SimulatedFileSystem) => (await copy.open(JOURNAL, 'write')).truncate(0),
    ]
    for (const harm of harms) {
      const copy = disk.clone()
      await harm(copy)
      await expect(opened(copy)).rejects.toMatchObject({
        code: 'LOG_DAMAGED',
        message: expect.stringMatching(/ends at byte \d+ of .*journal\.0/) as string,
      })
    }
    await log.close()
    for (const harm of harms) {
      const copy = disk.clone()
      await harm(copy)
      const again = await opened(copy)
      expect(await values(again, 't')).toEqual(['a'])
      await again.close()
    }
  })

  test('once the log has been idle, damage of the very last commit is refused too', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    const last = framesIn(disk.bytesOf(JOURNAL)).at(-1)!
    await new Promise((resolve) => setTimeout(resolve, 250))
    const copy = disk.clone()
    copy.bytesOf(JOURNAL)[last + 50]! ^= 1
    await expect(opened(copy)).rejects.toMatchObject({ code: 'LOG_DAMAGED' })
    await log.close()
  })

  test('a bulk append whose bytes are damaged is refused, under fsync', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'x'.repeat(300_000))
    const copy = disk.clone()
    const segment = copy.paths().find((path) => path.endsWith('.log'))!
    copy.bytesOf(segment)[1000]! ^= 1
    await expect(opened(copy)).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
      message: expect.stringContaining('Topic t, partition 0: the records from offset 0 on') as string,
    })
    const lost = await opened(copy, 'os')
    expect(lost.ends('t', 0).highWatermark).toBe(0)
    await lost.close()
  })

  test('checkpoints that cannot be read are damage, not a new log', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    for (const path of disk.paths().filter((name) => name.includes('checkpoint'))) disk.bytesOf(path).fill(0)
    await expect(opened(disk.clone())).rejects.toMatchObject({ code: 'LOG_DAMAGED' })
    await log.close()
  })

  test('one damaged checkpoint slot is survived while the journal still leads from the other', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    await log.close()
    const [older] = disk.paths().filter((name) => name.includes('checkpoint'))
    for (const slot of ['checkpoint.0', 'checkpoint.1']) {
      const copy = disk.clone()
      copy.bytesOf(`${DIRECTORY}/${slot}`)[30]! ^= 1
      const again = await opened(copy)
      expect(await values(again, 't'), slot).toEqual(['a'])
      await again.close()
    }
    expect(older).toBeDefined()
  })
})

describe('damage in a segment', () => {
  test('is reported at the batch, and the rest stays readable', async () => {
    const { disk, log, owner } = await fresh()
    for (const value of ['a', 'b', 'c']) await append(log, owner, value)
    await log.close()
    const segment = disk.paths().find((path) => path.endsWith('.log'))!
    const one = batchOf('a').length
    disk.bytesOf(segment)[one + 65]! ^= 1
    const again = await opened(disk)
    await expect(again.read('t', 0, 1, 1000)).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      message: expect.stringContaining('Topic t, partition 0: the record batch at offset 1') as string,
    })
    await expect(again.read('t', 0, 0, 1000)).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
    expect((await again.read('t', 0, 0, one)).nextOffset).toBe(1)
    expect(await values(again, 't', 0, 2)).toEqual(['c'])
    await again.close()
  })

  test('index files that are missing, damaged or of another segment are rebuilt', async () => {
    const { disk, log, owner } = await fresh()
    const expected: string[] = []
    for (let i = 0; i < 6; i++) {
      expected.push(String(i).repeat(250_000))
      await append(log, owner, expected.at(-1)!)
    }
    await log.close()
    const indexes = disk.paths().filter((path) => /index/.test(path))
    expect(indexes.length).toBeGreaterThanOrEqual(6)
    const harms: ((copy: SimulatedFileSystem, path: string) => Promise<void>)[] = [
      async (copy, path) => copy.removeFile(path),
      async (copy, path) => void copy.bytesOf(path).fill(7),
      async (copy, path) =>
        copy.rename(
          path,
          indexes.find((other) => other !== path)!,
        ),
    ]
    for (const path of indexes) {
      for (const harm of harms) {
        const copy = disk.clone()
        await harm(copy, path)
        const again = await opened(copy)
        expect(await values(again, 't', 0, 1), path).toEqual(expected.slice(1))
        expect(await again.offsetForTime('t', 0, 1000)).toBe(0)
        await again.close()
      }
    }
  })

  test('a missing segment is named', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    await log.close()
    await disk.removeFile(disk.paths().find((path) => path.endsWith('.log'))!)
    const again = await opened(disk)
    await expect(again.read('t', 0, 0, 10)).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
    await again.close()
  })

  test('behind a segment that is missing or cut off others go on', async () => {
    for (const [isBulk, isGone] of [
      [false, true],
      [true, true],
      [false, false],
    ]) {
      const { disk, log, owner } = await fresh()
      await append(log, owner, 'a')
      await log.close()
      const path = disk.paths().find((name) => name.endsWith('.log'))!
      if (isGone) await disk.removeTree(path.slice(0, path.lastIndexOf('/')))
      else await (await disk.open(path, 'write')).truncate(10)
      const again = await opened(disk)
      const value = isBulk ? 'b'.repeat(200_000) : 'b'
      expect(await append(again, await again.claim('w'), value)).toMatchObject({ kind: 'committed' })
      expect(await values(again, 't', 0, 1)).toEqual([value])
      await expect(again.read('t', 0, 0, 10)).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
      await again.close()
      const third = await opened(disk)
      expect(await values(third, 't', 0, 1)).toEqual([value])
      await expect(third.read('t', 0, 0, 10)).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
      await third.close()
    }
  })
})

describe('a disk that fails', () => {
  const onJournal = (kind: FileOperation['kind']) => (operation: FileOperation) =>
    operation.kind === kind && operation.path.includes('journal')

  test.each(['write', 'sync'] as const)(
    'a failed journal %s: unknown, closed, and good again once reopened',
    async (kind) => {
      const { disk, log, owner } = await fresh()
      await append(log, owner, 'a')
      const matches = onJournal(kind)
      disk.fate = (operation) => (matches(operation) ? { code: 'EIO' } : undefined)
      const waiting = [append(log, owner, 'b'), append(log, owner, 'c')]
      for (const outcome of await Promise.all(waiting)) expect(outcome).toMatchObject({ kind: 'unknown' })
      disk.fate = () => undefined
      expect(log.health()).toMatchObject({ state: 'closed after I/O error' })
      await expect(append(log, owner, 'd')).rejects.toMatchObject({ code: 'LOG_CLOSED_AFTER_ERROR' })
      await expect(log.createTopic('u', { partitions: 1 })).rejects.toMatchObject({
        code: 'LOG_CLOSED_AFTER_ERROR',
      })
      await log.close()
      const again = await opened(disk)
      const found = await values(again, 't')
      expect(['a', 'a,b', 'a,b,c']).toContain(found.join())
      await append(again, await again.claim('w'), 'e')
      expect(await values(again, 't')).toEqual([...found, 'e'])
      await again.close()
    },
  )

  test('a failed sync of bulk data closes the log before anything is promised', async () => {
    const { disk, log, owner } = await fresh()
    disk.fate = ({ kind, path }) => (kind === 'sync' && path.includes('.log') ? { code: 'EIO' } : undefined)
    expect(await append(log, owner, 'x'.repeat(200_000))).toMatchObject({ kind: 'unknown' })
    disk.fate = () => undefined
    await log.close()
    const again = await opened(disk)
    expect(again.ends('t', 0).highWatermark).toBe(0)
    await again.close()
  })

  test('a full disk refuses the group and harms nothing', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    disk.fate = ({ kind, path, length }) =>
      kind === 'write' && path.endsWith('.log') && length > 1000 ? { code: 'ENOSPC' } : undefined
    const segment = disk.paths().find((path) => path.endsWith('.log'))!
    const size = async (): Promise<number> => (await disk.open(segment, 'read')).size()
    const before = await size()
    // Some of it fits.
    const fate = disk.fate
    let pieces = 3
    disk.fate = (operation) =>
      operation.kind === 'write' && operation.length > 1000 && pieces-- > 0 ? { bytes: 900 } : fate(operation)
    await expect(append(log, owner, 'x'.repeat(200_000))).rejects.toMatchObject({ code: 'LOG_DISK_FULL' })
    expect(pieces).toBeLessThan(0)
    expect(await size()).toBe(before)
    expect(log.health().state).toBe('disk low')
    await append(log, owner, 'b')
    disk.fate = () => undefined
    await append(log, owner, 'c'.repeat(200_000))
    const expected = ['a', 'b', 'c'.repeat(200_000)]
    expect(await values(log, 't')).toEqual(expected)
    await log.close()
    const again = await opened(disk)
    expect(await values(again, 't')).toEqual(expected)
    await again.close()
  })

  test('a full disk while the journal grows refuses the group, too', async () => {
    const { disk, log, owner } = await fresh()
    disk.fate = ({ kind, path }) =>
      kind === 'write' && path.includes('journal.1') ? { code: 'ENOSPC' } : undefined
    let refused: unknown = null
    let count = 0
    for (; count < 40 && refused === null; count++) {
      await append(log, owner, 'x'.repeat(60_000)).catch((error: unknown) => (refused = error))
    }
    expect(refused).toMatchObject({ code: 'LOG_DISK_FULL' })
    disk.fate = () => undefined
    expect(await append(log, owner, 'y')).toMatchObject({ kind: 'committed' })
    expect(log.ends('t', 0).highWatermark).toBe(count)
    await log.close()
  })

  test.each(['ENOSPC', 'EROFS', 'EMFILE'])('%s while index files are written stops nobody', async (code) => {
    const { disk, log, owner } = await fresh()
    disk.fate = ({ path }) => (path.includes('index') ? { code } : undefined)
    const expected = [1, 2, 3, 4].map((n) => String(n).repeat(250_000))
    for (const value of expected) await append(log, owner, value)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(log.health().state).toBe('open')
    await log.close()
    const again = await opened(disk)
    // Sealed segments whose index has to be built again, and cannot be kept.
    expect(await values(again, 't', 0, 1)).toEqual(expected.slice(1))
    await again.close()
  })

  test('a commit that is in the journal waits for space in its segment', async () => {
    const { disk, log, owner } = await fresh()
    await append(log, owner, 'a')
    disk.fate = ({ kind, path }) =>
      kind === 'write' && path.endsWith('.log') ? { code: 'ENOSPC' } : undefined
    let answered = false
    const waiting = append(log, owner, 'b').then((outcome) => {
      answered = true
      return outcome
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(answered).toBe(false)
    expect(log.health().state).toBe('disk low')
    expect(await values(log, 't')).toEqual(['a'])
    disk.fate = () => undefined
    expect(await waiting).toMatchObject({ kind: 'committed' })
    expect(await values(log, 't')).toEqual(['a', 'b'])
    await log.close()
  })

  test('closing while a commit waits for space: unknown, and there once reopened', async () => {
    const { disk, log, owner } = await fresh()
    disk.fate = ({ kind, path }) =>
      kind === 'write' && path.endsWith('.log') ? { code: 'ENOSPC' } : undefined
    const waiting = append(log, owner, 'a')
    await new Promise((resolve) => setTimeout(resolve, 20))
    const closed = log.close()
    expect(await waiting).toMatchObject({ kind: 'unknown' })
    await closed
    disk.fate = () => undefined
    const again = await opened(disk)
    expect(await values(again, 't')).toEqual(['a'])
    await again.close()
  })

  test('no space for a checkpoint: the journal goes on, and the log stays open', async () => {
    const { disk, log, owner } = await fresh()
    disk.fate = ({ kind, path }) =>
      kind === 'write' && path.includes('checkpoint') ? { code: 'ENOSPC' } : undefined
    const expected: string[] = []
    let refused: unknown = null
    for (let i = 0; i < 40 && refused === null; i++) {
      const value = String(i % 10).repeat(100_000)
      try {
        await append(log, owner, value)
        expected.push(value)
      } catch (error) {
        refused = error
      }
    }
    // Both journal files are full by now.
    expect(refused).toMatchObject({ code: 'LOG_DISK_FULL' })
    expect(expected.length).toBeGreaterThan(10)
    disk.fate = () => undefined
    await append(log, owner, 'more')
    expect(await values(log, 't')).toEqual([...expected, 'more'])
    await log.close()
    const again = await opened(disk)
    expect(await values(again, 't')).toEqual([...expected, 'more'])
    await again.close()
  })

  test('short writes are finished', async () => {
    const disk = new SimulatedFileSystem()
    disk.fate = ({ kind, length }) => (kind === 'write' ? { bytes: Math.ceil(length / 3) } : undefined)
    const log = await opened(disk)
    await log.createTopic('t', { partitions: 1 })
    const owner = await log.claim('w')
    const expected = ['a', 'b'.repeat(200_000), 'c'.repeat(5000)]
    for (const value of expected) await append(log, owner, value)
    expect(await values(log, 't')).toEqual(expected)
    await log.close()
    const again = await opened(disk)
    expect(await values(again, 't')).toEqual(expected)
    await again.close()
  })

  test('producers hear of a failure, every one of them', async () => {
    const { disk, log } = await fresh()
    const matches = onJournal('sync')
    disk.fate = (operation) => (matches(operation) ? { code: 'EIO' } : undefined)
    const producer = log.producer()
    const sent = [1, 2, 3].map((n) => producer.send({ topic: 't', key: null, value: utf8(String(n)) }))
    for (const outcome of await Promise.allSettled(sent)) expect(outcome.status).toBe('rejected')
    await producer.flush()
    await log.close()
  })
})

/*
 * Random work, the power fails at a random operation, the machine restarts with whatever the disk kept; over
 * and over on the same disk. Each commit writes its number to two topics and to a group's offset.
 */
describe('power cuts', () => {
  // Short lives break off opening and recovering too, long ones go round the journal.
  const lives = [
    ...Array.from({ length: 30 }, (_, seed) => [seed, 250] as const),
    ...Array.from({ length: 2 }, (_, seed) => [1000 + seed, 1500] as const),
  ]
  test.each(lives)(
    'seed %i: a commit is whole, and kept if it was acknowledged',
    async (seed, operationsMax) => {
      const random = seededRandom(seed)
      let disk = new SimulatedFileSystem()
      let acknowledged = 0
      for (let life = 0; life < 4; life++) {
        let left = life === 3 ? Infinity : 20 + random.below(operationsMax)
        disk.fate = ({ kind }) => (kind !== 'read' && --left < 0 ? 'power cut' : undefined)
        let log: Log | null = null
        try {
          log = await opened(disk)
          if (log.topic('a') === undefined) {
            expect(acknowledged).toBe(0)
            await log.createTopic('a', { partitions: 2, config: { 'segment.bytes': '500000' } })
          }
          if (log.topic('b') === undefined) {
            expect(acknowledged).toBe(0)
            await log.createTopic('b', { partitions: 1 })
          }
          const found = (await values(log, 'a', 1)).map((value) => parseInt(value, 10))
          expect((await values(log, 'b')).map((value) => parseInt(value, 10))).toEqual(found)
          expect(found).toEqual(found.map((_, i) => i))
          expect(log.committedOffsets('g')[0]?.offset ?? 0).toBe(found.length)
          expect(found.length).toBeGreaterThanOrEqual(acknowledged)
          acknowledged = found.length
          if (life === 3) break
          const owner = await log.claim('w')
          for (let n = found.length; ;) {
            const together = []
            for (let i = random.below(3); i >= 0; i--, n++) {
              const pad = (): string => ' '.repeat(random.below(4) === 0 ? 150_000 : random.below(3000))
              together.push(
                log.commit({
                  owner,
                  appends: [
                    { topic: 'a', partition: 1, batches: batchOf(`${n}${pad()}`) },
                    { topic: 'b', partition: 0, batches: batchOf(`${n}${pad()}`) },
                  ],
                  offsets: [{ group: 'g', offsets: [{ topic: 'a', partition: 1, offset: n + 1 }] }],
                }),
              )
            }
            for (const outcome of await Promise.all(together)) {
              if (outcome.kind !== 'committed') throw new Error(outcome.kind)
              acknowledged++
            }
          }
        } catch (error) {
          // Only the power cut may end a life.
          if (left >= 0) throw error
        } finally {
          disk.fate = () => undefined
          await log?.close().catch(() => undefined)
        }
        disk = disk.afterPowerCut(random)
      }
      expect(acknowledged).toBeGreaterThan(0)
    },
  )
})
