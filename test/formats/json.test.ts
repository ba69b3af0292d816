import Big from 'big.js'
import { describe, expect, test } from 'vitest'
import { json } from '../../src/formats/json.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  BYTES,
  DATE,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  structOf,
  TIME,
  TIMESTAMP,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'
import { columnsOf, decodeOne, decodeRows, encodeOne, specOf, textOf } from './format-harness.ts'

const coercions: [SqlType, string, SqlValue][] = [
  [BOOLEAN, 'true', true],
  [BOOLEAN, '"TRUE"', true],
  [BOOLEAN, '"yes"', false],
  [INTEGER, '1', 1],
  [INTEGER, '-1.9', -1],
  [INTEGER, '2147483648', -2147483648],
  [INTEGER, '1e3', 1000],
  [INTEGER, '"+12"', 12],
  [INTEGER, '-0', 0],
  [INTEGER, '1e80', 0],
  [BIGINT, '9007199254740991', 9007199254740991],
  [BIGINT, '9007199254740992', 9007199254740992n],
  [BIGINT, '-9223372036854775808', -9223372036854775808n],
  [BIGINT, '9223372036854775808', -9223372036854775808n],
  [BIGINT, '"9223372036854775807"', 9223372036854775807n],
  [BIGINT, '1234567890123456', 1234567890123456],
  [BIGINT, '12.34E1', 123],
  [DOUBLE, '1', 1],
  [DOUBLE, '0.1', 0.1],
  [DOUBLE, '-0', -0],
  [DOUBLE, '1234567890.12345', 1234567890.12345],
  [DOUBLE, '0.30000000000000004', 0.30000000000000004],
  [DOUBLE, '1E400', Infinity],
  [DOUBLE, '"NaN"', Number.NaN],
  [DOUBLE, '"-Infinity"', -Infinity],
  [decimal(4, 2), '10.1', new Big('10.1')],
  [decimal(4, 2), '"+1.50"', new Big('1.5')],
  [decimal(4, 2), '1e1', new Big(10)],
  [decimal(2, 2), '0.500', new Big('0.5')],
  [decimal(2, 2), '0', new Big(0)],
  [STRING, '"a"', 'a'],
  [STRING, '"\\u00e9\\n"', 'é\n'],
  [STRING, '"é"', 'é'],
  [STRING, '1', '1'],
  [STRING, '1.10', '1.10'],
  [STRING, '1e3', '1E+3'],
  [STRING, '0.0000001', '1E-7'],
  [STRING, '0.000001', '0.000001'],
  [STRING, '-0.0', '0.0'],
  [STRING, 'false', 'false'],
  [STRING, '{ "a" : [1.0, "x"], "b": {} }', '{"a":[1.0,"x"],"b":{}}'],
  [STRING, '[1, "x", null, [true], {"a": 1}]', '[1, x, null, [true], {"a":1}]'],
  [BYTES, '"AQI="', Uint8Array.of(1, 2)],
  [BYTES, '""', new Uint8Array(0)],
  [TIMESTAMP, '1500', 1500],
  [TIME, '"12"', 12],
  [DATE, '-3', -3],
  [arrayOf(INTEGER), '[1, null, "3"]', [1, null, 3]],
  [
    mapOf(STRING, INTEGER),
    '{"b": 1, "__proto__": 2, "a": null}',
    new Map<SqlValue, SqlValue>([
      ['b', 1],
      ['__proto__', 2],
      ['a', null],
    ]),
  ],
  [
    structOf([
      { name: 'A', type: INTEGER },
      { name: 'b', type: INTEGER },
    ]),
    '{"a": 1, "B": 2}',
    [1, null],
  ],
]

describe.each(coercions)('%o reads %s', (type, text, expected) => {
  test('as a column', () => {
    expect(decodeOne(json, { A: type }, `{"A":${text}}`)).toEqual([expected])
  })
  test('unwrapped', () => {
    expect(decodeOne(json, { A: type }, text, { wrapping: 'unwrapped' })).toEqual([expected])
  })
  test('in an array', () => {
    expect(decodeOne(json, { A: arrayOf(type) }, `{"A":[${text}, null]}`)).toEqual([[expected, null]])
  })
})

