import { test as property } from '@fast-check/vitest'
import Big from 'big.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BoundAggregate } from '../../src/functions/function.ts'
import { functionRegistry } from '../../src/functions/registry.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  BYTES,
  decimal,
  DOUBLE,
  INTEGER,
  STRING,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'
import { exampleContext, plain } from './evaluate.ts'

interface Bound extends BoundAggregate {
  readonly returns: SqlType
}

function bound(
  name: string,
  columns: readonly SqlType[],
  parameters: readonly SqlValue[] = [],
  settings: ReadonlyMap<string, string> = new Map(),
): Bound {
  const types = parameters.map((value) => (typeof value === 'boolean' ? BOOLEAN : INTEGER))
  const { signature, returns } = functionRegistry.resolveAggregate(name, [...columns, ...types])
  const context = { ...exampleContext, settings }
  return {
    ...functionRegistry.aggregateBody(name, signature, columns, parameters, returns, context),
    returns,
  }
}

type Rows = readonly (readonly SqlValue[])[]

function addAll(aggregate: BoundAggregate, rows: Rows, from: SqlValue = aggregate.initial()): SqlValue {
  return rows.reduce<SqlValue>((state, row) => aggregate.add(state, row), from)
}

/** The result over rows of one column. */
function over(aggregate: Bound, ...column: SqlValue[]): unknown {
  const state = addAll(
    aggregate,
    column.map((value) => [value]),
  )
  return plain(aggregate.result(state), aggregate.returns)
}

test.each<[name: string, type: SqlType, values: SqlValue[], expected: unknown]>([
  ['COUNT', STRING, ['a', null, 'b'], 2],
  ['SUM', INTEGER, [2147483647, 1, null], -2147483648],
  ['SUM', BIGINT, [9223372036854775807n, 1], -9223372036854775808n],
  ['SUM', DOUBLE, [0.1, 0.2], 0.30000000000000004],
  ['SUM', decimal(4, 1), [new Big('5.4'), new Big('100.1')], '105.5'],
  ['SUM', INTEGER, [null], 0],
  ['SUM_LIST', arrayOf(INTEGER), [[1, null, 2], null, [3]], 6],
  ['AVG', INTEGER, [1, 2, 2], 5 / 3],
  ['AVG', BIGINT, [-1, 9223372036854775807n], 4.6116860184273879e18],
  ['AVG', DOUBLE, [null], 0],
  ['MIN', STRING, ['b', 'B', null], 'B'],
  ['MAX', decimal(3, 1), [new Big('9.9'), new Big('10')], '10.0'],
  ['MAX', BYTES, [Uint8Array.of(1, 2), Uint8Array.of(200)], 'c8'],
  ['MIN', INTEGER, [null], null],
  ['COUNT_DISTINCT', STRING, ['a', 'b', 'a', null], 2],
  ['COLLECT_LIST', INTEGER, [1, null, 1], [1, null, 1]],
  ['COLLECT_SET', INTEGER, [1, null, 1, null], [1, null]],
  ['EARLIEST_BY_OFFSET', INTEGER, [null, 1, 2], 1],
  ['LATEST_BY_OFFSET', INTEGER, [1, 2, null], 2],
  ['LATEST_BY_OFFSET', INTEGER, [null], null],
  ['STDDEV_SAMPLE', BIGINT, [500, 100, 0, -6], 239.32335169528832],
  ['STDDEV_SAMPLE', DOUBLE, [-1.8, 2.3, 100.2], 57.74256084841869],
  ['STDDEV_SAMPLE', INTEGER, [7], 0],
  ['STDDEV_SAMP', DOUBLE, [10, 12, 13, 14], 2.9166666666666665],
  ['ATTR', STRING, ['x', 'x'], 'x'],
  ['ATTR', STRING, ['x', null], null],
  ['HISTOGRAM', STRING, ['a', 'b', 'a'], { a: 2, b: 1 }],
])('%s over %o of %o is %o', (name, type, values, expected) => {
  expect(over(bound(name, [type]), ...values)).toEqual(expected)
})

test('parameters', () => {
  expect(over(bound('LATEST_BY_OFFSET', [INTEGER], [2]), 1, null, 2, 3)).toEqual([2, 3])
  expect(over(bound('LATEST_BY_OFFSET', [INTEGER], [2, false]), 1, null, 2)).toEqual([null, 2])
  expect(over(bound('LATEST_BY_OFFSET', [INTEGER], [false]), 1, null)).toBeNull()
  expect(over(bound('EARLIEST_BY_OFFSET', [INTEGER], [2]), null, 1, 2, 3)).toEqual([1, 2])
  expect(over(bound('TOPK', [INTEGER], [3]), 7, 100, 7, null, 99)).toEqual([100, 99, 7])
  expect(over(bound('TOPKDISTINCT', [INTEGER], [3]), 7, 100, 7, null, 100)).toEqual([100, 7])
  expect(() => bound('TOPK', [INTEGER], [0])).toThrow('at least 1')
  expect(() => bound('LATEST_BY_OFFSET', [INTEGER], [0])).toThrow('at least one')
})

test('TOPK keeps further columns, the first of equals before the later ones', () => {
  const topk = bound('TOPK', [BIGINT, STRING], [2])
  const state = addAll(topk, [
    [100, 'one'],
    [5, 'two'],
    [100, null],
    [null, 'three'],
  ])
  expect(plain(topk.result(state), topk.returns)).toEqual([
    { sort_col: 100, col0: 'one' },
    { sort_col: 100, col0: null },
  ])
})

