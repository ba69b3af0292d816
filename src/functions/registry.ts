import { assert } from '../base/assert.ts'
import { FunctionError, RecordError, SqlError } from '../base/errors.ts'
import { printType, sameType, type SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import type { AggregateFunction } from './aggregate-function.ts'
import { checkDeclaration } from './check-declaration.ts'
import type {
  ArgumentType,
  BoundAggregate,
  FunctionContext,
  FunctionKind,
  FunctionRegistry,
  ResolvedAggregate,
  ResolvedScalar,
  ResolvedTableFunction,
  ScalarBody,
} from './function.ts'
import { library } from './library.ts'
import { resolveOverload, type Resolution, type Signature } from './overloads.ts'
import type { NullRule, ScalarFunction, ScalarOverload } from './scalar-function.ts'
import type { TableFunction } from './table-function.ts'

export type FunctionDeclaration = ScalarFunction | AggregateFunction | TableFunction

/**
 * Functions by name, in any case: those of the dialect, and those a user has added.
 *
 * Stored plans name a function of the dialect by its name and the number of its signature. A user's function
 * may change between two runs, so its signature is looked up again by the types the plan was made with; one
 * that is missing, or would give another type, is refused where it is bound.
 */
export class FunctionLibrary implements FunctionRegistry {
  /** By upper-case name. */
  readonly declarations: ReadonlyMap<string, FunctionDeclaration>
  readonly #userNames: ReadonlySet<string>

  /** @throws FunctionError a user's function is badly declared, or its name is taken */
  constructor(builtIn: readonly FunctionDeclaration[], ofUser: readonly FunctionDeclaration[] = []) {
    const declarations = new Map(builtIn.map((declaration) => [declaration.name, declaration]))
    assert(declarations.size === builtIn.length, 'every function has a name of its own')
    const userNames = new Set<string>()
    for (const declaration of ofUser) {
      checkDeclaration(declaration)
      const name = declaration.name.toUpperCase()
      if (declarations.has(name)) {
        const isTwice = userNames.has(name)
        throw new FunctionError('FUNCTION_NAME_TAKEN', {
          message: isTwice
            ? `Two functions are named ${name}.`
            : `Function ${name} can't be registered: the dialect has a function of this name.`,
          hint: isTwice ? 'Several signatures of one function are its overloads.' : 'Give it another name.',
        })
      }
      declarations.set(name, { ...declaration, name })
      userNames.add(name)
    }
    this.declarations = declarations
    this.#userNames = userNames
  }

  kindOf(name: string): FunctionKind | undefined {
    return this.declarations.get(name.toUpperCase())?.kind
  }

  names(): readonly string[] {
    return [...this.declarations.keys()].sort()
  }

  resolveScalar(name: string, args: readonly ArgumentType[]): ResolvedScalar {
    const declaration = this.#declaration(name, 'scalar')
    return { function: declaration.name, ...this.#resolve(declaration, args, true) }
  }

  resolveAggregate(name: string, args: readonly (SqlType | null)[]): ResolvedAggregate {
    const declaration = this.#declaration(name, 'aggregate')
    const {
      signature,
      returns,
      arguments: types,
    } = this.#resolve(declaration, values(args), declaration.implicitCasts ?? false)
    const overload = declaration.overloads[signature]!
    return {
      function: declaration.name,
      signature,
      returns,
      arguments: types,
      parameterCount: Object.keys(overload.parameters ?? {}).length,
      undoable: overload.undoable,
    }
  }

  resolveTable(name: string, args: readonly (SqlType | null)[]): ResolvedTableFunction {
    const declaration = this.#declaration(name, 'table')
    const {
      signature,
      returns,
      arguments: types,
    } = this.#resolve(declaration, values(args), declaration.implicitCasts ?? false)
    return { function: declaration.name, signature, returns, arguments: types }
  }

  scalarBody(
    name: string,
    signature: number,
    args: readonly SqlType[],
    returns: SqlType,
    context: FunctionContext,
  ): ScalarBody {
    const declaration = this.#registered(name, 'scalar')
    const overload = this.#overload(declaration.name, declaration.overloads, signature, args, returns)
    const body = this.#ofUser(declaration.name, () => bodyOf(overload, args, returns, context))
    return withNullRules(declaration.name, overload, args.length, this.#guarded(declaration.name, body))
  }

  aggregateBody(
    name: string,
    signature: number,
    args: readonly SqlType[],
    parameters: readonly SqlValue[],
    returns: SqlType,
    context: FunctionContext,
  ): BoundAggregate {
    const { name: known, overloads } = this.#registered(name, 'aggregate')
    const overload = this.#overload(known, overloads, signature, args, returns, parameters.length)
    return this.#ofUser(known, () => overload.bind(args, parameters, returns, context))
  }

  tableBody(
    name: string,
    signature: number,
    args: readonly SqlType[],
    returns: SqlType,
    context: FunctionContext,
  ): (...args: SqlValue[]) => readonly SqlValue[] {
    const { name: known, overloads } = this.#registered(name, 'table')
    const overload = this.#overload(known, overloads, signature, args, returns)
    return this.#guarded(
      known,
      this.#ofUser(known, () => overload.bind(args, returns, context)),
    )
  }

  #declaration<K extends FunctionKind>(name: string, kind: K): Extract<FunctionDeclaration, { kind: K }> {
    const known = name.toUpperCase()
    const declaration = this.declarations.get(known)
    if (declaration?.kind !== kind) {
      throw new SqlError('SQL_UNKNOWN_FUNCTION', {
        message: `Can't find any functions with the name '${known}'.`,
        hint: 'SHOW FUNCTIONS lists them all.',
      })
    }
    return declaration as Extract<FunctionDeclaration, { kind: K }>
  }

  /** The function of a plan. @throws FunctionError it isn't registered any more */
  #registered<K extends FunctionKind>(name: string, kind: K): Extract<FunctionDeclaration, { kind: K }> {
    if (this.kindOf(name) === kind) return this.#declaration(name, kind)
    throw new FunctionError('FUNCTION_MISSING', {
      message: `The query needs the ${kind} function ${name.toUpperCase()}, which is not registered.`,
      hint: 'Open with it: `functions` of Millrace.open, --functions of the command.',
    })
  }

  /** @throws SqlError also where a user's function refuses the types by throwing */
  #resolve(
    { name, overloads }: { readonly name: string; readonly overloads: readonly Signature[] },
    args: readonly ArgumentType[],
    allowCasts: boolean,
  ): Resolution {
    return this.#ofUser(name, () => {
      const resolution = resolveOverload(name, overloads, args, allowCasts)
      if (!this.#userNames.has(name)) return resolution
      // Where the type of a NULL stays open, a stored plan would not find this overload again.
      const { signature, arguments: types } = resolution
      const { args: columns, parameters = {}, returns } = overloads[signature]!
      const columnTypes = types.slice(0, types.length - Object.keys(parameters).length)
      if (exactFit(name, [{ args: columns, returns }], columnTypes) !== null) return resolution
      throw new SqlError('SQL_UNKNOWN_TYPE', {
        message: `${name} is given a NULL whose type cannot be found.`,
        hint: 'CAST it to the type that is meant.',
      })
    })
  }

  /** The overload of a plan. @throws FunctionError a user's function is not what it was when the plan was made */
  #overload<O extends Signature>(
    name: string,
    overloads: readonly O[],
    signature: number,
    args: readonly SqlType[],
    returns: SqlType,
    parameterCount = 0,
  ): O {
    if (!this.#userNames.has(name)) {
      const overload = overloads[signature]
      assert(overload, `${name} has signature ${signature}`)
      return overload
    }
    const call = `${name}(${args.map(printType).join(', ')})`
    // Literal parameters have been checked when the plan was made; here only their number is known.
    const candidates = overloads.filter((o) => Object.keys(o.parameters ?? {}).length === parameterCount)
    const chosen = overloads[signature]
    const former = chosen !== undefined && candidates.includes(chosen) ? exactFit(name, [chosen], args) : null
    const found = former ?? exactFit(name, candidates, args)
    if (found === null) {
      throw new FunctionError('FUNCTION_CHANGED', {
        message: `The query was made with ${call}, which the function registered now does not take.`,
        hint: 'Register the function it was made with, or replace the query.',
      })
    }
    if (!sameType(found.returns, returns)) {
      throw new FunctionError('FUNCTION_CHANGED', {
        message: `The query was made with ${call} => ${printType(returns)}; now it gives ${printType(found.returns)}.`,
        hint: 'Register the function it was made with, or replace the query.',
      })
    }
    return found.overload
  }

  /** What a user's code throws while a statement is checked refuses the statement. */
  #ofUser<T>(name: string, check: () => T): T {
    if (!this.#userNames.has(name)) return check()
    try {
      return check()
    } catch (error) {
      if (error instanceof SqlError || error instanceof FunctionError) throw error
      throw new SqlError('SQL_FUNCTION_REFUSES', {
        message: `Function ${name} refuses its arguments: ${textOf(error)}`,
        cause: error,
      })
    }
  }

  /** What a user's code throws for a record names the function. */
  #guarded<T>(name: string, body: (...args: SqlValue[]) => T): (...args: SqlValue[]) => T {
    if (!this.#userNames.has(name)) return body
    return (...args) => {
      try {
        return body(...args)
      } catch (error) {
        throw new RecordError('FUNCTION_FAILED', {
          message: `Function ${name} failed: ${textOf(error)}`,
          cause: error,
        })
      }
    }
  }
}

/** The functions of the dialect. */
export const functionRegistry = new FunctionLibrary(library)

/** The dialect's declarations by upper-case name, for reference pages. */
export const functionsByName: ReadonlyMap<string, FunctionDeclaration> = functionRegistry.declarations

/**
 * The functions of the dialect and those of a user.
 *
 * @throws FunctionError one is badly declared, or its name is taken
 */
export function withUserFunctions(functions: readonly FunctionDeclaration[]): FunctionLibrary {
  return functions.length === 0 ? functionRegistry : new FunctionLibrary(library, functions)
}

/** The overload that takes columns of just these types; null: there is none, or it refuses them. */
function exactFit<O extends Signature>(
  name: string,
  overloads: readonly O[],
  types: readonly SqlType[],
): { readonly overload: O; readonly returns: SqlType } | null {
  const signatures = overloads.map(({ args, returns }) => ({ args, returns }))
  try {
    const { signature, returns } = resolveOverload(name, signatures, values(types), false)
    return { overload: overloads[signature]!, returns }
  } catch {
    return null
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
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
