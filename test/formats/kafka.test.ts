import { expect, test } from 'vitest'
import { kafka } from '../../src/formats/kafka.ts'
import {
  BIGINT,
  BOOLEAN,
  BYTES,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'
import { columnsOf, decodeOne, decodeRows, encodeOne, specOf } from './format-harness.ts'

const cases: [string, SqlType, SqlValue, number[]][] = [
  ['INTEGER', INTEGER, -2, [255, 255, 255, 254]],
  ['BIGINT', BIGINT, 258, [0, 0, 0, 0, 0, 0, 1, 2]],
  ['negative BIGINT', BIGINT, -1, [255, 255, 255, 255, 255, 255, 255, 255]],
  ['largest safe BIGINT', BIGINT, 9007199254740991, [0, 31, 255, 255, 255, 255, 255, 255]],
  ['smallest safe BIGINT', BIGINT, -9007199254740991, [255, 224, 0, 0, 0, 0, 0, 1]],
  ['-2^53', BIGINT, -9007199254740992n, [255, 224, 0, 0, 0, 0, 0, 0]],
  ['2^53', BIGINT, 9007199254740992n, [0, 32, 0, 0, 0, 0, 0, 0]],
  ['largest BIGINT', BIGINT, 9223372036854775807n, [127, 255, 255, 255, 255, 255, 255, 255]],
  ['smallest BIGINT', BIGINT, -9223372036854775808n, [128, 0, 0, 0, 0, 0, 0, 0]],
  ['DOUBLE', DOUBLE, 1.5, [63, 248, 0, 0, 0, 0, 0, 0]],
  ['STRING', STRING, 'é', [195, 169]],
  ['empty STRING', STRING, '', []],
  ['BYTES', BYTES, Uint8Array.of(1, 2), [1, 2]],
]

test.each(cases)('%s there and back', (_, type, value, bytes) => {
  expect([...encodeOne(kafka, { A: type }, [value])!]).toEqual(bytes)
  expect(decodeOne(kafka, { A: type }, Uint8Array.from(bytes))).toEqual([value])
})

test('null is null bytes', () => {
  expect(encodeOne(kafka, { A: STRING }, [null])).toBeNull()
  expect(decodeOne(kafka, { A: BIGINT }, null)).toEqual([null])
})

test('a number of the wrong size fails alone', () => {
  const decoder = kafka.decoder('key', columnsOf({ A: INTEGER }), specOf(kafka))
  const { rows, failures } = decodeRows(decoder, 1, [Uint8Array.of(0, 0, 0, 1), Uint8Array.of(1), ''])
  expect(rows).toEqual([[1], [null], [null]])
  expect(failures).toEqual([
    { row: 1, reason: 'INTEGER takes 4 bytes, got 1' },
    { row: 2, reason: 'INTEGER takes 4 bytes, got 0' },
  ])
})

test('refuses what it cannot hold', () => {
  const refuses = (types: Record<string, SqlType>): string | null =>
    kafka.refuses('value', columnsOf(types), specOf(kafka))
  expect(refuses({ A: BOOLEAN })).toContain("does not support type 'BOOLEAN'")
  expect(refuses({ A: INTEGER, B: INTEGER })).toContain('only supports a single field')
  expect(refuses({ A: BYTES })).toBeNull()
  expect(refuses({})).toBeNull()
  expect(kafka.refuses('key', columnsOf({ A: mapOf(STRING, STRING) }), specOf(kafka))).toContain('MAP')
})
