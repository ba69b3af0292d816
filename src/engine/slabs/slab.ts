import { assert } from '../../base/assert.ts'

/** Slots of a new slab; it doubles when three quarters are in use. */
const SLOTS_FIRST = 256

/**
 * All groups of one window: fixed-size state in typed arrays, addressed through one open hash table by
 * the group key's bytes. A slot is a number; slots lie in order of their creation, so that what was
 * added together is encoded together. Dropping the slab is the expiry of its window.
 *
 * The arrays are open to the loops over them; only this class grows them. `state` holds `stride` doubles
 * per slot: those of the aggregates, then the highest event time of the group's rows (−1: none yet).
 *
 * Where the time of a tumbling window goes: docs/decisions/0004.
 */
export class Slab {
  /** Start of the window, epoch ms. */
  startMs: number
  readonly stride: number
  #initial: readonly number[]

  count = 0
  #capacity: number
  /** Slot + 1 per bucket of the table; 0: free. */
  #table: Int32Array
  #mask: number
  hashes: Int32Array
  state: Float64Array
  /** 1: changed in the open cycle. */
  dirty: Uint8Array
  /** Slots changed in the open cycle, in order of their first change. */
  dirtySlots: Int32Array
  dirtyCount = 0
  /** State of each dirty slot before the cycle, in the order of `dirtySlots`; time −1: it is new. */
  before: Float64Array
  /** The same three of the cycle whose commit is under way: what is committed of these slots lies here. */
  flushedSlots: Int32Array
  flushedCount = 0
  flushedBefore: Float64Array
  /** Key bytes of all slots, back to back; slot s has [keyEnds[s−1], keyEnds[s]). */
  keys: Uint8Array
  keyEnds: Int32Array
  /** 1 per page of {@link PAGE_SLOTS} slots: changed since the last checkpoint. */
  unsavedPages: Uint8Array

  /** @param initial  doubles of the aggregates in a new group */
  constructor(startMs: number, initial: readonly number[]) {
    this.startMs = startMs
    this.stride = initial.length + 1
    this.#initial = [...initial, -1]
    this.#capacity = SLOTS_FIRST
    this.#table = new Int32Array(SLOTS_FIRST * 2)
    this.#mask = this.#table.length - 1
    this.hashes = new Int32Array(SLOTS_FIRST)
    this.state = new Float64Array(SLOTS_FIRST * this.stride)
    this.dirty = new Uint8Array(SLOTS_FIRST)
    this.dirtySlots = new Int32Array(SLOTS_FIRST)
    this.before = new Float64Array(64 * this.stride)
    this.flushedSlots = new Int32Array(SLOTS_FIRST)
    this.flushedBefore = new Float64Array(64 * this.stride)
    this.keys = new Uint8Array(SLOTS_FIRST * 12)
    this.keyEnds = new Int32Array(SLOTS_FIRST)
    this.unsavedPages = new Uint8Array(Math.ceil(SLOTS_FIRST / PAGE_SLOTS))
  }

  /** Makes an expired window's slab an empty one of another window. Its memory has been touched already. */
  reuse(startMs: number): void {
    this.startMs = startMs
    this.#table.fill(0)
    this.dirty.fill(0, 0, this.count)
    this.unsavedPages.fill(0)
    this.count = 0
    this.dirtyCount = 0
    this.flushedCount = 0
  }

  keyStart(slot: number): number {
    return slot === 0 ? 0 : this.keyEnds[slot - 1]!
  }

