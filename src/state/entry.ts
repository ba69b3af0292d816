import { assert } from '../base/assert.ts'
import type { Page } from './page-table.ts'
import type { StoreKey } from './store.ts'

/**
 * One entry of a store in memory, in up to three versions: as the open cycle sees it, as it was flushed
 * into the commit that is under way, and as it is committed. `undefined` means: no such entry.
 *
 * Key-value stores leave both times 0; windows and join buffers have a start; sessions start and end.
 */
export interface Entry<V> {
  readonly key: StoreKey
  readonly startMs: number
  readonly endMs: number
  value: V | undefined
  flushed: V | undefined
  committed: V | undefined
  /** Bits: {@link DIRTY}, {@link FLUSHED}, {@link UNSAVED}, {@link SAVED}. */
  state: number
  /** The page it is part of, in memory or not; null: of none yet, or not known. */
  page: Page<V> | null
}

/** Changed in the open cycle. */
export const DIRTY = 1
/** Part of the commit under way. */
export const FLUSHED = 2
/** Committed, but not yet in the checkpoint. */
export const UNSAVED = 4
/** The checkpoint holds an entry of this key, maybe an older version. */
export const SAVED = 8

export function newEntry<V>(key: StoreKey, startMs: number, endMs: number): Entry<V> {
  return {
    key,
    startMs,
    endMs,
    value: undefined,
    flushed: undefined,
    committed: undefined,
    state: 0,
    page: null,
  }
}

/** By key, start, end: the order of entries within a store or bucket, in memory and in pages. */
export function compareEntries(
  a: { readonly key: StoreKey; readonly startMs: number; readonly endMs: number },
  b: { readonly key: StoreKey; readonly startMs: number; readonly endMs: number },
): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1
  return a.startMs - b.startMs || a.endMs - b.endMs
}

/**
 * Which entries of a store differ from what is flushed, committed and saved.
 *
 * Invariant: between `flush` and `committed` or `discard` there is one commit under way, never two.
 */
export class EntryLedger<V> {
  #dirty: Entry<V>[] = []
  #underWay: Entry<V>[] = []
  #unsaved: Entry<V>[] = []
  /** Whether a checkpoint wants to know what changed. */
  readonly #keepsUnsaved: boolean

  constructor(keepsUnsaved: boolean) {
    this.#keepsUnsaved = keepsUnsaved
  }

  get dirtyCount(): number {
    return this.#dirty.length
  }

  get unsavedCount(): number {
    return this.#unsaved.length
  }

  /** Entries whose committed version a checkpoint doesn't have yet. */
  get unsaved(): readonly Entry<V>[] {
    return this.#unsaved
  }

  /** The working value of `entry` is now `value`; undefined removes it. */
  set(entry: Entry<V>, value: V | undefined): void {
    entry.value = value
    if ((entry.state & DIRTY) === 0) {
      entry.state |= DIRTY
      this.#dirty.push(entry)
    }
  }

  /** Hands every entry that the cycle changed to `emit`; one put back to what is committed didn't change. */
  flush(emit: (entry: Entry<V>) => void, forget: (entry: Entry<V>) => void): void {
    assert(this.#underWay.length === 0, 'a cycle is flushed after the commit before it is decided')
    const underWay: Entry<V>[] = []
    for (const entry of this.#dirty) {
      entry.state &= ~DIRTY
      if (entry.value === entry.committed) {
        if (entry.value === undefined && entry.state === 0) forget(entry)
        continue
      }
      entry.flushed = entry.value
      entry.state |= FLUSHED
      underWay.push(entry)
      emit(entry)
    }
    this.#dirty = []
    this.#underWay = underWay
  }

  /** The flushed versions are committed. `forget` takes out entries of which nothing is left. */
  committed(forget: (entry: Entry<V>) => void): void {
    const underWay = this.#underWay
    this.#underWay = []
    for (const entry of underWay) {
      entry.committed = entry.flushed
      entry.flushed = undefined
      entry.state &= ~FLUSHED
      this.#settle(entry, forget)
    }
  }

  /** The open cycle and the commit under way never happened. */
  discard(forget: (entry: Entry<V>) => void): void {
    for (const list of [this.#dirty, this.#underWay]) {
      for (const entry of list) {
        if ((entry.state & (DIRTY | FLUSHED)) === 0) continue
        entry.value = entry.committed
        entry.flushed = undefined
        entry.state &= ~(DIRTY | FLUSHED)
        if (entry.committed === undefined && (entry.state & (UNSAVED | SAVED)) === 0) forget(entry)
      }
    }
    this.#dirty = []
    this.#underWay = []
  }

  /** `entry` has this committed value: read back from the changelog. */
  restore(entry: Entry<V>, value: V | undefined, forget: (entry: Entry<V>) => void): void {
    entry.value = value
    entry.committed = value
    this.#settle(entry, forget)
  }

  /** Hands over {@link unsaved}: they count as saved from now on. */
  takeUnsaved(): Entry<V>[] {
    const unsaved = this.#unsaved
    this.#unsaved = []
    for (const entry of unsaved) entry.state &= ~UNSAVED
    return unsaved
  }

  reset(): void {
    this.#dirty = []
    this.#underWay = []
    this.#unsaved = []
  }

  #settle(entry: Entry<V>, forget: (entry: Entry<V>) => void): void {
    if (this.#keepsUnsaved && (entry.committed !== undefined || (entry.state & SAVED) !== 0)) {
      this.#markUnsaved(entry)
    } else if (entry.value === undefined && entry.committed === undefined && (entry.state & DIRTY) === 0) {
      forget(entry)
    }
  }

  #markUnsaved(entry: Entry<V>): void {
    if ((entry.state & UNSAVED) !== 0) return
    entry.state |= UNSAVED
    this.#unsaved.push(entry)
  }
}
