import type { StreamTableJoinNode } from '../../plan/plan-node.ts'
import { valueColumns } from '../../plan/schema.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import type { KeyValueStore } from '../../state/store.ts'
import { BatchBuilder, type Batch } from '../batch.ts'
import type { Operator, OperatorContext } from '../operator.ts'
import { mergedRows } from './merged-rows.ts'
import { storedRowCodec, type StoredRow } from './materialise.ts'
import { WindowedRowKeys } from './row-keys.ts'
import { rowValues } from './row-values.ts'

/**
 * Each row of the stream (input 0) looks up the table's (input 1) row of its key as it is at that point;
 * changes of the table put nothing out. INNER drops rows without a partner, LEFT pads them with nulls, also
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
  readonly #padding: readonly SqlValue[]
  readonly #builder: BatchBuilder

  constructor(node: StreamTableJoinNode, context: OperatorContext) {
    this.#context = context
    this.#node = node
    this.#leftKeys = new WindowedRowKeys(node.left.schema, node.left.windowed)
    this.#rightKeys = new WindowedRowKeys(node.right.schema, node.right.windowed)
    this.#right = context.stores.keyValue('right', storedRowCodec(node.right.schema))
    this.#padding = valueColumns(node.right.schema).map(() => null)
    this.#builder = new BatchBuilder(node.schema)
  }

  prepare(input: number, batch: Batch): Promise<void> | undefined {
    return this.#right.load((input === 0 ? this.#leftKeys : this.#rightKeys).of(batch))
  }

  process(input: number, batch: Batch): void {
    for (let n = 0; n < batch.size; n++) this.#processRow(input, batch, batch.position(n))
    this.#take()
  }

  processMerged(batches: readonly (Batch | null)[]): void {
    for (const { input, batch, row } of mergedRows(batches)) this.#processRow(input, batch, row)
    this.#take()
  }

  flush(): void {}

  advance(): Promise<void> {
    return Promise.resolve()
  }

  nextTimerMs(): null {
    return null
  }

  #processRow(input: number, batch: Batch, row: number): void {
    if (input === 0) this.#lookUp(batch, row)
    else this.#keep(batch, row)
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

  #lookUp(batch: Batch, row: number): void {
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
    const keyCount = this.#leftKeys.columns
    this.#builder.add({
      key: rowValues(batch, row, 0, keyCount),
      value: [
        ...rowValues(batch, row, keyCount, batch.schema.columns.length),
        ...(partner === undefined ? this.#padding : partner.slice(1)),
      ],
      timestampMs: batch.timestamps[row]!,
      ...(batch.windows === null
        ? {}
        : { windowStartMs: batch.windows.starts[row]!, windowEndMs: batch.windows.ends[row]! }),
      headers: batch.headersOf(row),
    })
  }

  #take(): void {
    const batch = this.#builder.take()
    if (batch !== null) this.#context.emit(batch)
  }
}
