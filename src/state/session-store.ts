import { assert } from '../base/assert.ts'
import { Buckets, Expiry, type Bucket } from './buckets.ts'
import type { ChangelogWriter } from './changelog.ts'
import { readBinary } from './codec-bytes.ts'
import { mergeOrdered, overlay, readStored, type CommittedEntry, type MemoryEntry } from './committed-scan.ts'
import { compareEntries, EntryLedger, newEntry, SAVED, type Entry } from './entry.ts'
import { addByTime, findByTime, forgetByTime } from './entry-list.ts'
import { afterKey, decodeWhole, encodeWhole, escapeBinary } from './key-codec.ts'
import {
  loadPages,
  pagePlace,
  type CheckpointedStore,
  type ManagedStore,
  type PagePlace,
  type StoreContext,
} from './managed-store.ts'
import { PageTable, type EntryPlace, type Page } from './page-table.ts'
import type { SessionEntry, SessionStore, StoreKey, ValueCodec, WindowStoreOptions } from './store.ts'
import { TableCheckpoint } from './table-checkpoint.ts'

interface SessionBucket<V> extends Bucket {
  /** Every session in memory whose end lies in the bucket. */
  readonly entries: Set<Entry<V>>
  readonly table: PageTable<V>
}

/**
 * A session store: sessions per key, found by overlap; and per bucket of their end, for expiry and closing,
 * each bucket over a page table of its own.
 */
export class PagedSessionStore<V> implements SessionStore<V>, ManagedStore {
  readonly name: string
  readonly fingerprint: string
  readonly expiresBy = 'end'
  readonly checkpoint: CheckpointedStore
  readonly #codec: ValueCodec<V>
  readonly #context: StoreContext
  readonly #ledger: EntryLedger<V>
  /** Per key its sessions by start, end. */
  readonly #byKey = new Map<StoreKey, Entry<V>[]>()
  readonly #buckets: Buckets<SessionBucket<V>>
  readonly #expiry = new Expiry()
  readonly #prefix: string
  #restoring = true

