import { DateTime } from 'luxon'

import { SqlError } from '../../base/errors.ts'
import type { StringLiteral } from '../ast.ts'

const DATE_TEXT =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:T(\d{2})?(?::(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?)?)?(Z|[+-]\d{2}:?\d{2})?$/

/**
 * Epoch milliseconds of a time written as text next to ROWTIME, WINDOWSTART or WINDOWEND: ISO, partial
 * text filled up with the start of the period, UTC unless an offset is given.
 */
export function magicTimestampMs(node: StringLiteral): number {
  const match = DATE_TEXT.exec(node.value.trim())
  const time = match === null ? null : instantOf(match)
  if (time !== null) return time
  throw new SqlError('SQL_INVALID_TIMESTAMP', {
    message: `'${node.value}' is not a timestamp.`,
    at: node.at,
    hint: "Write it like '2021-03-20T14:05:00', with an offset such as +01:00 if it isn't UTC.",
  })
}

function instantOf(match: RegExpExecArray): number | null {
  const [, year, month, day, hour, minute, second, fraction, offset] = match
  const zone =
    offset === undefined || offset === 'Z'
      ? 'utc'
      : `UTC${offset.includes(':') ? offset : `${offset.slice(0, 3)}:${offset.slice(3)}`}`
  const time = DateTime.fromObject(
    {
      year: Number(year),
      month: Number(month ?? 1),
      day: Number(day ?? 1),
      hour: Number(hour ?? 0),
      minute: Number(minute ?? 0),
      second: Number(second ?? 0),
      millisecond: Number((fraction ?? '').padEnd(3, '0')),
    },
    { zone },
  )
  return time.isValid ? time.toMillis() : null
}
