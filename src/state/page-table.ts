import { crc32c } from '@node-rs/crc32'
import { assert } from '../base/assert.ts'
import { StorageError } from '../base/errors.ts'
import {
  CodecBuffer,
  CodecReader,
  readBinary,
  readDouble,
  readVarint,
  writeBinary,
  writeDouble,
  writeVarint,
} from './codec-bytes.ts'
import { compareEntries, SAVED, type Entry } from './entry.ts'
import { afterPrefix, encodeWhole, escapeBinary } from './key-codec.ts'
import type { StoreKey, ValueCodec } from './store.ts'

/*
 * Page: the value of one key of LevelDB. Some 64 entries, in order.
 *
 *   u32   CRC-32C of the page's key (its bytes in LevelDB) and of all that follows, little-endian
 *   v     number of entries
 *   per entry
 *     v, bytes   key
 *     f64        start, in window and session stores
 *     f64        end, in session stores
 *     v, bytes   value
 *
 * The page's key is its table's prefix and the place of its first entry, so pages of a table lie in the
 * order of their entries and a table's pages cover all keys between them.
 */
const PAGE_ENTRIES = 64
const PAGE_BYTES = 2600
/** A page is cut when it grows past this many times its size, so that a new entry rarely cuts one. */
const SLACK = 1.5
/** Entries written between two chances for the event loop: some milliseconds. */
const STEP_ENTRIES = 8192
/** Memory of an entry beside its key and value, estimated. */
const ENTRY_BYTES = 160

/** How many times an entry carries: none in key-value stores, its start in windows, start and end in sessions. */
export type EntryTimes = 0 | 1 | 2

/** A place between entries: by key, start, end. */
export interface EntryPlace {
  readonly key: StoreKey
  readonly startMs: number
  readonly endMs: number
}

export interface Page<V> {
  /** Its first entry when it was written. The first page of a table also covers everything before. */
  readonly lower: EntryPlace
  /** All its entries in order, or null: not in memory. */
  entries: Entry<V>[] | null
  /** The CRC of the stored page. */
  checksum: number
  /** Bytes of the stored page. */
  bytes: number
  /** The cycle that needed it last. */
  lastUse: number
  /** Stays in memory: what is stored may be older, until the checkpoint under way is written. */
  isPinned: boolean
  /** An entry of it changed since the last checkpoint; only while one is put together. */
  isTouched: boolean
}

/** What a page table needs of the index of entries it belongs to. */
export interface PageHost<V> {
  readonly codec: ValueCodec<V>
  /** The entry of this place if it is in memory: it is newer than the page. */
  find(key: StoreKey, startMs: number, endMs: number): Entry<V> | undefined
  /** Takes in a clean entry. */
  add(entry: Entry<V>): void
  /** Takes an entry out. */
  forget(entry: Entry<V>): void
}

/** A change of storage: null removes the key. Keys are binary strings. */
export interface PageWrite {
  readonly key: string
  readonly value: Uint8Array | null
}

/**
 * The pages of one contiguous range of entries: a key-value store, or one bucket of a windowed one. Knows
 * where every page starts; which of them are in memory changes.
 */
export class PageTable<V> {
  readonly prefix: string
  readonly times: EntryTimes
  readonly #host: PageHost<V>
  #pages: Page<V>[] = []
  #coldCount = 0
  #memoryBytes = 0
  #pinned: Page<V>[] = []
  /** Between {@link save} and {@link written} all of the table that is in memory stays there. */
  #isSaving = false
  /** Removed from the pages by the save under way; their tombstones hide what is still stored. */
  #gone: Entry<V>[] = []

  /** @param prefix of the storage keys of its pages */
  constructor(prefix: string, times: EntryTimes, host: PageHost<V>) {
    this.prefix = prefix
    this.times = times
    this.#host = host
  }

  /** Whether a miss in memory means that there is no such entry. */
  get isResident(): boolean {
    return this.#coldCount === 0
  }

