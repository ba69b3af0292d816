import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { hashBytes } from '../../src/engine/slabs/slab.ts'
import { SlabStore } from '../../src/engine/slabs/slab-store.ts'
import type { GroupAppend } from '../../src/log/log.ts'
import { codecOf, textShape } from '../../src/state/value-codec.ts'
import { ModelDisk } from '../../src/state/model-storage.ts'
import type { KeyValueStore } from '../../src/state/store.ts'
import type { TaskState } from '../../src/state/task-state.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import { MemoryLog, owner } from '../state/memory-log.ts'
import { memoryFiles } from '../state/memory-files.ts'

class HurriedClock extends ManualClock {
  #ms = 0
  override monotonicMs(): number {
    return (this.#ms += 1000)
  }
}

const steps = fc.array(
  fc.constantFrom(
    'cycle',
    'cycle',
    'failed-cycle',
    'checkpoint',
    'checkpoint-meanwhile',
    'checkpoint-and-die',
    'overlapping-cycles',
    'overlapping-cycle-fails',
    'restart',
  ),
  {
    minLength: 3,
    maxLength: 25,
  },
)

test.prop([steps, fc.integer({ min: 1, max: 1e6 }), fc.constantFrom('lost-tail', 'hole', 'flipped-bit')], {
  numRuns: 40,
})('slabs come back as they were committed', async (plan, seed, crash) => {
  const random = seededRandom(seed)
  const log = new MemoryLog()
  const disk = new ModelDisk()
  let epoch = 0
  let worker!: WorkerState
  let task!: TaskState
  let slabs!: SlabStore
  let kv!: KeyValueStore<string>
  /** Committed counts by window and key. */
  let expected = new Map<string, number>()
  let belowMs = 0

  const start = async (): Promise<void> => {
    worker = await WorkerState.open({
      directory: 'state',
      log: log.log,
      fileSystem: memoryFiles,
      clock: new HurriedClock(),
      epoch: ++epoch,
      memoryBytesMax: 1,
      openStorage: async () => disk.open(),
    })
    await open()
  }
  const open = async (): Promise<void> => {
    task = worker.task('q/0', (store) => `${store}-log`, 0)
    slabs = task.managed('slabs', (name, context) => new SlabStore(name, [0], 'count', context))
    kv = task.keyValue('cold', codecOf(textShape))
    await task.restore()
  }
  const found = (): Map<string, number> => {
    const groups = new Map<string, number>()
    const everything = { keys: null, from: null, to: null, startFromMs: -Infinity, startToMs: Infinity }
    for (const { startMs, key, state } of slabs.committedGroups(everything as never)) {
      groups.set(`${startMs} ${key}`, state[0]!)
    }
    return groups
  }
  /** Changes of one cycle on top of `before`, which are returned with what has expired then. */
  const work = async (
    before: ReadonlyMap<string, number>,
    beforeBelowMs: number,
  ): Promise<{ next: Map<string, number>; nextBelowMs: number }> => {
    const next = new Map(before)
    // A store beside it whose pages are cold, so that a checkpoint has to wait for them.
    const coldKeys = Array.from({ length: 5 }, () => `cold-${random.below(1000)}`)
    await kv.load(coldKeys)
    for (const key of coldKeys) kv.put(key, `${random.below(1e9)}`)
    for (let i = 0; i < 60; i++) {
      const startMs = beforeBelowMs + random.below(4) * 100
      const key = Buffer.from(`key-${random.below(100)}`)
      const slab = slabs.slabAt(startMs)
      const slot = slab.slot(key, 0, key.length, hashBytes(key, 0, key.length))
      if (slab.dirty[slot] === 0) slab.markDirty(slot)
      slab.state[slot * slab.stride]! += 1
      slab.state[slot * slab.stride + slab.stride - 1] = startMs
      const name = `${startMs} ${key.toString()}`
      next.set(name, (next.get(name) ?? 0) + 1)
    }
    let nextBelowMs = beforeBelowMs
    if (random.below(3) === 0) {
      nextBelowMs += 100
      slabs.expire(nextBelowMs)
      for (const name of next.keys()) if (Number(name.split(' ')[0]) < nextBelowMs) next.delete(name)
    }
    return { next, nextBelowMs }
  }
  const commit = async (appends: readonly GroupAppend[]): Promise<void> => {
    const outcome = await log.commit({ owner, appends, offsets: [] })
    if (outcome.kind === 'committed') task.committed(outcome.baseOffsets)
  }
  const cycle = async (end: 'commits' | 'fails' | 'dies', saved?: Promise<void>): Promise<void> => {
    const { next, nextBelowMs } = await work(expected, belowMs)
    const appends = task.flush()
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (end === 'fails') {
      await task.close()
      await open()
    } else if (end === 'dies') {
      await saved
      await start()
      expect(worker.metrics.dropped).toBe(0)
    } else {
      await commit(appends)
      expected = next
      belowMs = nextBelowMs
    }
    expect(found()).toEqual(expected)
  }
  /** The second cycle works while the commit of the first is under way, with checkpoints in between. */
  const overlapping = async (end: 'commits' | 'fails'): Promise<void> => {
    const first = await work(expected, belowMs)
    const appends = task.flush()
    expect(found()).toEqual(expected)
    const second = await work(first.next, first.nextBelowMs)
    expect(found()).toEqual(expected)
    if (random.below(2) === 0) await worker.checkpoint()
    if (end === 'fails') {
      await task.close()
      await open()
      return
    }
    await commit(appends)
    expect(found()).toEqual(first.next)
    if (random.below(2) === 0) await worker.checkpoint()
    const saved = random.below(2) === 0 ? worker.checkpoint() : undefined
    await commit(task.flush())
    await saved
    expected = second.next
    belowMs = second.nextBelowMs
  }

  await start()
  for (const step of plan) {
    if (step === 'cycle') await cycle('commits')
    else if (step === 'failed-cycle') await cycle('fails')
    else if (step === 'overlapping-cycles') await overlapping('commits')
    else if (step === 'overlapping-cycle-fails') await overlapping('fails')
    else if (step === 'checkpoint') await worker.checkpoint()
    else if (step === 'checkpoint-meanwhile') {
      const saved = worker.checkpoint()
      await cycle('commits')
      await saved
    } else if (step === 'checkpoint-and-die') {
      await cycle('dies', worker.checkpoint())
    } else {
      await worker.close()
      await start()
      expect(worker.metrics.dropped).toBe(0)
    }
    expect(found()).toEqual(expected)
  }
  // The process dies as it is; first with all of its storage, then without some of it.
  await start()
  expect(worker.metrics.dropped).toBe(0)
  expect(found()).toEqual(expected)
  disk.crash(crash, random)
  await start()
  expect(found()).toEqual(expected)
  await cycle('commits')
})
