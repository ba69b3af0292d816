import type { LagNode } from '../../plan/plan-node.ts'
import { arrayOf } from '../../plan/sql-type.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import { ValueVector } from '../../formats/vector.ts'
import type { KeyValueStore } from '../../state/store.ts'
import { rowCodec } from '../../state/value-codec.ts'
import type { Batch } from '../batch.ts'
import type { Operator, OperatorContext } from '../operator.ts'
import { WindowedRowKeys } from './row-keys.ts'

/**
 * Each row gets, beside its columns, values of earlier rows of its key, in the order in which rows come.
 * A row without a key has no rows before it. Rows with a null value go on and count as no row.
 *
 * State: store `rows`, key → one array per call of the values of its last rows, oldest first.
 */
export class LagOperator implements Operator {
  readonly #context: OperatorContext
  readonly #node: LagNode
  readonly #keys: WindowedRowKeys
  readonly #args: readonly ((batch: Batch, row: number) => SqlValue)[]
  readonly #rows: KeyValueStore<Row>

  constructor(node: LagNode, context: OperatorContext) {
    const { schema, windowed } = node.input
    this.#context = context
    this.#node = node
    this.#keys = new WindowedRowKeys(schema, windowed)
    this.#args = node.calls.map((call) => context.compileBatch(call.arg, schema))
    this.#rows = context.stores.keyValue('rows', rowCodec(node.calls.map((call) => arrayOf(call.type))))
  }

  prepare(_input: number, batch: Batch): Promise<void> | undefined {
    return this.#rows.load(this.#keys.of(batch))
  }

  process(_input: number, batch: Batch): void {
    const { calls, schema } = this.#node
    const added = calls.map(() => new Array<SqlValue>(batch.rows).fill(null))
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const key = batch.isAbsent(row) ? null : this.#keys.at(batch, row)
      if (key === null) continue
      const before = this.#rows.get(key)
      const after = calls.map((call, i): SqlValue => {
        // Written by this operator: an array per call.
        const values = (before?.[i] ?? []) as readonly SqlValue[]
        added[i]![row] = values.length < call.rows ? null : values[values.length - call.rows]!
        const kept = values.length < call.rows ? values : values.slice(1)
        return [...kept, this.#args[i]!(batch, row)]
      })
      this.#rows.put(key, after)
    }
    this.#context.emit(
      batch.with({ schema, vectors: [...batch.vectors, ...added.map((values) => new ValueVector(values))] }),
    )
  }

  flush(): void {}

  advance(): Promise<void> {
    return Promise.resolve()
  }

  nextTimerMs(): null {
    return null
  }
}
