import type { DataSource, FormatSpec } from './data-source.ts'
import type { AggregateCall, Expr } from './expression.ts'
import type { QueryPlan } from './plan-node.ts'
import type { Schema } from './schema.ts'
import type { SqlType } from './sql-type.ts'
import type { Row, SqlValue } from './sql-value.ts'

/**
 * A statement after analysis: what is to be done, with everything resolved. The contract between `sql`
 * (or `dsl`) and `runtime`. Each is made against the catalog as it is when the statement's turn comes.
 */
export type Command =
  | CreateSource
  | CreateQuery
  | InsertSelect
  | InsertValues
  | CreateAlert
  | PushQuery
  | PullQuery
  | AlterSource
  | {
      readonly kind: 'create-type'
      readonly name: string
      readonly type: SqlType
      readonly ifNotExists: boolean
    }
  | { readonly kind: 'drop-type'; readonly name: string; readonly ifExists: boolean }
  | {
      readonly kind: 'drop'
      readonly what: 'stream' | 'table' | 'alert'
      readonly name: string
      readonly ifExists: boolean
      readonly deleteTopic: boolean
    }
  /** `id` null: ALL. */
  | { readonly kind: 'terminate' | 'pause' | 'resume'; readonly id: string | null }
  | { readonly kind: 'explain-query'; readonly id: string }
  | { readonly kind: 'explain-statement'; readonly command: Command }
  | { readonly kind: 'describe'; readonly name: string; readonly extended: boolean }
  | { readonly kind: 'describe-all'; readonly what: 'streams' | 'tables'; readonly extended: boolean }
  | { readonly kind: 'describe-function'; readonly name: string }
  | { readonly kind: 'show'; readonly what: ShowKind; readonly extended: boolean; readonly all: boolean }
  | { readonly kind: 'set'; readonly name: string; readonly value: string }
  | { readonly kind: 'unset'; readonly name: string }
  | {
      readonly kind: 'print'
      readonly topic: string
      readonly fromBeginning: boolean
      readonly interval: number | null
      readonly limit: number | null
    }
  | AssertTopic
  | AssertSchema
  | AssertRow
  /** Nothing is to be done: IF EXISTS found nothing, or what was asserted holds; the sentence says so. */
  | { readonly kind: 'nothing'; readonly message: string }

/** ASSERT [NOT EXISTS] TOPIC: waits until the topic is there, with these properties, or is gone. */
export interface AssertTopic {
  readonly kind: 'assert-topic'
  readonly exists: boolean
  readonly topic: string
  /** null: any. */
  readonly partitions: number | null
  readonly replicas: number | null
  readonly timeoutMs: number
}

/** ASSERT [NOT EXISTS] SCHEMA. At least one of `subject` and `id` is there. */
export interface AssertSchema {
  readonly kind: 'assert-schema'
  readonly exists: boolean
  readonly subject: string | null
  readonly id: number | null
  readonly timeoutMs: number
}

/** ASSERT [NULL] VALUES: the next row of a source that no assertion has taken is this one. */
export interface AssertRow {
  readonly kind: 'assert-row'
  readonly source: DataSource
  /** For a deletion only its key columns count. */
  readonly row: InsertedRow
  readonly isDeletion: boolean
}

export type ShowKind =
  | 'streams'
  | 'tables'
  | 'topics'
  | 'queries'
  | 'functions'
  | 'types'
  | 'properties'
  | 'variables'
  | 'alerts'

/** CREATE STREAM / TABLE with columns. */
export interface CreateSource {
  readonly kind: 'create-source'
  readonly source: DataSource
  /** Set when the topic is to be made; null: it exists. */
  readonly createTopic: {
    readonly partitions: number
    readonly config: Readonly<Record<string, string>>
  } | null
  readonly orReplace: boolean
  /** CREATE SOURCE TABLE: a query that materialises it under this id. */
  readonly materialise: { readonly queryId: string; readonly plan: QueryPlan } | null
}

