import { SqlError } from '../../base/errors.ts'
import { arrayOf, BOOLEAN, INTEGER, structOf, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction, type AggregateOverload } from '../aggregate-function.ts'
import type { BoundAggregate } from '../function.ts'
import { arrayPattern, typeVariable } from '../type-pattern.ts'

type Side = 'earliest' | 'latest'

const T = typeVariable('T')

/* State: an array of no or one value in a STRUCT, so that "none yet" differs from a null that counts. */
type Single = readonly [values: readonly SqlValue[]]

function bindSingle(type: SqlType, side: Side, ignoreNulls: boolean): BoundAggregate {
  return {
    stateType: structOf([{ name: 'VALUES', type: arrayOf(type) }]),
    initial: () => [[]],
    add(state, [value]) {
      if (value === null && ignoreNulls) return state
      return side === 'earliest' && (state as Single)[0].length > 0 ? state : [[value!]]
    },
    undo: null,
    merge(earlier, later) {
      const [preferred, other] = side === 'earliest' ? [earlier, later] : [later, earlier]
      return (preferred as Single)[0].length > 0 ? preferred : other
    },
    result: (state) => (state as Single)[0][0] ?? null,
    slots: null,
  }
}

function bindSeveral(type: SqlType, side: Side, count: number, ignoreNulls: boolean): BoundAggregate {
  if (count < 1) {
    throw new SqlError('SQL_BAD_ARGUMENT', {
      message: `${side.toUpperCase()}_BY_OFFSET must keep at least one value, not ${count}.`,
    })
  }
  return {
    stateType: arrayOf(type),
    initial: () => [],
    add(state, [value]) {
      const kept = state as readonly SqlValue[]
      if (value === null && ignoreNulls) return state
      if (kept.length < count) return [...kept, value!]
      return side === 'earliest' ? state : [...kept.slice(1), value!]
    },
    undo: null,
    // Of two sessions both sides keep the first values: ksqlDB does so for LATEST too.
    merge: (earlier, later) =>
      [...(earlier as readonly SqlValue[]), ...(later as readonly SqlValue[])].slice(0, count),
    result: (state) => state,
    slots: null,
  }
}

function overloads(side: Side): readonly AggregateOverload[] {
  const single = { args: { value: T }, returns: T, undoable: false }
  const several = { args: { value: T }, returns: arrayPattern(T), undoable: false }
  return [
    { ...single, bind: ([type]) => bindSingle(type!, side, true) },
    {
      ...single,
      parameters: { ignoreNulls: BOOLEAN },
      bind: ([type], [ignoreNulls]) => bindSingle(type!, side, ignoreNulls === true),
    },
    {
      ...several,
      parameters: { count: INTEGER },
      bind: ([type], [count]) => bindSeveral(type!, side, count as number, true),
    },
    {
      ...several,
      parameters: { count: INTEGER, ignoreNulls: BOOLEAN },
      bind: ([type], [count, ignoreNulls]) => bindSeveral(type!, side, count as number, ignoreNulls === true),
    },
  ]
}

export const earliestByOffset = aggregateFunction({
  name: 'EARLIEST_BY_OFFSET',
  summary: 'The first value, or the first few, in order of processing.',
  overloads: overloads('earliest'),
})

export const latestByOffset = aggregateFunction({
  name: 'LATEST_BY_OFFSET',
  summary: 'The last value, or the last few, in order of processing.',
  overloads: overloads('latest'),
})
