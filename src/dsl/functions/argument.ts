import type Big from 'big.js'
import {
  ANY,
  ANY_DECIMAL,
  optional as optionalPattern,
  typeVariable,
  variadic as variadicPattern,
  type ArgumentPattern,
  type TypePattern,
} from '../../functions/type-pattern.ts'
import type { PlainValue } from '../../plan/plain-value.ts'
import type { SqlKind, SqlType } from '../../plan/sql-type.ts'
import type { ColumnType } from '../column-type.ts'

/** An argument that is more than a type: may be null, may be left out, or stands for many. `T`: what the body gets. */
export interface Argument<T> {
  readonly pattern: ArgumentPattern
  /** Whether the body gets nulls. Without, a null makes the result null, or counts for nothing. */
  readonly acceptsNull: boolean
  /** Only for the compiler: never set. */
  readonly boxed?: readonly [T]
}

/** Arguments by name, in order. */
export type ArgumentTypes = Readonly<Record<string, ColumnType<unknown> | Argument<unknown>>>

/** What a body gets for an argument. */
export type ValueOf<A> = A extends Argument<infer T> ? T : A extends ColumnType<infer T> ? T : never

/** What a body gets: its arguments by name. */
export type ValuesOf<A extends ArgumentTypes> = { readonly [K in keyof A]: ValueOf<A[K]> }

/** Any value but null. */
export type PresentValue = Exclude<PlainValue, null>

/** The types of a call's arguments by name: a list for a variadic one, undefined for one that was left out. */
export type TypesOf<A extends ArgumentTypes> = {
  readonly [K in keyof A]: A[K] extends Argument<infer T>
    ? T extends readonly (infer E)[]
      ? readonly ColumnType<E>[]
      : ColumnType<NonNullable<T>> | (undefined extends T ? undefined : never)
    : A[K]
}

/** The body gets null for this argument, instead of the call being null without it. */
export function nullable<T>(type: ColumnType<T> | Argument<T>): Argument<T | null> {
  return { pattern: patternOf(type), acceptsNull: true }
}

/** The argument may be left out; optional ones follow the others. */
export function optional<T>(type: ColumnType<T> | Argument<T>): Argument<T | undefined> {
  return { pattern: optionalPattern(typePatternOf(type, 'optional')), acceptsNull: acceptsNull(type) }
}

/** Any number of arguments of the type, also none; only as the last one. */
export function variadic<T>(type: ColumnType<T> | Argument<T>): Argument<readonly T[]> {
  return { pattern: variadicPattern(typePatternOf(type, 'variadic')), acceptsNull: acceptsNull(type) }
}

/**
 * A type that the call decides: the same wherever it occurs in a signature, in arguments, inside `array()` and
 * `map()`, and in the result.
 *
 * @param among  kinds it can be; absent: any
 */
export function typeParameter<T = PresentValue>(name: string, among?: readonly SqlKind[]): ColumnType<T> {
  return openType(typeVariable(name, among ?? null))
}

/** Any type; each use its own. */
export function anyType<T = PresentValue>(): ColumnType<T> {
  return openType(ANY)
}

/** A DECIMAL of whatever precision and scale. */
export function anyDecimal(): ColumnType<Big> {
  return openType(ANY_DECIMAL)
}

/* Open types are composed like the others, and only signatures, which take patterns, get to see them. */
function openType<T>(pattern: TypePattern): ColumnType<T> {
  return { sql: pattern as SqlType }
}

export function isArgument(type: ColumnType<unknown> | Argument<unknown>): type is Argument<unknown> {
  return 'pattern' in type
}

export function patternOf(type: ColumnType<unknown> | Argument<unknown>): ArgumentPattern {
  return isArgument(type) ? type.pattern : type.sql
}

export function acceptsNull(type: ColumnType<unknown> | Argument<unknown>): boolean {
  return isArgument(type) && type.acceptsNull
}

function typePatternOf(type: ColumnType<unknown> | Argument<unknown>, use: string): TypePattern {
  const pattern = patternOf(type)
  if (pattern.kind === 'OPTIONAL' || pattern.kind === 'VARIADIC' || pattern.kind === 'LAMBDA')
    throw new TypeError(`${use}() takes a type, or a nullable() one.`)
  return pattern
}

/**
 * The positions of a call's arguments under their names.
 *
 * @param values  one per argument of the call; those left out are missing at the end
 */
export function named<V>(
  args: ArgumentTypes,
  values: readonly V[],
): Record<string, V | readonly V[] | undefined> {
  const result: Record<string, V | readonly V[] | undefined> = {}
  let at = 0
  for (const [name, type] of Object.entries(args)) {
    if (patternOf(type).kind === 'VARIADIC') {
      result[name] = values.slice(at)
      at = values.length
    } else {
      result[name] = values[at++]
    }
  }
  return result
}
