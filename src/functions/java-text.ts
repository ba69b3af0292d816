import type Big from 'big.js'
import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import { bigDecimalText } from './decimal.ts'
import { clockText, DAY_MS, dateText } from './iso-time.ts'
import { javaDoubleText } from '../base/java-double.ts'

/** The text Java's collections show for their elements: `null`, `1.0E10`, `[1, 2]`, `{a=1}`, `Struct{F=1}`. */
export function javaTextFunction(type: SqlType): (value: SqlValue) => string {
  const text = nonNullText(type)
  return (value) => (value === null ? 'null' : text(value))
}

function nonNullText(type: SqlType): (value: SqlValue) => string {
  switch (type.kind) {
    case 'DOUBLE':
      return (value) => javaDoubleText(value as number)
    case 'DECIMAL':
      return (value) => bigDecimalText(value as Big, type.scale)
    case 'BYTES':
      return (value) => {
        const { length } = value as Uint8Array
        return `java.nio.HeapByteBuffer[pos=0 lim=${length} cap=${length}]`
      }
    case 'TIMESTAMP':
      return (value) => {
        const epochMs = value as number
        const days = Math.floor(epochMs / DAY_MS)
        const timeMs = epochMs - days * DAY_MS
        const fraction = String(timeMs % 1000)
          .padStart(3, '0')
          .replace(/0{1,2}$/, '')
        return `${dateText(days)} ${clockText(timeMs, true)}.${fraction}`
      }
    case 'DATE':
      return (value) => dateText(value as number)
    case 'TIME':
      return (value) => clockText(value as number, true)
    case 'ARRAY': {
      const element = javaTextFunction(type.element)
      return (value) => `[${(value as readonly SqlValue[]).map(element).join(', ')}]`
    }
    case 'MAP': {
      const keyText = javaTextFunction(type.key)
      const valueText = javaTextFunction(type.value)
      return (value) => {
        const entries = [...(value as ReadonlyMap<SqlValue, SqlValue>)]
        return `{${entries.map(([k, v]) => `${keyText(k)}=${valueText(v)}`).join(', ')}}`
      }
    }
    case 'STRUCT': {
      const fields = type.fields.map((field) => ({ name: field.name, text: nonNullText(field.type) }))
      return (value) => {
        const parts = fields.flatMap(({ name, text }, i) => {
          const fieldValue = (value as readonly SqlValue[])[i]!
          return fieldValue === null ? [] : [`${name}=${text(fieldValue)}`]
        })
        return `Struct{${parts.join(',')}}`
      }
    }
    default:
      return String
  }
}
