import {
  BIGINT,
  BYTES,
  DATE,
  DOUBLE,
  INTEGER,
  STRING,
  TIME,
  TIMESTAMP,
  type SqlType,
} from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { commonNumericType } from '../cast.ts'
import { compareFunction } from '../comparison.ts'
import { scalarFunction, type ScalarOverload } from '../scalar-function.ts'
import { ANY_DECIMAL, variadic } from '../type-pattern.ts'

function overloads(direction: 1 | -1): readonly ScalarOverload[] {
  return [INTEGER, BIGINT, DOUBLE, ANY_DECIMAL, STRING, BYTES, DATE, TIME, TIMESTAMP].map((type) => ({
    args: { value: type, others: variadic(type) },
    returns: type.kind === 'ANY_DECIMAL' ? widestDecimal : type,
    nulls: 'accept',
    bind(_args, returns) {
      const compare = compareFunction(returns)
      return (...values: SqlValue[]) =>
        values.reduce((best, value) =>
          value === null || (best !== null && compare(value, best) * direction <= 0) ? best : value,
        )
    },
  }))
}

function widestDecimal(args: readonly SqlType[]): SqlType {
  // Untyped NULLs stand as whatever they were given; only DECIMALs count.
  return args
    .filter((type) => type.kind === 'DECIMAL')
    .reduce<SqlType>((a, b) => commonNumericType(a, b), args[0]!)
}

export const greatest = scalarFunction({
  name: 'GREATEST',
  category: 'mathematics',
  summary: 'The greatest of the arguments, nulls ignored.',
  overloads: overloads(1),
  examples: [
    ['GREATEST(1, NULL, 7, 5)', 7],
    ['GREATEST(1.5, 2.25)', '2.25'],
    ["GREATEST('a', 'B')", 'a'],
    ['GREATEST(CAST(NULL AS INTEGER), NULL)', null],
    ['GREATEST(1, 2.5E0)', 2.5],
  ],
})

export const least = scalarFunction({
  name: 'LEAST',
  category: 'mathematics',
  summary: 'The least of the arguments, nulls ignored.',
  overloads: overloads(-1),
  examples: [
    ['LEAST(3, NULL, 7)', 3],
    ["LEAST('a', 'B')", 'B'],
    ["LEAST(TO_BYTES('ff', 'hex'), TO_BYTES('01ff', 'hex'))", '01ff'],
  ],
})
