import { fc, test as property } from '@fast-check/vitest'
import Big from 'big.js'
import { describe, expect, test } from 'vitest'
import {
  aggregateFunction,
  double,
  nullable,
  optional,
  scalarFunction,
  string,
  tableFunction,
} from '../../src/dsl/index.ts'
import { fromProgram, toProgram } from '../../src/dsl/functions/value.ts'
import { equalsFunction } from '../../src/functions/comparison.ts'
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
import { canonicalBigint, type SqlValue } from '../../src/plan/sql-value.ts'

const simple: readonly (readonly [SqlType, fc.Arbitrary<SqlValue>])[] = [
  [BOOLEAN, fc.boolean()],
  [INTEGER, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
  [BIGINT, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(canonicalBigint)],
  [DOUBLE, fc.double()],
  [decimal(9, 2), fc.integer({ min: -999_999_999, max: 999_999_999 }).map((n) => new Big(n).div(100))],
  [STRING, fc.string()],
  [BYTES, fc.uint8Array()],
  [TIMESTAMP, fc.integer()],
  [DATE, fc.integer()],
  [TIME, fc.integer({ min: 0, max: 86_399_999 })],
]

/** A type and a value of it, some levels deep. */
const typed: fc.Arbitrary<readonly [SqlType, SqlValue]> = fc.letrec<{
  readonly value: readonly [SqlType, SqlValue]
}>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    ...simple.map(([type, values]) => fc.tuple(fc.constant(type), fc.option(values))),
    tie('value').map(([type, value]) => [arrayOf(type), [value, null, value]] as const),
    tie('value').map(([type, value]) => [mapOf(STRING, type), new Map([['k', value]])] as const),
    fc.tuple(tie('value'), tie('value')).map(
      ([[a, x], [b, y]]) =>
        [
          structOf([
            { name: 'A', type: a },
            { name: 'B', type: b },
          ]),
          [x, y],
        ] as const,
    ),
  ),
})).value

describe('values between the engine and functions of users', () => {
  property.prop([typed])('what a program gets it can give back', ([type, value]) => {
    const back = fromProgram(type)(toProgram(type)(value))
    expect(equalsFunction(type)(back, value)).toBe(true)
  })

  test('a STRUCT is an object, wherever it lies', () => {
    const type = arrayOf(mapOf(STRING, structOf([{ name: 'A', type: INTEGER }])))
    expect(toProgram(type)([new Map([['k', [1]]])])).toEqual([new Map([['k', { A: 1 }]])])
    expect(fromProgram(type)([new Map([['k', { A: 1 }]])])).toEqual([new Map([['k', [1]]])])
  })

  test('a DECIMAL may come as number, text or Big, and is rounded half up', () => {
    const convert = fromProgram(decimal(4, 1))
    expect([convert(1.25), convert('1.25'), convert(new Big('1.25')), convert(7n)].map(String)).toEqual([
      '1.3',
      '1.3',
      '1.3',
      '7',
    ])
  })

  test.each<[SqlType, unknown, string]>([
    [INTEGER, 1.5, 'it gave 1.5 where INTEGER is declared.'],
    [INTEGER, 2 ** 31, 'it gave 2147483648 where INTEGER is declared.'],
    [INTEGER, undefined, 'it gave undefined where INTEGER is declared.'],
    [BIGINT, 2 ** 53, 'it gave 9007199254740992 where BIGINT is declared.'],
    [BIGINT, 2n ** 63n, 'it gave 9223372036854775808n where BIGINT is declared.'],
    [STRING, 1, 'it gave 1 where STRING is declared.'],
    [BOOLEAN, 'true', "it gave 'true' where BOOLEAN is declared."],
    [DOUBLE, 'x'.repeat(100), `it gave '${'x'.repeat(60)}…' where DOUBLE is declared.`],
    [TIMESTAMP, new Date(0), 'it gave an object (Date) where TIMESTAMP is declared.'],
    [TIME, 86_400_000, 'it gave 86400000 where TIME is declared.'],
    [arrayOf(INTEGER), new Set([1]), 'it gave an object (Set) where ARRAY<INTEGER> is declared.'],
    [arrayOf(INTEGER), ['a'], "it gave 'a' where INTEGER is declared."],
    [mapOf(STRING, INTEGER), { a: 1 }, 'it gave an object (Object) where MAP<STRING, INTEGER> is declared.'],
    [structOf([{ name: 'A', type: INTEGER }]), { a: 1 }, 'STRUCT<`A` INTEGER> has no field a.'],
    [decimal(3, 1), 'abc', "it gave 'abc' where DECIMAL(3, 1) is declared."],
    [decimal(3, 1), 100, 'Numeric field overflow: 100 does not fit DECIMAL(3, 1).'],
    [STRING, Promise.resolve('a'), 'it gave a promise where STRING is declared'],
  ])('no value of %o: %s', (type, value, message) => {
    expect(() => fromProgram(type)(value)).toThrow(message)
  })
})

/* Checked by the compiler: each line that is expected not to compile fails the type check if it does. */
test('what a body gets and gives follows from the SQL types', () => {
  const about = { name: 'A', summary: 'A.' }
  const x = { x: double() }
  // @ts-expect-error a text is no double
  scalarFunction({ ...about, args: x, returns: double(), body: ({ x: value }) => String(value) })
  // @ts-expect-error no argument is named y
  scalarFunction({ ...about, args: x, returns: double(), body: ({ y }) => y as number })
  scalarFunction({
    ...about,
    args: { x: optional(double()) },
    returns: double(),
    // @ts-expect-error it may be left out
    body: ({ x: value }) => value + 1,
  })
  scalarFunction({
    ...about,
    args: { x: nullable(double()) },
    returns: double(),
    // @ts-expect-error it may be null
    body: ({ x: value }) => value + 1,
  })
  aggregateFunction({
    ...about,
    args: x,
    state: { sum: double() },
    returns: double(),
    // @ts-expect-error the sum is a double
    initial: () => ({ sum: '' }),
    add: ({ sum }, { x: value }) => ({ sum: sum + value }),
    merge: (a, b) => ({ sum: a.sum + b.sum }),
    result: ({ sum }) => sum,
  })
  // @ts-expect-error rows are texts
  tableFunction({ ...about, args: x, returns: string(), body: ({ x: value }) => [value] })
  expect(about.name).toBe('A')
})
