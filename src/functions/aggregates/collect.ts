import { arrayOf, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import { equalsFunction } from '../comparison.ts'
import type { BoundAggregate, FunctionContext } from '../function.ts'
import { arrayPattern, typeVariable } from '../type-pattern.ts'

type State = readonly SqlValue[]

const T = typeVariable('T')

/** How many elements a collection may get; later ones are ignored. A negative number is no limit. */
function limitOf(name: string, context: FunctionContext): number {
  const setting = context.settings.get(`ksql.functions.${name}.limit`)
  return setting === undefined || Number(setting) < 0 ? Infinity : Number(setting)
}

function bindCollectList(element: SqlType, limit: number): BoundAggregate {
  const equals = equalsFunction(element)
  return {
    stateType: arrayOf(element),
    initial: () => [],
    add: (state, [value]) => ((state as State).length < limit ? [...(state as State), value!] : state),
    undo(state, [value]) {
      const list = state as State
      const at = list.findLastIndex((item) => equals(item, value!))
      return at < 0 ? state : list.toSpliced(at, 1)
    },
    merge: (earlier, later) => [...(earlier as State), ...(later as State)].slice(0, limit),
    result: (state) => state,
    slots: null,
  }
}

function bindCollectSet(element: SqlType, limit: number): BoundAggregate {
  const equals = equalsFunction(element)
  const add = (state: State, value: SqlValue): State =>
    state.length >= limit || state.some((item) => equals(item, value)) ? state : [...state, value]
  return {
    stateType: arrayOf(element),
    initial: () => [],
    add: (state, [value]) => add(state as State, value!),
    undo: null,
    merge: (earlier, later) => (later as State).reduce(add, earlier as State),
    result: (state) => state,
    slots: null,
  }
}

export const collectList = aggregateFunction({
  name: 'COLLECT_LIST',
  summary: 'All values in order of arrival, nulls included.',
  args: { value: T },
  returns: arrayPattern(T),
  undoable: true,
  bind: ([type], _parameters, _returns, context) => bindCollectList(type!, limitOf('collect_list', context)),
})

export const collectSet = aggregateFunction({
  name: 'COLLECT_SET',
  summary: 'The different values in order of first arrival, null as one of them.',
  args: { value: T },
  returns: arrayPattern(T),
  undoable: false,
  bind: ([type], _parameters, _returns, context) => bindCollectSet(type!, limitOf('collect_set', context)),
})
