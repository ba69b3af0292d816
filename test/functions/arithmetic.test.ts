import { test as property } from '@fast-check/vitest'
import Big from 'big.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arithmeticFunction, arithmeticTyping, negateFunction } from '../../src/functions/arithmetic.ts'
import type { ArithmeticOp } from '../../src/plan/expression.ts'
import {
  BIGINT,
  BOOLEAN,
  DATE,
  decimal,
  DOUBLE,
  INTEGER,
  printType,
  STRING,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../../src/plan/sql-value.ts'

function operator(op: ArithmeticOp, left: SqlType, right: SqlType): (a: SqlValue, b: SqlValue) => SqlValue {
  const { left: l, right: r, result } = arithmeticTyping(op, left, right)!
  return arithmeticFunction(op, l, r, result) as (a: SqlValue, b: SqlValue) => SqlValue
}

const exact: Record<ArithmeticOp, (a: bigint, b: bigint) => bigint> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
}
const ops = Object.keys(exact) as ArithmeticOp[]

const int32 = fc.oneof(fc.integer(), fc.constantFrom(-2147483648, -1, 0, 1, 2147483647))
const int64 = fc
  .oneof(
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    fc.bigInt(-(2n ** 53n), 2n ** 53n),
    fc.constantFrom(-(2n ** 63n), -1n, 0n, 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n),
  )
  .map(canonicalBigint)

for (const op of ops) {
  property.prop([int32, int32])(`INTEGER ${op} keeps the low 32 bits`, (a, b) => {
    const apply = operator(op, INTEGER, INTEGER)
    if (b === 0 && (op === '/' || op === '%')) expect(() => apply(a, b)).toThrow('Division by zero')
    else expect(apply(a, b)).toBe(Number(BigInt.asIntN(32, exact[op](BigInt(a), BigInt(b)))))
  })

  property.prop([int64, int64])(`BIGINT ${op} keeps the low 64 bits, in canonical form`, (a, b) => {
    const apply = operator(op, BIGINT, BIGINT)
    if (b === 0 && (op === '/' || op === '%')) expect(() => apply(a, b)).toThrow('Division by zero')
    else expect(apply(a, b)).toBe(canonicalBigint(exact[op](BigInt(a), BigInt(b))))
  })
}

test('negation wraps and knows no negative zero', () => {
  const negate = (type: SqlType) => negateFunction(type) as (v: SqlValue) => SqlValue
  expect(negate(INTEGER)(-2147483648)).toBe(-2147483648)
  expect(negate(INTEGER)(0)).toBe(0)
  expect(negate(BIGINT)(0)).toBe(0)
  expect(negate(BIGINT)(-(2n ** 63n))).toBe(-(2n ** 63n))
  expect(negate(DOUBLE)(0)).toBe(-0)
  expect((negate(decimal(3, 1))(new Big('1.5')) as Big).toFixed()).toBe('-1.5')
})

describe('types', () => {
  const D42 = decimal(4, 2)
  test.each([
    ['+', INTEGER, BIGINT, 'BIGINT'],
    ['*', BIGINT, DOUBLE, 'DOUBLE'],
    ['-', D42, DOUBLE, 'DOUBLE'],
    ['+', D42, D42, 'DECIMAL(5, 2)'],
    ['+', D42, INTEGER, 'DECIMAL(13, 2)'],
    ['+', D42, BIGINT, 'DECIMAL(22, 2)'],
    ['*', D42, decimal(5, 3), 'DECIMAL(10, 5)'],
    ['/', D42, D42, 'DECIMAL(11, 7)'],
    ['%', D42, decimal(5, 3), 'DECIMAL(5, 3)'],
    ['+', STRING, STRING, 'STRING'],
  ] as const)('%s', (op, left, right, result) => {
    expect(printType(arithmeticTyping(op, left, right)!.result)).toBe(result)
  })

  test('there is no other arithmetic', () => {
    expect(arithmeticTyping('-', STRING, STRING)).toBeNull()
    expect(arithmeticTyping('+', STRING, INTEGER)).toBeNull()
    expect(arithmeticTyping('+', DATE, INTEGER)).toBeNull()
    expect(arithmeticTyping('+', BOOLEAN, BOOLEAN)).toBeNull()
  })
})

describe('DECIMAL', () => {
  const apply = (op: ArithmeticOp, a: string, b: string): string =>
    (operator(op, decimal(4, 2), decimal(4, 2))(new Big(a), new Big(b)) as Big).toFixed()

  test('is exact', () => {
    expect(apply('+', '10.01', '-10.01')).toBe('0')
    expect(apply('*', '10.1', '-2')).toBe('-20.2')
    expect(apply('/', '10.1', '2')).toBe('5.05')
    expect(apply('%', '10.1', '-2')).toBe('0.1')
    expect(apply('%', '-10.1', '2')).toBe('-0.1')
  })

  test('a quotient without an exact form fails', () => {
    expect(() => apply('/', '1', '3')).toThrow('Rounding necessary')
    expect(() => apply('/', '1', '0')).toThrow('Division by zero')
    expect(() => apply('%', '1', '0')).toThrow('Division by zero')
  })
})

test('DOUBLE divides by zero without failing', () => {
  expect(operator('/', DOUBLE, DOUBLE)(1, 0)).toBe(Infinity)
  expect(operator('%', DOUBLE, DOUBLE)(1, 0)).toBe(NaN)
})

test('a null in STRING + is the text null', () => {
  expect(operator('+', STRING, STRING)(null, 'a')).toBe('nulla')
})
