import type { FormatSpec } from '../plan/data-source.ts'
import type { Column } from '../plan/schema.ts'
import { printType, type SqlType } from '../plan/sql-type.ts'
import type { Format } from './format.ts'
import { JsonDecoder } from './json-decoder.ts'
import { JsonEncoder } from './json-encoder.ts'
import { refusesMapInKey } from './map-in-key.ts'

/** JSON text: an object with one member per column, or the bare value of a single unwrapped column. */
export const json: Format = {
  name: 'JSON',
  properties: [],
  supportsKey: true,
  supportsValue: true,
  supportsSeveralColumns: true,
  wrappings: ['wrapped', 'unwrapped'],
  refuses(side, columns) {
    const mapInKey = refusesMapInKey(side, columns)
    if (mapInKey !== null) return mapInKey
    for (const { name, type } of columns) {
      const map = mapWithOtherKeys(type)
      if (map !== null) {
        return `The 'JSON' format only supports MAP types with STRING keys. Column \`${name}\` holds ${printType(map)}`
      }
    }
    return null
  },
  decoder: (side, columns, spec) => new JsonDecoder(columns, isUnwrapped(side, columns, spec)),
  encoder: (side, columns, spec) => new JsonEncoder(columns, isUnwrapped(side, columns, spec), side),
}

/** A single key column stands alone unless said otherwise, a single value column only if said so. */
function isUnwrapped(side: 'key' | 'value', columns: readonly Column[], spec: FormatSpec): boolean {
  if (columns.length !== 1) return false
  return side === 'key' ? spec.wrapping !== 'wrapped' : spec.wrapping === 'unwrapped'
}

function mapWithOtherKeys(type: SqlType): SqlType | null {
  switch (type.kind) {
    case 'MAP':
      return type.key.kind === 'STRING' ? mapWithOtherKeys(type.value) : type
    case 'ARRAY':
      return mapWithOtherKeys(type.element)
    case 'STRUCT':
      for (const field of type.fields) {
        const map = mapWithOtherKeys(field.type)
        if (map !== null) return map
      }
      return null
    default:
      return null
  }
}