test('CORRELATION', () => {
  const correlation = bound('CORRELATION', [BIGINT, BIGINT])
  const rows: Rows = [
    [1, 8],
    [null, 3],
    [-1, -2],
    [-4, -1],
  ]
  expect(correlation.result(addAll(correlation, rows))).toBe(0.7455284088780169)
  expect(correlation.result(addAll(correlation, rows.slice(0, 1)))).toBe(NaN)
})

test('a DECIMAL sum beyond its precision fails', () => {
  expect(() => over(bound('SUM', [decimal(3, 1)]), new Big('50.9'), new Big('50.8'))).toThrow('overflow')
})

test('collections stop at their limit', () => {
  const limit = new Map([
    ['ksql.functions.collect_list.limit', '2'],
    ['ksql.functions.collect_set.limit', '1'],
  ])
  expect(over(bound('COLLECT_LIST', [INTEGER], [], limit), 1, 2, 3)).toEqual([1, 2])
  expect(over(bound('COLLECT_SET', [INTEGER], [], limit), 1, 1, 3)).toEqual([1])
  const none = new Map([['ksql.functions.collect_list.limit', '-1']])
  expect(over(bound('COLLECT_LIST', [INTEGER], [], none), 1, 2, 3)).toEqual([1, 2, 3])
})

test('HISTOGRAM stops at a thousand values', () => {
  const counts = over(bound('HISTOGRAM', [STRING]), ...Array.from({ length: 1500 }, (_, i) => String(i)), '3')
  expect(Object.keys(counts as object)).toHaveLength(1000)
  expect(counts).toMatchObject({ 3: 2 })
})

test.each([300, 5000, 100_000])('COUNT_DISTINCT of %i values is within three percent', (count) => {
  const distinct = bound('COUNT_DISTINCT', [INTEGER])
  const half = (from: number): SqlValue =>
    addAll(
      distinct,
      Array.from({ length: (count * 3) / 4 }, (_, i) => [from + i]),
    )
  const result = distinct.result(distinct.merge(half(0), half(count / 4))) as number
  expect(Math.abs(result - count) / count).toBeLessThan(0.03)
})

describe('what has an undo forgets what is taken back', () => {
  const small = fc.option(fc.integer({ min: -3, max: 3 }))
  for (const name of ['COUNT', 'SUM', 'AVG', 'ATTR', 'STDDEV_SAMPLE']) {
    property.prop([fc.array(small), fc.array(small)])(name, (kept, taken) => {
      const aggregate = bound(name, [INTEGER])
      const rows = (values: readonly SqlValue[]): Rows => values.map((value) => [value])
      const before = addAll(aggregate, rows(kept))
      const after = rows(taken).reduce<SqlValue>(
        (state, row) => aggregate.undo!(state, row),
        addAll(aggregate, rows(taken), before),
      )
      const [expected, actual] = [aggregate.result(before), aggregate.result(after)]
      if (name === 'STDDEV_SAMPLE') {
        // What remains of the squares after subtracting may be slightly off zero.
        expect(Math.abs((actual as number) || 0)).toBeCloseTo(expected as number, 5)
      } else expect(actual).toEqual(expected)
    })
  }

  test('COLLECT_LIST removes the last equal element, HISTOGRAM counts down', () => {
    const list = bound('COLLECT_LIST', [INTEGER])
    expect(list.undo!([1, 2, 1], [1])).toEqual([1, 2])
    expect(list.undo!([1, 2], [3])).toEqual([1, 2])
    const histogram = bound('HISTOGRAM', [STRING])
    expect(histogram.undo!(new Map([['a', 1]]), ['a'])).toEqual(new Map())
  })
})

describe('merging sessions gives what one session would have given', () => {
  const values = fc.array(fc.option(fc.integer({ min: -9, max: 9 })), { maxLength: 20 })
  const cases: readonly [name: string, parameters: readonly number[]][] = [
    ['COUNT', []],
    ['SUM', []],
    ['AVG', []],
    ['MIN', []],
    ['MAX', []],
    ['COUNT_DISTINCT', []],
    ['COLLECT_LIST', []],
    ['COLLECT_SET', []],
    ['EARLIEST_BY_OFFSET', []],
    ['EARLIEST_BY_OFFSET', [3]],
    ['LATEST_BY_OFFSET', []],
    ['TOPK', [3]],
    ['TOPKDISTINCT', [3]],
    ['ATTR', []],
    ['STDDEV_SAMPLE', []],
  ]
  for (const [name, parameters] of cases) {
    property.prop([values, values])(`${name}(${parameters.join()})`, (earlier, later) => {
      const aggregate = bound(name, [INTEGER], parameters)
      const rows = (list: readonly SqlValue[]): Rows => list.map((value) => [value])
      const together = aggregate.result(addAll(aggregate, rows([...earlier, ...later])))
      const merged = aggregate.result(
        aggregate.merge(addAll(aggregate, rows(earlier)), addAll(aggregate, rows(later))),
      )
      if (name === 'STDDEV_SAMPLE') expect(merged).toBeCloseTo(together as number, 9)
      else expect(merged).toEqual(together)
    })
  }

  test('but LATEST_BY_OFFSET of several keeps the oldest', () => {
    const latest = bound('LATEST_BY_OFFSET', [INTEGER], [2])
    expect(latest.merge([1, 2], [3])).toEqual([1, 2])
  })
})

test('a state is never changed in place', () => {
  for (const name of ['AVG', 'COUNT_DISTINCT', 'COLLECT_LIST', 'COLLECT_SET', 'LATEST_BY_OFFSET', 'ATTR']) {
    const aggregate = bound(name, [INTEGER])
    const state = addAll(aggregate, [[1], [2]])
    const copy = structuredClone(state)
    aggregate.add(state, [3])
    aggregate.merge(state, addAll(aggregate, [[4]]))
    aggregate.undo?.(state, [1])
    expect(state, name).toEqual(copy)
  }
})
