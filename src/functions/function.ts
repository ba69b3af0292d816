import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'

/** What function bodies may reach beside their arguments. */
export interface FunctionContext {
  readonly clock: Clock
  readonly random: Random
  /** Settings `ksql.functions.<name>.*` and the like, by full name. */
  readonly settings: ReadonlyMap<string, string>
}

/** A body after binding. A failure is an exception: the expression is then null and reported. Lambdas arrive as functions. */
export type ScalarBody = (...args: readonly never[]) => SqlValue

/** An argument as the resolver sees it. */
export type ArgumentType =
  /** null: an untyped NULL, which fits everywhere. */
  | { readonly kind: 'value'; readonly type: SqlType | null }
  /** The body is typed once the parameters' types are known; `typeBody` throws SqlError where it can't be. */
  | {
      readonly kind: 'lambda'
      readonly arity: number
      readonly typeBody: (parameters: readonly SqlType[]) => SqlType
    }

/** A chosen overload. */
export interface ResolvedScalar {
  readonly function: string
  /** Position among the function's overloads. */
  readonly signature: number
  readonly returns: SqlType
  /** Types the arguments must have after implicit conversion; for a lambda its result. One entry per argument. */
  readonly arguments: readonly SqlType[]
  /** Types of each lambda's parameters, by argument position; null where the argument is a value. */
  readonly lambdaParameters: readonly (readonly SqlType[] | null)[]
}

export interface ResolvedAggregate {
  readonly function: string
  readonly signature: number
  readonly returns: SqlType
  readonly arguments: readonly SqlType[]
  /** How many of the arguments, from the end, are literal parameters rather than columns. */
  readonly parameterCount: number
  readonly undoable: boolean
}

export interface ResolvedTableFunction {
  readonly function: string
  readonly signature: number
  readonly returns: SqlType
  readonly arguments: readonly SqlType[]
}

export type FunctionKind = 'scalar' | 'aggregate' | 'table'

/**
 * An aggregate after binding. States are SQL values of `stateType`, so that stores can hold them, and are
 * never changed in place: each step returns the next state.
 */
export interface BoundAggregate {
  readonly stateType: SqlType
  initial(): SqlValue
  /** `args`: one value per column argument. Decides itself what nulls mean. */
  add(state: SqlValue, args: readonly SqlValue[]): SqlValue
  /** Takes back an earlier `add`; null: not possible, refused over tables. */
  readonly undo: ((state: SqlValue, args: readonly SqlValue[]) => SqlValue) | null
  /** Of two sessions: `earlier` happened first. */
  merge(earlier: SqlValue, later: SqlValue): SqlValue
  result(state: SqlValue): SqlValue
  /** The same aggregate over fixed-size numeric state, where it has one. */
  readonly slots: SlotAggregate | null
}

/**
 * An aggregate whose state is `width` doubles in a shared array and whose one argument is a non-null
 * number (or, without arguments, nothing). Must equal the general form; a property test holds the two equal.
 */
export interface SlotAggregate {
  readonly width: number
  readonly initial: readonly number[]
  add(state: Float64Array, at: number, value: number): void
  merge(into: Float64Array, at: number, from: Float64Array, fromAt: number): void
  /** NaN with `isNull` true means null. */
  result(state: Float64Array, at: number): number
  isNull(state: Float64Array, at: number): boolean
}

/** The functions of the dialect, by name. `functions/registry.ts` implements it. */
export interface FunctionRegistry {
  kindOf(name: string): FunctionKind | undefined
  names(): readonly string[]
  /** @throws SqlError without position: unknown overload, ambiguous call; the caller adds the place */
  resolveScalar(name: string, args: readonly ArgumentType[]): ResolvedScalar
  resolveAggregate(name: string, args: readonly (SqlType | null)[]): ResolvedAggregate
  resolveTable(name: string, args: readonly (SqlType | null)[]): ResolvedTableFunction
  scalarBody(
    name: string,
    signature: number,
    args: readonly SqlType[],
    returns: SqlType,
    context: FunctionContext,
  ): ScalarBody
  aggregateBody(
    name: string,
    signature: number,
    args: readonly SqlType[],
    parameters: readonly SqlValue[],
    returns: SqlType,
    context: FunctionContext,
  ): BoundAggregate
  /** Yields the result rows of one call. */
  tableBody(
    name: string,
    signature: number,
    args: readonly SqlType[],
    returns: SqlType,
    context: FunctionContext,
  ): (...args: SqlValue[]) => readonly SqlValue[]
}
