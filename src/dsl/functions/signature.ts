import type { FunctionContext } from '../../functions/function.ts'
import type { NullRule } from '../../functions/scalar-function.ts'
import type { ArgumentPattern, TypePattern } from '../../functions/type-pattern.ts'
import type { SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import type { ColumnType } from '../column-type.ts'
import { acceptsNull, named, patternOf, type ArgumentTypes, type TypesOf } from './argument.ts'
import { toProgram } from './value.ts'

/** What a body may know of its call beside the arguments. */
export interface FunctionCall<A extends ArgumentTypes> extends FunctionContext {
  /** Types of the arguments by name, after conversion. */
  readonly types: TypesOf<A>
  /** The declared, or computed, type of the result. */
  readonly returns: SqlType
}

/** The type of a result: fixed, or computed from those of the arguments. A function refuses them by throwing. */
export type ResultType<A extends ArgumentTypes, R> = ColumnType<R> | ((types: TypesOf<A>) => ColumnType<R>)

export function patternsOf(args: ArgumentTypes): Record<string, ArgumentPattern> {
  return Object.fromEntries(Object.entries(args).map(([name, type]) => [name, patternOf(type)]))
}

export function nullRulesOf(args: ArgumentTypes): Record<string, NullRule> {
  return Object.fromEntries(
    Object.entries(args).map(([name, type]) => [name, acceptsNull(type) ? 'accept' : 'propagate']),
  )
}

export function resultOf<A extends ArgumentTypes, R>(
  args: A,
  returns: ResultType<A, R>,
): TypePattern | ((types: readonly SqlType[]) => SqlType) {
  return typeof returns === 'function' ? (types) => returns(typesOf(args, types)).sql : returns.sql
}

export function typesOf<A extends ArgumentTypes>(args: A, types: readonly SqlType[]): TypesOf<A> {
  // Every name of A is there, a list where it is variadic: what TypesOf says.
  return named(
    args,
    types.map((sql) => ({ sql })),
  ) as unknown as TypesOf<A>
}

/** Makes a body's first argument: values by name, as a program gets them. */
export function argumentReader(
  args: ArgumentTypes,
  types: readonly SqlType[],
): (values: readonly SqlValue[]) => Record<string, unknown> {
  const convert = types.map(toProgram)
  const names = Object.keys(args)
  if (Object.values(args).some((type) => patternOf(type).kind === 'VARIADIC')) {
    return (values) =>
      named(
        args,
        values.map((value, i) => convert[i]!(value)),
      )
  }
  return (values) => {
    const result: Record<string, unknown> = {}
    for (let i = 0; i < names.length; i++) {
      result[names[i]!] = i < values.length ? convert[i]!(values[i]!) : undefined
    }
    return result
  }
}

/** Whether a null stands where none is accepted: the call then counts for nothing. */
export function nullCheck(args: ArgumentTypes, count: number): (values: readonly SqlValue[]) => boolean {
  const given = Object.values(args)
  const accepts = Array.from({ length: count }, (_, i) => acceptsNull(given[Math.min(i, given.length - 1)]!))
  return (values) => values.some((value, i) => value === null && accepts[i] === false)
}
