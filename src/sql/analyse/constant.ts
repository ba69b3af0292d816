import { columnsOf } from '../../plan/columns-of.ts'
import type { Expr } from '../../plan/expression.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import type { PrepareContext } from './context.ts'

/** The value of an expression without columns, or undefined where it has some or can't be computed. */
export function constantValue(expr: Expr, context: PrepareContext): { readonly value: SqlValue } | undefined {
  if (expr.kind === 'literal') return { value: expr.value }
  if (columnsOf(expr).size > 0) return undefined
  try {
    return { value: context.evaluate(expr) }
  } catch {
    // What fails is null when a row is judged; it narrows nothing, and the whole condition is applied anyway.
    return undefined
  }
}
