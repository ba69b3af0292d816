import type { Clock } from '../base/clock.ts'
import type { FunctionContext, FunctionRegistry } from '../functions/function.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'
import type { Expr } from '../plan/expression.ts'
import type { Schema } from '../plan/schema.ts'
import type { StoreKey, TaskStores } from '../state/store.ts'
import type { Batch } from './batch.ts'

/**
 * A stateful step of one task: aggregation, join, alert. Single-threaded, deterministic: its output
 * depends only on the batches it was given, in their order, and on state.
 *
 * The task calls, for each batch, `prepare` (and awaits it), then `process`; and, before each commit,
 * `flush`. Output goes to `context.emit`, in processing order. Whatever the batching, the same rows in
 * the same order give the same last value per key; with `context.cache` off also the same rows out.
 */
export interface Operator {
  /** Loads from cold stores what `process` will need; undefined when nothing is to be waited for. */
  prepare(input: number, batch: Batch): Promise<void> | undefined
  /** `input` is 0, or for joins 0 (left) and 1 (right). */
  process(input: number, batch: Batch): void
  /** Several inputs with data at once: merged by (timestamp, input, offset) in the operator's own loop. Absent: not a join. */
  processMerged?(batches: readonly (Batch | null)[]): void
  /** Emits what the cache still holds back. Called at the end of every cycle, in topological order. */
  flush(): void
  /**
   * Event time moves on to `streamTimeMs` without a record: an idle source, the end of an input file.
   * Emits what closes by it. Loading included.
   */
  advance(streamTimeMs: number): Promise<void>
  /** The event time at which this operator next has something to do by itself (a window closing, a timer), or null. */
  nextTimerMs(): number | null
  /**
   * The committed rows of a table operator's output, for pull queries: batches in the schema of its output,
   * by partition-local key order (windows ascending within a key). Absent where there is nothing to ask.
   */
  readCommitted?(range: ReadRange): AsyncIterable<Batch>
}

/** What a pull query reads of a store. Bounds on window starts are inclusive, epoch ms. */
export interface ReadRange {
  /** Exactly these keys; or null: all keys in [from, to), null being an open end. */
  readonly keys: readonly StoreKey[] | null
  readonly from: StoreKey | null
  readonly to: StoreKey | null
  readonly startFromMs: number
  readonly startToMs: number
}

/** What a row that counts for nothing is counted under. Shown per query. */
export type DropReason =
  | 'late'
  | 'null-key'
  | 'null-value'
  | 'expired'
  | 'bad-timestamp'
  | 'too-large'
  /** Records of an input that were removed before the query read them. */
  | 'expired-unread'

export interface OperatorContext {
  readonly stores: TaskStores
  readonly partition: number
  readonly functions: FunctionRegistry
  readonly functionContext: FunctionContext
  readonly clock: Clock
  /** Whether updates of one key within a cycle may be merged (off in the test driver). */
  readonly cache: boolean
  /** Where ksqlDB's behaviour is kept although ours differs on purpose (see docs/compatibility.md). */
  readonly compatibility: boolean
  /** Whether somebody downstream looks at the rows that changes replace. */
  readonly oldRows: boolean
  /** The node's own output. */
  readonly emit: (batch: Batch) => void
  /** Counts and samples a dropped row. Never silently drop. */
  readonly drop: (reason: DropReason, batch: Batch, row: number, detail?: string) => void
  /** Counts and samples an expression error of a row that goes on with null. */
  readonly expressionError: (batch: Batch, row: number, error: unknown) => void
  /** A compiled expression over rows of `schema`: values by column, pseudo columns through `at`. */
  readonly compileRow: (expr: Expr, schema: Schema) => RowExpression
  /** The same, over a batch's row. Errors are reported and give null. */
  readonly compileBatch: (expr: Expr, schema: Schema) => (batch: Batch, row: number) => SqlValue
}

/** Pseudo columns of a row given by value. */
export interface RowPlace {
  readonly timestampMs: number
  readonly windowStartMs?: number
  readonly windowEndMs?: number
}

/** @throws whatever the expression throws */
export type RowExpression = (row: Row, place: RowPlace) => SqlValue
