import { plainValue, type PlainValue } from '../plan/plain-value.ts'
import type { Schema } from '../plan/schema.ts'
import type { Row } from '../plan/sql-value.ts'

/** A row by column name. */
export type RowObject = { readonly [column: string]: PlainValue }

/** The row as an object; every name is an own property, whatever it is called. */
export function rowObject(schema: Schema, row: Row): RowObject {
  return Object.fromEntries(schema.columns.map((c, i) => [c.name, plainValue(c.type, row[i] ?? null)]))
}
