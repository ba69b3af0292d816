import { BIGINT, DOUBLE, INTEGER, structOf, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction, type AggregateOverload } from '../aggregate-function.ts'
import type { BoundAggregate } from '../function.ts'
import { addition } from './sum.ts'

/* Sum (in the input's type), count, and the sum of squared distances from the mean (Youngs and Cramer). */
type State = readonly [sum: SqlValue, count: number, squares: number]

/** How much one more value, counted in `sum` and `count`, adds to the squared distances. */
function squaresOf(value: number, sum: number, count: number): number {
  if (count < 2) return 0
  const distance = count * value - sum
  return (distance * distance) / (count * (count - 1))
}

/**
 * @param result of the sample variance, when there are at least two values
 * @param wholeMeans ksqlDB divides the sums of whole numbers without a rest when it merges sessions
 */
function bindDeviation(
  type: SqlType,
  result: (variance: number) => number,
  wholeMeans: boolean,
): BoundAggregate {
  const { plus, minus } = addition(type)
  const meanOf = (sum: SqlValue, count: number): number => {
    const mean = Number(sum) / count
    return wholeMeans ? Math.trunc(mean) : mean
  }
  return {
    stateType: structOf([
      { name: 'SUM', type },
      { name: 'COUNT', type: BIGINT },
      { name: 'M2', type: DOUBLE },
    ]),
    initial: () => [0, 0, 0],
    add(state, [value]) {
      if (value === null) return state
      const [sum, count, squares] = state as State
      const next = plus(sum, value!)
      return [next, count + 1, squares + squaresOf(Number(value), Number(next), count + 1)]
    },
    undo(state, [value]) {
      if (value === null) return state
      const [sum, count, squares] = state as State
      return [minus(sum, value!), count - 1, squares - squaresOf(Number(value), Number(sum), count)]
    },
    merge(earlier, later) {
      const [sum, count, squares] = earlier as State
      const [laterSum, laterCount, laterSquares] = later as State
      if (count === 0) return later
      if (laterCount === 0) return earlier
      const distance = meanOf(laterSum, laterCount) - meanOf(sum, count)
      const total = count + laterCount
      return [
        plus(sum, laterSum),
        total,
        squares + laterSquares + (distance * distance * count * laterCount) / total,
      ]
    },
    result(state) {
      const [, count, squares] = state as State
      return count < 2 ? 0 : result(squares / (count - 1))
    },
    slots: null,
  }
}

function overloads(bind: (type: SqlType) => BoundAggregate): readonly AggregateOverload[] {
  return [INTEGER, BIGINT, DOUBLE].map((type) => ({
    args: { value: type },
    returns: DOUBLE,
    undoable: true,
    bind: () => bind(type),
  }))
}

export const stddevSample = aggregateFunction({
  name: 'STDDEV_SAMPLE',
  summary: 'The sample standard deviation; 0 below two values.',
  overloads: overloads((type) => bindDeviation(type, Math.sqrt, false)),
})

export const stddevSamp = aggregateFunction({
  name: 'STDDEV_SAMP',
  summary: 'Deprecated: gives the sample variance. Use STDDEV_SAMPLE.',
  overloads: overloads((type) => bindDeviation(type, (variance) => variance, type.kind !== 'DOUBLE')),
})
