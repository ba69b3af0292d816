import Big from 'big.js'
import { assert } from '../base/assert.ts'
import { javaDoubleText, parseJavaDouble, trimJava } from '../base/java-double.ts'
import { decimal, DOUBLE, isNumeric, printType, sameType, type SqlType } from '../plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../plan/sql-value.ts'
import { fitDecimal, roundDecimal } from './decimal.ts'
import {
  DAY_MS,
  dateText,
  parseDate,
  parseTime,
  parseTimestamp,
  timestampText,
  timeText,
  checkedTimestamp,
} from './iso-time.ts'
import { doubleToBigint, doubleToInt } from './java-narrowing.ts'
import { javaTextFunction } from './java-text.ts'

/** A conversion of non-null and null values: null stays null. @throws Error the value has no counterpart */
export type Conversion = (value: SqlValue) => SqlValue

/** Whether `CAST(… AS to)` is allowed at all; single values may still fail. */
export function canCast(from: SqlType, to: SqlType): boolean {
  if (sameType(from, to)) return true
  if (isNumeric(from) && isNumeric(to)) return true
  switch (to.kind) {
    case 'STRING':
      return from.kind !== 'BYTES'
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'DECIMAL':
    case 'BYTES':
      return from.kind === 'STRING'
    case 'TIMESTAMP':
      return from.kind === 'STRING' || from.kind === 'DATE'
    case 'DATE':
    case 'TIME':
      return from.kind === 'STRING' || from.kind === 'TIMESTAMP'
    case 'ARRAY':
      return from.kind === 'ARRAY' && canCast(from.element, to.element)
    case 'MAP':
      return from.kind === 'MAP' && canCast(from.key, to.key) && canCast(from.value, to.value)
    case 'STRUCT':
      return (
        from.kind === 'STRUCT' &&
        to.fields.every((field) => {
          const source = from.fields.find((f) => f.name === field.name)
          return source === undefined || canCast(source.type, field.type)
        })
      )
  }
}

/**
 * Whether operands and arguments convert without a CAST: INTEGER → BIGINT → DECIMAL → DOUBLE where no
 * digit can be lost, and STRING to the time types.
 */
export function canImplicitlyCast(from: SqlType, to: SqlType): boolean {
  if (sameType(from, to)) return true
  switch (to.kind) {
    case 'BIGINT':
      return from.kind === 'INTEGER'
    case 'DECIMAL': {
      const source = from.kind === 'INTEGER' ? decimal(10, 0) : from.kind === 'BIGINT' ? decimal(19, 0) : from
      return (
        source.kind === 'DECIMAL' &&
        source.scale <= to.scale &&
        source.precision - source.scale <= to.precision - to.scale
      )
    }
    case 'DOUBLE':
      return isNumeric(from)
    case 'TIMESTAMP':
    case 'DATE':
    case 'TIME':
      return from.kind === 'STRING'
    default:
      return false
  }
}

/** The narrowest numeric type that holds all values of both (a DOUBLE holds none of them exactly and wins). */
export function commonNumericType(a: SqlType, b: SqlType): SqlType {
  if (a.kind === 'DOUBLE' || b.kind === 'DOUBLE') return DOUBLE
  if (a.kind === 'DECIMAL' || b.kind === 'DECIMAL') {
    const [left, right] = [a, b].map((t) =>
      t.kind === 'DECIMAL' ? t : { precision: t.kind === 'INTEGER' ? 10 : 19, scale: 0 },
    ) as [{ precision: number; scale: number }, { precision: number; scale: number }]
    const scale = Math.max(left.scale, right.scale)
    const whole = Math.max(left.precision - left.scale, right.precision - right.scale)
    return decimal(whole + scale, scale)
  }
  return a.kind === 'BIGINT' ? a : b
}

/** The conversion of a CAST that {@link canCast} allows. */
export function castFunction(from: SqlType, to: SqlType): Conversion {
  assert(canCast(from, to), `a cast of ${printType(from)} to ${printType(to)} was refused before`)
  if (sameType(from, to)) return (value) => value
  const convert = conversion(from, to)
  return (value) => (value === null ? null : convert(value))
}

function conversion(from: SqlType, to: SqlType): (value: SqlValue) => SqlValue {
  switch (to.kind) {
    case 'INTEGER':
      return toInteger(from)
    case 'BIGINT':
      return toBigint(from)
    case 'DOUBLE':
      return toDouble(from)
    case 'DECIMAL':
      return toDecimal(from, to.precision, to.scale)
    case 'STRING':
      return toText(from)
    case 'BOOLEAN':
      return (value) => isTrueText(value as string)
    case 'BYTES':
      return (value) => parseBase64(value as string)
    case 'TIMESTAMP':
      return from.kind === 'DATE'
        ? (value) => checkedTimestamp((value as number) * DAY_MS)
        : (value) => parseTimestamp(value as string)
    case 'DATE':
      return from.kind === 'TIMESTAMP'
        ? (value) => Math.floor((value as number) / DAY_MS)
        : (value) => parseDate(value as string)
    case 'TIME':
      return from.kind === 'TIMESTAMP'
        ? (value) => (value as number) - Math.floor((value as number) / DAY_MS) * DAY_MS
        : (value) => parseTime(value as string)
    case 'ARRAY': {
      const element = castFunction((from as typeof to).element, to.element)
      return (value) => (value as readonly SqlValue[]).map(element)
    }
    case 'MAP': {
      const key = castFunction((from as typeof to).key, to.key)
      const valueOf = castFunction((from as typeof to).value, to.value)
      return (value) =>
        new Map([...(value as ReadonlyMap<SqlValue, SqlValue>)].map(([k, v]) => [key(k), valueOf(v)]))
    }
    case 'STRUCT': {
      const sources = (from as typeof to).fields
      const fields = to.fields.map((field): Conversion => {
        const at = sources.findIndex((source) => source.name === field.name)
        if (at < 0) return () => null
        const cast = castFunction(sources[at]!.type, field.type)
        return (value) => cast((value as readonly SqlValue[])[at]!)
      })
      return (value) => fields.map((field) => field(value))
    }
  }
}

