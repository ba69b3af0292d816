import { StorageError } from '../base/errors.ts'
import type { Log } from '../log/log.ts'
import { RecordBatchWriter } from '../log/record-batch.ts'
import { walkRecords } from '../log/walk-records.ts'
import type { DataSource } from '../plan/data-source.ts'
import { planFromJson, planToJson } from '../plan/plan-json.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { CatalogChange, CatalogEntry, QueryDefinition } from './catalog.ts'

/** Where the catalog is kept: a compacted topic of one partition; key: an entry's key; value: the entry as JSON. */
export const DEFINITIONS_TOPIC = '_millrace-definitions'

/** An entry as stored. Versioned as a whole; plans carry a version of their own. */
type StoredEntry =
  | { readonly version: 1; readonly kind: 'source'; readonly source: DataSource }
  | { readonly version: 1; readonly kind: 'type'; readonly name: string; readonly type: SqlType }
  | {
      readonly version: 1
      readonly kind: 'query'
      readonly query: Omit<QueryDefinition, 'plan'>
      /** As `planToJson` writes it. */
      readonly plan: string
    }
  | { readonly version: 1; readonly kind: 'query-number'; readonly next: number }

/** Record batches that hold `changes`, for one append to the definitions' topic. */
export function encodeChanges(changes: readonly CatalogChange[], timestampMs: number): Uint8Array {
  const writer = new RecordBatchWriter()
  for (const { key, entry } of changes) {
    const keyBytes = Buffer.from(key)
    const value = entry === null ? null : Buffer.from(JSON.stringify(stored(entry)))
    writer.append(timestampMs, keyBytes, 0, keyBytes.length, value, 0, value?.length ?? 0, null)
  }
  return writer.finish()
}

/**
 * All changes that were ever committed and not compacted away, oldest first.
 *
 * @throws StorageError `DEFINITION_UNREADABLE`
 */
export async function readDefinitions(log: Log): Promise<readonly CatalogChange[]> {
  const changes: CatalogChange[] = []
  if (log.topic(DEFINITIONS_TOPIC) === undefined) return changes
  const ends = log.ends(DEFINITIONS_TOPIC, 0)
  for (let offset = ends.logStart; offset < ends.lastStable;) {
    const slice = await log.read(DEFINITIONS_TOPIC, 0, offset, 1 << 20)
    const records = walkRecords(slice.bytes, offset, slice.aborted)
    for (let row = 0; row < records.count; row++) {
      const text = (start: number, end: number): string =>
        Buffer.from(records.bytes.subarray(start, end)).toString()
      const key = text(records.keyStarts[row]!, records.keyEnds[row]!)
      const valueStart = records.valueStarts[row]!
      const entry = valueStart < 0 ? null : restored(key, text(valueStart, records.valueEnds[row]!))
      changes.push({ key, entry })
    }
    if (slice.nextOffset <= offset) break
    offset = slice.nextOffset
  }
  return changes
}

function stored(entry: CatalogEntry): StoredEntry {
  if (entry.kind !== 'query') return { version: 1, ...entry }
  const { plan, ...query } = entry.query
  return { version: 1, kind: 'query', query, plan: planToJson(plan) }
}

function restored(key: string, text: string): CatalogEntry {
  let entry: StoredEntry
  try {
    entry = JSON.parse(text) as StoredEntry // written by `stored`; the version is checked below
  } catch (cause) {
    throw unreadable(key, 'it is not valid JSON', cause)
  }
  if (entry.version !== 1)
    throw unreadable(key, `it has version ${String(entry.version)}; this version reads 1`)
  switch (entry.kind) {
    case 'source':
      return { kind: 'source', source: entry.source }
    case 'type':
      return { kind: 'type', name: entry.name, type: entry.type }
    case 'query':
      return { kind: 'query', query: { ...entry.query, plan: planFromJson(entry.plan) } }
    case 'query-number':
      return { kind: 'query-number', next: entry.next }
    default:
      throw unreadable(key, 'its kind is unknown')
  }
}

function unreadable(key: string, why: string, cause?: unknown): StorageError {
  return new StorageError('DEFINITION_UNREADABLE', {
    message: `The stored definition ${key} cannot be read: ${why}.`,
    hint: 'Open the directory with the version of Millrace that wrote it.',
    cause,
  })
}
