import Big from 'big.js'
import { unreachable } from '../base/assert.ts'
import type { ArithmeticOp } from '../plan/expression.ts'
import { BIGINT, decimal, DOUBLE, INTEGER, isNumeric, STRING, type SqlType } from '../plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../plan/sql-value.ts'
import { fromUnscaled, unscaled, unsignedZero } from './decimal.ts'

/** An operator over two non-null operands. @throws Error division by zero, or a DECIMAL result that is not exact */
export type BinaryOperator = (left: never, right: never) => SqlValue

/** Whole numbers as DECIMALs: what they are next to a DECIMAL. */
const INTEGER_AS_DECIMAL = decimal(10, 0)
const BIGINT_AS_DECIMAL = decimal(19, 0)

type DecimalType = Extract<SqlType, { kind: 'DECIMAL' }>

/** What an operation on two types needs and gives. */
export interface ArithmeticTyping {
  /** Types the operands are cast to before the operation. */
  readonly left: SqlType
  readonly right: SqlType
  readonly result: SqlType
}

/**
 * Types of `left op right`: INTEGER → BIGINT → DECIMAL → DOUBLE, or two STRINGs with `+`.
 *
 * @returns null where the dialect has no such operation
 */
export function arithmeticTyping(op: ArithmeticOp, left: SqlType, right: SqlType): ArithmeticTyping | null {
  if (left.kind === 'STRING' && right.kind === 'STRING' && op === '+') return same(STRING)
  if (!isNumeric(left) || !isNumeric(right)) return null
  if (left.kind === 'DOUBLE' || right.kind === 'DOUBLE') return same(DOUBLE)
  const leftDecimal = asDecimal(left)
  const rightDecimal = asDecimal(right)
  if (left.kind === 'DECIMAL' || right.kind === 'DECIMAL') {
    return { left: leftDecimal, right: rightDecimal, result: decimalResult(op, leftDecimal, rightDecimal) }
  }
  return same(left.kind === 'BIGINT' || right.kind === 'BIGINT' ? BIGINT : INTEGER)
}

/** The body of `left op right`, operands of the types {@link arithmeticTyping} gives. */
export function arithmeticFunction(
  op: ArithmeticOp,
  left: SqlType,
  right: SqlType,
  result: SqlType,
): BinaryOperator {
  switch (result.kind) {
    case 'INTEGER':
      return integerOperators[op]
    case 'BIGINT':
      return bigintOperators[op]
    case 'DOUBLE':
      return doubleOperators[op]
    case 'DECIMAL':
      return decimalOperator(op, left as DecimalType, right as DecimalType, result)
    default:
      // STRING: a null operand is taken by Java's text of it.
      return (a: string | null, b: string | null) => `${a}${b}`
  }
}

/** The body of unary minus over a numeric type. */
export function negateFunction(type: SqlType): (operand: never) => SqlValue {
  switch (type.kind) {
    case 'INTEGER':
      return (a: number) => -a | 0
    case 'BIGINT':
      return (a: number | bigint) => (typeof a === 'number' ? 0 - a : canonicalBigint(-a))
    case 'DECIMAL':
      return (a: Big) => unsignedZero(a.neg())
    default:
      return (a: number) => -a
  }
}

/** The DECIMAL a numeric type is next to a DECIMAL. */
function asDecimal(type: SqlType): DecimalType {
  if (type.kind === 'DECIMAL') return type
  return (type.kind === 'INTEGER' ? INTEGER_AS_DECIMAL : BIGINT_AS_DECIMAL) as DecimalType
}

function same(type: SqlType): ArithmeticTyping {
  return { left: type, right: type, result: type }
}

