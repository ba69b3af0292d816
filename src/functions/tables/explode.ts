import type { SqlValue } from '../../plan/sql-value.ts'
import { tableFunction } from '../table-function.ts'
import { arrayPattern, typeVariable } from '../type-pattern.ts'

const T = typeVariable('T')

export const explode = tableFunction({
  name: 'EXPLODE',
  summary: 'One row for each element of an array, none for null.',
  args: { list: arrayPattern(T) },
  returns: T,
  bind: () => (list) => (list ?? []) as readonly SqlValue[],
  examples: [
    ['EXPLODE(ARRAY[1, NULL, 3])', [1, null, 3]],
    ['EXPLODE(CAST(NULL AS ARRAY<INTEGER>))', []],
  ],
})
