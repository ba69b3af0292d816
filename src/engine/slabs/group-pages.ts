import { assert } from '../../base/assert.ts'
import { StorageError } from '../../base/errors.ts'
import { CHUNK_MASK, CHUNK_SHIFT, FRAME_SLOTS, GroupFrames } from './group-frames.ts'
import { hashBytes } from './slab.ts'

/** A page with so many groups is split before the next. */
const PAGE_GROUPS_MAX = 224
const DEPTH_FIRST = 4
/** Pages at this depth: a million. No more than {@link PAGE_GROUPS_MAX} keys may share so many bits of their hashes. */
const DEPTH_MAX = 20

/** What is known of a page, as bits. */
export const PageFlag = {
  /** A version of it is in storage. */
  STORED: 1,
  /** Its frame holds only groups restored from the changelog; the rest is in storage. */
  PARTIAL: 2,
  /** Differs from what is in storage. */
  UNSAVED: 4,
  /** Chosen by the save under way and not yet written. */
  CHOSEN: 8,
  /** Written by the save under way, which isn't stored yet. */
  WRITTEN: 16,
} as const

/** The hash of a key that pages and frames go by: never 0. */
export function groupHash(bytes: Uint8Array, start: number, end: number): number {
  const hash = hashBytes(bytes, start, end)
  return hash === 0 ? 1 : hash
}

/**
 * The groups of an un-windowed aggregate, in pages by the high bits of their keys' hashes (extendible
 * hashing: a directory of 2^depth entries, each page with a depth of its own, a full one splits in two).
 * A page is in memory, in a frame, or in storage only; the page of a key is always known, so that damage
 * never looks like a key that isn't there.
 *
 * Pages are numbered in order of their making and are never given up. Their arrays are open to the store.
 */
export class GroupPages {
  frames: GroupFrames
  count = 0
  readonly #initial: readonly number[]
  /** High bits of the hashes of its keys, the others 0. */
  prefixes = new Uint32Array(64)
  /** How many bits of `prefixes` count. */
  depths = new Uint8Array(64)
  /** −1: none. Without one, a page that is stored is cold, any other empty. */
  frameOf = new Int32Array(64)
  groups = new Uint8Array(64)
  flags = new Uint8Array(64)
  /** Of the stored version. */
  checksums = new Uint32Array(64)
  /** The cycle that last asked for it while some page was cold. */
  lastUse = new Int32Array(64)
  /** How many pages are cold or partial: with none there is nothing to load. */
  absent = 0
  #directory = new Int32Array(0)
  #depth = 0
  /** Called when a page has given half of its groups to a sibling. */
  onSplit: (page: number, sibling: number) => void = () => {}

  constructor(initial: readonly number[]) {
    this.#initial = initial
    this.frames = new GroupFrames(initial)
    this.reset()
  }

  /** Forgets everything: a few empty pages. */
  reset(): void {
    this.#clear(DEPTH_FIRST)
    for (let prefix = 0; prefix < 1 << DEPTH_FIRST; prefix++) {
      this.#add((prefix << (32 - DEPTH_FIRST)) >>> 0, DEPTH_FIRST)
    }
  }

  pageOf(hash: number): number {
    return this.#directory[hash >>> (32 - this.#depth)]!
  }

  /**
   * The place of a key's slot; made, with the initial state, if there is none. The key's page is not cold,
   * and not partial unless the key is there.
   */
  slot(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const page = this.#directory[hash >>> (32 - this.#depth)]!
    const frame = this.frameOf[page]!
    if (frame >= 0) {
      const place = this.frames.find(frame, bytes, start, end, hash)
      if (place >= 0) return place
    }
    return this.#insert(page, bytes, start, end, hash)
  }

