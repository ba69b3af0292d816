import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import type { FileSystem } from '../../src/base/file-system.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'
import { IndexFiles } from '../../src/log/index-files.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { RecordBatchWriter } from '../../src/log/record-batch.ts'
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

test('a lookup that lands on another batch than its index says is damage, though the checksums hold', async () => {
  const disk = new SimulatedFileSystem()
  const log = await opened(disk)
  await log.createTopic('t', { partitions: 1 })
  const owner = await log.claim('w')
  for (let n = 0; n < 10; n++) {
    const writer = new RecordBatchWriter()
    writer.append(1000 + n, null, 0, 0, new Uint8Array(MIB / 4), 0, MIB / 4)
    await log.commit({
      owner,
      appends: [{ topic: 't', partition: 0, batches: writer.finish() }],
      offsets: [],
    })
  }
  await log.close()
  const [index, sum] = ['.index', '.indexsum'].map((suffix) => {
    const path = disk.paths().find((name) => name.endsWith(suffix))!
    const { buffer } = disk.bytesOf(path)
    return { path, view: new DataView(buffer) }
  })
  // Offset 4 is said to be where offset 6 is: whoever believes it passes over two records.
  const entry = (offset: number): number => {
    for (let at = 0; ; at += 8) if (index!.view.getInt32(at) === offset) return at
  }
  index!.view.setInt32(entry(4) + 4, index!.view.getInt32(entry(6) + 4))
  const length = sum!.view.getUint32(12)
  sum!.view.setUint32(0, crc32c(disk.bytesOf(index!.path).subarray(0, length)))
  const next = await opened(disk)
  const corrupt = { code: 'LOG_CORRUPT' }
  await expect(next.read('t', 0, 4, 1)).rejects.toMatchObject(corrupt)
  await expect(next.offsetForTime('t', 0, 1005)).rejects.toMatchObject(corrupt)
  expect(await next.offsetForTime('t', 0, 1002)).toBe(2)
  expect((await next.read('t', 0, 3, 1)).nextOffset).toBe(4)
  await next.close()
})

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

test('an opening that cuts a segment forgets the index of what was there', async () => {
  const disk = new SimulatedFileSystem()
  const log = await opened(disk)
  await log.createTopic('t', { partitions: 1 })
  await append(log, 0, 1)
  // What another run wrote behind it, with its index, on a disk whose journal and checkpoint know nothing of it.
  const longer = disk.clone()
  const ahead = await opened(longer)
  await append(ahead, 1, 10)
  await ahead.close()
  const cut = disk.clone()
  const files = longer.paths().filter((path) => path.startsWith('/data/topics/'))
  expect(files.filter((path) => path.includes('index'))).toHaveLength(3)
  for (const path of files) await cut.replaceFile(path, longer.bytesOf(path))
  const next = await opened(cut)
  const owner = await next.claim('w')
  for (let n = 1; n < 30; n++) {
    const batches = batchOf(String(n).padStart(MIB / 8 + n, '.'))
    await next.commit({ owner, appends: [{ topic: 't', partition: 0, batches }], offsets: [] })
  }
  const last = await opened(cut.clone())
  for (let n = 29; n >= 0; n--) expect(await numberAt(last, n)).toBe(n)
  await last.close()
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
