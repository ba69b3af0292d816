import type {
  AggregateExample,
  AggregateFunction,
  AggregateOverload,
} from '../../functions/aggregate-function.ts'
import { variablesOf } from '../../functions/type-pattern.ts'
import { structOf, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import type { ColumnType, ColumnTypes } from '../column-type.ts'
import { patternOf, type Argument, type ArgumentTypes, type ValueOf, type ValuesOf } from './argument.ts'
import type { FunctionDescription } from './scalar.ts'
import {
  argumentReader,
  nullCheck,
  patternsOf,
  resultOf,
  typesOf,
  type FunctionCall,
  type ResultType,
} from './signature.ts'
import { fromProgram, toProgram } from './value.ts'

/** The type of a state: a column's type, or several under names. */
export type StateType =
  | ColumnType<unknown>
  | Argument<unknown>
  | Readonly<Record<string, ColumnType<unknown> | Argument<unknown>>>

/** A state as the steps of an aggregate see it: nothing in it is null, unless `nullable()` says so. */
export type StateOf<S extends StateType> =
  S extends Argument<infer T>
    ? Present<T>
    : S extends ColumnType<infer T>
      ? Present<T>
      : { readonly [K in keyof S]: S[K] extends ColumnType<infer T> ? Present<T> : ValueOf<S[K]> }

/** The same without nulls inside arrays and maps. */
type Present<T> = T extends readonly (infer E)[]
  ? readonly Present<NonNullable<E>>[]
  : T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<K, Present<NonNullable<V>>>
    : T

/** What the steps of an aggregate may know of their call. */
export interface AggregateFunctionCall<
  A extends ArgumentTypes,
  P extends ColumnTypes,
> extends FunctionCall<A> {
  /** The literal arguments by name. */
  readonly parameters: { readonly [K in keyof P]: ValueOf<P[K]> }
}

/**
 * One way of calling an aggregate: a state, and the steps that make and read it. A step returns the next
 * state and never changes the one it is given. A step that throws stops the query with the record's place:
 * leaving the row out would skew the group for ever.
 */
export interface AggregateSignature<A extends ArgumentTypes, P extends ColumnTypes, S extends StateType, R> {
  /** Columns by name. A row with a null that isn't `nullable()` counts for nothing. */
  readonly args: A
  /** Literal arguments after the columns. */
  readonly parameters?: P
  /** What is kept per group, in the stores and their changelogs. */
  readonly state: S | ((types: FunctionCall<A>['types']) => S)
  readonly returns: ResultType<A, R>
  /** The state of a group without rows. Also called when a statement is checked: throws for bad parameters. */
  readonly initial: (call: AggregateFunctionCall<A, P>) => StateOf<S>
  readonly add: (state: StateOf<S>, args: ValuesOf<A>, call: AggregateFunctionCall<A, P>) => StateOf<S>
  /** Takes back an earlier `add`. Without it the aggregate is refused over tables. */
  readonly undo?: (state: StateOf<S>, args: ValuesOf<A>, call: AggregateFunctionCall<A, P>) => StateOf<S>
  /** Of two sessions that become one. */
  readonly merge: (earlier: StateOf<S>, later: StateOf<S>, call: AggregateFunctionCall<A, P>) => StateOf<S>
  readonly result: (state: StateOf<S>, call: AggregateFunctionCall<A, P>) => NoInfer<R> | null
}

/** With several ways of calling it. The usual form comes last: the compiler's messages are about that one. */
export function aggregateFunction(
  declaration: FunctionDescription & {
    readonly overloads: readonly AggregateOverload[]
    readonly examples?: readonly AggregateExample[]
  },
): AggregateFunction
/**
 * Declares an aggregate function.
 *
 * ```ts
 * const range = aggregateFunction({
 *   name: 'RANGE',
 *   summary: 'The difference between the highest and the lowest value.',
 *   args: { value: double() },
 *   state: { low: double(), high: double() },
 *   returns: double(),
 *   initial: () => ({ low: Infinity, high: -Infinity }),
 *   add: ({ low, high }, { value }) => ({ low: Math.min(low, value), high: Math.max(high, value) }),
 *   merge: (a, b) => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) }),
 *   result: ({ low, high }) => (high < low ? null : high - low),
 *   examples: [{ rows: ['3', '10', '5'], result: 7 }],
 * })
 * ```
 *
 * Examples are checked at registration: also in two parts that are merged, and with each row added once more
 * and taken back.
 */
export function aggregateFunction<
  A extends ArgumentTypes,
  S extends StateType,
  R,
  P extends ColumnTypes = Record<never, never>,
>(
  declaration: FunctionDescription &
    AggregateSignature<A, P, S, R> & { readonly examples?: readonly AggregateExample[] },
): AggregateFunction
export function aggregateFunction<A extends ArgumentTypes, P extends ColumnTypes, S extends StateType, R>(
  declaration: FunctionDescription & {
    readonly examples?: readonly AggregateExample[]
  } & (AggregateSignature<A, P, S, R> | { readonly overloads: readonly AggregateOverload[] }),
): AggregateFunction {
  const { name, summary, examples = [] } = declaration
  const overloads = 'overloads' in declaration ? declaration.overloads : [aggregateOverload(declaration)]
  return {
    kind: 'aggregate',
    name: name.toUpperCase(),
    category: 'user',
    summary,
    overloads,
    implicitCasts: true,
    examples,
  }
}

/** One of the `overloads` of an {@link aggregateFunction}. */
export function aggregateOverload<
  A extends ArgumentTypes,
  S extends StateType,
  R,
  P extends ColumnTypes = Record<never, never>,
>(signature: AggregateSignature<A, P, S, R>): AggregateOverload {
  const { args, parameters: parameterTypes, state, returns, initial, add, undo, merge, result } = signature
  const parameterNames = Object.keys(parameterTypes ?? {})
  const parameterSql = Object.values(parameterTypes ?? {}).map((type) => type.sql)
  type State = StateOf<S>
  type Values = ValuesOf<A>
  return {
    args: patternsOf(args),
    parameters: Object.fromEntries(parameterNames.map((name, i) => [name, parameterSql[i]!])),
    returns: resultOf(args, returns),
    undoable: undo !== undefined,
    bind(types, parameters, resultType, context) {
      const call: AggregateFunctionCall<A, P> = {
        ...context,
        types: typesOf(args, types),
        returns: resultType,
        parameters: parameterValues(parameterNames, parameterSql, parameters) as AggregateFunctionCall<
          A,
          P
        >['parameters'],
      }
      const stateType = stateTypeOf(typeof state === 'function' ? state(call.types) : state)
      const readArguments = argumentReader(args, types)
      const isNull = nullCheck(args, types.length)
      const read = toProgram(stateType) as (value: SqlValue) => State
      const write = fromProgram(stateType)
      const convert = fromProgram(resultType)
      // Refuses bad parameters, and states that are not of their type, before anything runs.
      write(initial(call))
      return {
        stateType,
        initial: () => write(initial(call)),
        add: (before, values) =>
          isNull(values) ? before : write(add(read(before), readArguments(values) as Values, call)),
        undo:
          undo === undefined
            ? null
            : (before, values) =>
                isNull(values) ? before : write(undo(read(before), readArguments(values) as Values, call)),
        merge: (earlier, later) => write(merge(read(earlier), read(later), call)),
        result: (at) => convert(result(read(at), call)),
        slots: null,
      }
    },
  }
}

/** @throws TypeError a state can't be kept: its type is open, or no type at all */
function stateTypeOf(state: StateType): SqlType {
  const type = isSingle(state)
    ? sqlOf(state)
    : structOf(Object.entries(state).map(([name, of]) => ({ name, type: sqlOf(of) })))
  return type
}

function isSingle(state: StateType): state is ColumnType<unknown> | Argument<unknown> {
  const { sql, pattern } = state as {
    readonly sql?: { readonly kind?: unknown }
    readonly pattern?: { readonly kind?: unknown }
  }
  return typeof (sql?.kind ?? pattern?.kind) === 'string'
}

function sqlOf(type: ColumnType<unknown> | Argument<unknown>): SqlType {
  const pattern = patternOf(type)
  if (
    pattern.kind === 'OPTIONAL' ||
    pattern.kind === 'VARIADIC' ||
    pattern.kind === 'LAMBDA' ||
    pattern.kind === 'ANY' ||
    pattern.kind === 'ANY_DECIMAL' ||
    variablesOf(pattern).length > 0
  ) {
    throw new TypeError('the type of its state is open: give a function of the types of the arguments.')
  }
  return pattern as SqlType
}

function parameterValues(
  names: readonly string[],
  types: readonly SqlType[],
  values: readonly SqlValue[],
): Record<string, unknown> {
  return Object.fromEntries(
    names.map((name, i) => {
      if (values[i] === null) throw new TypeError(`its argument ${name} can't be NULL.`)
      return [name, toProgram(types[i]!)(values[i]!)]
    }),
  )
}
