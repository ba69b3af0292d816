import Big from 'big.js'
import { BIGINT, decimal, DOUBLE, INTEGER, type SqlType } from '../../plan/sql-type.ts'
import { roundDecimal, type Rounding } from '../decimal.ts'
import { doubleToBigint } from '../java-narrowing.ts'
import { scalarFunction, type ScalarOverload } from '../scalar-function.ts'
import { ANY_DECIMAL } from '../type-pattern.ts'

/** A DECIMAL without its fraction. */
function wholeDecimal([type]: readonly SqlType[]): SqlType {
  const { precision, scale } = type as Extract<SqlType, { kind: 'DECIMAL' }>
  return decimal(Math.max(1, precision - scale), 0)
}

/** Overloads of ROUND and TRUNC. @param whole of a DOUBLE, as a DOUBLE */
function overloads(whole: (value: number) => number, rounding: Rounding): readonly ScalarOverload[] {
  return [
    ...[INTEGER, BIGINT].map((type) => ({
      args: { value: type },
      returns: BIGINT,
      nulls: 'reject' as const,
      body: (value: number | bigint) => value,
    })),
    { args: { value: DOUBLE }, returns: BIGINT, body: (value: number) => doubleToBigint(whole(value)) },
    {
      args: { value: DOUBLE, places: INTEGER },
      returns: DOUBLE,
      body(value: number, places: number) {
        if (!Number.isFinite(value)) throw new RangeError(`${value} has no digits to round.`)
        return Number(roundDecimal(new Big(value), places, rounding).toFixed())
      },
    },
    {
      args: { value: ANY_DECIMAL },
      returns: wholeDecimal,
      body: (value: Big) => roundDecimal(value, 0, rounding),
    },
    {
      args: { value: ANY_DECIMAL, places: INTEGER },
      returns: ([type]) => type!,
      body: (value: Big, places: number) => roundDecimal(value, places, rounding),
    },
  ]
}

export const round = scalarFunction({
  name: 'ROUND',
  category: 'mathematics',
  summary: 'Rounds to whole numbers or to a number of places; ties go up.',
  overloads: overloads(Math.round, 'half-ceiling'),
  examples: [
    ['ROUND(2.5E0)', 3],
    ['ROUND(-2.5E0)', -2],
    ['ROUND(1E300)', 9223372036854775807n],
    ['ROUND(-1.234567E0, 2)', -1.23],
    ['ROUND(12345.678E0, -1)', 12350],
    ['ROUND(-0.04E0, 1)', 0],
    ['ROUND(1.255)', '1'],
    ['ROUND(-1.255, 2)', '-1.250'],
    ['ROUND(7)', 7],
  ],
})

export const trunc = scalarFunction({
  name: 'TRUNC',
  category: 'mathematics',
  summary: 'Cuts to whole numbers or to a number of places.',
  overloads: overloads(Math.trunc, 'down'),
  examples: [
    ['TRUNC(-1.7E0)', -1],
    ['TRUNC(12345.678E0, 1)', 12345.6],
    ['TRUNC(-12345.678E0, -2)', -12300],
    ['TRUNC(1.99)', '1'],
    ['TRUNC(1.99, 1)', '1.90'],
  ],
})

/** Overloads of CEIL and FLOOR: each type stays as it is. */
function keepingType(ofDouble: (value: number) => number, rounding: Rounding): readonly ScalarOverload[] {
  return [
    ...[INTEGER, BIGINT].map((type) => ({
      args: { value: type },
      returns: type,
      body: (value: number | bigint) => value,
    })),
    { args: { value: DOUBLE }, returns: DOUBLE, body: ofDouble },
    {
      args: { value: ANY_DECIMAL },
      returns: ([type]) => type!,
      body: (value: Big) => roundDecimal(value, 0, rounding),
    },
  ]
}

export const ceil = scalarFunction({
  name: 'CEIL',
  category: 'mathematics',
  summary: 'The next whole number that is not less.',
  overloads: keepingType(Math.ceil, 'ceiling'),
  examples: [
    ['CEIL(1.1E0)', 2],
    ['CEIL(-1.23)', '-1.00'],
    ['CEIL(1.23)', '2.00'],
    ['CEIL(3)', 3],
  ],
})

export const floor = scalarFunction({
  name: 'FLOOR',
  category: 'mathematics',
  summary: 'The next whole number that is not greater.',
  overloads: keepingType(Math.floor, 'floor'),
  examples: [
    ['FLOOR(-1.1E0)', -2],
    ['FLOOR(-1.5)', '-2.0'],
    ['FLOOR(3)', 3],
  ],
})
