import type Big from 'big.js'
import { unreachable } from '../base/assert.ts'
import { printType, type SqlType } from '../plan/sql-type.ts'
import { canonicalBigint, isTimestamp, type SqlValue } from '../plan/sql-value.ts'
import { fitsDecimal } from './fit-decimal.ts'
import { SchemaError, type WireField, type WireKind, type WireType } from './wire-type.ts'

/** Turns a value of one type into one of another; made once per schema, called per record. */
export type Convert = (value: SqlValue) => SqlValue

/** A value that isn't one of the type it has to become. The message is a sentence. */
export class WireMismatch extends Error {
  override readonly name = 'WireMismatch'
}

const same: Convert = (value) => value

/** Which kinds of the wire a column of this type takes. Integers widen, and any scalar of theirs becomes text. */
const READABLE: Record<Exclude<SqlType['kind'], 'ARRAY' | 'MAP' | 'STRUCT'>, readonly WireKind[]> = {
  BOOLEAN: ['boolean'],
  INTEGER: ['int32', 'date', 'time'],
  BIGINT: ['int32', 'int64', 'timestamp', 'date', 'time'],
  DOUBLE: ['float32', 'float64'],
  STRING: ['string', 'int32', 'int64', 'boolean', 'float32', 'float64'],
  BYTES: ['bytes'],
  DATE: ['date', 'int32'],
  TIME: ['time', 'int32'],
  TIMESTAMP: ['timestamp', 'int64'],
  DECIMAL: ['decimal'],
}

/**
 * How values of a schema are read as a column's type. Fields go by their names, exactly or else ignoring case;
 * those the schema has not are null.
 *
 * @throws SchemaError when no value of the schema could be read
 */
export function readAs(wire: WireType, type: SqlType, path: string): Convert {
  const refuse = (): SchemaError =>
    new SchemaError(`The schema has ${wire.kind} at ${path}, which can't be read as ${printType(type)}.`)
  switch (type.kind) {
    case 'ARRAY': {
      if (wire.kind !== 'array') throw refuse()
      const element = readAs(wire.element, type.element, `${path}[]`)
      return element === same
        ? same
        : orNull((value) => (value as readonly SqlValue[]).map((item) => element(item)))
    }
    case 'MAP': {
      if (wire.kind !== 'map') throw refuse()
      const key = readAs(wire.key, type.key, `${path}.key`)
      const member = readAs(wire.value, type.value, `${path}.value`)
      if (key === same && member === same) return same
      return orNull(
        (value) =>
          new Map([...(value as ReadonlyMap<SqlValue, SqlValue>)].map(([k, v]) => [key(k), member(v)])),
      )
    }
    case 'STRUCT': {
      if (wire.kind !== 'struct') throw refuse()
      const fields = readFields(wire.fields, type.fields, path)
      const isSame =
        fields.length === wire.fields.length && fields.every((f, i) => f?.index === i && f.convert === same)
      if (isSame) return same
      return orNull((value) =>
        fields.map((f) => (f === null ? null : f.convert((value as readonly SqlValue[])[f.index]!))),
      )
    }
    default: {
      if (!READABLE[type.kind].includes(wire.kind)) throw refuse()
      if (type.kind === 'STRING' && wire.kind !== 'string') return orNull((value) => textOf(value))
      if (type.kind === 'DECIMAL' && wire.kind === 'decimal') {
        if (wire.scale <= type.scale && wire.precision - wire.scale <= type.precision - type.scale)
          return same
        return orNull((value) => {
          if (fitsDecimal(value as Big, type.precision, type.scale)) return value
          throw new WireMismatch(
            `${(value as Big).toFixed()} does not fit ${printType(type)} without rounding, at ${path}`,
          )
        })
      }
      return same
    }
  }
}

/** Where the columns or fields are among those of the schema: one entry per column, null for those it has not. */
export function readFields(
  wire: readonly WireField[],
  wanted: readonly { readonly name: string; readonly type: SqlType }[],
  path: string,
): readonly ({ readonly index: number; readonly convert: Convert } | null)[] {
  return wanted.map(({ name, type }) => {
    const index = fieldIndex(wire, name)
    return index < 0 ? null : { index, convert: readAs(wire[index]!.type, type, `${path}.${name}`) }
  })
}

function fieldIndex(fields: readonly { readonly name: string }[], name: string): number {
  const exact = fields.findIndex((f) => f.name === name)
  if (exact >= 0) return exact
  const upper = name.toUpperCase()
  return fields.findLastIndex((f) => f.name.toUpperCase() === upper)
}

