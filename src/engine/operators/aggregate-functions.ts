import { FunctionError, QueryError } from '../../base/errors.ts'
import { assert, AssertionFailure } from '../../base/assert.ts'
import type { BoundAggregate } from '../../functions/function.ts'
import type { AggregateCall } from '../../plan/expression.ts'
import { BIGINT, printType, sameType, type SqlType } from '../../plan/sql-type.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import type { Schema } from '../../plan/schema.ts'
import type { Batch } from '../batch.ts'
import type { OperatorContext } from '../operator.ts'
import { placeOf, placeText } from '../record-place.ts'

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
    calls.forEach(({ function: name, stateType }, i) => {
      const found = this.#bound[i]!.stateType
      if (stateType === undefined || sameType(stateType, found)) return
      throw new FunctionError('FUNCTION_CHANGED', {
        message: `The query keeps ${printType(stateType)} for ${name}, which now keeps ${printType(found)}.`,
        hint: 'Register the function it was made with, or drop the query and create it anew.',
      })
    })
  }

  /** Column types of {@link GroupState}. */
  get stateTypes(): readonly SqlType[] {
    return [BIGINT, ...this.#bound.map((aggregate) => aggregate.stateType)]
  }

  /**
   * The group with one more row.
   *
   * @param args  per aggregate the values of its arguments
   * @param batch, row  where they came from, for errors
   */
  add(
    group: GroupState | undefined,
    timestampMs: number,
    args: readonly Row[],
    batch?: Batch,
    row?: number,
  ): GroupState {
    const bound = this.#bound
    const next: SqlValue[] = [latest(group, timestampMs)]
    let i = 0
    try {
      for (; i < bound.length; i++) {
        const aggregate = bound[i]!
        next.push(aggregate.add(group === undefined ? aggregate.initial() : group[i + 1]!, args[i]!))
      }
    } catch (error) {
      throw this.#failed(i, error, batch, row)
    }
    return next
  }

  /** A group of no rows. */
  empty(): GroupState {
    return [0, ...this.#bound.map((aggregate) => aggregate.initial())]
  }

  /** The group without a row that was added before. */
  undo(
    group: GroupState,
    timestampMs: number,
    args: readonly Row[],
    batch?: Batch,
    row?: number,
  ): GroupState {
    const step = (aggregate: BoundAggregate, i: number): SqlValue => {
      assert(aggregate.undo, 'aggregates over tables can be undone')
      return aggregate.undo(group[i + 1]!, args[i]!)
    }
    return this.#each(latest(group, timestampMs), step, batch, row)
  }

  /** @param batch, row  what joins the two, for errors */
  merge(earlier: GroupState, later: GroupState, batch?: Batch, row?: number): GroupState {
    const step = (aggregate: BoundAggregate, i: number): SqlValue =>
      aggregate.merge(earlier[i + 1]!, later[i + 1]!)
    return this.#each(latest(earlier, later[0] as number), step, batch, row)
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

  #each(
    timestampMs: number,
    step: (aggregate: BoundAggregate, index: number) => SqlValue,
    batch: Batch | undefined,
    row: number | undefined,
  ): GroupState {
    const next: SqlValue[] = [timestampMs]
    this.#bound.forEach((aggregate, i) => {
      try {
        next.push(step(aggregate, i))
      } catch (error) {
        throw this.#failed(i, error, batch, row)
      }
    })
    return next
  }

  #failed(index: number, error: unknown, batch?: Batch, row = 0): unknown {
    if (error instanceof QueryError || error instanceof AssertionFailure) return error
    const on = batch === undefined ? '' : ` on ${placeText(placeOf(batch, row), batch.timestamps[row]!)}`
    return new QueryError('QUERY_AGGREGATE_FAILED', {
      message: `Aggregate ${this.#calls[index]!.function} failed${on}: ${error instanceof Error ? error.message : String(error)}`,
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
