import { describe, expect, test } from 'vitest'
import { readLiteral, unifyTypes, type UnifiedItem } from '../../src/functions/unification.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  DATE,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  printType,
  STRING,
  structOf,
  type SqlType,
} from '../../src/plan/sql-type.ts'

const column = (type: SqlType | null): UnifiedItem => ({ type, literal: null, text: 'COL' })
const literal = (text: string): UnifiedItem => ({ type: STRING, literal: text, text: `'${text}'` })

function unified(...items: UnifiedItem[]): string | null {
  const type = unifyTypes(items)
  return type && printType(type)
}

test('numbers widen to the widest', () => {
  expect(unified(column(INTEGER), column(BIGINT))).toBe('BIGINT')
  expect(unified(column(BIGINT), column(decimal(4, 2)), column(INTEGER))).toBe('DECIMAL(21, 2)')
  expect(unified(column(decimal(4, 2)), column(DOUBLE))).toBe('DOUBLE')
  expect(unified(column(null), column(INTEGER), column(null))).toBe('INTEGER')
  expect(unified(column(null))).toBeNull()
})

test('literals are read as what they stand beside', () => {
  expect(unified(column(INTEGER), literal('2147483648'))).toBe('BIGINT')
  expect(unified(literal('5'), column(INTEGER))).toBe('INTEGER')
  expect(unified(column(BIGINT), literal('4.000'))).toBe('DECIMAL(22, 3)')
  expect(unified(column(INTEGER), literal('1e3'))).toBe('DOUBLE')
  expect(unified(literal('true'), column(BOOLEAN))).toBe('BOOLEAN')
  expect(unified(column(DATE), literal('2020-01-01'))).toBe('DATE')
  expect(unified(literal('a'), literal('b'))).toBe('STRING')
  expect(() => unified(column(INTEGER), literal('ten'))).toThrow(
    'invalid input syntax for type INTEGER: "ten".',
  )
  expect(() => unified(column(BOOLEAN), literal('maybe'))).toThrow('invalid input syntax for type BOOLEAN')
})

test('other pairs are refused', () => {
  expect(() => unified(column(INTEGER), column(BOOLEAN))).toThrow(
    'operator does not exist: INTEGER = BOOLEAN (COL)',
  )
  expect(() => unified(column(BIGINT), column(STRING))).toThrow(
    'operator does not exist: BIGINT = STRING (COL)',
  )
  expect(() => unified(column(arrayOf(BIGINT)), column(INTEGER))).toThrow(
    'operator does not exist: ARRAY<BIGINT> = INTEGER (COL)',
  )
})

describe('constructors', () => {
  test('structs unite their fields', () => {
    const a = structOf([
      { name: 'X', type: INTEGER },
      { name: 'Y', type: BIGINT },
    ])
    const b = structOf([
      { name: 'Y', type: INTEGER },
      { name: 'Z', type: STRING },
    ])
    expect(unified(column(null), column(a), column(b))).toBe('STRUCT<`X` INTEGER, `Y` BIGINT, `Z` STRING>')
  })

  test('collections unite their parts', () => {
    expect(unified(column(arrayOf(INTEGER)), column(arrayOf(BIGINT)))).toBe('ARRAY<BIGINT>')
    expect(unified(column(mapOf(STRING, INTEGER)), column(mapOf(STRING, DOUBLE)))).toBe('MAP<STRING, DOUBLE>')
  })

  test('literals within them are read too', () => {
    const constructed = (text: string): UnifiedItem => ({
      type: arrayOf(STRING),
      literal: null,
      text: `ARRAY['${text}', NULL]`,
      parts: [
        { role: 'element', item: literal(text) },
        { role: 'element', item: column(null) },
      ],
    })
    expect(unified(column(arrayOf(BIGINT)), constructed('3'))).toBe('ARRAY<BIGINT>')
    expect(() => unified(column(arrayOf(BIGINT)), constructed('not 10'))).toThrow(
      'invalid input syntax for type BIGINT: "not 10"',
    )
  })
})

test('readLiteral knows words for false', () => {
  expect(readLiteral('no', BOOLEAN)).toBe(false)
  expect(readLiteral('Y', BOOLEAN)).toBe(true)
  expect(readLiteral('12', BIGINT)).toBe(12)
})