  constructor(name: string, codec: ValueCodec<V>, options: WindowStoreOptions, context: StoreContext) {
    this.name = name
    this.#codec = codec
    this.#context = context
    this.#prefix = context.prefix + escapeBinary(name)
    this.#ledger = new EntryLedger(context.source !== null)
    this.#buckets = new Buckets(options.bucketMs, (startMs) => this.#makeBucket(startMs))
    this.fingerprint = `session1 ${this.#buckets.widthMs} ${codec.fingerprint}`
    this.checkpoint = new TableCheckpoint<V>({
      context,
      ledger: this.#ledger,
      prefix: this.#prefix,
      tables: () => this.#buckets.all().map((b) => b.table),
      tableOf: (entry) => this.#buckets.at(entry.endMs)?.table,
      openTable: (suffix) => this.#buckets.ensure(decodeWhole(suffix)).table,
      expiredBelowMs: () => this.#expiry.committedMs,
      expiredTo: (belowMs) => encodeWhole(this.#buckets.startOf(belowMs)),
    })
  }

  load(keys: Iterable<StoreKey>): Promise<void> | undefined {
    const cold = new Map<Page<V>, PageTable<V>>()
    for (const { table } of this.#live(-Infinity, Infinity)) {
      if (table.isResident) continue
      for (const key of keys) {
        for (const page of table.within(firstOf(key), lastOf(key))) {
          page.lastUse = this.#context.cycle()
          if (page.entries === null) cold.set(page, table)
        }
      }
    }
    return this.#loadPages(cold)
  }

  find(key: StoreKey, earliestEndMs: number, latestStartMs: number): readonly SessionEntry<V>[] {
    for (const bucket of this.#live(earliestEndMs, Infinity)) this.#assertLoaded(bucket, key)
    const list = this.#byKey.get(key)
    if (list === undefined) return []
    const lowestMs = Math.max(earliestEndMs, this.#expiry.workingMs)
    const found: SessionEntry<V>[] = []
    for (const { startMs, endMs, value } of list) {
      if (startMs > latestStartMs) break
      if (endMs >= lowestMs && value !== undefined) found.push({ key, startMs, endMs, value })
    }
    return found
  }

  put(key: StoreKey, startMs: number, endMs: number, value: V): void {
    assert(!this.#restoring, `store ${this.name} is restored before it is changed`)
    if (endMs < this.#expiry.workingMs) return
    let entry = findByTime(this.#byKey.get(key), startMs, endMs)
    if (entry === undefined) {
      this.#assertLoaded(this.#buckets.ensure(endMs), key)
      entry = newEntry(key, startMs, endMs)
      this.#add(entry)
    }
    this.#ledger.set(entry, value)
  }

  remove(key: StoreKey, startMs: number, endMs: number): void {
    if (endMs < this.#expiry.workingMs) return
    const entry = findByTime(this.#byKey.get(key), startMs, endMs)
    if (entry === undefined) {
      const bucket = this.#buckets.at(endMs)
      if (bucket !== undefined) this.#assertLoaded(bucket, key)
    } else if (entry.value !== undefined) {
      this.#ledger.set(entry, undefined)
    }
  }

  loadEnds(fromMs: number, toMs: number): Promise<void> | undefined {
    const cold = new Map<Page<V>, PageTable<V>>()
    for (const { table } of this.#live(fromMs, toMs)) {
      if (table.isResident) continue
      for (const page of table.pages) {
        page.lastUse = this.#context.cycle()
        if (page.entries === null) cold.set(page, table)
      }
    }
    return this.#loadPages(cold)
  }

  ends(fromMs: number, toMs: number): Iterable<SessionEntry<V>> {
    const found: SessionEntry<V>[] = []
    const lowestMs = Math.max(fromMs, this.#expiry.workingMs)
    for (const { entries, table } of this.#live(fromMs, toMs)) {
      assert(table.isResident, `the sessions read from store ${this.name} were loaded`)
      for (const { key, startMs, endMs, value } of entries) {
        if (endMs >= lowestMs && endMs <= toMs && value !== undefined)
          found.push({ key, startMs, endMs, value })
      }
    }
    return found.sort(
      (a, b) => a.endMs - b.endMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : a.startMs - b.startMs),
    )
  }

  expire(belowMs: number): void {
    this.#expiry.advance(belowMs)
  }

  async fetchCommitted(key: StoreKey): Promise<readonly SessionEntry<V>[]> {
    const found: SessionEntry<V>[] = []
    for await (const { entry, value } of this.#scan(key, afterKey(key))) {
      found.push({ key, startMs: entry.startMs, endMs: entry.endMs, value })
    }
    return found
  }

  scanCommitted(from: StoreKey | null, to: StoreKey | null): AsyncIterable<SessionEntry<V>> {
    return sessionEntries(this.#scan(from, to))
  }

  flush(into: ChangelogWriter): void {
    const belowMs = this.#expiry.workingMs
    const expired = this.#expiry.flush()
    if (expired !== null) into.expired(expired)
    const codec = this.#codec
    this.#ledger.flush((entry) => {
      if (entry.endMs >= belowMs) {
        into.entry(entry.endMs, entry.startMs, entry.endMs, entry.key, entry.value, codec)
      }
    }, this.#forget)
  }

  committed(): void {
    this.#ledger.committed(this.#forget)
    this.#expiry.committed()
    this.#drop()
  }

  discard(): boolean {
    this.#ledger.discard(this.#forget)
    this.#expiry.discard()
    return false
  }

  restore(bytes: Uint8Array, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void {
    const times = readBinary(bytes, keyStart, keyStart + 16)
    const startMs = decodeWhole(times)
    const endMs = decodeWhole(times, 8)
    if (endMs < this.#expiry.committedMs) return
    const key = readBinary(bytes, keyStart + 16, keyEnd)
    let entry = findByTime(this.#byKey.get(key), startMs, endMs)
    if (entry === undefined) {
      const { table } = this.#buckets.ensure(endMs)
      if (valueStart < 0 && table.pages.length === 0) return
      entry = newEntry<V>(key, startMs, endMs)
      // Its page may hold an older version: don't let it shine through.
      if (!table.isResident) entry.state |= SAVED
      this.#add(entry)
    }
    const value = valueStart < 0 ? undefined : this.#codec.decode(bytes, valueStart, valueEnd)
    this.#ledger.restore(entry, value, this.#forget)
  }

  restoreExpired(belowMs: number): void {
    this.#expiry.restore(belowMs)
    this.#drop()
  }

  restored(): void {
    this.#restoring = false
  }

  reset(): void {
    this.#byKey.clear()
    this.#buckets.clear()
    this.#ledger.reset()
    this.#expiry.reset()
    this.#restoring = true
  }

  #add(entry: Entry<V>): void {
    addByTime(this.#byKey, entry)
    this.#buckets.ensure(entry.endMs).entries.add(entry)
  }

  readonly #forget = (entry: Entry<V>): void => {
    const bucket = this.#buckets.at(entry.endMs)
    if (bucket === undefined || !bucket.entries.delete(entry)) return
    forgetByTime(this.#byKey, entry)
  }

  #makeBucket(startMs: number): SessionBucket<V> {
    const table = new PageTable<V>(this.#prefix + encodeWhole(startMs), 2, {
      codec: this.#codec,
      find: (key, start, end) => findByTime(this.#byKey.get(key), start, end),
      add: (entry) => this.#add(entry),
      forget: this.#forget,
    })
    return { startMs, entries: new Set(), table }
  }

  /** Buckets with ends in [fromMs, toMs] that the open cycle sees. */
  #live(fromMs: number, toMs: number): readonly SessionBucket<V>[] {
    return this.#buckets.within(Math.max(fromMs, this.#expiry.workingMs), toMs)
  }

  #drop(): void {
    for (const bucket of this.#buckets.dropBelow(this.#expiry.committedMs)) {
      for (const entry of bucket.entries) forgetByTime(this.#byKey, entry)
    }
  }

  #assertLoaded({ table }: SessionBucket<V>, key: StoreKey): void {
    if (table.isResident) return
    for (const page of table.within(firstOf(key), lastOf(key))) {
      assert(page.entries !== null, `the sessions used from store ${this.name} were loaded`)
    }
  }

  #loadPages(pages: ReadonlyMap<Page<V>, PageTable<V>>): Promise<void> | undefined {
    return loadPages(
      this.#context,
      Array.from(pages, ([page, table]): PagePlace => pagePlace(table, page)),
    )
  }

  /** Committed sessions as of now by key, then start. */
  #scan(from: StoreKey | null, to: StoreKey | null): AsyncIterable<CommittedEntry<V>> {
    this.#context.assertReadable()
    const lowestMs = this.#expiry.committedMs
    const isInside = (place: EntryPlace): boolean =>
      place.endMs >= lowestMs && (from === null || place.key >= from) && (to === null || place.key < to)
    const memory: MemoryEntry<V>[] = []
    const lists =
      from !== null && to === afterKey(from) ? [this.#byKey.get(from) ?? []] : this.#byKey.values()
    for (const list of lists) {
      for (const entry of list) if (isInside(entry)) memory.push({ entry, value: entry.committed })
    }
    memory.sort((a, b) => compareEntries(a.entry, b.entry))
    // Each cold bucket is ordered by itself; memory, over all buckets, hides what it knows better.
    const stored = this.#buckets
      .within(lowestMs, Infinity)
      .filter(({ table }) => !table.isResident)
      .map(({ table }) => {
        const [start, end] = table.scanRange(from === null ? null : firstOf(from), to)
        return readStored(this.#context.source!.iterate(start, end), table.times, this.#codec, isInside)
      })
    return overlay(memory, stored.length === 0 ? null : mergeOrdered(stored))
  }
}

function firstOf(key: StoreKey): EntryPlace {
  return { key, startMs: -Infinity, endMs: -Infinity }
}

function lastOf(key: StoreKey): EntryPlace {
  return { key, startMs: Infinity, endMs: Infinity }
}

async function* sessionEntries<V>(entries: AsyncIterable<CommittedEntry<V>>): AsyncIterable<SessionEntry<V>> {
  for await (const { entry, value } of entries) {
    yield { key: entry.key, startMs: entry.startMs, endMs: entry.endMs, value }
  }
}
