import type { AggregateFunction } from './aggregate-function.ts'
import type { ScalarFunction } from './scalar-function.ts'
import type { TableFunction } from './table-function.ts'

type Declaration = ScalarFunction | AggregateFunction | TableFunction

/* Every exported declaration of these files is a function of the dialect. */
const rooms: readonly object[] = []

/** All built-in functions. */
export const library: readonly Declaration[] = rooms.flatMap((room) =>
  Object.values(room).filter(
    (exported): exported is Declaration =>
      typeof exported === 'object' && exported !== null && 'overloads' in exported,
  ),
)