  /** Memory of the loaded pages' entries, estimated. */
  get memoryBytes(): number {
    return this.#memoryBytes
  }

  get pages(): readonly Page<V>[] {
    return this.#pages
  }

  /** The page that holds the entry of this place, if anything does. */
  find(place: EntryPlace): Page<V> | undefined {
    return this.#pages[this.#indexOf(place)]
  }

  /** Pages that may hold entries in [from, to]; null is an open end. */
  within(from: EntryPlace | null, to: EntryPlace | null): Page<V>[] {
    const found: Page<V>[] = []
    let at = from === null ? 0 : this.#indexOf(from)
    for (; at < this.#pages.length; at++) {
      const page = this.#pages[at]!
      if (to !== null && found.length > 0 && compareEntries(page.lower, to) > 0) break
      found.push(page)
    }
    return found
  }

  storageKey(page: Page<V>): string {
    return this.prefix + placeKey(page.lower, this.times)
  }

  /**
   * Takes in a page found in storage while opening. Pages come in their order.
   *
   * @param keep whether its entries are held in memory
   */
  open(key: string, value: Uint8Array, keep: boolean): void {
    const page: Page<V> = {
      lower: firstEntry(value, this.times),
      entries: null,
      checksum: readChecksum(value),
      bytes: value.length,
      lastUse: 0,
      isPinned: false,
      isTouched: false,
    }
    this.#pages.push(page)
    this.#coldCount++
    if (this.storageKey(page) !== key) throw damaged(key)
    if (keep) this.fill(page, value)
  }

  /** Takes a stored page's entries into memory; entries already there are newer and stay. */
  fill(page: Page<V>, value: Uint8Array): void {
    assert(page.entries === null, 'a page is loaded once')
    if (readChecksum(value) !== page.checksum) throw damaged(this.storageKey(page))
    const entries: Entry<V>[] = []
    readPage(value, this.times, (key, startMs, endMs, bytes, start, end) => {
      let entry = this.#host.find(key, startMs, endMs)
      if (entry === undefined) {
        const decoded = this.#host.codec.decode(bytes, start, end)
        entry = {
          key,
          startMs,
          endMs,
          value: decoded,
          flushed: undefined,
          committed: decoded,
          state: SAVED,
          page,
        }
        this.#host.add(entry)
      } else {
        entry.state |= SAVED
        entry.page = page
      }
      entries.push(entry)
    })
    page.entries = entries
    this.#coldCount--
    this.#memoryBytes += memoryBytesOf(page)
  }

