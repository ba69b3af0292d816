import { assert } from '../../base/assert.ts'
import type { ForeignKeyJoinNode } from '../../plan/plan-node.ts'
import { keyColumns, valueColumns, type Schema } from '../../plan/schema.ts'
import { BIGINT } from '../../plan/sql-type.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import { afterPrefix, escapeBinary } from '../../state/key-codec.ts'
import type { KeyValueStore, StoreKey } from '../../state/store.ts'
import { rowCodec } from '../../state/value-codec.ts'
import type { Batch } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { ChangeOutput } from './change-output.ts'
import { committedBatches, committedRows } from './committed-rows.ts'
import { afterLoading, allLoaded, type Loading } from './loading.ts'
import { storedRowCodec, type StoredRow } from './materialise.ts'
import { mergedRows } from './merged-rows.ts'
import { RowKeys } from './row-keys.ts'
import { rowValues } from './row-values.ts'

/** A left row: its timestamp (epoch ms), its foreign key, its value columns. */
type LeftRow = Row

/** Which left rows refer to a foreign key: the entry's key says it all. */
const REFERENCE: Row = []

/**
 * Joins each row of the left table with the right table's row its foreign key names. The result is a table
 * with the left's key; a change of the left puts out one change, a change of the right one for each left
 * row that refers to it, by left key. INNER has rows with a partner; LEFT all left rows, padded with nulls
 * where the foreign key is null or names no row. A result's timestamp is the later one of both rows'.
 *
 * Index and rows change in one step, so no stale answer can arise; all rows of both tables have to come
 * through this one operator.
 *
 * With `compatibility`, as ksqlDB: the deletion of a left row, and an update that finds no partner, put out a
 * deletion even where there was no result.
 *
 * State: store `left`, key → {@link LeftRow}; store `right`, key → {@link StoredRow}; store
 * `references`, (foreign key, left key) → nothing. Needs no old values.
 */
export class ForeignKeyJoinOperator implements Operator {
  readonly #context: OperatorContext
  readonly #node: ForeignKeyJoinNode
  readonly #schema: Schema
  readonly #leftKeys: RowKeys
  readonly #rightKeys: RowKeys
  readonly #left: KeyValueStore<LeftRow>
  readonly #right: KeyValueStore<StoredRow>
  readonly #references: KeyValueStore<Row>
  readonly #padding: readonly SqlValue[]
  readonly #output: ChangeOutput
  readonly #foreignKey: (batch: Batch, row: number) => SqlValue
  /** Foreign keys of a batch's rows, by position: evaluated once, so that failures are reported once. */
  readonly #foreignKeys = new WeakMap<Batch, readonly (StoreKey | null)[]>()

  constructor(node: ForeignKeyJoinNode, context: OperatorContext) {
    this.#context = context
    this.#node = node
    this.#schema = node.schema
    this.#leftKeys = new RowKeys(node.left.schema)
    this.#rightKeys = new RowKeys(node.right.schema)
    assert(keyColumns(node.right.schema).length === 1, 'a foreign key names a single primary key column')
    const leftTypes = valueColumns(node.left.schema).map((column) => column.type)
    this.#left = context.stores.keyValue('left', rowCodec([BIGINT, node.foreignKey.type, ...leftTypes]))
    this.#right = context.stores.keyValue('right', storedRowCodec(node.right.schema))
    this.#references = context.stores.keyValue('references', rowCodec([]))
    this.#padding = valueColumns(node.right.schema).map(() => null)
    this.#output = new ChangeOutput(context, {
      schema: node.schema,
      identify: (key) => ({ key: this.#leftKeys.values(key) }),
      present: (result) => result,
    })
    this.#foreignKey = context.compileBatch(node.foreignKey, node.left.schema)
  }

  prepare(input: number, batch: Batch): Promise<void> | undefined {
    return input === 0 ? this.#prepareLeft(batch) : this.#prepareRight(batch)
  }

  process(input: number, batch: Batch): void {
    for (let n = 0; n < batch.size; n++) this.#processRow(input, batch, batch.position(n))
    this.#output.endOfBatch()
  }

  processMerged(batches: readonly (Batch | null)[]): void {
    for (const { input, batch, row } of mergedRows(batches)) this.#processRow(input, batch, row)
    this.#output.endOfBatch()
  }

  flush(): void {
    this.#output.flush()
  }

  advance(): Promise<void> {
    return Promise.resolve()
  }

  nextTimerMs(): null {
    return null
  }

  readCommitted(range: ReadRange): AsyncIterable<Batch> {
    return committedBatches(this.#schema, this.#committedPairs(range), ({ key, value: [left, right] }) => {
      const value = this.#result(left, right)
      if (value === null) return null
      const timestampMs = Math.max(left[0] as number, (right?.[0] as number | undefined) ?? 0)
      return { key: this.#leftKeys.values(key), timestampMs, value }
    })
  }

  #prepareLeft(batch: Batch): Loading {
    const keys = this.#leftKeys.of(batch)
    return afterLoading(this.#left.load(keys), () => {
      const named = new Set<StoreKey>()
      const references = new Set<StoreKey>()
      const name = (foreignKey: StoreKey | null, leftKey: StoreKey): void => {
        if (foreignKey === null) return
        named.add(foreignKey)
        references.add(reference(foreignKey, leftKey))
      }
      for (const key of keys) name(this.#foreignKeyOf(this.#left.get(key)), key)
      const foreignKeys = this.#foreignKeysOf(batch)
      for (let n = 0; n < batch.size; n++) {
        const row = batch.position(n)
        const key = this.#leftKeys.at(batch, row)
        if (key !== null) name(foreignKeys[row]!, key)
      }
      return allLoaded(this.#right.load(named), this.#references.load(references))
    })
  }

