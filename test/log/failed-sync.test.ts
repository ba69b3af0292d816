import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import type { CommitOwner, Log } from '../../src/log/log.ts'
import { CheckpointSlots, type Checkpoint } from '../../src/log/checkpoint.ts'
import { openLog } from '../../src/log/open-log.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { batchOf, values } from './log-reading.ts'

/*
 * After a failed sync the page cache shows what is not on disk, or, once it was dropped, what was there
 * before. Whatever a reopened log reads, a power cut in the middle of its recovery loses nothing that was
 * acknowledged.
 */

const opened = (disk: SimulatedFileSystem): Promise<Log> =>
  openLog({ directory: '/data', fileSystem: disk, journalBytesMax: 1 << 16, random: seededRandom(1) })

const append = (log: Log, owner: CommitOwner, value: string) =>
  log.commit({ owner, appends: [{ topic: 't', partition: 0, batches: batchOf(value) }], offsets: [] })

/** Acknowledged commits: more than a journal file holds, so that its start has been overwritten. */
const ACKNOWLEDGED = Array.from({ length: 14 }, (_, i) => `${i} ${'x'.repeat(6_000)}`)

/** A log of these commits that lost a sync of a file named so. */
async function afterFailedSync(file: string): Promise<SimulatedFileSystem> {
  const disk = new SimulatedFileSystem()
  const first = await opened(disk)
  // A checkpoint of several sectors can be torn.
  for (const name of ['t', 'u', 'v', 'w', 'x', 'y', 'z']) await first.createTopic(name, { partitions: 3 })
  await first.close()
  const log = await opened(disk)
  const owner = await log.claim('w')
  for (const value of ACKNOWLEDGED) expect((await append(log, owner, value)).kind).toBe('committed')
  disk.fate = ({ kind, path }) => (kind === 'sync' && path.includes(file) ? { code: 'EIO' } : undefined)
  if (file === 'journal') expect((await append(log, owner, 'c')).kind).toBe('unknown')
  await log.close().catch(() => {})
  disk.fate = () => undefined
  return disk
}

test.each([
  ['journal', false],
  ['journal', true],
  ['.log', false],
  ['.log', true],
  ['checkpoint', false],
  ['checkpoint', true],
])(
  'a sync of %s failed (page cache dropped: %s), and the power fails during the next opening',
  async (file, dropped) => {
    for (let operations = 0, done = false; !done; operations++) {
      for (let seed = 0; seed < 2; seed++) {
        const disk = await afterFailedSync(file)
        if (dropped) disk.dropCaches()
        let left = operations
        disk.fate = () => (left-- <= 0 ? 'power cut' : undefined)
        done = true
        await opened(disk)
          .then(
            (log) => log.close(),
            () => {
              done = false
            },
          )
          .catch(() => {})
        const again = await opened(disk.afterPowerCut(seededRandom(seed)))
        const found = await values(again, 't')
        expect(
          found.slice(0, ACKNOWLEDGED.length),
          `power cut before operation ${operations}, seed ${seed}`,
        ).toEqual(ACKNOWLEDGED)
        expect(found.length - ACKNOWLEDGED.length).toBeLessThanOrEqual(file === 'journal' ? 1 : 0)
        expect((await append(again, await again.claim('w'), 'next')).kind).toBe('committed')
        await again.close()
      }
    }
  },
  60_000,
)

test('a checkpoint that was read after its sync failed is on disk before the other slot is written over', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const disk = new SimulatedFileSystem()
    await disk.makeDirectory('/data')
    await disk.syncDirectory('/')
    const numbered = (n: number): Checkpoint =>
      ({ version: 2, logId: 'x'.repeat(1500), producerIdNext: n }) as unknown as Checkpoint
    const { slots } = await CheckpointSlots.open(disk, '/data')
    for (const n of [1, 2]) await slots.write(numbered(n))
    disk.fate = ({ kind }) => (kind === 'sync' ? { code: 'EIO' } : undefined)
    await expect(slots.write(numbered(3))).rejects.toMatchObject({ code: 'LOG_SYNC_FAILED' })
    disk.fate = () => undefined
    const again = await CheckpointSlots.open(disk, '/data')
    expect(again.newest?.producerIdNext).toBe(3)
    // The power fails while the fourth is written, over the second: it may be torn.
    disk.fate = ({ kind }) => (kind === 'sync' ? 'power cut' : undefined)
    await expect(again.slots.write(numbered(4))).rejects.toMatchObject({ code: 'LOG_SYNC_FAILED' })
    const { newest } = await CheckpointSlots.open(disk.afterPowerCut(seededRandom(seed)), '/data')
    expect(newest?.producerIdNext, `seed ${seed}`).toBeGreaterThanOrEqual(3)
  }
})

