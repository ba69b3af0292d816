import Big from 'big.js'
import { unreachable } from '../../base/assert.ts'
import { fitDecimal } from '../../functions/decimal.ts'
import { plainValue } from '../../plan/plain-value.ts'
import { printType, type SqlType } from '../../plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../../plan/sql-value.ts'

/** A value of the engine as a program gets it: only STRUCTs differ, so most types need nothing. */
export function toProgram(type: SqlType): (value: SqlValue) => unknown {
  return hasStruct(type) ? (value) => plainValue(type, value) : (value) => value
}

function hasStruct(type: SqlType): boolean {
  switch (type.kind) {
    case 'STRUCT':
      return true
    case 'ARRAY':
      return hasStruct(type.element)
    case 'MAP':
      return hasStruct(type.key) || hasStruct(type.value)
    default:
      return false
  }
}

/**
 * A program's value as one of the engine, checked against its type: what is written in TypeScript may still
 * come from plain JavaScript. A DECIMAL is rounded half up to its scale; a missing field of a STRUCT is null.
 *
 * @throws TypeError, RangeError it is no value of the type
 */
export function fromProgram(type: SqlType): (value: unknown) => SqlValue {
  const present = presentFromProgram(type)
  return (value) => (value === null ? null : present(value))
}

const LONG_MIN = -(2n ** 63n)
const LONG_MAX = 2n ** 63n - 1n

function presentFromProgram(type: SqlType): (value: unknown) => SqlValue {
  switch (type.kind) {
    case 'BOOLEAN':
      return (value) => (typeof value === 'boolean' ? value : refuse(type, value))
    case 'INTEGER':
      return (value) => (typeof value === 'number' && value === (value | 0) ? value : refuse(type, value))
    case 'BIGINT':
      return (value) => {
        if (typeof value === 'number' && Number.isSafeInteger(value)) return value
        if (typeof value === 'bigint' && value >= LONG_MIN && value <= LONG_MAX) return canonicalBigint(value)
        return refuse(type, value)
      }
    case 'DOUBLE':
      return (value) => (typeof value === 'number' ? value : refuse(type, value))
    case 'DECIMAL':
      return (value) => fitDecimal(decimalOf(value, type), type.precision, type.scale)
    case 'STRING':
      return (value) => (typeof value === 'string' ? value : refuse(type, value))
    case 'BYTES':
      return (value) => (value instanceof Uint8Array ? value : refuse(type, value))
    case 'TIMESTAMP':
    case 'DATE':
      return (value) => (Number.isSafeInteger(value) ? (value as number) : refuse(type, value))
    case 'TIME':
      return (value) =>
        Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 86_400_000
          ? (value as number)
          : refuse(type, value)
    case 'ARRAY': {
      const element = fromProgram(type.element)
      return (value) => (Array.isArray(value) ? value.map(element) : refuse(type, value))
    }
    case 'MAP': {
      const keyOf = fromProgram(type.key)
      const valueOf = fromProgram(type.value)
      return (value) =>
        value instanceof Map
          ? new Map([...(value as ReadonlyMap<unknown, unknown>)].map(([k, v]) => [keyOf(k), valueOf(v)]))
          : refuse(type, value)
    }
    case 'STRUCT':
      return structFromProgram(type)
    default:
      return unreachable(type)
  }
}

function structFromProgram(type: Extract<SqlType, { kind: 'STRUCT' }>): (value: unknown) => SqlValue {
  const fields = type.fields.map(({ name, type: of }) => ({ name, convert: fromProgram(of) }))
  return (value) => {
    if (typeof value !== 'object' || Array.isArray(value)) return refuse(type, value)
    const given = value as Readonly<Record<string, unknown>>
    const unknown = Object.keys(given).find((key) => fields.every(({ name }) => name !== key))
    if (unknown !== undefined) throw new TypeError(`${printType(type)} has no field ${unknown}.`)
    return fields.map(({ name, convert }) => convert(given[name] ?? null))
  }
}

/* Big of another copy of the library is no instance of ours, so its text counts. */
function decimalOf(value: unknown, type: SqlType): Big {
  const isBig = typeof value === 'object' && value !== null && 'c' in value && 'e' in value
  if (!isBig && typeof value !== 'number' && typeof value !== 'string' && typeof value !== 'bigint')
    return refuse(type, value)
  try {
    return value instanceof Big ? value : new Big(String(value as number))
  } catch {
    return refuse(type, value)
  }
}

function refuse(type: SqlType, value: unknown): never {
  const isPromise = typeof value === 'object' && value !== null && 'then' in value
  throw new TypeError(
    isPromise
      ? `it gave a promise where ${printType(type)} is declared: functions can't wait.`
      : `it gave ${textOf(value)} where ${printType(type)} is declared.`,
  )
}

function textOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`
    case 'bigint':
      return `${value}n`
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? 'an array' : `an object (${value.constructor?.name ?? 'Object'})`
    default:
      return `a ${typeof value}`
  }
}
