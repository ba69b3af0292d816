import type { QueryPlan } from '../plan/plan-node.ts'
import type { Batch } from './batch.ts'

/** A persistent query as a worker is told to run it. */
export interface QuerySpec {
  readonly id: string
  readonly plan: QueryPlan
  readonly reset: 'earliest' | 'latest'
  /** When its inputs have been silent this long, wall-clock time counts as event time; null: never. */
  readonly idleMs: number | null
  /** Settings in force when it was made, by full name; absent: the worker's. */
  readonly settings?: ReadonlyMap<string, string>
  /** Starts without reading, until it is resumed. */
  readonly paused?: boolean
  /** Result batches, as their cycle commits. */
  readonly onResult?: (batch: Batch) => void
}

/** Under which consumer group a query's offsets are committed. */
export function offsetsGroup(queryId: string): string {
  return `_millrace-query-${queryId}`
}
