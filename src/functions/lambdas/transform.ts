import type { SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { identityFunction } from '../comparison.ts'
import { scalarFunction } from '../scalar-function.ts'
import { arrayPattern, lambda, mapPattern, typeVariable } from '../type-pattern.ts'

const T = typeVariable('T')
const R = typeVariable('R')
const K = typeVariable('K')
const V = typeVariable('V')

type OfEntry = (key: SqlValue, value: SqlValue) => SqlValue

export const transform = scalarFunction({
  name: 'TRANSFORM',
  category: 'lambda',
  summary: 'Applies a function to each element, or one to each key and one to each value.',
  overloads: [
    {
      args: { list: arrayPattern(T), mapping: lambda([T], R) },
      returns: arrayPattern(R),
      body: (list: readonly SqlValue[], mapping: (item: SqlValue) => SqlValue) =>
        list.map((item) => mapping(item)),
    },
    {
      args: { map: mapPattern(K, V), key: lambda([K, V], R), value: lambda([K, V], T) },
      returns: mapPattern(R, T),
      bind: ([, keyType]) => transformMap(keyType!),
    },
  ],
  examples: [
    ['TRANSFORM(ARRAY[3, 6], x => x + 5)', [8, 11]],
    ["TRANSFORM(MAP('a' := 1), (k, v) => k + '_', (k, v) => v * 2)", { a_: 2 }],
    ['TRANSFORM(CAST(NULL AS ARRAY<INTEGER>), x => x + 5)', null],
  ],
})

function transformMap(
  keyType: SqlType,
): (map: ReadonlyMap<SqlValue, SqlValue>, key: OfEntry, value: OfEntry) => SqlValue {
  const identity = identityFunction(keyType)
  return (map, key, value) => {
    const seen = new Set<unknown>()
    const result = new Map<SqlValue, SqlValue>()
    for (const [k, v] of map) {
      const newKey = key(k, v)
      const newValue = value(k, v)
      if (newValue === null) throw new TypeError('TRANSFORM gave a null value for a map.')
      if (seen.has(identity(newKey))) throw new RangeError('TRANSFORM gave the same key twice.')
      seen.add(identity(newKey))
      result.set(newKey, newValue)
    }
    return result
  }
}
