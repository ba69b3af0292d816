import { SqlError } from '../base/errors.ts'
import type { Batch } from '../engine/batch.ts'
import { AggregateFunctions, type GroupState } from '../engine/operators/aggregate-functions.ts'
import { compileOverBatch, compileOverRow, type CompileContext } from '../engine/compile/cursor.ts'
import type { ReadRange } from '../engine/operator.ts'
import { compareFunction } from '../functions/comparison.ts'
import type { PullAccess, PullGrouping, PullOrder, PullQuery } from '../plan/command.ts'
import type { DataSource } from '../plan/data-source.ts'
import type { Expr } from '../plan/expression.ts'
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

/**
 * The answer to a pull query from batches that hold all rows that may count, in the order of the answer.
 *
 * @throws QueryError where an aggregate fails
 */
export async function pullRows(
  query: PullQuery,
  batches: AsyncIterable<Batch>,
  context: CompileContext,
): Promise<readonly Row[]> {
  if (query.limit === 0) return []
  const { schema } = query.source
  const ignoreNested = (): void => {}
  const over = (expr: Expr): RowExpressionOverBatch => {
    const compiled = compileOverBatch(expr, schema, context, ignoreNested)
    return (batch, at) => orNull(() => compiled(batch, at))
  }
  const where = query.where === null ? null : over(query.where)
  const answer = new Answer(query)
  const groups = query.grouping === null ? null : new Groups(query.grouping, over, context)
  const columns = groups === null ? query.columns.map(over) : []
  const order = groups === null ? query.orderBy.map((o) => over(o.expr)) : []
  for await (const batch of batches) {
    for (let n = 0; n < batch.size; n++) {
      const at = batch.position(n)
      if (where !== null && where(batch, at) !== true) continue
      if (groups !== null) {
        groups.add(batch, at)
        continue
      }
      answer.add(
        columns.map((column) => column(batch, at)),
        order.map((key) => key(batch, at)),
      )
      if (answer.isComplete) return answer.rows()
    }
  }
  if (groups !== null && query.grouping !== null) {
    const overGroup = (expr: Expr): ((row: Row) => SqlValue) => {
      const compiled = compileOverRow(expr, query.grouping!.schema, context)
      return (row) => orNull(() => compiled(row, { timestampMs: 0 }))
    }
    const having = query.grouping.having === null ? null : overGroup(query.grouping.having)
    const shown = query.columns.map(overGroup)
    const keys = query.orderBy.map((o) => overGroup(o.expr))
    for (const row of groups.rows()) {
      if (having !== null && having(row) !== true) continue
      answer.add(
        shown.map((column) => column(row)),
        keys.map((key) => key(row)),
      )
      if (answer.isComplete) break
    }
  }
  return answer.rows()
}

type RowExpressionOverBatch = (batch: Batch, row: number) => SqlValue

/** A failing expression is null, as in any query. */
function orNull(compute: () => SqlValue): SqlValue {
  try {
    return compute()
  } catch {
    return null
  }
}

/** Rows of an answer, each with what it is ordered by; no more of them than the answer can need. */
class Answer {
  readonly #offset: number
  /** Rows up to the end of the answer, those of the offset included. */
  readonly #needed: number
  readonly #compare: ((a: Candidate, b: Candidate) => number) | null
  #candidates: Candidate[] = []

  constructor({ orderBy, limit, offset }: PullQuery) {
    this.#offset = offset
    this.#needed = limit === null ? Infinity : offset + limit
    const compares = orderBy.map(compareBy)
    this.#compare =
      orderBy.length === 0
        ? null
        : (a, b) => {
            for (let i = 0; i < compares.length; i++) {
              const order = compares[i]!(a.order[i]!, b.order[i]!)
              if (order !== 0) return order
            }
            return 0
          }
  }

  /** Whether further rows can't change anything. */
  get isComplete(): boolean {
    return this.#compare === null && this.#candidates.length >= this.#needed
  }

  add(row: Row, order: Row): void {
    this.#candidates.push({ row, order })
    if (this.#candidates.length > 2 * this.#needed + SORT_AT_LEAST) this.#sort()
  }

  rows(): readonly Row[] {
    this.#sort()
    return this.#candidates.slice(this.#offset).map((c) => c.row)
  }

  #sort(): void {
    if (this.#compare !== null) this.#candidates.sort(this.#compare)
    if (this.#candidates.length > this.#needed) this.#candidates.length = this.#needed
  }
}

interface Candidate {
  readonly row: Row
  readonly order: Row
}

/** Few rows are not worth sorting in between. */
const SORT_AT_LEAST = 1000

function compareBy({ expr, descending, nullsFirst }: PullOrder): (a: SqlValue, b: SqlValue) => number {
  const compare = compareFunction(expr.type)
  return (a, b) => {
    if (a === null || b === null) return a === b ? 0 : (a === null) === nullsFirst ? -1 : 1
    return descending ? compare(b, a) : compare(a, b)
  }
}

/** The groups of a pull query, in order of appearance. */
class Groups {
  readonly #keys: readonly RowExpressionOverBatch[]
  readonly #arguments: readonly (readonly RowExpressionOverBatch[])[]
  readonly #codec: KeyCodec
  readonly #functions: AggregateFunctions
  readonly #groups = new Map<string, { readonly key: Row; state: GroupState | undefined }>()

  constructor(
    { keys, aggregates, everything }: PullGrouping,
    over: (expr: Expr) => RowExpressionOverBatch,
    context: CompileContext,
  ) {
    this.#keys = keys.map(over)
    this.#arguments = aggregates.map((call) => call.args.map(over))
    this.#codec = new KeyCodec(keys.map((k) => k.type))
    this.#functions = new AggregateFunctions(aggregates, context)
    // The one key is a constant then.
    if (everything) this.#groups.set(this.#codec.encode([0]), { key: [0], state: undefined })
  }

  add(batch: Batch, at: number): void {
    const key = this.#keys.map((k) => k(batch, at))
    if (key.includes(null)) return
    const encoded = this.#codec.encode(key)
    let group = this.#groups.get(encoded)
    if (group === undefined) this.#groups.set(encoded, (group = { key, state: undefined }))
    const args = this.#arguments.map((of) => of.map((arg) => arg(batch, at)))
    group.state = this.#functions.add(group.state, batch.timestamps[at]!, args)
  }

  /** Key columns, then results. */
  *rows(): Iterable<Row> {
    for (const { key, state } of this.#groups.values()) {
      yield [...key, ...this.#functions.results(state ?? this.#functions.empty())]
    }
  }
}