/** CREATE STREAM / TABLE … AS SELECT. */
export interface CreateQuery {
  readonly kind: 'create-query'
  readonly queryId: string
  readonly source: DataSource
  readonly plan: QueryPlan
  readonly createTopic: {
    readonly partitions: number
    readonly config: Readonly<Record<string, string>>
  } | null
  readonly orReplace: boolean
}

export interface InsertSelect {
  readonly kind: 'insert-select'
  readonly queryId: string
  readonly into: string
  readonly plan: QueryPlan
  readonly statement: string
}

export interface InsertValues {
  readonly kind: 'insert-values'
  readonly into: DataSource
  /** Appended in one commit, or none of them. */
  readonly rows: readonly InsertedRow[]
}

export interface InsertedRow {
  /** One value per column of the source's schema: evaluated when executed (they may call UNIX_TIMESTAMP()). */
  readonly values: readonly Expr[]
  /** null: now. */
  readonly rowtime: Expr | null
}

/** An alert: a query whose events go to a stream and whose state is a table, both with this name in them. */
export interface CreateAlert {
  readonly kind: 'create-alert'
  readonly name: string
  readonly queryId: string
  readonly plan: QueryPlan
  /** The stream of its events. */
  readonly events: DataSource
  readonly orReplace: boolean
  readonly statement: string
}

export interface AlterSource {
  readonly kind: 'alter-source'
  readonly source: DataSource
}

export interface PushQuery {
  readonly kind: 'push-query'
  /**
   * Names of the result's columns in the order of the SELECT list. The plan's schema has the same columns
   * keys first, and may have key columns that were not selected, which tell rows of a table apart.
   */
  readonly columns: readonly string[]
  readonly plan: QueryPlan
  readonly statement: string
}

/**
 * A question about the state of a table, or a read of a stream's topic up to its present end: WHERE, then
 * grouping with HAVING, ORDER BY, OFFSET, LIMIT.
 */
export interface PullQuery {
  readonly kind: 'pull-query'
  readonly source: DataSource
  /** What computes the rows of `source`, where that is a sub-query: from all there is, for this answer only. */
  readonly derived: QueryPlan | null
  /** Columns of the answer, in order; names as shown. */
  readonly schema: Schema
  /** One per column of `schema`: over the source's schema and pseudo columns, or over that of the groups. */
  readonly columns: readonly Expr[]
  /** The whole WHERE; null: all rows. Always applied, whatever `access` narrows. */
  readonly where: Expr | null
  readonly access: PullAccess
  /** null: rows are not grouped. */
  readonly grouping: PullGrouping | null
  /** Empty: in no fixed order. */
  readonly orderBy: readonly PullOrder[]
  readonly limit: number | null
  readonly offset: number
}

/** GROUP BY in a pull query. Rows with a null among their keys are in no group, as in any query. */
export interface PullGrouping {
  /** Of the groups: one key column per entry of `keys`, then one column per aggregate. */
  readonly schema: Schema
  /** Over the source. */
  readonly keys: readonly Expr[]
  readonly aggregates: readonly AggregateCall[]
  /** Over `schema`. */
  readonly having: Expr | null
  /** Without GROUP BY there is one group, also of no rows. */
  readonly everything: boolean
}

export interface PullOrder {
  /** Over what `columns` are over. */
  readonly expr: Expr
  readonly descending: boolean
  readonly nullsFirst: boolean
}

export type PullAccess =
  /** Whole keys, one row of key columns each; with bounds on the window's start and end (epoch ms, inclusive) where windowed. */
  | { readonly kind: 'keys'; readonly keys: readonly Row[]; readonly window: PullWindowBounds | null }
  /** A range over the only key column; bounds null where open. */
  | {
      readonly kind: 'range'
      readonly from: SqlValue
      readonly fromInclusive: boolean
      readonly to: SqlValue
      readonly toInclusive: boolean
    }
  | { readonly kind: 'scan'; readonly window: PullWindowBounds | null }

export interface PullWindowBounds {
  readonly startFromMs: number | null
  readonly startToMs: number | null
  readonly endFromMs: number | null
  readonly endToMs: number | null
}

/** Settings as SET gives them, by full name; `ksql.streams.` prefixes are removed. */
export type Settings = ReadonlyMap<string, string>

export type { FormatSpec }
