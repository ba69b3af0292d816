import { crc32c } from '@node-rs/crc32'
import { assert } from '../../base/assert.ts'
import { Expiry } from '../../state/buckets.ts'
import type { ChangelogWriter } from '../../state/changelog.ts'
import { decodeWhole, encodeWhole, escapeBinary } from '../../state/key-codec.ts'
import type { CheckpointedStore, ManagedStore, PageDigest, StoreContext } from '../../state/managed-store.ts'
import { damaged, type PageWrite } from '../../state/page-table.ts'
import type { StoreKey } from '../../state/store.ts'
import type { ReadRange } from '../operator.ts'
import { hashBytes, PAGE_SLOTS, Slab } from './slab.ts'

/** A group as it was committed. */
export interface CommittedGroup {
  readonly startMs: number
  readonly key: StoreKey
  readonly state: Float64Array
  readonly timeMs: number
}

/*
 * Changelog: key = window start (8 bytes in order), group key; value = the slot's doubles, little-endian.
 *
 * Checkpoint page: 64 consecutive slots of a slab.
 *   u32   CRC-32C of the page's key in storage and of all that follows, little-endian
 *   u32   number of slots
 *   per slot: u32 length of the key, key, doubles
 * Its key: the store's prefix, window start, number of the page; both 8 bytes in order.
 */

const SUM_MODULUS = 2 ** 52
const SPARE_MAX = 2

/**
 * The slabs of one operator as a store: what a cycle changed goes to the changelog straight from the
 * slabs' arrays, and checkpoints write the pages of slots changed since the last one. All slabs that have
 * not expired are in memory.
 */
export class SlabStore implements ManagedStore, CheckpointedStore {
  readonly name: string
  readonly fingerprint: string
  readonly expiresBy = 'start'
  readonly restoreCost = 0.25
  readonly #initial: readonly number[]
  readonly prefix: string
  readonly #byStart = new Map<number, Slab>()
  /** Ascending by start. */
  #ordered: Slab[] = []
  /** Expired slabs, for windows to come. */
  readonly #spare: Slab[] = []
  readonly #expiry = new Expiry()
  /** Per slab the checksum of each stored page. */
  readonly #checksums = new Map<Slab, number[]>()
  #unsaved = 0
  #clearedBelowMs = -Infinity
  #key = new Uint8Array(64)

  constructor(name: string, initial: readonly number[], fingerprint: string, context: StoreContext) {
    this.name = name
    this.fingerprint = `slabs1 ${fingerprint}`
    this.#initial = initial
    this.prefix = context.prefix + escapeBinary(name)
  }

  get checkpoint(): CheckpointedStore {
    return this
  }

  /** The slab of a window, made if there is none. The window has not expired. */
  slabAt(startMs: number): Slab {
    let slab = this.#byStart.get(startMs)
    if (slab === undefined) {
      slab = this.#spare.pop()
      if (slab === undefined) slab = new Slab(startMs, this.#initial)
      else slab.reuse(startMs)
      this.#byStart.set(startMs, slab)
      let at = this.#ordered.length
      while (at > 0 && this.#ordered[at - 1]!.startMs > startMs) at--
      this.#ordered.splice(at, 0, slab)
    }
    return slab
  }

  /** All slabs, ascending by start. */
  slabs(): readonly Slab[] {
    return this.#ordered
  }

  /** Windows that start before `belowMs` are gone once the cycle commits. Called at its end. */
  expire(belowMs: number): void {
    if (this.#ordered.length === 0 || this.#ordered[0]!.startMs >= belowMs) return
    this.#expiry.advance(belowMs)
  }

  /** Committed groups in a range, ordered by key, then window. */
  *committedGroups(range: ReadRange): Iterable<CommittedGroup> {
    const found: CommittedGroup[] = []
    for (const slab of this.#ordered) {
      if (slab.startMs < range.startFromMs || slab.startMs > range.startToMs) continue
      const committed = new CommittedVersions(slab)
      const take = (slot: number, key: StoreKey): void => {
        const state = committed.of(slot)
        const timeMs = state[slab.stride - 1]!
        if (timeMs >= 0) found.push({ startMs: slab.startMs, key, state: state.slice(), timeMs })
      }
      if (range.keys !== null) {
        for (const key of range.keys) {
          const bytes = Buffer.from(key, 'latin1')
          const slot = slab.find(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length))
          if (slot >= 0) take(slot, key)
        }
      } else {
        for (let slot = 0; slot < slab.count; slot++) {
          const key = Buffer.from(
            slab.keys.buffer,
            slab.keyStart(slot),
            slab.keyEnds[slot]! - slab.keyStart(slot),
          ).toString('latin1')
          if ((range.from === null || key >= range.from) && (range.to === null || key < range.to))
            take(slot, key)
        }
      }
    }
    found.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.startMs - b.startMs))
    yield* found
  }