const mismatches: [SqlType, string, string][] = [
  [BOOLEAN, '1', 'The number 1 cannot be read as BOOLEAN, at $.A'],
  [INTEGER, 'true', 'true cannot be read as INTEGER, at $.A'],
  [INTEGER, '"1.5"', 'The text "1.5" cannot be read as INTEGER, at $.A'],
  [INTEGER, '"2147483648"', 'The text "2147483648" cannot be read as INTEGER, at $.A'],
  [BIGINT, '[]', 'An array cannot be read as BIGINT, at $.A'],
  [DOUBLE, '"x"', 'The text "x" cannot be read as DOUBLE, at $.A'],
  [decimal(4, 2), '1.234', 'The number 1.234 does not fit DECIMAL(4, 2) without rounding, at $.A'],
  [decimal(4, 2), '100', 'The number 100 does not fit DECIMAL(4, 2) without rounding, at $.A'],
  [
    decimal(4, 2),
    '1e999999999',
    'The number 1e999999999 does not fit DECIMAL(4, 2) without rounding, at $.A',
  ],
  [BYTES, '"?"', 'The text "?" cannot be read as BYTES, at $.A'],
  [TIMESTAMP, '{}', 'An object cannot be read as TIMESTAMP, at $.A'],
  [arrayOf(INTEGER), '{}', 'An object cannot be read as ARRAY<INTEGER>, at $.A'],
  [
    structOf([{ name: 'B', type: arrayOf(structOf([{ name: 'C', type: INTEGER }])) }]),
    '{"b":[{"c":1},{"c":false}]}',
    'false cannot be read as INTEGER, at $.A.B[1].C',
  ],
]

test.each(mismatches)('%o does not read %s', (type, text, reason) => {
  const decoder = json.decoder('value', columnsOf({ A: type, B: INTEGER }), specOf(json))
  for (const wanted of [[0, 1], [1], []]) {
    const { failures } = decodeRows(
      decoder,
      2,
      ['{"A":null,"B":1}', `{"A":${text},"B":1}`, '{"B":1}'],
      wanted,
    )
    expect(failures).toEqual([{ row: 1, reason }])
  }
})

test.each([
  ['{"A":1', 'Unexpected end at character 7'],
  ['{"A":1}x', 'Unexpected "x" at character 8'],
  ['{"A":01}', 'Unexpected "1" at character 7'],
  ['{"A":1.}', 'Unexpected "." at character 7'],
  ['{"A":+1}', 'Unexpected "+" at character 6'],
  ['{"A":NaN}', 'Unexpected "N" at character 6'],
  ['{"A":1,}', 'Unexpected "}" at character 8'],
  ["{'A':1}", 'Unexpected "\'" at character 2'],
  ['{"A":"\t"}', 'Unexpected "\\t" at character 7'],
  ['{"A":"\\x"}', 'Bad escape at character 7'],
  ['{"A":"\\u12g4"}', 'Bad \\u escape at character 7'],
  ['', 'Unexpected end at character 1'],
  [`${'['.repeat(5000)}`, 'Nested deeper than 1000 at character 1001'],
])('%s is not JSON', (text, what) => {
  const decoder = json.decoder('value', columnsOf({ A: STRING }), specOf(json))
  expect(decodeRows(decoder, 1, [text]).failures).toEqual([
    { row: 0, reason: `The record is not JSON: ${what}` },
  ])
})

test('bytes that are not UTF-8 fail', () => {
  const decoder = json.decoder('value', columnsOf({ A: STRING }), specOf(json))
  const bad = Uint8Array.from([...new TextEncoder().encode('{"A":"'), 0xc3, 0x28, 0x22, 0x7d])
  expect(decodeRows(decoder, 1, [bad, '{"A":"x"}'])).toEqual({
    rows: [[null], ['x']],
    failures: [{ row: 0, reason: 'The record is not UTF-8' }],
  })
})

test('names: exact first, then upper-cased with the last one winning', () => {
  const types = { ID: INTEGER, lower: INTEGER }
  expect(decodeOne(json, types, '{"id":1,"lower":2}')).toEqual([1, 2])
  expect(decodeOne(json, types, '{"ID":1,"id":3,"LOWER":2}')).toEqual([1, null])
  expect(decodeOne(json, types, '{"id":1,"Id":3}')).toEqual([3, null])
  expect(decodeOne(json, types, '{"ID":1,"ID":3}')).toEqual([3, null])
  expect(decodeOne(json, types, '{"ID":null,"id":3}')).toEqual([null, null])
  expect(decodeOne(json, types, '{"\\u0049d":7}')).toEqual([7, null])
  expect(decodeOne(json, { constructor: INTEGER, ['__proto__x']: INTEGER }, '{"__proto__":{}}')).toEqual([
    null,
    null,
  ])
})

