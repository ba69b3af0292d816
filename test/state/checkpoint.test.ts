import { fc, test } from '@fast-check/vitest'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import { codecOf, textShape } from '../../src/state/value-codec.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import { memoryFiles } from './memory-files.ts'
import { commitCycle, MemoryLog } from './memory-log.ts'
import { files, Fixture } from './state-fixture.ts'

/** A checkpoint, and cycles in between its steps. */
async function cyclesMeanwhile(f: Fixture, cycles: number, changes: number, keys: number): Promise<void> {
  const saved = f.worker.checkpoint()
  for (let i = 0; i < cycles; i++) {
    await f.cycle(changes, keys)
    await f.expectState()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  await saved
}

const steps = fc.array(fc.constantFrom('cycle', 'cycle', 'checkpoint', 'cycles-meanwhile', 'restart'), {
  minLength: 3,
  maxLength: 25,
})
const crashes = fc.constantFrom('lost-tail', 'hole', 'refused-present', 'flipped-bit')

test.prop([steps, crashes, fc.integer({ min: 1, max: 1e6 }), fc.constantFrom(1, 1e9)])(
  'whatever a crash does to the checkpoint, a restart gives what was committed',
  async (plan, crash, seed, memoryBytesMax) => {
    const disk = new ModelDisk()
    const f = new Fixture({ openStorage: async () => disk.open(), memoryBytesMax }, seed)
    await f.start()
    for (const step of plan) {
      if (step === 'cycle') await f.cycle()
      else if (step === 'checkpoint') await f.worker.checkpoint()
      else if (step === 'cycles-meanwhile') await cyclesMeanwhile(f, 3, 20, 300)
      else {
        await f.worker.close()
        await f.start()
      }
    }
    if (crash === 'refused-present') {
      disk.failNextWrite = Object.assign(new Error('no space'), { code: 'ENOSPC' })
      await f.worker.checkpoint().catch(() => {})
      disk.failNextWrite = null
    }
    // The process is gone: nothing is closed.
    disk.crash(crash, seededRandom(seed))
    await f.start()
    await f.expectState()
    await f.cycle()
    await f.worker.checkpoint()
    await f.expectState()
    await f.worker.close()
    await f.start()
    expect(f.worker.metrics.dropped).toBe(0)
    await f.expectState()
  },
)

describe('what does not add up is thrown away and counted', () => {
  const open = async (): Promise<{ f: Fixture; disk: ModelDisk }> => {
    const disk = new ModelDisk()
    const f = new Fixture({ openStorage: async () => disk.open() })
    await f.start()
    for (let i = 0; i < 10; i++) {
      await f.cycle()
      await f.worker.checkpoint()
    }
    return { f, disk }
  }

  test('a hole', async () => {
    let dropped = 0
    for (let seed = 0; seed < 20; seed++) {
      const { f, disk } = await open()
      disk.crash('hole', seededRandom(seed))
      await f.start()
      await f.expectState()
      if (/hole|missing|outdated/.test(f.worker.metrics.droppedReasons.join())) dropped++
    }
    // Sometimes the hole takes a clear, which is repeated.
    expect(dropped).toBeGreaterThan(5)
  })

  test('one flipped bit anywhere', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const { f, disk } = await open()
      disk.crash('flipped-bit', seededRandom(seed))
      await f.start()
      expect(f.worker.metrics.dropped).toBe(1)
      await f.expectState()
    }
  })

  test('a checkpoint ahead of its changelog', async () => {
    const { f } = await open()
    await f.worker.close()
    f.log.rollBack(4)
    await f.start()
    expect(f.worker.metrics.droppedReasons).toEqual(['query/0: store kv is ahead of its changelog'])
    expect((await f.found()).size).toBeLessThan(f.expected.size)
  })

  test('the checkpoint of another log, or of an epoch this log does not know', async () => {
    const { f } = await open()
    await f.worker.close()
    f.log = new MemoryLog('log-2')
    await f.start()
    expect(f.worker.metrics.droppedReasons).toEqual(['the checkpoint belongs to another log'])
    expect((await f.found()).size).toBe(0)
    await f.cycle()
    await f.worker.close()
    f.epoch = 0
    await f.start()
    expect(f.worker.metrics.droppedReasons).toEqual(['the checkpoint is of an epoch this log does not know'])
    expect((await f.found()).size).toBeGreaterThan(0)
  })

  test('a task record whose commit record is gone', async () => {
    const { f, disk } = await open()
    const [last] = disk.range('c', 'd').at(-1)!
    disk.write([{ key: last, value: null }])
    await f.start()
    expect(f.worker.metrics.droppedReasons).toEqual([
      'query/0: a task record is of a checkpoint that is unknown',
    ])
    await f.expectState()
  })

  test('a topic of the same name that is another one', async () => {
    const { f } = await open()
    await f.worker.close()
    await f.log.createTopic('kv-changelog', { partitions: 1 })
    await f.start()
    expect(f.worker.metrics.droppedReasons).toEqual(['query/0: store kv belongs to another changelog'])
  })
})

