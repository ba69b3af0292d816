import type Big from 'big.js'
import { javaDoubleText } from '../base/java-double.ts'
import { dateText, timestampText, timeText } from '../functions/iso-time.ts'
import type { Schema } from '../plan/schema.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'

/** A value as a cell of a table: text as it is, structures as JSON, `null` for null. */
export function cellText(type: SqlType, value: SqlValue): string {
  if (value === null) return 'null'
  if (type.kind === 'STRING') return printable(value as string)
  const text = jsonText(type, value)
  return text.startsWith('"') ? (JSON.parse(text) as string) : text
}

/** Control characters would move the cursor: they are shown as escapes. */
function printable(text: string): string {
  return text.replaceAll(
    /\p{Cc}/gu,
    (c) => ESCAPES[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** A row as a JSON object, columns in order. */
export function rowJson(schema: Schema, row: Row, extra = ''): string {
  const members = schema.columns.map(
    (c, i) => `${JSON.stringify(c.name)}:${jsonText(c.type, row[i] ?? null)}`,
  )
  return `{${members.join(',')}${extra}}`
}

/**
 * A value as JSON: numbers exactly, whatever their size (NaN and infinities as text), BYTES as base64,
 * TIMESTAMP, DATE and TIME in ISO form.
 */
export function jsonText(type: SqlType, value: SqlValue): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
      return String(value as boolean | number | bigint)
    case 'DOUBLE':
      return Number.isFinite(value) ? javaDoubleText(value as number) : `"${value as number}"`
    case 'DECIMAL':
      return (value as Big).toFixed(type.scale)
    case 'STRING':
      return JSON.stringify(value)
    case 'BYTES':
      return `"${Buffer.from(value as Uint8Array).toString('base64')}"`
    case 'TIMESTAMP':
      return `"${timestampText(value as number)}"`
    case 'DATE':
      return `"${dateText(value as number)}"`
    case 'TIME':
      return `"${timeText(value as number)}"`
    case 'ARRAY':
      return `[${(value as readonly SqlValue[]).map((item) => jsonText(type.element, item)).join(',')}]`
    case 'MAP': {
      const entries = [...(value as ReadonlyMap<SqlValue, SqlValue>)]
      return `{${entries.map(([k, v]) => `${JSON.stringify(cellText(type.key, k))}:${jsonText(type.value, v)}`).join(',')}}`
    }
    case 'STRUCT': {
      const fields = value as readonly SqlValue[]
      return `{${type.fields.map((f, i) => `${JSON.stringify(f.name)}:${jsonText(f.type, fields[i] ?? null)}`).join(',')}}`
    }
  }
}
