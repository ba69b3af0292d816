import type { SqlType } from '../../plan/sql-type.ts'

const NUMBERS = ['INTEGER', 'BIGINT', 'DECIMAL', 'DOUBLE'] as const

const SCALAR_CASTS: Readonly<Record<string, readonly SqlType['kind'][]>> = {
  BOOLEAN: ['BOOLEAN', 'STRING'],
  INTEGER: [...NUMBERS, 'STRING'],
  BIGINT: [...NUMBERS, 'STRING'],
  DOUBLE: [...NUMBERS, 'STRING'],
  DECIMAL: [...NUMBERS, 'STRING'],
  STRING: ['STRING', 'BOOLEAN', ...NUMBERS, 'TIMESTAMP', 'DATE', 'TIME', 'BYTES'],
  TIMESTAMP: ['TIMESTAMP', 'STRING', 'DATE', 'TIME'],
  DATE: ['DATE', 'STRING', 'TIMESTAMP'],
  TIME: ['TIME', 'STRING'],
  BYTES: ['BYTES'],
}

/** Whether CAST may turn one type into another; whether a value can be is seen when it is met. */
export function isCastable(from: SqlType, to: SqlType): boolean {
  if (from.kind === 'ARRAY') {
    return to.kind === 'STRING' || (to.kind === 'ARRAY' && isCastable(from.element, to.element))
  }
  if (from.kind === 'MAP') {
    if (to.kind === 'STRING') return true
    return to.kind === 'MAP' && isCastable(from.key, to.key) && isCastable(from.value, to.value)
  }
  if (from.kind === 'STRUCT') {
    if (to.kind === 'STRING') return true
    if (to.kind !== 'STRUCT') return false
    // Fields are matched by name; those without a partner become null or are dropped.
    return to.fields.every((field) => {
      const source = from.fields.find((f) => f.name === field.name)
      return source === undefined || isCastable(source.type, field.type)
    })
  }
  return SCALAR_CASTS[from.kind]!.includes(to.kind)
}
