import { StorageError } from '../base/errors.ts'
import { readI32, readI64, readU32, writeI32, writeI64 } from './record-batch.ts'
import type { StoredOffset, StoredSegment } from './stored.ts'

/**
 * One change of the log. A journal frame holds the entries of one atomic group, in order; applying them to
 * the state at the frame before gives the state after it.
 */
export type JournalEntry =
  | {
      readonly kind: 'create-topic'
      readonly id: string
      readonly name: string
      readonly partitions: number
      readonly config: Readonly<Record<string, string>>
    }
  | { readonly kind: 'delete-topic'; readonly id: string }
  /** `config` replaces all settings of the topic's own. */
  | { readonly kind: 'alter-topic'; readonly id: string; readonly config: Readonly<Record<string, string>> }
  /** `partitions` is the new total. */
  | { readonly kind: 'add-partitions'; readonly id: string; readonly partitions: number }
  | AppendEntry
  /** A new segment begins at the end of the partition. */
  | { readonly kind: 'roll'; readonly topicId: string; readonly partition: number; readonly atMs: number }
  | SwapEntry
  /** Records below `offset` are gone. `removed`: bases of the oldest segments, all below it, which go too. */
  | {
      readonly kind: 'log-start'
      readonly topicId: string
      readonly partition: number
      readonly offset: number
      readonly removed: readonly number[]
    }
  | { readonly kind: 'offsets'; readonly group: string; readonly offsets: readonly StoredOffset[] }
  | { readonly kind: 'delete-group'; readonly group: string }
  | {
      readonly kind: 'delete-offsets'
      readonly group: string
      readonly partitions: readonly Pick<StoredOffset, 'topicId' | 'partition'>[]
    }
  | { readonly kind: 'claim'; readonly name: string; readonly epoch: number }
  /** Producer ids below `next` are spent. */
  | { readonly kind: 'producer-ids'; readonly next: number }
  | {
      readonly kind: 'transactional-id'
      readonly transactionalId: string
      readonly producerId: number
      readonly epoch: number
      readonly timeoutMs: number
      /** Missing in older journals. */
      readonly atMs?: number
    }
  | { readonly kind: 'delete-transactional-id'; readonly transactionalId: string }
  /** Offsets of a group that count once the producer's open transaction commits. */
  | {
      readonly kind: 'pending-offsets'
      readonly producerId: number
      readonly group: string
      readonly offsets: readonly StoredOffset[]
      readonly atMs: number
    }
  /** Stands after the control batches of the transaction, in the same frame. */
  | { readonly kind: 'end-transaction'; readonly producerId: number; readonly committed: boolean }

/** Cleaned segments, whose files are durable, in the place of those they were made from. */
export interface SwapEntry {
  readonly kind: 'swap'
  readonly topicId: string
  readonly partition: number
  /** Bases of neighbouring segments, oldest first. */
  readonly replaced: readonly number[]
  readonly segments: readonly StoredSegment[]
  /** See `Partition.cleanedTo`. */
  readonly cleanedTo: number
}

/** Whole record batches at the end of a partition, base offsets already set. */
export interface AppendEntry {
  readonly kind: 'append'
  readonly topicId: string
  readonly partition: number
  /** The segment they lie in, and where; a segment whose base is `baseOffset` begins here. */
  readonly segmentBase: number
  readonly position: number
  readonly baseOffset: number
  /** The offset after the last record. */
  readonly nextOffset: number
  /** When it was appended, epoch ms. */
  readonly atMs: number
  readonly length: number
  /** Null in a replayed reference: the bytes lie in the segment, synced before the frame was written. */
  readonly bytes: Uint8Array | null
  /** CRC-32C of the bytes, for a reference; null where the bytes travel in the frame. */
  readonly bulkCrc: number | null
}

/*
 * Body of a frame: entries back to back, big-endian.
 *
 *   u8 1   u32 length, JSON of the entry (everything but appends)
 *   u8 2   append with its bytes:   16-byte topic id, i32 partition, i64 segment base, i64 position,
 *          i64 base offset, i64 next offset, i64 append time, i32 length, bytes
 *   u8 3   append by reference: the same, with u32 CRC-32C instead of the bytes
 */
const PLAIN = 1
const APPEND = 2
const REFERENCE = 3
const APPEND_HEADER_BYTES = 1 + 16 + 4 + 8 * 5 + 4

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** An entry that is ready to be copied into a frame. */
export interface EncodedEntry {
  readonly head: Uint8Array
  readonly body: Uint8Array | null
}

export function encodeEntry(entry: JournalEntry): EncodedEntry {
  if (entry.kind !== 'append') {
    const json = encoder.encode(JSON.stringify(entry))
    const head = new Uint8Array(5)
    head[0] = PLAIN
    writeI32(head, 1, json.length)
    return { head, body: json }
  }
  const head = new Uint8Array(APPEND_HEADER_BYTES + (entry.bulkCrc === null ? 0 : 4))
  head[0] = entry.bulkCrc === null ? APPEND : REFERENCE
  head.set(topicIdBytes(entry.topicId), 1)
  writeI32(head, 17, entry.partition)
  writeI64(head, 21, entry.segmentBase)
  writeI64(head, 29, entry.position)
  writeI64(head, 37, entry.baseOffset)
  writeI64(head, 45, entry.nextOffset)
  writeI64(head, 53, entry.atMs)
  writeI32(head, 61, entry.length)
  if (entry.bulkCrc === null) return { head, body: entry.bytes }
  writeI32(head, 65, entry.bulkCrc)
  return { head, body: null }
}

/** @throws StorageError `LOG_CORRUPT`: the frame's CRC held, so a writer of another version is to blame */
export function decodeEntries(body: Uint8Array): JournalEntry[] {
  const entries: JournalEntry[] = []
  let at = 0
  while (at < body.length) {
    const kind = body[at]
    if (kind === PLAIN) {
      const length = readI32(body, at + 1)
      entries.push(JSON.parse(decoder.decode(body.subarray(at + 5, at + 5 + length))) as JournalEntry)
      at += 5 + length
    } else if (kind === APPEND || kind === REFERENCE) {
      const length = readI32(body, at + 61)
      const start = at + APPEND_HEADER_BYTES
      const inline = kind === APPEND
      entries.push({
        kind: 'append',
        topicId: Buffer.from(body.subarray(at + 1, at + 17)).toString('base64url'),
        partition: readI32(body, at + 17),
        segmentBase: readI64(body, at + 21),
        position: readI64(body, at + 29),
        baseOffset: readI64(body, at + 37),
        nextOffset: readI64(body, at + 45),
        atMs: readI64(body, at + 53),
        length,
        bytes: inline ? body.subarray(start, start + length) : null,
        bulkCrc: inline ? null : readU32(body, start),
      })
      at = start + (inline ? length : 4)
    } else {
      throw new StorageError('LOG_CORRUPT', {
        message: `A journal frame holds an entry of unknown kind ${kind}.`,
        hint: 'The data directory may have been written by a newer Millrace.',
      })
    }
  }
  return entries
}

const idBytes = new Map<string, Uint8Array>()

function topicIdBytes(id: string): Uint8Array {
  let bytes = idBytes.get(id)
  if (bytes === undefined) {
    bytes = Uint8Array.from(Buffer.from(id, 'base64url'))
    if (idBytes.size > 10_000) idBytes.clear()
    idBytes.set(id, bytes)
  }
  return bytes
}
