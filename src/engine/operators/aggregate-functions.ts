import { QueryError } from '../../base/errors.ts'
import { assert } from '../../base/assert.ts'
import type { BoundAggregate } from '../../functions/function.ts'
import type { AggregateCall } from '../../plan/expression.ts'
import { BIGINT, type SqlType } from '../../plan/sql-type.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
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
    return this.#next(group, timestampMs, (aggregate, state, i) => aggregate.add(state, args[i]!))
  }

  /** The group without a row that was added before. */
  undo(group: GroupState, timestampMs: number, args: readonly Row[]): GroupState {
    return this.#next(group, timestampMs, (aggregate, state, i) => {
      assert(aggregate.undo, 'aggregates over tables can be undone')
      return aggregate.undo(state, args[i]!)
    })
  }

  merge(earlier: GroupState, later: GroupState): GroupState {
    return this.#next(earlier, later[0] as number, (aggregate, state, i) =>
      aggregate.merge(state, later[i + 1]!),
    )
  }

  /** One value per aggregate. */
  results(group: GroupState): Row {
    return this.#bound.map((aggregate, i) => this.#guarded(i, () => aggregate.result(group[i + 1]!)))
  }

  #next(
    group: GroupState | undefined,
    timestampMs: number,
    step: (aggregate: BoundAggregate, state: SqlValue, index: number) => SqlValue,
  ): GroupState {
    const next: SqlValue[] = [group === undefined ? timestampMs : Math.max(group[0] as number, timestampMs)]
    this.#bound.forEach((aggregate, i) => {
      next.push(
        this.#guarded(i, () => step(aggregate, group === undefined ? aggregate.initial() : group[i + 1]!, i)),
      )
    })
    return next
  }

  #guarded(index: number, compute: () => SqlValue): SqlValue {
    try {
      return compute()
    } catch (error) {
      if (error instanceof QueryError) throw error
      throw new QueryError('QUERY_AGGREGATE_FAILED', {
        message: `Aggregate ${this.#calls[index]!.function} failed: ${error instanceof Error ? error.message : String(error)}`,
        hint: 'Leave out the rows it fails on with WHERE.',
        cause: error,
      })
    }
  }
}

/** Evaluates the arguments of all aggregates on rows of a batch. */
export function compileArguments(
  calls: readonly AggregateCall[],
  context: Pick<OperatorContext, 'compileBatch'>,
  schema: Parameters<OperatorContext['compileBatch']>[1],
): (batch: Parameters<ReturnType<OperatorContext['compileBatch']>>[0], row: number) => readonly Row[] {
  const compiled = calls.map((call) => call.args.map((arg) => context.compileBatch(arg, schema)))
  return (batch, row) => compiled.map((args) => args.map((arg) => arg(batch, row)))
}