function toInteger(from: SqlType): (value: SqlValue) => SqlValue {
  switch (from.kind) {
    case 'DOUBLE':
      return (value) => doubleToInt(value as number)
    case 'BIGINT':
      return (value) => lowInt(value as number | bigint)
    case 'DECIMAL':
      return (value) => Number(BigInt.asIntN(32, wholePart(value as Big)))
    default:
      return (value) => parseInteger(value as string)
  }
}

/* `|` takes the low 32 bits of any safe integer. */
function lowInt(value: number | bigint): number {
  return typeof value === 'number' ? value | 0 : Number(BigInt.asIntN(32, value))
}

function toBigint(from: SqlType): (value: SqlValue) => SqlValue {
  switch (from.kind) {
    case 'DOUBLE':
      return (value) => doubleToBigint(value as number)
    case 'INTEGER':
      return (value) => value
    case 'DECIMAL':
      return (value) => canonicalBigint(wholePart(value as Big))
    default:
      return (value) => parseBigint(value as string)
  }
}

function wholePart(value: Big): bigint {
  return BigInt(roundDecimal(value, 0, 'down').toFixed())
}

function toDouble(from: SqlType): (value: SqlValue) => SqlValue {
  if (from.kind === 'STRING') return (value) => parseDouble(value as string)
  // Number reads the digits of a Big's text, so the nearest double.
  return from.kind === 'DECIMAL' ? (value) => Number((value as Big).toFixed()) + 0 : (value) => Number(value)
}

function toDecimal(from: SqlType, precision: number, scale: number): (value: SqlValue) => SqlValue {
  switch (from.kind) {
    case 'DECIMAL':
      // A wider type holds the same value.
      if (scale >= from.scale && precision - scale >= from.precision - from.scale) return (value) => value
      return (value) => fitDecimal(value as Big, precision, scale)
    case 'DOUBLE':
      return (value) => {
        if (!Number.isFinite(value)) throw new RangeError(`${value as number} has no DECIMAL form.`)
        // First to as many digits as the type has, from the exact binary value, then to its scale: as BigDecimal is.
        return fitDecimal(new Big((value as number).toPrecision(Math.min(precision, 100))), precision, scale)
      }
    case 'STRING':
      return (value) => fitDecimal(parseDecimal(value as string), precision, scale)
    default:
      return (value) => fitDecimal(new Big(String(value as number | bigint)), precision, scale)
  }
}

function toText(from: SqlType): (value: SqlValue) => SqlValue {
  switch (from.kind) {
    case 'DOUBLE':
      return (value) => javaDoubleText(value as number)
    case 'DECIMAL':
      return (value) => (value as Big).toFixed(from.scale)
    case 'TIMESTAMP':
      return (value) => timestampText(value as number)
    case 'DATE':
      return (value) => dateText(value as number)
    case 'TIME':
      return (value) => timeText(value as number)
    case 'ARRAY':
    case 'MAP':
    case 'STRUCT':
      return javaTextFunction(from)
    default:
      return String
  }
}

/** A prefix of `true` or `yes`, in any case; the empty text is not one. */
export function isTrueText(text: string): boolean {
  const lower = text.trim().toLowerCase()
  return lower !== '' && ('true'.startsWith(lower) || 'yes'.startsWith(lower))
}

/** Reads a 32-bit integer as Java does, blanks around it ignored. @throws RangeError it isn't one */
function parseInteger(text: string): number {
  const value = parseWhole(text)
  if (value === null || value !== BigInt.asIntN(32, value))
    throw new RangeError(`'${text}' is not an INTEGER.`)
  return Number(value)
}

/** Reads a 64-bit integer as Java does, blanks around it ignored. @throws RangeError it isn't one */
export function parseBigint(text: string): number | bigint {
  const value = parseWhole(text)
  if (value === null || value !== BigInt.asIntN(64, value)) throw new RangeError(`'${text}' is not a BIGINT.`)
  return canonicalBigint(value)
}

function parseWhole(text: string): bigint | null {
  const found = /^([+-]?)(\d+)$/.exec(trimJava(text))
  if (found === null) return null
  return found[1] === '-' ? -BigInt(found[2]!) : BigInt(found[2]!)
}

/** Reads a decimal number, possibly with an exponent. @throws RangeError it isn't one */
export function parseDecimal(text: string): Big {
  const number = trimJava(text)
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?$/.test(number)) {
    throw new RangeError(`'${text}' is not a DECIMAL.`)
  }
  return new Big(
    number
      .replace(/^\+/, '')
      .replace(/^(-?)\./, '$10.')
      .replace(/\.(?=$|[eE])/, ''),
  )
}

/** Reads a finite double in Java's syntax. @throws RangeError it isn't one */
export function parseDouble(text: string): number {
  const value = parseJavaDouble(text)
  if (value === undefined || !Number.isFinite(value)) throw new RangeError(`'${text}' is not a DOUBLE.`)
  return value
}

/** Reads padded or unpadded base64. @throws RangeError it isn't any */
function parseBase64(text: string): Uint8Array {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(text)) {
    throw new RangeError(`'${text}' is not base64.`)
  }
  return Uint8Array.from(Buffer.from(text, 'base64'))
}
