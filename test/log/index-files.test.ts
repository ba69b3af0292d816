import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FileSystem } from '../../src/base/file-system.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'
import { IndexFiles } from '../../src/log/index-files.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { SegmentIndex } from '../../src/log/segment-index.ts'
import { SimulatedFileSystem } from '../base/simulated-file-system.ts'
import { countingReads } from '../base/watched-files.ts'
import { batchOf, values } from './log-reading.ts'

/* Opening and finding a place read what is new since the last checkpoint, however long the active segment is. */

const MIB = 1 << 20
const opened = (fileSystem: FileSystem): Promise<Log> => openLog({ directory: '/data', fileSystem })

/** Batches of a quarter of a MiB, one record each: its number, and filling. */
async function append(log: Log, from: number, to: number): Promise<void> {
  const owner = await log.claim('w')
  for (let n = from; n < to; n++) {
    const batches = batchOf(String(n).padStart(MIB / 4, '.'))
    await log.commit({ owner, appends: [{ topic: 't', partition: 0, batches }], offsets: [] })
  }
}

async function numberAt(log: Log, offset: number): Promise<number> {
  const [value] = await values(log, 't', 0, offset, 1)
  return Number(value!.replaceAll('.', ''))
}

test('after a crash neither recovery nor the first read goes through the whole segment', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-index-files-'))
  const log = await openLog({ directory: join(directory, 'a') })
  await log.createTopic('t', { partitions: 1 })
  await append(log, 0, 360) // 90 MiB: behind a checkpoint at 64.
  cpSync(join(directory, 'a'), join(directory, 'b'), { recursive: true })
  const { fileSystem, read } = countingReads(nodeFileSystem)
  const next = await openLog({ directory: join(directory, 'b'), fileSystem })
  expect(read.bytes).toBeLessThan(30 * MIB)
  read.bytes = 0
  expect(await numberAt(next, 359)).toBe(359)
  expect(read.bytes).toBeLessThan(30 * MIB)
  await next.close()
  await log.close()
  rmSync(directory, { recursive: true })
})

test('after a clean end the first read finds its place in the index files', async () => {
  const disk = new SimulatedFileSystem()
  const log = await opened(disk)
  await log.createTopic('t', { partitions: 1 })
  await append(log, 0, 40)
  await log.close()
  const { fileSystem, read } = countingReads(disk)
  for (const [from, to] of [
    [40, 60],
    [60, 90],
  ] as const) {
    const next = await opened(fileSystem)
    read.bytes = 0
    expect(await numberAt(next, from - 1)).toBe(from - 1)
    expect(await next.offsetForTime('t', 0, 1000)).toBe(0)
    expect(read.bytes).toBeLessThan(2 * MIB)
    await append(next, from, to)
    await next.close()
  }
  const last = await opened(disk)
  for (const offset of [0, 39, 40, 59, 60, 89]) expect(await numberAt(last, offset)).toBe(offset)
  await last.close()
})

test.each(['.index', '.timeindex', '.indexsum'])(
  'a damaged %s of the active segment is rebuilt',
  async (suffix) => {
    const disk = new SimulatedFileSystem()
    const log = await opened(disk)
    await log.createTopic('t', { partitions: 1 })
    await append(log, 0, 20)
    await log.close()
    const path = disk.paths().find((name) => name.endsWith(suffix))!
    disk.bytesOf(path)[3]! ^= 64
    const next = await opened(disk)
    for (const offset of [19, 0, 7]) expect(await numberAt(next, offset)).toBe(offset)
    await next.close()
  },
)

/** The index of twenty batches of 200 bytes, and where its files go. */
async function indexOfTwenty(): Promise<{ disk: MemoryFileSystem; index: SegmentIndex }> {
  const disk = new MemoryFileSystem()
  await disk.makeDirectory('/p')
  const index = new SegmentIndex(100)
  for (let n = 0; n < 20; n++) index.observe(n, 1000 + n, n * 200, 200)
  return { disk, index }
}

test('an index that tells of what was cut away is not believed when something else has come there', async () => {
  const { disk, index } = await indexOfTwenty()
  const files = new IndexFiles(disk, '/p/0.log')
  await files.write(index, index.mark())
  expect((await new IndexFiles(disk, '/p/0.log').read(4000, 100))?.coveredTo).toBe(4000)
  expect(await new IndexFiles(disk, '/p/0.log').read(3999, 100)).toBeNull()
  await new IndexFiles(disk, '/p/0.log').forgetBehind(4000)
  expect(await new IndexFiles(disk, '/p/0.log').read(4000, 100)).not.toBeNull()
  await new IndexFiles(disk, '/p/0.log').forgetBehind(3000)
  expect(await new IndexFiles(disk, '/p/0.log').read(5000, 100)).toBeNull()
})

test('what is appended to index files is the index', async () => {
  const disk = new MemoryFileSystem()
  await disk.makeDirectory('/p')
  const index = new SegmentIndex(300)
  const files = new IndexFiles(disk, '/p/0.log')
  for (let n = 0; n < 50; n++) {
    index.observe(n, 1000 + ((n * 7) % 40), n * 200, 200)
    if (n % 9 === 0) await files.write(index, index.mark())
  }
  await files.write(index, index.mark())
  const read = await new IndexFiles(disk, '/p/0.log').read(10_000, 300)
  expect(read?.maxTimestampMs).toBe(index.maxTimestampMs)
  for (let n = 0; n < 50; n++) {
    expect(read?.placeFor(n)).toEqual(index.placeFor(n))
    expect(read?.placeForTime(1000 + n)).toEqual(index.placeForTime(1000 + n))
  }
})

test('of a segment that is gone nothing is written any more', async () => {
  const { disk, index } = await indexOfTwenty()
  const files = new IndexFiles(disk, '/p/0.log')
  const writing = files.write(index, index.mark())
  await files.remove()
  await writing
  await files.write(index, index.mark())
  expect(await disk.list('/p')).toEqual([])
})
