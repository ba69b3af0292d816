import Big from 'big.js'
import { describe, expect, test } from 'vitest'
import { canCast, canImplicitlyCast, castFunction } from '../../src/functions/cast.ts'
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
  printType,
  STRING,
  structOf,
  TIME,
  TIMESTAMP,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'
import { plain } from './evaluate.ts'

const max64 = 9223372036854775807n
const struct = structOf([
  { name: 'F', type: INTEGER },
  { name: 'g', type: STRING },
])

const cases: readonly [from: SqlType, value: SqlValue, to: SqlType, expected: unknown][] = [
  [BOOLEAN, true, STRING, 'true'],
  [INTEGER, 7, DOUBLE, 7],
  [INTEGER, -7, STRING, '-7'],
  [INTEGER, 7, decimal(3, 1), '7.0'],
  [BIGINT, 2147483648, INTEGER, -2147483648],
  [BIGINT, max64, INTEGER, -1],
  [BIGINT, max64, STRING, '9223372036854775807'],
  [BIGINT, max64, DOUBLE, 2 ** 63],
  [DOUBLE, 1.9, INTEGER, 1],
  [DOUBLE, -1.9, INTEGER, -1],
  [DOUBLE, NaN, INTEGER, 0],
  [DOUBLE, 1e300, INTEGER, 2147483647],
  [DOUBLE, -1e300, BIGINT, -9223372036854775808n],
  [DOUBLE, 1e16, BIGINT, 10000000000000000n],
  [DOUBLE, 0.99, decimal(2, 1), '1.0'],
  // 1.005 is a little less in binary: as three digits 1.00, as four 1.005 and then 1.01.
  [DOUBLE, 1.005, decimal(3, 2), '1.00'],
  [DOUBLE, 1.005, decimal(4, 2), '1.01'],
  [DOUBLE, -0.125, decimal(4, 2), '-0.13'],
  [DOUBLE, 1e10, STRING, '1.0E10'],
  [DOUBLE, 0.0001, STRING, '1.0E-4'],
  [DOUBLE, 100, STRING, '100.0'],
  [DOUBLE, -0, STRING, '-0.0'],
  [DOUBLE, 5e-324, STRING, '4.9E-324'],
  [DOUBLE, Infinity, STRING, 'Infinity'],
  [decimal(4, 2), new Big('-10.99'), INTEGER, -10],
  [decimal(12, 2), new Big('2147483648.5'), INTEGER, -2147483648],
  [decimal(4, 2), new Big('10.01'), DOUBLE, 10.01],
  [decimal(4, 2), new Big('10'), STRING, '10.00'],
  [decimal(4, 2), new Big('-0.05'), decimal(2, 1), '-0.1'],
  [decimal(4, 2), new Big('-0.04'), decimal(2, 1), '0.0'],
  [STRING, 'YE', BOOLEAN, true],
  [STRING, 'tru', BOOLEAN, true],
  [STRING, '', BOOLEAN, false],
  [STRING, 'truey', BOOLEAN, false],
  [STRING, ' +42 ', INTEGER, 42],
  [STRING, '-9223372036854775808', BIGINT, -9223372036854775808n],
  [STRING, '1.25e1', decimal(4, 2), '12.50'],
  [STRING, '.5', decimal(2, 1), '0.5'],
  [STRING, '5.', decimal(2, 1), '5.0'],
  [STRING, ' 1e-3 ', DOUBLE, 0.001],
  [STRING, '2020', TIMESTAMP, Date.UTC(2020, 0, 1)],
  [STRING, '2020-05', TIMESTAMP, Date.UTC(2020, 4, 1)],
  [STRING, '2020-05-26T23', TIMESTAMP, Date.UTC(2020, 4, 26, 23)],
  [STRING, '2020-05-26T23:59:59.1Z', TIMESTAMP, Date.UTC(2020, 4, 26, 23, 59, 59, 100)],
  [STRING, '2020-05-26T23:59+0130', TIMESTAMP, Date.UTC(2020, 4, 26, 22, 29)],
  [STRING, '1969-12-31T23:59:59.999', TIMESTAMP, -1],
  [STRING, '1970-01-02', DATE, 1],
  [STRING, '0000-02-29', DATE, -719469],
  [STRING, '00:00:00.010', TIME, 10],
  [STRING, '23:59', TIME, 86340000],
  [STRING, 'IQ==', BYTES, '21'],
  [TIMESTAMP, 10, STRING, '1970-01-01T00:00:00.010'],
  [TIMESTAMP, -1, STRING, '1969-12-31T23:59:59.999'],
  [TIMESTAMP, -1, DATE, -1],
  [TIMESTAMP, -1, TIME, 86399999],
  [DATE, 18408, STRING, '2020-05-26'],
  [DATE, -1, TIMESTAMP, -86400000],
  [TIME, 5999, STRING, '00:00:05'],
  [TIME, 60000, STRING, '00:01'],
  [arrayOf(BIGINT), [1, null, 2147483648], arrayOf(INTEGER), [1, null, -2147483648]],
  [arrayOf(DOUBLE), [1, null], STRING, '[1.0, null]'],
  [mapOf(STRING, INTEGER), new Map([['a', 1]]), mapOf(STRING, STRING), { a: '1' }],
  [mapOf(STRING, arrayOf(STRING)), new Map([['a', ['x']]]), STRING, '{a=[x]}'],
  [struct, [1, 'x'], STRING, 'Struct{F=1,g=x}'],
  [struct, [null, 'x'], STRING, 'Struct{g=x}'],
  [
    struct,
    [1, 'x'],
    structOf([
      { name: 'G', type: STRING },
      { name: 'F', type: STRING },
    ]),
    { G: null, F: '1' },
  ],
]

