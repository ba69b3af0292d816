import { assert } from '../base/assert.ts'
import { Buckets, Expiry, type Bucket } from './buckets.ts'
import type { ChangelogWriter } from './changelog.ts'
import { readBinary } from './codec-bytes.ts'
import { compareEntries, EntryLedger, newEntry, SAVED, type Entry } from './entry.ts'
import { addByTime, findByTime, forgetByTime, lowerBoundByTime } from './entry-list.ts'
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
import type { StoreKey, ValueCodec, WindowEntry, WindowStore, WindowStoreOptions } from './store.ts'
import { TableCheckpoint } from './table-checkpoint.ts'
import { mergeOrdered, overlay, readStored, type CommittedEntry, type MemoryEntry } from './committed-scan.ts'

interface WindowBucket<V> extends Bucket {
  /** Per key its entries by start. */
  readonly byKey: Map<StoreKey, Entry<V>[]>
  readonly table: PageTable<V>
}

/**
 * A window store: per bucket of time a map from keys to entries over a page table of its own, so that an
 * expired bucket goes as a whole.
 */
export class PagedWindowStore<V> implements WindowStore<V>, ManagedStore {
  readonly name: string
  readonly fingerprint: string
  readonly expiresBy = 'start'
  readonly checkpoint: CheckpointedStore
  readonly #codec: ValueCodec<V>
  readonly #context: StoreContext
  readonly #ledger: EntryLedger<V>
  readonly #buckets: Buckets<WindowBucket<V>>
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
    this.fingerprint = `window1 ${this.#buckets.widthMs} ${codec.fingerprint}`
    this.checkpoint = new TableCheckpoint<V>({
      context,
      ledger: this.#ledger,
      prefix: this.#prefix,
      tables: () => this.#buckets.all().map((b) => b.table),
      tableOf: (entry) => this.#buckets.at(entry.startMs)?.table,
      openTable: (suffix) => this.#buckets.ensure(decodeWhole(suffix)).table,
      expiredBelowMs: () => this.#expiry.committedMs,
      expiredTo: (belowMs) => encodeWhole(this.#buckets.startOf(belowMs)),
    })
  }

  load(keys: Iterable<StoreKey>, fromMs: number, toMs: number): Promise<void> | undefined {
    let cold: Map<Page<V>, PageTable<V>> | null = null
    for (const { table } of this.#live(fromMs, toMs)) {
      if (table.isResident) continue
      cold ??= new Map()
      for (const key of keys) {
        for (const page of table.within(placeOf(key, fromMs), placeOf(key, toMs))) {
          page.lastUse = this.#context.cycle()
          if (page.entries === null) cold.set(page, table)
        }
      }
    }
    return cold === null ? undefined : this.#loadPages(cold)
  }

