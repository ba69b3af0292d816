import { SqlError } from '../base/errors.ts'
import type { Batch } from '../engine/batch.ts'
import { compileOverBatch, type CompileContext } from '../engine/compile/cursor.ts'
import type { ReadRange } from '../engine/operator.ts'
import type { PullAccess, PullQuery } from '../plan/command.ts'
import type { DataSource } from '../plan/data-source.ts'
import { keyColumns } from '../plan/schema.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'
import { KeyCodec } from '../state/key-codec.ts'
import type { Catalog, QueryDefinition } from './catalog.ts'

/**
 * The query whose state holds the rows of a table.
 *
 * @throws SqlError when there is none: the table is only declared over a topic
 */
export function materialisingQuery(table: DataSource, catalog: Catalog): QueryDefinition {
  const query = catalog
    .queries()
    .find((q) => q.id === table.createdBy || (q.kind === 'source-table' && q.reads.includes(table.name)))
  if (query !== undefined) return query
  throw new SqlError('SQL_NOT_MATERIALISED', {
    message: `The table ${table.name} keeps no rows to ask for: it is only declared over the topic ${table.topic}.`,
    hint: `Declare it with CREATE SOURCE TABLE, or make one: CREATE TABLE … AS SELECT * FROM ${table.name};`,
    stage: 'execute',
  })
}

/** All rows of a table's state. */
export const EVERYTHING: ReadRange = {
  keys: null,
  from: null,
  to: null,
  startFromMs: -Infinity,
  startToMs: Infinity,
}

/** What of a table's state can hold rows of the answer; the whole WHERE is applied to it afterwards. */
export function readRangeFor(source: DataSource, access: PullAccess): ReadRange {
  const codec = new KeyCodec(keyColumns(source.schema).map((c) => c.type))
  switch (access.kind) {
    case 'keys':
      return {
        ...EVERYTHING,
        ...windowBounds(access.window),
        keys: [...new Set(access.keys.filter((key) => !key.includes(null)).map((key) => codec.encode(key)))],
      }
    case 'range': {
      const bound = (value: SqlValue, after: boolean): string | null =>
        value === null ? null : codec.encode([value]) + (after ? '\0' : '')
      return {
        ...EVERYTHING,
        from: bound(access.from, !access.fromInclusive),
        to: bound(access.to, access.toInclusive),
      }
    }
    case 'scan':
      return { ...EVERYTHING, ...windowBounds(access.window) }
  }
}

function windowBounds(
  window: Extract<PullAccess, { kind: 'scan' }>['window'],
): Pick<ReadRange, 'startFromMs' | 'startToMs'> {
  return { startFromMs: window?.startFromMs ?? -Infinity, startToMs: window?.startToMs ?? Infinity }
}

/** The answer to a pull query from batches that hold all rows that may count, in the order of the answer. */
export async function pullRows(
  query: PullQuery,
  batches: AsyncIterable<Batch>,
  context: CompileContext,
): Promise<readonly Row[]> {
  const { schema } = query.source
  const ignoreNested = (): void => {}
  const where = query.where === null ? null : compileOverBatch(query.where, schema, context, ignoreNested)
  const columns = query.columns.map((expr) => compileOverBatch(expr, schema, context, ignoreNested))
  const rows: Row[] = []
  const limit = query.limit ?? Infinity
  if (limit === 0) return rows
  for await (const batch of batches) {
    for (let n = 0; n < batch.size; n++) {
      const at = batch.position(n)
      if (where !== null && valueOf(where, batch, at) !== true) continue
      rows.push(columns.map((column) => valueOf(column, batch, at)))
      if (rows.length >= limit) return rows
    }
  }
  return rows
}

/** A failing expression is null, as in any query. */
function valueOf(expression: (batch: Batch, row: number) => SqlValue, batch: Batch, row: number): SqlValue {
  try {
    return expression(batch, row)
  } catch {
    return null
  }
}
