import Big from 'big.js'

import type { Expr } from '../../plan/expression.ts'
import { isNumeric, sameType, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import { isUntypedNull } from './untyped-null.ts'

/** The expression as a value of `type`: unchanged, a converted literal, or a cast. The pair must be castable. */
export function coerce(expr: Expr, type: SqlType): Expr {
  if (isUntypedNull(expr)) return { kind: 'literal', value: null, type }
  if (sameType(expr.type, type)) return expr
  if (expr.kind === 'literal') {
    const widened = widenLiteral(expr.value, expr.type, type)
    if (widened !== undefined) return { kind: 'literal', value: widened, type }
  }
  return { kind: 'cast', operand: expr, type }
}

/** A literal number in a wider type, or undefined where the conversion is not a plain widening. */
function widenLiteral(value: SqlValue, from: SqlType, to: SqlType): null | number | bigint | Big | undefined {
  if (value === null) return null
  if (!isNumeric(from) || !isNumeric(to)) return undefined
  if (to.kind === 'BIGINT' && from.kind === 'INTEGER' && typeof value === 'number') return value
  if (to.kind === 'DOUBLE') {
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value)
    if (value instanceof Big) return Number(value.toFixed())
  }
  if (
    to.kind === 'DECIMAL' &&
    (from.kind === 'INTEGER' || from.kind === 'BIGINT' || from.kind === 'DECIMAL')
  ) {
    const isWhole = typeof value === 'number' || typeof value === 'bigint'
    const exact = value instanceof Big ? value : isWhole ? new Big(value.toString()) : null
    if (exact !== null && fits(exact, to.precision, to.scale)) return exact
  }
  return undefined
}

function fits(value: Big, precision: number, scale: number): boolean {
  return value.round(scale, Big.roundDown).eq(value) && value.abs().lt(new Big(10).pow(precision - scale))
}
