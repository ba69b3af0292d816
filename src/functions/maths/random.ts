import { DOUBLE } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const random = scalarFunction({
  name: 'RANDOM',
  category: 'mathematics',
  summary: 'A random number from 0 up to but not including 1, another one for each row.',
  args: {},
  returns: DOUBLE,
  bind: (_args, _returns, context) => () => context.random.next(),
  examples: [['RANDOM() * 0E0', 0]],
})
