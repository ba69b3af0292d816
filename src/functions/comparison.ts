import type Big from 'big.js'
import { unreachable } from '../base/assert.ts'
import type { ComparisonOp } from '../plan/expression.ts'
import { isNumeric, sameType, TIMESTAMP, type SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import { commonNumericType } from './cast.ts'

/**
 * The type two operands of a comparison are cast to.
 *
 * @returns null where the dialect compares no such pair, or not with this operator
 */
export function comparisonType(op: ComparisonOp, left: SqlType, right: SqlType): SqlType | null {
  if (isNumeric(left) && isNumeric(right)) return commonNumericType(left, right)
  const ordering = op === '<' || op === '<=' || op === '>' || op === '>='
  if (sameType(left, right)) return ordering && !isOrdered(left) ? null : left
  if (left.kind === 'STRING') return isTime(right) ? right : null
  if (right.kind === 'STRING') return isTime(left) ? left : null
  const dates = (type: SqlType): boolean => type.kind === 'DATE' || type.kind === 'TIMESTAMP'
  return dates(left) && dates(right) ? TIMESTAMP : null
}

/** Whether `<` and its kin, MIN, MAX and sorting work on values of the type. */
export function isOrdered(type: SqlType): boolean {
  switch (type.kind) {
    case 'BOOLEAN':
    case 'ARRAY':
    case 'MAP':
    case 'STRUCT':
      return false
    default:
      return true
  }
}

function isTime(type: SqlType): boolean {
  return type.kind === 'DATE' || type.kind === 'TIME' || type.kind === 'TIMESTAMP'
}

/**
 * The body of a comparison over operands of one type. A null operand gives false, except that the
 * DISTINCT forms compare nulls like values.
 */
export function comparisonFunction(
  op: ComparisonOp,
  type: SqlType,
): (left: SqlValue, right: SqlValue) => boolean {
  const equals = type.kind === 'DOUBLE' ? (a: SqlValue, b: SqlValue) => a === b : equalsFunction(type)
  switch (op) {
    case '=':
      return (a, b) => a !== null && b !== null && equals(a, b)
    case '<>':
      // NaN is neither equal to nor different from anything.
      if (type.kind === 'DOUBLE') {
        return (a, b) =>
          a !== null && b !== null && ((a as number) < (b as number) || (a as number) > (b as number))
      }
      return (a, b) => a !== null && b !== null && !equals(a, b)
    case 'IS DISTINCT FROM':
      return (a, b) => (a === null || b === null ? a !== b : !equals(a, b))
    case 'IS NOT DISTINCT FROM':
      return (a, b) => (a === null || b === null ? a === b : equals(a, b))
    case '<':
    case '<=':
    case '>':
    case '>=':
      return orderingFunction(op, type)
    default:
      return unreachable(op)
  }
}

function orderingFunction(
  op: '<' | '<=' | '>' | '>=',
  type: SqlType,
): (left: SqlValue, right: SqlValue) => boolean {
  if (type.kind !== 'DECIMAL' && type.kind !== 'BYTES') {
    // Numbers (also a bigint next to a number) and strings by code unit: JavaScript's own order.
    switch (op) {
      case '<':
        return (a, b) => a !== null && b !== null && a < b
      case '<=':
        return (a, b) => a !== null && b !== null && a <= b
      case '>':
        return (a, b) => a !== null && b !== null && a > b
      case '>=':
        return (a, b) => a !== null && b !== null && a >= b
    }
  }
  const compare = compareFunction(type)
  switch (op) {
    case '<':
      return (a, b) => a !== null && b !== null && compare(a, b) < 0
    case '<=':
      return (a, b) => a !== null && b !== null && compare(a, b) <= 0
    case '>':
      return (a, b) => a !== null && b !== null && compare(a, b) > 0
    case '>=':
      return (a, b) => a !== null && b !== null && compare(a, b) >= 0
  }
}

/** A total order of non-null values: negative, 0 or positive. DOUBLE as Java orders: −0.0 before 0.0, NaN last. */
export function compareFunction(type: SqlType): (left: SqlValue, right: SqlValue) => number {
  switch (type.kind) {
    case 'DECIMAL':
      return (a, b) => (a as Big).cmp(b as Big)
    case 'BYTES':
      return (a, b) => Buffer.compare(a as Uint8Array, b as Uint8Array)
    case 'DOUBLE':
      return (a, b) => compareDoubles(a as number, b as number)
    default:
      return (a, b) => (a! < b! ? -1 : a! > b! ? 1 : 0)
  }
}

function compareDoubles(a: number, b: number): number {
  if (a < b) return -1
  if (a > b) return 1
  if (a === b) return a !== 0 || Object.is(a, b) ? 0 : Object.is(a, -0) ? -1 : 1
  const aIsNaN = Number.isNaN(a)
  return aIsNaN === Number.isNaN(b) ? 0 : aIsNaN ? 1 : -1
}

/** Equality of values, as inside collections: null equals null, NaN equals NaN. */
export function equalsFunction(type: SqlType): (left: SqlValue, right: SqlValue) => boolean {
  switch (type.kind) {
    case 'DOUBLE':
      return (a, b) => Object.is(a, b)
    case 'DECIMAL':
      return (a, b) => a === b || (a !== null && b !== null && (a as Big).eq(b as Big))
    case 'BYTES':
      return (a, b) =>
        a === b || (a !== null && b !== null && Buffer.compare(a as Uint8Array, b as Uint8Array) === 0)
    case 'ARRAY': {
      const equals = equalsFunction(type.element)
      return (a, b) => {
        if (a === null || b === null) return a === b
        const left = a as readonly SqlValue[]
        const right = b as readonly SqlValue[]
        return left.length === right.length && left.every((item, i) => equals(item, right[i]!))
      }
    }
    case 'STRUCT': {
      const equals = type.fields.map((field) => equalsFunction(field.type))
      return (a, b) => {
        if (a === null || b === null) return a === b
        const left = a as readonly SqlValue[]
        const right = b as readonly SqlValue[]
        return equals.every((fieldEquals, i) => fieldEquals(left[i]!, right[i]!))
      }
    }
    case 'MAP': {
      const identity = identityFunction(type.key)
      const equals = equalsFunction(type.value)
      return (a, b) => {
        if (a === null || b === null) return a === b
        const left = a as ReadonlyMap<SqlValue, SqlValue>
        const right = b as ReadonlyMap<SqlValue, SqlValue>
        if (left.size !== right.size) return false
        const byIdentity = new Map([...right].map(([key, value]) => [identity(key), value]))
        return [...left].every(([key, value]) => {
          const other = byIdentity.get(identity(key))
          return other !== undefined && equals(value, other)
        })
      }
    }
    default:
      return (a, b) => a === b
  }
}

/** What stands for a value in a Set or as a Map's key: two values of the type have one identity iff they are equal. */
export function identityFunction(
  type: SqlType,
): (value: SqlValue) => string | number | bigint | boolean | null {
  switch (type.kind) {
    case 'DECIMAL':
      return (value) => (value === null ? null : (value as Big).toFixed(type.scale))
    case 'BYTES':
      return (value) => (value === null ? null : Buffer.from(value as Uint8Array).toString('latin1'))
    case 'DOUBLE':
      return (value) => (Object.is(value, -0) ? '-0' : (value as number | null))
    case 'ARRAY': {
      const identity = identityFunction(type.element)
      return (value) => (value === null ? null : joined((value as readonly SqlValue[]).map(identity)))
    }
    case 'STRUCT': {
      const identities = type.fields.map((field) => identityFunction(field.type))
      return (value) =>
        value === null
          ? null
          : joined(identities.map((identity, i) => identity((value as readonly SqlValue[])[i]!)))
    }
    case 'MAP': {
      const keyIdentity = identityFunction(type.key)
      const valueIdentity = identityFunction(type.value)
      return (value) => {
        if (value === null) return null
        const entries = [...(value as ReadonlyMap<SqlValue, SqlValue>)]
        return joined(entries.map(([k, v]) => joined([keyIdentity(k), valueIdentity(v)])).sort())
      }
    }
    default:
      return (value) => value as string | number | bigint | boolean | null
  }
}

/* Each part with its length and kind in front, so that no two lists join to one text. */
function joined(parts: readonly (string | number | bigint | boolean | null)[]): string {
  return parts.map((part) => `${(typeof part)[0]}${String(part).length}:${String(part)}`).join('')
}