  get(key: StoreKey, startMs: number): V | undefined {
    if (startMs < this.#expiry.workingMs) return undefined
    const bucket = this.#buckets.at(startMs)
    if (bucket === undefined) return undefined
    const entry = findByTime(bucket.byKey.get(key), startMs, 0)
    if (entry === undefined) this.#assertLoaded(bucket, key, startMs, startMs)
    return entry?.value
  }

  put(key: StoreKey, startMs: number, value: V): void {
    assert(!this.#restoring, `store ${this.name} is restored before it is changed`)
    if (startMs < this.#expiry.workingMs) return
    const bucket = this.#buckets.ensure(startMs)
    let entry = findByTime(bucket.byKey.get(key), startMs, 0)
    if (entry === undefined) {
      this.#assertLoaded(bucket, key, startMs, startMs)
      entry = newEntry(key, startMs, 0)
      addByTime(bucket.byKey, entry)
    }
    this.#ledger.set(entry, value)
  }

  remove(key: StoreKey, startMs: number): void {
    if (startMs < this.#expiry.workingMs) return
    const bucket = this.#buckets.at(startMs)
    if (bucket === undefined) return
    const entry = findByTime(bucket.byKey.get(key), startMs, 0)
    if (entry === undefined) this.#assertLoaded(bucket, key, startMs, startMs)
    else if (entry.value !== undefined) this.#ledger.set(entry, undefined)
  }

  fetch(key: StoreKey, fromMs: number, toMs: number): readonly WindowEntry<V>[] {
    const found: WindowEntry<V>[] = []
    const lowestMs = Math.max(fromMs, this.#expiry.workingMs)
    for (const bucket of this.#live(fromMs, toMs)) {
      this.#assertLoaded(bucket, key, fromMs, toMs)
      const list = bucket.byKey.get(key)
      if (list === undefined) continue
      for (let at = lowerBoundByTime(list, lowestMs, 0); at < list.length; at++) {
        const entry = list[at]!
        if (entry.startMs > toMs) break
        if (entry.value !== undefined) found.push(entry as WindowEntry<V>)
      }
    }
    return found.map(({ key: k, startMs, value }) => ({ key: k, startMs, value }))
  }

  loadStarts(fromMs: number, toMs: number): Promise<void> | undefined {
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

  starts(fromMs: number, toMs: number): Iterable<WindowEntry<V>> {
    const found: WindowEntry<V>[] = []
    const lowestMs = Math.max(fromMs, this.#expiry.workingMs)
    for (const { byKey, table } of this.#live(fromMs, toMs)) {
      assert(table.isResident, `the windows read from store ${this.name} were loaded`)
      const first = found.length
      for (const list of byKey.values()) {
        for (const { key, startMs, value } of list) {
          if (startMs >= lowestMs && startMs <= toMs && value !== undefined)
            found.push({ key, startMs, value })
        }
      }
      if (first === 0) found.sort(byStart)
      else found.push(...found.splice(first).sort(byStart))
    }
    return found
  }

  expire(belowMs: number): void {
    this.#expiry.advance(belowMs)
  }

  async fetchCommitted(key: StoreKey, fromMs: number, toMs: number): Promise<readonly WindowEntry<V>[]> {
    const found: WindowEntry<V>[] = []
    for await (const { entry, value } of this.#scan(key, afterKey(key), fromMs, toMs)) {
      found.push({ key, startMs: entry.startMs, value })
    }
    return found
  }

  scanCommitted(
    from: StoreKey | null,
    to: StoreKey | null,
    fromMs: number,
    toMs: number,
  ): AsyncIterable<WindowEntry<V>> {
    return windowEntries(this.#scan(from, to, fromMs, toMs))
  }

  flush(into: ChangelogWriter): void {
    const belowMs = this.#expiry.workingMs
    const expired = this.#expiry.flush()
    if (expired !== null) into.expired(expired)
    const codec = this.#codec
    this.#ledger.flush((entry) => {
      if (entry.startMs >= belowMs) {
        into.entry(entry.startMs, entry.startMs, null, entry.key, entry.value, codec)
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
    const startMs = decodeWhole(readBinary(bytes, keyStart, keyStart + 8))
    if (startMs < this.#expiry.committedMs) return
    const key = readBinary(bytes, keyStart + 8, keyEnd)
    const bucket = this.#buckets.ensure(startMs)
    let entry = findByTime(bucket.byKey.get(key), startMs, 0)
    if (entry === undefined) {
      if (valueStart < 0 && bucket.table.pages.length === 0) return
      entry = newEntry<V>(key, startMs, 0)
      // Its page may hold an older version: don't let it shine through.
      if (!bucket.table.isResident) entry.state |= SAVED
      addByTime(bucket.byKey, entry)
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
    this.#buckets.clear()
    this.#ledger.reset()
    this.#expiry.reset()
    this.#restoring = true
  }

  readonly #forget = (entry: Entry<V>): void => {
    const bucket = this.#buckets.at(entry.startMs)
    if (bucket !== undefined) forgetByTime(bucket.byKey, entry)
  }

  #makeBucket(startMs: number): WindowBucket<V> {
    const byKey = new Map<StoreKey, Entry<V>[]>()
    const table = new PageTable<V>(this.#prefix + encodeWhole(startMs), 1, {
      codec: this.#codec,
      find: (key, start) => findByTime(byKey.get(key), start, 0),
      add: (entry) => addByTime(byKey, entry),
      forget: (entry) => forgetByTime(byKey, entry),
    })
    return { startMs, byKey, table }
  }

  /** Buckets with entries in [fromMs, toMs] that the open cycle sees. */
  #live(fromMs: number, toMs: number): readonly WindowBucket<V>[] {
    return this.#buckets.within(Math.max(fromMs, this.#expiry.workingMs), toMs)
  }

  #drop(): void {
    this.#buckets.dropBelow(this.#expiry.committedMs)
  }

  #assertLoaded({ table }: WindowBucket<V>, key: StoreKey, fromMs: number, toMs: number): void {
    if (table.isResident) return
    for (const page of table.within(placeOf(key, fromMs), placeOf(key, toMs))) {
      assert(page.entries !== null, `the windows used from store ${this.name} were loaded`)
    }
  }

  #loadPages(pages: ReadonlyMap<Page<V>, PageTable<V>>): Promise<void> | undefined {
    return loadPages(
      this.#context,
      Array.from(pages, ([page, table]): PagePlace => pagePlace(table, page)),
    )
  }

  /** Committed entries as of now by key, then start. */
  #scan(
    from: StoreKey | null,
    to: StoreKey | null,
    fromMs: number,
    toMs: number,
  ): AsyncIterable<CommittedEntry<V>> {
    this.#context.assertReadable()
    const lowestMs = Math.max(fromMs, this.#expiry.committedMs)
    const isInside = (place: EntryPlace): boolean =>
      place.startMs >= lowestMs &&
      place.startMs <= toMs &&
      (from === null || place.key >= from) &&
      (to === null || place.key < to)
    const buckets = this.#buckets.within(lowestMs, toMs).map(({ byKey, table }) => {
      const memory: MemoryEntry<V>[] = []
      const lists = from !== null && to === afterKey(from) ? [byKey.get(from) ?? []] : byKey.values()
      for (const list of lists) {
        for (const entry of list) if (isInside(entry)) memory.push({ entry, value: entry.committed })
      }
      memory.sort((a, b) => compareEntries(a.entry, b.entry))
      if (table.isResident) return { memory, stored: null }
      const [start, end] = table.scanRange(from === null ? null : placeOf(from, lowestMs), to)
      const source = this.#context.source!.iterate(start, end)
      return { memory, stored: readStored(source, table.times, this.#codec, isInside) }
    })
    return mergeOrdered(buckets.map(({ memory, stored }) => overlay(memory, stored)))
  }
}

function placeOf(key: StoreKey, startMs: number): EntryPlace {
  return { key, startMs, endMs: 0 }
}

function byStart(a: { startMs: number; key: StoreKey }, b: { startMs: number; key: StoreKey }): number {
  return a.startMs - b.startMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
}

async function* windowEntries<V>(entries: AsyncIterable<CommittedEntry<V>>): AsyncIterable<WindowEntry<V>> {
  for await (const { entry, value } of entries) yield { key: entry.key, startMs: entry.startMs, value }
}
