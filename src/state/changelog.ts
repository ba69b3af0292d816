import { RecordBatchWriter } from '../log/record-batch.ts'
import { CodecBuffer, writeBinary, writeDouble } from './codec-bytes.ts'
import { encodeWhole } from './key-codec.ts'
import type { StoreKey, ValueCodec } from './store.ts'

/*
 * Changelog of a store: one topic, a record per changed entry and cycle; a null value removes the entry.
 *
 *   key     01, then: key-value stores: the key
 *                     windows: start (8 bytes in order), key
 *                     sessions: start, end, key
 *   key     00 'f'    value: the store's fingerprint, UTF-8; written once, before anything else
 *   key     00 'e'    value: f64, entries with an earlier time (start; of sessions: end) are gone
 */
const ENTRY = 1
const FINGERPRINT = Uint8Array.of(0, 0x66)
const EXPIRED = Uint8Array.of(0, 0x65)

/** What kind of record a changelog key stands for, and where the entry's own key starts. */
export function changelogKind(
  bytes: Uint8Array,
  start: number,
  end: number,
): 'entry' | 'fingerprint' | 'expired' | 'unknown' {
  if (end > start && bytes[start] === ENTRY) return 'entry'
  if (end - start === 2 && bytes[start] === 0) {
    if (bytes[start + 1] === FINGERPRINT[1]) return 'fingerprint'
    if (bytes[start + 1] === EXPIRED[1]) return 'expired'
  }
  return 'unknown'
}

/** Whether a changelog key, at [start, end) of `bytes`, is that of an entry that has expired below `belowMs`. */
export function expiredKeys(
  belowMs: number,
  by: 'start' | 'end',
): (bytes: Uint8Array, start: number, end: number) => boolean {
  const bound = Buffer.from(encodeWhole(belowMs), 'latin1')
  const timeAt = by === 'start' ? 1 : 9
  return (bytes, start, end) => {
    if (bytes[start] !== ENTRY || end - start < timeAt + 8) return false
    for (let i = 0; i < 8; i++) {
      const difference = bytes[start + timeAt + i]! - bound[i]!
      if (difference !== 0) return difference < 0
    }
    return false
  }
}

/** Collects the changelog records of one store and cycle. */
export class ChangelogWriter {
  readonly #batches = new RecordBatchWriter({ arrays: 2 })
  readonly #key = new CodecBuffer(256)
  readonly #value = new CodecBuffer()
  /** Timestamp of records that have no time of their own, epoch ms. */
  nowMs = 0
  /** As of the last {@link expired}; null: nothing was. Whoever takes it sets it back. */
  expiredBelowMs: number | null = null

  get recordCount(): number {
    return this.#batches.recordCount
  }

  /** Record batches as one array of its own; the writer is empty afterwards. */
  finish(): Uint8Array {
    return this.#batches.finish()
  }

  clear(): void {
    this.#batches.clear()
  }

  fingerprint(fingerprint: string): void {
    const value = Buffer.from(fingerprint, 'utf8')
    this.#batches.append(this.nowMs, FINGERPRINT, 0, FINGERPRINT.length, value, 0, value.length)
  }

  expired(belowMs: number): void {
    this.expiredBelowMs = belowMs
    const value = this.#value
    value.clear()
    writeDouble(value, belowMs)
    this.#batches.append(this.nowMs, EXPIRED, 0, EXPIRED.length, value.bytes, 0, value.length)
  }

  /** An entry of a key-value store (no times), window store (one) or session store (two). undefined: removed. */
  entry<V>(
    timestampMs: number,
    startMs: number | null,
    endMs: number | null,
    key: StoreKey,
    value: V | undefined,
    codec: ValueCodec<V>,
  ): void {
    const k = this.#key
    k.clear()
    k.bytes[k.length++] = ENTRY
    if (startMs !== null) writeBinary(k, encodeWhole(startMs))
    if (endMs !== null) writeBinary(k, encodeWhole(endMs))
    writeBinary(k, key)
    if (value === undefined) {
      this.#batches.append(timestampMs, k.bytes, 0, k.length, null, 0, 0)
      return
    }
    const v = this.#value
    v.clear()
    codec.encode(value, v)
    this.#batches.append(timestampMs, k.bytes, 0, k.length, v.bytes, 0, v.length)
  }

  /** An entry of a store that encodes by itself. */
  raw(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    timestampMs: number,
  ): void {
    const k = this.#key
    k.clear()
    k.reserve(1 + keyEnd - keyStart)
    const { bytes } = k
    let to = 0
    bytes[to++] = ENTRY
    for (let at = keyStart; at < keyEnd; at++) bytes[to++] = key[at]!
    this.#batches.append(timestampMs, bytes, 0, to, value, valueStart, valueEnd)
  }
}
