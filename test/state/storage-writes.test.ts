import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { decodeRecord, type CommitRecord } from '../../src/state/checkpoint-record.ts'
import { WRITE_BUFFER_BYTES } from '../../src/state/level-storage.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import type { PageWrite } from '../../src/state/page-table.ts'
import type { StateStorage } from '../../src/state/state-storage.ts'
import { codecOf, textShape } from '../../src/state/value-codec.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import { memoryFiles } from './memory-files.ts'
import { commitCycle, MemoryLog } from './memory-log.ts'
import { Fixture } from './state-fixture.ts'

/* What a checkpoint puts into its storage, and what is read of it: the reasons why it is cheap. */

/** A model of LevelDB that notes what is asked of it. */
class NotingDisk extends ModelDisk {
  batches: (readonly PageWrite[])[] = []
  /** Keys that were read one by one. */
  read: string[] = []

  override write(changes: readonly PageWrite[]): void {
    this.batches.push(changes)
    super.write(changes)
  }

  override open(): StateStorage {
    const storage = super.open()
    return Object.assign(storage, {
      getMany: async (keys: readonly string[]) => {
        this.read.push(...keys)
        return keys.map((key) => this.get(key))
      },
    })
  }

  /** Keys of pages written since the last look, in the order they were written. */
  pagesWritten(): string[] {
    const written = this.batches.flat().filter(({ key, value }) => key.startsWith('p') && value !== null)
    this.batches = []
    return written.map(({ key }) => key)
  }
}

async function start(memoryBytesMax?: number): Promise<{ f: Fixture; disk: NotingDisk }> {
  const disk = new NotingDisk()
  const f = new Fixture({
    openStorage: async () => disk.open(),
    ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
  })
  await f.start()
  return { f, disk }
}

test('what is born and expires between two checkpoints never reaches storage', async () => {
  const { f, disk } = await start()
  for (let n = 0; n < 500; n++) f.windows.put(`key-${n}`, n % 100, 'w')
  await commitCycle(f.log, f.task)
  f.windows.put('later', 1_000, 'w')
  f.windows.expire(900)
  await commitCycle(f.log, f.task)
  await f.worker.checkpoint()
  expect(disk.pagesWritten()).toHaveLength(1)
  const left: string[] = []
  for await (const { key } of f.windows.scanCommitted(null, null, 0, 1e9)) left.push(key)
  expect(left).toEqual(['later'])
})

test('entries are packed, and one that changed over and over is written once', async () => {
  const { f, disk } = await start()
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 640; n++) f.kv.put(`key-${String(n).padStart(4, '0')}`, `${round}`)
    await commitCycle(f.log, f.task)
  }
  await f.worker.checkpoint()
  expect(disk.pagesWritten().length).toBeLessThanOrEqual(640 / 40)
  f.kv.put('key-0100', 'changed')
  await commitCycle(f.log, f.task)
  await f.worker.checkpoint()
  expect(disk.pagesWritten()).toHaveLength(1)
})

test('a checkpoint is one batch: whatever tail is lost, an older one is whole and serves', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const { f, disk } = await start()
    for (let i = 0; i < 6; i++) {
      await f.cycle()
      await f.worker.checkpoint()
    }
    disk.crash('lost-tail', seededRandom(seed))
    await f.start()
    expect(f.worker.metrics.droppedReasons).toEqual([])
    await f.expectState()
  }
})

test('a rebuild writes its pages in the order of their keys', async () => {
  const { f, disk } = await start()
  const random = seededRandom(1)
  for (let i = 0; i < 10; i++) {
    for (let n = 0; n < 300; n++) f.kv.put(`key-${random.below(1e6)}`, 'value')
    await commitCycle(f.log, f.task)
  }
  // Nothing was saved: the folder is gone.
  disk.crash('lost-tail', seededRandom(1), 1_000)
  for (const [key] of disk.range('', '\xff')) disk.write([{ key, value: null }])
  await f.start()
  disk.batches = []
  await f.worker.checkpoint()
  const keys = disk.pagesWritten()
  expect(keys.length).toBeGreaterThan(20)
  expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)))
})