  /** Lets go of a page's entries; those that differ from the stored page stay in memory. */
  evict(page: Page<V>): void {
    if (page.entries === null || page.isPinned || this.#isSaving) return
    for (const entry of page.entries) if (entry.state === SAVED) this.#host.forget(entry)
    this.#memoryBytes -= memoryBytesOf(page)
    page.entries = null
    this.#coldCount++
  }

  /** Pages that a save of these entries has to rewrite and that are not in memory. All it touches are pinned. */
  coldFor(changed: readonly Entry<V>[]): Page<V>[] {
    const cold: Page<V>[] = []
    for (const entry of changed) {
      const page = entry.page ?? this.find(entry)
      if (page === undefined || page.isPinned) continue
      this.#pin(page)
      if (page.entries === null) cold.push(page)
    }
    // Pinned by an earlier round whose load failed or is under way.
    for (const page of this.#pinned) if (page.entries === null && !cold.includes(page)) cold.push(page)
    return cold
  }

  /**
   * Rewrites the pages of `changed` (each entry once) to hold their committed versions, in steps: between
   * them the table is whole and cycles may go on. All pages it touches are in memory, and stay there until
   * {@link written}. If the write fails, the table must be opened again.
   */
  save(changed: readonly Entry<V>[], writes: PageWrite[], cycle: number): Iterable<void> {
    this.#isSaving = true
    return this.#saveInSteps(changed, writes, cycle)
  }

  *#saveInSteps(changed: readonly Entry<V>[], writes: PageWrite[], cycle: number): Iterable<void> {
    const touched: Page<V>[] = []
    const unordered: Entry<V>[] = []
    for (const [i, entry] of changed.entries()) {
      if (i % STEP_ENTRIES === STEP_ENTRIES - 1) yield
      const { page } = entry
      if (page === null) {
        if (entry.committed === undefined) this.#gone.push(entry)
        else unordered.push(entry)
      } else if (!page.isTouched) {
        page.isTouched = true
        touched.push(page)
      }
    }
    yield
    const added = yield* sortInSteps(unordered)
    let sinceYield = 0
    for (let at = 0; at < added.length;) {
      const index = this.#indexOf(added[at]!)
      const next = this.#pages[index + 1]
      let end = at + 1
      while (
        end < added.length &&
        end - at < STEP_ENTRIES &&
        (next === undefined || compareEntries(added[end]!, next.lower) < 0)
      ) {
        end++
      }
      this.#rewrite(index, added.slice(at, end), writes, cycle)
      sinceYield += end - at + PAGE_ENTRIES
      if (sinceYield >= STEP_ENTRIES) {
        yield
        sinceYield = 0
      }
      at = end
    }
    for (const page of touched) {
      // Not if it was rewritten above, or replaced by several.
      if (!page.isTouched) continue
      this.#rewrite(this.#indexOf(page.lower), [], writes, cycle)
      sinceYield += PAGE_ENTRIES
      if (sinceYield >= STEP_ENTRIES) {
        yield
        sinceYield = 0
      }
    }
  }

  /** What {@link save} wrote is stored. */
  written(): void {
    this.#isSaving = false
    for (const page of this.#pinned) page.isPinned = false
    this.#pinned = []
    for (const entry of this.#gone) {
      // It may have come back meanwhile, and even changed again.
      if (entry.page !== null) continue
      entry.state &= ~SAVED
      if (entry.value === undefined && entry.committed === undefined && entry.state === 0) {
        this.#host.forget(entry)
      }
    }
    this.#gone = []
  }

  /** The range of storage keys that holds the entries from `from` on with keys below `toKey`; null is an open end. */
  scanRange(from: EntryPlace | null, toKey: StoreKey | null): readonly [string, string] {
    const first = from === null ? undefined : this.find(from)
    const start = first === undefined || first === this.#pages[0] ? this.prefix : this.storageKey(first)
    if (toKey === null) return [start, afterPrefix(this.prefix)!]
    return [start, this.prefix + (this.times === 0 ? toKey : escapeBinary(toKey))]
  }

  /** Forgets all pages; entries in memory are the host's business. */
  reset(): void {
    this.#pages = []
    this.#isSaving = false
    this.#pinned = []
    this.#gone = []
    this.#coldCount = 0
    this.#memoryBytes = 0
  }

  /** Index of the last page starting at or before `place`, or 0. */
  #indexOf(place: EntryPlace): number {
    let low = 0
    let high = this.#pages.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (compareEntries(this.#pages[middle]!.lower, place) <= 0) low = middle
      else high = middle
    }
    return low
  }

