import type { ChangelogWriter } from './changelog.ts'
import { verifyPage, damaged, type Page, type PageTable, type PageWrite } from './page-table.ts'

/** What a task and its checkpoint do with every store, whatever its kind. */
export interface ManagedStore {
  readonly name: string
  readonly fingerprint: string
  /** Which time in an entry's key tells that it has expired; absent: entries do not expire. */
  readonly expiresBy?: 'start' | 'end'
  /** What restoring a changelog record costs in terms of one of a general store; absent: 1. */
  readonly restoreCost?: number
  /** Hands the changes of the open cycle to the changelog. The commit before it is decided. */
  flush(into: ChangelogWriter): void
  /** The flushed cycle is durable. */
  committed(): void
  /** Back to the last commit. True: the store keeps no committed versions and must be restored anew. */
  discard(): boolean
  /** Takes one committed change back; `valueStart` −1: removed. */
  restore(bytes: Uint8Array, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void
  /** Takes a committed expiry back: see {@link WindowStore.expire}. */
  restoreExpired(belowMs: number): void
  /** Called between slices of the changelog: takes in what {@link restore} could not without reading storage. */
  settle?(): Promise<void>
  /** Everything is restored: the store may be read and changed. */
  restored(): void
  /** Forgets everything, before a restore. */
  reset(): void
  readonly checkpoint: CheckpointedStore
}

/** The part of a store that a checkpoint works with. */
export interface CheckpointedStore {
  /** Entries changed since the last checkpoint, roughly: whether one is due. */
  readonly unsavedCount: number
  /** Entries with an earlier time are gone; −Infinity: nothing expired. */
  readonly expiredBelowMs: number
  /** Count and sum of checksums of all pages: what a hole in storage changes. */
  digest(): PageDigest
  /** Memory held, estimated, in bytes. */
  memoryBytes(): number
  /**
   * Brings into memory what a save needs and isn't there; undefined when a save may run. Asked again until
   * then, since cycles go on meanwhile.
   */
  prepare(): Promise<void> | undefined
  /**
   * Writes the pages of everything unsaved. What that is, is settled when this returns; the writing may go
   * on in the steps it returns, while cycles go on. Pages may then hold newer committed versions too: a
   * restart reads their changelog records once more, which changes nothing.
   */
  save(writes: PageWrite[], cycle: number): Iterable<void> | void
  /** The pages of the last save are stored. */
  written?(): void
  /** Takes in a stored page while opening, verified, in order of keys. Expired pages are left alone. */
  open(key: string, value: Uint8Array, keep: boolean): void
  /** Prefix of the store's pages in storage. */
  readonly prefix: string
  /** Prefix of those that {@link open} takes in; absent: all. The others are read, and verified, when they are needed. */
  readonly openPrefix?: string
  /** Lets go of saved pages not needed since `cycle` until about `bytes` are free; how many were. Absent: all stays. */
  evict?(bytes: number, cycle: number): number
  /** Storage ranges [from, to) of pages that expired since they were written. */
  expiredRanges(): { readonly from: string; readonly to: string }[]
}

export interface PageDigest {
  readonly pages: number
  /** Modulo 2^52. */
  readonly sum: number
}

/** A page and the table it is part of. */
export interface PagePlace {
  fill(value: Uint8Array): void
  readonly isCold: boolean
  readonly key: string
}

/** Where pages come from. Keys are binary strings. */
export interface PageSource {
  /** One value per key, in order; undefined where there is none. */
  getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>
  /** Entries in [from, to) as of the moment of the call, ascending. */
  iterate(from: string, to: string): AsyncIterable<readonly [string, Uint8Array]>
}

/** What the stores of a task share. */
export interface StoreContext {
  /** Null: everything is in memory. */
  readonly source: PageSource | null
  /** Prefix of the task's pages in storage. */
  readonly prefix: string
  /** Number of the open cycle; grows with every flush. */
  cycle(): number
  /** @throws StorageError `STATE_FAILED` if storage failed since the task was opened */
  assertUsable(): void
  /** What was read after opening doesn't add up: the task's next restore begins with the changelogs. */
  dropCheckpoint(reason: string): Promise<void>
  /** @throws QueryError `STATE_RESTORING` while committed values can't be read */
  assertReadable(): void
}

export function pagePlace<V>(table: PageTable<V>, page: Page<V>): PagePlace {
  const key = table.storageKey(page)
  return {
    key,
    get isCold() {
      return page.entries === null
    },
    fill: (value) => table.fill(page, value),
  }
}

/** Brings pages into memory in one round; undefined when all are there. */
export function loadPages(context: StoreContext, places: readonly PagePlace[]): Promise<void> | undefined {
  if (places.length === 0) return undefined
  return readPages(context, places)
}

async function readPages(context: StoreContext, places: readonly PagePlace[]): Promise<void> {
  context.assertUsable()
  const values = await context.source!.getMany(places.map((place) => place.key))
  context.assertUsable()
  places.forEach((place, i) => {
    // Someone else may have loaded it meanwhile, and even changed it.
    if (!place.isCold) return
    const value = values[i]
    if (value === undefined) throw damaged(place.key)
    verifyPage(place.key, value)
    place.fill(value)
  })
}