test('after a failed write a task does nothing until it is opened again over reopened storage', async () => {
  const disk = new ModelDisk()
  let opened = 0
  const f = new Fixture({
    openStorage: async () => {
      opened++
      return disk.open()
    },
  })
  await f.start()
  await f.cycle()
  disk.failNextWrite = Object.assign(new Error('no space'), { code: 'ENOSPC' })
  await expect(f.worker.checkpoint()).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(() => f.task.flush()).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }))
  await expect(f.kv.getCommitted('key-1')).rejects.toMatchObject({ code: 'STATE_FAILED' })
  await f.task.close()
  await f.openTask()
  expect(opened).toBe(2)
  await f.expectState()
  await f.cycle()
  await f.worker.checkpoint()
  await f.worker.close()
  await f.start()
  await f.expectState()
  expect(f.worker.metrics.dropped).toBe(0)
})

test('a checkpoint shortens a restart to what came after it', async () => {
  const disk = new ModelDisk()
  const f = new Fixture({ openStorage: async () => disk.open() })
  await f.start()
  for (let i = 0; i < 20; i++) await f.cycle()
  await f.worker.checkpoint()
  await f.cycle()
  let read = 0
  const { log } = f
  const original = log.read.bind(log)
  log.read = async (...args) => {
    const slice = await original(...args)
    read += slice.bytes.length
    return slice
  }
  await f.start()
  expect(read).toBeGreaterThan(0)
  expect(read).toBeLessThan(4000)
  await f.expectState()
})

test('tasks are saved in turn, a quarter of all there is to replay at a time', async () => {
  const disk = new ModelDisk()
  const log = new MemoryLog()
  const clock = new ManualClock(0)
  const state = await WorkerState.open({
    directory: 'state',
    log: log.log,
    fileSystem: memoryFiles,
    clock,
    epoch: 1,
    memoryBytesMax: 1e9,
    replayRecordsMax: 100,
    openStorage: async () => disk.open(),
  })
  const tasks = Array.from({ length: 8 }, (_, n) => {
    const task = state.task(`query/${n}`, () => `changelog-${n}`, 0)
    return { task, kv: task.keyValue('kv', codecOf(textShape)) }
  })
  for (const { task } of tasks) await task.restore()
  let keys = 0
  const change = async (n: number, records: number): Promise<void> => {
    const { task, kv } = tasks[n]!
    for (let i = 0; i < records; i++) kv.put(`key-${keys++}`, 'value')
    await commitCycle(log, task)
  }
  const unsaved = async (): Promise<number[]> => {
    state.checkpointIfDue()
    // Where none was due there is no end of it to wait for.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    return tasks.map(({ task }) => task.unsavedRecords)
  }
  // With the record that names the store, 12 each.
  for (const n of tasks.keys()) await change(n, 11)
  expect(await unsaved()).toEqual([12, 12, 12, 12, 12, 12, 12, 12])
  await change(7, 8)
  expect(await unsaved()).toEqual([0, 0, 0, 12, 12, 12, 12, 20])
  // Those saved just now are behind all others.
  await change(0, 32)
  expect(await unsaved()).toEqual([32, 0, 0, 0, 0, 0, 12, 20])
  await change(1, 40)
  expect(await unsaved()).toEqual([32, 40, 0, 0, 0, 0, 0, 0])
  // Where little is written, in a quarter of the time after which all of it is to be saved.
  clock.advanceTo(249)
  expect(await unsaved()).toEqual([32, 40, 0, 0, 0, 0, 0, 0])
  clock.advanceTo(250)
  expect(await unsaved()).toEqual([0, 40, 0, 0, 0, 0, 0, 0])
  await state.close()
  expect(tasks.every(({ task }) => task.unsavedRecords === 0)).toBe(true)
})

