import { fc, test } from '@fast-check/vitest'
import { expect, test as plainTest } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { StorageError } from '../../src/base/errors.ts'
import { seededRandom } from '../../src/base/random.ts'
import { CHUNK_MASK, CHUNK_SHIFT } from '../../src/engine/slabs/group-frames.ts'
import { groupHash, GroupPages } from '../../src/engine/slabs/group-pages.ts'
import { GroupStore } from '../../src/engine/slabs/group-store.ts'
import type { GroupAppend } from '../../src/log/log.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import type { TaskState } from '../../src/state/task-state.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import { MemoryLog, owner } from '../state/memory-log.ts'
import { memoryFiles } from '../state/memory-files.ts'

const EVERYTHING = { keys: null, from: null, to: null, startFromMs: -Infinity, startToMs: Infinity }
/** Enough that pages split, few enough that keys come again. */
const KEYS = 5000
const ROWS_PER_CYCLE = 500

/** Every step of a checkpoint seems long: others get their turn between any two. */
class HurriedClock extends ManualClock {
  #ms = 0
  override monotonicMs(): number {
    return (this.#ms += 1000)
  }
}

/** A store of counts and the process around it, on a disk that may lose what it was given. */
class Bench {
  readonly random: ReturnType<typeof seededRandom>
  readonly log = new MemoryLog()
  readonly disk = new ModelDisk()
  readonly #memoryBytesMax: number
  #epoch = 0
  readonly #bytes = Buffer.alloc(200 * ROWS_PER_CYCLE)
  worker!: WorkerState
  task!: TaskState
  store!: GroupStore

  constructor(seed: number, memoryBytesMax: number) {
    this.random = seededRandom(seed)
    this.#memoryBytesMax = memoryBytesMax
  }

  async start(): Promise<void> {
    this.worker = await WorkerState.open({
      directory: 'state',
      log: this.log.log,
      fileSystem: memoryFiles,
      clock: new HurriedClock(),
      epoch: ++this.#epoch,
      memoryBytesMax: this.#memoryBytesMax,
      openStorage: async () => this.disk.open(),
    })
    await this.open()
  }

  async open(): Promise<void> {
    this.task = this.worker.task('q/0', (store) => `${store}-log`, 0)
    this.store = this.task.managed('groups', (name, context) => new GroupStore(name, [0], 'count', context))
    await this.task.restore()
  }

  /** Counts some keys; what is committed once this is. */
  async work(
    before: ReadonlyMap<string, number>,
    firstKey = 0,
    rows = ROWS_PER_CYCLE,
  ): Promise<Map<string, number>> {
    const next = new Map(before)
    const names = Array.from({ length: rows }, () => keyName(firstKey + this.random.below(KEYS)))
    // The same memory each time, as slices of the log are.
    const bytes = this.#bytes.fill(0)
    bytes.write(names.join(''))
    const starts = new Int32Array(names.length)
    const ends = new Int32Array(names.length)
    names.reduce((at, name, i) => {
      starts[i] = at
      return (ends[i] = at + name.length)
    }, 0)
    await this.store.load({ bytes, starts, ends }, null, names.length)
    const { pages } = this.store
    pages.frames.touch()
    for (const [i, name] of names.entries()) {
      const hash = groupHash(bytes, starts[i]!, ends[i]!)
      const place = pages.slot(bytes, starts[i]!, ends[i]!, hash)
      const chunk = pages.frames.chunks[place >> CHUNK_SHIFT]!
      const at = place & CHUNK_MASK
      if (chunk.dirty[at] === 0) pages.markDirty(place, hash)
      chunk.state[at * 2]! += 1
      chunk.state[at * 2 + 1] = 5
      next.set(name, (next.get(name) ?? 0) + 1)
    }
    return next
  }

  async commit(appends: readonly GroupAppend[]): Promise<void> {
    const outcome = await this.log.commit({ owner, appends, offsets: [] })
    if (outcome.kind !== 'committed') throw new Error(outcome.kind)
    this.task.committed(outcome.baseOffsets)
  }

  async found(range: object = EVERYTHING): Promise<Map<string, number>> {
    const groups = new Map<string, number>()
    for await (const { key, state } of this.store.committedGroups(range as never)) groups.set(key, state[0]!)
    return groups
  }
}

/** Does it again, as the worker does, where damage was found: by then what is damaged is gone. */
async function noticed(bench: Bench, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    expect(['STATE_CORRUPT', 'STATE_FAILED']).toContain(error.code)
    await bench.task.close()
    await bench.open()
    await work()
  }
}

/** Keys that fit a slot, that make slots wider, and that lie beside them. */
function keyName(n: number): string {
  if (n % 97 === 0) return `${n}-${'long'.repeat(40)}`
  return n % 31 === 0 ? `${n}-${'wide'.repeat(9)}` : `key-${n}`
}

const steps = fc.array(
  fc.constantFrom(
    'cycle',
    'cycle',
    'cycle',
    'failed-cycle',
    'checkpoint',
    'checkpoint-meanwhile',
    'overlapping-cycles',
    'overlapping-cycle-fails',
    'restart',
    'death',
  ),
  { minLength: 3, maxLength: 25 },
)

