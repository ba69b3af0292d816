import { test } from '@fast-check/vitest'
import fc from 'fast-check'
import { expect } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { functionRegistry } from '../../src/functions/registry.ts'
import { DATE, DOUBLE, INTEGER, type SqlType } from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'

const context = { clock: new ManualClock(), random: seededRandom(1), settings: new Map<string, string>() }

const int32 = fc.integer()
const anyDouble = fc.double()
const cases: readonly [name: string, type: SqlType, values: fc.Arbitrary<number>][] = [
  ['COUNT', INTEGER, int32],
  ['COUNT', DOUBLE, anyDouble],
  ['SUM', INTEGER, int32],
  ['SUM', DOUBLE, anyDouble],
  ['AVG', INTEGER, int32],
  ['AVG', DOUBLE, anyDouble],
  ['MIN', INTEGER, int32],
  ['MIN', DOUBLE, anyDouble],
  ['MIN', DATE, int32],
  ['MAX', INTEGER, int32],
  ['MAX', DOUBLE, anyDouble],
]

for (const [name, type, values] of cases) {
  const { signature, returns } = functionRegistry.resolveAggregate(name, [type])
  const general = functionRegistry.aggregateBody(name, signature, [type], [], returns, context)
  const slots = general.slots!

  test.prop([fc.array(values), fc.array(values)])(
    `${name}(${type.kind}): slots give what the general form gives`,
    (first, second) => {
      const add = (list: readonly number[]): SqlValue =>
        list.reduce<SqlValue>((state, value) => general.add(state, [value]), general.initial())
      const expected = general.result(general.merge(add(first), add(second)))

      const state = new Float64Array(3 * slots.width)
      const fill = (at: number, list: readonly number[]): void => {
        state.set(slots.initial, at)
        for (const value of list) slots.add(state, at, value)
      }
      fill(slots.width, first)
      fill(2 * slots.width, second)
      slots.merge(state, slots.width, state, 2 * slots.width)

      expect(slots.isNull(state, slots.width)).toBe(expected === null)
      if (expected !== null) expect(slots.result(state, slots.width)).toBe(expected)
      // Neighbours in the slab stay as they were.
      expect([...state.subarray(0, slots.width)]).toEqual(Array.from({ length: slots.width }, () => 0))
    },
  )
}
