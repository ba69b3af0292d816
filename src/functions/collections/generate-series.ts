import { arrayOf, BIGINT, INTEGER } from '../../plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../../plan/sql-value.ts'
import { checkResultLength } from '../result-length.ts'
import { scalarFunction } from '../scalar-function.ts'
import { optional } from '../type-pattern.ts'

function series(from: number | bigint, to: number | bigint, step?: number): readonly SqlValue[] {
  const ascending = from <= to
  const by = BigInt(step ?? (ascending ? 1 : -1))
  if (by === 0n) throw new RangeError('The step of GENERATE_SERIES cannot be 0.')
  const last = BigInt(to)
  if (by > 0n ? BigInt(from) > last : BigInt(from) < last) {
    throw new RangeError(`GENERATE_SERIES cannot go from ${from} to ${to} in steps of ${by}.`)
  }
  checkResultLength((last - BigInt(from)) / by + 1n)
  const items: SqlValue[] = []
  for (let at = BigInt(from); by > 0n ? at <= last : at >= last; at += by) items.push(canonicalBigint(at))
  return items
}

export const generateSeries = scalarFunction({
  name: 'GENERATE_SERIES',
  category: 'collection',
  summary: 'The numbers from one to another, both included, in steps.',
  overloads: [INTEGER, BIGINT].map((type) => ({
    args: { from: type, to: type, step: optional(INTEGER) },
    returns: arrayOf(type),
    nulls: 'reject',
    body: series,
  })),
  examples: [
    ['GENERATE_SERIES(1, 3)', [1, 2, 3]],
    ['GENERATE_SERIES(3, 1)', [3, 2, 1]],
    ['GENERATE_SERIES(0, 5, 2)', [0, 2, 4]],
  ],
})
