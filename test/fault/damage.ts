import type { Random } from '../../src/base/random.ts'
import { framesOf } from './journal-frames.ts'

/** What happens to one file of a directory. */
export interface Damage {
  readonly path: string
  readonly kind: 'truncate' | 'flip' | 'zero' | 'swap' | 'delete' | 'append' | 'replace'
  /** In words, with every number needed to do it again. */
  readonly detail: string
  /** First byte that differs, and the end of what differs; of a file that became shorter: its old length. */
  readonly from: number
  readonly to: number
  /** Null: the file is gone. */
  readonly bytes: Uint8Array | null
}

/** Bytes from the last one that is not zero on: what was written ahead. */
export function usedLength(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return end
}

/** Damage that a seed chooses; null if it would change nothing. */
export function randomDamage(
  files: ReadonlyMap<string, Uint8Array>,
  path: string,
  random: Random,
): Damage | null {
  const bytes = files.get(path)!
  const used = usedLength(bytes)
  const choice = random.below(20)
  if (choice === 0) return damaged(path, 'delete', 'deleted', bytes, null)
  if (choice === 1) {
    const more = Uint8Array.from({ length: 1 + random.below(9000) }, () => random.below(256))
    const grown = new Uint8Array(bytes.length + more.length)
    grown.set(bytes)
    grown.set(more, bytes.length)
    return damaged(path, 'append', `${more.length} bytes of noise behind it`, bytes, grown)
  }
  // Whole batches of another topic look like the topic's own.
  if (choice === 2) {
    if (path.endsWith('.log') && path.startsWith('topics')) return null
    const others = [...files.keys()].filter((other) => other !== path && kindOf(other) === kindOf(path))
    if (others.length === 0) return null
    const other = others[random.below(others.length)]!
    return damaged(path, 'replace', `replaced by ${other}`, bytes, files.get(other)!.slice())
  }
  if (used === 0) return null
  const copy = bytes.slice()
  if (choice < 6) {
    // Mostly near the end of what was written, or at any place.
    const at = random.below(3) === 0 ? random.below(used) : Math.max(0, used - 1 - random.below(300))
    return damaged(path, 'truncate', `truncated to ${at} bytes`, bytes, copy.slice(0, at))
  }
  if (choice < 14) {
    const at = random.below(used)
    const bit = random.below(8)
    copy[at]! ^= 1 << bit
    return damaged(path, 'flip', `bit ${bit} of byte ${at} flipped`, bytes, copy)
  }
  const size = [64, 512, 4096][random.below(3)]!
  const blocks = Math.ceil(used / size)
  const at = random.below(blocks) * size
  if (choice < 17) {
    copy.fill(0, at, Math.min(at + size, copy.length))
    return damaged(path, 'zero', `${size} bytes from ${at} on zeroed`, bytes, copy)
  }
  const other = random.below(blocks) * size
  const length = Math.min(size, copy.length - Math.max(at, other))
  copy.set(bytes.subarray(other, other + length), at)
  copy.set(bytes.subarray(at, at + length), other)
  return damaged(path, 'swap', `${length} bytes from ${at} and from ${other} on swapped`, bytes, copy)
}

export function truncated(path: string, bytes: Uint8Array, length: number): Damage | null {
  return damaged(path, 'truncate', `truncated to ${length} bytes`, bytes, bytes.slice(0, length))
}

function damaged(
  path: string,
  kind: Damage['kind'],
  detail: string,
  before: Uint8Array,
  after: Uint8Array | null,
): Damage | null {
  if (after === null) return { path, kind, detail, from: 0, to: before.length, bytes: null }
  const common = Math.min(before.length, after.length)
  let from = 0
  while (from < common && before[from] === after[from]) from++
  if (from === before.length && from === after.length) return null
  let to = Math.max(before.length, after.length)
  if (before.length === after.length) while (before[to - 1] === after[to - 1]) to--
  return { path, kind, detail, from, to, bytes: after }
}

/** Files of one kind may be taken for each other: numbers and ids count for nothing, but for a cleaned segment's. */
export function kindOf(path: string): string {
  const isCleaned = /\.\d+\.[a-z]+$/.test(path)
  const name = /(?:LOCK|LOG|CURRENT|MANIFEST)?[-\d]*(?:\.[a-z]+)?$/.exec(path)![0].replaceAll(/[-\d]+/g, '')
  return `${/^[a-z]+/.exec(path)![0]} ${isCleaned ? 'cleaned' : ''}${name}`
}

/**
 * Where the last unit of a file begins that is written at once: the last record batch, frame, entries of an
 * index, block; it ends at {@link usedLength}. Of what is longer than `bytesMax` only so much.
 */
export function tailStart(path: string, bytes: Uint8Array, bytesMax = 400): number {
  const end = usedLength(bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let start = end - (path.startsWith('state/') ? Math.min(bytesMax, 250) : bytesMax)
  if (path.startsWith('topics/') && path.endsWith('.log')) {
    let last = 0
    for (let at = 0; at + 12 <= end; at += 12 + view.getInt32(at + 8)) last = at
    start = Math.max(start, last)
  } else if (path.startsWith('journal')) {
    const frames = framesOf(path, bytes)
    start = Math.max(start, frames.at(-1)?.from ?? 0)
  } else if (path.endsWith('index') || path.endsWith('indexsum')) {
    start = Math.max(start, end - 24)
  } else if (/\/LOG/.test(path)) {
    // Text for people.
    start = Math.max(start, end - 40)
  }
  return Math.max(0, start)
}
