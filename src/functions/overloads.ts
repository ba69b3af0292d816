import { SqlError } from '../base/errors.ts'
import { printType, STRING, type SqlType } from '../plan/sql-type.ts'
import type { ArgumentType } from './function.ts'
import {
  accepts,
  instantiate,
  printPattern,
  variablesOf,
  type ArgumentPattern,
  type Bindings,
  type TypePattern,
} from './type-pattern.ts'

/** What resolution needs of an overload. */
export interface Signature {
  readonly args: Readonly<Record<string, ArgumentPattern>>
  /** Literal arguments after the others (aggregates). */
  readonly parameters?: Readonly<Record<string, SqlType>>
  /** A function gets the types of the arguments without the parameters. */
  readonly returns: TypePattern | ((args: readonly SqlType[]) => SqlType)
}

export interface Resolution {
  /** Position among the overloads. */
  readonly signature: number
  readonly returns: SqlType
  readonly arguments: readonly SqlType[]
  readonly lambdaParameters: readonly (readonly SqlType[] | null)[]
}

/**
 * Chooses an overload: one that takes the arguments as they are wins over one that needs implicit
 * conversions; among equals, one without a variadic argument, then one with fewer type variables.
 *
 * @throws SqlError no overload fits, or several fit equally well
 */
export function resolveOverload(
  name: string,
  overloads: readonly Signature[],
  args: readonly ArgumentType[],
  allowCasts: boolean,
): Resolution {
  for (const casts of allowCasts ? [false, true] : [false]) {
    const fitting = overloads.flatMap((overload, signature) => {
      const match = matchArguments(overload, args, casts)
      return match === null ? [] : [{ ...match, overload, signature, rank: rankOf(overload) }]
    })
    if (fitting.length === 0) continue
    const best = Math.min(...fitting.map((f) => f.rank))
    const [chosen, ...others] = fitting.filter((f) => f.rank === best)
    if (others.length > 0) {
      throw new SqlError('SQL_AMBIGUOUS_FUNCTION_CALL', {
        message: `Function '${name.toLowerCase()}' cannot be resolved due to ambiguous method parameters (${printArguments(args)}).`,
        hint: 'CAST an argument so that only one signature fits.',
      })
    }
    const returns = resultType(name, chosen!.overload, chosen!.types, chosen!.bindings)
    return {
      signature: chosen!.signature,
      returns,
      arguments: chosen!.types,
      lambdaParameters: chosen!.lambdaParameters,
    }
  }
  throw new SqlError('SQL_NO_MATCHING_FUNCTION', {
    message: `Function '${name.toLowerCase()}' does not accept parameters (${printArguments(args)}).`,
    hint: `Valid alternatives are: ${overloads.map((o) => printSignature(name, o)).join('; ')}`,
  })
}

/** `LPAD(text STRING, length INTEGER, padding STRING) => STRING`; the result only where it is fixed. */
export function printSignature(name: string, signature: Signature): string {
  const args = Object.entries({ ...signature.args, ...signature.parameters })
  const { returns } = signature
  return (
    `${name}(${args.map(([argument, pattern]) => `${argument} ${printPattern(pattern)}`).join(', ')})` +
    (typeof returns === 'function' ? '' : ` => ${printPattern(returns)}`)
  )
}

function printArguments(args: readonly ArgumentType[]): string {
  return args
    .map((arg) => (arg.kind === 'lambda' ? 'LAMBDA' : arg.type === null ? 'null' : printType(arg.type)))
    .join(', ')
}

/** Lower is better. */
function rankOf(signature: Signature): number {
  const patterns = Object.values(signature.args)
  const isVariadic = patterns.some((p) => p.kind === 'VARIADIC')
  return (isVariadic ? 1000 : 0) + new Set(patterns.flatMap(variablesOf)).size
}

interface Match {
  readonly types: readonly SqlType[]
  readonly bindings: Bindings
  readonly lambdaParameters: readonly (readonly SqlType[] | null)[]
}

function matchArguments(signature: Signature, args: readonly ArgumentType[], casts: boolean): Match | null {
  const parameters = Object.values(signature.parameters ?? {})
  const columns = patternsFor(Object.values(signature.args), args.length - parameters.length)
  if (columns === null) return null
  const patterns = [...columns, ...parameters]
  const bindings: Bindings = new Map()
  // Values first: they bind the variables that lambdas are typed with.
  for (const [i, arg] of args.entries()) {
    const pattern = patterns[i]!
    if ((pattern.kind === 'LAMBDA') !== (arg.kind === 'lambda')) return null
    if (pattern.kind !== 'LAMBDA' && arg.kind === 'value' && !accepts(pattern, arg.type, bindings, casts))
      return null
  }
  const types: SqlType[] = []
  const lambdaParameters: (readonly SqlType[] | null)[] = []
  for (const [i, arg] of args.entries()) {
    const pattern = patterns[i]!
    if (pattern.kind === 'LAMBDA' && arg.kind === 'lambda') {
      if (pattern.parameters.length !== arg.arity) return null
      const parameters = pattern.parameters.map((p) => instantiate(p, bindings))
      if (parameters.includes(null)) return null
      const result = arg.typeBody(parameters as SqlType[])
      if (!accepts(pattern.result, result, bindings, casts)) return null
      types.push(instantiate(pattern.result, bindings) ?? result)
      lambdaParameters.push(parameters as SqlType[])
    } else if (pattern.kind !== 'LAMBDA' && arg.kind === 'value') {
      // What only untyped NULLs stand for may be anything.
      types.push(instantiate(pattern, bindings, arg.type) ?? arg.type ?? STRING)
      lambdaParameters.push(null)
    }
  }
  return { types, bindings, lambdaParameters }
}

/** One pattern per argument, optional and variadic ones written out; null if the count doesn't fit. */
function patternsFor(
  declared: readonly ArgumentPattern[],
  count: number,
): readonly Exclude<ArgumentPattern, { kind: 'OPTIONAL' | 'VARIADIC' }>[] | null {
  const patterns: Exclude<ArgumentPattern, { kind: 'OPTIONAL' | 'VARIADIC' }>[] = []
  for (const pattern of declared) {
    if (pattern.kind === 'VARIADIC') {
      while (patterns.length < count) patterns.push(pattern.of)
    } else if (pattern.kind === 'OPTIONAL') {
      if (patterns.length < count) patterns.push(pattern.of)
    } else {
      patterns.push(pattern)
    }
  }
  return patterns.length === count ? patterns : null
}

function resultType(
  name: string,
  signature: Signature,
  types: readonly SqlType[],
  bindings: Bindings,
): SqlType {
  const { returns, parameters = {} } = signature
  const columns = types.slice(0, types.length - Object.keys(parameters).length)
  const type = typeof returns === 'function' ? returns(columns) : instantiate(returns, bindings)
  if (type === null) {
    throw new SqlError('SQL_UNKNOWN_TYPE', {
      message: `The type of ${name} cannot be found: its arguments are untyped NULLs.`,
      hint: 'CAST one of them to the type that is meant.',
    })
  }
  return type
}
