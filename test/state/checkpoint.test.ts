import { fc, test } from '@fast-check/vitest'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import type { FileSystem } from '../../src/base/file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import type { KeyValueStore, WindowStore } from '../../src/state/store.ts'
import type { TaskState } from '../../src/state/task-state.ts'
import { codecOf, textShape } from '../../src/state/value-codec.ts'
import { WorkerState, type WorkerStateOptions } from '../../src/state/worker-state.ts'
import { memoryFiles } from './memory-files.ts'
import { MemoryLog, owner } from './memory-log.ts'

const files = {
  makeDirectory: (path: string) => mkdir(path, { recursive: true }).then(() => {}),
  removeTree: (path: string) => rm(path, { recursive: true, force: true }),
} as unknown as FileSystem

/** Time passes with every look at it: a checkpoint in steps lets others in at each of them. */
class HurriedClock extends ManualClock {
  #ms = 0
  override monotonicMs(): number {
    return (this.#ms += 1000)
  }
}

/** A key-value store and windows of which the same is known by a plain map. */
class Fixture {
  log = new MemoryLog()
  worker!: WorkerState
  task!: TaskState
  kv!: KeyValueStore<string>
  windows!: WindowStore<string>
  readonly expected = new Map<string, string>()
  expiredMs = 0
  readonly #options: Partial<WorkerStateOptions>
  #random = seededRandom(1)
  epoch = 0

  constructor(options: Partial<WorkerStateOptions>, seed = 1) {
    this.#options = options
    this.#random = seededRandom(seed)
  }

  async start(): Promise<void> {
    this.epoch++
    this.worker = await WorkerState.open({
      directory: 'state',
      log: this.log.log,
      fileSystem: memoryFiles,
      clock: new HurriedClock(),
      epoch: this.epoch,
      memoryBytesMax: 1e9,
      ...this.#options,
    })
    await this.openTask()
  }

  async openTask(): Promise<void> {
    this.task = this.worker.task('query/0', (store) => `${store}-changelog`, 0)
    this.kv = this.task.keyValue('kv', codecOf(textShape))
    this.windows = this.task.window('windows', codecOf(textShape), { bucketMs: 50 })
    await this.task.restore()
  }

  /** One committed cycle of random changes. */
  async cycle(changes = 20, keys = 300): Promise<void> {
    const random = this.#random
    const names = Array.from({ length: changes }, () => `key-${random.below(keys)}`)
    await this.kv.load(names)
    await this.windows.load(names, 0, 1e6)
    for (const key of names) {
      if (random.below(5) === 0) {
        this.kv.remove(key)
        this.expected.delete(key)
      } else {
        const value = `value ${random.below(1e9)}`
        this.kv.put(key, value)
        this.expected.set(key, value)
      }
      const startMs = this.expiredMs + random.below(200)
      this.windows.put(key, startMs, 'w')
      this.expected.set(`${key} ${startMs}`, 'w')
    }
    if (random.below(4) === 0) {
      this.expiredMs += 40
      this.windows.expire(this.expiredMs)
      for (const key of this.expected.keys()) {
        const startMs = key.split(' ')[1]
        if (startMs !== undefined && Number(startMs) < this.expiredMs) this.expected.delete(key)
      }
    }
    const outcome = await this.log.commit({ owner, appends: this.task.flush(), offsets: [] })
    if (outcome.kind === 'committed') this.task.committed(outcome.baseOffsets)
  }

  async found(): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for await (const [key, value] of this.kv.scanCommitted(null, null)) found.set(key, value)
    for await (const { key, startMs, value } of this.windows.scanCommitted(null, null, 0, 1e9)) {
      found.set(`${key} ${startMs}`, value)
    }
    return found
  }

  async expectState(): Promise<void> {
    expect(sorted(await this.found())).toEqual(sorted(this.expected))
  }
}

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

function sorted(map: ReadonlyMap<string, string>): (readonly [string, string])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
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
