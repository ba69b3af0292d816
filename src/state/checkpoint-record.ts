import { crc32c } from '@node-rs/crc32'
import { encodeWhole, escapeBinary } from './key-codec.ts'

/*
 * Keys of the checkpoint's storage
 *
 *   'c' number (8 bytes)             a commit record, JSON with a checksum: one per checkpoint
 *   't' task                         a task record, JSON with a checksum: what its pages add up to
 *   'p' task store …                 a page
 *
 * Names are terminated, so none is the start of another.
 */

/** One checkpoint of the whole worker. Numbers run on without gaps: a gap is a hole in storage. */
export interface CommitRecord {
  readonly number: number
  readonly logId: string
  readonly epoch: number
  /** Bytes of the batch this record was part of. */
  readonly bytes: number
}

/** What a task's pages are: written in one batch with them. */
export interface TaskRecord {
  readonly logId: string
  /** Of the worker that wrote it. */
  readonly epoch: number
  /** The checkpoint it was part of. */
  readonly number: number
  readonly stores: Readonly<Record<string, StoreRecord>>
}

export interface StoreRecord {
  readonly fingerprint: string
  readonly topic: string
  readonly topicId: string
  /** Of the changelog: all before it is in the pages. */
  readonly position: number
  /** Of the changelog: nothing from it on is in the pages. */
  readonly upTo: number
  readonly pages: number
  readonly sum: number
  /** Null: nothing expired. */
  readonly expiredBelowMs: number | null
}

export function commitKey(number: number): string {
  return `c${encodeWhole(number)}`
}

export function taskKey(taskId: string): string {
  return `t${escapeBinary(Buffer.from(taskId, 'utf8').toString('latin1'))}`
}

/** The inverse of {@link taskKey}. */
export function taskIdOf(key: string): string {
  return Buffer.from(key.slice(1, -2).replaceAll('\0\xff', '\0'), 'latin1').toString('utf8')
}

export function pagesPrefix(taskId: string): string {
  return `p${escapeBinary(Buffer.from(taskId, 'utf8').toString('latin1'))}`
}

/** Of keys, records and pages. What has another one is rebuilt from the changelogs, like what is damaged. */
export const STATE_LAYOUT = 1

/** JSON behind a CRC-32C over the key and the text. */
export function encodeRecord(key: string, record: CommitRecord | TaskRecord): Uint8Array {
  const text = Buffer.from(JSON.stringify({ layout: STATE_LAYOUT, ...record }), 'utf8')
  const value = new Uint8Array(4 + text.length)
  value.set(text, 4)
  new DataView(value.buffer).setUint32(0, recordChecksum(key, value))
  return value
}

/** The record, or null if the bytes are not what was written under `key`, or are of another layout. */
export function decodeRecord<R extends CommitRecord | TaskRecord>(key: string, value: Uint8Array): R | null {
  if (value.length < 4) return null
  const stored = new DataView(value.buffer, value.byteOffset).getUint32(0)
  if (stored !== recordChecksum(key, value)) return null
  const text = Buffer.from(value.buffer, value.byteOffset + 4, value.length - 4).toString('utf8')
  const record = JSON.parse(text) as R & { readonly layout?: number }
  return record.layout === STATE_LAYOUT ? record : null
}

function recordChecksum(key: string, value: Uint8Array): number {
  return crc32c(value.subarray(4), crc32c(Buffer.from(key, 'latin1')))
}
