import { assert } from '../../base/assert.ts'
import type { ChangelogWriter } from '../../state/changelog.ts'
import { decodeWhole, encodeWhole, escapeBinary } from '../../state/key-codec.ts'
import type { CheckpointedStore, ManagedStore, PageDigest, StoreContext } from '../../state/managed-store.ts'
import { damaged, readChecksum, sealValue, verifyPage, type PageWrite } from '../../state/page-table.ts'
import type { StoreKey } from '../../state/store.ts'
import type { ReadRange } from '../operator.ts'
import { groupHash, GroupPages, PageFlag } from './group-pages.ts'
import type { KeyRanges } from './slab-rows.ts'

/** A group as it was committed: its doubles, the last of them the highest event time of its rows. */
export interface CommittedGroupState {
  readonly key: StoreKey
  readonly state: Float64Array
}

/*
 * Changelog: key = the group key; value = the slot's doubles, little-endian.
 *
 * Checkpoint, all numbers little-endian; each value begins with u32 CRC-32C of its key in storage and of all
 * that follows. Keys begin with the store's prefix.
 *
 *   'd' number (8 bytes)       512 pages of the directory, in order of their numbers
 *     u32 count; per page u32 prefix of the hashes, u8 its bits, u8 whether it is stored, u32 its CRC
 *   'p' prefix (4 bytes)       a page
 *     u32 count; per group u32 length of the key, key, doubles
 */

const DIRECTORY_PAGES = 512
const DIRECTORY_ENTRY_BYTES = 10
const SUM_MODULUS = 2 ** 52
/** Pages written before others get a turn, and read in one round. */
const STEP_PAGES = 8
const READ_PAGES = 1024
/** A scan of no more groups is in the order of their keys. */
const SORTED_GROUPS_MAX = 65_536

/**
 * The groups of an un-windowed aggregate as a store. Opening it reads the directory only; a page is read
 * when one of its groups is needed, and verified against the directory then. Groups restored from the
 * changelog lie in memory beside the rest of their page in storage, which is not read for it: so a restart
 * is ready when it has read the changelog's end, however large the state is.
 */
export class GroupStore implements ManagedStore, CheckpointedStore {
  readonly name: string
  readonly fingerprint: string
  readonly prefix: string
  readonly openPrefix: string
  readonly restoreCost = 0.4
  readonly pages: GroupPages
  readonly #context: StoreContext
  readonly #rowBytes: number
  /** Checksums of the stored parts of the directory. */
  #directory: number[] = []
  /** Parts of the directory to be written with the save under way. */
  readonly #outdated = new Set<number>()
  #digest: PageDigest = { pages: 0, sum: 0 }
  /** Pages of the save under way; those written are not yet stored. */
  #chosen: number[] = []
  /** The save under way has yet to write its pages or the directory. */
  #isWriting = false
  #unsaved = 0
  /** Restored groups whose page is partial and full: key bytes and doubles. */
  #waiting: { readonly key: Uint8Array; readonly doubles: Uint8Array }[] = []
  #bytes = new Uint8Array(1024)

  constructor(name: string, initial: readonly number[], fingerprint: string, context: StoreContext) {
    this.name = name
    this.fingerprint = `groups1 ${fingerprint}`
    this.prefix = context.prefix + escapeBinary(name)
    this.openPrefix = `${this.prefix}d`
    this.#context = context
    this.pages = new GroupPages(initial)
    this.#rowBytes = this.pages.frames.stride * 8
    this.pages.onSplit = (page, sibling) => this.#pageSplit(page, sibling)
  }

  get checkpoint(): CheckpointedStore {
    return this
  }

  /** Brings in the pages that the rows' groups need; undefined when all are there. */
  load(
    { bytes, starts, ends }: KeyRanges,
    selection: Int32Array | null,
    size: number,
  ): Promise<void> | undefined {
    const { pages } = this
    if (pages.absent === 0) return undefined
    const cycle = this.#context.cycle()
    const needed = new Set<number>()
    for (let n = 0; n < size; n++) {
      const row = selection === null ? n : selection[n]!
      const start = starts[row]!
      if (start < 0) continue
      const hash = groupHash(bytes, start, ends[row]!)
      const page = pages.pageOf(hash)
      pages.lastUse[page] = cycle
      if (pages.isAbsent(page) && pages.find(bytes, start, ends[row]!, hash) < 0) needed.add(page)
    }
    return needed.size === 0 ? undefined : this.#read([...needed])
  }

