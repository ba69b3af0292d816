import { BYTES, INTEGER, STRING } from '../../plan/sql-type.ts'
import { checkResultLength } from '../result-length.ts'
import { scalarFunction, type ScalarOverload } from '../scalar-function.ts'

/** Filling of a given length made of repetitions of the padding. */
function padText(side: 'left' | 'right') {
  return (text: string, length: number, padding: string): string | null => {
    if (length < 0 || padding === '') return null
    checkResultLength(length)
    return side === 'left'
      ? text.slice(0, length).padStart(length, padding)
      : text.slice(0, length).padEnd(length, padding)
  }
}

function padBytes(side: 'left' | 'right') {
  return (bytes: Uint8Array, length: number, padding: Uint8Array): Uint8Array | null => {
    if (length < 0 || padding.length === 0) return null
    checkResultLength(length)
    const padded = new Uint8Array(length)
    const kept = bytes.subarray(0, length)
    const fill = length - kept.length
    const fillStart = side === 'left' ? 0 : kept.length
    for (let i = 0; i < fill; i++) padded[fillStart + i] = padding[i % padding.length]!
    padded.set(kept, side === 'left' ? fill : 0)
    return padded
  }
}

function overloads(side: 'left' | 'right'): readonly ScalarOverload[] {
  return [
    { args: { text: STRING, length: INTEGER, padding: STRING }, returns: STRING, body: padText(side) },
    { args: { bytes: BYTES, length: INTEGER, padding: BYTES }, returns: BYTES, body: padBytes(side) },
  ]
}

export const lpad = scalarFunction({
  name: 'LPAD',
  category: 'string',
  summary: 'Pads or cuts to an exact length, filling from the left.',
  overloads: overloads('left'),
  examples: [
    ["LPAD('7', 3, '0')", '007'],
    ["LPAD('foo', 7, 'Bar')", 'BarBfoo'],
    ["LPAD('1234', 3, '0')", '123'],
    ["LPAD('foo', -1, 'x')", null],
    ["LPAD('foo', 5, '')", null],
    ["LPAD(TO_BYTES('aa', 'hex'), 3, TO_BYTES('0102', 'hex'))", '0102aa'],
  ],
})

export const rpad = scalarFunction({
  name: 'RPAD',
  category: 'string',
  summary: 'Pads or cuts to an exact length, filling from the right.',
  overloads: overloads('right'),
  examples: [
    ["RPAD('foo', 7, 'Bar')", 'fooBarB'],
    ["RPAD('foo', 2, 'Bar')", 'fo'],
    ["RPAD(TO_BYTES('aa', 'hex'), 4, TO_BYTES('0102', 'hex'))", 'aa010201'],
  ],
})