  flush(into: ChangelogWriter): void {
    const expiredBelowMs = this.#expiry.flush()
    if (expiredBelowMs !== null) into.expired(expiredBelowMs)
    for (const slab of this.#ordered) {
      if (slab.dirtyCount === 0) continue
      this.#unsaved += slab.dirtyCount
      const valueBytes = new Uint8Array(slab.state.buffer)
      const rowBytes = slab.stride * 8
      putStart(this.#key, slab.startMs)
      for (let n = 0; n < slab.dirtyCount; n++) {
        const slot = slab.dirtySlots[n]!
        const from = slab.keyStart(slot)
        const length = slab.keyEnds[slot]! - from
        if (8 + length > this.#key.length) {
          this.#key = new Uint8Array((8 + length) * 2)
          putStart(this.#key, slab.startMs)
        }
        const key = this.#key
        const { keys } = slab
        for (let i = 0; i < length; i++) key[8 + i] = keys[from + i]!
        const at = slot * rowBytes
        into.raw(
          key,
          0,
          8 + length,
          valueBytes,
          at,
          at + rowBytes,
          slab.state[slot * slab.stride + slab.stride - 1]!,
        )
      }
      slab.flush()
    }
  }

  committed(): void {
    this.#expiry.committed()
    for (const slab of this.#ordered) slab.committed()
    // Not before: until the commit, readers and a checkpoint under way still count on them.
    this.#drop(this.#expiry.committedMs)
  }

  discard(): boolean {
    return true
  }

  restore(bytes: Uint8Array, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): void {
    const startMs = getStart(bytes, keyStart)
    if (startMs < this.#expiry.workingMs) return
    const slab = this.slabAt(startMs)
    assert(valueEnd - valueStart === slab.stride * 8, 'a slab’s entry has the size its fingerprint says')
    const from = keyStart + 8
    const slot = slab.slot(bytes, from, keyEnd, hashBytes(bytes, from, keyEnd))
    copyDoubles(bytes, valueStart, slab, slot)
    slab.unsavedPages[(slot / PAGE_SLOTS) | 0] = 1
    this.#unsaved++
  }

  restoreExpired(belowMs: number): void {
    this.#expiry.restore(belowMs)
    this.#drop(belowMs)
  }

  restored(): void {}

  reset(): void {
    this.#byStart.clear()
    this.#ordered = []
    this.#checksums.clear()
    this.#unsaved = 0
  }

  get unsavedCount(): number {
    return this.#unsaved
  }

  get expiredBelowMs(): number {
    return this.#expiry.committedMs
  }

  digest(): PageDigest {
    let pages = 0
    let sum = 0
    for (const checksums of this.#checksums.values()) {
      pages += checksums.length
      for (const checksum of checksums) sum = (sum + checksum) % SUM_MODULUS
    }
    return { pages, sum }
  }

  memoryBytes(): number {
    return [...this.#ordered, ...this.#spare].reduce((sum, slab) => sum + slab.memoryBytes, 0)
  }

  prepare(): undefined {
    return undefined
  }

  save(writes: PageWrite[]): void {
    this.#unsaved = 0
    for (const slab of this.#ordered) {
      const checksums = this.#checksumsOf(slab)
      const committed = new CommittedVersions(slab)
      const slots = slab.count - committed.added
      for (let page = 0; page * PAGE_SLOTS < slots; page++) {
        if (slab.unsavedPages[page] === 0) continue
        slab.unsavedPages[page] = 0
        const key = this.prefix + encodeWhole(slab.startMs) + encodeWhole(page)
        const value = encodePage(slab, page, slots, committed, key)
        checksums[page] = checksumOf(value)
        writes.push({ key, value })
      }
      // What the open cycle and the commit under way have changed is not in what was written.
      for (let n = 0; n < slab.dirtyCount; n++) slab.unsavedPages[(slab.dirtySlots[n]! / PAGE_SLOTS) | 0] = 1
      for (let n = 0; n < slab.flushedCount; n++)
        slab.unsavedPages[(slab.flushedSlots[n]! / PAGE_SLOTS) | 0] = 1
    }
  }

  open(key: string, value: Uint8Array): void {
    const startMs = decodeWhole(key.slice(this.prefix.length, this.prefix.length + 8))
    if (startMs < this.#expiry.workingMs) return
    const page = decodeWhole(key.slice(this.prefix.length + 8))
    const slab = this.slabAt(startMs)
    if (slab.count !== page * PAGE_SLOTS) throw damaged(key)
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
    const count = view.getUint32(4, true)
    let at = 8
    for (let n = 0; n < count; n++) {
      const length = view.getUint32(at, true)
      at += 4
      const slot = slab.slot(value, at, at + length, hashBytes(value, at, at + length))
      at += length
      copyDoubles(value, at, slab, slot)
      at += slab.stride * 8
    }
    if (at !== value.length) throw damaged(key)
    this.#checksumsOf(slab)[page] = checksumOf(value)
  }

  expiredRanges(): { readonly from: string; readonly to: string }[] {
    const belowMs = this.expiredBelowMs
    if (belowMs === this.#clearedBelowMs) return []
    const from = this.#clearedBelowMs === -Infinity ? '' : encodeWhole(this.#clearedBelowMs)
    this.#clearedBelowMs = belowMs
    return [{ from: this.prefix + from, to: this.prefix + encodeWhole(belowMs) }]
  }

  #checksumsOf(slab: Slab): number[] {
    let checksums = this.#checksums.get(slab)
    if (checksums === undefined) {
      checksums = []
      this.#checksums.set(slab, checksums)
    }
    return checksums
  }

  #drop(belowMs: number): void {
    let expired = 0
    while (expired < this.#ordered.length && this.#ordered[expired]!.startMs < belowMs) {
      const slab = this.#ordered[expired++]!
      this.#byStart.delete(slab.startMs)
      this.#checksums.delete(slab)
      if (this.#spare.length < SPARE_MAX) this.#spare.push(slab)
    }
    if (expired > 0) this.#ordered = this.#ordered.slice(expired)
  }
}

/** The committed doubles of a slab's slots: from before the open cycle, and before the commit under way. */
class CommittedVersions {
  /** How many slots are not committed yet: the last ones. */
  readonly added: number
  readonly #slab: Slab
  readonly #dirtyAt = new Map<number, number>()
  readonly #flushedAt = new Map<number, number>()

  constructor(slab: Slab) {
    this.#slab = slab
    const { stride } = slab
    let added = 0
    for (let n = 0; n < slab.dirtyCount; n++) {
      this.#dirtyAt.set(slab.dirtySlots[n]!, n * stride)
      if (slab.before[n * stride + stride - 1]! < 0) added++
    }
    for (let n = 0; n < slab.flushedCount; n++) {
      this.#flushedAt.set(slab.flushedSlots[n]!, n * stride)
      if (slab.flushedBefore[n * stride + stride - 1]! < 0) added++
    }
    this.added = added
  }

  of(slot: number): Float64Array {
    const { stride, state, before, flushedBefore } = this.#slab
    const flushed = this.#flushedAt.get(slot)
    if (flushed !== undefined) return flushedBefore.subarray(flushed, flushed + stride)
    const dirty = this.#dirtyAt.get(slot)
    if (dirty !== undefined) return before.subarray(dirty, dirty + stride)
    return state.subarray(slot * stride, (slot + 1) * stride)
  }
}

/** @param slots  how many slots of the slab are committed */
function encodePage(
  slab: Slab,
  page: number,
  slots: number,
  committed: CommittedVersions,
  key: string,
): Uint8Array {
  const from = page * PAGE_SLOTS
  const to = Math.min(slots, from + PAGE_SLOTS)
  const { stride } = slab
  const rowBytes = stride * 8
  const value = new Uint8Array(8 + (to - from) * (4 + rowBytes) + slab.keyEnds[to - 1]! - slab.keyStart(from))
  const view = new DataView(value.buffer)
  view.setUint32(4, to - from, true)
  let at = 8
  for (let slot = from; slot < to; slot++) {
    const keyStart = slab.keyStart(slot)
    const keyEnd = slab.keyEnds[slot]!
    view.setUint32(at, keyEnd - keyStart, true)
    at += 4
    for (let k = keyStart; k < keyEnd; k++) value[at++] = slab.keys[k]!
    const doubles = committed.of(slot)
    value.set(new Uint8Array(doubles.buffer, doubles.byteOffset, rowBytes), at)
    at += rowBytes
  }
  view.setUint32(0, crc32c(value.subarray(4), crc32c(Buffer.from(key, 'latin1'))), true)
  return value
}

function checksumOf(page: Uint8Array): number {
  return (page[0]! | (page[1]! << 8) | (page[2]! << 16) | (page[3]! << 24)) >>> 0
}

function copyDoubles(bytes: Uint8Array, from: number, slab: Slab, slot: number): void {
  const rowBytes = slab.stride * 8
  new Uint8Array(slab.state.buffer, slot * rowBytes, rowBytes).set(bytes.subarray(from, from + rowBytes))
}

/** The window's start in the order-preserving form of {@link encodeWhole}. */
function putStart(into: Uint8Array, startMs: number): void {
  const text = encodeWhole(startMs)
  for (let i = 0; i < 8; i++) into[i] = text.charCodeAt(i)
}

function getStart(bytes: Uint8Array, at: number): number {
  let text = ''
  for (let i = 0; i < 8; i++) text += String.fromCharCode(bytes[at + i]!)
  return decodeWhole(text)
}
