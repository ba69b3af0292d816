import { fc, test } from '@fast-check/vitest'
import Big from 'big.js'
import { expect } from 'vitest'
import {
  JsonNumber,
  JsonSyntaxError,
  numberTokenText,
  parseJson,
  printJson,
  printJsonValue,
  quoteJson,
  type JsonNode,
} from '../../src/formats/json-text.ts'
import {
  arrayOf,
  BIGINT,
  BYTES,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  structOf,
} from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'

/** What JSON.parse gives for a node. */
function plain(node: JsonNode): unknown {
  if (node instanceof JsonNumber) return Number(node.token)
  if (node instanceof Map) return Object.fromEntries([...node].map(([name, value]) => [name, plain(value)]))
  return Array.isArray(node) ? node.map(plain) : node
}

test.prop([fc.json(), fc.constantFrom(undefined, 1, '\t', '\r\n ')])(
  'reads what JSON.parse reads',
  (text, indent) => {
    const shown = JSON.stringify(JSON.parse(text), null, indent)
    expect(plain(parseJson(shown))).toEqual(JSON.parse(shown))
  },
)

test.prop(
  [fc.string({ unit: fc.constantFrom(...Array.from('{}[]",:\\u0019e.+-tfnulras ')), maxLength: 12 })],
  {
    numRuns: 5000,
  },
)('refuses what JSON.parse refuses', (text) => {
  let expected: unknown
  try {
    expected = JSON.parse(text)
  } catch {
    expect(() => parseJson(text)).toThrow(JsonSyntaxError)
    return
  }
  expect(plain(parseJson(text))).toEqual(expected)
})

test('keeps number tokens, members in order and the last of equal names', () => {
  const node = parseJson('{"b":1.00,"__proto__":10000000000000000001,"a":[1e5],"b":-0}')
  expect([...(node as ReadonlyMap<string, JsonNode>)]).toEqual([
    ['b', new JsonNumber('-0')],
    ['__proto__', new JsonNumber('10000000000000000001')],
    ['a', [new JsonNumber('1e5')]],
  ])
  expect((parseJson('1.0') as JsonNumber).isInteger).toBe(false)
  expect((parseJson('10') as JsonNumber).isInteger).toBe(true)
})

test.prop([fc.string({ unit: 'binary' })])('quotes text so that it reads back', (text) => {
  expect(JSON.parse(quoteJson(text))).toBe(text)
  expect(parseJson(quoteJson(text))).toBe(text)
})

test.each([
  ['0', '0'],
  ['-0', '0'],
  ['-0.00', '0.00'],
  ['1.50', '1.50'],
  ['1E3', '1E+3'],
  ['12e1', '1.2E+2'],
  ['1.5e1', '15'],
  ['-1.25e-3', '-0.00125'],
  ['0.0000001', '1E-7'],
  ['0.00000012', '1.2E-7'],
  ['123456789012345678901234567890', '123456789012345678901234567890'],
])('the token %s as Java prints it: %s', (token, text) => {
  expect(numberTokenText(token)).toBe(text)
  expect(printJson(new JsonNumber(token))).toBe(text)
})

test('values of every shape as JSON', () => {
  const type = structOf([
    { name: 'N', type: arrayOf(BIGINT) },
    { name: 'M', type: mapOf(INTEGER, decimal(5, 2)) },
    { name: 'B', type: mapOf(STRING, BYTES) },
    { name: 'D', type: DOUBLE },
    { name: 'E', type: mapOf(BYTES, DOUBLE) },
  ])
  const value: SqlValue = [
    [9223372036854775807n, 1, null],
    new Map<SqlValue, SqlValue>([[2, new Big('1.5')]]),
    new Map<SqlValue, SqlValue>([['k', Uint8Array.of(0)]]),
    1e21,
    new Map<SqlValue, SqlValue>([[Uint8Array.of(1), Number.NaN]]),
  ]
  expect(printJsonValue(value, type)).toBe(
    '{"N":[9223372036854775807,1,null],"M":{"2":1.50},"B":{"k":"AA=="},"D":1.0E21,"E":{"AQ==":"NaN"}}',
  )
})
