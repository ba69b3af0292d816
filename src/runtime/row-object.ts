import type Big from 'big.js'
import type { Schema } from '../plan/schema.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'

/** A value as a program gets it: as SqlValue, but a STRUCT is an object by field name. */
export type PlainValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Big
  | readonly PlainValue[]
  | ReadonlyMap<PlainValue, PlainValue>
  | { readonly [field: string]: PlainValue }

/** A row by column name. */
export type RowObject = { readonly [column: string]: PlainValue }

/** The row as an object; every name is an own property, whatever it is called. */
export function rowObject(schema: Schema, row: Row): RowObject {
  return Object.fromEntries(schema.columns.map((c, i) => [c.name, plainValue(c.type, row[i] ?? null)]))
}

export function plainValue(type: SqlType, value: SqlValue): PlainValue {
  if (value === null) return null
  switch (type.kind) {
    case 'ARRAY':
      return (value as readonly SqlValue[]).map((v) => plainValue(type.element, v))
    case 'MAP':
      return new Map(
        [...(value as ReadonlyMap<SqlValue, SqlValue>)].map(([k, v]) => [
          plainValue(type.key, k),
          plainValue(type.value, v),
        ]),
      )
    case 'STRUCT':
      return Object.fromEntries(
        type.fields.map((f, i) => [f.name, plainValue(f.type, (value as readonly SqlValue[])[i] ?? null)]),
      )
    default:
      return value as PlainValue
  }
}
