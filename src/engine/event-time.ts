import { RecordError } from '../base/errors.ts'
import { parseTimestampPattern } from '../functions/java-date-pattern.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'

/** The last instant a date has; epoch ms. What is after it can't be told apart from a mistake, nor formatted. */
export const EVENT_TIME_MS_MAX = 8_640_000_000_000_000

/**
 * How event time (epoch ms) is read from the column a source's TIMESTAMP property names: BIGINT and
 * TIMESTAMP columns hold it, STRING columns spell it by a Java date-time pattern, in UTC unless it says.
 *
 * @throws RangeError the pattern is wrong; from the reader RecordError: the value is no event time
 */
export function timestampReader(type: SqlType, pattern: string | null): (value: SqlValue) => number {
  if (type.kind === 'STRING' && pattern !== null) {
    const parse = parseTimestampPattern(pattern)
    return (value) => {
      try {
        return parse(value as string, 'UTC')
      } catch (cause) {
        throw new RecordError('RECORD_BAD_TIMESTAMP', {
          message: `'${value as string}' does not fit the TIMESTAMP_FORMAT '${pattern}'.`,
          cause,
        })
      }
    }
  }
  return (value) => {
    if (typeof value === 'bigint')
      throw new RecordError('RECORD_BAD_TIMESTAMP', { message: `Event time ${value} is out of range.` })
    return value as number
  }
}
