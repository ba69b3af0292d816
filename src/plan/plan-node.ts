import { unreachable } from '../base/assert.ts'
import type { DataSource, FormatSpec, SourceKind, TimestampColumn, WindowedKey } from './data-source.ts'
import type { AggregateCall, Expr, TableFunctionCall } from './expression.ts'
import type { Schema } from './schema.ts'
import type { SqlType } from './sql-type.ts'

/**
 * The logical plan: what a query computes, as plain readonly data. Written by `sql` and `dsl`, run by
 * `engine`; it knows neither. Every node has the schema of what it puts out, and says whether that is a
 * stream of rows or a table of changes (`output`). Expressions name columns of the input's schema.
 */
export type PlanNode =
  | SourceNode
  | FilterNode
  | ProjectNode
  | FlatMapNode
  | RekeyNode
  | AggregateNode
  | TableAggregateNode
  | StreamStreamJoinNode
  | StreamTableJoinNode
  | TableTableJoinNode
  | ForeignKeyJoinNode
  | UnionNode
  | LagNode
  | AlertNode

interface NodeBase {
  /** Keys first. */
  readonly schema: Schema
  readonly output: SourceKind
  /** Set where rows carry a window as part of their key. */
  readonly windowed: WindowedKey | null
}

/** Reads a topic from the catalog's description of it. A table's null values are deletions. */
export interface SourceNode extends NodeBase {
  readonly kind: 'source'
  readonly source: DataSource
}

/** Keeps rows for which `predicate` is true. On a table, a key that stops passing becomes a deletion. */
export interface FilterNode extends NodeBase {
  readonly kind: 'filter'
  readonly input: PlanNode
  readonly predicate: Expr
}

/** Computes columns. Key columns of the schema must be plain columns of the input's key: nothing moves. */
export interface ProjectNode extends NodeBase {
  readonly kind: 'project'
  readonly input: PlanNode
  /** One entry per column of `schema`, in its order. */
  readonly columns: readonly Expr[]
}

/** Adds the columns of table functions: each input row becomes as many rows as the longest result. */
export interface FlatMapNode extends NodeBase {
  readonly kind: 'flat-map'
  readonly input: PlanNode
  /** Appended, as value columns, to the input's columns. */
  readonly functions: readonly TableFunctionCall[]
}

/**
 * Gives rows new key columns and sends each to the partition of its new key (PARTITION BY, GROUP BY, and
 * before joins). Streams only. No `keys`: the key is removed, and rows stay where they are.
 */
export interface RekeyNode extends NodeBase {
  readonly kind: 'rekey'
  readonly input: PlanNode
  /** Evaluated on the input, one entry per key column of `schema`. */
  readonly keys: readonly Expr[]
  /** How the value columns of `schema` come from the input, one entry per value column. */
  readonly values: readonly Expr[]
  /** What happens to a row with a null in its new key: dropped before GROUP BY and joins, kept by PARTITION BY. */
  readonly nullKeys: 'drop' | 'keep'
  /** Partitions of the result; null: as many as the input. */
  readonly partitions: number | null
}

export type WindowSpec =
  | {
      readonly type: 'TUMBLING'
      readonly sizeMs: number
      readonly graceMs: number
      readonly retentionMs: number
    }
  | {
      readonly type: 'HOPPING'
      readonly sizeMs: number
      readonly advanceMs: number
      readonly graceMs: number
      readonly retentionMs: number
    }
  | {
      readonly type: 'SESSION'
      readonly gapMs: number
      readonly graceMs: number
      readonly retentionMs: number
    }

/** GROUP BY over a stream whose key columns are already the group columns. Schema: keys, then one column per aggregate. */
export interface AggregateNode extends NodeBase {
  readonly kind: 'aggregate'
  readonly input: PlanNode
  readonly aggregates: readonly AggregateCall[]
  readonly window: WindowSpec | null
  /** `final`: one row per key and window, when the window closes. */
  readonly emit: 'changes' | 'final'
}

/** GROUP BY over a table: the old row is undone in its old group, the new one added to its new group. */
export interface TableAggregateNode extends NodeBase {
  readonly kind: 'table-aggregate'
  readonly input: PlanNode
  /** Evaluated on the input; one entry per key column of `schema`. */
  readonly groupBy: readonly Expr[]
  readonly aggregates: readonly AggregateCall[]
}

export type JoinType = 'INNER' | 'LEFT' | 'RIGHT' | 'FULL'

