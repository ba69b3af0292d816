import { assert } from '../../base/assert.ts'

/** Slots of a frame: the groups of one page, in memory. */
export const FRAME_SLOTS = 256
const SLOT_MASK = FRAME_SLOTS - 1
/** Slots per chunk: a slot's chunk is `place >> CHUNK_SHIFT`, its index there `place & CHUNK_MASK`. */
export const CHUNK_SHIFT = 12
export const CHUNK_SLOTS = 1 << CHUNK_SHIFT
export const CHUNK_MASK = CHUNK_SLOTS - 1
const CHUNK_FRAMES = CHUNK_SLOTS / FRAME_SLOTS

/** Bytes of a key that lie in its slot, at first and at most. Longer keys lie beside the frames. */
const KEY_BYTES_FIRST = 16
const KEY_BYTES_MAX = 64
/** A key's length in `lengths` when it lies beside the frames. */
const LONG = 255

/** Some frames, as arrays by slot. Open to the loops over them; only {@link GroupFrames} makes and widens them. */
export class Chunk {
  /** Hash of the slot's key; 0: the slot is free. */
  readonly hashes = new Int32Array(CHUNK_SLOTS)
  readonly lengths = new Uint8Array(CHUNK_SLOTS)
  keys: Uint8Array
  /** `stride` doubles per slot: those of the aggregates, then the highest event time of the group's rows (−1: none yet). */
  readonly state: Float64Array
  readonly stateBytes: Uint8Array
  /** Changed in the open cycle: 1 + its place in the list of changes; 0: not. */
  dirty = new Int32Array(CHUNK_SLOTS)
  /** The same of the cycle whose commit is under way. */
  flushed = new Int32Array(CHUNK_SLOTS)

  constructor(stride: number, keyBytes: number) {
    this.state = new Float64Array(CHUNK_SLOTS * stride)
    this.stateBytes = new Uint8Array(this.state.buffer)
    this.keys = new Uint8Array(CHUNK_SLOTS * keyBytes)
  }
}

/** What a cycle changed, back to back: slots lie all over the frames, and each is visited once. */
export interface GatheredChanges {
  readonly count: number
  /** Key n lies at [keyEnds[n − 1], keyEnds[n]). */
  readonly keys: Uint8Array
  readonly keyEnds: Int32Array
  /** `stride` doubles each. */
  readonly state: Float64Array
}

/** Slots changed in a cycle, in order of their first change, and their doubles before it. */
export class Changes {
  places = new Int32Array(1024)
  before: Float64Array
  beforeBytes: Uint8Array
  count = 0
  readonly #stride: number

  constructor(stride: number) {
    this.#stride = stride
    this.before = new Float64Array(1024 * stride)
    this.beforeBytes = new Uint8Array(this.before.buffer)
  }

  add(place: number, state: Float64Array, at: number): number {
    if (this.count === this.places.length) {
      const places = new Int32Array(this.count * 2)
      places.set(this.places)
      this.places = places
      const before = new Float64Array(this.before.length * 2)
      before.set(this.before)
      this.before = before
      this.beforeBytes = new Uint8Array(before.buffer)
    }
    const stride = this.#stride
    const to = this.count * stride
    for (let i = 0; i < stride; i++) this.before[to + i] = state[at + i]!
    this.places[this.count] = place
    return ++this.count
  }

  get memoryBytes(): number {
    return this.places.byteLength + this.before.byteLength
  }
}

/**
 * Memory for the groups of an un-windowed aggregate: frames of {@link FRAME_SLOTS} slots of fixed size, each
 * frame an open hash table by the low bits of the keys' hashes. A slot's number, its place, says frame and
 * index. Which group belongs to which frame is {@link GroupPages}' business.
 *
 * A slot changed in the open cycle, or in the one whose commit is under way, has its earlier doubles in
 * {@link changes} or {@link flushedChanges}.
 */
export class GroupFrames {
  readonly stride: number
  readonly chunks: Chunk[] = []
  changes: Changes
  flushedChanges: Changes
  readonly #initial: readonly number[]
  #keyBytes = KEY_BYTES_FIRST
  /** Bytes of keys too long for their slot, by place. */
  readonly #long = new Map<number, Uint8Array>()
  #longBytes = 0
  /** Of the open cycle, at its end. */
  #gathered: GatheredChanges | null = null
  #free: number[] = []
  #made = 0

  /** @param initial  doubles of the aggregates in a new group */
  constructor(initial: readonly number[]) {
    this.stride = initial.length + 1
    this.#initial = [...initial, -1]
    this.changes = new Changes(this.stride)
    this.flushedChanges = new Changes(this.stride)
  }

  /** An empty frame. */
  take(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#made % CHUNK_FRAMES === 0) this.chunks.push(new Chunk(this.stride, this.#keyBytes))
    return this.#made++
  }

  /** Gives a frame back. None of its slots is changed in a cycle that isn't committed, unless they were moved. */
  release(frame: number): void {
    const first = frame * FRAME_SLOTS
    const chunk = this.chunks[first >> CHUNK_SHIFT]!
    const from = first & CHUNK_MASK
    for (let at = from; at < from + FRAME_SLOTS; at++) {
      if (chunk.lengths[at] === LONG && chunk.hashes[at] !== 0) this.#forgetLong(first + at - from)
    }
    chunk.hashes.fill(0, from, from + FRAME_SLOTS)
    this.#free.push(frame)
  }

