/**
 * The highest offset seen per key, keys compared byte by byte. For the cleaner: one pass of it fills a table,
 * asks it, and drops it.
 *
 * Open addressing over one array of key bytes: about 30 bytes per key besides the key itself.
 */
export class KeyOffsets {
  readonly #bytesMax: number
  #keys = new Uint8Array(64 * 1024)
  #keysEnd = 0
  /** Per key: where it starts in `#keys`, and its hash. */
  #starts = new Int32Array(1025)
  #hashes = new Int32Array(1024)
  #offsets = new Float64Array(1024)
  #count = 0
  /** Number of a key plus one; 0: empty. */
  #slots = new Int32Array(2048)

  /** @param bytesMax how much memory the table may take, about */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get count(): number {
    return this.#count
  }

  /** Whether keys should go to another table. */
  get full(): boolean {
    return this.#keysEnd + this.#count * 30 >= this.#bytesMax
  }

  /** Takes note of the key at [start, end) of `bytes`; offsets ascend from call to call. */
  set(bytes: Uint8Array, start: number, end: number, offset: number): void {
    const hash = hashOf(bytes, start, end)
    const slot = this.#slot(hash, bytes, start, end)
    const known = this.#slots[slot]!
    if (known > 0) {
      this.#offsets[known - 1] = offset
      return
    }
    const length = end - start
    if (this.#keysEnd + length > this.#keys.length) {
      const grown = new Uint8Array(Math.max(this.#keys.length * 2, this.#keysEnd + length))
      grown.set(this.#keys.subarray(0, this.#keysEnd))
      this.#keys = grown
    }
    for (let i = 0; i < length; i++) this.#keys[this.#keysEnd + i] = bytes[start + i]!
    this.#starts[this.#count] = this.#keysEnd
    this.#hashes[this.#count] = hash
    this.#offsets[this.#count] = offset
    this.#keysEnd += length
    this.#starts[++this.#count] = this.#keysEnd
    this.#slots[slot] = this.#count
    if (this.#count === this.#hashes.length) this.#grow()
  }

  /** Highest offset of the key at [start, end) of `bytes`, −1 if it is not in the table. */
  get(bytes: Uint8Array, start: number, end: number): number {
    const known = this.#slots[this.#slot(hashOf(bytes, start, end), bytes, start, end)]!
    return known === 0 ? -1 : this.#offsets[known - 1]!
  }

  /** Where the key is, or where it would go. */
  #slot(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1
    const length = end - start
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const known = this.#slots[slot]! - 1
      if (known < 0) return slot
      if (this.#hashes[known] !== hash) continue
      const at = this.#starts[known]!
      if (this.#starts[known + 1]! - at !== length) continue
      let i = 0
      while (i < length && this.#keys[at + i] === bytes[start + i]) i++
      if (i === length) return slot
    }
  }

  #grow(): void {
    const size = this.#hashes.length * 2
    const starts = new Int32Array(size + 1)
    const hashes = new Int32Array(size)
    const offsets = new Float64Array(size)
    starts.set(this.#starts)
    hashes.set(this.#hashes)
    offsets.set(this.#offsets)
    this.#starts = starts
    this.#hashes = hashes
    this.#offsets = offsets
    this.#slots = new Int32Array(size * 2)
    const mask = this.#slots.length - 1
    for (let i = 0; i < this.#count; i++) {
      const hash = hashes[i]!
      let slot = (hash ^ (hash >>> 15)) & mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
      this.#slots[slot] = i + 1
    }
  }
}

/** FNV-1a, 32 bits. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193)
  return h | 0
}
