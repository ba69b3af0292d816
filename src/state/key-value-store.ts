import { assert } from '../base/assert.ts'
import type { ChangelogWriter } from './changelog.ts'
import { readBinary } from './codec-bytes.ts'
import { overlay, readStored, type CommittedEntry, type MemoryEntry } from './committed-scan.ts'
import { EntryLedger, newEntry, SAVED, type Entry } from './entry.ts'
import { escapeBinary } from './key-codec.ts'
import {
  loadPages,
  pagePlace,
  type CheckpointedStore,
  type ManagedStore,
  type PagePlace,
  type StoreContext,
} from './managed-store.ts'
import { OrderedKeys } from './ordered-keys.ts'
import {
  damaged,
  PageTable,
  readChecksum,
  readPage,
  verifyPage,
  type EntryPlace,
  type Page,
} from './page-table.ts'
import type { KeyValueStore, StoreKey, ValueCodec } from './store.ts'
import { TableCheckpoint } from './table-checkpoint.ts'

/**
 * A key-value store: a map of the entries in memory over one table of pages.
 *
 * Invariant: an entry in memory is at least as new as the stored one; a miss in memory means absence if the
 * page of the key is in memory.
 */
export class PagedKeyValueStore<V> implements KeyValueStore<V>, ManagedStore {
  readonly name: string
  readonly fingerprint: string
  readonly codec: ValueCodec<V>
  readonly checkpoint: CheckpointedStore
  readonly #context: StoreContext
  readonly #entries = new Map<StoreKey, Entry<V>>()
  readonly #ledger: EntryLedger<V>
  readonly #table: PageTable<V>
  /** Built by the first scan. */
  #ordered: OrderedKeys | null = null
  #restoring = true
  #last: Entry<V> | undefined

