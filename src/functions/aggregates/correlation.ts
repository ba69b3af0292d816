import { BIGINT, DOUBLE, INTEGER, structOf } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import type { BoundAggregate } from '../function.ts'

/* Count; sums of x, y, x², y² and xy, all as doubles. */
type Sums = readonly [n: number, x: number, y: number, xx: number, yy: number, xy: number]

function step(state: SqlValue, args: readonly SqlValue[], sign: 1 | -1): SqlValue {
  if (args[0] === null || args[1] === null) return state
  const [n, sumX, sumY, sumXX, sumYY, sumXY] = state as Sums
  const x = Number(args[0])
  const y = Number(args[1])
  return [
    n + sign,
    sumX + sign * x,
    sumY + sign * y,
    sumXX + sign * x * x,
    sumYY + sign * y * y,
    sumXY + sign * x * y,
  ]
}

const pearson: BoundAggregate = {
  stateType: structOf([
    { name: 'COUNT', type: BIGINT },
    ...['X', 'Y', 'XX', 'YY', 'XY'].map((name) => ({ name, type: DOUBLE })),
  ]),
  initial: () => [0, 0, 0, 0, 0, 0],
  add: (state, args) => step(state, args, 1),
  undo: (state, args) => step(state, args, -1),
  merge: (earlier, later) => (earlier as Sums).map((sum, i) => sum + (later as Sums)[i]!),
  result(state) {
    const [n, x, y, xx, yy, xy] = state as Sums
    return (n * xy - x * y) / Math.sqrt((n * xx - x * x) * (n * yy - y * y))
  },
  slots: null,
}

export const correlation = aggregateFunction({
  name: 'CORRELATION',
  summary: "Pearson's correlation of two columns; NaN while one of them does not vary.",
  overloads: [INTEGER, BIGINT, DOUBLE].map((type) => ({
    args: { x: type, y: type },
    returns: DOUBLE,
    undoable: true,
    bind: () => pearson,
  })),
})
