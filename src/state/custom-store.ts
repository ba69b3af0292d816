import type { ChangelogWriter } from './changelog.ts'
import { CodecBuffer, CodecReader, readBinary, readVarint, writeBinary, writeVarint } from './codec-bytes.ts'
import { decodeWhole, encodeWhole, escapeBinary } from './key-codec.ts'
import type { CheckpointedStore, ManagedStore, PageDigest, StoreContext } from './managed-store.ts'
import { damaged, readChecksum, sealValue, type PageWrite } from './page-table.ts'
import type { CustomStore } from './store.ts'

/*
 * Pages of a custom store: what changed, in the order it was committed. Nobody reads single entries from
 * them, so they are appended, never searched: read back in order, a later entry replaces an earlier one. A
 * group (a timed store's entries of one time; all of another's) that has grown to several times what it
 * was is read back and written anew without what has been replaced.
 *
 *   key     prefix, time (8 bytes; 0 if not timed), number (8 bytes)
 *   value   u32 CRC-32C as every page; v number of entries; per entry: v, key; v, value (0: removed, else length + 1)
 */
const PAGE_BYTES = 1 << 16
/** A group is written anew when it holds this many times the entries it had when it last was … */
const REWRITE_FACTOR = 3
/** … and at least this many. */
const REWRITE_ENTRIES_MIN = 20_000
const SUM_MODULUS = 2 ** 52
const NO_TIME = encodeWhole(0)

interface Group {
  readonly time: string
  /** Its stored pages, in order. */
  pages: { readonly key: string; readonly checksum: number; readonly entries: number }[]
  /** Entries it had when it was last written anew. */
  baseEntries: number
}

/** Entries by key, as binary strings; null: removed. */
type Changes = Map<string, Uint8Array | null>

/** Takes a store of its own layout through commit, checkpoint and restore: its entries are bytes. */
export class ManagedCustomStore implements ManagedStore {
  readonly name: string
  readonly fingerprint: string
  readonly checkpoint: CheckpointedStore
  readonly #store: CustomStore
  readonly #pages: AppendedPages | null
  #workingExpiryMs = -Infinity
  #flushedExpiryMs = -Infinity
  #committedExpiryMs = -Infinity

  constructor(name: string, store: CustomStore, context: StoreContext) {
    this.name = name
    this.fingerprint = `custom1${store.timed === true ? ' timed' : ''} ${store.fingerprint}`
    this.#store = store
    this.#pages = context.source === null ? null : new AppendedPages(name, store.timed === true, context)
    this.checkpoint = this.#pages ?? new NoPages()
  }

