import type { TableAggregateNode } from '../../plan/plan-node.ts'
import type { Row } from '../../plan/sql-value.ts'
import type { Schema } from '../../plan/schema.ts'
import type { KeyValueStore } from '../../state/store.ts'
import { rowCodec } from '../../state/value-codec.ts'
import type { Batch } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { committedBatches, committedRows } from './committed-rows.ts'
import { AggregateFunctions, type GroupState } from './aggregate-functions.ts'
import { ChangeOutput } from './change-output.ts'
import { RowKeys } from './row-keys.ts'
import { oldRowValues, rowValues } from './row-values.ts'
import { tableRekeySchema } from './table-rekey.ts'

/**
 * The second half of GROUP BY over a table: takes what `tableRekey` puts out (key: the group;
 * old values: arguments to undo; new values: arguments to add) and puts out one change of the group for
 * each row. A group stays when its last row is gone: its aggregates are then those of no rows.
 *
 * State: store `groups`, group key → {@link GroupState}.
 */
export class TableAggregateOperator implements Operator {
  readonly #context: OperatorContext
  readonly #schema: Schema
  readonly #keys: RowKeys
  readonly #argCounts: readonly number[]
  readonly #columns: number
  readonly #functions: AggregateFunctions
  readonly #groups: KeyValueStore<GroupState>
  readonly #output: ChangeOutput

  constructor(node: TableAggregateNode, context: OperatorContext) {
    this.#context = context
    this.#schema = node.schema
    const schema = tableRekeySchema(node)
    this.#keys = new RowKeys(schema)
    this.#columns = schema.columns.length
    this.#argCounts = node.aggregates.map((call) => call.args.length)
    const functions = new AggregateFunctions(node.aggregates, context)
    this.#functions = functions
    this.#groups = context.stores.keyValue('groups', rowCodec(functions.stateTypes))
    this.#output = new ChangeOutput(context, {
      schema: node.schema,
      identify: (key) => ({ key: this.#keys.values(key) }),
      present: (group) => functions.results(group),
    })
  }

  prepare(_input: number, batch: Batch): Promise<void> | undefined {
    return this.#groups.load(this.#keys.of(batch))
  }

  process(_input: number, batch: Batch): void {
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const key = this.#keys.at(batch, row)
      if (key === null) {
        this.#context.drop('null-key', batch, row)
        continue
      }
      const before = this.#groups.get(key)
      const timestampMs = batch.timestamps[row]!
      const undo = oldRowValues(batch, row, this.#keys.columns, this.#columns)
      let after = before
      // A row that was never added (its change came from before the query) can't be taken back.
      if (undo !== null && after !== undefined) {
        after = this.#functions.undo(after, timestampMs, this.#split(undo), batch, row)
      }
      if (!batch.isAbsent(row)) {
        const args = this.#split(rowValues(batch, row, this.#keys.columns, this.#columns))
        after = this.#functions.add(after, timestampMs, args, batch, row)
      }
      if (after === undefined || after === before) continue
      this.#groups.put(key, after)
      this.#output.add({
        key,
        timestampMs: after[0] as number,
        value: after,
        old: before ?? null,
        headers: batch.headersOf(row),
      })
    }
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
    return committedBatches(this.#schema, committedRows(this.#groups, range), (row) => ({
      key: this.#keys.values(row.key),
      timestampMs: row.value[0] as number,
      value: this.#functions.results(row.value),
    }))
  }

  /** The flat argument columns, per aggregate. */
  #split(values: Row): readonly Row[] {
    let at = 0
    return this.#argCounts.map((count) => values.slice(at, (at += count)))
  }
}