  /** The place of a new slot, for a key that has none, like {@link slot}. */
  add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    return this.#insert(this.pageOf(hash), bytes, start, end, hash)
  }

  /** The place of a key among what is in memory, or −1. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const frame = this.frameOf[this.pageOf(hash)]!
    return frame < 0 ? -1 : this.frames.find(frame, bytes, start, end, hash)
  }

  isCold(page: number): boolean {
    return this.frameOf[page]! < 0 && (this.flags[page]! & PageFlag.STORED) !== 0
  }

  isPartial(page: number): boolean {
    return (this.flags[page]! & PageFlag.PARTIAL) !== 0
  }

  /** Whether the page has to be read before a key may be added to it. */
  isAbsent(page: number): boolean {
    return this.isCold(page) || this.isPartial(page)
  }

  /** See {@link GroupFrames.markDirty}. */
  markDirty(place: number, hash: number): void {
    this.frames.markDirty(place)
    this.flags[this.pageOf(hash)]! |= PageFlag.UNSAVED
  }

  /**
   * The place of a key for a version of it that is newer than any stored one; −1: its page is partial and
   * full, and has to be loaded first.
   */
  restored(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const page = this.pageOf(hash)
    if (this.isCold(page)) {
      this.frameOf[page] = this.frames.take()
      this.groups[page] = 0
      this.flags[page]! |= PageFlag.PARTIAL
    }
    this.flags[page]! |= PageFlag.UNSAVED
    if (!this.isPartial(page)) return this.slot(bytes, start, end, hash)
    const place = this.frames.find(this.frameOf[page]!, bytes, start, end, hash)
    if (place >= 0) return place
    if (this.groups[page]! >= PAGE_GROUPS_MAX) return -1
    this.groups[page]!++
    return this.frames.add(this.frameOf[page]!, bytes, start, end, hash)
  }

  /** Declares a page that was cold or partial to be whole: what it lacks is added with {@link slot} next. */
  makeWhole(page: number): void {
    if (this.frameOf[page]! < 0) {
      this.frameOf[page] = this.frames.take()
      this.groups[page] = 0
    }
    this.flags[page]! &= ~PageFlag.PARTIAL
    this.absent--
  }

  /** Lets go of a page's frame. It is stored as it is. */
  evict(page: number): void {
    assert((this.flags[page]! & ~PageFlag.STORED) === 0, 'only a page stored as it is leaves memory')
    this.frames.release(this.frameOf[page]!)
    this.frameOf[page] = -1
    this.absent++
  }

  /** Forgets all pages, to {@link adopt} stored ones. */
  clear(): void {
    this.#clear(0)
  }

  /** Takes in a stored page, cold. */
  adopt(prefix: number, depth: number, checksum: number, isStored: boolean): void {
    const page = this.#add(prefix, depth)
    this.checksums[page] = checksum
    if (!isStored) return
    this.flags[page] = PageFlag.STORED
    this.absent++
  }

  /** Whether every key has a page. */
  get isComplete(): boolean {
    return !this.#directory.includes(-1)
  }

  /** Calls `take` with the place of each group of a page in memory. */
  eachPlace(page: number, take: (place: number) => void): void {
    const frame = this.frameOf[page]!
    if (frame < 0) return
    const first = frame * FRAME_SLOTS
    const { hashes } = this.frames.chunks[first >> CHUNK_SHIFT]!
    for (let place = first; place < first + FRAME_SLOTS; place++) {
      if (hashes[place & CHUNK_MASK] !== 0) take(place)
    }
  }

  get memoryBytes(): number {
    return this.frames.memoryBytes + this.#directory.byteLength + this.prefixes.length * 23
  }

  #insert(page: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    assert(!this.isAbsent(page), 'a group’s page is loaded before the group is added')
    while (this.groups[page]! >= PAGE_GROUPS_MAX) {
      this.#split(page)
      page = this.pageOf(hash)
    }
    if (this.frameOf[page]! < 0) this.frameOf[page] = this.frames.take()
    this.groups[page]!++
    return this.frames.add(this.frameOf[page]!, bytes, start, end, hash)
  }

  /** Gives the groups of the upper half of its hashes to a new page. */
  #split(page: number): void {
    const depth = this.depths[page]!
    if (depth >= DEPTH_MAX) {
      throw new StorageError('STATE_FAILED', {
        message: `More than ${PAGE_GROUPS_MAX} group keys have the same hash in ${DEPTH_MAX} bits: such keys do not occur by chance.`,
        hint: 'Group by something else beside it, or find out who sends these keys.',
      })
    }
    if (depth === this.#depth) this.#deepen(depth + 1)
    const bit = 31 - depth
    this.depths[page] = depth + 1
    const sibling = this.#add((this.prefixes[page]! | (1 << bit)) >>> 0, depth + 1)
    const { frames } = this
    const from = this.frameOf[page]!
    const low = frames.take()
    const high = frames.take()
    let moved = 0
    this.eachPlace(page, (place) => {
      const hash = frames.chunks[place >> CHUNK_SHIFT]!.hashes[place & CHUNK_MASK]!
      const isHigh = ((hash >>> bit) & 1) === 1
      if (isHigh) moved++
      frames.move(place, isHigh ? high : low)
    })
    frames.release(from)
    this.frameOf[page] = low
    this.frameOf[sibling] = high
    this.groups[sibling] = moved
    this.groups[page]! -= moved
    this.lastUse[sibling] = this.lastUse[page]!
    this.flags[page]! |= PageFlag.UNSAVED
    this.flags[sibling] = PageFlag.UNSAVED
    this.onSplit(page, sibling)
  }

  #clear(depth: number): void {
    this.frames = new GroupFrames(this.#initial)
    this.count = 0
    this.absent = 0
    this.#depth = depth
    this.#directory = new Int32Array(1 << depth).fill(-1)
  }

  #add(prefix: number, depth: number): number {
    if (depth > this.#depth) this.#deepen(depth)
    const page = this.count++
    if (page === this.prefixes.length) this.#grow()
    this.prefixes[page] = prefix
    this.depths[page] = depth
    this.frameOf[page] = -1
    this.groups[page] = 0
    this.flags[page] = 0
    this.checksums[page] = 0
    this.lastUse[page] = 0
    // A depth of 0 would shift by 32, which is no shift at all.
    const first = this.#depth === 0 ? 0 : prefix >>> (32 - this.#depth)
    this.#directory.fill(page, first, first + (1 << (this.#depth - depth)))
    return page
  }

  #deepen(depth: number): void {
    const directory = new Int32Array(1 << depth)
    const shift = depth - this.#depth
    for (let i = 0; i < directory.length; i++) directory[i] = this.#directory[i >>> shift]!
    this.#directory = directory
    this.#depth = depth
  }

  #grow(): void {
    const length = this.count * 2
    const grown = <A extends Uint32Array | Uint8Array | Int32Array>(larger: A, from: A): A => {
      larger.set(from)
      return larger
    }
    this.prefixes = grown(new Uint32Array(length), this.prefixes)
    this.depths = grown(new Uint8Array(length), this.depths)
    this.frameOf = grown(new Int32Array(length), this.frameOf)
    this.groups = grown(new Uint8Array(length), this.groups)
    this.flags = grown(new Uint8Array(length), this.flags)
    this.checksums = grown(new Uint32Array(length), this.checksums)
    this.lastUse = grown(new Int32Array(length), this.lastUse)
  }
}
