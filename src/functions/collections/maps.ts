import { arrayOf, BOOLEAN, STRING, structOf, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { inHashOrder } from '../java-hash-order.ts'
import { scalarFunction } from '../scalar-function.ts'
import { arrayPattern, mapPattern, typeVariable } from '../type-pattern.ts'

type Entries = ReadonlyMap<SqlValue, SqlValue>

const T = typeVariable('T')
const MAP_OF_T = mapPattern(STRING, T)

export const asMap = scalarFunction({
  name: 'AS_MAP',
  category: 'collection',
  summary: 'A map made of an array of keys and one of values.',
  args: { keys: arrayPattern(STRING), values: arrayPattern(T) },
  returns: MAP_OF_T,
  body: (keys: readonly SqlValue[], values: readonly SqlValue[]) =>
    new Map(keys.map((key, i) => [key, values[i] ?? null])),
  examples: [
    ["AS_MAP(ARRAY['a', 'b', 'c'], ARRAY[1, 2])", { a: 1, b: 2, c: null }],
    ["AS_MAP(ARRAY['a', 'a'], ARRAY[1, 2])", { a: 2 }],
  ],
})

const ENTRY_VALUE = typeVariable('V', ['INTEGER', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'STRING'])

export const entries = scalarFunction({
  name: 'ENTRIES',
  category: 'collection',
  summary: 'The entries of a map as STRUCTs of K and V, sorted by key if asked for.',
  args: { map: mapPattern(STRING, ENTRY_VALUE), sorted: BOOLEAN },
  returns: ([map]) => arrayOf(entryOf(map!)),
  nulls: { sorted: 'reject' },
  body(map: Entries, sorted: boolean) {
    const pairs = inHashOrder(map, STRING).map(([key, value]): readonly SqlValue[] => [key, value])
    return sorted ? pairs.sort((a, b) => (a[0]! < b[0]! ? -1 : 1)) : pairs
  },
  examples: [
    [
      "ENTRIES(MAP('b' := 2, 'a' := 1), TRUE)",
      [
        { K: 'a', V: 1 },
        { K: 'b', V: 2 },
      ],
    ],
  ],
})

function entryOf(map: SqlType): SqlType {
  return structOf([
    { name: 'K', type: STRING },
    { name: 'V', type: (map as Extract<SqlType, { kind: 'MAP' }>).value },
  ])
}

export const mapKeys = scalarFunction({
  name: 'MAP_KEYS',
  category: 'collection',
  summary: 'The keys of a map.',
  args: { map: MAP_OF_T },
  returns: arrayOf(STRING),
  body: (map: Entries) => inHashOrder(map, STRING).map(([key]) => key),
  examples: [["MAP_KEYS(MAP('a' := 1))", ['a']]],
})

export const mapValues = scalarFunction({
  name: 'MAP_VALUES',
  category: 'collection',
  summary: 'The values of a map.',
  args: { map: MAP_OF_T },
  returns: arrayPattern(T),
  body: (map: Entries) => inHashOrder(map, STRING).map(([, value]) => value),
  examples: [["MAP_VALUES(MAP('a' := 1, 'b' := NULL))", [1, null]]],
})

export const mapUnion = scalarFunction({
  name: 'MAP_UNION',
  category: 'collection',
  summary: 'The entries of both maps; the second wins where both have a key.',
  args: { first: MAP_OF_T, second: MAP_OF_T },
  returns: mapPattern(STRING, T),
  nulls: 'accept',
  body: (first: Entries | null, second: Entries | null) =>
    first === null ? second : second === null ? first : new Map([...first, ...second]),
  examples: [
    ["MAP_UNION(MAP('a' := 1, 'b' := 2), MAP('b' := 3))", { a: 1, b: 3 }],
    ["MAP_UNION(NULL, MAP('b' := 3))", { b: 3 }],
  ],
})
