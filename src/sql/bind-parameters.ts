import Big from 'big.js'
import { SqlError, type Position } from '../base/errors.ts'
import type { Expression, Identifier, ParameterExpression, Statement } from './ast.ts'

/**
 * A value for a parameter. Numbers that are whole are typed as the same number written in SQL (INTEGER or
 * BIGINT), others as DOUBLE; a Date as its text in ISO form, which is read where a time is expected.
 */
export type ParameterValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | Big
  | readonly ParameterValue[]

/** For `?` in their order, or for `:name` by name. */
export type Parameters = readonly ParameterValue[] | Readonly<Record<string, ParameterValue>>

/**
 * Puts values in the places of a statement's parameters, as literals of the syntax tree: no text is made
 * of them and read again, so nothing in a value can be anything but a value.
 *
 * @throws SqlError `SQL_PARAMETER_COUNT`, `SQL_PARAMETER_UNBOUND`, `SQL_PARAMETER_TYPE`, and
 *   `SQL_PARAMETER_PLACE` for statements that are kept: their text must stand for itself
 */
export function bindParameters(statement: Statement, parameters: Parameters): Statement {
  if (statement.kind !== 'query-statement' && statement.kind !== 'insert-values') {
    throw new SqlError('SQL_PARAMETER_PLACE', {
      message: 'Only SELECT and INSERT … VALUES take parameters.',
      at: statement.at,
      hint: 'Definitions are kept as text: write the value into it, or DEFINE a variable.',
    })
  }
  const used = new Set<string>()
  const places = parameterPlaces(statement)
  const count = places.length
  const valueOf = (node: ParameterExpression): ParameterValue => {
    const number = places.indexOf(node.at.index)
    const key = node.name ?? String(number)
    used.add(key)
    const matches = Array.isArray(parameters) === (node.name === null)
    if (matches && Object.hasOwn(parameters, key)) {
      const value = (parameters as Readonly<Record<string, ParameterValue | undefined>>)[key]
      if (value !== undefined) return value
    }
    const what = node.name === null ? `parameter number ${number + 1}` : `the parameter :${node.name}`
    throw new SqlError('SQL_PARAMETER_UNBOUND', {
      message: `There is no value for ${what}.`,
      at: node.at,
      hint: Array.isArray(parameters)
        ? 'Values in an array belong to ?, one each, in their order.'
        : 'Values in an object belong to :name; names keep their case.',
    })
  }
  const bound = replaceParameters(statement, (node) => literalOf(valueOf(node), node.at, node))
  const extra = Object.keys(parameters).find((key) => !used.has(key))
  if (extra !== undefined) {
    throw new SqlError('SQL_PARAMETER_COUNT', {
      message: Array.isArray(parameters)
        ? `There are ${parameters.length} values for ${count} parameters.`
        : `The statement has no parameter :${extra}.`,
      at: statement.at,
    })
  }
  return bound
}

function replaceParameters(
  statement: Statement,
  replace: (node: ParameterExpression) => Expression,
): Statement {
  const visit = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(visit)
    if (typeof part !== 'object' || part === null) return part
    if (isParameter(part)) return replace(part)
    return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, visit(inner)]))
  }
  // The shape stays: only parameters are exchanged for other expressions.
  return visit(statement) as Statement
}

/** Where each `?` stands in the text, in order: a query that WITH names may stand in several places of the tree. */
function parameterPlaces(statement: Statement): readonly number[] {
  const places = new Set<number>()
  const visit = (part: unknown): void => {
    if (Array.isArray(part)) part.forEach(visit)
    else if (typeof part === 'object' && part !== null) {
      if (!isParameter(part)) Object.values(part).forEach(visit)
      else if (part.name === null) places.add(part.at.index)
    }
  }
  visit(statement)
  return [...places].sort((a, b) => a - b)
}

function isParameter(part: object): part is ParameterExpression {
  return 'kind' in part && part.kind === 'parameter'
}

function literalOf(value: ParameterValue, at: Position, node: ParameterExpression): Expression {
  if (value === null) return { kind: 'null', at }
  if (Array.isArray(value)) {
    return { kind: 'array', items: value.map((item: ParameterValue) => literalOf(item, at, node)), at }
  }
  if (value instanceof Uint8Array) {
    const text: Expression = { kind: 'string', value: Buffer.from(value).toString('base64'), at }
    return call('TO_BYTES', [text, { kind: 'string', value: 'base64', at }], at)
  }
  if (value instanceof Big) {
    return { kind: 'typed-literal', type: name('DECIMAL', at), value: value.toFixed(), at }
  }
  if (value instanceof Date && !Number.isNaN(value.getTime())) {
    return { kind: 'string', value: value.toISOString(), at }
  }
  switch (typeof value) {
    case 'boolean':
      return { kind: 'boolean', value, at }
    case 'string':
      return { kind: 'string', value, at }
    case 'bigint':
      if (BigInt.asIntN(64, value) === value) return { kind: 'integer', text: String(value), at }
      break
    case 'number':
      if (Number.isSafeInteger(value)) return { kind: 'integer', text: String(value), at }
      if (Number.isFinite(value)) return { kind: 'double', text: value.toExponential(), at }
      break
    default:
      break
  }
  throw new SqlError('SQL_PARAMETER_TYPE', {
    message: `The value of ${node.name === null ? 'a parameter' : `the parameter :${node.name}`} can't be written in SQL: ${describe(value)}.`,
    at,
    hint: 'Values are null, booleans, finite numbers, 64-bit bigints, strings, Dates, bytes, Bigs, and arrays of these.',
  })
}

function describe(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  return value instanceof Date ? 'an invalid Date' : `it is of type ${typeof value}`
}

function call(fn: string, args: readonly Expression[], at: Position): Expression {
  return { kind: 'call', name: name(fn, at), star: false, args, at }
}

function name(text: string, at: Position): Identifier {
  return { kind: 'identifier', name: text, text, quoted: false, at }
}
