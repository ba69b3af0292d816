import { BOOLEAN } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { scalarFunction } from '../scalar-function.ts'
import { arrayPattern, lambda, mapPattern, typeVariable } from '../type-pattern.ts'

const T = typeVariable('T')
const K = typeVariable('K')
const V = typeVariable('V')

function holds(answer: SqlValue): boolean {
  if (typeof answer !== 'boolean') throw new TypeError("FILTER's condition is null for an element.")
  return answer
}

/* ksqlDB's results hold no nulls; a null value that passes fails the call. */
function isPresent(value: SqlValue): boolean {
  if (value === null) throw new TypeError('FILTER cannot keep a null value of a map.')
  return true
}

export const filter = scalarFunction({
  name: 'FILTER',
  category: 'lambda',
  summary: 'The elements or entries for which a condition holds.',
  overloads: [
    {
      args: { list: arrayPattern(T), condition: lambda([T], BOOLEAN) },
      returns: arrayPattern(T),
      body: (list: readonly SqlValue[], condition: (item: SqlValue) => SqlValue) =>
        list.filter((item) => holds(condition(item))),
    },
    {
      args: { map: mapPattern(K, V), condition: lambda([K, V], BOOLEAN) },
      returns: mapPattern(K, V),
      body: (map: ReadonlyMap<SqlValue, SqlValue>, condition: (key: SqlValue, value: SqlValue) => SqlValue) =>
        new Map([...map].filter(([key, value]) => holds(condition(key, value)) && isPresent(value))),
    },
  ],
  examples: [
    ['FILTER(ARRAY[3, 6, 2, 10], x => x > 5)', [6, 10]],
    ["FILTER(MAP('a' := 1, 'b' := 2), (k, v) => v > 1)", { b: 2 }],
    ["FILTER(MAP('a' := 1, 'b' := NULL), (k, v) => k = 'a')", { a: 1 }],
    ['FILTER(CAST(NULL AS ARRAY<INTEGER>), x => x > 5)', null],
  ],
})
