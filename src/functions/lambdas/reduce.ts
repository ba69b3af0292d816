import type { SqlValue } from '../../plan/sql-value.ts'
import type { SqlType } from '../../plan/sql-type.ts'
import { inHashOrder } from '../java-hash-order.ts'
import { scalarFunction } from '../scalar-function.ts'
import { arrayPattern, lambda, mapPattern, typeVariable } from '../type-pattern.ts'

const S = typeVariable('S')
const T = typeVariable('T')
const K = typeVariable('K')
const V = typeVariable('V')

export const reduce = scalarFunction({
  name: 'REDUCE',
  category: 'lambda',
  summary: 'Folds the elements or entries into one value, starting from an initial one.',
  overloads: [
    {
      args: { list: arrayPattern(T), initial: S, step: lambda([S, T], S) },
      returns: S,
      nulls: { list: 'accept' },
      body: (
        list: readonly SqlValue[] | null,
        initial: SqlValue,
        step: (state: SqlValue, item: SqlValue) => SqlValue,
      ) => (list ?? []).reduce<SqlValue>((state, item) => step(state, item), initial),
    },
    {
      args: { map: mapPattern(K, V), initial: S, step: lambda([S, K, V], S) },
      returns: S,
      nulls: { map: 'accept' },
      bind([type]) {
        const { key: keyType } = type as Extract<SqlType, { kind: 'MAP' }>
        return (
          map: ReadonlyMap<SqlValue, SqlValue> | null,
          initial: SqlValue,
          step: (state: SqlValue, key: SqlValue, value: SqlValue) => SqlValue,
        ) =>
          map === null
            ? initial
            : inHashOrder(map, keyType).reduce<SqlValue>(
                (state, [key, value]) => step(state, key, value),
                initial,
              )
      },
    },
  ],
  examples: [
    ['REDUCE(ARRAY[1, 2, 3], 10, (s, x) => s + x)', 16],
    ["REDUCE(MAP('a' := 1, 'b' := 2), 0, (s, k, v) => s + v)", 3],
    [
      "REDUCE(MAP('yes, thanks' := 1, 'nope' := 2, 'sure, yeah' := 3), '', (s, k, v) => s + k)",
      'yes, thankssure, yeahnope',
    ],
    ['REDUCE(CAST(NULL AS ARRAY<INTEGER>), 10, (s, x) => s + x)', 10],
    ['REDUCE(ARRAY[1, 2], CAST(NULL AS INTEGER), (s, x) => s + x)', null],
  ],
})
