import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import type { FunctionContext } from './function.ts'
import type { Example, FunctionCategory } from './scalar-function.ts'
import type { ArgumentPattern, TypePattern } from './type-pattern.ts'

export interface TableOverload {
  readonly args: Readonly<Record<string, ArgumentPattern>>
  /** Type of one result row. */
  readonly returns: TypePattern | ((args: readonly SqlType[]) => SqlType)
  /** The rows of one call; called with nulls too. Fails by throwing. */
  readonly bind: (
    args: readonly SqlType[],
    returns: SqlType,
    context: FunctionContext,
  ) => (...args: SqlValue[]) => readonly SqlValue[]
}

export interface TableFunction {
  readonly kind: 'table'
  /** Upper case. */
  readonly name: string
  readonly category: FunctionCategory
  readonly summary: string
  readonly overloads: readonly TableOverload[]
  /** Whether arguments are converted where their types widen. The dialect's own take exact types only. */
  readonly implicitCasts?: boolean
  /** The expected value is the list of rows. */
  readonly examples: readonly Example[]
}

/** Declares a table function: a call gives any number of rows. */
export function tableFunction(
  declaration: {
    readonly name: string
    readonly summary: string
    readonly examples: readonly Example[]
  } & TableOverload,
): TableFunction {
  const { name, summary, examples } = declaration
  return { kind: 'table', name, category: 'table', summary, overloads: [declaration], examples }
}