test('null rows and JSON null are all nulls', () => {
  expect(decodeOne(json, { A: STRING, B: INTEGER }, null)).toEqual([null, null])
  expect(decodeOne(json, { A: STRING, B: INTEGER }, 'null')).toEqual([null, null])
  expect(decodeOne(json, { A: STRING }, 'null', {}, 'key')).toEqual([null])
})

test('a value that is no object does not decode as a wrapped row', () => {
  const decoder = json.decoder('value', columnsOf({ A: STRING }), specOf(json))
  expect(decodeRows(decoder, 1, ['"x"', '[]']).failures).toEqual([
    { row: 0, reason: 'The record is not a JSON object, at $' },
    { row: 1, reason: 'The record is not a JSON object, at $' },
  ])
})

const written: [SqlType, SqlValue, string][] = [
  [BOOLEAN, false, 'false'],
  [INTEGER, -5, '-5'],
  [BIGINT, 9223372036854775807n, '9223372036854775807'],
  [BIGINT, -9007199254740991, '-9007199254740991'],
  [DOUBLE, 1, '1.0'],
  [DOUBLE, 1e7, '1.0E7'],
  [DOUBLE, 0.1 + 0.2, '0.30000000000000004'],
  [DOUBLE, -0, '-0.0'],
  [DOUBLE, Number.NaN, '"NaN"'],
  [DOUBLE, Infinity, '"Infinity"'],
  [decimal(6, 4), new Big(10), '10.0000'],
  [decimal(10, 0), new Big('1e9'), '1000000000'],
  [STRING, 'a"\\\b\f\n\r\t\u0001/é€😀', '"a\\"\\\\\\b\\f\\n\\r\\t\\u0001/é€😀"'],
  [BYTES, Uint8Array.of(1, 2), '"AQI="'],
  [TIMESTAMP, 1500, '1500'],
  [arrayOf(DOUBLE), [1, null], '[1.0,null]'],
  [
    mapOf(STRING, INTEGER),
    new Map<SqlValue, SqlValue>([
      ['b"', 1],
      ['__proto__', null],
    ]),
    '{"b\\"":1,"__proto__":null}',
  ],
  [
    structOf([
      { name: 'A', type: decimal(3, 1) },
      { name: 'b', type: STRING },
    ]),
    [new Big(1), null],
    '{"A":1.0,"b":null}',
  ],
]

test.each(written)('%o writes %o as %s', (type, value, text) => {
  expect(textOf(encodeOne(json, { A: type, 'b"': INTEGER }, [value, null]))).toBe(`{"A":${text},"b\\"":null}`)
  expect(textOf(encodeOne(json, { A: type }, [value], { wrapping: 'unwrapped' }))).toBe(text)
})

test('single columns: keys stand alone, values in an object; a null that stands alone is null bytes', () => {
  expect(textOf(encodeOne(json, { A: STRING }, ['x'], {}, 'key'))).toBe('"x"')
  expect(textOf(encodeOne(json, { A: STRING }, ['x']))).toBe('{"A":"x"}')
  expect(textOf(encodeOne(json, { A: STRING }, [null]))).toBe('{"A":null}')
  expect(encodeOne(json, { A: STRING }, [null], {}, 'key')).toBeNull()
  expect(encodeOne(json, { A: STRING }, [null], { wrapping: 'unwrapped' })).toBeNull()
  expect(textOf(encodeOne(json, { A: STRING, B: STRING }, [null, 'x'], {}, 'key'))).toBe('{"A":null,"B":"x"}')
  expect(encodeOne(json, {}, [], {}, 'key')).toBeNull()
})

test('a null map key is written as the name null', () => {
  const row = [new Map([[null, 1]])]
  expect(textOf(encodeOne(json, { A: mapOf(STRING, INTEGER) }, row))).toBe('{"A":{"null":1}}')
})

test('refuses maps with other keys, and maps in keys', () => {
  const bad = { A: arrayOf(mapOf(INTEGER, STRING)) }
  expect(json.refuses('value', columnsOf(bad), specOf(json))).toContain('MAP types with STRING keys')
  const map = { A: structOf([{ name: 'B', type: mapOf(STRING, STRING) }]) }
  expect(json.refuses('value', columnsOf(map), specOf(json))).toBeNull()
  expect(json.refuses('key', columnsOf(map), specOf(json))).toContain('A MAP cannot be part of a key')
})