/**
 * Joins match rows of equal key (both inputs are keyed by the join columns and co-partitioned). Their
 * schema: one key (the join key), then all value columns of the left, then of the right; names are
 * already distinct. Where the result's key column is to be readable under either side's name, a
 * projection around the join does that.
 */
export interface StreamStreamJoinNode extends NodeBase {
  readonly kind: 'stream-stream-join'
  readonly join: JoinType
  readonly left: PlanNode
  readonly right: PlanNode
  /** A right row at r matches a left row at l when l − beforeMs ≤ r ≤ l + afterMs. */
  readonly beforeMs: number
  readonly afterMs: number
  /** null: none given; unmatched rows of outer joins are emitted at once, grace is 24 h. */
  readonly graceMs: number | null
}

export interface StreamTableJoinNode extends NodeBase {
  readonly kind: 'stream-table-join'
  readonly join: 'INNER' | 'LEFT'
  readonly left: PlanNode
  readonly right: PlanNode
}

export interface TableTableJoinNode extends NodeBase {
  readonly kind: 'table-table-join'
  readonly join: JoinType
  readonly left: PlanNode
  readonly right: PlanNode
}

/** Keyed as the left table; `foreignKey` is evaluated on the left row and matched with the right's primary key. */
export interface ForeignKeyJoinNode extends NodeBase {
  readonly kind: 'foreign-key-join'
  readonly join: 'INNER' | 'LEFT'
  readonly left: PlanNode
  readonly right: PlanNode
  readonly foreignKey: Expr
}

/** The rows of several streams of one schema, merged by time; at one time, the earlier input's come first. */
export interface UnionNode extends NodeBase {
  readonly kind: 'union'
  readonly inputs: readonly PlanNode[]
}

/** Adds values of earlier rows of the same key, in the order in which rows come. A stream with a key. */
export interface LagNode extends NodeBase {
  readonly kind: 'lag'
  readonly input: PlanNode
  /** Appended, as value columns, to the input's columns. */
  readonly calls: readonly LagCall[]
}

/** `arg` as it was `rows` rows before (1: the row before); null where there are no so many. */
export interface LagCall {
  readonly arg: Expr
  readonly rows: number
  readonly name: string
  readonly type: SqlType
}

/**
 * Follows one alert instance per key over a table (or stream) of conditions. A row present (or a stream
 * row arriving) means the condition holds for its key; a deletion, or a closed window without a row,
 * means it does not. Output: a stream of alert events, see {@link ALERT_EVENT_COLUMNS}.
 */
export interface AlertNode extends NodeBase {
  readonly kind: 'alert'
  /** Rows of the query without its HAVING/WHERE condition where a RESOLVE WHEN or a condition must see all rows. */
  readonly input: PlanNode
  readonly name: string
  /** Whether the alert's condition holds for a row of the input. */
  readonly condition: Expr
  /** How long the condition must hold, in event time, before the alert fires. */
  readonly forMs: number
  readonly keepFiringForMs: number
  /** Evaluated on the input's row while firing; null: resolves when the condition ceases. */
  readonly resolveWhen: Expr | null
  readonly noData: { readonly afterMs: number; readonly then: 'FIRE' | 'KEEP' | 'RESOLVE' } | null
  readonly severity: string | null
}

/** Children of a node, in the order in which they are read. */
export function inputsOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'source':
      return []
    case 'filter':
    case 'project':
    case 'flat-map':
    case 'lag':
    case 'rekey':
    case 'aggregate':
    case 'table-aggregate':
    case 'alert':
      return [node.input]
    case 'stream-stream-join':
    case 'stream-table-join':
    case 'table-table-join':
    case 'foreign-key-join':
      return [node.left, node.right]
    case 'union':
      return node.inputs
    default:
      return unreachable(node)
  }
}

/** Where a persistent query writes. */
export interface SinkSpec {
  readonly topic: string
  readonly kind: SourceKind
  readonly schema: Schema
  readonly keyFormat: FormatSpec
  readonly valueFormat: FormatSpec
  readonly windowedKey: WindowedKey | null
  readonly timestamp: TimestampColumn | null
}

/** A whole query. `sink` null: its rows go to subscribers only. */
export interface QueryPlan {
  readonly version: 1
  readonly root: PlanNode
  readonly sink: SinkSpec | null
  /** Ends a push query after so many rows. */
  readonly limit: number | null
}
