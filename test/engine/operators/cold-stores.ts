import { assert } from '../../../src/base/assert.ts'
import type {
  KeyValueStore,
  SessionEntry,
  SessionStore,
  StoreKey,
  TaskStores,
  ValueCodec,
  WindowEntry,
  WindowStore,
} from '../../../src/state/store.ts'
import { CodecBuffer } from '../../../src/state/codec-bytes.ts'

/**
 * Stores that are always cold: nothing is in the cache but what was loaded since the last `evict`, and
 * touching anything else fails. Values go through their codec, so that what a store gives back is what a
 * restart would.
 */
export class ColdStores implements TaskStores {
  readonly #data: Map<string, Map<string, Uint8Array>>
  readonly #horizons: Map<string, number>
  readonly #opened = new Map<string, ColdStore<never>>()

  constructor(committed?: Committed) {
    this.#data = new Map([...(committed?.data ?? [])].map(([name, entries]) => [name, new Map(entries)]))
    this.#horizons = new Map(committed?.horizons ?? [])
  }

  /** What a commit at this point makes durable. */
  commit(): Committed {
    for (const [name, store] of this.#opened) this.#horizons.set(name, store.horizonMs)
    return {
      data: new Map([...this.#data].map(([name, entries]) => [name, new Map(entries)])),
      horizons: new Map(this.#horizons),
    }
  }

  evict(): void {
    for (const store of this.#opened.values()) store.evict()
  }

  /** Number of entries of a store. */
  size(name: string): number {
    return this.#data.get(name)?.size ?? 0
  }

  keyValue<V>(name: string, codec: ValueCodec<V>): KeyValueStore<V> {
    const store = this.#open(name, codec)
    const entries = (from: StoreKey | null, to: StoreKey | null): (readonly [StoreKey, V])[] =>
      store
        .all()
        .filter(({ key }) => (from === null || key >= from) && (to === null || key < to))
        .sort((a, b) => compare(a.key, b.key))
        .map((e) => [e.key, e.value] as const)
    return {
      load: (keys) => store.loaded([...keys].map((key) => `key ${key}`)),
      get(key) {
        store.expect(`key ${key}`)
        return store.read(key, 0, 0)
      },
      put(key, value) {
        store.expect(`key ${key}`)
        store.write(key, 0, 0, value)
      },
      remove(key) {
        store.expect(`key ${key}`)
        store.write(key, 0, 0, undefined)
      },
      loadRange: (from, to) => store.loaded([`range ${from}..${to}`]),
      range(from, to) {
        store.expect(`range ${from}..${to}`)
        return entries(from, to)
      },
      getCommitted: (key) => Promise.resolve(store.read(key, 0, 0)),
      async *scanCommitted(from, to) {
        yield* await Promise.resolve(entries(from, to))
      },
    }
  }

  window<V>(name: string, codec: ValueCodec<V>): WindowStore<V> {
    const store = this.#open(name, codec)
    const find = (fromMs: number, toMs: number, key?: StoreKey): WindowEntry<V>[] =>
      store
        .all()
        .filter((e) => e.startMs >= Math.max(fromMs, store.horizonMs) && e.startMs <= toMs)
        .filter((e) => key === undefined || e.key === key)
        .sort((a, b) => a.startMs - b.startMs || compare(a.key, b.key))
    return {
      load: (keys, fromMs, toMs) =>
        store.loaded(
          [...keys].map((key) => `key ${key}`),
          [fromMs, toMs],
        ),
      get(key, startMs) {
        store.expectStarts(`key ${key}`, startMs, startMs)
        return startMs < store.horizonMs ? undefined : store.read(key, startMs, 0)
      },
      put(key, startMs, value) {
        store.expectStarts(`key ${key}`, startMs, startMs)
        store.write(key, startMs, 0, value)
      },
      remove(key, startMs) {
        store.expectStarts(store.covers('all', startMs) ? 'all' : `key ${key}`, startMs, startMs)
        store.write(key, startMs, 0, undefined)
      },
      fetch(key, fromMs, toMs) {
        store.expectStarts(`key ${key}`, fromMs, toMs)
        return find(fromMs, toMs, key)
      },
      loadStarts: (fromMs, toMs) => store.loaded(['all'], [fromMs, toMs]),
      starts(fromMs, toMs) {
        store.expectStarts('all', fromMs, toMs)
        return find(fromMs, toMs)
      },
      expire: (belowMs) => store.expire(belowMs),
      fetchCommitted: (key, fromMs, toMs) => Promise.resolve(find(fromMs, toMs, key)),
      async *scanCommitted(from, to, fromMs, toMs) {
        const found = find(fromMs, toMs).filter(
          ({ key }) => (from === null || key >= from) && (to === null || key < to),
        )
        yield* await Promise.resolve(found.sort((a, b) => compare(a.key, b.key) || a.startMs - b.startMs))
      },
    }
  }

  session<V>(name: string, codec: ValueCodec<V>): SessionStore<V> {
    const store = this.#open(name, codec)
    const all = (): SessionEntry<V>[] => store.all().filter((e) => e.endMs >= store.horizonMs)
    return {
      load: (keys) => store.loaded([...keys].map((key) => `key ${key}`)),
      find(key, earliestEndMs, latestStartMs) {
        store.expect(`key ${key}`)
        return all()
          .filter((e) => e.key === key && e.endMs >= earliestEndMs && e.startMs <= latestStartMs)
          .sort((a, b) => a.startMs - b.startMs)
      },
      put(key, startMs, endMs, value) {
        store.expect(`key ${key}`)
        store.write(key, startMs, endMs, value)
      },
      remove(key, startMs, endMs) {
        store.expect(`key ${key}`)
        store.write(key, startMs, endMs, undefined)
      },
      loadEnds: (fromMs, toMs) => store.loaded(['all'], [fromMs, toMs]),
      ends(fromMs, toMs) {
        store.expectStarts('all', fromMs, toMs)
        return all()
          .filter((e) => e.endMs >= fromMs && e.endMs <= toMs)
          .sort((a, b) => a.endMs - b.endMs || compare(a.key, b.key) || a.startMs - b.startMs)
      },
      expire: (belowMs) => store.expire(belowMs),
      fetchCommitted: (key) =>
        Promise.resolve(
          all()
            .filter((e) => e.key === key)
            .sort((a, b) => a.startMs - b.startMs),
        ),
      async *scanCommitted() {
        yield* await Promise.resolve(all().sort((a, b) => compare(a.key, b.key) || a.startMs - b.startMs))
      },
    }
  }

  managed(): never {
    throw new Error('these stores hold no layouts of their own')
  }

  #open<V>(name: string, codec: ValueCodec<V>): ColdStore<V> {
    assert(!this.#opened.has(name), `store ${name} is opened once`)
    const data = this.#data.get(name) ?? new Map<string, Uint8Array>()
    this.#data.set(name, data)
    const store = new ColdStore(codec, data, this.#horizons.get(name) ?? -Infinity)
    this.#opened.set(name, store as unknown as ColdStore<never>)
    return store
  }
}

export interface Committed {
  readonly data: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>
  readonly horizons: ReadonlyMap<string, number>
}

class ColdStore<V> {
  readonly #codec: ValueCodec<V>
  readonly #data: Map<string, Uint8Array>
  readonly #loaded = new Map<string, [number, number][]>()
  horizonMs: number

  constructor(codec: ValueCodec<V>, data: Map<string, Uint8Array>, horizonMs: number) {
    this.#codec = codec
    this.#data = data
    this.horizonMs = horizonMs
  }

  evict(): void {
    this.#loaded.clear()
  }

  loaded(
    names: readonly string[],
    range: [number, number] = [-Infinity, Infinity],
  ): Promise<void> | undefined {
    const missing = names.filter((name) => !this.#covers(name, range[0], range[1]))
    if (missing.length === 0) return undefined
    return Promise.resolve().then(() => {
      for (const name of missing) this.#loaded.set(name, [...(this.#loaded.get(name) ?? []), range])
    })
  }

  expect(...names: readonly string[]): void {
    assert(
      names.some((name) => this.#loaded.has(name)),
      `"${names[0]}" was loaded`,
    )
  }

  expectStarts(name: string, fromMs: number, toMs: number): void {
    assert(this.#covers(name, fromMs, toMs), `"${name}" was loaded for ${fromMs}..${toMs}`)
  }

  covers(name: string, atMs: number): boolean {
    return this.#covers(name, atMs, atMs)
  }

  read(key: StoreKey, startMs: number, endMs: number): V | undefined {
    const bytes = this.#data.get(place(key, startMs, endMs))
    return bytes === undefined ? undefined : this.#codec.decode(bytes, 0, bytes.length)
  }

  write(key: StoreKey, startMs: number, endMs: number, value: V | undefined): void {
    if (value === undefined) {
      this.#data.delete(place(key, startMs, endMs))
      return
    }
    const buffer = new CodecBuffer()
    this.#codec.encode(value, buffer)
    this.#data.set(place(key, startMs, endMs), buffer.bytes.slice(0, buffer.length))
  }

  all(): { key: StoreKey; startMs: number; endMs: number; value: V }[] {
    return [...this.#data].map(([at, bytes]) => {
      const [startMs, endMs, key] = JSON.parse(at) as [number, number, string]
      return { key, startMs, endMs, value: this.#codec.decode(bytes, 0, bytes.length) }
    })
  }

  expire(belowMs: number): void {
    this.horizonMs = Math.max(this.horizonMs, belowMs)
  }

  #covers(name: string, fromMs: number, toMs: number): boolean {
    if (fromMs > toMs) return true
    return (this.#loaded.get(name) ?? []).some(([from, to]) => from <= fromMs && to >= toMs)
  }
}

function place(key: StoreKey, startMs: number, endMs: number): string {
  return JSON.stringify([startMs, endMs, key])
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
