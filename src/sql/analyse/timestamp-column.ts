import { SqlError } from '../../base/errors.ts'
import { parseTimestampPattern } from '../../functions/java-date-pattern.ts'
import type { TimestampColumn } from '../../plan/data-source.ts'
import { findColumn, type Schema } from '../../plan/schema.ts'
import { printType } from '../../plan/sql-type.ts'
import { didYouMean } from './nearest-name.ts'
import type { Properties } from './properties.ts'

/** The column WITH names as event time, checked; null: the record's own time. */
export function timestampColumn(properties: Properties, schema: Schema): TimestampColumn | null {
  const written = properties.text('TIMESTAMP')
  const pattern = properties.text('TIMESTAMP_FORMAT') ?? null
  if (written === undefined) {
    if (pattern === null) return null
    throw new SqlError('SQL_TIMESTAMP_FORMAT', {
      message: 'TIMESTAMP_FORMAT without TIMESTAMP has no meaning.',
      at: properties.place('TIMESTAMP_FORMAT'),
    })
  }
  const name = columnName(written)
  const column = findColumn(schema, name)
  if (column === undefined) {
    throw new SqlError('SQL_UNKNOWN_COLUMN', {
      message: `The TIMESTAMP column ${written} does not exist.`,
      at: properties.place('TIMESTAMP'),
      hint: didYouMean(
        name,
        schema.columns.map((c) => c.name),
      ),
    })
  }
  const kind = column.type.kind
  if (kind === 'STRING') {
    if (pattern !== null) {
      checkPattern(pattern, properties)
      return { column: name, pattern }
    }
    throw new SqlError('SQL_TIMESTAMP_FORMAT', {
      message: `The TIMESTAMP column ${name} is a STRING and needs a TIMESTAMP_FORMAT.`,
      at: properties.place('TIMESTAMP'),
      hint: "Add TIMESTAMP_FORMAT = 'yyyy-MM-dd''T''HH:mm:ssX', or the pattern that fits.",
    })
  }
  if (kind !== 'BIGINT' && kind !== 'TIMESTAMP') {
    throw new SqlError('SQL_TIMESTAMP_TYPE', {
      message: `The TIMESTAMP column ${name} must be BIGINT, TIMESTAMP or STRING, not ${printType(column.type)}.`,
      at: properties.place('TIMESTAMP'),
    })
  }
  if (pattern !== null) {
    throw new SqlError('SQL_TIMESTAMP_FORMAT', {
      message: `TIMESTAMP_FORMAT is for STRING columns, but ${name} is ${printType(column.type)}.`,
      at: properties.place('TIMESTAMP_FORMAT'),
    })
  }
  return { column: name, pattern: null }
}

/** A wrong pattern would read no record at all: it is refused before there is a source. */
function checkPattern(pattern: string, properties: Properties): void {
  try {
    parseTimestampPattern(pattern)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new SqlError('SQL_TIMESTAMP_FORMAT', {
      message: error.message,
      at: properties.valuePlace('TIMESTAMP_FORMAT'),
      hint: "Patterns are those of Java's DateTimeFormatter, with other letters in doubled quotes: 'yyyy-MM-dd''T''HH:mm:ss'.",
      cause: error,
    })
  }
}

/** A name inside a text: upper case unless in back quotes or double quotes. */
function columnName(text: string): string {
  const trimmed = text.trim()
  const quote = trimmed[0]
  if ((quote === '`' || quote === '"') && trimmed.endsWith(quote) && trimmed.length > 1) {
    return trimmed.slice(1, -1).replaceAll(quote + quote, quote)
  }
  return trimmed.toUpperCase()
}