  /** The slot of a key; made, with the initial state, if there is none. @param hash {@link hashBytes} of the key */
  slot(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#mask
    const table = this.#table
    const length = end - start
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = table[at]! - 1
      if (slot < 0) return this.#insert(bytes, start, end, hash, at)
      if (this.hashes[slot] !== hash) continue
      const from = slot === 0 ? 0 : this.keyEnds[slot - 1]!
      if (this.keyEnds[slot]! - from !== length) continue
      const { keys } = this
      let k = 0
      while (k < length && keys[from + k] === bytes[start + k]) k++
      if (k === length) return slot
    }
  }

  /** The slot of a key, or −1. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
      const slot = this.#table[at]! - 1
      if (slot < 0) return -1
      if (this.hashes[slot] !== hash) continue
      const from = this.keyStart(slot)
      if (this.keyEnds[slot]! - from !== end - start) continue
      let k = start
      while (k < end && this.keys[from + k - start] === bytes[k]) k++
      if (k === end) return slot
    }
  }

  /** Keeps a slot's state as it was before the open cycle. To be called before its first change in the cycle. */
  markDirty(slot: number): void {
    const { stride } = this
    this.dirty[slot] = 1
    if (this.dirtyCount === this.dirtySlots.length) this.dirtySlots = grown(this.dirtySlots)
    const at = this.dirtyCount * stride
    if (at + stride > this.before.length) {
      const before = new Float64Array(this.before.length * 2)
      before.set(this.before)
      this.before = before
    }
    this.dirtySlots[this.dirtyCount++] = slot
    const { state, before } = this
    const from = slot * stride
    for (let i = 0; i < stride; i++) before[at + i] = state[from + i]!
    this.unsavedPages[(slot / PAGE_SLOTS) | 0] = 1
  }

  /** The open cycle goes into a commit, and the next one begins. The commit before it is decided. */
  flush(): void {
    assert(this.flushedCount === 0, 'a slab is flushed after the commit before it is decided')
    const { dirtySlots, before, dirtyCount } = this
    for (let n = 0; n < dirtyCount; n++) this.dirty[dirtySlots[n]!] = 0
    this.dirtySlots = this.flushedSlots
    this.before = this.flushedBefore
    this.dirtyCount = 0
    this.flushedSlots = dirtySlots
    this.flushedBefore = before
    this.flushedCount = dirtyCount
  }

  /** The flushed cycle is committed. */
  committed(): void {
    this.flushedCount = 0
  }

  /** Slots in the order of their keys' bytes. */
  inKeyOrder(): Int32Array {
    const slots = new Int32Array(this.count)
    for (let s = 0; s < slots.length; s++) slots[s] = s
    return slots.sort((a, b) => this.#compareKeys(a, b))
  }

  get memoryBytes(): number {
    return (
      this.#table.byteLength +
      this.hashes.byteLength +
      this.state.byteLength +
      this.keys.byteLength +
      this.keyEnds.byteLength +
      this.dirty.byteLength +
      this.dirtySlots.byteLength +
      this.before.byteLength +
      this.flushedSlots.byteLength +
      this.flushedBefore.byteLength
    )
  }

  #compareKeys(a: number, b: number): number {
    let i = this.keyStart(a)
    let j = this.keyStart(b)
    const endA = this.keyEnds[a]!
    const endB = this.keyEnds[b]!
    for (; i < endA && j < endB; i++, j++) {
      const difference = this.keys[i]! - this.keys[j]!
      if (difference !== 0) return difference
    }
    return endA - i - (endB - j)
  }

  #insert(bytes: Uint8Array, start: number, end: number, hash: number, at: number): number {
    if (this.count >= this.#capacity) {
      this.#grow()
      at = hash & this.#mask
      while (this.#table[at] !== 0) at = (at + 1) & this.#mask
    }
    const slot = this.count++
    this.#table[at] = slot + 1
    this.hashes[slot] = hash
    const keyStart = this.keyStart(slot)
    const keyEnd = keyStart + end - start
    if (keyEnd > this.keys.length) {
      const keys = new Uint8Array(Math.max(this.keys.length * 2, keyEnd))
      keys.set(this.keys)
      this.keys = keys
    }
    const { keys } = this
    for (let from = start, to = keyStart; from < end; from++, to++) keys[to] = bytes[from]!
    this.keyEnds[slot] = keyEnd
    const initial = this.#initial
    const base = slot * this.stride
    for (let i = 0; i < initial.length; i++) this.state[base + i] = initial[i]!
    return slot
  }

  #grow(): void {
    const capacity = this.#capacity * 2
    this.#capacity = capacity
    this.hashes = grown(this.hashes)
    this.keyEnds = grown(this.keyEnds)
    const state = new Float64Array(capacity * this.stride)
    state.set(this.state)
    this.state = state
    const dirty = new Uint8Array(capacity)
    dirty.set(this.dirty)
    this.dirty = dirty
    const unsaved = new Uint8Array(Math.ceil(capacity / PAGE_SLOTS))
    unsaved.set(this.unsavedPages)
    this.unsavedPages = unsaved
    const table = new Int32Array(capacity * 2)
    const mask = table.length - 1
    for (let slot = 0; slot < this.count; slot++) {
      let at = this.hashes[slot]! & mask
      while (table[at] !== 0) at = (at + 1) & mask
      table[at] = slot + 1
    }
    this.#table = table
    this.#mask = mask
  }
}

/** Slots whose state is stored together in a checkpoint: one value of about 2.6 KB. */
export const PAGE_SLOTS = 64

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}

/** A 32-bit hash of bytes, well mixed in its low bits: FNV-1a with a final avalanche. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5 | 0
  for (let at = start; at < end; at++) h = Math.imul(h ^ bytes[at]!, 0x01000193)
  h ^= h >>> 15
  h = Math.imul(h, 0x2c1b3c6d)
  return h ^ (h >>> 13)
}