  #prepareRight(batch: Batch): Loading {
    const keys = [...this.#rightKeys.of(batch)]
    return afterLoading(
      allLoaded(
        this.#right.load(keys),
        ...keys.map((key) => this.#references.loadRange(...referencesTo(key))),
      ),
      () => this.#left.load(keys.flatMap((key) => this.#referring(key))),
    )
  }

  #processRow(input: number, batch: Batch, row: number): void {
    if (input === 0) this.#processLeft(batch, row)
    else this.#processRight(batch, row)
  }

  #processLeft(batch: Batch, row: number): void {
    const key = this.#leftKeys.at(batch, row)
    if (key === null) {
      this.#context.drop('null-key', batch, row)
      return
    }
    const timestampMs = batch.timestamps[row]!
    const before = this.#left.get(key)
    const oldForeignKey = this.#foreignKeyOf(before)
    const foreignKey = batch.isAbsent(row) ? null : this.#foreignKeysOf(batch)[row]!
    const after: LeftRow | undefined = batch.isAbsent(row)
      ? undefined
      : [
          timestampMs,
          foreignKey === null ? null : this.#rightKeys.values(foreignKey)[0]!,
          ...rowValues(batch, row, this.#leftKeys.columns, batch.schema.columns.length),
        ]
    if (after === undefined) this.#left.remove(key)
    else this.#left.put(key, after)
    if (oldForeignKey !== foreignKey) {
      if (oldForeignKey !== null) this.#references.remove(reference(oldForeignKey, key))
      if (foreignKey !== null) this.#references.put(reference(foreignKey, key), REFERENCE)
    }
    const right = this.#rightOf(foreignKey)
    const value = this.#result(after, right)
    const old = this.#result(before, this.#rightOf(oldForeignKey))
    if (value === null && old === null && !this.#deletesNothing(before, after, foreignKey)) return
    this.#output.add({
      key,
      timestampMs: right === undefined ? timestampMs : Math.max(timestampMs, right[0] as number),
      value,
      old,
      headers: batch.headersOf(row),
    })
  }

  #processRight(batch: Batch, row: number): void {
    const key = this.#rightKeys.at(batch, row)
    if (key === null) {
      this.#context.drop('null-key', batch, row)
      return
    }
    const timestampMs = batch.timestamps[row]!
    const before = this.#right.get(key)
    const after: StoredRow | undefined = batch.isAbsent(row)
      ? undefined
      : [timestampMs, ...rowValues(batch, row, this.#rightKeys.columns, batch.schema.columns.length)]
    if (after === undefined) this.#right.remove(key)
    else this.#right.put(key, after)
    if (before === undefined && after === undefined) return
    for (const leftKey of this.#referring(key)) {
      const left = this.#left.get(leftKey)
      assert(left, 'a reference belongs to a left row')
      this.#output.add({
        key: leftKey,
        timestampMs: Math.max(timestampMs, left[0] as number),
        value: this.#result(left, after),
        old: this.#result(left, before),
        headers: batch.headersOf(row),
      })
    }
  }

  /** Whether ksqlDB would send a deletion of a result that isn't there. */
  #deletesNothing(
    before: LeftRow | undefined,
    after: LeftRow | undefined,
    foreignKey: StoreKey | null,
  ): boolean {
    if (!this.#context.compatibility || before === undefined) return false
    return after === undefined || foreignKey !== null
  }

  #result(left: LeftRow | undefined, right: StoredRow | undefined): Row | null {
    if (left === undefined || (right === undefined && this.#node.join === 'INNER')) return null
    return [...left.slice(2), ...(right === undefined ? this.#padding : right.slice(1))]
  }

  #rightOf(foreignKey: StoreKey | null): StoredRow | undefined {
    return foreignKey === null ? undefined : this.#right.get(foreignKey)
  }

  #foreignKeyOf(left: LeftRow | undefined): StoreKey | null {
    return left === undefined || left[1] === null ? null : this.#rightKeys.codec.encode([left[1]!])
  }

  #foreignKeysOf(batch: Batch): readonly (StoreKey | null)[] {
    const known = this.#foreignKeys.get(batch)
    if (known !== undefined) return known
    const keys = Array<StoreKey | null>(batch.rows).fill(null)
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      if (batch.isAbsent(row)) continue
      const value = this.#foreignKey(batch, row)
      if (value !== null) keys[row] = this.#rightKeys.codec.encode([value])
    }
    this.#foreignKeys.set(batch, keys)
    return keys
  }

  /** Keys of the left rows that refer to a right key, ascending. */
  #referring(key: StoreKey): readonly StoreKey[] {
    const [from, to] = referencesTo(key)
    return Array.from(this.#references.range(from, to), ([entry]) => entry.slice(from.length))
  }

  async *#committedPairs(range: ReadRange): AsyncIterable<{
    readonly key: StoreKey
    readonly value: readonly [LeftRow, StoredRow | undefined]
  }> {
    for await (const { key, value: left } of committedRows(this.#left, range)) {
      const foreignKey = this.#foreignKeyOf(left)
      const right = foreignKey === null ? undefined : await this.#right.getCommitted(foreignKey)
      yield { key, value: [left, right] }
    }
  }
}

function reference(foreignKey: StoreKey, leftKey: StoreKey): StoreKey {
  return escapeBinary(foreignKey) + leftKey
}

/** The range of a right key's references; they continue with the left key behind `from`. */
function referencesTo(foreignKey: StoreKey): [StoreKey, StoreKey | null] {
  const from = escapeBinary(foreignKey)
  return [from, afterPrefix(from)]
}