  #pin(page: Page<V>): void {
    if (page.isPinned) return
    page.isPinned = true
    this.#pinned.push(page)
  }

  /** Writes the page at `index` anew, with more entries (sorted, none of them in it). It may become several, or none. */
  #rewrite(index: number, added: readonly Entry<V>[], writes: PageWrite[], cycle: number): void {
    const old = this.#pages[index]
    if (old !== undefined) {
      assert(old.entries !== null, 'a page is in memory when it is rewritten')
      old.isTouched = false
      this.#memoryBytes -= memoryBytesOf(old)
    }
    const entries = this.#merged(old?.entries ?? [], added)
    const pages = this.#cut(entries, old, cycle, writes)
    if (pages.length === 1 && pages[0] === old) {
      this.#memoryBytes += memoryBytesOf(old!)
      return
    }
    if (old !== undefined && !pages.some((page) => samePlace(page.lower, old.lower))) {
      writes.push({ key: this.storageKey(old), value: null })
    }
    for (const page of pages) this.#memoryBytes += memoryBytesOf(page)
    this.#pages.splice(index, old === undefined ? 0 : 1, ...pages)
  }

  /** Both as one list, without entries whose committed version is gone. */
  #merged(old: readonly Entry<V>[], added: readonly Entry<V>[]): Entry<V>[] {
    const merged: Entry<V>[] = []
    // Removed again since the save began: it is nowhere.
    const take = (entry: Entry<V>): void => {
      if (entry.committed !== undefined) merged.push(entry)
    }
    let a = 0
    for (const entry of old) {
      while (a < added.length && compareEntries(added[a]!, entry) < 0) take(added[a++]!)
      if (entry.committed !== undefined) {
        merged.push(entry)
      } else {
        entry.page = null
        this.#gone.push(entry)
      }
    }
    while (a < added.length) take(added[a++]!)
    return merged
  }

  /** Writes entries as one page, `old` if its place stays, or, where they are too many, several. */
  #cut(entries: Entry<V>[], old: Page<V> | undefined, cycle: number, writes: PageWrite[]): Page<V>[] {
    body.clear()
    const starts: number[] = []
    for (const entry of entries) {
      starts.push(body.length)
      writeEntry(entry, this.times, this.#host.codec)
    }
    const total = body.length
    starts.push(total)
    const isOne = entries.length <= PAGE_ENTRIES * SLACK && total <= PAGE_BYTES * SLACK
    const pages: Page<V>[] = []
    for (let from = 0; from < entries.length;) {
      let to = isOne ? entries.length : from + 1
      while (to < entries.length && to - from < PAGE_ENTRIES && starts[to + 1]! - starts[from]! <= PAGE_BYTES)
        to++
      const { key, startMs, endMs } = entries[from]!
      const isSame = isOne && old !== undefined && samePlace(old.lower, entries[from]!)
      const page: Page<V> = isSame
        ? old
        : {
            lower: { key, startMs, endMs },
            entries: null,
            checksum: 0,
            bytes: 0,
            lastUse: cycle,
            isPinned: false,
            isTouched: false,
          }
      page.entries = isOne ? entries : entries.slice(from, to)
      for (const entry of page.entries) {
        entry.page = page
        entry.state |= SAVED
      }
      const storageKey = this.storageKey(page)
      const value = sealPage(storageKey, to - from, body.bytes, starts[from]!, starts[to]!)
      page.checksum = readChecksum(value)
      page.bytes = value.length
      this.#pin(page)
      writes.push({ key: storageKey, value })
      pages.push(page)
      from = to
    }
    return pages
  }
}

/** A merge sort that lets the event loop in between: 250,000 entries take a third of a second. */
function* sortInSteps<V>(entries: Entry<V>[]): Generator<void, Entry<V>[]> {
  let runs: Entry<V>[][] = []
  for (let at = 0; at < entries.length; at += STEP_ENTRIES) {
    runs.push(entries.slice(at, at + STEP_ENTRIES).sort(compareEntries))
    yield
  }
  while (runs.length > 1) {
    const merged: Entry<V>[][] = []
    for (let r = 0; r < runs.length; r += 2) {
      const left = runs[r]!
      const right = runs[r + 1] ?? []
      const both: Entry<V>[] = []
      for (let l = 0, i = 0; l < left.length || i < right.length;) {
        const isLeft = i === right.length || (l < left.length && compareEntries(left[l]!, right[i]!) <= 0)
        both.push(isLeft ? left[l++]! : right[i++]!)
        if (both.length % (2 * STEP_ENTRIES) === 0) yield
      }
      merged.push(both)
    }
    runs = merged
  }
  return runs[0] ?? []
}

/** Gives `value` the checksum in its first four bytes. */
export function sealValue(key: string, value: Uint8Array): void {
  new DataView(value.buffer, value.byteOffset).setUint32(0, pageChecksum(key, value), true)
}

