import { BIGINT, mapOf, STRING } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { aggregateFunction } from '../aggregate-function.ts'
import type { BoundAggregate } from '../function.ts'

type Counts = ReadonlyMap<SqlValue, SqlValue>

/** Different values counted at most; further ones are ignored. */
const VALUES_MAX = 1000

function counted(counts: Counts, value: SqlValue, by: number): Counts {
  const before = counts.get(value) as number | undefined
  if (before === undefined && (by < 0 || counts.size >= VALUES_MAX)) return counts
  const next = new Map(counts)
  const count = (before ?? 0) + by
  if (count < 1) next.delete(value)
  else next.set(value, count)
  return next
}

const histogramOfStrings: BoundAggregate = {
  stateType: mapOf(STRING, BIGINT),
  initial: () => new Map(),
  // ksqlDB counts nulls too, under a null key that most formats cannot write.
  add: (state, [value]) => counted(state as Counts, value!, 1),
  undo: (state, [value]) => counted(state as Counts, value!, -1),
  merge: (earlier, later) =>
    [...(later as Counts)].reduce(
      (counts, [value, count]) => counted(counts, value, count as number),
      earlier as Counts,
    ),
  result: (state) => state,
  slots: null,
}

export const histogram = aggregateFunction({
  name: 'HISTOGRAM',
  summary: 'How often each value occurs, for the first 1000 different ones.',
  args: { value: STRING },
  returns: mapOf(STRING, BIGINT),
  undoable: true,
  bind: () => histogramOfStrings,
})
