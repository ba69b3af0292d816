import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { MillraceError, SqlError } from '../base/errors.ts'
import { compileOverRow, type CompileContext } from '../engine/compile/cursor.ts'
import { ByteWriter } from '../formats/byte-writer.ts'
import type { Format } from '../formats/format.ts'
import type { ProducerRecord } from '../log/log.ts'
import type { InsertedRow, InsertValues } from '../plan/command.ts'
import type { DataSource, FormatName, FormatSpec } from '../plan/data-source.ts'
import { keyColumns, valueColumns, type Column } from '../plan/schema.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'

/**
 * The records an INSERT … VALUES appends, one per row.
 *
 * @throws SqlError when a value of any row cannot be computed or written
 */
export function recordsToInsert(
  command: InsertValues,
  context: CompileContext,
  formatOf: (name: FormatName) => Format | undefined,
  clock: Clock,
): readonly ProducerRecord[] {
  const { into, rows } = command
  return rows.map((row) => recordToInsert(into, row, context, formatOf, clock))
}

/**
 * The record an INSERT … VALUES appends. A value row is always written: nulls in all columns are a row,
 * not a deletion.
 *
 * @throws SqlError when a value cannot be computed or written
 */
function recordToInsert(
  into: DataSource,
  { values, rowtime }: InsertedRow,
  context: CompileContext,
  formatOf: (name: FormatName) => Format | undefined,
  clock: Clock,
): ProducerRecord {
  const evaluate = (what: string, compute: () => SqlValue): SqlValue => {
    try {
      return compute()
    } catch (cause) {
      throw refused(into, `${what} cannot be computed: ${reasonOf(cause)}`, cause)
    }
  }
  const nowMs = clock.nowMs()
  const noSchema = { columns: [] }
  const row = values.map((expr, i) =>
    evaluate(`the value of ${into.schema.columns[i]?.name ?? i}`, () =>
      compileOverRow(expr, noSchema, context)([], { timestampMs: nowMs }),
    ),
  )
  const time =
    rowtime === null
      ? nowMs
      : evaluate('ROWTIME', () => compileOverRow(rowtime, noSchema, context)([], { timestampMs: nowMs }))
  if (typeof time !== 'number' || time < 0) {
    throw refused(
      into,
      'ROWTIME has to be a whole number of milliseconds since 1970, not negative',
      undefined,
    )
  }
  const roleOf = (role: 'key' | 'value'): Row => row.filter((_, i) => into.schema.columns[i]!.role === role)
  const encoded = (
    side: 'key' | 'value',
    columns: readonly Column[],
    spec: FormatSpec,
    part: Row,
  ): Uint8Array | null => {
    if (columns.length === 0) return null
    if (side === 'key' && part.every((value) => value === null)) return null
    try {
      return encodeRow(side, columns, spec, part, formatOf)
    } catch (cause) {
      throw refused(into, `the ${side} cannot be written: ${reasonOf(cause)}`, cause)
    }
  }
  const key = encoded('key', keyColumns(into.schema), into.keyFormat, roleOf('key'))
  if (key === null && into.kind === 'table') throw refused(into, 'its primary key is null', undefined)
  return {
    topic: into.topic,
    key,
    value: encoded('value', valueColumns(into.schema), into.valueFormat, roleOf('value')),
    timestampMs: time,
  }
}

/** One side of a record; null for null bytes. @throws QueryError for a value the format can't hold */
export function encodeRow(
  side: 'key' | 'value',
  columns: readonly Column[],
  spec: FormatSpec,
  row: Row,
  formatOf: (name: FormatName) => Format | undefined,
): Uint8Array | null {
  const format = formatOf(spec.name)
  assert(format, 'the format of a declared source exists')
  const writer = new ByteWriter(256)
  return format.encoder(side, columns, spec).encodeRow(row, writer) ? writer.take() : null
}

function refused(into: DataSource, why: string, cause: unknown): SqlError {
  return new SqlError('SQL_INSERT_REFUSED', {
    message: `Nothing was inserted into ${into.name}: ${why}.`,
    cause,
    stage: 'execute',
  })
}

function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  return cause instanceof MillraceError || text !== '' ? text.replace(/\.$/, '') : 'unknown reason'
}
