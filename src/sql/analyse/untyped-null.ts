import type { Expr, Lambda, Literal } from '../../plan/expression.ts'
import { STRING, type SqlType } from '../../plan/sql-type.ts'

/** The type of a NULL before it is placed; compared by identity, never part of a finished plan. */
const NULL_TYPE: SqlType = { kind: 'STRING' }

/** A NULL as written: fits every place and takes the type of its place. */
export const UNTYPED_NULL: Literal = { kind: 'literal', value: null, type: NULL_TYPE }

export function isUntypedNull(expr: Expr | Lambda): boolean {
  return expr.kind === 'literal' && expr.type === NULL_TYPE
}

/** The type of an expression, null for an untyped NULL. */
export function typeOf(expr: Expr): SqlType | null {
  return expr.type === NULL_TYPE ? null : expr.type
}

/** What a NULL is where nothing says more, as in a SELECT list. */
export function settleNull(expr: Expr): Expr {
  return isUntypedNull(expr) ? { kind: 'literal', value: null, type: STRING } : expr
}
