import { test } from '@fast-check/vitest'
import fc from 'fast-check'
import { expect } from 'vitest'
import { exactCbrt, exactExp, exactLog, exactPow } from '../../src/functions/exact-maths.ts'

/* A slow reference: fixed-point numbers of 220 bits after the point. */
const BITS = 220n
const ONE = 1n << BITS

/** A double as a fixed-point number, exactly (for |x| above 2^-160 or so). */
function fixed(x: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, x)
  const bits = view.getBigUint64(0)
  const exponent = ((bits >> 52n) & 0x7ffn) - 1075n
  const mantissa = (bits & ((1n << 52n) - 1n)) | (1n << 52n)
  const shift = exponent + BITS
  const size = shift >= 0n ? mantissa << shift : mantissa >> -shift
  return bits >> 63n === 1n ? -size : size
}

/** e^x for a fixed-point x, by halving it 40 times and then Taylor. */
function fixedExp(x: bigint): bigint {
  const small = x >> 40n
  let term = ONE
  let sum = ONE
  for (let n = 1n; term !== 0n && n < 60n; n++) {
    term = (term * small) / (n << BITS)
    sum += term
  }
  for (let i = 0; i < 40; i++) sum = (sum * sum) >> BITS
  return sum
}

/** How far `result` lies from a fixed-point value, in units of its last place. */
function ulpsFrom(result: number, exact: bigint): number {
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(result))) - 52)
  return Math.abs(Number(fixed(result) - exact) / 2 ** Number(BITS)) / unit
}

const HALF = 0.5000001

test.prop([fc.double({ min: -20, max: 20, noNaN: true })])('exp is correctly rounded', (x) => {
  fc.pre(Math.abs(x) > 1e-10)
  expect(ulpsFrom(exactExp(x), fixedExp(fixed(x)))).toBeLessThanOrEqual(HALF)
})

test.prop([fc.double({ min: 1e-3, max: 1e6, noNaN: true })])('log is correctly rounded', (x) => {
  fc.pre(Math.abs(x - 1) > 1e-6)
  const y = exactLog(x)
  // ln x − y = ln(x·e^−y), which is x·e^−y − 1 to first order.
  const rest = ((fixed(x) * fixedExp(fixed(-y))) >> BITS) - ONE
  expect(ulpsFrom(y, fixed(y) + rest)).toBeLessThanOrEqual(HALF)
})

test.prop([fc.double({ min: 0.01, max: 1000, noNaN: true })])('cbrt is correctly rounded', (x) => {
  const y = exactCbrt(x)
  const half = 2 ** (Math.floor(Math.log2(y)) - 53)
  const cube = (value: bigint): bigint => (((value * value) >> BITS) * value) >> BITS
  expect(cube(fixed(y) - fixed(half)) <= fixed(x)).toBe(true)
  expect(cube(fixed(y) + fixed(half)) >= fixed(x)).toBe(true)
})

test.prop([fc.integer({ min: -40, max: 40 }), fc.integer({ min: 0, max: 9 })])(
  'powers of whole numbers that fit a double are exact',
  (base, exponent) => {
    expect(exactPow(base, exponent)).toBe(Number(BigInt(base) ** BigInt(exponent)))
  },
)

test('the ends of the range follow Java', () => {
  expect([exactExp(710), exactExp(-746), exactExp(NaN), exactExp(-Infinity)]).toEqual([Infinity, 0, NaN, 0])
  expect(exactExp(-745)).toBe(5e-324)
  expect([exactLog(0), exactLog(-1), exactLog(Infinity)]).toEqual([-Infinity, NaN, Infinity])
  expect(exactLog(5e-324)).toBe(-744.4400719213812)
  expect([exactPow(0, 0), exactPow(-8, 1 / 3), exactPow(2, 1024), exactPow(2, -1074)]).toEqual([
    1,
    NaN,
    Infinity,
    5e-324,
  ])
  expect([exactCbrt(-27), exactCbrt(0), exactCbrt(-Infinity)]).toEqual([-3, 0, -Infinity])
})
