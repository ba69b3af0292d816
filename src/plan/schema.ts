import { printType, quoteName, type SqlType } from './sql-type.ts'

export type ColumnRole = 'key' | 'value'

export interface Column {
  readonly name: string
  readonly type: SqlType
  readonly role: ColumnRole
}

/**
 * The columns of a stream, table or plan node: keys first, then values, each in declared order.
 *
 * Pseudo columns (ROWTIME …) are not in it; they are available wherever {@link PSEUDO_COLUMNS} says.
 */
export interface Schema {
  readonly columns: readonly Column[]
}

export function keyColumns(schema: Schema): readonly Column[] {
  return schema.columns.filter((c) => c.role === 'key')
}

export function valueColumns(schema: Schema): readonly Column[] {
  return schema.columns.filter((c) => c.role === 'value')
}

export function findColumn(schema: Schema, name: string): Column | undefined {
  return schema.columns.find((c) => c.name === name)
}

/** ```ID` STRING KEY, `N` BIGINT``: `keyWord` is KEY for streams, PRIMARY KEY for tables. */
export function printSchema(schema: Schema, keyWord: 'KEY' | 'PRIMARY KEY' = 'KEY'): string {
  return schema.columns
    .map((c) => `${quoteName(c.name)} ${printType(c.type)}${c.role === 'key' ? ` ${keyWord}` : ''}`)
    .join(', ')
}

/**
 * Columns every row has beside its schema: event time (BIGINT, epoch ms), partition (INTEGER) and offset
 * (BIGINT) of the record it came from; and, where rows are windowed, the bounds of the window (BIGINT).
 */
export const PSEUDO_COLUMNS = ['ROWTIME', 'ROWPARTITION', 'ROWOFFSET', 'WINDOWSTART', 'WINDOWEND'] as const
export type PseudoColumn = (typeof PSEUDO_COLUMNS)[number]
