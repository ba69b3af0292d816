import type Big from 'big.js'
import type { SqlType } from './sql-type.ts'
import type { SqlValue } from './sql-value.ts'

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
