import { expect, test } from 'vitest'
import { javaDoubleText, parseJavaDouble } from '../../src/base/java-double.ts'

test.each([
  [0, '0.0'],
  [-0, '-0.0'],
  [1, '1.0'],
  [-12.5, '-12.5'],
  [0.001, '0.001'],
  [0.0001, '1.0E-4'],
  [0.00012, '1.2E-4'],
  [1234567, '1234567.0'],
  [9999999.5, '9999999.5'],
  [10000000, '1.0E7'],
  [12345678.9, '1.23456789E7'],
  [2 ** 62, '4.611686018427388E18'],
  [2e23, '2.0E23'],
  [5e-324, '4.9E-324'],
  [1e-323, '9.9E-324'],
  [2e-323, '2.0E-323'],
  [1.7976931348623157e308, '1.7976931348623157E308'],
  [Number.NaN, 'NaN'],
  [-Infinity, '-Infinity'],
])('%d is written as %s', (value, text) => {
  expect(javaDoubleText(value)).toBe(text)
})

test.each([
  ['1', 1],
  [' -1.5e3 ', -1500],
  ['1.', 1],
  ['.5d', 0.5],
  ['2F', 2],
  ['1e999', Infinity],
  ['-Infinity', -Infinity],
  ['NaN', Number.NaN],
  ['+NaN', Number.NaN],
  ['0x1.8p1', 3],
  ['', undefined],
  ['.', undefined],
  ['abc', undefined],
  ['1e', undefined],
  ['0x10', undefined],
  ['1_0', undefined],
  ['infinity', undefined],
])('%j is read as %d', (text, value) => {
  expect(parseJavaDouble(text)).toBe(value)
})
