import { unreachable } from '../base/assert.ts'
import { printType, sameType, type SqlKind, type SqlType } from '../plan/sql-type.ts'
import { canImplicitlyCast } from './cast.ts'

/** A type with holes: what a signature says about one value. */
export type TypePattern =
  | SqlType
  /** Any type, or any of the kinds in `among`; every use within a signature is the same type. */
  | TypeVariable
  /** Any type, each use its own. */
  | { readonly kind: 'ANY' }
  /** A DECIMAL of whatever precision and scale. */
  | { readonly kind: 'ANY_DECIMAL' }
  | { readonly kind: 'ARRAY'; readonly element: TypePattern }
  | { readonly kind: 'MAP'; readonly key: TypePattern; readonly value: TypePattern }

export interface TypeVariable {
  readonly kind: 'VARIABLE'
  readonly name: string
  readonly among: readonly SqlKind[] | null
}

/** What a signature says about one argument. Optional ones follow the others; a variadic one is last. */
export type ArgumentPattern =
  | TypePattern
  | { readonly kind: 'LAMBDA'; readonly parameters: readonly TypePattern[]; readonly result: TypePattern }
  | { readonly kind: 'OPTIONAL'; readonly of: TypePattern }
  /** Zero or more. */
  | { readonly kind: 'VARIADIC'; readonly of: TypePattern }

/** Types of the type variables met so far, by name. */
export type Bindings = Map<string, SqlType>

export const ANY: TypePattern = { kind: 'ANY' }
export const ANY_DECIMAL: TypePattern = { kind: 'ANY_DECIMAL' }

export function typeVariable(name: string, among: readonly SqlKind[] | null = null): TypeVariable {
  return { kind: 'VARIABLE', name, among }
}

export function arrayPattern(element: TypePattern): TypePattern {
  return { kind: 'ARRAY', element }
}

export function mapPattern(key: TypePattern, value: TypePattern): TypePattern {
  return { kind: 'MAP', key, value }
}

export function lambda(parameters: readonly TypePattern[], result: TypePattern): ArgumentPattern {
  return { kind: 'LAMBDA', parameters, result }
}

export function optional(of: TypePattern): ArgumentPattern {
  return { kind: 'OPTIONAL', of }
}

export function variadic(of: TypePattern): ArgumentPattern {
  return { kind: 'VARIADIC', of }
}

/**
 * Whether a value of `type` may stand where `pattern` does, binding variables on the way (also when the
 * answer is no). null, the type of an untyped NULL, fits everywhere.
 *
 * @param casts whether an implicit conversion may be inserted; never inside a collection or for a variable
 */
export function accepts(
  pattern: TypePattern,
  type: SqlType | null,
  bindings: Bindings,
  casts: boolean,
): boolean {
  if (type === null) return true
  switch (pattern.kind) {
    case 'VARIABLE': {
      if (pattern.among !== null && !pattern.among.includes(type.kind)) return false
      const bound = bindings.get(pattern.name)
      if (bound !== undefined) return sameType(bound, type)
      bindings.set(pattern.name, type)
      return true
    }
    case 'ANY':
      return true
    case 'ANY_DECIMAL':
      return type.kind === 'DECIMAL' || (casts && (type.kind === 'INTEGER' || type.kind === 'BIGINT'))
    case 'ARRAY':
      return type.kind === 'ARRAY' && accepts(pattern.element, type.element, bindings, false)
    case 'MAP':
      return (
        type.kind === 'MAP' &&
        accepts(pattern.key, type.key, bindings, false) &&
        accepts(pattern.value, type.value, bindings, false)
      )
    default:
      return sameType(pattern, type) || (casts && canImplicitlyCast(type, pattern))
  }
}

/**
 * The type a pattern stands for once its variables are bound.
 *
 * @param given the argument's type, where there is one: decides open DECIMALs
 * @returns null if a variable is not bound
 */
export function instantiate(
  pattern: TypePattern,
  bindings: Bindings,
  given: SqlType | null = null,
): SqlType | null {
  switch (pattern.kind) {
    case 'VARIABLE':
      return bindings.get(pattern.name) ?? null
    case 'ANY':
      return given
    case 'ANY_DECIMAL':
      if (given?.kind === 'INTEGER') return { kind: 'DECIMAL', precision: 10, scale: 0 }
      if (given?.kind === 'BIGINT') return { kind: 'DECIMAL', precision: 19, scale: 0 }
      return given?.kind === 'DECIMAL' ? given : null
    case 'ARRAY': {
      const element = instantiate(pattern.element, bindings, given?.kind === 'ARRAY' ? given.element : null)
      return element && { kind: 'ARRAY', element }
    }
    case 'MAP': {
      const key = instantiate(pattern.key, bindings, given?.kind === 'MAP' ? given.key : null)
      const value = instantiate(pattern.value, bindings, given?.kind === 'MAP' ? given.value : null)
      return key && value && { kind: 'MAP', key, value }
    }
    default:
      return pattern
  }
}

/** Names of the variables in a pattern. */
export function variablesOf(pattern: ArgumentPattern): readonly string[] {
  switch (pattern.kind) {
    case 'VARIABLE':
      return [pattern.name]
    case 'ARRAY':
      return variablesOf(pattern.element)
    case 'MAP':
      return [...variablesOf(pattern.key), ...variablesOf(pattern.value)]
    case 'LAMBDA':
      return [...pattern.parameters.flatMap(variablesOf), ...variablesOf(pattern.result)]
    case 'OPTIONAL':
    case 'VARIADIC':
      return variablesOf(pattern.of)
    default:
      return []
  }
}

/** As signatures are shown: `ARRAY<T>`, `LAMBDA (T) => R`, `STRING...`, `[INTEGER]`. */
export function printPattern(pattern: ArgumentPattern): string {
  switch (pattern.kind) {
    case 'VARIABLE':
      return pattern.name
    case 'ANY':
      return 'ANY'
    case 'ANY_DECIMAL':
      return 'DECIMAL'
    case 'ARRAY':
      return `ARRAY<${printPattern(pattern.element)}>`
    case 'MAP':
      return `MAP<${printPattern(pattern.key)}, ${printPattern(pattern.value)}>`
    case 'LAMBDA':
      return `LAMBDA (${pattern.parameters.map(printPattern).join(', ')}) => ${printPattern(pattern.result)}`
    case 'OPTIONAL':
      return `[${printPattern(pattern.of)}]`
    case 'VARIADIC':
      return `${printPattern(pattern.of)}...`
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'DECIMAL':
    case 'STRING':
    case 'BYTES':
    case 'TIME':
    case 'DATE':
    case 'TIMESTAMP':
    case 'STRUCT':
      return printType(pattern)
    default:
      return unreachable(pattern)
  }
}
