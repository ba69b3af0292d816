import { BIGINT, isNumeric } from '../../plan/sql-type.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import type { BoundAggregate, SlotAggregate } from '../function.ts'
import { ANY } from '../type-pattern.ts'

/* A count never leaves the safe integers. */
const slots: SlotAggregate = {
  width: 1,
  initial: [0],
  add(state, at) {
    state[at]! += 1
  },
  merge(into, at, from, fromAt) {
    into[at]! += from[fromAt]!
  },
  result: (state, at) => state[at]!,
  isNull: () => false,
}

const rows: BoundAggregate = {
  stateType: BIGINT,
  initial: () => 0,
  add: (state) => (state as number) + 1,
  undo: (state) => (state as number) - 1,
  merge: (earlier, later) => (earlier as number) + (later as number),
  result: (state) => state,
  slots,
}

const nonNulls: BoundAggregate = {
  ...rows,
  add: (state, [value]) => (value === null ? state : (state as number) + 1),
  undo: (state, [value]) => (value === null ? state : (state as number) - 1),
}

export const count = aggregateFunction({
  name: 'COUNT',
  summary: 'Counts the rows, or those where the argument is not null.',
  overloads: [
    { args: {}, returns: BIGINT, undoable: true, bind: () => rows },
    {
      args: { value: ANY },
      returns: BIGINT,
      undoable: true,
      bind: ([type]) =>
        isNumeric(type!) && type!.kind !== 'DECIMAL' ? nonNulls : { ...nonNulls, slots: null },
    },
  ],
})
