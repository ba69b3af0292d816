import { FunctionError } from '../base/errors.ts'
import { printSignature, type Signature } from './overloads.ts'
import { printPattern, variablesOf, type ArgumentPattern, type TypePattern } from './type-pattern.ts'

/** What every declaration of a function has, whatever its kind. */
interface Declared {
  readonly kind: string
  readonly name: string
  readonly summary: string
  readonly overloads: readonly Signature[]
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Whether something a module exports was made by one of the declaring functions. */
export function isDeclaration(value: unknown): value is Declared {
  if (typeof value !== 'object' || value === null) return false
  const { kind, name, overloads } = value as Partial<Declared>
  return (
    (kind === 'scalar' || kind === 'aggregate' || kind === 'table') &&
    typeof name === 'string' &&
    Array.isArray(overloads)
  )
}

/** @throws FunctionError the declaration of a user's function can't be right, whatever the query */
export function checkDeclaration(declaration: unknown): void {
  if (!isDeclaration(declaration)) {
    throw new FunctionError('FUNCTION_INVALID', {
      message: 'Something among the functions is no declaration of a function.',
      hint: 'scalarFunction, aggregateFunction and tableFunction make them.',
    })
  }
  const { name, summary, overloads } = declaration
  const refuse = (reason: string): never => {
    throw new FunctionError('FUNCTION_INVALID', {
      message: `Function ${name} can't be registered: ${reason}.`,
    })
  }
  if (!NAME.test(name)) refuse('its name must be letters, digits and _, not beginning with a digit')
  if (typeof summary !== 'string' || summary.trim() === '') refuse('it has no summary')
  if (overloads.length === 0) refuse('it has no signature')
  const seen = new Set<string>()
  for (const overload of overloads) {
    const reason = faultOf(overload)
    if (reason !== null) refuse(`in ${printSignature(name, overload)}, ${reason}`)
    const taken = argumentsText(overload)
    if (seen.has(taken)) refuse(`two of its signatures take (${taken})`)
    seen.add(taken)
  }
}

/** Only the types, since names do not tell calls apart. */
function argumentsText({ args, parameters = {} }: Signature): string {
  return [...Object.values(args), ...Object.values(parameters)].map(printPattern).join(', ')
}

function faultOf({ args, parameters = {}, returns }: Signature): string | null {
  const given = Object.entries(args)
  for (const [i, [name, pattern]] of given.entries()) {
    const before = given[i - 1]
    if (before?.[1].kind === 'VARIADIC') return `the variadic argument ${before[0]} is not the last one`
    if (before?.[1].kind === 'OPTIONAL' && pattern.kind !== 'OPTIONAL')
      return `${name} follows the optional argument ${before[0]}`
    const fault = typeFault(pattern)
    if (fault !== null) return `the argument ${name} ${fault}`
  }
  for (const [name, type] of Object.entries(parameters)) {
    if (name in args) return `two arguments are named ${name}`
    const fault = typeFault(type)
    if (fault !== null) return `the parameter ${name} ${fault}`
    if (variablesOf(type).length > 0) return `the parameter ${name} has no fixed type`
  }
  if (typeof returns === 'function') return null
  const fault = typeFault(returns)
  if (fault !== null) return `the result ${fault}`
  const bound = new Set(Object.values(args).flatMap(variablesOf))
  const free = variablesOf(returns).find((variable) => !bound.has(variable))
  if (free !== undefined) return `no argument says what ${free} of the result is`
  if (isOpen(returns)) return 'the type of the result is open: give a function of the types of the arguments'
  return null
}

/** Whether a result's type would not be known from the variables alone. */
function isOpen(pattern: TypePattern): boolean {
  switch (pattern.kind) {
    case 'ANY':
    case 'ANY_DECIMAL':
      return true
    case 'ARRAY':
      return isOpen(pattern.element)
    case 'MAP':
      return isOpen(pattern.key) || isOpen(pattern.value)
    default:
      return false
  }
}

function typeFault(pattern: ArgumentPattern): string | null {
  switch (pattern.kind) {
    case 'OPTIONAL':
    case 'VARIADIC':
      return typeFault(pattern.of)
    case 'LAMBDA':
      return 'is a lambda, which functions of users do not take'
    case 'ARRAY':
      return typeFault(pattern.element)
    case 'MAP':
      return typeFault(pattern.key) ?? typeFault(pattern.value)
    case 'STRUCT': {
      const names = pattern.fields.map((field) => field.name)
      if (names.length === 0) return 'is a STRUCT without fields'
      if (new Set(names).size < names.length) return 'is a STRUCT with two fields of one name'
      const fields: readonly { readonly type: TypePattern }[] = pattern.fields
      return fields.map(({ type }) => typeFault(type) ?? openFault(type)).find((f) => f !== null) ?? null
    }
    case 'DECIMAL': {
      const { precision, scale } = pattern
      const fits =
        Number.isInteger(precision) &&
        Number.isInteger(scale) &&
        precision >= 1 &&
        scale >= 0 &&
        scale <= precision
      return fits ? null : `is DECIMAL(${precision}, ${scale}): the scale goes from 0 to the precision`
    }
    default:
      return null
  }
}

function openFault(type: TypePattern): string | null {
  return variablesOf(type).length > 0 || isOpen(type) ? 'is a STRUCT with a field of an open type' : null
}