describe('a segment whose sync failed', () => {
  /** A log whose next sync of a segment fails, once; and what it did before. */
  async function once(): Promise<{
    disk: SimulatedFileSystem
    log: Log
    owner: CommitOwner
    written: string[]
  }> {
    const disk = new SimulatedFileSystem()
    const log = await opened(disk)
    await log.createTopic('t', { partitions: 1 })
    const owner = await log.claim('w')
    const written = ['a', 'b'.repeat(3000), 'c'.repeat(6000)]
    for (const value of written) await append(log, owner, value)
    let left = 1
    disk.fate = ({ kind, path }) =>
      kind === 'sync' && path.endsWith('.log') && left-- > 0 ? { code: 'EIO' } : undefined
    return { disk, log, owner, written }
  }

  /** What is there after the power failed, whatever the page cache held. */
  async function afterPowerCut(disk: SimulatedFileSystem, seed: number): Promise<string[]> {
    const log = await opened(disk.afterPowerCut(seededRandom(seed)))
    const found = await values(log, 't')
    await log.close()
    return found
  }

  test('is written anew by the checkpoint, and the log stays open and says so', async () => {
    const { disk, log, owner, written } = await once()
    // Enough for several checkpoints; some is written while the segment is.
    for (let i = 0; i < 20; i++) {
      const value = `${i} ${'d'.repeat(i % 3 === 0 ? 12_000 : 6_000)}`
      expect((await append(log, owner, value)).kind).toBe('committed')
      written.push(value)
    }
    expect(log.health()).toMatchObject({
      state: 'open',
      detail: expect.stringMatching(/A sync of .*\.log failed \(EIO.*written anew/) as string,
    })
    expect(await values(log, 't')).toEqual(written)
    // Checkpoints have released the journal that held it.
    for (let seed = 0; seed < 8; seed++) expect(await afterPowerCut(disk, seed)).toEqual(written)
    await log.close()
  })

  test('the new file has its name for good before a checkpoint counts on it', async () => {
    const { disk, log: first, written } = await once()
    const fails = disk.fate
    disk.fate = () => undefined
    await first.close()
    const log = await opened(disk)
    const owner = await log.claim('w')
    // Its directory has nothing else to be synced for.
    let isCheckpointed = false
    disk.fate = (operation) => {
      isCheckpointed ||= operation.kind === 'sync' && operation.path.includes('checkpoint')
      return fails(operation)
    }
    while (!isCheckpointed) {
      const value = `${written.length} ${'d'.repeat(6_000)}`
      expect((await append(log, owner, value)).kind).toBe('committed')
      written.push(value)
    }
    expect(log.health().detail).toMatch(/written anew/)
    for (let seed = 0; seed < 8; seed++) expect(await afterPowerCut(disk, seed)).toEqual(written)
    await log.close()
  })

  test('is written anew with the bulk that was on its way', async () => {
    const { disk, log, owner, written } = await once()
    const bulk = 'x'.repeat(200_000)
    expect((await append(log, owner, bulk)).kind).toBe('committed')
    disk.dropCaches()
    expect(await values(log, 't')).toEqual([...written, bulk])
    for (let seed = 0; seed < 8; seed++) expect(await afterPowerCut(disk, seed)).toEqual([...written, bulk])
    await log.close()
  })

  test('that cannot be read any more closes the log, and the journal brings it back', async () => {
    const { disk, log, owner, written } = await once()
    const fails = disk.fate
    disk.fate = (operation) => {
      if (operation.path.endsWith('.rebuilt')) disk.dropCaches()
      return fails(operation)
    }
    while (log.health().state === 'open') {
      const value = `${written.length} ${'d'.repeat(6_000)}`
      const outcome = await append(log, owner, value).catch(() => null)
      if (outcome?.kind === 'committed') written.push(value)
    }
    expect(log.health()).toMatchObject({
      state: 'closed after I/O error',
      detail: expect.stringMatching(/could not be written anew: .* damaged \(byte \d+ of /) as string,
    })
    await log.close().catch(() => {})
    disk.fate = () => undefined
    const again = await opened(disk)
    expect((await values(again, 't')).slice(0, written.length)).toEqual(written)
    await again.close()
    expect(disk.paths().filter((path) => path.endsWith('.rebuilt'))).toEqual([])
  })
})
