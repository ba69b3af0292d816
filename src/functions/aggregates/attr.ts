import { arrayOf, BIGINT, structOf, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import { equalsFunction } from '../comparison.ts'
import type { BoundAggregate } from '../function.ts'
import { typeVariable } from '../type-pattern.ts'

type Counted = readonly [value: SqlValue, count: number]
type State = readonly Counted[]

function bindAttr(type: SqlType): BoundAggregate {
  const equals = equalsFunction(type)
  const counted = (state: State, value: SqlValue, by: number): State => {
    const at = state.findIndex(([other]) => equals(other, value))
    if (at < 0) return by > 0 ? [...state, [value, by]] : state
    const count = state[at]![1] + by
    return count === 0 ? state.toSpliced(at, 1) : state.with(at, [value, count])
  }
  return {
    stateType: arrayOf(
      structOf([
        { name: 'VALUE', type },
        { name: 'COUNT', type: BIGINT },
      ]),
    ),
    initial: () => [],
    add: (state, [value]) => counted(state as unknown as State, value!, 1),
    undo: (state, [value]) => counted(state as unknown as State, value!, -1),
    merge: (earlier, later) =>
      (later as unknown as State).reduce<State>(
        (state, [value, count]) => counted(state, value, count),
        earlier as unknown as State,
      ),
    result(state) {
      const values = state as unknown as State
      return values.length === 1 ? values[0]![0] : null
    },
    slots: null,
  }
}

const T = typeVariable('T')

export const attr = aggregateFunction({
  name: 'ATTR',
  summary: 'The one value that all rows have (null may be it), else null.',
  args: { value: T },
  returns: T,
  undoable: true,
  bind: ([type]) => bindAttr(type!),
})
