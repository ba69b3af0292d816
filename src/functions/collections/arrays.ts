import type Big from 'big.js'
import { BOOLEAN, INTEGER, STRING, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { compareFunction, equalsFunction, identityFunction } from '../comparison.ts'
import { javaDoubleText } from '../../base/java-double.ts'
import { scalarFunction } from '../scalar-function.ts'
import { arrayPattern, optional, typeVariable } from '../type-pattern.ts'

type List = readonly SqlValue[]

const T = typeVariable('T')
const Ts = arrayPattern(T)
const COMPARABLE = typeVariable('T', [
  'BOOLEAN',
  'INTEGER',
  'BIGINT',
  'DOUBLE',
  'DECIMAL',
  'STRING',
  'BYTES',
  'DATE',
  'TIME',
  'TIMESTAMP',
])

function elementOf(type: SqlType): SqlType {
  return (type as Extract<SqlType, { kind: 'ARRAY' }>).element
}

/** The elements without repetitions, the first of each kept; those of `without` left out. */
function distinct(element: SqlType): (list: List, without?: List) => List {
  const identity = identityFunction(element)
  return (list, without = []) => {
    const seen = new Set<unknown>(without.map(identity))
    return list.filter((item) => {
      const id = identity(item)
      if (seen.has(id)) return false
      seen.add(id)
      return true
    })
  }
}

export const arrayConcat = scalarFunction({
  name: 'ARRAY_CONCAT',
  category: 'collection',
  summary: 'The elements of both arrays.',
  args: { left: Ts, right: Ts },
  returns: Ts,
  nulls: 'accept',
  body: (left: List | null, right: List | null) =>
    left === null ? right : right === null ? left : [...left, ...right],
  examples: [
    ['ARRAY_CONCAT(ARRAY[1, NULL], ARRAY[1])', [1, null, 1]],
    ['ARRAY_CONCAT(NULL, ARRAY[1])', [1]],
  ],
})

export const arrayContains = scalarFunction({
  name: 'ARRAY_CONTAINS',
  category: 'collection',
  summary: 'Whether an array has an element; a null array has none.',
  args: { list: Ts, item: T },
  returns: BOOLEAN,
  nulls: 'accept',
  bind([type]) {
    const equals = equalsFunction(elementOf(type!))
    return (list: List | null, item: SqlValue) => list !== null && list.some((other) => equals(other, item))
  },
  examples: [
    ["ARRAY_CONTAINS(ARRAY['a', 'b'], 'b')", true],
    ['ARRAY_CONTAINS(ARRAY[1, NULL], NULL)', true],
    ['ARRAY_CONTAINS(CAST(NULL AS ARRAY<INTEGER>), 1)', false],
  ],
})

export const arrayDistinct = scalarFunction({
  name: 'ARRAY_DISTINCT',
  category: 'collection',
  summary: 'The different elements, in order of their first appearance.',
  args: { list: Ts },
  returns: Ts,
  bind([type]) {
    const distinctOf = distinct(elementOf(type!))
    return (list: List) => distinctOf(list)
  },
  examples: [
    ["ARRAY_DISTINCT(ARRAY['foo', NULL, 'bar', 'foo', NULL])", ['foo', null, 'bar']],
    ['ARRAY_DISTINCT(ARRAY[ARRAY[1], ARRAY[1]])', [[1]]],
  ],
})

export const arrayExcept = scalarFunction({
  name: 'ARRAY_EXCEPT',
  category: 'collection',
  summary: 'The different elements of the first array that are not in the second.',
  args: { list: Ts, without: Ts },
  returns: Ts,
  bind: ([type]) => distinct(elementOf(type!)),
  examples: [
    ['ARRAY_EXCEPT(ARRAY[0, 0, 1, -1], ARRAY[1, -2])', [0, -1]],
    ['ARRAY_EXCEPT(ARRAY[1], NULL)', null],
  ],
})

export const arrayIntersect = scalarFunction({
  name: 'ARRAY_INTERSECT',
  category: 'collection',
  summary: 'The different elements that are in both arrays, in the order of the first.',
  args: { left: Ts, right: Ts },
  returns: Ts,
  bind([type]) {
    const identity = identityFunction(elementOf(type!))
    const distinctOf = distinct(elementOf(type!))
    return (left: List, right: List) => {
      const wanted = new Set<unknown>(right.map(identity))
      return distinctOf(left.filter((item) => wanted.has(identity(item))))
    }
  },
  examples: [["ARRAY_INTERSECT(ARRAY['foo', 'bar', 'foo'], ARRAY['baz', 'foo'])", ['foo']]],
})

export const arrayUnion = scalarFunction({
  name: 'ARRAY_UNION',
  category: 'collection',
  summary: 'The different elements of both arrays.',
  args: { left: Ts, right: Ts },
  returns: Ts,
  bind([type]) {
    const distinctOf = distinct(elementOf(type!))
    return (left: List, right: List) => distinctOf([...left, ...right])
  },
  examples: [['ARRAY_UNION(ARRAY[0, 0, 1], ARRAY[1, -2])', [0, 1, -2]]],
})

export const arrayRemove = scalarFunction({
  name: 'ARRAY_REMOVE',
  category: 'collection',
  summary: 'The array without all elements equal to one.',
  args: { list: Ts, item: T },
  returns: Ts,
  nulls: { item: 'accept' },
  bind([type]) {
    const equals = equalsFunction(elementOf(type!))
    return (list: List, item: SqlValue) => list.filter((other) => !equals(other, item))
  },
  examples: [
    ["ARRAY_REMOVE(ARRAY['foo', 'bar', 'foo'], 'foo')", ['bar']],
    ['ARRAY_REMOVE(ARRAY[1, NULL], NULL)', [1]],
  ],
})

export const arrayLength = scalarFunction({
  name: 'ARRAY_LENGTH',
  category: 'collection',
  summary: 'How many elements there are.',
  args: { list: Ts },
  returns: INTEGER,
  body: (list: List) => list.length,
  examples: [
    ['ARRAY_LENGTH(ARRAY[1, NULL])', 2],
    ['ARRAY_LENGTH(CAST(NULL AS ARRAY<INTEGER>))', null],
  ],
})

/** The extreme element, nulls skipped; null of none. */
function extreme(element: SqlType, direction: 1 | -1): (list: List) => SqlValue {
  const compare = compareFunction(element)
  return (list) =>
    list.reduce<SqlValue>(
      (best, item) =>
        item === null || (best !== null && compare(item, best) * direction <= 0) ? best : item,
      null,
    )
}

export const arrayMax = scalarFunction({
  name: 'ARRAY_MAX',
  category: 'collection',
  summary: 'The greatest element, nulls skipped.',
  args: { list: arrayPattern(COMPARABLE) },
  returns: COMPARABLE,
  bind: ([type]) => extreme(elementOf(type!), 1),
  examples: [
    ['ARRAY_MAX(ARRAY[1, NULL, 3])', 3],
    ['ARRAY_MAX(ARRAY[CAST(NULL AS INTEGER)])', null],
  ],
})

export const arrayMin = scalarFunction({
  name: 'ARRAY_MIN',
  category: 'collection',
  summary: 'The least element, nulls skipped.',
  args: { list: arrayPattern(COMPARABLE) },
  returns: COMPARABLE,
  bind: ([type]) => extreme(elementOf(type!), -1),
  examples: [
    ["ARRAY_MIN(ARRAY['b', 'B'])", 'B'],
    ['ARRAY_MIN(ARRAY[TRUE, FALSE])', false],
  ],
})

export const arraySort = scalarFunction({
  name: 'ARRAY_SORT',
  category: 'collection',
  summary: 'The elements in ascending (ASC) or descending (DESC) order, nulls last.',
  args: { list: arrayPattern(COMPARABLE), direction: optional(STRING) },
  returns: arrayPattern(COMPARABLE),
  bind([type]) {
    const compare = compareFunction(elementOf(type!))
    return (list: List, direction = 'ASC') => {
      const isAscending = ['ASC', 'ASCENDING'].includes(direction.toUpperCase())
      if (!isAscending && !['DESC', 'DESCENDING'].includes(direction.toUpperCase())) return null
      return list.toSorted((a, b) => {
        if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1
        return isAscending ? compare(a, b) : compare(b, a)
      })
    }
  },
  examples: [
    ['ARRAY_SORT(ARRAY[3, NULL, 1])', [1, 3, null]],
    ["ARRAY_SORT(ARRAY['a', 'B', NULL], 'desc')", ['a', 'B', null]],
    ["ARRAY_SORT(ARRAY[1], 'sideways')", null],
  ],
})

export const arrayJoin = scalarFunction({
  name: 'ARRAY_JOIN',
  category: 'collection',
  summary: 'The elements as one text with a delimiter (by default a comma) between them.',
  args: {
    list: Ts,
    delimiter: optional(STRING),
  },
  returns: STRING,
  nulls: { delimiter: 'accept' },
  bind([type]) {
    const text = elementText(elementOf(type!))
    return (list: List, delimiter: string | null = ',') => list.map(text).join(delimiter ?? '')
  },
  examples: [
    ["ARRAY_JOIN(ARRAY['a', NULL, ''])", 'a,null,'],
    ["ARRAY_JOIN(ARRAY[1E0, 2.5E0], '; ')", '1.0; 2.5'],
    ['ARRAY_JOIN(ARRAY[1, 23], NULL)', '123'],
    ['ARRAY_JOIN(ARRAY[1.50])', '1.50'],
  ],
})

function elementText(element: SqlType): (item: SqlValue) => string {
  switch (element.kind) {
    case 'DOUBLE':
      return (item) => (item === null ? 'null' : javaDoubleText(item as number))
    case 'DECIMAL':
      return (item) => (item === null ? 'null' : (item as Big).toFixed(element.scale))
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'STRING':
      return (item) => String(item as string | number | bigint | boolean | null)
    default:
      return () => {
        throw new TypeError(`ARRAY_JOIN cannot join elements of type ${element.kind}.`)
      }
  }
}

export const slice = scalarFunction({
  name: 'SLICE',
  category: 'collection',
  summary: 'The elements from one position to another, both included, from 1.',
  args: { list: Ts, from: INTEGER, to: INTEGER },
  returns: Ts,
  nulls: { from: 'accept', to: 'accept' },
  body(list: List, from: number | null, to: number | null) {
    const start = (from ?? 1) - 1
    const end = to ?? list.length
    return start < 0 || start > end || end > list.length ? null : list.slice(start, end)
  },
  examples: [
    ['SLICE(ARRAY[1, 2, 3, 4], 2, 3)', [2, 3]],
    ['SLICE(ARRAY[1, 2], NULL, 1)', [1]],
    ['SLICE(ARRAY[1, 2], 2, NULL)', [2]],
    ['SLICE(ARRAY[1, 2], 2, 3)', null],
  ],
})
