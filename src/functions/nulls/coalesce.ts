import type { SqlValue } from '../../plan/sql-value.ts'
import { equalsFunction } from '../comparison.ts'
import { scalarFunction } from '../scalar-function.ts'
import { typeVariable, variadic } from '../type-pattern.ts'

const T = typeVariable('T')

const firstNonNull = (...values: SqlValue[]): SqlValue => values.find((value) => value !== null) ?? null

export const coalesce = scalarFunction({
  name: 'COALESCE',
  category: 'null handling',
  summary: 'The first argument that is not null.',
  args: { value: T, others: variadic(T) },
  returns: T,
  nulls: 'accept',
  body: firstNonNull,
  examples: [
    ['COALESCE(NULL, 2, 3)', 2],
    ['COALESCE(CAST(NULL AS STRING), NULL)', null],
    ['COALESCE(FALSE, TRUE)', false],
  ],
})

export const ifnull = scalarFunction({
  name: 'IFNULL',
  category: 'null handling',
  summary: 'The first argument, or the second if the first is null.',
  args: { value: T, other: T },
  returns: T,
  nulls: 'accept',
  body: firstNonNull,
  examples: [
    ["IFNULL(NULL, 'x')", 'x'],
    ["IFNULL('a', 'x')", 'a'],
  ],
})

export const nullif = scalarFunction({
  name: 'NULLIF',
  category: 'null handling',
  summary: 'The first argument, or null if both are equal.',
  args: { value: T, other: T },
  returns: T,
  nulls: 'accept',
  bind([type]) {
    const equals = equalsFunction(type!)
    return (value: SqlValue, other: SqlValue) => (equals(value, other) ? null : value)
  },
  examples: [
    ['NULLIF(1, 1)', null],
    ['NULLIF(1, 2)', 1],
    ['NULLIF(1, NULL)', 1],
    ['NULLIF(NULL, 1)', null],
  ],
})