  constructor(name: string, codec: ValueCodec<V>, context: StoreContext) {
    this.name = name
    this.codec = codec
    this.fingerprint = `key-value1 ${codec.fingerprint}`
    this.#context = context
    this.#ledger = new EntryLedger(context.source !== null)
    this.#table = new PageTable(context.prefix + escapeBinary(name), 0, {
      codec,
      find: (key) => this.#entries.get(key),
      add: (entry) => this.#add(entry),
      forget: (entry) => this.#forget(entry),
    })
    this.checkpoint = new TableCheckpoint<V>({
      context,
      ledger: this.#ledger,
      prefix: this.#table.prefix,
      tables: () => [this.#table],
      single: this.#table,
      tableOf: () => this.#table,
      openTable: () => this.#table,
      expiredBelowMs: () => -Infinity,
      expiredTo: () => '',
    })
  }

  load(keys: Iterable<StoreKey>): Promise<void> | undefined {
    const table = this.#table
    if (table.isResident) return undefined
    const cold = new Set<Page<V>>()
    for (const key of keys) {
      const page = table.find(placeOf(key))
      if (page === undefined) continue
      page.lastUse = this.#context.cycle()
      if (page.entries === null && !this.#entries.has(key)) cold.add(page)
    }
    return this.#loadPages(cold)
  }

  get(key: StoreKey): V | undefined {
    const entry = this.#find(key)
    if (entry !== undefined) return entry.value
    this.#assertLoaded(key)
    return undefined
  }

  put(key: StoreKey, value: V): void {
    assert(!this.#restoring, `store ${this.name} is restored before it is changed`)
    let entry = this.#find(key)
    if (entry === undefined) {
      this.#assertLoaded(key)
      entry = newEntry(key, 0, 0)
      this.#add(entry)
    }
    this.#ledger.set(entry, value)
  }

  remove(key: StoreKey): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) this.#assertLoaded(key)
    else if (entry.value !== undefined) this.#ledger.set(entry, undefined)
  }

  loadRange(from: StoreKey | null, to: StoreKey | null): Promise<void> | undefined {
    if (this.#table.isResident) return undefined
    const cold: Page<V>[] = []
    for (const page of this.#pagesOf(from, to)) {
      page.lastUse = this.#context.cycle()
      if (page.entries === null) cold.push(page)
    }
    return this.#loadPages(cold)
  }

  range(from: StoreKey | null, to: StoreKey | null): Iterable<readonly [StoreKey, V]> {
    if (!this.#table.isResident) {
      for (const page of this.#pagesOf(from, to)) {
        assert(page.entries !== null, `the range read from store ${this.name} was loaded`)
      }
    }
    const found: (readonly [StoreKey, V])[] = []
    for (const key of this.#orderedKeys().range(from, to)) {
      const { value } = this.#entries.get(key)!
      if (value !== undefined) found.push([key, value])
    }
    return found
  }

  async getCommitted(key: StoreKey): Promise<V | undefined> {
    this.#context.assertReadable()
    for (;;) {
      const entry = this.#entries.get(key)
      if (entry !== undefined) return entry.committed
      const page = this.#table.find(placeOf(key))
      if (page === undefined || page.entries !== null) return undefined
      const storageKey = this.#table.storageKey(page)
      const { checksum } = page
      const [value] = await this.#context.source!.getMany([storageKey])
      this.#context.assertReadable()
      // If the page was loaded or rewritten meanwhile, what was read may be outdated: look again.
      if (this.#table.find(placeOf(key)) !== page || page.entries !== null || page.checksum !== checksum)
        continue
      if (this.#entries.has(key)) continue
      verifyPage(storageKey, value ?? new Uint8Array(0))
      if (readChecksum(value!) !== checksum) throw damaged(storageKey)
      let found: V | undefined
      readPage(value!, 0, (entryKey, _start, _end, bytes, start, end) => {
        if (entryKey === key) found = this.codec.decode(bytes, start, end)
      })
      return found
    }
  }

  scanCommitted(from: StoreKey | null, to: StoreKey | null): AsyncIterable<readonly [StoreKey, V]> {
    this.#context.assertReadable()
    const memory: MemoryEntry<V>[] = []
    for (const key of this.#orderedKeys().range(from, to)) {
      const entry = this.#entries.get(key)!
      memory.push({ entry, value: entry.committed })
    }
    const table = this.#table
    if (table.isResident) return pairs(overlay(memory, null))
    const [start, end] = table.scanRange(from === null ? null : placeOf(from), to)
    const isInside = ({ key }: EntryPlace): boolean =>
      (from === null || key >= from) && (to === null || key < to)
    const source = this.#context.source!.iterate(start, end)
    return pairs(overlay(memory, readStored(source, table.times, this.codec, isInside)))
  }

  flush(into: ChangelogWriter): void {
    const { codec } = this
    const { nowMs } = into
    this.#ledger.flush((entry) => into.entry(nowMs, null, null, entry.key, entry.value, codec), this.#forget)
  }

  committed(): void {
    this.#ledger.committed(this.#forget)
  }

  discard(): boolean {
    this.#ledger.discard(this.#forget)
    return false
  }

  restore(bytes: Uint8Array, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void {
    const key = readBinary(bytes, keyStart, keyEnd)
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      if (valueStart < 0 && this.#table.pages.length === 0) return
      entry = newEntry<V>(key, 0, 0)
      // Its page may hold an older version: don't let it shine through.
      if (!this.#table.isResident) entry.state |= SAVED
      this.#add(entry)
    }
    const value = valueStart < 0 ? undefined : this.codec.decode(bytes, valueStart, valueEnd)
    this.#ledger.restore(entry, value, this.#forget)
  }

  restoreExpired(): void {
    assert(false, 'nothing expires in a key-value store')
  }

  restored(): void {
    this.#restoring = false
  }

  reset(): void {
    this.#entries.clear()
    this.#last = undefined
    this.#ordered = null
    this.#ledger.reset()
    this.#table.reset()
    this.#restoring = true
  }

  /** An update reads and then writes: half of the look-ups are for the key of the last one. */
  #find(key: StoreKey): Entry<V> | undefined {
    const last = this.#last
    if (last !== undefined && last.key === key) return last
    return (this.#last = this.#entries.get(key))
  }

  #add(entry: Entry<V>): void {
    this.#entries.set(entry.key, entry)
    this.#ordered?.add(entry.key)
  }

  readonly #forget = (entry: Entry<V>): void => {
    if (this.#entries.get(entry.key) !== entry) return
    if (this.#last === entry) this.#last = undefined
    this.#entries.delete(entry.key)
    this.#ordered?.delete(entry.key)
  }

  #orderedKeys(): OrderedKeys {
    return (this.#ordered ??= new OrderedKeys(this.#keysMostlyInOrder()))
  }

  /** Those in pages are in order already: sorting all is then ten times faster. */
  *#keysMostlyInOrder(): Iterable<StoreKey> {
    for (const page of this.#table.pages) {
      for (const entry of page.entries ?? []) if (this.#entries.get(entry.key) === entry) yield entry.key
    }
    for (const entry of this.#entries.values()) if (entry.page?.entries == null) yield entry.key
  }

  #assertLoaded(key: StoreKey): void {
    if (this.#table.isResident) return
    const page = this.#table.find(placeOf(key))
    assert(page === undefined || page.entries !== null, `the key used from store ${this.name} was loaded`)
  }

  #pagesOf(from: StoreKey | null, to: StoreKey | null): Page<V>[] {
    return this.#table.within(from === null ? null : placeOf(from), to === null ? null : placeOf(to))
  }

  #loadPages(pages: Iterable<Page<V>>): Promise<void> | undefined {
    return loadPages(
      this.#context,
      Array.from(pages, (page): PagePlace => pagePlace(this.#table, page)),
    )
  }
}

function placeOf(key: StoreKey): EntryPlace {
  return { key, startMs: 0, endMs: 0 }
}

async function* pairs<V>(entries: AsyncIterable<CommittedEntry<V>>): AsyncIterable<readonly [StoreKey, V]> {
  for await (const { entry, value } of entries) yield [entry.key, value]
}
