import type { StoreKey } from './store.ts'

const BLOCK_KEYS_MAX = 512

/**
 * A set of keys in ascending order: sorted blocks under a sorted directory. A new key costs two binary
 * searches and a short move, about 1 µs at a million keys, so a store builds it on its first scan.
 */
export class OrderedKeys {
  /** Not empty; each block sorted and, but for a first one, not empty. */
  #blocks: StoreKey[][]

  constructor(keys: Iterable<StoreKey>) {
    const sorted = [...keys].sort(compare)
    this.#blocks = []
    for (let at = 0; at < sorted.length; at += BLOCK_KEYS_MAX / 2) {
      this.#blocks.push(sorted.slice(at, at + BLOCK_KEYS_MAX / 2))
    }
    if (this.#blocks.length === 0) this.#blocks.push([])
  }

  /** Adding a key that is there changes nothing. */
  add(key: StoreKey): void {
    const b = this.#blockOf(key)
    const block = this.#blocks[b]!
    const at = lowerBound(block, key)
    if (block[at] === key) return
    block.splice(at, 0, key)
    if (block.length > BLOCK_KEYS_MAX) this.#blocks.splice(b + 1, 0, block.splice(BLOCK_KEYS_MAX / 2))
  }

  delete(key: StoreKey): void {
    const b = this.#blockOf(key)
    const block = this.#blocks[b]!
    const at = lowerBound(block, key)
    if (block[at] !== key) return
    block.splice(at, 1)
    if (block.length === 0 && this.#blocks.length > 1) this.#blocks.splice(b, 1)
  }

  /** The keys in [from, to); null is an open end. The set must not change while iterating. */
  *range(from: StoreKey | null, to: StoreKey | null): Iterable<StoreKey> {
    let b = from === null ? 0 : this.#blockOf(from)
    let at = from === null ? 0 : lowerBound(this.#blocks[b]!, from)
    for (; b < this.#blocks.length; b++, at = 0) {
      const block = this.#blocks[b]!
      for (; at < block.length; at++) {
        const key = block[at]!
        if (to !== null && key >= to) return
        yield key
      }
    }
  }

  /** The last block that starts at or before `key`, or the first. */
  #blockOf(key: StoreKey): number {
    let low = 0
    let high = this.#blocks.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (this.#blocks[middle]![0]! <= key) low = middle
      else high = middle
    }
    return low
  }
}

function lowerBound(block: readonly StoreKey[], key: StoreKey): number {
  let low = 0
  let high = block.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (block[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

function compare(a: StoreKey, b: StoreKey): number {
  return a < b ? -1 : a > b ? 1 : 0
}