  /** The place of a key in a frame, or −1. @param hash not 0 */
  find(frame: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    const first = frame * FRAME_SLOTS
    const chunk = this.chunks[first >> CHUNK_SHIFT]!
    const from = first & CHUNK_MASK
    const { hashes } = chunk
    for (let i = hash & SLOT_MASK; ; i = (i + 1) & SLOT_MASK) {
      const found = hashes[from + i]!
      if (found === hash && this.#isKey(chunk, from + i, first + i, bytes, start, end)) return first + i
      if (found === 0) return -1
    }
  }

  /** Adds a key that is not there, with the initial state; the frame has a free slot beside it. */
  add(frame: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    const place = this.#freePlace(frame, hash)
    const length = end - start
    if (length > this.#keyBytes && length <= KEY_BYTES_MAX) this.#widen(length)
    const chunk = this.chunks[place >> CHUNK_SHIFT]!
    const at = place & CHUNK_MASK
    chunk.hashes[at] = hash
    if (length > this.#keyBytes) {
      chunk.lengths[at] = LONG
      // A copy even where they are a Buffer, whose slice() is a view.
      this.#long.set(place, new Uint8Array(bytes.subarray(start, end)))
      this.#longBytes += length
    } else {
      chunk.lengths[at] = length
      const { keys } = chunk
      for (let from = start, to = at * this.#keyBytes; from < end; from++, to++) keys[to] = bytes[from]!
    }
    const initial = this.#initial
    const base = at * this.stride
    for (let i = 0; i < initial.length; i++) chunk.state[base + i] = initial[i]!
    return place
  }

  /** Moves a slot to another frame, with everything known of it. */
  move(place: number, frame: number): void {
    const chunk = this.chunks[place >> CHUNK_SHIFT]!
    const at = place & CHUNK_MASK
    const hash = chunk.hashes[at]!
    const toPlace = this.#freePlace(frame, hash)
    const toChunk = this.chunks[toPlace >> CHUNK_SHIFT]!
    const to = toPlace & CHUNK_MASK
    toChunk.hashes[to] = hash
    toChunk.lengths[to] = chunk.lengths[at]!
    const long = this.#long.get(place)
    if (chunk.lengths[at] === LONG && long !== undefined) {
      this.#long.delete(place)
      this.#long.set(toPlace, long)
    } else {
      const width = this.#keyBytes
      for (let i = 0; i < width; i++) toChunk.keys[to * width + i] = chunk.keys[at * width + i]!
    }
    const { stride } = this
    for (let i = 0; i < stride; i++) toChunk.state[to * stride + i] = chunk.state[at * stride + i]!
    const dirty = chunk.dirty[at]!
    if (dirty !== 0) {
      this.changes.places[dirty - 1] = toPlace
      toChunk.dirty[to] = dirty
      chunk.dirty[at] = 0
    }
    const flushed = chunk.flushed[at]!
    if (flushed !== 0) {
      this.flushedChanges.places[flushed - 1] = toPlace
      toChunk.flushed[to] = flushed
      chunk.flushed[at] = 0
    }
    chunk.hashes[at] = 0
  }

  /** Keeps a slot's doubles as they were before the open cycle. To be called before its first change in the cycle. */
  markDirty(place: number): void {
    const chunk = this.chunks[place >> CHUNK_SHIFT]!
    const at = place & CHUNK_MASK
    chunk.dirty[at] = this.changes.add(place, chunk.state, at * this.stride)
  }

  /** The open cycle goes into a commit, and the next one begins. The commit before it is decided. */
  flush(): void {
    assert(this.flushedChanges.count === 0, 'frames are flushed after the commit before it is decided')
    this.#gathered = null
    const { changes } = this
    this.changes = this.flushedChanges
    this.flushedChanges = changes
    for (const chunk of this.chunks) {
      const { dirty } = chunk
      chunk.dirty = chunk.flushed
      chunk.flushed = dirty
    }
  }

  /** The flushed cycle is committed. */
  committed(): void {
    const { places, count } = this.flushedChanges
    for (let n = 0; n < count; n++)
      this.chunks[places[n]! >> CHUNK_SHIFT]!.flushed[places[n]! & CHUNK_MASK] = 0
    this.flushedChanges.count = 0
  }

  /**
   * Copies the committed doubles of a slot to `to` of `into`. False, and nothing is copied, where its group isn't
   * committed yet.
   */
  copyCommitted(place: number, into: Uint8Array, to: number): boolean {
    const chunk = this.chunks[place >> CHUNK_SHIFT]!
    const at = place & CHUNK_MASK
    const { stride } = this
    let state: Float64Array = chunk.state
    let bytes = chunk.stateBytes
    let slot = at
    // What the commit under way has changed was committed before what the open cycle has.
    const flushed = chunk.flushed[at]!
    const dirty = chunk.dirty[at]!
    if (flushed !== 0 || dirty !== 0) {
      const changes = flushed !== 0 ? this.flushedChanges : this.changes
      state = changes.before
      bytes = changes.beforeBytes
      slot = (flushed !== 0 ? flushed : dirty) - 1
    }
    if (state[(slot + 1) * stride - 1]! < 0) return false
    const rowBytes = stride * 8
    const from = slot * rowBytes
    for (let i = 0; i < rowBytes; i++) into[to + i] = bytes[from + i]!
    return true
  }

  /** Slots are about to change: what was gathered before is outdated. */
  touch(): void {
    this.#gathered = null
  }

  /** Keys and doubles of the slots changed in the open cycle, in order of their first change. */
  gather(): GatheredChanges {
    if (this.#gathered !== null) return this.#gathered
    const { count, places } = this.changes
    const { stride } = this
    const state = new Float64Array(count * stride)
    const keyEnds = new Int32Array(count)
    let keys = new Uint8Array(count * this.#keyBytes)
    let length = 0
    for (let n = 0; n < count; n++) {
      const place = places[n]!
      const keyLength = this.keyLength(place)
      if (length + keyLength > keys.length) {
        const larger = new Uint8Array(2 * (length + keyLength))
        larger.set(keys)
        keys = larger
      }
      length = this.copyKey(place, keys, length)
      keyEnds[n] = length
      const chunk = this.chunks[place >> CHUNK_SHIFT]!
      const from = (place & CHUNK_MASK) * stride
      for (let i = 0, to = n * stride; i < stride; i++) state[to + i] = chunk.state[from + i]!
    }
    this.#gathered = { count, keys, keyEnds, state }
    return this.#gathered
  }

  /** Takes over a slot's doubles from `from` of `bytes`. */
  setState(place: number, bytes: Uint8Array, from: number): void {
    const { stateBytes } = this.chunks[place >> CHUNK_SHIFT]!
    const rowBytes = this.stride * 8
    const to = (place & CHUNK_MASK) * rowBytes
    for (let i = 0; i < rowBytes; i++) stateBytes[to + i] = bytes[from + i]!
  }

  isUncommitted(place: number): boolean {
    const chunk = this.chunks[place >> CHUNK_SHIFT]!
    const at = place & CHUNK_MASK
    return chunk.dirty[at] !== 0 || chunk.flushed[at] !== 0
  }

  keyLength(place: number): number {
    const length = this.chunks[place >> CHUNK_SHIFT]!.lengths[place & CHUNK_MASK]!
    return length === LONG ? this.#long.get(place)!.length : length
  }

  /** Copies a slot's key to `to` of `into`; returns where it ends there. */
  copyKey(place: number, into: Uint8Array, to: number): number {
    const chunk = this.chunks[place >> CHUNK_SHIFT]!
    const at = place & CHUNK_MASK
    const length = chunk.lengths[at]!
    if (length === LONG) {
      const long = this.#long.get(place)!
      into.set(long, to)
      return to + long.length
    }
    const { keys } = chunk
    const from = at * this.#keyBytes
    for (let i = 0; i < length; i++) into[to + i] = keys[from + i]!
    return to + length
  }

  /** Memory of frames in use and of what belongs to them, in bytes. */
  get memoryBytes(): number {
    const slotBytes = 4 + 1 + this.#keyBytes + this.stride * 8 + 8
    return (
      (this.#made - this.#free.length) * FRAME_SLOTS * slotBytes +
      this.#longBytes +
      this.changes.memoryBytes +
      this.flushedChanges.memoryBytes
    )
  }

  #freePlace(frame: number, hash: number): number {
    const first = frame * FRAME_SLOTS
    const { hashes } = this.chunks[first >> CHUNK_SHIFT]!
    const from = first & CHUNK_MASK
    let i = hash & SLOT_MASK
    while (hashes[from + i] !== 0) i = (i + 1) & SLOT_MASK
    return first + i
  }

  #isKey(chunk: Chunk, at: number, place: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start
    if (chunk.lengths[at] === LONG) {
      const long = this.#long.get(place)!
      return long.length === length && long.every((byte, i) => byte === bytes[start + i])
    }
    if (chunk.lengths[at] !== length) return false
    const { keys } = chunk
    let from = at * this.#keyBytes
    for (let k = start; k < end; k++) if (keys[from++] !== bytes[k]) return false
    return true
  }

  #widen(length: number): void {
    const before = this.#keyBytes
    const width = Math.min(KEY_BYTES_MAX, (length + 7) & ~7)
    this.#keyBytes = width
    for (const chunk of this.chunks) {
      const keys = new Uint8Array(CHUNK_SLOTS * width)
      for (let at = 0; at < CHUNK_SLOTS; at++) {
        if (chunk.hashes[at] === 0 || chunk.lengths[at] === LONG) continue
        keys.set(chunk.keys.subarray(at * before, at * before + chunk.lengths[at]!), at * width)
      }
      chunk.keys = keys
    }
  }

  #forgetLong(place: number): void {
    this.#longBytes -= this.#long.get(place)?.length ?? 0
    this.#long.delete(place)
  }
}
