import type { StreamTableJoinNode } from '../../plan/plan-node.ts'
import { valueColumns } from '../../plan/schema.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import type { KeyValueStore } from '../../state/store.ts'
import { ValueVector } from '../../formats/vector.ts'
import type { Batch } from '../batch.ts'
import type { Operator, OperatorContext } from '../operator.ts'
import { storedRowCodec, type StoredRow } from './materialise.ts'
import { WindowedRowKeys } from './row-keys.ts'
import { rowValues } from './row-values.ts'

/**
 * Each row of the stream (input 0) looks up the table's (input 1) row of its key as it is at that point;
 * changes of the table put nothing out. Of rows of the same time the table's come first. INNER drops rows without a partner, LEFT pads them with nulls, also
 * those without a key. Rows with a null value are dropped. The result has the stream's timestamp. Where
 * keys carry windows, they match when the windows do.
 *
 * State: store `right`, key → {@link StoredRow}. Needs no old values.
 */
export class StreamTableJoinOperator implements Operator {
  readonly #context: OperatorContext
  readonly #node: StreamTableJoinNode
  readonly #leftKeys: WindowedRowKeys
  readonly #rightKeys: WindowedRowKeys
  readonly #right: KeyValueStore<StoredRow>
  readonly #rightColumns: number

  constructor(node: StreamTableJoinNode, context: OperatorContext) {
    this.#context = context
    this.#node = node
    this.#leftKeys = new WindowedRowKeys(node.left.schema, node.left.windowed)
    this.#rightKeys = new WindowedRowKeys(node.right.schema, node.right.windowed)
    this.#right = context.stores.keyValue('right', storedRowCodec(node.right.schema))
    this.#rightColumns = valueColumns(node.right.schema).length
  }

  prepare(input: number, batch: Batch): Promise<void> | undefined {
    return this.#right.load((input === 0 ? this.#leftKeys : this.#rightKeys).of(batch))
  }

  process(input: number, batch: Batch): void {
    if (input === 0) this.#processMerged(batch, null)
    else this.#processMerged(null, batch)
  }

  processMerged(batches: readonly (Batch | null)[]): void {
    this.#processMerged(batches[0]!, batches[1]!)
  }

  flush(): void {}

  advance(): Promise<void> {
    return Promise.resolve()
  }

  nextTimerMs(): null {
    return null
  }

  /** Both sides in order of time; of equal times the table's rows first. */
  #processMerged(left: Batch | null, right: Batch | null): void {
    const rightSize = right === null ? 0 : right.size
    let nextRight = 0
    const keepUntil = (orderMs: number): void => {
      for (; nextRight < rightSize; nextRight++) {
        const row = right!.position(nextRight)
        if (right!.orderAt(row) > orderMs) return
        this.#keep(right!, row)
      }
    }
    if (left !== null) {
      const found = new Found(left.rows)
      for (let n = 0; n < left.size; n++) {
        const row = left.position(n)
        keepUntil(left.orderAt(row))
        this.#lookUp(left, row, found)
      }
      this.#emit(left, found)
    }
    keepUntil(Infinity)
  }

  #keep(batch: Batch, row: number): void {
    const key = this.#rightKeys.at(batch, row)
    if (key === null) {
      this.#context.drop('null-key', batch, row)
      return
    }
    if (batch.isAbsent(row)) {
      this.#right.remove(key)
      return
    }
    const values = rowValues(batch, row, this.#rightKeys.columns, batch.schema.columns.length)
    this.#right.put(key, [batch.timestamps[row]!, ...values])
  }

  #lookUp(batch: Batch, row: number, found: Found): void {
    if (batch.isAbsent(row)) {
      this.#context.drop('null-value', batch, row)
      return
    }
    const key = this.#leftKeys.at(batch, row)
    const partner = key === null ? undefined : this.#right.get(key)
    if (partner === undefined && this.#node.join === 'INNER') {
      if (key === null) this.#context.drop('null-key', batch, row)
      return
    }
    found.rows[found.count++] = row
    if (partner !== undefined) found.partners[row] = partner
  }

  /** The stream's rows as they are, and beside them the columns of what was found. */
  #emit(left: Batch, found: Found): void {
    if (found.count === 0) return
    const { partners } = found
    const rows = found.rows.subarray(0, found.count)
    const columns = Array.from({ length: this.#rightColumns }, (_, column) => {
      const values = new Array<SqlValue>(left.rows).fill(null)
      for (const row of rows) {
        const partner = partners[row]
        if (partner) values[row] = partner[column + 1]!
      }
      return new ValueVector(values)
    })
    this.#context.emit(
      left.with({
        schema: this.#node.schema,
        vectors: [...left.vectors, ...columns],
        selection: rows,
        absent: null,
      }),
    )
  }
}

/** The rows of a batch that go on, and what was found for them. */
class Found {
  readonly rows: Int32Array
  count = 0
  /** By position; null: nothing. */
  readonly partners: (StoredRow | null)[]

  constructor(rows: number) {
    this.rows = new Int32Array(rows)
    this.partners = new Array<StoredRow | null>(rows).fill(null)
  }
}
