import { keyColumns, type Schema } from '../../plan/schema.ts'
import { BIGINT } from '../../plan/sql-type.ts'
import type { Row } from '../../plan/sql-value.ts'
import type { WindowedKey } from '../../plan/data-source.ts'
import { KeyCodec } from '../../state/key-codec.ts'
import type { StoreKey } from '../../state/store.ts'
import type { Batch } from '../batch.ts'

/** The store keys of the rows of one input. Those of the batch last asked for are kept: made once for loading and processing. */
abstract class KeysOfInput {
  /** How many leading columns of the schema are the key. */
  readonly columns: number
  #batch: Batch | null = null
  #keys: (StoreKey | null)[] = []

  constructor(schema: Schema) {
    this.columns = keyColumns(schema).length
  }

  protected abstract make(batch: Batch, row: number): StoreKey | null

  row(batch: Batch, row: number): Row {
    return batch.slice(row, 0, this.columns)
  }

  /** The key of a row, or null where the row has none: no key columns, or all of them null. */
  at(batch: Batch, row: number): StoreKey | null {
    return batch === this.#batch ? this.#keys[row]! : this.make(batch, row)
  }

  /** The keys of all rows that have one. */
  of(batch: Batch): Set<StoreKey> {
    const keys = new Set<StoreKey>()
    const made = new Array<StoreKey | null>(batch.rows).fill(null)
    const { size } = batch
    for (let n = 0; n < size; n++) {
      const row = batch.position(n)
      const key = this.make(batch, row)
      made[row] = key
      if (key !== null) keys.add(key)
    }
    this.#batch = batch
    this.#keys = made
    return keys
  }
}

/** The store keys of rows: their key columns, and nothing else. */
export class RowKeys extends KeysOfInput {
  readonly codec: KeyCodec

  constructor(schema: Schema) {
    super(schema)
    this.codec = new KeyCodec(keyColumns(schema).map((column) => column.type))
  }

  values(key: StoreKey): Row {
    return this.codec.decode(key)
  }

  protected override make(batch: Batch, row: number): StoreKey | null {
    const key = this.row(batch, row)
    return isNullKey(key) ? null : this.codec.encode(key)
  }
}

/**
 * The store keys of rows whose key may carry a window. Rows of time windows are the same when key and
 * start are (the end isn't stored); of sessions, when key, start and end are.
 */
export class WindowedRowKeys extends KeysOfInput {
  readonly #windowed: WindowedKey | null
  readonly #codec: KeyCodec

  constructor(schema: Schema, windowed: WindowedKey | null) {
    super(schema)
    this.#windowed = windowed
    const types = keyColumns(schema).map((column) => column.type)
    if (windowed !== null) types.push(BIGINT)
    if (windowed?.type === 'SESSION') types.push(BIGINT)
    this.#codec = new KeyCodec(types)
  }

  /** The key columns and the window of a store key. */
  place(key: StoreKey): RowIdentity {
    const row = this.#codec.decode(key)
    if (this.#windowed === null) return { key: row }
    const columns = row.slice(0, this.columns)
    const windowStartMs = row[this.columns] as number
    const windowEndMs =
      this.#windowed.type === 'SESSION'
        ? (row[this.columns + 1] as number)
        : windowStartMs + this.#windowed.sizeMs!
    return { key: columns, windowStartMs, windowEndMs }
  }

  protected override make(batch: Batch, row: number): StoreKey | null {
    const key = batch.slice(row, 0, this.columns)
    if (isNullKey(key)) return null
    if (this.#windowed !== null) {
      key.push(batch.windows!.starts[row]!)
      if (this.#windowed.type === 'SESSION') key.push(batch.windows!.ends[row]!)
    }
    return this.#codec.encode(key)
  }
}

/** What tells a row of a (windowed) table from the others. */
export interface RowIdentity {
  readonly key: Row
  readonly windowStartMs?: number
  readonly windowEndMs?: number
}

/** A record without a key: every key column is null. (One null among several columns is a key.) */
export function isNullKey(key: Row): boolean {
  for (const value of key) if (value !== null) return false
  return true
}