/** Throws `STATE_CORRUPT` unless the page holds what was written under `key`. */
export function verifyPage(key: string, value: Uint8Array): void {
  if (value.length < 5 || readChecksum(value) !== pageChecksum(key, value)) throw damaged(key)
}

export function damaged(key: string): StorageError {
  return new StorageError('STATE_CORRUPT', {
    message: `A page of the state checkpoint is damaged (key ${Buffer.from(key, 'latin1').toString('hex')}).`,
  })
}

/** Hands out the entries of a verified page: key, times, and where the value lies in `bytes`. */
export function readPage(
  value: Uint8Array,
  times: EntryTimes,
  take: (
    key: StoreKey,
    startMs: number,
    endMs: number,
    bytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ) => void,
): void {
  const from = new CodecReader(value, 4)
  for (let left = readVarint(from); left > 0; left--) {
    const keyLength = readVarint(from)
    const key = readBinary(value, from.at, from.at + keyLength)
    from.at += keyLength
    const startMs = times > 0 ? readDouble(from) : 0
    const endMs = times > 1 ? readDouble(from) : 0
    const valueLength = readVarint(from)
    const start = from.at
    from.at += valueLength
    assert(from.at <= value.length, 'a page holds what its checksum says')
    take(key, startMs, endMs, value, start, from.at)
  }
}

/** Where an entry lies among the keys of its table in storage. */
export function placeKey(place: EntryPlace, times: EntryTimes): string {
  if (times === 0) return place.key
  const key = escapeBinary(place.key) + encodeWhole(place.startMs)
  return times === 1 ? key : key + encodeWhole(place.endMs)
}

const body = new CodecBuffer(1 << 16)
const scratch = new CodecBuffer()

function writeEntry<V>(entry: Entry<V>, times: EntryTimes, codec: ValueCodec<V>): void {
  writeVarint(body, entry.key.length)
  writeBinary(body, entry.key)
  if (times > 0) writeDouble(body, entry.startMs)
  if (times > 1) writeDouble(body, entry.endMs)
  scratch.clear()
  codec.encode(entry.committed!, scratch)
  writeVarint(body, scratch.length)
  body.reserve(scratch.length)
  for (let i = 0, to = body.length; i < scratch.length; i++, to++) body.bytes[to] = scratch.bytes[i]!
  body.length += scratch.length
}

function sealPage(key: string, count: number, bytes: Uint8Array, start: number, end: number): Uint8Array {
  scratch.clear()
  scratch.reserve(4)
  scratch.length = 4
  writeVarint(scratch, count)
  const head = scratch.length
  const value = new Uint8Array(head + end - start)
  value.set(scratch.bytes.subarray(4, head), 4)
  value.set(bytes.subarray(start, end), head)
  sealValue(key, value)
  return value
}

function pageChecksum(key: string, value: Uint8Array): number {
  return crc32c(value.subarray(4), crc32c(Buffer.from(key, 'latin1')))
}

export function readChecksum(value: Uint8Array): number {
  return (value[0]! | (value[1]! << 8) | (value[2]! << 16) | (value[3]! << 24)) >>> 0
}

function firstEntry(value: Uint8Array, times: EntryTimes): EntryPlace {
  const from = new CodecReader(value, 4)
  readVarint(from)
  const length = readVarint(from)
  const key = readBinary(value, from.at, from.at + length)
  from.at += length
  const startMs = times > 0 ? readDouble(from) : 0
  return { key, startMs, endMs: times > 1 ? readDouble(from) : 0 }
}

function memoryBytesOf<V>(page: Page<V>): number {
  return page.entries === null ? 0 : page.bytes * 2 + page.entries.length * ENTRY_BYTES
}

function samePlace(a: EntryPlace, b: EntryPlace): boolean {
  return a.key === b.key && a.startMs === b.startMs && a.endMs === b.endMs
}
