import type { AggregateNode } from '../../plan/plan-node.ts'
import type { Schema } from '../../plan/schema.ts'
import type { KeyValueStore } from '../../state/store.ts'
import { rowCodec } from '../../state/value-codec.ts'
import type { Batch } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { committedBatches, committedRows } from './committed-rows.ts'
import { AggregateFunctions, compileArguments, type GroupState } from './aggregate-functions.ts'
import { ChangeOutput } from './change-output.ts'
import { RowKeys } from './row-keys.ts'

/**
 * GROUP BY over a stream without windows. State: store `groups`, group key → {@link GroupState}.
 * Rows without a key or with a null value count for nothing. A result's timestamp is the highest event
 * time of the group's rows.
 */
export class AggregateOperator implements Operator {
  readonly #context: OperatorContext
  readonly #schema: Schema
  readonly #keys: RowKeys
  readonly #functions: AggregateFunctions
  readonly #arguments: ReturnType<typeof compileArguments>
  readonly #groups: KeyValueStore<GroupState>
  readonly #output: ChangeOutput

  constructor(node: AggregateNode, context: OperatorContext) {
    this.#context = context
    this.#schema = node.schema
    this.#keys = new RowKeys(node.schema)
    const functions = new AggregateFunctions(node.aggregates, context)
    this.#functions = functions
    this.#arguments = compileArguments(node.aggregates, context, node.input.schema)
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
      if (batch.isAbsent(row)) {
        this.#context.drop('null-value', batch, row)
        continue
      }
      const before = this.#groups.get(key)
      const after = this.#functions.add(
        before,
        batch.timestamps[row]!,
        this.#arguments(batch, row),
        batch,
        row,
      )
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
}
