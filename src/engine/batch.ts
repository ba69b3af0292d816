import { assert } from '../base/assert.ts'
import type { Vector } from '../formats/vector.ts'
import { ValueVector } from '../formats/vector.ts'
import type { RecordHeader } from '../log/log.ts'
import type { Schema } from '../plan/schema.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'

/** Where a batch's rows came from in the log, for ROWPARTITION, ROWOFFSET and error places. */
export interface BatchOrigin {
  readonly topic: string
  readonly partition: number
  /** One entry per row. */
  readonly offsets: Float64Array
}

/** Bounds of each row's window; `ends` is exclusive for time windows, inclusive for sessions. */
export interface WindowBounds {
  readonly starts: Float64Array
  readonly ends: Float64Array
}

/** What a table's rows replace. */
export interface OldRows {
  /** One vector per column of the schema. Key columns are those of the new row. */
  readonly vectors: readonly (Vector | null)[]
  /** 1: there was no row. */
  readonly absent: Uint8Array
}

/** What a {@link Batch} is made of. */
export interface BatchParts {
  readonly schema: Schema
  readonly vectors: readonly (Vector | null)[]
  readonly rows: number
  readonly timestamps: Float64Array
  readonly selection?: Int32Array | null
  readonly absent?: Uint8Array | null
  readonly old?: OldRows | null
  readonly windows?: WindowBounds | null
  readonly order?: Float64Array | null
  readonly origin?: BatchOrigin | null
  readonly headers?: readonly (readonly RecordHeader[])[] | null
}

/**
 * Rows on their way through the graph, column by column. Immutable once handed on.
 *
 * Rows have fixed positions 0 … rows−1; a filter doesn't move them, it narrows `selection`. Of a stream's
 * row, `absent` says that its value is null (all value columns read as null). Of a table's change,
 * `absent` says that the row is deleted, and `old` holds what downstream last saw, where it is kept.
 */
export class Batch implements BatchParts {
  readonly schema: Schema
  /** One per column of the schema; null where nobody downstream reads the column. */
  readonly vectors: readonly (Vector | null)[]
  readonly rows: number
  /** Ascending positions of the rows that count; null: all. */
  readonly selection: Int32Array | null
  /** Event time per row, epoch ms. */
  readonly timestamps: Float64Array
  /** 1: null value or deletion; null: no such row. */
  readonly absent: Uint8Array | null
  readonly old: OldRows | null
  readonly windows: WindowBounds | null
  /**
   * What rows of several inputs are merged by: per row, the highest event time its input had reached there,
   * rows that were dropped since included. Null: event time.
   */
  readonly order: Float64Array | null
  readonly origin: BatchOrigin | null
  /** Per row, or null when no row has headers. */
  readonly headers: readonly (readonly RecordHeader[])[] | null

  constructor(parts: BatchParts) {
    this.schema = parts.schema
    this.vectors = parts.vectors
    this.rows = parts.rows
    this.timestamps = parts.timestamps
    this.selection = parts.selection ?? null
    this.absent = parts.absent ?? null
    this.old = parts.old ?? null
    this.windows = parts.windows ?? null
    this.order = parts.order ?? null
    this.origin = parts.origin ?? null
    this.headers = parts.headers ?? null
  }

  /** The same rows with some parts replaced. */
  with(parts: Partial<BatchParts>): Batch {
    const { schema, vectors, rows, selection, timestamps, absent, old, windows, order, origin, headers } =
      this
    return new Batch({
      schema,
      vectors,
      rows,
      selection,
      timestamps,
      absent,
      old,
      windows,
      order,
      origin,
      headers,
      ...parts,
    })
  }

  /** How many rows count. */
  get size(): number {
    return this.selection === null ? this.rows : this.selection.length
  }

  /** Position of the n-th row that counts. */
  position(n: number): number {
    return this.selection === null ? n : this.selection[n]!
  }

  value(column: number, row: number): SqlValue {
    const vector = this.vectors[column]
    assert(vector, `column ${column} of a batch is materialised`)
    return vector.value(row)
  }

  isAbsent(row: number): boolean {
    return this.absent !== null && this.absent[row] === 1
  }

  /** Values of columns [from, to) of a row. */
  slice(row: number, from: number, to: number): SqlValue[] {
    const values: SqlValue[] = []
    for (let column = from; column < to; column++) values.push(this.value(column, row))
    return values
  }

  /** Old values of columns [from, to) of a row, or null if there was no old row or it isn't kept. */
  oldSlice(row: number, from: number, to: number): SqlValue[] | null {
    if (this.old === null || this.old.absent[row] === 1) return null
    const values: SqlValue[] = []
    for (let column = from; column < to; column++) {
      const vector = this.old.vectors[column]
      assert(vector, `old column ${column} of a batch is materialised`)
      values.push(vector.value(row))
    }
    return values
  }

  /** Where the row comes among those of other inputs, as a time in epoch ms. */
  orderAt(row: number): number {
    return (this.order ?? this.timestamps)[row]!
  }

  headersOf(row: number): readonly RecordHeader[] {
    return this.headers === null ? [] : this.headers[row]!
  }
}

/** One row handed to {@link BatchBuilder.add}. */
export interface BuiltRow {
  readonly key: Row
  /** null: null value or deletion. */
  readonly value: Row | null
  readonly timestampMs: number
  /** Tables: the row replaced, null if there was none; absent on streams. */
  readonly old?: Row | null
  readonly windowStartMs?: number
  readonly windowEndMs?: number
  readonly headers?: readonly RecordHeader[]
}

/** Collects rows into a batch of value vectors: for operators that work row by row. */
export class BatchBuilder {
  readonly #schema: Schema
  readonly #rows: BuiltRow[] = []

  constructor(schema: Schema) {
    this.#schema = schema
  }

  get size(): number {
    return this.#rows.length
  }

  add(row: BuiltRow): void {
    this.#rows.push(row)
  }

  /** The rows added so far as a batch, or null if there are none; the builder is empty afterwards. */
  take(): Batch | null {
    const rows = this.#rows.splice(0)
    if (rows.length === 0) return null
    const keyCount = rows[0]!.key.length
    const columnOf = (column: number, valueOf: (row: BuiltRow) => Row | null | undefined): ValueVector =>
      new ValueVector(
        rows.map((row) =>
          column < keyCount ? row.key[column]! : (valueOf(row)?.[column - keyCount] ?? null),
        ),
      )
    const columns = this.#schema.columns
    const flags = (isSet: (row: BuiltRow) => boolean): Uint8Array =>
      Uint8Array.from(rows, (row) => (isSet(row) ? 1 : 0))
    return new Batch({
      schema: this.#schema,
      rows: rows.length,
      vectors: columns.map((_, i) => columnOf(i, (row) => row.value)),
      timestamps: Float64Array.from(rows, (row) => row.timestampMs),
      absent: rows.some((row) => row.value === null) ? flags((row) => row.value === null) : null,
      old: rows.some((row) => row.old !== undefined)
        ? {
            vectors: columns.map((_, i) => columnOf(i, (row) => row.old)),
            absent: flags((row) => row.old === undefined || row.old === null),
          }
        : null,
      windows:
        rows[0]!.windowStartMs === undefined
          ? null
          : {
              starts: Float64Array.from(rows, (row) => row.windowStartMs!),
              ends: Float64Array.from(rows, (row) => row.windowEndMs!),
            },
      headers: rows.some((row) => row.headers !== undefined && row.headers.length > 0)
        ? rows.map((row) => row.headers ?? [])
        : null,
    })
  }
}
