import { unreachable } from '../base/assert.ts'

/** A type of the SQL dialect, resolved: aliases of CREATE TYPE are replaced by their definition. */
export type SqlType =
  | { readonly kind: 'BOOLEAN' }
  | { readonly kind: 'INTEGER' }
  | { readonly kind: 'BIGINT' }
  | { readonly kind: 'DOUBLE' }
  | { readonly kind: 'DECIMAL'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'STRING' }
  | { readonly kind: 'BYTES' }
  | { readonly kind: 'TIME' }
  | { readonly kind: 'DATE' }
  | { readonly kind: 'TIMESTAMP' }
  | { readonly kind: 'ARRAY'; readonly element: SqlType }
  | { readonly kind: 'MAP'; readonly key: SqlType; readonly value: SqlType }
  | { readonly kind: 'STRUCT'; readonly fields: readonly StructField[] }

export interface StructField {
  readonly name: string
  readonly type: SqlType
}

export type SqlKind = SqlType['kind']

export const BOOLEAN: SqlType = { kind: 'BOOLEAN' }
export const INTEGER: SqlType = { kind: 'INTEGER' }
export const BIGINT: SqlType = { kind: 'BIGINT' }
export const DOUBLE: SqlType = { kind: 'DOUBLE' }
export const STRING: SqlType = { kind: 'STRING' }
export const BYTES: SqlType = { kind: 'BYTES' }
export const TIME: SqlType = { kind: 'TIME' }
export const DATE: SqlType = { kind: 'DATE' }
export const TIMESTAMP: SqlType = { kind: 'TIMESTAMP' }

export function decimal(precision: number, scale: number): SqlType {
  return { kind: 'DECIMAL', precision, scale }
}

export function arrayOf(element: SqlType): SqlType {
  return { kind: 'ARRAY', element }
}

export function mapOf(key: SqlType, value: SqlType): SqlType {
  return { kind: 'MAP', key, value }
}

export function structOf(fields: readonly StructField[]): SqlType {
  return { kind: 'STRUCT', fields }
}

/** The type as it is written in SQL, e.g. ``ARRAY<STRUCT<`A` INTEGER>>``: the text DESCRIBE and errors show. */
export function printType(type: SqlType): string {
  switch (type.kind) {
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'STRING':
    case 'BYTES':
    case 'TIME':
    case 'DATE':
    case 'TIMESTAMP':
      return type.kind
    case 'DECIMAL':
      return `DECIMAL(${type.precision}, ${type.scale})`
    case 'ARRAY':
      return `ARRAY<${printType(type.element)}>`
    case 'MAP':
      return `MAP<${printType(type.key)}, ${printType(type.value)}>`
    case 'STRUCT':
      return `STRUCT<${type.fields.map((f) => `${quoteName(f.name)} ${printType(f.type)}`).join(', ')}>`
    default:
      return unreachable(type)
  }
}

/** A name in back quotes, as schemas are printed; inner back quotes doubled. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

export function sameType(a: SqlType, b: SqlType): boolean {
  switch (a.kind) {
    case 'DECIMAL':
      return b.kind === 'DECIMAL' && a.precision === b.precision && a.scale === b.scale
    case 'ARRAY':
      return b.kind === 'ARRAY' && sameType(a.element, b.element)
    case 'MAP':
      return b.kind === 'MAP' && sameType(a.key, b.key) && sameType(a.value, b.value)
    case 'STRUCT':
      return (
        b.kind === 'STRUCT' &&
        a.fields.length === b.fields.length &&
        a.fields.every((f, i) => f.name === b.fields[i]!.name && sameType(f.type, b.fields[i]!.type))
      )
    default:
      return a.kind === b.kind
  }
}

export function isNumeric(type: SqlType): boolean {
  return (
    type.kind === 'INTEGER' || type.kind === 'BIGINT' || type.kind === 'DOUBLE' || type.kind === 'DECIMAL'
  )
}
