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
import { aggregateFunction, type AggregateOverload } from '../aggregate-function.ts'
import { compareFunction } from '../comparison.ts'
import type { BoundAggregate, SlotAggregate } from '../function.ts'
import { ANY_DECIMAL } from '../type-pattern.ts'

/** 1: keep the greatest, −1: keep the least. */
type Direction = 1 | -1

/*
 * Slots: the value, and whether there is one. BIGINT has none: beyond the safe integers a double could
 * not tell two values apart. Dates and times are safe integers.
 */
function slotsFor(type: SqlType, direction: Direction): SlotAggregate | null {
  if (type.kind === 'BIGINT' || type.kind === 'DECIMAL' || type.kind === 'STRING' || type.kind === 'BYTES')
    return null
  const compare = compareFunction(type) as (a: number, b: number) => number
  const offer = (state: Float64Array, at: number, value: number): void => {
    const current = state[at]!
    // The plain comparison decides all but NaN and zeros.
    if (state[at + 1] === 0) {
      state[at] = value
      state[at + 1] = 1
    } else if (direction === 1 ? value < current : value > current) {
      return
    } else if (compare(value, current) * direction > 0) {
      state[at] = value
    }
  }
  return {
    width: 2,
    initial: [0, 0],
    add: offer,
    merge(into, at, from, fromAt) {
      if (from[fromAt + 1] === 1) offer(into, at, from[fromAt]!)
    },
    result: (state, at) => (state[at + 1] === 1 ? state[at]! : NaN),
    isNull: (state, at) => state[at + 1] === 0,
  }
}

function bindExtreme(type: SqlType, direction: Direction): BoundAggregate {
  const compare = compareFunction(type)
  const better = (state: SqlValue, value: SqlValue): SqlValue => {
    if (value === null) return state
    return state === null || compare(value, state) * direction > 0 ? value : state
  }
  return {
    stateType: type,
    initial: () => null,
    add: (state, [value]) => better(state, value!),
    undo: null,
    merge: better,
    result: (state) => state,
    slots: slotsFor(type, direction),
  }
}

function overloads(direction: Direction): readonly AggregateOverload[] {
  return [INTEGER, BIGINT, DOUBLE, ANY_DECIMAL, DATE, TIME, TIMESTAMP, STRING, BYTES].map((value) => ({
    args: { value },
    returns: ([type]) => type!,
    undoable: false,
    bind: ([type]) => bindExtreme(type!, direction),
  }))
}

export const min = aggregateFunction({
  name: 'MIN',
  summary: 'The least value; null when there is none.',
  overloads: overloads(-1),
})

export const max = aggregateFunction({
  name: 'MAX',
  summary: 'The greatest value; null when there is none.',
  overloads: overloads(1),
})