for (const memoryBytesMax of [1, 1 << 30]) {
  test.prop([steps, fc.integer({ min: 1, max: 1e6 }), fc.constantFrom('lost-tail', 'hole', 'flipped-bit')], {
    numRuns: 8,
  })(
    `groups come back as they were committed, with ${memoryBytesMax} bytes of memory`,
    async (plan, seed, crash) => {
      const bench = new Bench(seed, memoryBytesMax)
      let expected: ReadonlyMap<string, number> = new Map()
      const cycle = async (saved?: Promise<void>): Promise<void> => {
        const next = await bench.work(expected)
        const appends = bench.task.flush()
        await saved
        await bench.commit(appends)
        expected = next
      }
      const overlapping = async (commits: boolean): Promise<void> => {
        const first = await bench.work(expected)
        const appends = bench.task.flush()
        const saved = bench.worker.checkpoint()
        const second = await bench.work(first)
        expect(await bench.found()).toEqual(expected)
        await saved
        if (!commits) {
          await bench.task.close()
          await bench.open()
          return
        }
        await bench.commit(appends)
        expected = first
        expect(await bench.found()).toEqual(expected)
        await bench.worker.checkpoint()
        await bench.commit(bench.task.flush())
        expected = second
      }
      await bench.start()
      for (const step of plan) {
        if (step === 'cycle') await cycle()
        else if (step === 'checkpoint') await bench.worker.checkpoint()
        else if (step === 'checkpoint-meanwhile') await cycle(bench.worker.checkpoint())
        else if (step === 'overlapping-cycles') await overlapping(true)
        else if (step === 'overlapping-cycle-fails') await overlapping(false)
        else if (step === 'failed-cycle') {
          await bench.work(expected)
          bench.task.flush()
          await bench.task.close()
          await bench.open()
        } else {
          if (step === 'restart') await bench.worker.close()
          await bench.start()
          expect(bench.worker.metrics.dropped).toBe(0)
        }
        expect(await bench.found()).toEqual(expected)
      }
      const some = [...expected.keys()].slice(0, 3)
      const few = await bench.found({ ...EVERYTHING, keys: [...some, 'none'] })
      expect([...few.keys()]).toEqual(some)
      // The process dies as it is; then with its storage damaged, which is noticed when it is read at the latest.
      bench.disk.crash(crash, bench.random)
      await noticed(bench, () => bench.start())
      await noticed(bench, async () => expect(await bench.found()).toEqual(expected))
      await noticed(bench, () => cycle())
      await noticed(bench, async () => expect(await bench.found()).toEqual(expected))
    },
  )
}

plainTest('a start reads the directory of the pages and none of them', async () => {
  const bench = new Bench(1, 1 << 30)
  await bench.start()
  let expected = new Map<string, number>()
  for (let i = 0; i < 30; i++) {
    expected = await bench.work(expected)
    await bench.commit(bench.task.flush())
  }
  await bench.worker.close()
  await bench.start()
  const { pages } = bench.store
  expect(pages.count).toBeGreaterThan(20)
  expect(pages.absent).toBe(pages.count)
  const keys = [...expected.keys()].slice(0, 2)
  const bytes = Buffer.from(keys.join(''))
  const starts = Int32Array.of(0, keys[0]!.length)
  await bench.store.load({ bytes, starts, ends: Int32Array.of(keys[0]!.length, bytes.length) }, null, 2)
  expect(pages.absent).toBeGreaterThanOrEqual(pages.count - 2)
  expect(await bench.found()).toEqual(expected)
})

plainTest('a reader that finds a damaged page gives the task up: its query starts again', async () => {
  const bench = new Bench(1, 1)
  await bench.start()
  const expected = await bench.work(new Map())
  await bench.commit(bench.task.flush())
  await bench.worker.close()
  // Each time another place.
  for (let found = 0, tries = 0; found === 0 && tries < 50; tries++) {
    bench.disk.crash('flipped-bit', bench.random)
    await bench.start()
    if (bench.worker.metrics.dropped > 0) break
    await bench.found().catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'STATE_CORRUPT' })
      found++
    })
  }
  expect(() => bench.task.assertUsable()).toThrowError(
    expect.objectContaining({ code: 'STATE_CORRUPT' }) as Error,
  )
  await bench.task.close()
  await bench.open()
  bench.task.assertUsable()
  expect(await bench.found()).toEqual(expected)
})

plainTest('pages that split while a checkpoint is put together are in it', async () => {
  const bench = new Bench(1, 1 << 30)
  await bench.start()
  let expected: ReadonlyMap<string, number> = new Map()
  for (let i = 0; i < 12; i++) {
    const saved = bench.worker.checkpoint()
    // New keys, among those of before, in the turns between its steps.
    for (let turn = 0; turn < 3; turn++) {
      expected = await bench.work(expected, i * 1000)
      await bench.commit(bench.task.flush())
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    await saved
    await bench.start()
    // One at a time: a row finds no page but its own.
    for (let row = 0; row < 40; row++) {
      expected = await bench.work(expected, i * 1000, 1)
      await bench.commit(bench.task.flush())
    }
    expect(await bench.found()).toEqual(expected)
  }
})

plainTest('a state larger than memory stays within its bound', async () => {
  const bound = 200_000
  const bench = new Bench(1, bound)
  await bench.start()
  let expected = new Map<string, number>()
  for (let i = 0; i < 40; i++) {
    expected = await bench.work(expected)
    await bench.commit(bench.task.flush())
    await bench.worker.relieve()
    expect(bench.worker.metrics.memoryBytes).toBeLessThan(bound * 1.25)
  }
  expect(bench.store.pages.absent).toBeGreaterThan(0)
  expect(await bench.found()).toEqual(expected)
})

plainTest('more keys with one hash than a page holds are refused', () => {
  const pages = new GroupPages([0])
  expect(() => {
    for (let n = 0; n < 300; n++) {
      const key = Buffer.from(`same-hash-${n}`)
      pages.slot(key, 0, key.length, 1)
    }
  }).toThrowError(expect.objectContaining({ code: 'STATE_FAILED' }) as Error)
})