/** Which types a writer may put into a kind of the wire. */
const WRITABLE: Record<Exclude<WireKind, 'array' | 'map' | 'struct'>, readonly SqlType['kind'][]> = {
  boolean: ['BOOLEAN'],
  int32: ['INTEGER', 'DATE', 'TIME'],
  int64: ['BIGINT', 'INTEGER', 'TIMESTAMP'],
  float32: ['DOUBLE', 'INTEGER'],
  float64: ['DOUBLE', 'INTEGER'],
  string: ['STRING'],
  bytes: ['BYTES'],
  date: ['DATE'],
  time: ['TIME'],
  timestamp: ['TIMESTAMP'],
  decimal: ['DECIMAL'],
}

/**
 * How values of a type are written by a schema. A field without a value takes the schema's default, else null
 * where that is allowed.
 *
 * @throws SchemaError when the schema has no place for the type; the converter throws WireMismatch for a null
 *   where the schema allows none
 */
export function writeAs(type: SqlType, wire: WireType, path: string): Convert {
  const convert = writeNonNull(type, wire, path)
  if (wire.optional) return convert
  return (value) => {
    if (value === null) throw new WireMismatch(`The schema allows no null at ${path}`)
    return convert(value)
  }
}

function writeNonNull(type: SqlType, wire: WireType, path: string): Convert {
  const refuse = (): SchemaError =>
    new SchemaError(`The schema has ${wire.kind} at ${path}, where ${printType(type)} can't be written.`)
  switch (wire.kind) {
    case 'array': {
      if (type.kind !== 'ARRAY') throw refuse()
      const element = writeAs(type.element, wire.element, `${path}[]`)
      return element === same
        ? same
        : orNull((value) => (value as readonly SqlValue[]).map((item) => element(item)))
    }
    case 'map': {
      if (type.kind !== 'MAP') throw refuse()
      const key = writeAs(type.key, wire.key, `${path}.key`)
      const member = writeAs(type.value, wire.value, `${path}.value`)
      if (key === same && member === same) return same
      return orNull(
        (value) =>
          new Map([...(value as ReadonlyMap<SqlValue, SqlValue>)].map(([k, v]) => [key(k), member(v)])),
      )
    }
    case 'struct': {
      if (type.kind !== 'STRUCT') throw refuse()
      return orNull(writeFields(type.fields, wire.fields, path) as Convert)
    }
    case 'decimal':
      if (type.kind !== 'DECIMAL') throw refuse()
      return orNull((value) => {
        if (fitsDecimal(value as Big, wire.precision, wire.scale)) return value
        throw new WireMismatch(
          `${(value as Big).toFixed()} does not fit DECIMAL(${wire.precision}, ${wire.scale}) at ${path}`,
        )
      })
    case 'boolean':
    case 'int32':
    case 'int64':
    case 'float32':
    case 'float64':
    case 'string':
    case 'bytes':
    case 'date':
    case 'time':
    case 'timestamp':
      if (!WRITABLE[wire.kind].includes(type.kind)) throw refuse()
      return same
    default:
      return unreachable(wire)
  }
}

/** How rows or structs are written: gives one value per field of the schema. */
export function writeFields(
  columns: readonly { readonly name: string; readonly type: SqlType }[],
  wire: readonly WireField[],
  path: string,
): (row: readonly SqlValue[]) => readonly SqlValue[] {
  const fields = wire.map((field) => {
    const place = `${path}.${field.name}`
    const index = fieldIndex(columns, field.name)
    const nothing = (): SqlValue => {
      if (field.default !== undefined && field.default !== null) return field.default
      if (field.type.optional) return null
      throw new WireMismatch(`The schema requires a value at ${place}`)
    }
    if (index < 0) return nothing as () => SqlValue
    const convert = writeAs(columns[index]!.type, field.type, place)
    return (row: readonly SqlValue[]): SqlValue => {
      const value = row[index]!
      return value === null ? nothing() : convert(value)
    }
  })
  return (row) => fields.map((field) => field(row))
}

function orNull(convert: Convert): Convert {
  return (value) => (value === null ? null : convert(value))
}

function textOf(value: SqlValue): string {
  return String(value as number | bigint | boolean)
}

/** @throws WireMismatch there is no TIMESTAMP so far away */
export function timestampOf(epochMs: number | bigint): number {
  if (isTimestamp(epochMs)) return epochMs
  throw new WireMismatch(`${epochMs} is out of the range of TIMESTAMP`)
}

/** A whole number of up to 64 bits in its canonical form. */
export function wholeNumber(value: number | bigint): number | bigint {
  return typeof value === 'bigint' ? canonicalBigint(value) : value
}
