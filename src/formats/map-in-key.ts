import type { Column } from '../plan/schema.ts'
import type { SqlType } from '../plan/sql-type.ts'
import { printType } from '../plan/sql-type.ts'

/** Why columns can't be a key in any format: a MAP has no one order, so equal keys might differ in bytes. */
export function refusesMapInKey(side: 'key' | 'value', columns: readonly Column[]): string | null {
  if (side === 'value') return null
  const column = columns.find((c) => holdsMap(c.type))
  if (column === undefined) return null
  return `A MAP cannot be part of a key, but key column \`${column.name}\` is of type ${printType(column.type)}.`
}

function holdsMap(type: SqlType): boolean {
  switch (type.kind) {
    case 'MAP':
      return true
    case 'ARRAY':
      return holdsMap(type.element)
    case 'STRUCT':
      return type.fields.some((field) => holdsMap(field.type))
    default:
      return false
  }
}
