import type { ManagedStore, StoreContext } from './managed-store.ts'

/**
 * What stateful operators see of state. One instance per task and store; single-threaded.
 *
 * Reads and writes are synchronous and touch only the cache: before a synchronous pass the operator
 * calls the `load…` methods for the keys the batch needs, and awaits what they return (undefined when
 * everything is there). Reading what wasn't loaded is a broken invariant.
 *
 * Values are never changed in place: put a new one. Writes become visible to `…Committed` reads, and
 * durable, when the cycle that made them commits; if it fails they vanish.
 */

/**
 * A key as a binary string: each UTF-16 unit is one byte (0–255) of an order-preserving encoding, so
 * that `<` on keys is the order of the encoded bytes. Made by `KeyCodec`.
 */
export type StoreKey = string

export interface KeyValueStore<V> {
  load(keys: Iterable<StoreKey>): Promise<void> | undefined
  get(key: StoreKey): V | undefined
  put(key: StoreKey, value: V): void
  remove(key: StoreKey): void
  /** Loads all keys in [from, to); null is an open end. For prefix scans within a pass. */
  loadRange(from: StoreKey | null, to: StoreKey | null): Promise<void> | undefined
  /** Working entries in [from, to), ascending. The range must have been loaded. */
  range(from: StoreKey | null, to: StoreKey | null): Iterable<readonly [StoreKey, V]>
  getCommitted(key: StoreKey): Promise<V | undefined>
  /** Committed entries in [from, to), ascending. A consistent snapshot of the moment of the call. */
  scanCommitted(from: StoreKey | null, to: StoreKey | null): AsyncIterable<readonly [StoreKey, V]>
}

export interface WindowEntry<V> {
  readonly key: StoreKey
  /** Epoch ms; for a join's buffer, the record's time. */
  readonly startMs: number
  readonly value: V
}

/** Values per (key, start), bucketed by start so that what expires together lies together. */
export interface WindowStore<V> {
  /** Loads everything of these keys with start in [fromMs, toMs]. */
  load(keys: Iterable<StoreKey>, fromMs: number, toMs: number): Promise<void> | undefined
  get(key: StoreKey, startMs: number): V | undefined
  put(key: StoreKey, startMs: number, value: V): void
  remove(key: StoreKey, startMs: number): void
  /** Entries of a key with start in [fromMs, toMs], ascending. */
  fetch(key: StoreKey, fromMs: number, toMs: number): Iterable<WindowEntry<V>>
  /** Loads everything with start in [fromMs, toMs]. */
  loadStarts(fromMs: number, toMs: number): Promise<void> | undefined
  /** Entries with start in [fromMs, toMs], ordered by start, then key. */
  starts(fromMs: number, toMs: number): Iterable<WindowEntry<V>>
  /**
   * Entries starting before `belowMs` are gone: hidden at once, removed in the background. A later put of
   * such an entry does nothing: whoever puts has counted it as late.
   */
  expire(belowMs: number): void
  fetchCommitted(key: StoreKey, fromMs: number, toMs: number): Promise<readonly WindowEntry<V>[]>
  /** Committed entries ordered by key, then start: what a full scan shows. */
  scanCommitted(
    from: StoreKey | null,
    to: StoreKey | null,
    fromMs: number,
    toMs: number,
  ): AsyncIterable<WindowEntry<V>>
}

export interface SessionEntry<V> {
  readonly key: StoreKey
  /** Both ends inclusive: first and last event time. */
  readonly startMs: number
  readonly endMs: number
  readonly value: V
}

export interface SessionStore<V> {
  /** Loads all sessions of these keys. */
  load(keys: Iterable<StoreKey>): Promise<void> | undefined
  /** Sessions of a key with end ≥ earliestEndMs and start ≤ latestStartMs, by start. */
  find(key: StoreKey, earliestEndMs: number, latestStartMs: number): readonly SessionEntry<V>[]
  put(key: StoreKey, startMs: number, endMs: number, value: V): void
  remove(key: StoreKey, startMs: number, endMs: number): void
  loadEnds(fromMs: number, toMs: number): Promise<void> | undefined
  /** Sessions ending in [fromMs, toMs], by (end, key, start). */
  ends(fromMs: number, toMs: number): Iterable<SessionEntry<V>>
  /** Sessions ending before `belowMs` are gone, as in {@link WindowStore.expire}. */
  expire(belowMs: number): void
  fetchCommitted(key: StoreKey): Promise<readonly SessionEntry<V>[]>
  scanCommitted(from: StoreKey | null, to: StoreKey | null): AsyncIterable<SessionEntry<V>>
}

/** How a store's values become bytes. `version` enters the store's fingerprint. */
export interface ValueCodec<V> {
  readonly fingerprint: string
  encode(value: V, into: CodecWriter): void
  decode(bytes: Uint8Array, start: number, end: number): V
}

/** The part of a byte writer codecs need. */
export interface CodecWriter {
  bytes: Uint8Array
  length: number
  reserve(extra: number): void
}

export interface WindowStoreOptions {
  /** Width of the buckets expiry works on, e.g. the window's size. */
  readonly bucketMs: number
}

/**
 * The stores of one task, opened by name; the same name and fingerprint give the same state after a
 * restart. Opening a name twice is a broken invariant.
 */
export interface TaskStores {
  keyValue<V>(name: string, codec: ValueCodec<V>): KeyValueStore<V>
  window<V>(name: string, codec: ValueCodec<V>, options: WindowStoreOptions): WindowStore<V>
  session<V>(name: string, codec: ValueCodec<V>, options: WindowStoreOptions): SessionStore<V>
  /** A store with a layout of its own that takes part in commit, checkpoint and restore (the slabs of window aggregates). */
  managed<S extends ManagedStore>(name: string, make: (name: string, context: StoreContext) => S): S
}
