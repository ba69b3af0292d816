import type { SqlType } from '../plan/sql-type.ts'
import type { FunctionContext, ScalarBody } from './function.ts'
import type { ArgumentPattern, TypePattern } from './type-pattern.ts'

/**
 * What a null argument means: `propagate` makes the result null without a call, `reject` makes the call
 * fail (null, and reported), `accept` hands it to the body.
 */
export type NullRule = 'propagate' | 'reject' | 'accept'

export type FunctionCategory =
  | 'mathematics'
  | 'string'
  | 'binary'
  | 'json'
  | 'collection'
  | 'lambda'
  | 'null handling'
  | 'date and time'
  | 'url'
  | 'other'
  | 'aggregate'
  | 'table'
  | 'user'

/** A call and its value, in the text form of the test's evaluator: JSON-like, times as their numbers. */
export type Example = readonly [sql: string, expected: unknown]

export interface ScalarOverload {
  /** By name, in order. Lambdas reach the body as functions, missing optional arguments as undefined. */
  readonly args: Readonly<Record<string, ArgumentPattern>>
  /** A type, one with the arguments' variables, or computed from the (converted) arguments' types. */
  readonly returns: TypePattern | ((args: readonly SqlType[]) => SqlType)
  /** For all arguments, or by name; `propagate` where nothing is said. */
  readonly nulls?: NullRule | Readonly<Record<string, NullRule>>
  /** Fails by throwing. Exactly one of `body` and `bind`. */
  readonly body?: ScalarBody
  /** Makes the body where it depends on the types or the surroundings. */
  readonly bind?: (args: readonly SqlType[], returns: SqlType, context: FunctionContext) => ScalarBody
}

export interface ScalarFunction {
  readonly kind: 'scalar'
  /** Upper case. */
  readonly name: string
  readonly category: FunctionCategory
  readonly summary: string
  readonly overloads: readonly ScalarOverload[]
  readonly examples: readonly Example[]
}

interface Description {
  readonly name: string
  readonly category: FunctionCategory
  readonly summary: string
  readonly examples: readonly Example[]
}

/** Declares a scalar function: with one signature inline, or with several `overloads`. */
export function scalarFunction(
  declaration: Description & (ScalarOverload | { readonly overloads: readonly ScalarOverload[] }),
): ScalarFunction {
  const { name, category, summary, examples } = declaration
  const overloads = 'overloads' in declaration ? declaration.overloads : [declaration]
  return { kind: 'scalar', name, category, summary, overloads, examples }
}
