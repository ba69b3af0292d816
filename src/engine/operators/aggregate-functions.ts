import { QueryError } from '../../base/errors.ts'
import { assert, AssertionFailure } from '../../base/assert.ts'
import type { BoundAggregate } from '../../functions/function.ts'
import type { AggregateCall } from '../../plan/expression.ts'
import { BIGINT, type SqlType } from '../../plan/sql-type.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import type { Schema } from '../../plan/schema.ts'
import type { Batch } from '../batch.ts'
import type { OperatorContext } from '../operator.ts'

/**
 * A group as it lies in a store: the highest event time of its rows (epoch ms), then one state per
 * aggregate. Never changed in place.
 */
export type GroupState = Row

/**
 * The aggregates of one node as one function over groups. An aggregate that fails stops the query:
 * leaving its row out would skew the group for ever.
 */
export class AggregateFunctions {
  readonly #calls: readonly AggregateCall[]
  readonly #bound: readonly BoundAggregate[]

  constructor(
    calls: readonly AggregateCall[],
    context: Pick<OperatorContext, 'functions' | 'functionContext'>,
  ) {
    this.#calls = calls
    this.#bound = calls.map((call) =>
      context.functions.aggregateBody(
        call.function,
        call.signature,
        call.args.map((arg) => arg.type),
        call.parameters,
        call.type,
        context.functionContext,
      ),
    )
  }

  /** Column types of {@link GroupState}. */
  get stateTypes(): readonly SqlType[] {
    return [BIGINT, ...this.#bound.map((aggregate) => aggregate.stateType)]
  }

  /** The group with one more row. `args`: per aggregate the values of its arguments. */
  add(group: GroupState | undefined, timestampMs: number, args: readonly Row[]): GroupState {
    const bound = this.#bound
    const next: SqlValue[] = [latest(group, timestampMs)]
    let i = 0
    try {
      for (; i < bound.length; i++) {
        const aggregate = bound[i]!
        next.push(aggregate.add(group === undefined ? aggregate.initial() : group[i + 1]!, args[i]!))
      }
    } catch (error) {
      throw this.#failed(i, error)
    }
    return next
  }

  /** A group of no rows. */
  empty(): GroupState {
    return [0, ...this.#bound.map((aggregate) => aggregate.initial())]
  }

  /** The group without a row that was added before. */
  undo(group: GroupState, timestampMs: number, args: readonly Row[]): GroupState {
    return this.#each(latest(group, timestampMs), (aggregate, i) => {
      assert(aggregate.undo, 'aggregates over tables can be undone')
      return aggregate.undo(group[i + 1]!, args[i]!)
    })
  }

  merge(earlier: GroupState, later: GroupState): GroupState {
    return this.#each(latest(earlier, later[0] as number), (aggregate, i) =>
      aggregate.merge(earlier[i + 1]!, later[i + 1]!),
    )
  }

  /** One value per aggregate. */
  results(group: GroupState): Row {
    const bound = this.#bound
    const values: SqlValue[] = []
    let i = 0
    try {
      for (; i < bound.length; i++) values.push(bound[i]!.result(group[i + 1]!))
    } catch (error) {
      throw this.#failed(i, error)
    }
    return values
  }

  #each(timestampMs: number, step: (aggregate: BoundAggregate, index: number) => SqlValue): GroupState {
    const next: SqlValue[] = [timestampMs]
    this.#bound.forEach((aggregate, i) => {
      try {
        next.push(step(aggregate, i))
      } catch (error) {
        throw this.#failed(i, error)
      }
    })
    return next
  }

  #failed(index: number, error: unknown): unknown {
    if (error instanceof QueryError || error instanceof AssertionFailure) return error
    return new QueryError('QUERY_AGGREGATE_FAILED', {
      message: `Aggregate ${this.#calls[index]!.function} failed: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'Leave out the rows it fails on with WHERE.',
      cause: error,
    })
  }
}

function latest(group: GroupState | undefined, timestampMs: number): number {
  return group === undefined ? timestampMs : Math.max(group[0] as number, timestampMs)
}

/** Evaluates the arguments of all aggregates on rows of a batch. */
export function compileArguments(
  calls: readonly AggregateCall[],
  context: Pick<OperatorContext, 'compileBatch'>,
  schema: Schema,
): (batch: Batch, row: number) => readonly Row[] {
  const compiled = calls.map((call) => call.args.map((arg) => context.compileBatch(arg, schema)))
  return (batch, row) => {
    const rows: Row[] = []
    for (const args of compiled) {
      const values: SqlValue[] = []
      for (const arg of args) values.push(arg(batch, row))
      rows.push(values)
    }
    return rows
  }
}
