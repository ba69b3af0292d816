import { BIGINT, DOUBLE, INTEGER, structOf, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import type { BoundAggregate, SlotAggregate } from '../function.ts'
import { addition } from './sum.ts'

type State = readonly [sum: SqlValue, count: number]

/* Slots: sum, count. An INTEGER sum wraps at 32 bits, as in the general form. */
function slotsFor(type: SqlType): SlotAggregate | null {
  if (type.kind === 'BIGINT') return null
  const wraps = type.kind === 'INTEGER'
  return {
    width: 2,
    initial: [0, 0],
    add(state, at, value) {
      state[at] = wraps ? (state[at]! + value) | 0 : state[at]! + value
      state[at + 1]! += 1
    },
    merge(into, at, from, fromAt) {
      const sum = into[at]! + from[fromAt]!
      into[at] = wraps ? sum | 0 : sum
      into[at + 1]! += from[fromAt + 1]!
    },
    result: (state, at) => (state[at + 1] === 0 ? 0 : state[at]! / state[at + 1]!),
    isNull: () => false,
  }
}

function bindAvg(type: SqlType): BoundAggregate {
  const { plus, minus } = addition(type)
  return {
    stateType: structOf([
      { name: 'SUM', type },
      { name: 'COUNT', type: BIGINT },
    ]),
    initial: () => [0, 0],
    add(state, [value]) {
      if (value === null) return state
      const [sum, count] = state as State
      return [plus(sum, value!), count + 1]
    },
    undo(state, [value]) {
      if (value === null) return state
      const [sum, count] = state as State
      return [minus(sum, value!), count - 1]
    },
    merge(earlier, later) {
      const [sum, count] = earlier as State
      const [laterSum, laterCount] = later as State
      return [plus(sum, laterSum), count + laterCount]
    },
    result(state) {
      const [sum, count] = state as State
      return count === 0 ? 0 : Number(sum) / count
    },
    slots: slotsFor(type),
  }
}

export const avg = aggregateFunction({
  name: 'AVG',
  summary: 'The mean of the values, whose sum is kept in their own type; 0 when there are none.',
  overloads: [INTEGER, BIGINT, DOUBLE].map((type) => ({
    args: { value: type },
    returns: DOUBLE,
    undoable: true,
    bind: () => bindAvg(type),
  })),
})
