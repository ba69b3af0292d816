import type { TableTableJoinNode } from '../../plan/plan-node.ts'
import { valueColumns, type Schema } from '../../plan/schema.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import type { KeyValueStore } from '../../state/store.ts'
import type { Batch } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { ChangeOutput } from './change-output.ts'
import { committedBatches } from './committed-rows.ts'
import { allLoaded } from './loading.ts'
import { storedRowCodec, type StoredRow } from './materialise.ts'
import { mergedRows } from './merged-rows.ts'
import { WindowedRowKeys } from './row-keys.ts'
import { rowValues } from './row-values.ts'

/**
 * Joins the rows of two tables that have the same key. Each change of either side puts out the change
 * of the result, where there was one before or is one now; its timestamp is that of the change or of the
 * other side's row, whichever is later. LEFT keeps left rows, RIGHT right rows, FULL both, padded with
 * nulls. Where keys carry windows, rows are the same when the windows are.
 *
 * State: stores `left` and `right`, key → {@link StoredRow}. Needs no old values.
 */
export class TableTableJoinOperator implements Operator {
  readonly #context: OperatorContext
  readonly #node: TableTableJoinNode
  readonly #schema: Schema
  readonly #keys: readonly [WindowedRowKeys, WindowedRowKeys]
  readonly #stores: readonly [KeyValueStore<StoredRow>, KeyValueStore<StoredRow>]
  readonly #padding: readonly [readonly SqlValue[], readonly SqlValue[]]
  readonly #output: ChangeOutput

  constructor(node: TableTableJoinNode, context: OperatorContext) {
    this.#context = context
    this.#node = node
    this.#schema = node.schema
    const { left, right } = node
    this.#keys = [
      new WindowedRowKeys(left.schema, left.windowed),
      new WindowedRowKeys(right.schema, left.windowed),
    ]
    this.#stores = [
      context.stores.keyValue('left', storedRowCodec(left.schema)),
      context.stores.keyValue('right', storedRowCodec(right.schema)),
    ]
    this.#padding = [valueColumns(left.schema).map(() => null), valueColumns(right.schema).map(() => null)]
    this.#output = new ChangeOutput(context, {
      schema: node.schema,
      identify: (key) => this.#keys[0].place(key),
      present: (result) => result,
    })
  }

  prepare(input: number, batch: Batch): Promise<void> | undefined {
    const keys = this.#keys[input]!.of(batch)
    return allLoaded(this.#stores[0].load(keys), this.#stores[1].load(keys))
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
      return {
        ...this.#keys[0].place(key),
        timestampMs: Math.max(
          (left?.[0] as number | undefined) ?? 0,
          (right?.[0] as number | undefined) ?? 0,
        ),
        value,
      }
    })
  }

  #processRow(input: number, batch: Batch, row: number): void {
    const keys = this.#keys[input]!
    const key = keys.at(batch, row)
    if (key === null) {
      this.#context.drop('null-key', batch, row)
      return
    }
    const store = this.#stores[input]!
    const timestampMs = batch.timestamps[row]!
    const before = store.get(key)
    const after: StoredRow | undefined = batch.isAbsent(row)
      ? undefined
      : [timestampMs, ...rowValues(batch, row, keys.columns, batch.schema.columns.length)]
    if (after === undefined) store.remove(key)
    else store.put(key, after)
    const other = this.#stores[1 - input]!.get(key)
    const value = input === 0 ? this.#result(after, other) : this.#result(other, after)
    const old = input === 0 ? this.#result(before, other) : this.#result(other, before)
    if (value === null && old === null) return
    this.#output.add({
      key,
      timestampMs: other === undefined ? timestampMs : Math.max(timestampMs, other[0] as number),
      value,
      old,
      headers: batch.headersOf(row),
    })
  }

  /** The joined value columns, or null where the join has no row. */
  #result(left: StoredRow | undefined, right: StoredRow | undefined): Row | null {
    const { join } = this.#node
    if (left === undefined && (right === undefined || join === 'INNER' || join === 'LEFT')) return null
    if (right === undefined && (join === 'INNER' || join === 'RIGHT')) return null
    return [
      ...(left === undefined ? this.#padding[0] : left.slice(1)),
      ...(right === undefined ? this.#padding[1] : right.slice(1)),
    ]
  }

  async *#committedPairs(range: ReadRange): AsyncIterable<{
    readonly key: string
    readonly value: readonly [StoredRow | undefined, StoredRow | undefined]
  }> {
    const [left, right] = this.#stores
    if (range.keys !== null) {
      for (const key of range.keys) {
        yield { key, value: [await left.getCommitted(key), await right.getCommitted(key)] }
      }
      return
    }
    // Both scans ascend: walk them side by side.
    const lefts = left.scanCommitted(range.from, range.to)[Symbol.asyncIterator]()
    const rights = right.scanCommitted(range.from, range.to)[Symbol.asyncIterator]()
    let l = await lefts.next()
    let r = await rights.next()
    while (l.done !== true || r.done !== true) {
      const leftKey = l.done === true ? null : l.value[0]
      const rightKey = r.done === true ? null : r.value[0]
      const key = rightKey === null || (leftKey !== null && leftKey < rightKey) ? leftKey! : rightKey
      yield {
        key,
        value: [
          leftKey === key ? (l.value as readonly [string, StoredRow])[1] : undefined,
          rightKey === key ? (r.value as readonly [string, StoredRow])[1] : undefined,
        ],
      }
      if (leftKey === key) l = await lefts.next()
      if (rightKey === key) r = await rights.next()
    }
  }
}
