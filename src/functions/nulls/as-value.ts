import type { SqlValue } from '../../plan/sql-value.ts'
import { scalarFunction } from '../scalar-function.ts'
import { typeVariable } from '../type-pattern.ts'

const T = typeVariable('T')

export const asValue = scalarFunction({
  name: 'AS_VALUE',
  category: 'other',
  summary: 'The argument itself: copies a key column into the value.',
  args: { key: T },
  returns: T,
  body: (key: SqlValue) => key,
  examples: [["AS_VALUE('a')", 'a']],
})