test('a cache much smaller than the state stays small, and gives the same', async () => {
  const disk = new ModelDisk()
  const f = new Fixture({ openStorage: async () => disk.open(), memoryBytesMax: 100_000 })
  await f.start()
  for (let i = 0; i < 60; i++) {
    await f.cycle(200, 5000)
    if (i % 5 === 4) await f.worker.checkpoint()
  }
  await f.worker.checkpoint()
  f.task.flush()
  f.task.committed([])
  expect(f.worker.metrics.memoryBytes).toBeLessThan(150_000)
  await f.expectState()
  await f.worker.close()
  await f.start()
  expect(f.worker.metrics.memoryBytes).toBeLessThan(150_000)
  await f.expectState()
  expect(f.expected.size).toBeGreaterThan(3000)
})

test('cycles and scans while a large checkpoint is put together see what is committed', async () => {
  const disk = new ModelDisk()
  for (const memoryBytesMax of [1e9, 1_000_000]) {
    const f = new Fixture({ openStorage: async () => disk.open(), memoryBytesMax })
    await f.start()
    await f.cycle(20_000, 30_000)
    await cyclesMeanwhile(f, 4, 500, 30_000)
    await cyclesMeanwhile(f, 2, 500, 30_000)
    await f.cycle(100, 30_000)
    // Crashed with the last cycle not in the checkpoint.
    await f.start()
    await f.expectState()
    expect(f.worker.metrics.dropped).toBe(0)
    await f.worker.close()
    disk.crash('lost-tail', seededRandom(1), 10_000)
  }
})

test('a rebuild of more than fits keeps within memory', async () => {
  const disk = new ModelDisk()
  const f = new Fixture({ openStorage: async () => disk.open(), memoryBytesMax: 100_000 })
  await f.start()
  for (let i = 0; i < 30; i++) await f.cycle(300, 5000)
  disk.crash('lost-tail', seededRandom(1), 1000)
  await f.start()
  expect(f.worker.metrics.checkpoints).toBeGreaterThan(0)
  await f.expectState()
})

test('expired windows leave the storage', async () => {
  const disk = new ModelDisk()
  const f = new Fixture({ openStorage: async () => disk.open() })
  await f.start()
  for (let i = 0; i < 80; i++) {
    await f.cycle()
    await f.worker.checkpoint()
  }
  await f.worker.close()
  const inStorage = disk.range('p', 'q').reduce((sum, [, value]) => sum + value.length, 0)
  await f.start()
  await f.expectState()
  // Some 1,600 windows were put; at most 200 + 50 ms of them are left.
  expect(inStorage).toBeLessThan(60_000)
})

for (const kind of ['.log', '.ldb']) {
  test(`a byte flipped in a LevelDB ${kind} file changes nothing`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-state-'))
    try {
      const f = new Fixture({ directory, fileSystem: files })
      await f.start()
      for (let i = 0; i < 12; i++) {
        await f.cycle(400, 2000)
        await f.worker.checkpoint()
      }
      await f.worker.close()
      for (const at of [0.1, 0.5, 0.9]) {
        // Opening and closing moves the write-ahead log into a table.
        if (kind === '.ldb') {
          await f.start()
          await f.worker.close()
        } else {
          await f.start()
          await f.cycle(400, 2000)
          await f.worker.close()
        }
        const damaged = readdirSync(directory).filter((name) => name.endsWith(kind))
        expect(damaged.length).toBeGreaterThan(0)
        const file = join(directory, damaged.at(-1)!)
        const bytes = readFileSync(file)
        bytes[Math.floor(bytes.length * at)]! ^= 0x10
        writeFileSync(file, bytes)
        // LevelDB itself may find it only while reading: then the task is opened once more.
        await f.start().catch(async (error: { code: string }) => {
          expect(error.code).toBe('STATE_FAILED')
          await f.task.close()
          await f.openTask()
        })
        await f.expectState()
        await f.cycle()
        await f.worker.close()
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
}
