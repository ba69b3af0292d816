import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { javaDoubleText } from '../../src/base/java-double.ts'
import { NUMBER_BYTES_MAX, writeInteger, writeJavaDouble } from '../../src/formats/number-writer.ts'
import { textOf } from './format-harness.ts'

function written(
  write: (bytes: Uint8Array, at: number, value: number) => number,
  value: number,
): string | null {
  const bytes = new Uint8Array(NUMBER_BYTES_MAX + 3)
  return textOf(bytes.subarray(3, write(bytes, 3, value)))
}

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 3000)

test.prop([fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.nat(2000))], { numRuns: RUNS })(
  'integers are written as String writes them',
  (value) => {
    expect(written(writeInteger, value)).toBe(String(value))
  },
)

test.each([9, 10, 99, 100, 999, 1000, 1e8, 999999999, 1e9, 2147483648, 1e10, 999999999999999, 2 ** 53 - 1])(
  'the integer %d',
  (value) => {
    expect(written(writeInteger, value)).toBe(String(value))
    expect(written(writeInteger, -value)).toBe(String(-value))
  },
)

const double = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: 1e-3, max: 1e7, noNaN: true }),
  fc.double({ min: 0, max: 200, noNaN: true }),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.tuple(fc.nat(1_000_000), fc.nat(1000)).map(([sum, count]) => sum / 10 / (count + 1)),
  fc.tuple(fc.integer(), fc.nat(12)).map(([n, places]) => Number(`${n}e-${places}`)),
  fc
    .tuple(fc.integer({ min: -60, max: 30 }), fc.integer({ min: -3, max: 3 }))
    .map(([power, steps]) => 2 ** power * (1 + steps * Number.EPSILON)),
)

test.prop([double], { numRuns: RUNS * 5 })('doubles are written as javaDoubleText writes them', (value) => {
  expect(written(writeJavaDouble, value)).toBe(javaDoubleText(value))
  expect(written(writeJavaDouble, -value)).toBe(javaDoubleText(-value))
})
