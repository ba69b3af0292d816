import type { ArithmeticOp } from '../../plan/expression.ts'
import { BIGINT, decimal, DOUBLE, INTEGER, isNumeric, STRING, type SqlType } from '../../plan/sql-type.ts'
import { asDecimal } from './coerce.ts'

/**
 * What the operands of + − * / % are converted to and what comes out, or null where the types have no
 * such operation. DECIMALs keep their own precision and scale.
 */
export function arithmeticType(
  op: ArithmeticOp,
  left: SqlType,
  right: SqlType,
): { readonly left: SqlType; readonly right: SqlType; readonly result: SqlType } | null {
  if (op === '+' && left.kind === 'STRING' && right.kind === 'STRING') {
    return { left: STRING, right: STRING, result: STRING }
  }
  if (!isNumeric(left) || !isNumeric(right)) return null
  if (left.kind === 'DOUBLE' || right.kind === 'DOUBLE')
    return { left: DOUBLE, right: DOUBLE, result: DOUBLE }
  if (left.kind === 'DECIMAL' || right.kind === 'DECIMAL') {
    const x = asDecimal(left)!
    const y = asDecimal(right)!
    return {
      left: decimal(x.precision, x.scale),
      right: decimal(y.precision, y.scale),
      result: decimalResult(op, x.precision, x.scale, y.precision, y.scale),
    }
  }
  const type = left.kind === 'BIGINT' || right.kind === 'BIGINT' ? BIGINT : INTEGER
  return { left: type, right: type, result: type }
}

function decimalResult(op: ArithmeticOp, p1: number, s1: number, p2: number, s2: number): SqlType {
  switch (op) {
    case '+':
    case '-':
      return decimal(Math.max(s1, s2) + Math.max(p1 - s1, p2 - s2) + 1, Math.max(s1, s2))
    case '*':
      return decimal(p1 + p2 + 1, s1 + s2)
    case '/': {
      const scale = Math.max(6, s1 + p2 + 1)
      return decimal(p1 - s1 + s2 + scale, scale)
    }
    case '%':
      return decimal(Math.min(p1 - s1, p2 - s2) + Math.max(s1, s2), Math.max(s1, s2))
  }
}
