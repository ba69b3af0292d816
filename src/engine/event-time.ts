import { NotSupportedError, RecordError } from '../base/errors.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'

/**
 * How event time (epoch ms) is read from the column a source's TIMESTAMP property names: BIGINT and
 * TIMESTAMP columns hold it, STRING columns spell it by a Java date-time pattern, in UTC unless it says.
 */
export function timestampReader(type: SqlType, pattern: string | null): (value: SqlValue) => number {
  if (type.kind === 'STRING') {
    throw new NotSupportedError(`TIMESTAMP_FORMAT '${pattern}'`)
  }
  return (value) => {
    if (typeof value === 'bigint')
      throw new RecordError('RECORD_BAD_TIMESTAMP', { message: `Event time ${value} is out of range.` })
    return value as number
  }
}
