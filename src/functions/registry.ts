import { assert } from '../base/assert.ts'
import { SqlError } from '../base/errors.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import type { AggregateFunction } from './aggregate-function.ts'
import type { ArgumentType, FunctionContext, FunctionRegistry, ScalarBody } from './function.ts'
import { library } from './library.ts'
import { resolveOverload } from './overloads.ts'
import type { NullRule, ScalarFunction, ScalarOverload } from './scalar-function.ts'
import type { TableFunction } from './table-function.ts'

export type FunctionDeclaration = ScalarFunction | AggregateFunction | TableFunction

/** The declarations by upper-case name, for listings and reference pages. */
export const functionsByName: ReadonlyMap<string, FunctionDeclaration> = new Map(
  library.map((declaration) => [declaration.name, declaration]),
)
assert(functionsByName.size === library.length, 'every function has a name of its own')

function declarationOf<K extends FunctionDeclaration['kind']>(
  name: string,
  kind: K,
): Extract<FunctionDeclaration, { kind: K }> {
  const declaration = functionsByName.get(name.toUpperCase())
  if (declaration?.kind !== kind) {
    throw new SqlError('SQL_UNKNOWN_FUNCTION', {
      message: `Can't find any functions with the name '${name.toUpperCase()}'.`,
      hint: 'SHOW FUNCTIONS lists them all.',
    })
  }
  return declaration as Extract<FunctionDeclaration, { kind: K }>
}

/** All functions of the dialect. Names in any case. */
export const functionRegistry: FunctionRegistry = {
  kindOf: (name) => functionsByName.get(name.toUpperCase())?.kind,

  names: () => [...functionsByName.keys()].sort(),

  resolveScalar(name, args) {
    const declaration = declarationOf(name, 'scalar')
    return {
      function: declaration.name,
      ...resolveOverload(declaration.name, declaration.overloads, args, true),
    }
  },

  resolveAggregate(name, args) {
    const declaration = declarationOf(name, 'aggregate')
    const {
      signature,
      returns,
      arguments: types,
    } = resolveOverload(declaration.name, declaration.overloads, values(args), false)
    const overload = declaration.overloads[signature]!
    return {
      function: declaration.name,
      signature,
      returns,
      arguments: types,
      parameterCount: Object.keys(overload.parameters ?? {}).length,
      undoable: overload.undoable,
    }
  },

  resolveTable(name, args) {
    const declaration = declarationOf(name, 'table')
    const {
      signature,
      returns,
      arguments: types,
    } = resolveOverload(declaration.name, declaration.overloads, values(args), false)
    return { function: declaration.name, signature, returns, arguments: types }
  },

  scalarBody(name, signature, args, returns, context) {
    const declaration = declarationOf(name, 'scalar')
    const overload = declaration.overloads[signature]
    assert(overload, `${name} has signature ${signature}`)
    return withNullRules(declaration.name, overload, args.length, bodyOf(overload, args, returns, context))
  },

  aggregateBody(name, signature, args, parameters, returns, context) {
    const overload = declarationOf(name, 'aggregate').overloads[signature]
    assert(overload, `${name} has signature ${signature}`)
    return overload.bind(args, parameters, returns, context)
  },

  tableBody(name, signature, args) {
    const overload = declarationOf(name, 'table').overloads[signature]
    assert(overload, `${name} has signature ${signature}`)
    return overload.bind(args)
  },
}

function values(types: readonly (SqlType | null)[]): readonly ArgumentType[] {
  return types.map((type) => ({ kind: 'value', type }))
}

function bodyOf(
  overload: ScalarOverload,
  args: readonly SqlType[],
  returns: SqlType,
  context: FunctionContext,
): (...args: SqlValue[]) => SqlValue {
  const body: ScalarBody | undefined = overload.bind?.(args, returns, context) ?? overload.body
  assert(body, 'a scalar function has a body or makes one')
  // Bodies are typed by what the SQL types promise; here they are called with values of those types.
  return body as unknown as (...args: SqlValue[]) => SqlValue
}

function withNullRules(
  name: string,
  overload: ScalarOverload,
  count: number,
  body: (...args: SqlValue[]) => SqlValue,
): ScalarBody {
  const names = Object.keys(overload.args)
  const rules = Array.from({ length: count }, (_, i): NullRule => {
    const { nulls } = overload
    if (nulls === undefined || typeof nulls === 'string') return nulls ?? 'propagate'
    return nulls[names[Math.min(i, names.length - 1)]!] ?? 'propagate'
  })
  if (rules.includes('reject')) return rejecting(name, names, rules, body) as ScalarBody
  if (!rules.includes('propagate')) return body as ScalarBody
  if (rules.every((rule) => rule === 'propagate')) {
    if (count === 1) return ((a: SqlValue) => (a === null ? null : body(a))) as ScalarBody
    if (count === 2) {
      return ((a: SqlValue, b: SqlValue) => (a === null || b === null ? null : body(a, b))) as ScalarBody
    }
    return ((...args: SqlValue[]) => (args.includes(null) ? null : body(...args))) as ScalarBody
  }
  return ((...args: SqlValue[]) =>
    args.some((arg, i) => arg === null && rules[i] === 'propagate') ? null : body(...args)) as ScalarBody
}

function rejecting(
  name: string,
  names: readonly string[],
  rules: readonly NullRule[],
  body: (...args: SqlValue[]) => SqlValue,
): (...args: SqlValue[]) => SqlValue {
  return (...args) => {
    let isNull = false
    for (let i = 0; i < args.length; i++) {
      if (args[i] !== null) continue
      if (rules[i] === 'reject') {
        throw new TypeError(
          `${name} does not accept null for its argument ${names[Math.min(i, names.length - 1)]!}.`,
        )
      }
      if (rules[i] === 'propagate') isNull = true
    }
    return isNull ? null : body(...args)
  }
}
