import type { Entry, EntryLedger } from './entry.ts'
import {
  loadPages,
  pagePlace,
  type CheckpointedStore,
  type PageDigest,
  type PagePlace,
  type StoreContext,
} from './managed-store.ts'
import type { Page, PageTable, PageWrite } from './page-table.ts'

/** How a store's entries spread over its page tables. */
export interface TableLayout<V> {
  readonly context: StoreContext
  readonly ledger: EntryLedger<V>
  /** Prefix of the store's keys in storage. */
  readonly prefix: string
  tables(): readonly PageTable<V>[]
  /** The only table, where there is one. */
  readonly single?: PageTable<V>
  /** The table of an entry; undefined: it has expired. */
  tableOf(entry: Entry<V>): PageTable<V> | undefined
  /** The table of a stored page, whose key is the store's prefix and `suffix`. */
  openTable(suffix: string): PageTable<V>
  expiredBelowMs(): number
  /** Suffix up to which everything has expired. */
  expiredTo(belowMs: number): string
}

const SUM_MODULUS = 2 ** 52
/** Memory of an entry that is not in a page yet, beside what the page's bytes tell of the others. */
const NEW_ENTRY_BYTES = 300

/** The checkpoint's side of a store that keeps its entries in page tables. */
export class TableCheckpoint<V> implements CheckpointedStore {
  readonly #layout: TableLayout<V>
  #clearedBelowMs = -Infinity
  /** Tables of the save under way. */
  #saved: PageTable<V>[] = []

  constructor(layout: TableLayout<V>) {
    this.#layout = layout
  }

  get unsavedCount(): number {
    return this.#layout.ledger.unsavedCount
  }

  get prefix(): string {
    return this.#layout.prefix
  }

  get expiredBelowMs(): number {
    return this.#layout.expiredBelowMs()
  }

  digest(): PageDigest {
    let pages = 0
    let sum = 0
    for (const table of this.#layout.tables()) {
      pages += table.pages.length
      for (const page of table.pages) sum = (sum + page.checksum) % SUM_MODULUS
    }
    return { pages, sum }
  }

  memoryBytes(): number {
    let bytes = this.#layout.ledger.unsavedCount * NEW_ENTRY_BYTES
    for (const table of this.#layout.tables()) bytes += table.memoryBytes
    return bytes
  }

  prepare(): Promise<void> | undefined {
    if (this.#layout.tables().every((table) => table.isResident)) return undefined
    const cold: PagePlace[] = []
    for (const [table, entries] of this.#byTable(this.#layout.ledger.unsaved)) {
      for (const page of table.coldFor(entries)) cold.push(pagePlace(table, page))
    }
    return loadPages(this.#layout.context, cold)
  }

  save(writes: PageWrite[], cycle: number): Iterable<void> {
    const byTable = this.#byTable(this.#layout.ledger.takeUnsaved())
    this.#saved = [...byTable.keys()]
    // Every table is told now: from here on nothing of it is let go.
    return oneAfterAnother(Array.from(byTable, ([table, entries]) => table.save(entries, writes, cycle)))
  }

  written(): void {
    for (const table of this.#saved) table.written()
    this.#saved = []
  }

  open(key: string, value: Uint8Array, keep: boolean): void {
    const belowMs = this.expiredBelowMs
    const suffix = key.slice(this.prefix.length)
    if (belowMs !== -Infinity && suffix < this.#layout.expiredTo(belowMs)) return
    this.#layout.openTable(suffix).open(key, value, keep)
  }

  evict(bytes: number, cycle: number): number {
    const candidates: { readonly table: PageTable<V>; readonly page: Page<V> }[] = []
    for (const table of this.#layout.tables()) {
      for (const page of table.pages) {
        if (page.entries !== null && !page.isPinned && page.lastUse < cycle) candidates.push({ table, page })
      }
    }
    candidates.sort((a, b) => a.page.lastUse - b.page.lastUse)
    let freed = 0
    for (const { table, page } of candidates) {
      if (freed >= bytes) break
      const before = table.memoryBytes
      table.evict(page)
      freed += before - table.memoryBytes
    }
    return freed
  }

  expiredRanges(): { readonly from: string; readonly to: string }[] {
    const belowMs = this.expiredBelowMs
    if (belowMs === this.#clearedBelowMs) return []
    const { prefix } = this.#layout
    const from = this.#clearedBelowMs === -Infinity ? '' : this.#layout.expiredTo(this.#clearedBelowMs)
    const to = this.#layout.expiredTo(belowMs)
    this.#clearedBelowMs = belowMs
    return from === to ? [] : [{ from: prefix + from, to: prefix + to }]
  }

  /** Entries per table; those that expired meanwhile are left out. */
  #byTable(entries: readonly Entry<V>[]): ReadonlyMap<PageTable<V>, readonly Entry<V>[]> {
    const byTable = new Map<PageTable<V>, Entry<V>[]>()
    const { single } = this.#layout
    if (single !== undefined) return new Map([[single, entries]])
    for (const entry of entries) {
      const table = this.#layout.tableOf(entry)
      if (table === undefined) continue
      const list = byTable.get(table)
      if (list === undefined) byTable.set(table, [entry])
      else list.push(entry)
    }
    return byTable
  }
}

function* oneAfterAnother(steps: readonly Iterable<void>[]): Iterable<void> {
  for (const step of steps) yield* step
}