/* ksqlDB's rules; precision has no upper bound. */
function decimalResult(op: ArithmeticOp, a: DecimalType, b: DecimalType): SqlType {
  const { precision: p1, scale: s1 } = a
  const { precision: p2, scale: s2 } = b
  switch (op) {
    case '+':
    case '-': {
      const scale = Math.max(s1, s2)
      return decimal(scale + Math.max(p1 - s1, p2 - s2) + 1, scale)
    }
    case '*':
      return decimal(p1 + p2 + 1, s1 + s2)
    case '/': {
      const scale = Math.max(6, s1 + p2 + 1)
      return decimal(p1 - s1 + s2 + scale, scale)
    }
    case '%': {
      const scale = Math.max(s1, s2)
      return decimal(Math.min(p1 - s1, p2 - s2) + scale, scale)
    }
    default:
      return unreachable(op)
  }
}

const integerOperators: Record<ArithmeticOp, (a: number, b: number) => number> = {
  '+': (a, b) => (a + b) | 0,
  '-': (a, b) => (a - b) | 0,
  '*': Math.imul,
  '/': (a, b) => {
    if (b === 0) throw divisionByZero()
    return (a / b) | 0
  },
  '%': (a, b) => {
    if (b === 0) throw divisionByZero()
    return (a % b) | 0
  },
}

/*
 * BIGINT: two safe integers whose double result is a safe integer too are exact (a result that isn't
 * safe cannot round to one that is; a quotient of safe integers never rounds up to the next integer).
 * `+ 0` turns −0 into 0.
 */
type Long = number | bigint
const bigintOperators: Record<ArithmeticOp, (a: Long, b: Long) => Long> = {
  '+': (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') {
      const sum = a + b
      if (Number.isSafeInteger(sum)) return sum
    }
    return canonicalBigint(BigInt(a) + BigInt(b))
  },
  '-': (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') {
      const difference = a - b
      if (Number.isSafeInteger(difference)) return difference
    }
    return canonicalBigint(BigInt(a) - BigInt(b))
  },
  '*': (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') {
      const product = a * b
      if (Number.isSafeInteger(product)) return product + 0
    }
    return canonicalBigint(BigInt(a) * BigInt(b))
  },
  '/': (a, b) => {
    if (b === 0) throw divisionByZero()
    if (typeof a === 'number' && typeof b === 'number') return Math.trunc(a / b) + 0
    return canonicalBigint(BigInt(a) / BigInt(b))
  },
  '%': (a, b) => {
    if (b === 0) throw divisionByZero()
    if (typeof a === 'number' && typeof b === 'number') return (a % b) + 0
    return canonicalBigint(BigInt(a) % BigInt(b))
  },
}

const doubleOperators: Record<ArithmeticOp, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
}

function decimalOperator(
  op: ArithmeticOp,
  left: DecimalType,
  right: DecimalType,
  result: DecimalType,
): BinaryOperator {
  switch (op) {
    case '+':
      return (a: Big, b: Big) => unsignedZero(a.plus(b))
    case '-':
      return (a: Big, b: Big) => unsignedZero(a.minus(b))
    case '*':
      return (a: Big, b: Big) => unsignedZero(a.times(b))
    case '/': {
      // Rounding is never allowed: 1/3 has no value.
      const shift = 10n ** BigInt(Math.max(0, result.scale + right.scale - left.scale))
      const limit = 10n ** BigInt(result.precision)
      return (a: Big, b: Big) => {
        const divisor = unscaled(b, right.scale)
        if (divisor === 0n) throw divisionByZero()
        const dividend = unscaled(a, left.scale) * shift
        const quotient = dividend / divisor
        if (quotient * divisor !== dividend || quotient >= limit || quotient <= -limit) {
          throw new RangeError('Rounding necessary: the quotient has no exact DECIMAL form.')
        }
        return fromUnscaled(quotient, result.scale)
      }
    }
    case '%': {
      const limit = new Big(`1e${result.precision - result.scale}`)
      return (a: Big, b: Big) => {
        if (b.c[0] === 0) throw divisionByZero()
        const rest = unsignedZero(a.mod(b))
        if (rest.abs().gte(limit))
          throw new RangeError('Rounding necessary: the remainder does not fit its type.')
        return rest
      }
    }
    default:
      return unreachable(op)
  }
}

function divisionByZero(): RangeError {
  return new RangeError('Division by zero.')
}
