import type { Schema } from '../../plan/schema.ts'
import type { Row } from '../../plan/sql-value.ts'
import type { KeyValueStore, SessionStore, StoreKey, WindowStore } from '../../state/store.ts'
import { BatchBuilder, type Batch } from '../batch.ts'
import type { ReadRange } from '../operator.ts'
import { EMIT_ROWS_MAX, placeOf } from './change-output.ts'
import type { RowIdentity } from './row-keys.ts'

/** A committed row as its store holds it. */
interface StoredRow<V> {
  readonly key: StoreKey
  readonly windowStartMs?: number
  readonly windowEndMs?: number
  readonly value: V
}

/** What a pull query asks for, from a key-value store. */
export async function* committedRows<V>(
  store: KeyValueStore<V>,
  range: ReadRange,
): AsyncIterable<StoredRow<V>> {
  if (range.keys === null) {
    for await (const [key, value] of store.scanCommitted(range.from, range.to)) yield { key, value }
    return
  }
  for (const key of range.keys) {
    const value = await store.getCommitted(key)
    if (value !== undefined) yield { key, value }
  }
}

/** @param sizeMs  of the windows */
export async function* committedWindows<V>(
  store: WindowStore<V>,
  sizeMs: number,
  range: ReadRange,
): AsyncIterable<StoredRow<V>> {
  const { startFromMs, startToMs } = range
  if (range.keys === null) {
    for await (const entry of store.scanCommitted(range.from, range.to, startFromMs, startToMs)) {
      yield windowRow(entry.key, entry.startMs, entry.startMs + sizeMs, entry.value)
    }
    return
  }
  for (const key of range.keys) {
    for (const entry of await store.fetchCommitted(key, startFromMs, startToMs)) {
      yield windowRow(entry.key, entry.startMs, entry.startMs + sizeMs, entry.value)
    }
  }
}

export async function* committedSessions<V>(
  store: SessionStore<V>,
  range: ReadRange,
): AsyncIterable<StoredRow<V>> {
  const inRange = (startMs: number): boolean => startMs >= range.startFromMs && startMs <= range.startToMs
  if (range.keys === null) {
    for await (const entry of store.scanCommitted(range.from, range.to)) {
      if (inRange(entry.startMs)) yield windowRow(entry.key, entry.startMs, entry.endMs, entry.value)
    }
    return
  }
  for (const key of range.keys) {
    for (const entry of await store.fetchCommitted(key)) {
      if (inRange(entry.startMs)) yield windowRow(entry.key, entry.startMs, entry.endMs, entry.value)
    }
  }
}

function windowRow<V>(key: StoreKey, windowStartMs: number, windowEndMs: number, value: V): StoredRow<V> {
  return { key, windowStartMs, windowEndMs, value }
}

/**
 * Stored rows as batches of a table's output.
 *
 * @param present  which row it is, its timestamp and its value columns; null: not part of the result
 */
export async function* committedBatches<V>(
  schema: Schema,
  rows: AsyncIterable<StoredRow<V>>,
  present: (row: StoredRow<V>) => PresentedRow | null,
): AsyncIterable<Batch> {
  const builder = new BatchBuilder(schema)
  for await (const stored of rows) {
    const row = present(stored)
    if (row === null) continue
    builder.add({ ...placeOf(row), timestampMs: row.timestampMs, value: row.value })
    if (builder.size >= EMIT_ROWS_MAX) yield builder.take()!
  }
  const last = builder.take()
  if (last !== null) yield last
}

export interface PresentedRow extends RowIdentity {
  readonly timestampMs: number
  readonly value: Row
}
