import { arrayOf, BIGINT, DOUBLE, INTEGER, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import type { BoundAggregate } from '../function.ts'
import { addition } from './sum.ts'

function bindSumList(element: SqlType): BoundAggregate {
  const { plus, minus } = addition(element)
  const each =
    (combine: typeof plus) =>
    (state: SqlValue, [list]: readonly SqlValue[]): SqlValue =>
      ((list ?? []) as readonly SqlValue[]).reduce(
        (sum, item) => (item === null ? sum : combine(sum, item)),
        state,
      )
  return {
    stateType: element,
    initial: () => 0,
    add: each(plus),
    undo: each(minus),
    merge: plus,
    result: (state) => state,
    slots: null,
  }
}

export const sumList = aggregateFunction({
  name: 'SUM_LIST',
  summary: 'Adds up all elements of all arrays; 0 when there are none.',
  overloads: [INTEGER, BIGINT, DOUBLE].map((element) => ({
    args: { list: arrayOf(element) },
    returns: element,
    undoable: true,
    bind: () => bindSumList(element),
  })),
})
