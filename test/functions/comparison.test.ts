import { test as property } from '@fast-check/vitest'
import Big from 'big.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  comparisonFunction,
  comparisonType,
  compareFunction,
  equalsFunction,
  identityFunction,
} from '../../src/functions/comparison.ts'
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
} from '../../src/plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../../src/plan/sql-value.ts'

const bytes = (...items: number[]): Uint8Array => Uint8Array.from(items)

test('a null operand gives false, also for <>', () => {
  for (const op of ['=', '<>', '<', '<=', '>', '>='] as const) {
    expect(comparisonFunction(op, INTEGER)(null, 1)).toBe(false)
    expect(comparisonFunction(op, DOUBLE)(1, null)).toBe(false)
    expect(comparisonFunction(op, decimal(2, 1))(null, null)).toBe(false)
  }
})

test('IS DISTINCT FROM treats nulls as values', () => {
  const distinct = comparisonFunction('IS DISTINCT FROM', INTEGER)
  expect([
    distinct(null, null),
    distinct(null, 1),
    distinct(1, null),
    distinct(1, 1),
    distinct(1, 2),
  ]).toEqual([false, true, true, false, true])
  expect(comparisonFunction('IS NOT DISTINCT FROM', arrayOf(INTEGER))([1], [1])).toBe(true)
})

test('values compare by their type', () => {
  expect(comparisonFunction('=', decimal(4, 2))(new Big('1.50'), new Big('1.5'))).toBe(true)
  expect(comparisonFunction('<', BYTES)(bytes(1, 255), bytes(2))).toBe(true)
  expect(comparisonFunction('>', BYTES)(bytes(200), bytes(100))).toBe(true)
  expect(comparisonFunction('<', STRING)('B', 'a')).toBe(true)
  expect(comparisonFunction('<', BIGINT)(9007199254740991, 9007199254740992n)).toBe(true)
  expect(comparisonFunction('=', DOUBLE)(NaN, NaN)).toBe(false)
  expect(comparisonFunction('<>', DOUBLE)(NaN, NaN)).toBe(false)
  expect(comparisonFunction('=', DOUBLE)(0, -0)).toBe(true)
})

test('collections are equal part by part', () => {
  const type = mapOf(STRING, arrayOf(structOf([{ name: 'A', type: decimal(3, 1) }])))
  const value = (amount: string): SqlValue => new Map([['k', [[new Big(amount)], null]]])
  const equals = equalsFunction(type)
  expect(equals(value('1.0'), value('1'))).toBe(true)
  expect(equals(value('1.0'), value('2'))).toBe(false)
  expect(equals(new Map([['k', null]]), new Map([['l', null]]))).toBe(false)
})

test('what compares with what', () => {
  expect(comparisonType('=', INTEGER, DOUBLE)).toEqual(DOUBLE)
  expect(comparisonType('<', decimal(4, 2), BIGINT)).toEqual(decimal(21, 2))
  expect(comparisonType('<', STRING, TIMESTAMP)).toEqual(TIMESTAMP)
  expect(comparisonType('<', DATE, TIMESTAMP)).toEqual(TIMESTAMP)
  expect(comparisonType('=', BOOLEAN, BOOLEAN)).toEqual(BOOLEAN)
  expect(comparisonType('<', BOOLEAN, BOOLEAN)).toBeNull()
  expect(comparisonType('<', arrayOf(INTEGER), arrayOf(INTEGER))).toBeNull()
  expect(comparisonType('=', TIME, TIMESTAMP)).toBeNull()
  expect(comparisonType('=', STRING, INTEGER)).toBeNull()
})

property.prop([fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-(2n ** 54n), 2n ** 54n)])(
  'BIGINTs of both forms are in order',
  (a, b) => {
    const compare = compareFunction(BIGINT)
    expect(compare(canonicalBigint(a), canonicalBigint(b))).toBe(a < b ? -1 : a > b ? 1 : 0)
  },
)

const nested = arrayOf(
  structOf([
    { name: 'S', type: STRING },
    { name: 'D', type: DOUBLE },
  ]),
)
const nestedValue = fc.array(
  fc.option(fc.tuple(fc.option(fc.string({ maxLength: 2 })), fc.option(fc.constantFrom(0, -0, NaN, 1)))),
  { maxLength: 2 },
)
property.prop([nestedValue, nestedValue])('values have one identity exactly if they are equal', (a, b) => {
  const identity = identityFunction(nested)
  expect(identity(a) === identity(b)).toBe(equalsFunction(nested)(a, b))
})

property.prop([fc.double(), fc.double()])('DOUBLEs have a total order', (a, b) => {
  const compare = compareFunction(DOUBLE)
  expect(compare(a, b)).toBe(-compare(b, a) + 0)
  expect(compare(a, b) === 0).toBe(Object.is(a, b))
})
