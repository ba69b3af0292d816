import { SqlError } from '../../base/errors.ts'
import { arrayOf, INTEGER, structOf, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import { compareFunction } from '../comparison.ts'
import type { BoundAggregate } from '../function.ts'
import { ANY, ANY_DECIMAL, arrayPattern, typeVariable, variadic } from '../type-pattern.ts'

type Kept = readonly SqlValue[]

/** `kept`, descending, with one more value behind its equals, cut to k. */
function insert(kept: Kept, value: SqlValue, k: number, compare: (a: SqlValue, b: SqlValue) => number): Kept {
  let at = kept.length
  while (at > 0 && compare(kept[at - 1]!, value) < 0) at--
  return at >= k ? kept : kept.toSpliced(at, 0, value).slice(0, k)
}

function checkedK(k: SqlValue): number {
  if (typeof k === 'number' && k >= 1) return k
  throw new SqlError('SQL_BAD_ARGUMENT', {
    message: `The k of TOPK must be at least 1, not ${String(k as number)}.`,
  })
}

function keepLargest(
  element: SqlType,
  elementOf: (args: readonly SqlValue[]) => SqlValue,
  add: (kept: Kept, value: SqlValue) => Kept,
): BoundAggregate {
  return {
    stateType: arrayOf(element),
    initial: () => [],
    // A null has no place in the order.
    add: (state, args) => (args[0] === null ? state : add(state as Kept, elementOf(args))),
    undo: null,
    merge: (earlier, later) => (later as Kept).reduce(add, earlier as Kept),
    result: (state) => state,
    slots: null,
  }
}

const T = typeVariable('T', ['INTEGER', 'BIGINT', 'DOUBLE', 'STRING'])
const D = typeVariable('T', ['INTEGER', 'BIGINT', 'DOUBLE', 'DATE', 'TIME', 'TIMESTAMP', 'STRING', 'BYTES'])

function rowOf(args: readonly SqlType[]): SqlType {
  return structOf(args.map((type, i) => ({ name: i === 0 ? 'sort_col' : `col${i - 1}`, type })))
}

export const topk = aggregateFunction({
  name: 'TOPK',
  summary: 'The k greatest values, descending; with further columns, a STRUCT of them for each.',
  overloads: [
    {
      args: { value: T },
      parameters: { k: INTEGER },
      returns: arrayPattern(T),
      undoable: false,
      bind([type], [kValue]) {
        const k = checkedK(kValue!)
        const compare = compareFunction(type!)
        return keepLargest(
          type!,
          ([value]) => value!,
          (kept, value) => insert(kept, value, k, compare),
        )
      },
    },
    {
      args: { value: T, other: ANY, others: variadic(ANY) },
      parameters: { k: INTEGER },
      returns: (args) => arrayOf(rowOf(args)),
      undoable: false,
      bind(args, [kValue]) {
        const k = checkedK(kValue!)
        const compare = compareFunction(args[0]!)
        const byFirst = (a: SqlValue, b: SqlValue): number => compare((a as Kept)[0]!, (b as Kept)[0]!)
        return keepLargest(
          rowOf(args),
          (row) => [...row],
          (kept, value) => insert(kept, value, k, byFirst),
        )
      },
    },
  ],
})

export const topkDistinct = aggregateFunction({
  name: 'TOPKDISTINCT',
  summary: 'The k greatest different values, descending.',
  overloads: [D, ANY_DECIMAL].map((value) => ({
    args: { value },
    parameters: { k: INTEGER },
    returns: ([type]: readonly SqlType[]) => arrayOf(type!),
    undoable: false,
    bind([type]: readonly SqlType[], [kValue]: readonly SqlValue[]) {
      const k = checkedK(kValue!)
      const compare = compareFunction(type!)
      return keepLargest(
        type!,
        ([item]) => item!,
        (kept, item) =>
          kept.some((other) => compare(other, item) === 0) ? kept : insert(kept, item, k, compare),
      )
    },
  })),
})
