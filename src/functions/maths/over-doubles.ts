import { BIGINT, DOUBLE, INTEGER } from '../../plan/sql-type.ts'
import { exactCbrt, exactExp, exactLog, exactPow } from '../exact-maths.ts'
import { scalarFunction, type Example, type ScalarFunction } from '../scalar-function.ts'

/* Functions of one or two numbers as DOUBLEs. They follow Java's Math: NaN and infinities, no errors. */

const KINDS = [INTEGER, BIGINT, DOUBLE]

function ofOne(
  name: string,
  summary: string,
  compute: (x: number) => number,
  examples: readonly Example[],
): ScalarFunction {
  return scalarFunction({
    name,
    category: 'mathematics',
    summary,
    overloads: KINDS.map((x) => ({
      args: { x },
      returns: DOUBLE,
      body: (value: number | bigint) => compute(Number(value)),
    })),
    examples,
  })
}

function ofTwo(
  name: string,
  summary: string,
  names: readonly [string, string],
  compute: (x: number, y: number) => number,
  examples: readonly Example[],
): ScalarFunction {
  return scalarFunction({
    name,
    category: 'mathematics',
    summary,
    overloads: KINDS.map((type) => ({
      args: { [names[0]]: type, [names[1]]: type },
      returns: DOUBLE,
      body: (x: number | bigint, y: number | bigint) => compute(Number(x), Number(y)),
    })),
    examples,
  })
}

export const acos = ofOne('ACOS', 'The arc cosine, in radians.', Math.acos, [
  ['ACOS(1)', 0],
  ['ACOS(2)', NaN],
])

export const asin = ofOne('ASIN', 'The arc sine, in radians.', Math.asin, [
  ['ASIN(0)', 0],
  ['ASIN(1.1)', NaN],
])

export const atan = ofOne('ATAN', 'The arc tangent, in radians.', Math.atan, [
  ['ATAN(1)', 0.7853981633974483],
])

export const atan2 = ofTwo(
  'ATAN2',
  'The angle of a point from the x axis, in radians.',
  ['y', 'x'],
  Math.atan2,
  [
    ['ATAN2(1, 1)', 0.7853981633974483],
    ['ATAN2(0E0, -1E0)', 3.141592653589793],
  ],
)

export const cbrt = ofOne('CBRT', 'The cube root.', exactCbrt, [
  ['CBRT(-8)', -2],
  ['CBRT(3)', 1.4422495703074083],
])

export const cos = ofOne('COS', 'The cosine of an angle in radians.', Math.cos, [['COS(0)', 1]])

export const cosh = ofOne('COSH', 'The hyperbolic cosine.', Math.cosh, [['COSH(0)', 1]])

export const cot = ofOne('COT', 'The cotangent of an angle in radians.', (x) => Math.cos(x) / Math.sin(x), [
  ['COT(0)', Infinity],
])

export const degrees = ofOne('DEGREES', 'Radians as degrees.', (x) => x * 57.29577951308232, [
  ['DEGREES(PI())', 180],
])

export const exp = ofOne('EXP', 'e to the power of the argument.', exactExp, [
  ['EXP(1)', 2.718281828459045],
  ['EXP(-3E0)', 0.049787068367863944],
  ['EXP(0)', 1],
])

export const ln = ofOne('LN', 'The natural logarithm.', exactLog, [
  ['LN(3)', 1.0986122886681098],
  ['LN(0)', -Infinity],
  ['LN(-1)', NaN],
])

export const power = ofTwo('POWER', 'A base to the power of an exponent.', ['base', 'exponent'], exactPow, [
  ['POWER(15, 13)', 1946195068359375],
  ['POWER(15, -1)', 0.06666666666666667],
  ['POWER(0, 0)', 1],
])

export const radians = ofOne('RADIANS', 'Degrees as radians.', (x) => x * 0.017453292519943295, [
  ['RADIANS(180)', 3.141592653589793],
])

export const sin = ofOne('SIN', 'The sine of an angle in radians.', Math.sin, [['SIN(0)', 0]])

export const sinh = ofOne('SINH', 'The hyperbolic sine.', Math.sinh, [['SINH(0)', 0]])

export const sqrt = ofOne('SQRT', 'The square root.', Math.sqrt, [
  ['SQRT(2)', 1.4142135623730951],
  ['SQRT(-1)', NaN],
])

export const tan = ofOne('TAN', 'The tangent of an angle in radians.', Math.tan, [['TAN(0)', 0]])

export const tanh = ofOne('TANH', 'The hyperbolic tangent.', Math.tanh, [['TANH(0)', 0]])

export const log = scalarFunction({
  name: 'LOG',
  category: 'mathematics',
  summary: 'The natural logarithm, or with two arguments the logarithm to a base.',
  overloads: KINDS.flatMap((type) => [
    { args: { x: type }, returns: DOUBLE, body: (x: number | bigint) => exactLog(Number(x)) },
    {
      args: { base: type, x: type },
      returns: DOUBLE,
      body: (base: number | bigint, x: number | bigint) => logarithm(Number(base), Number(x)),
    },
  ]),
  examples: [
    ['LOG(13)', 2.5649493574615367],
    ['LOG(15, 13)', 0.9471572411831843],
    ['LOG(15, 0)', -Infinity],
    ['LOG(1, 13)', NaN],
  ],
})

function logarithm(base: number, x: number): number {
  return base <= 0 || base === 1 ? NaN : exactLog(x) / exactLog(base)
}

export const pi = scalarFunction({
  name: 'PI',
  category: 'mathematics',
  summary: 'The ratio of a circle to its diameter.',
  args: {},
  returns: DOUBLE,
  body: () => Math.PI,
  examples: [['PI()', 3.141592653589793]],
})
