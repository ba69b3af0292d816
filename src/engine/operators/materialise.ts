import type { WindowedKey } from '../../plan/data-source.ts'
import { valueColumns, type Schema } from '../../plan/schema.ts'
import { BIGINT } from '../../plan/sql-type.ts'
import { ValueVector } from '../../formats/vector.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import type { StoreKey, TaskStores, ValueCodec } from '../../state/store.ts'
import { rowCodec } from '../../state/value-codec.ts'
import { Batch } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { committedBatches, committedRows, committedSessions, committedWindows } from './committed-rows.ts'
import type { Loading } from './loading.ts'
import { RowKeys } from './row-keys.ts'
import { rowValues } from './row-values.ts'

/** A row of a table as it lies in a store: its timestamp (epoch ms), then its value columns. */
export type StoredRow = Row

export function storedRowCodec(schema: Schema): ValueCodec<StoredRow> {
  return rowCodec([BIGINT, ...valueColumns(schema).map((column) => column.type)])
}

/**
 * Keeps the last row of every key of a table and puts out each change with the row it replaces: reads a
 * table's topic, and serves pull queries on a result that no other operator keeps. Every change goes on,
 * also the deletion of a row that never was. Rows without a key are dropped.
 *
 * State: store `rows`, key → {@link StoredRow}; where rows are windowed a window or session store.
 */
export class MaterialiseOperator implements Operator {
  readonly #context: OperatorContext
  readonly #schema: Schema
  readonly #keys: RowKeys
  readonly #rows: RowStore

  constructor(schema: Schema, windowed: WindowedKey | null, context: OperatorContext) {
    this.#context = context
    this.#schema = schema
    this.#keys = new RowKeys(schema)
    this.#rows = openRows(context.stores, storedRowCodec(schema), windowed)
  }

  prepare(_input: number, batch: Batch): Promise<void> | undefined {
    return this.#rows.load(this.#keys.of(batch), batch)
  }

  process(_input: number, batch: Batch): void {
    const { columns } = this.#schema
    const { oldRows } = this.#context
    const kept: number[] = []
    const old = oldRows ? columns.map(() => Array<SqlValue>(batch.rows).fill(null)) : []
    const absent = new Uint8Array(batch.rows).fill(1)
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const key = this.#keys.at(batch, row)
      if (key === null) {
        this.#context.drop('null-key', batch, row)
        continue
      }
      kept.push(row)
      const before = this.#rows.get(key, batch, row)
      if (before !== undefined && oldRows) {
        absent[row] = 0
        for (let column = 0; column < columns.length; column++) {
          const value = column - this.#keys.columns
          old[column]![row] = value < 0 ? batch.value(column, row) : before[value + 1]!
        }
      }
      const after = batch.isAbsent(row)
        ? null
        : [batch.timestamps[row]!, ...rowValues(batch, row, this.#keys.columns, columns.length)]
      this.#rows.set(key, batch, row, after)
    }
    if (kept.length === 0) return
    this.#context.emit(
      batch.with({
        selection: Int32Array.from(kept),
        old: oldRows ? { vectors: old.map((values) => new ValueVector(values)), absent } : null,
      }),
    )
  }

  flush(): void {}

  advance(): Promise<void> {
    return Promise.resolve()
  }

  nextTimerMs(): null {
    return null
  }

  readCommitted(range: ReadRange): AsyncIterable<Batch> {
    return committedBatches(this.#schema, this.#rows.readCommitted(range), (row) => ({
      key: this.#keys.values(row.key),
      ...(row.windowStartMs === undefined
        ? {}
        : { windowStartMs: row.windowStartMs, windowEndMs: row.windowEndMs! }),
      timestampMs: row.value[0] as number,
      value: row.value.slice(1),
    }))
  }
}

/** Rows by key and, where there are windows, window: that of a batch's row. */
interface RowStore {
  load(keys: ReadonlySet<StoreKey>, batch: Batch): Loading
  get(key: StoreKey, batch: Batch, row: number): StoredRow | undefined
  /** null: remove. */
  set(key: StoreKey, batch: Batch, row: number, value: StoredRow | null): void
  readCommitted(range: ReadRange): ReturnType<typeof committedRows<StoredRow>>
}

function openRows(stores: TaskStores, codec: ValueCodec<StoredRow>, windowed: WindowedKey | null): RowStore {
  if (windowed === null) {
    const store = stores.keyValue('rows', codec)
    return {
      load: (keys) => store.load(keys),
      get: (key) => store.get(key),
      set: (key, _batch, _row, value) => (value === null ? store.remove(key) : store.put(key, value)),
      readCommitted: (range) => committedRows(store, range),
    }
  }
  if (windowed.type === 'SESSION') {
    const store = stores.session('rows', codec, { bucketMs: SESSION_BUCKET_MS })
    return {
      load: (keys) => store.load(keys),
      get(key, batch, row) {
        const startMs = batch.windows!.starts[row]!
        const endMs = batch.windows!.ends[row]!
        return store
          .find(key, endMs, startMs)
          .find((session) => session.startMs === startMs && session.endMs === endMs)?.value
      },
      set(key, batch, row, value) {
        const startMs = batch.windows!.starts[row]!
        const endMs = batch.windows!.ends[row]!
        if (value === null) store.remove(key, startMs, endMs)
        else store.put(key, startMs, endMs, value)
      },
      readCommitted: (range) => committedSessions(store, range),
    }
  }
  const sizeMs = windowed.sizeMs!
  const store = stores.window('rows', codec, { bucketMs: sizeMs })
  return {
    load(keys, batch) {
      let fromMs = Infinity
      let toMs = -Infinity
      for (let n = 0; n < batch.size; n++) {
        const startMs = batch.windows!.starts[batch.position(n)]!
        fromMs = Math.min(fromMs, startMs)
        toMs = Math.max(toMs, startMs)
      }
      return keys.size === 0 ? undefined : store.load(keys, fromMs, toMs)
    },
    get: (key, batch, row) => store.get(key, batch.windows!.starts[row]!),
    set(key, batch, row, value) {
      const startMs = batch.windows!.starts[row]!
      if (value === null) store.remove(key, startMs)
      else store.put(key, startMs, value)
    },
    readCommitted: (range) => committedWindows(store, sizeMs, range),
  }
}

/** Sessions have no size to go by; nothing here expires, so the width hardly matters. */
const SESSION_BUCKET_MS = 3_600_000
