import { mkdir, rm } from 'node:fs/promises'
import { expect } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import type { FileSystem } from '../../src/base/file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { KeyValueStore, WindowStore } from '../../src/state/store.ts'
import type { TaskState } from '../../src/state/task-state.ts'
import { codecOf, textShape } from '../../src/state/value-codec.ts'
import { WorkerState, type WorkerStateOptions } from '../../src/state/worker-state.ts'
import { memoryFiles } from './memory-files.ts'
import { commitCycle, MemoryLog } from './memory-log.ts'

export const files = {
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
export class Fixture {
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
    await commitCycle(this.log, this.task)
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

function sorted(map: ReadonlyMap<string, string>): (readonly [string, string])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}
