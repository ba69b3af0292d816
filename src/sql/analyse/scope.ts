import type { Position } from '../../base/errors.ts'
import type { SqlType } from '../../plan/sql-type.ts'
import type { ColumnReference } from '../ast.ts'

/** A column as expressions see it. */
export interface ScopeColumn {
  /** Its name in the plan's schemas. */
  readonly name: string
  readonly type: SqlType
}

/** What names mean at one place of a query. */
export interface Scope {
  /**
   * The column a reference means.
   *
   * @throws SqlError `SQL_UNKNOWN_COLUMN`, `SQL_AMBIGUOUS_COLUMN`, `SQL_UNKNOWN_ALIAS`
   */
  resolve(reference: ColumnReference): ScopeColumn
  /** Whether an unqualified name is a column here, so that lambda parameters cannot hide it. */
  has(name: string): boolean
}

/** A reference's text, for messages. */
export function referenceText(reference: ColumnReference): string {
  return reference.source === null ? reference.name.text : `${reference.source.text}.${reference.name.text}`
}

/** A scope without columns: values of INSERT, settings. `what` names the place in errors. */
export function emptyScope(refuse: (reference: ColumnReference, at: Position) => never): Scope {
  return { resolve: (reference) => refuse(reference, reference.at), has: () => false }
}