test.each(
  cases.map(([from, value, to, expected]) => [printType(from), value, printType(to), expected, from, to]),
)('%s %s as %s is %s', (_from, value, _to, expected, from, to) => {
  const result = castFunction(from as SqlType, to as SqlType)(value as SqlValue)
  expect(plain(result, to as SqlType)).toEqual(expected)
})

const failing: readonly [from: SqlType, value: SqlValue, to: SqlType][] = [
  [STRING, '2147483648', INTEGER],
  [STRING, '1.0', INTEGER],
  [STRING, '', BIGINT],
  [STRING, 'NaN', DOUBLE],
  [STRING, '1e400', DOUBLE],
  [STRING, '100', decimal(2, 0)],
  [STRING, 'x', decimal(2, 0)],
  [DOUBLE, NaN, decimal(2, 0)],
  [DOUBLE, 9.99, decimal(2, 1)],
  [INTEGER, 100, decimal(3, 1)],
  [decimal(4, 2), new Big('10'), decimal(2, 1)],
  [STRING, '2020-02-30', DATE],
  [STRING, '2020-02-03T00:00', DATE],
  [STRING, '2020-13', TIMESTAMP],
  [STRING, '2020-01-01 10:00', TIMESTAMP],
  [STRING, '24:00', TIME],
  [STRING, '7:00', TIME],
  [STRING, 'not base64!', BYTES],
]

test.each(failing.map(([from, value, to]) => [printType(from), value, printType(to), from, to]))(
  '%s %s as %s fails',
  (_from, value, _to, from, to) => {
    expect(() => castFunction(from as SqlType, to as SqlType)(value as SqlValue)).toThrow(RangeError)
  },
)

describe('which casts there are', () => {
  const scalars = [BOOLEAN, INTEGER, BIGINT, DOUBLE, decimal(4, 2), STRING, BYTES, TIME, DATE, TIMESTAMP]

  test('explicitly', () => {
    const allowed = scalars.map(
      (from) =>
        `${from.kind}: ${scalars
          .filter((to) => canCast(from, to) && to !== from)
          .map((to) => to.kind)
          .join()}`,
    )
    expect(allowed).toEqual([
      'BOOLEAN: STRING',
      'INTEGER: BIGINT,DOUBLE,DECIMAL,STRING',
      'BIGINT: INTEGER,DOUBLE,DECIMAL,STRING',
      'DOUBLE: INTEGER,BIGINT,DECIMAL,STRING',
      'DECIMAL: INTEGER,BIGINT,DOUBLE,STRING',
      'STRING: BOOLEAN,INTEGER,BIGINT,DOUBLE,DECIMAL,BYTES,TIME,DATE,TIMESTAMP',
      'BYTES: ',
      'TIME: STRING',
      'DATE: STRING,TIMESTAMP',
      'TIMESTAMP: STRING,TIME,DATE',
    ])
    expect(canCast(STRING, arrayOf(INTEGER))).toBe(false)
    expect(canCast(arrayOf(BYTES), arrayOf(STRING))).toBe(false)
    expect(canCast(mapOf(STRING, INTEGER), mapOf(STRING, DOUBLE))).toBe(true)
  })

  test('implicitly', () => {
    const allowed = scalars.map(
      (from) =>
        `${from.kind}: ${scalars
          .filter((to) => canImplicitlyCast(from, to) && to !== from)
          .map((to) => to.kind)
          .join()}`,
    )
    expect(allowed).toEqual([
      'BOOLEAN: ',
      'INTEGER: BIGINT,DOUBLE',
      'BIGINT: DOUBLE',
      'DOUBLE: ',
      'DECIMAL: DOUBLE',
      'STRING: TIME,DATE,TIMESTAMP',
      'BYTES: ',
      'TIME: ',
      'DATE: ',
      'TIMESTAMP: ',
    ])
    expect(canImplicitlyCast(INTEGER, decimal(12, 2))).toBe(true)
    expect(canImplicitlyCast(decimal(4, 2), decimal(5, 3))).toBe(true)
    expect(canImplicitlyCast(decimal(4, 2), decimal(4, 3))).toBe(false)
  })
})
