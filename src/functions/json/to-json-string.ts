import type Big from 'big.js'
import { STRING, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { clockText, dateText, timestampText } from '../iso-time.ts'
import { javaDoubleText } from '../../base/java-double.ts'
import { javaTextFunction } from '../java-text.ts'
import { scalarFunction } from '../scalar-function.ts'
import { typeVariable } from '../type-pattern.ts'

export const toJsonString = scalarFunction({
  name: 'TO_JSON_STRING',
  category: 'json',
  summary: 'Any value as compact JSON text, fields and keys sorted by name.',
  args: { value: typeVariable('T') },
  returns: STRING,
  nulls: 'accept',
  bind: ([type]) => jsonPrinter(type!),
  examples: [
    ["TO_JSON_STRING('a\"b')", '"a\\"b"'],
    ['TO_JSON_STRING(1.50)', '1.50'],
    ['TO_JSON_STRING(1E10)', '1.0E10'],
    ['TO_JSON_STRING(STRUCT(B := 1, A := ARRAY[TRUE, NULL]))', '{"A":[true,null],"B":1}'],
    ["TO_JSON_STRING(MAP('b' := 1, 'a' := 2))", '{"a":2,"b":1}'],
    ["TO_JSON_STRING(TO_BYTES('!', 'utf8'))", '"IQ=="'],
    ['TO_JSON_STRING(FROM_DAYS(1000))', '"1972-09-27"'],
    ['TO_JSON_STRING(CAST(NULL AS STRING))', 'null'],
  ],
})

function jsonPrinter(type: SqlType): (value: SqlValue) => string {
  const print = nonNullPrinter(type)
  return (value) => (value === null ? 'null' : print(value))
}

function nonNullPrinter(type: SqlType): (value: SqlValue) => string {
  switch (type.kind) {
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
      return (value) => String(value as boolean | number | bigint)
    case 'DOUBLE':
      return (value) => {
        const text = javaDoubleText(value as number)
        return Number.isFinite(value) ? text : `"${text}"`
      }
    case 'DECIMAL':
      return (value) => (value as Big).toFixed(type.scale)
    case 'STRING':
      return (value) => JSON.stringify(value)
    case 'BYTES':
      return (value) => `"${Buffer.from(value as Uint8Array).toString('base64')}"`
    case 'TIMESTAMP':
      return (value) => `"${timestampText(value as number)}"`
    case 'DATE':
      return (value) => `"${dateText(value as number)}"`
    case 'TIME':
      return (value) => `"${clockText(value as number, true)}"`
    case 'ARRAY': {
      const element = jsonPrinter(type.element)
      return (value) => `[${(value as readonly SqlValue[]).map(element).join(',')}]`
    }
    case 'MAP': {
      const keyText = javaTextFunction(type.key)
      const valueText = jsonPrinter(type.value)
      return (value) => {
        const entries = [...(value as ReadonlyMap<SqlValue, SqlValue>)].map(
          ([k, v]) => [keyText(k), v] as const,
        )
        entries.sort(byName)
        return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${valueText(v)}`).join(',')}}`
      }
    }
    case 'STRUCT': {
      const fields = type.fields.map(
        (field, i) => [field.name, { at: i, print: jsonPrinter(field.type) }] as const,
      )
      const sorted = fields.toSorted(byName)
      return (value) => {
        const parts = sorted.map(
          ([name, { at, print }]) => `${JSON.stringify(name)}:${print((value as readonly SqlValue[])[at]!)}`,
        )
        return `{${parts.join(',')}}`
      }
    }
  }
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0
}