  flush(into: ChangelogWriter): void {
    const pages = this.#pages
    this.#store.flush(
      (key, keyStart, keyEnd, value, valueStart, valueEnd, timestampMs) => {
        into.raw(key, keyStart, keyEnd, value, valueStart, valueEnd, timestampMs)
        pages?.flushed(key, keyStart, keyEnd, value, valueStart, valueEnd)
      },
      (belowMs) => {
        if (belowMs > this.#workingExpiryMs) this.#workingExpiryMs = belowMs
      },
    )
    if (this.#workingExpiryMs > this.#flushedExpiryMs) {
      this.#flushedExpiryMs = this.#workingExpiryMs
      into.expired(this.#flushedExpiryMs)
    }
  }

  committed(): void {
    this.#store.committed()
    this.#committedExpiryMs = this.#flushedExpiryMs
    this.#pages?.committed(this.#committedExpiryMs)
  }

  discard(): boolean {
    return true
  }

  restore(bytes: Uint8Array, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void {
    if (this.#store.timed === true && this.#committedExpiryMs !== -Infinity) {
      if (decodeWhole(readBinary(bytes, keyStart, keyStart + 8)) < this.#committedExpiryMs) return
    }
    const value = valueStart < 0 ? null : bytes
    this.#store.restore(
      bytes.subarray(keyStart, keyEnd),
      value === null ? null : bytes.subarray(valueStart, valueEnd),
    )
    if (this.#pages !== null) {
      this.#pages.flushed(bytes, keyStart, keyEnd, value, valueStart, valueEnd)
      this.#pages.committed(this.#committedExpiryMs)
    }
  }

  restoreExpired(belowMs: number): void {
    if (belowMs <= this.#committedExpiryMs) return
    this.#workingExpiryMs = belowMs
    this.#flushedExpiryMs = belowMs
    this.#committedExpiryMs = belowMs
    this.#store.restoreExpired?.(belowMs)
    this.#pages?.committed(belowMs)
  }

  restored(): void {
    // The store is told by its operator.
  }

  reset(): void {
    this.#store.reset()
    this.#pages?.reset((key, value) => this.#store.restore(key, value))
    this.#workingExpiryMs = -Infinity
    this.#flushedExpiryMs = -Infinity
    this.#committedExpiryMs = -Infinity
  }
}

class AppendedPages implements CheckpointedStore {
  readonly prefix: string
  readonly #timed: boolean
  readonly #context: StoreContext
  /** By time, encoded. */
  readonly #groups = new Map<string, Group>()
  /** Entries of the flush under way, in the form of a page's body. */
  #underWay = new CodecBuffer(1 << 12)
  /** Those of committed cycles, oldest first. */
  #pending = new CodecBuffer(1 << 16)
  #underWayCount = 0
  #pendingCount = 0
  #expiredBelowMs = -Infinity
  #clearedBelowMs = -Infinity
  #number = 0
  /** Groups read back to be written anew by the next save. */
  readonly #rewriting = new Map<Group, Changes>()
  #take: ((key: Uint8Array, value: Uint8Array | null) => void) | null = null

  constructor(name: string, timed: boolean, context: StoreContext) {
    this.prefix = context.prefix + escapeBinary(name)
    this.#timed = timed
    this.#context = context
  }

  get unsavedCount(): number {
    return this.#pendingCount
  }

  get expiredBelowMs(): number {
    return this.#expiredBelowMs
  }

  flushed(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
  ): void {
    const into = this.#underWay
    writeVarint(into, keyEnd - keyStart)
    copy(into, key, keyStart, keyEnd)
    writeVarint(into, value === null ? 0 : valueEnd - valueStart + 1)
    if (value !== null) copy(into, value, valueStart, valueEnd)
    this.#underWayCount++
  }

  committed(expiredBelowMs: number): void {
    this.#expiredBelowMs = expiredBelowMs
    const from = this.#underWay
    if (from.length === 0) return
    const into = this.#pending
    into.reserve(from.length)
    into.bytes.set(from.bytes.subarray(0, from.length), into.length)
    into.length += from.length
    this.#pendingCount += this.#underWayCount
    from.clear()
    this.#underWayCount = 0
  }

  reset(take: (key: Uint8Array, value: Uint8Array | null) => void): void {
    this.#groups.clear()
    this.#rewriting.clear()
    this.#underWay.clear()
    this.#pending.clear()
    this.#underWayCount = 0
    this.#pendingCount = 0
    this.#expiredBelowMs = -Infinity
    this.#clearedBelowMs = -Infinity
    this.#take = take
  }

  digest(): PageDigest {
    this.#dropExpired()
    let pages = 0
    let sum = 0
    for (const group of this.#groups.values()) {
      pages += group.pages.length
      for (const page of group.pages) sum = (sum + page.checksum) % SUM_MODULUS
    }
    return { pages, sum }
  }

  memoryBytes(): number {
    return this.#pending.bytes.length + this.#underWay.bytes.length
  }

  prepare(): Promise<void> | undefined {
    this.#dropExpired()
    const grown = [...this.#groups.values()].filter(
      (group) =>
        !this.#rewriting.has(group) &&
        entriesOf(group) >= Math.max(REWRITE_ENTRIES_MIN, REWRITE_FACTOR * group.baseEntries),
    )
    if (grown.length === 0) return undefined
    return this.#readBack(grown)
  }

  save(writes: PageWrite[]): void {
    this.#dropExpired()
    const byTime = new Map<string, Changes>()
    const changesOf = (time: string): Changes => {
      let changes = byTime.get(time)
      if (changes === undefined) byTime.set(time, (changes = new Map()))
      return changes
    }
    for (const [group, live] of this.#rewriting) {
      if (this.#groups.get(group.time) !== group) continue
      for (const page of group.pages) writes.push({ key: page.key, value: null })
      group.pages = []
      byTime.set(group.time, live)
    }
    const pending = this.#pending
    readEntries(pending.bytes, 0, pending.length, (key, value) => {
      const time = this.#timed ? key.slice(0, 8) : NO_TIME
      if (this.#isExpired(time)) return
      const changes = changesOf(time)
      // A Map keeps the place of a key's first entry: fine, since a key's last entry is all that counts.
      changes.set(key, value)
    })
    for (const [time, changes] of byTime) {
      let group = this.#groups.get(time)
      if (group === undefined) this.#groups.set(time, (group = { time, pages: [], baseEntries: 0 }))
      const isAnew = group.pages.length === 0
      this.#write(group, changes, writes)
      if (isAnew) group.baseEntries = entriesOf(group)
    }
    this.#rewriting.clear()
    pending.clear()
    if (pending.bytes.length > 1 << 24) this.#pending = new CodecBuffer(1 << 16)
    this.#pendingCount = 0
  }

  open(key: string, value: Uint8Array): void {
    const suffix = key.slice(this.prefix.length)
    if (suffix.length !== 16) throw damaged(key)
    const time = suffix.slice(0, 8)
    if (this.#isExpired(time)) return
    const from = new CodecReader(value, 4)
    const entries = readVarint(from)
    readEntries(value, from.at, value.length, (entryKey, entryValue) => {
      this.#take!(Uint8Array.from(Buffer.from(entryKey, 'latin1')), entryValue)
    })
    let group = this.#groups.get(time)
    if (group === undefined) this.#groups.set(time, (group = { time, pages: [], baseEntries: 0 }))
    group.pages.push({ key, checksum: readChecksum(value), entries })
    this.#number = Math.max(this.#number, decodeWhole(suffix, 8) + 1)
  }

  evict(): number {
    return 0
  }

  expiredRanges(): { readonly from: string; readonly to: string }[] {
    const belowMs = this.#expiredBelowMs
    if (belowMs === this.#clearedBelowMs) return []
    this.#clearedBelowMs = belowMs
    return [{ from: this.prefix, to: this.prefix + encodeWhole(Math.ceil(belowMs)) }]
  }

  #isExpired(time: string): boolean {
    return this.#timed && decodeWhole(time) < this.#expiredBelowMs
  }

  #dropExpired(): void {
    if (!this.#timed) return
    for (const time of this.#groups.keys()) if (this.#isExpired(time)) this.#groups.delete(time)
  }

  async #readBack(groups: readonly Group[]): Promise<void> {
    for (const group of groups) {
      const live: Changes = new Map()
      const from = this.prefix + group.time
      const wanted = new Set(group.pages.map((page) => page.key))
      for await (const [key, value] of this.#context.source!.iterate(from, `${from}\xff\xff`)) {
        if (!wanted.delete(key)) continue
        const reader = new CodecReader(value, 4)
        readVarint(reader)
        readEntries(value, reader.at, value.length, (entryKey, entryValue) => {
          if (entryValue === null) live.delete(entryKey)
          else live.set(entryKey, entryValue)
        })
      }
      if (wanted.size > 0) throw damaged(from)
      this.#rewriting.set(group, live)
    }
  }

  /** Appends changes to a group, in pages; of a group written anew, removed entries are left out. */
  #write(group: Group, changes: Changes, writes: PageWrite[]): void {
    const isAnew = group.pages.length === 0
    let count = 0
    body.clear()
    const close = (): void => {
      if (count === 0) return
      const key = this.prefix + group.time + encodeWhole(this.#number++)
      head.clear()
      writeVarint(head, count)
      const value = new Uint8Array(4 + head.length + body.length)
      value.set(head.bytes.subarray(0, head.length), 4)
      value.set(body.bytes.subarray(0, body.length), 4 + head.length)
      sealValue(key, value)
      writes.push({ key, value })
      group.pages.push({ key, checksum: readChecksum(value), entries: count })
      count = 0
      body.clear()
    }
    for (const [key, value] of changes) {
      if (value === null && isAnew) continue
      writeVarint(body, key.length)
      writeBinary(body, key)
      writeVarint(body, value === null ? 0 : value.length + 1)
      if (value !== null) copy(body, value, 0, value.length)
      count++
      if (body.length >= PAGE_BYTES) close()
    }
    close()
  }
}

/** In memory there is nothing to save. */
class NoPages implements CheckpointedStore {
  readonly unsavedCount = 0
  readonly expiredBelowMs = -Infinity
  readonly prefix = ''
  digest(): PageDigest {
    return { pages: 0, sum: 0 }
  }
  memoryBytes(): number {
    return 0
  }
  prepare(): undefined {}
  save(): void {}
  open(): void {}
  evict(): number {
    return 0
  }
  expiredRanges(): [] {
    return []
  }
}

const head = new CodecBuffer(16)
const body = new CodecBuffer(2 * PAGE_BYTES)

function entriesOf(group: Group): number {
  return group.pages.reduce((sum, page) => sum + page.entries, 0)
}

function readEntries(
  bytes: Uint8Array,
  start: number,
  end: number,
  take: (key: string, value: Uint8Array | null) => void,
): void {
  const from = new CodecReader(bytes, start, end)
  while (from.at < end) {
    const keyLength = readVarint(from)
    const key = readBinary(bytes, from.at, from.at + keyLength)
    from.at += keyLength
    const valueLength = readVarint(from) - 1
    const valueStart = from.at
    if (valueLength > 0) from.at += valueLength
    take(key, valueLength < 0 ? null : bytes.slice(valueStart, from.at))
  }
}

function copy(into: CodecBuffer, from: Uint8Array, start: number, end: number): void {
  into.reserve(end - start)
  const { bytes } = into
  for (let at = start, to = into.length; at < end; at++, to++) bytes[to] = from[at]!
  into.length += end - start
}
