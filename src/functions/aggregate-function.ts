import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import type { BoundAggregate, FunctionContext } from './function.ts'
import type { ArgumentPattern, TypePattern } from './type-pattern.ts'
import type { FunctionCategory } from './scalar-function.ts'

export interface AggregateOverload {
  /** Column arguments by name, in order. A variadic one may stand last. */
  readonly args: Readonly<Record<string, ArgumentPattern>>
  /** Literal arguments after the columns, by name. */
  readonly parameters?: Readonly<Record<string, SqlType>>
  readonly returns: TypePattern | ((args: readonly SqlType[]) => SqlType)
  /** Whether tables may use it: {@link BoundAggregate.undo} is there. */
  readonly undoable: boolean
  /**
   * @param args types of the column arguments
   * @param parameters values of the literal arguments
   * @throws SqlError a parameter is out of range
   */
  readonly bind: (
    args: readonly SqlType[],
    parameters: readonly SqlValue[],
    returns: SqlType,
    context: FunctionContext,
  ) => BoundAggregate
}

/** What an aggregate gives for some rows. */
export interface AggregateExample {
  /** The arguments of each row as SQL, separated by commas: `"1.5, 'a'"`. */
  readonly rows: readonly string[]
  /** The literal arguments after the columns, as SQL. */
  readonly parameters?: string
  readonly result: unknown
}

export interface AggregateFunction {
  readonly kind: 'aggregate'
  /** Upper case. */
  readonly name: string
  readonly category: FunctionCategory
  readonly summary: string
  readonly overloads: readonly AggregateOverload[]
  /** Whether arguments are converted where their types widen. The dialect's own take exact types only. */
  readonly implicitCasts?: boolean
  readonly examples?: readonly AggregateExample[]
}

/** Declares an aggregate function: with one signature inline, or with several `overloads`. */
export function aggregateFunction(
  declaration: { readonly name: string; readonly summary: string } & (
    | AggregateOverload
    | { readonly overloads: readonly AggregateOverload[] }
  ),
): AggregateFunction {
  const { name, summary } = declaration
  const overloads = 'overloads' in declaration ? declaration.overloads : [declaration]
  return { kind: 'aggregate', name, category: 'aggregate', summary, overloads }
}