  /** Committed groups in a range; no more than 65,536 of them by key, more in no order. */
  async *committedGroups(range: ReadRange): AsyncIterable<CommittedGroupState> {
    this.#context.assertReadable()
    if (range.keys !== null) {
      for (const key of range.keys) {
        const bytes = Buffer.from(key, 'latin1')
        const hash = groupHash(bytes, 0, bytes.length)
        const found = (await this.#committedAt(hash)).groups.get(key)
        if (found !== undefined) yield { key, state: found }
      }
      return
    }
    let sorted: CommittedGroupState[] | null = []
    // By hash, not by number: a page that splits meanwhile is neither missed nor read twice.
    for (let hash = 0; hash < 2 ** 32;) {
      const { groups, next } = await this.#committedAt(hash)
      hash = next
      for (const [key, state] of groups) {
        if ((range.from !== null && key < range.from) || (range.to !== null && key >= range.to)) continue
        if (sorted === null) yield { key, state }
        else sorted.push({ key, state })
      }
      if (sorted !== null && sorted.length > SORTED_GROUPS_MAX) {
        yield* sorted
        sorted = null
      }
    }
    if (sorted !== null) yield* sorted.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  flush(into: ChangelogWriter): void {
    const { frames } = this.pages
    const { count, keys, keyEnds, state } = frames.gather()
    const bytes = new Uint8Array(state.buffer)
    const rowBytes = this.#rowBytes
    this.#unsaved += count
    for (let n = 0; n < count; n++) {
      const time = state[(n + 1) * frames.stride - 1]!
      const keyStart = n === 0 ? 0 : keyEnds[n - 1]!
      into.raw(keys, keyStart, keyEnds[n]!, bytes, n * rowBytes, (n + 1) * rowBytes, time)
    }
    frames.flush()
  }

  committed(): void {
    this.pages.frames.committed()
  }

  discard(): boolean {
    return true
  }

  restore(bytes: Uint8Array, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void {
    assert(valueEnd - valueStart === this.#rowBytes, 'a group’s entry has the size its fingerprint says')
    const place = this.pages.restored(bytes, keyStart, keyEnd, groupHash(bytes, keyStart, keyEnd))
    this.#unsaved++
    if (place >= 0) this.pages.frames.setState(place, bytes, valueStart)
    else {
      this.#waiting.push({
        key: new Uint8Array(bytes.subarray(keyStart, keyEnd)),
        doubles: new Uint8Array(bytes.subarray(valueStart, valueEnd)),
      })
    }
  }

  restoreExpired(): void {
    assert(false, 'groups without windows do not expire')
  }

  /** Reads the pages that were full of restored groups, and adds those that found no room. */
  async settle(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting
      this.#waiting = []
      const pages = new Set(waiting.map(({ key }) => this.pages.pageOf(groupHash(key, 0, key.length))))
      await this.#read([...pages])
      for (const { key, doubles } of waiting)
        this.restore(withValue(key, doubles), 0, key.length, key.length, key.length + doubles.length)
    }
  }

  restored(): void {}

  reset(): void {
    this.pages.reset()
    this.#directory = []
    this.#outdated.clear()
    this.#digest = { pages: 0, sum: 0 }
    this.#chosen = []
    this.#isWriting = false
    this.#waiting = []
    this.#unsaved = 0
  }

  get unsavedCount(): number {
    return this.#unsaved
  }

  get expiredBelowMs(): number {
    return -Infinity
  }

  digest(): PageDigest {
    return this.#digest
  }

  memoryBytes(): number {
    return this.pages.memoryBytes
  }

  prepare(): Promise<void> | undefined {
    const { pages } = this
    if (pages.absent === 0) return undefined
    const partial: number[] = []
    for (let page = 0; page < pages.count && partial.length < READ_PAGES; page++) {
      if (pages.isPartial(page)) partial.push(page)
    }
    return partial.length === 0 ? undefined : this.#read(partial)
  }

  save(writes: PageWrite[]): Iterable<void> {
    const { pages } = this
    this.#unsaved = 0
    this.#chosen = []
    this.#isWriting = true
    for (let page = 0; page < pages.count; page++) {
      if ((pages.flags[page]! & PageFlag.UNSAVED) !== 0) this.#choose(page)
    }
    // In the order of their keys LevelDB takes them in less than half the time.
    this.#chosen.sort((a, b) => pages.prefixes[a]! - pages.prefixes[b]!)
    return this.#writePages(writes)
  }

  written(): void {
    for (const page of this.#chosen) this.pages.flags[page]! &= ~PageFlag.WRITTEN
    this.#chosen = []
  }

  open(key: string, value: Uint8Array): void {
    const { pages } = this
    const part = decodeWhole(key.slice(this.openPrefix.length))
    if (part !== this.#directory.length) throw damaged(key)
    if (part === 0) pages.clear()
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
    const count = view.getUint32(4, true)
    if (value.length !== 8 + count * DIRECTORY_ENTRY_BYTES) throw damaged(key)
    for (let at = 8; at < value.length; at += DIRECTORY_ENTRY_BYTES) {
      pages.adopt(
        view.getUint32(at, true),
        view.getUint8(at + 4),
        view.getUint32(at + 6, true),
        view.getUint8(at + 5) === 1,
      )
    }
    this.#directory.push(readChecksum(value))
    this.#digest = digestOf(this.#directory)
  }

  evict(bytes: number, cycle: number): number {
    const { pages } = this
    const candidates: number[] = []
    for (let page = 0; page < pages.count; page++) {
      const isIdle = pages.flags[page] === PageFlag.STORED && pages.frameOf[page]! >= 0
      if (isIdle && pages.lastUse[page]! < cycle) candidates.push(page)
    }
    candidates.sort((a, b) => pages.lastUse[a]! - pages.lastUse[b]!)
    const before = pages.memoryBytes
    for (const page of candidates) {
      if (before - pages.memoryBytes >= bytes) break
      pages.evict(page)
    }
    return before - pages.memoryBytes
  }

  expiredRanges(): [] {
    return []
  }

  *#writePages(writes: PageWrite[]): Iterable<void> {
    const { pages } = this
    // Grows while pages split; the later version of a page counts.
    for (let n = 0; n < this.#chosen.length; n++) {
      const page = this.#chosen[n]!
      const key = this.#pageKey(page)
      const value = this.#encode(page, key)
      pages.checksums[page] = readChecksum(value)
      this.#outdated.add(Math.floor(page / DIRECTORY_PAGES))
      writes.push({ key, value })
      if (n % STEP_PAGES === STEP_PAGES - 1) yield
    }
    for (let part = this.#directory.length; part * DIRECTORY_PAGES < pages.count; part++)
      this.#outdated.add(part)
    for (const part of this.#outdated) {
      const key = this.openPrefix + encodeWhole(part)
      const value = this.#encodeDirectory(part, key)
      this.#directory[part] = readChecksum(value)
      writes.push({ key, value })
    }
    this.#outdated.clear()
    this.#digest = digestOf(this.#directory)
    this.#isWriting = false
  }

  #choose(page: number): void {
    if ((this.pages.flags[page]! & PageFlag.CHOSEN) !== 0) return
    this.pages.flags[page]! |= PageFlag.CHOSEN
    this.#chosen.push(page)
  }

  /** The directory of a save has both halves: so must its pages, even if the whole page is among them. */
  #pageSplit(page: number, sibling: number): void {
    if (!this.#isWriting) return
    this.#choose(page)
    this.#choose(sibling)
  }

  /** A page's committed groups; from then on it is as stored, but for what isn't committed. */
  #encode(page: number, key: string): Uint8Array {
    const { pages } = this
    const { frames } = pages
    let length = 8
    let count = 0
    let isWhole = true
    pages.eachPlace(page, (place) => {
      if (frames.isUncommitted(place)) isWhole = false
      const keyLength = frames.keyLength(place)
      const keyStart = length + 4
      this.#reserve(keyStart + keyLength + this.#rowBytes)
      if (!frames.copyCommitted(place, this.#bytes, keyStart + keyLength)) return
      putU32(this.#bytes, length, keyLength)
      frames.copyKey(place, this.#bytes, keyStart)
      length = keyStart + keyLength + this.#rowBytes
      count++
    })
    putU32(this.#bytes, 4, count)
    const value = this.#bytes.slice(0, length)
    sealValue(key, value)
    const rest = pages.flags[page]! & ~(PageFlag.CHOSEN | PageFlag.UNSAVED)
    pages.flags[page] = rest | PageFlag.STORED | PageFlag.WRITTEN | (isWhole ? 0 : PageFlag.UNSAVED)
    return value
  }

  #encodeDirectory(part: number, key: string): Uint8Array {
    const { prefixes, depths, flags, checksums, count } = this.pages
    const first = part * DIRECTORY_PAGES
    const last = Math.min(count, first + DIRECTORY_PAGES)
    const value = new Uint8Array(8 + (last - first) * DIRECTORY_ENTRY_BYTES)
    const view = new DataView(value.buffer)
    view.setUint32(4, last - first, true)
    for (let page = first, at = 8; page < last; page++, at += DIRECTORY_ENTRY_BYTES) {
      view.setUint32(at, prefixes[page]!, true)
      view.setUint8(at + 4, depths[page]!)
      view.setUint8(at + 5, flags[page]! & PageFlag.STORED)
      view.setUint32(at + 6, checksums[page]!, true)
    }
    sealValue(key, value)
    return value
  }

  /** Brings pages that are cold or partial into memory, whole. */
  async #read(numbers: readonly number[]): Promise<void> {
    for (let from = 0; from < numbers.length; from += READ_PAGES) {
      const some = numbers.slice(from, from + READ_PAGES)
      const values = await this.#stored(some)
      some.forEach((page, i) => {
        // Someone else may have loaded it meanwhile.
        if (!this.pages.isAbsent(page)) return
        this.pages.makeWhole(page)
        eachStored(values[i]!, this.#rowBytes, (bytes, keyStart, keyEnd) => {
          const hash = groupHash(bytes, keyStart, keyEnd)
          // What is there is newer.
          if (this.pages.find(bytes, keyStart, keyEnd, hash) >= 0) return
          const place = this.pages.add(bytes, keyStart, keyEnd, hash)
          this.pages.frames.setState(place, bytes, keyEnd)
        })
      })
    }
  }

  /** Pages as they are stored, verified. */
  async #stored(numbers: readonly number[]): Promise<Uint8Array[]> {
    this.#context.assertUsable()
    const keys = numbers.map((page) => this.#pageKey(page))
    const sums = numbers.map((page) => this.pages.checksums[page]!)
    const values = await this.#context.source!.getMany(keys)
    this.#context.assertUsable()
    const verified: Uint8Array[] = []
    for (const [i, value] of values.entries()) {
      try {
        if (value === undefined) throw damaged(keys[i]!)
        verifyPage(keys[i]!, value)
        // A save of this moment may have written a newer version.
        if (readChecksum(value) !== sums[i] && readChecksum(value) !== this.pages.checksums[numbers[i]!])
          throw damaged(keys[i]!)
        verified.push(value)
      } catch (error) {
        await this.#context.dropCheckpoint((error as Error).message)
        throw error
      }
    }
    return verified
  }

  /** The committed groups of the page that holds `hash`, by key, wherever they are; and where the next page begins. */
  async #committedAt(hash: number): Promise<{ groups: Map<StoreKey, Float64Array>; next: number }> {
    const groups = new Map<StoreKey, Float64Array>()
    const { pages } = this
    let page = pages.pageOf(hash)
    if (pages.isAbsent(page)) {
      const [value] = await this.#stored([page])
      // Loaded meanwhile, it may even have been split: then all of it is in memory.
      if (pages.isAbsent(page)) {
        eachStored(value!, this.#rowBytes, (bytes, keyStart, keyEnd) => {
          const state = new Float64Array(pages.frames.stride)
          new Uint8Array(state.buffer).set(bytes.subarray(keyEnd, keyEnd + this.#rowBytes))
          groups.set(latin1(bytes.subarray(keyStart, keyEnd)), state)
        })
      } else page = pages.pageOf(hash)
    }
    const { frames } = pages
    pages.eachPlace(page, (place) => {
      const state = new Float64Array(frames.stride)
      if (!frames.copyCommitted(place, new Uint8Array(state.buffer), 0)) return
      const length = frames.keyLength(place)
      this.#reserve(length)
      frames.copyKey(place, this.#bytes, 0)
      groups.set(latin1(this.#bytes.subarray(0, length)), state)
    })
    return { groups, next: pages.prefixes[page]! + 2 ** (32 - pages.depths[page]!) }
  }

  #pageKey(page: number): string {
    const prefix = this.pages.prefixes[page]!
    return `${this.prefix}p${String.fromCharCode(prefix >>> 24, (prefix >>> 16) & 255, (prefix >>> 8) & 255, prefix & 255)}`
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

/** Hands out where the groups of a stored page lie; the doubles begin at `keyEnd`. */
function eachStored(
  value: Uint8Array,
  rowBytes: number,
  take: (bytes: Uint8Array, keyStart: number, keyEnd: number) => void,
): void {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  let at = 8
  for (let left = view.getUint32(4, true); left > 0; left--) {
    const keyStart = at + 4
    const keyEnd = keyStart + view.getUint32(at, true)
    take(value, keyStart, keyEnd)
    at = keyEnd + rowBytes
  }
  assert(at === value.length, 'a page holds what its checksum says')
}

function digestOf(checksums: readonly number[]): PageDigest {
  return { pages: checksums.length, sum: checksums.reduce((sum, c) => (sum + c) % SUM_MODULUS, 0) }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function withValue(key: Uint8Array, value: Uint8Array): Uint8Array {
  const both = new Uint8Array(key.length + value.length)
  both.set(key)
  both.set(value, key.length)
  return both
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}