test('a key that is not in memory costs one page', async () => {
  const { f, disk } = await start(1)
  const name = (n: number): string => `key-${String(n).padStart(4, '0')}`
  for (let n = 0; n < 2_000; n++) f.kv.put(name(n), `${n}`)
  await commitCycle(f.log, f.task)
  await f.worker.checkpoint()
  await f.worker.close()
  await f.start()
  disk.read = []
  await f.kv.load([name(1_234)])
  expect(f.kv.get(name(1_234))).toBe('1234')
  expect(disk.read).toHaveLength(1)
  disk.read = []
  expect(await f.kv.getCommitted(name(17))).toBe('17')
  expect(disk.read).toHaveLength(1)
})

test('an expiry is one record, hides at its commit what storage still holds, and a clear that was lost is repeated', async () => {
  const { f, disk } = await start()
  for (let n = 0; n < 1_000; n++) f.windows.put(`key-${n}`, n % 500, 'w')
  await commitCycle(f.log, f.task)
  await f.worker.checkpoint()
  const stored = (): number => disk.range('p', 'q').length
  const pages = stored()
  expect(pages).toBeGreaterThan(10)
  const end = f.log.log.ends('windows-changelog', 0).highWatermark
  f.windows.expire(1_000)
  await commitCycle(f.log, f.task)
  expect(f.log.log.ends('windows-changelog', 0).highWatermark).toBe(end + 1)
  expect(stored()).toBe(pages)
  expect(await f.windows.fetchCommitted('key-1', 0, 1e9)).toEqual([])
  // The process ends before the clear, and again while nothing of it is on the disk.
  for (let life = 0; life < 2; life++) {
    await f.start()
    expect(await f.windows.fetchCommitted('key-1', 0, 1e9)).toEqual([])
    expect(f.worker.metrics.dropped).toBe(0)
  }
  f.kv.put('a', '1')
  await commitCycle(f.log, f.task)
  await f.worker.checkpoint()
  // A clear is in batches of its own, of which a crash takes the last.
  await new Promise((resolve) => setImmediate(resolve))
  disk.crash('lost-tail', seededRandom(1), 1)
  await f.start()
  expect(f.worker.metrics.dropped).toBe(0)
  f.kv.put('b', '1')
  await commitCycle(f.log, f.task)
  await f.worker.checkpoint()
  await f.worker.close()
  expect(stored()).toBe(1)
})

test('names of tasks that begin alike keep their pages apart', async () => {
  const disk = new NotingDisk()
  const log = new MemoryLog()
  const opened = (): Promise<WorkerState> =>
    WorkerState.open({
      directory: 'state',
      log: log.log,
      fileSystem: memoryFiles,
      clock: new ManualClock(0),
      epoch: 1,
      memoryBytesMax: 1e9,
      openStorage: async () => disk.open(),
    })
  const ids = ['q/1', 'q/10', 'q/1\0']
  let state = await opened()
  for (const id of ids) {
    const task = state.task(id, (store) => `${id}-${store}`, 0)
    const kv = task.keyValue('kv', codecOf(textShape))
    await task.restore()
    kv.put('id', id)
    await commitCycle(log, task)
  }
  await state.close()
  state = await opened()
  await state.deleteTasks((id) => id === 'q/1')
  for (const id of ids.slice(1)) {
    const task = state.task(id, (store) => `${id}-${store}`, 0)
    const kv = task.keyValue('kv', codecOf(textShape))
    await task.restore()
    expect(await kv.getCommitted('id')).toBe(id)
  }
  expect(state.metrics.dropped).toBe(0)
  expect(disk.range('p', 'q')).toHaveLength(2)
  await state.close()
})

test('commit records of the last four write buffers are kept, without a gap', async () => {
  const { f, disk } = await start()
  const numbers = (): number[] =>
    disk.range('c', 'd').map(([key, value]) => decodeRecord<CommitRecord>(key, value)!.number)
  let value = 0
  const save = async (key: string, bytes: number): Promise<void> => {
    f.kv.put(key, `${value++}`.padEnd(bytes))
    await commitCycle(f.log, f.task)
    await f.worker.checkpoint()
  }
  for (let n = 1; n <= 12; n++) await save('small', 1)
  expect(numbers()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  for (let n = 0; n < 6; n++) await save(`large-${n}`, WRITE_BUFFER_BYTES)
  expect(numbers()).toEqual([15, 16, 17, 18])
})
