import type { Random } from '../base/random.ts'
import type { PageWrite } from './page-table.ts'
import type { StateStorage } from './state-storage.ts'

/**
 * Storage in memory that crashes the way LevelDB was measured to: a tail of unsynced writes is gone; or a
 * hole, later writes present and earlier ones gone; or a write that was refused is there all the same;
 * or a page's bytes have changed. A simulation opens it again as a restarted process would.
 */
export class ModelDisk {
  /** All writes so far, in order; `held`: not part of what readers see yet. */
  #writes: { readonly changes: readonly PageWrite[]; isRefused: boolean }[] = []
  #current = new Map<string, Uint8Array>()
  #sorted: string[] | null = null
  /** What happens to the next write: taken, or refused with this error. */
  failNextWrite: Error | null = null
  readonly #turn: () => Promise<void>

  /** @param turn  resolves when it is an operation's turn; by default at once */
  constructor(turn: () => Promise<void> = () => Promise.resolve()) {
    this.#turn = turn
  }

  /** Opens it as one process. */
  open(): StateStorage {
    return new ModelStorage(this, this.#turn)
  }

  /**
   * The process dies and the machine with it: what of the last `unsynced` writes is left is chance.
   * Clears count as writes.
   */
  crash(kind: 'lost-tail' | 'hole' | 'refused-present' | 'flipped-bit', random: Random, unsynced = 4): void {
    const writes = this.#writes
    switch (kind) {
      case 'lost-tail':
        writes.splice(writes.length - Math.min(writes.length, 1 + random.below(unsynced)))
        break
      case 'hole':
        if (writes.length > 1) {
          const start = Math.max(0, writes.length - 2 - random.below(unsynced))
          writes.splice(start, 1 + random.below(writes.length - 1 - start))
        }
        break
      case 'refused-present':
        for (const write of writes) write.isRefused = false
        break
      case 'flipped-bit':
        break
    }
    this.#current = new Map()
    this.#sorted = null
    this.#writes = []
    for (const { changes, isRefused } of writes) if (!isRefused) this.#apply(changes)
    this.#writes = writes.filter((w) => !w.isRefused)
    if (kind === 'flipped-bit') this.#flip(random)
  }

  write(changes: readonly PageWrite[]): void {
    const isRefused = this.failNextWrite !== null
    this.#writes.push({ changes, isRefused })
    if (isRefused) {
      const error = this.failNextWrite!
      this.failNextWrite = null
      throw error
    }
    this.#apply(changes)
  }

  get(key: string): Uint8Array | undefined {
    return this.#current.get(key)
  }

  /** A snapshot. */
  range(from: string, to: string): (readonly [string, Uint8Array])[] {
    this.#sorted ??= [...this.#current.keys()].sort((a, b) => (a < b ? -1 : 1))
    return this.#sorted.filter((key) => key >= from && key < to).map((key) => [key, this.#current.get(key)!])
  }

  #apply(changes: readonly PageWrite[]): void {
    this.#sorted = null
    for (const { key, value } of changes) {
      if (value === null) this.#current.delete(key)
      else this.#current.set(key, value)
    }
  }

  #flip(random: Random): void {
    const keys = [...this.#current.keys()]
    if (keys.length === 0) return
    const key = keys[random.below(keys.length)]!
    const value = this.#current.get(key)!.slice()
    value[random.below(value.length)]! ^= 1 << random.below(8)
    this.#current.set(key, value)
  }
}

class ModelStorage implements StateStorage {
  readonly #disk: ModelDisk
  readonly #turn: () => Promise<void>
  #closed = false

  constructor(disk: ModelDisk, turn: () => Promise<void>) {
    this.#disk = disk
    this.#turn = turn
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#assertOpen()
    await this.#turn()
    return keys.map((key) => this.#disk.get(key))
  }

  iterate(from: string, to: string): AsyncIterable<readonly [string, Uint8Array]> {
    this.#assertOpen()
    return readAll(this.#disk.range(from, to), this.#turn)
  }

  async write(writes: readonly PageWrite[]): Promise<void> {
    this.#assertOpen()
    await this.#turn()
    this.#disk.write(writes)
    await this.#turn()
  }

  async clear(from: string, to: string): Promise<void> {
    this.#assertOpen()
    await this.#turn()
    // In batches of its own, as LevelDB does it.
    const keys = this.#disk.range(from, to)
    for (let at = 0; at < keys.length; at += 100) {
      this.#disk.write(keys.slice(at, at + 100).map(([key]) => ({ key, value: null })))
      await this.#turn()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #assertOpen(): void {
    if (this.#closed)
      throw Object.assign(new Error('Storage is closed.'), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  }
}

async function* readAll(
  entries: readonly (readonly [string, Uint8Array])[],
  turn: () => Promise<void>,
): AsyncIterable<readonly [string, Uint8Array]> {
  for (const [i, entry] of entries.entries()) {
    if (i % 16 === 0) await turn()
    yield entry
  }
}
