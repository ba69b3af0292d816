import type { PlanNode } from '../../plan/plan-node.ts'

/** A key column of a node and the columns that are, to the query, the same. */
export interface KeyColumn {
  /** Its name among the node's key columns. */
  readonly name: string
  /** Names under which a SELECT list may take it: the first that is selected is the key. */
  readonly candidates: readonly string[]
  /** Those of the candidates that equal the key in every row. */
  readonly exact: readonly string[]
  /** How the candidates are written in the query, for errors. */
  readonly written: readonly string[]
}

/** Part of a plan with what later steps must know of its key. */
export interface KeyedNode {
  readonly node: PlanNode
  readonly keys: readonly KeyColumn[]
  /** Partitions of its rows, where known. */
  readonly partitions: number | undefined
  /** The word for the key columns in errors: `key column`, `grouping expression` … */
  readonly keyWord: string
}
