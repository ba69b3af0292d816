import { fc, test } from '@fast-check/vitest'
import Big from 'big.js'
import { expect } from 'vitest'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  BYTES,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  structOf,
  TIMESTAMP,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import { canonicalBigint, type Row, type SqlValue } from '../../src/plan/sql-value.ts'
import { afterKey, afterPrefix, decodeWhole, encodeWhole, KeyCodec } from '../../src/state/key-codec.ts'
import { CodecBuffer } from '../../src/state/codec-bytes.ts'
import { codecOf, decimalShape, recordOf, rowCodec, wholeShape } from '../../src/state/value-codec.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((s) => s.isWellFormed())
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(canonicalBigint)
const money = fc.integer({ min: -99999, max: 99999 }).map((n) => new Big(n).div(100))
const types: readonly (readonly [SqlType, fc.Arbitrary<SqlValue>])[] = [
  [BOOLEAN, fc.boolean()],
  [INTEGER, fc.integer()],
  [BIGINT, fc.oneof(long, fc.maxSafeInteger(), fc.integer({ min: -3, max: 3 }))],
  [TIMESTAMP, fc.integer({ min: -8.64e15, max: 8.64e15 })],
  [DOUBLE, fc.double()],
  [decimal(7, 2), money],
  [STRING, fc.oneof(text, fc.constantFrom('', 'a', 'a\0', 'a\0b', 'é', '\0'))],
  [BYTES, fc.uint8Array({ maxLength: 4 })],
  [arrayOf(INTEGER), fc.array(fc.option(fc.integer()), { maxLength: 3 })],
  [
    mapOf(STRING, DOUBLE),
    fc.array(fc.tuple(text, fc.option(fc.double())), { maxLength: 3 }).map((e) => new Map(e)),
  ],
  [
    structOf([
      { name: 'A', type: STRING },
      { name: 'B', type: INTEGER },
    ]),
    fc.tuple(fc.option(text), fc.option(fc.integer())) as fc.Arbitrary<SqlValue>,
  ],
]

const rows = fc
  .array(fc.integer({ min: 0, max: types.length - 1 }), { minLength: 1, maxLength: 4 })
  .chain((picks) =>
    fc.record({
      types: fc.constant(picks.map((i) => types[i]![0])),
      row: fc.tuple(...picks.map((i) => fc.option(types[i]![1]))) as fc.Arbitrary<Row>,
    }),
  )

const sorted = (map: SqlValue): unknown =>
  map instanceof Map ? [...map].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)) : map

test.prop([rows])('a row comes back from its key', ({ types: columns, row }) => {
  const codec = new KeyCodec(columns)
  const key = codec.encode(row)
  expect(codec.decode(key).map(sorted)).toEqual(row.map(sorted))
  expect(codec.fromBytes(codec.toBytes(key))).toBe(key)
})

test.prop([rows])('a row comes back from its value bytes', ({ types: columns, row }) => {
  const codec = rowCodec(columns)
  const into = new CodecBuffer(1)
  codec.encode(row, into)
  codec.encode(row, into)
  expect(codec.decode(into.bytes, into.length / 2, into.length)).toEqual(row)
})

for (const [type, values] of types.filter(([t]) => !['MAP', 'STRUCT', 'ARRAY', 'BYTES'].includes(t.kind))) {
  test.prop([values, values])(`keys of ${type.kind} are in the order of the values`, (a, b) => {
    if (Number.isNaN(a) || Number.isNaN(b) || (a === 0 && b === 0)) return
    const order = compare(a, b)
    for (const codec of [new KeyCodec([type]), new KeyCodec([type, INTEGER])]) {
      const one = codec.encode(codec.types.length === 1 ? [a] : [a, 1])
      const other = codec.encode(codec.types.length === 1 ? [b] : [b, 1])
      expect(Math.sign(compare(one, other))).toBe(Math.sign(order))
      if (type.kind !== 'STRING' || codec.types.length > 1) {
        expect(codec.encode(codec.types.length === 1 ? [null] : [null, 9]) < one).toBe(true)
      }
    }
  })
}

function compare(a: SqlValue, b: SqlValue): number {
  if (a instanceof Big) return a.cmp(b as Big)
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
}

test('an ASCII text is its own key', () => {
  const codec = new KeyCodec([STRING])
  expect(codec.encode(['car-7'])).toBe('car-7')
  expect(codec.encode(['é'])).toBe('\xc3\xa9')
  expect(codec.decode(codec.encode([null]))).toEqual([null])
})

test('where the keys of a prefix end', () => {
  const codec = new KeyCodec([STRING, INTEGER])
  const prefix = codec.encode(['b', 0]).slice(0, -9)
  const isInside = (name: string, n: number): boolean => {
    const key = codec.encode([name, n])
    return key >= prefix && key < afterPrefix(prefix)!
  }
  expect([isInside('b', -1), isInside('b', 9), isInside('ba', 0), isInside('a', 0)]).toEqual([
    true,
    true,
    false,
    false,
  ])
  expect(afterPrefix('\xff\xff')).toBeNull()
  expect(afterPrefix('a\xff')).toBe('b')
  expect(afterKey('a') > 'a' && afterKey('a') < 'aa').toBe(true)
})

test.prop([fc.maxSafeInteger(), fc.maxSafeInteger()])('whole numbers as 8 bytes', (a, b) => {
  expect(decodeWhole(encodeWhole(a))).toBe(a)
  expect(encodeWhole(a) < encodeWhole(b)).toBe(a < b)
})

test('operators describe records of their own', () => {
  interface Average {
    sum: Big
    count: number
  }
  const codec = codecOf(recordOf<Average>({ sum: decimalShape, count: wholeShape }))
  const into = new CodecBuffer()
  codec.encode({ sum: new Big('-1234567890.123'), count: 7 }, into)
  expect(codec.decode(into.bytes, 0, into.length)).toEqual({ sum: new Big('-1234567890.123'), count: 7 })
  expect(codec.fingerprint).toBe('value1(record(sum: decimal, count: whole))')
})
