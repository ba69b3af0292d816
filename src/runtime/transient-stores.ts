import { ChangelogWriter } from '../state/changelog.ts'
import type { ManagedStore, StoreContext } from '../state/managed-store.ts'
import type {
  KeyValueStore,
  SessionEntry,
  SessionStore,
  StoreKey,
  TaskStores,
  WindowEntry,
  WindowStore,
} from '../state/store.ts'

/**
 * State of one task that nobody restores: of a push query, and of the test driver. Plain maps, sorted when
 * read; nothing is cached, logged or kept on disk, and what is put counts as committed.
 */
export class TransientTaskStores implements TaskStores {
  readonly #managed: ManagedStore[] = []
  /** Stores that write a changelog write into this one, which nobody reads. */
  readonly #changelog = new ChangelogWriter()
  #cycle = 1

  keyValue<V>(): KeyValueStore<V> {
    return new TransientKeyValueStore<V>()
  }

  window<V>(): WindowStore<V> {
    return new TransientWindowStore<V>()
  }

  session<V>(): SessionStore<V> {
    return new TransientSessionStore<V>()
  }

  managed<S extends ManagedStore>(name: string, make: (name: string, context: StoreContext) => S): S {
    const store = make(name, {
      source: null,
      prefix: '',
      cycle: () => this.#cycle,
      assertUsable: () => {},
      dropCheckpoint: () => Promise.resolve(),
      assertReadable: () => {},
    })
    store.restored()
    this.#managed.push(store)
    return store
  }

  /** What was put so far is committed. */
  commit(): void {
    this.#cycle++
    for (const store of this.#managed) {
      store.flush(this.#changelog)
      this.#changelog.clear()
      store.committed()
    }
  }
}

class TransientKeyValueStore<V> implements KeyValueStore<V> {
  readonly #entries = new Map<StoreKey, V>()

  load(): undefined {}
  loadRange(): undefined {}

  get(key: StoreKey): V | undefined {
    return this.#entries.get(key)
  }

  put(key: StoreKey, value: V): void {
    this.#entries.set(key, value)
  }

  remove(key: StoreKey): void {
    this.#entries.delete(key)
  }

  range(from: StoreKey | null, to: StoreKey | null): Iterable<readonly [StoreKey, V]> {
    return [...this.#entries].filter(([key]) => within(key, from, to)).sort(([a], [b]) => compare(a, b))
  }

  async getCommitted(key: StoreKey): Promise<V | undefined> {
    return this.get(key)
  }

  async *scanCommitted(from: StoreKey | null, to: StoreKey | null): AsyncIterable<readonly [StoreKey, V]> {
    yield* this.range(from, to)
  }
}

class TransientWindowStore<V> implements WindowStore<V> {
  /** By key, then start. */
  readonly #entries = new Map<StoreKey, Map<number, V>>()

  load(): undefined {}
  loadStarts(): undefined {}

  get(key: StoreKey, startMs: number): V | undefined {
    return this.#entries.get(key)?.get(startMs)
  }

  put(key: StoreKey, startMs: number, value: V): void {
    let windows = this.#entries.get(key)
    if (windows === undefined) this.#entries.set(key, (windows = new Map<number, V>()))
    windows.set(startMs, value)
  }

  remove(key: StoreKey, startMs: number): void {
    this.#entries.get(key)?.delete(startMs)
  }

  fetch(key: StoreKey, fromMs: number, toMs: number): readonly WindowEntry<V>[] {
    return [...(this.#entries.get(key) ?? [])]
      .filter(([startMs]) => startMs >= fromMs && startMs <= toMs)
      .sort(([a], [b]) => a - b)
      .map(([startMs, value]) => ({ key, startMs, value }))
  }

  starts(fromMs: number, toMs: number): readonly WindowEntry<V>[] {
    return [...this.#entries.keys()]
      .flatMap((key) => this.fetch(key, fromMs, toMs))
      .sort((a, b) => a.startMs - b.startMs || compare(a.key, b.key))
  }

  expire(belowMs: number): void {
    for (const windows of this.#entries.values()) {
      for (const startMs of windows.keys()) if (startMs < belowMs) windows.delete(startMs)
    }
  }

  async fetchCommitted(key: StoreKey, fromMs: number, toMs: number): Promise<readonly WindowEntry<V>[]> {
    return this.fetch(key, fromMs, toMs)
  }

  async *scanCommitted(
    from: StoreKey | null,
    to: StoreKey | null,
    fromMs: number,
    toMs: number,
  ): AsyncIterable<WindowEntry<V>> {
    for (const key of [...this.#entries.keys()].filter((k) => within(k, from, to)).sort(compare)) {
      yield* this.fetch(key, fromMs, toMs)
    }
  }
}

class TransientSessionStore<V> implements SessionStore<V> {
  readonly #entries = new Map<StoreKey, SessionEntry<V>[]>()

  load(): undefined {}
  loadEnds(): undefined {}

  find(key: StoreKey, earliestEndMs: number, latestStartMs: number): readonly SessionEntry<V>[] {
    return (this.#entries.get(key) ?? [])
      .filter((s) => s.endMs >= earliestEndMs && s.startMs <= latestStartMs)
      .sort((a, b) => a.startMs - b.startMs)
  }

  put(key: StoreKey, startMs: number, endMs: number, value: V): void {
    this.remove(key, startMs, endMs)
    const sessions = this.#entries.get(key)
    const entry = { key, startMs, endMs, value }
    if (sessions === undefined) this.#entries.set(key, [entry])
    else sessions.push(entry)
  }

  remove(key: StoreKey, startMs: number, endMs: number): void {
    const sessions = this.#entries.get(key)
    if (sessions === undefined) return
    this.#entries.set(
      key,
      sessions.filter((s) => s.startMs !== startMs || s.endMs !== endMs),
    )
  }

  ends(fromMs: number, toMs: number): Iterable<SessionEntry<V>> {
    return [...this.#entries.values()]
      .flat()
      .filter((s) => s.endMs >= fromMs && s.endMs <= toMs)
      .sort((a, b) => a.endMs - b.endMs || compare(a.key, b.key) || a.startMs - b.startMs)
  }

  expire(belowMs: number): void {
    for (const [key, sessions] of this.#entries) {
      this.#entries.set(
        key,
        sessions.filter((s) => s.endMs >= belowMs),
      )
    }
  }

  async fetchCommitted(key: StoreKey): Promise<readonly SessionEntry<V>[]> {
    return this.find(key, -Infinity, Infinity)
  }

  async *scanCommitted(from: StoreKey | null, to: StoreKey | null): AsyncIterable<SessionEntry<V>> {
    for (const key of [...this.#entries.keys()].filter((k) => within(k, from, to)).sort(compare)) {
      yield* this.find(key, -Infinity, Infinity)
    }
  }
}

function within(key: StoreKey, from: StoreKey | null, to: StoreKey | null): boolean {
  return (from === null || key >= from) && (to === null || key < to)
}

function compare(a: StoreKey, b: StoreKey): number {
  return a < b ? -1 : a > b ? 1 : 0
}
