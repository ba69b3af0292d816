import type Big from 'big.js'
import { BIGINT, DOUBLE, INTEGER } from '../../plan/sql-type.ts'
import { canonicalBigint } from '../../plan/sql-value.ts'
import { scalarFunction } from '../scalar-function.ts'
import { ANY_DECIMAL } from '../type-pattern.ts'

export const abs = scalarFunction({
  name: 'ABS',
  category: 'mathematics',
  summary: 'The number without its sign; the least INTEGER and BIGINT have no counterpart and stay.',
  overloads: [
    { args: { value: INTEGER }, returns: INTEGER, body: (value: number) => Math.abs(value) | 0 },
    {
      args: { value: BIGINT },
      returns: BIGINT,
      body: (value: number | bigint) =>
        typeof value === 'number' ? Math.abs(value) : canonicalBigint(value < 0n ? -value : value),
    },
    { args: { value: DOUBLE }, returns: DOUBLE, body: (value: number) => Math.abs(value) },
    { args: { value: ANY_DECIMAL }, returns: ([type]) => type!, body: (value: Big) => value.abs() },
  ],
  examples: [
    ['ABS(-3)', 3],
    ['ABS(CAST(-2147483648 AS INTEGER))', -2147483648],
    ['ABS(-1.50)', '1.50'],
    ['ABS(-1E1)', 10],
  ],
})

export const sign = scalarFunction({
  name: 'SIGN',
  category: 'mathematics',
  summary: '-1, 0 or 1.',
  overloads: [INTEGER, BIGINT, DOUBLE].map((type) => ({
    args: { value: type },
    returns: INTEGER,
    body: (value: number | bigint) => (value > 0 ? 1 : value < 0 ? -1 : 0),
  })),
  examples: [
    ['SIGN(-7)', -1],
    ['SIGN(0E0)', 0],
    ['SIGN(0.5)', 1],
  ],
})
