import { fc, test } from '@fast-check/vitest'
import Big from 'big.js'
import { describe, expect } from 'vitest'
import { ByteWriter } from '../../src/formats/byte-writer.ts'
import { nullVector, setValue } from '../../src/formats/column-vectors.ts'
import { JsonDecoder } from '../../src/formats/json-decoder.ts'
import { JsonEncoder } from '../../src/formats/json-encoder.ts'
import { printJsonValue, quoteJson } from '../../src/formats/json-text.ts'
import { TextVector, ValueVector, type Vector } from '../../src/formats/vector.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  BYTES,
  DATE,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  structOf,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../../src/plan/sql-value.ts'
import { columnsOf, layOut, textOf } from './format-harness.ts'

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ maxLength: 200 }),
)

function valueOf(type: SqlType): fc.Arbitrary<SqlValue> {
  switch (type.kind) {
    case 'BOOLEAN':
      return fc.boolean()
    case 'INTEGER':
    case 'DATE':
      return fc.integer()
    case 'BIGINT':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(canonicalBigint)
    case 'DOUBLE':
      return fc.double()
    case 'DECIMAL':
      return fc.integer({ min: -99999, max: 99999 }).map((n) => new Big(n).div(100))
    case 'BYTES':
      return fc.uint8Array({ maxLength: 9 })
    case 'ARRAY':
      return fc.array(fc.option(valueOf(type.element)), { maxLength: 3 })
    case 'MAP':
      return fc
        .array(fc.tuple(text, valueOf(type.value)), { maxLength: 3 })
        .map((entries) => new Map(entries))
    case 'STRUCT':
      return fc.tuple(...type.fields.map((field) => fc.option(valueOf(field.type))))
    default:
      return text
  }
}

const type = fc.constantFrom<SqlType[]>(
  BOOLEAN,
  INTEGER,
  DATE,
  BIGINT,
  DOUBLE,
  DOUBLE,
  STRING,
  STRING,
  decimal(5, 2),
  BYTES,
  arrayOf(DOUBLE),
  mapOf(STRING, BIGINT),
  structOf([{ name: 'a"b', type: STRING }]),
)

/** Columns with a few rows of values. */
const table = fc
  .uniqueArray(fc.tuple(fc.string({ minLength: 1, maxLength: 9 }), type), {
    selector: ([name]) => name,
    maxLength: 6,
  })
  .chain((columns) =>
    fc.record({
      columns: fc.constant(columnsOf(Object.fromEntries(columns))),
      rows: fc.array(fc.tuple(...columns.map(([, t]) => fc.option(valueOf(t)))), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
  )
  // object keys that look like numbers come first: keep columns and values together
  .filter(({ columns }) =>
    columns.every((column) => !/^\d+$/.test(column.name) && column.name !== '__proto__'),
  )

/** A vector with these values; text as ranges of bytes where `asBytes`. */
function vectorOf(sqlType: SqlType, values: readonly SqlValue[], asBytes: boolean): Vector {
  if (sqlType.kind === 'STRING' && asBytes) {
    const { bytes, starts, ends } = layOut(values as readonly (string | null)[])
    return new TextVector(bytes, starts, ends)
  }
  const vector = nullVector(sqlType, values.length, new Uint8Array(0))
  for (const [row, value] of values.entries()) setValue(vector, row, value)
  return vector
}

describe('what is written from vectors and from values', () => {
  test.prop([table], { numRuns: Number(process.env['FUZZ_RUNS'] ?? 600) })(
    'is what the general form prints',
    ({ columns, rows }) => {
      const encoder = new JsonEncoder(columns, false, 'value')
      const plain = columns.map(({ type: t }, i) =>
        vectorOf(
          t,
          rows.map((row) => row[i]!),
          false,
        ),
      )
      const asBytes = columns.map(({ type: t }, i) =>
        vectorOf(
          t,
          rows.map((row) => row[i]!),
          true,
        ),
      )
      const asValues = columns.map((_, i) => new ValueVector(rows.map((row) => row[i]!)))
      const into = new ByteWriter(1)
      for (const [row, values] of rows.entries()) {
        const members = columns.map(
          ({ name, type: t }, i) => `${quoteJson(name)}:${printJsonValue(values[i]!, t)}`,
        )
        const expected = textOf(new TextEncoder().encode(`{${members.join(',')}}`))
        for (const vectors of [plain, asBytes, asValues]) {
          into.clear()
          into.text('before')
          expect(encoder.encode(vectors, row, into)).toBe(true)
          expect(textOf(into.take())).toBe(`before${expected}`)
        }
        into.clear()
        expect(encoder.encodeRow(values, into)).toBe(true)
        expect(textOf(into.take())).toBe(expected)
      }
    },
  )

  test.prop([table], { numRuns: 300 })('reads back the same', ({ columns, rows }) => {
    const encoder = new JsonEncoder(columns, false, 'value')
    const records = rows.map((row) => {
      const into = new ByteWriter(1)
      encoder.encodeRow(row, into)
      return into.take()
    })
    const { bytes, starts, ends } = layOut(records)
    const wanted = columns.map((_, i) => i)
    const vectors = new JsonDecoder(columns, false).decode(bytes, starts, ends, rows.length, wanted, [])
    const wellFormed = (value: SqlValue): unknown =>
      JSON.parse(
        JSON.stringify(value instanceof Map ? [...value] : value, (_, v) =>
          typeof v === 'string'
            ? v.toWellFormed()
            : typeof v === 'bigint'
              ? `${v}`
              : typeof v === 'number'
                ? `${v}${Object.is(v, -0)}`
                : v,
        ),
      )
    const read = rows.map((_, row) => vectors.map((vector) => wellFormed(vector!.value(row))))
    expect(read).toEqual(rows.map((row) => row.map(wellFormed)))
  })
})

test('a single column that stands alone', () => {
  const encoder = new JsonEncoder(columnsOf({ A: DOUBLE }), true, 'key')
  const into = new ByteWriter(1)
  const vector = vectorOf(DOUBLE, [1.5, null, Number.NaN], false)
  expect([0, 1, 2].map((row) => encoder.encode([vector], row, into))).toEqual([true, false, true])
  expect(textOf(into.take())).toBe('1.5"NaN"')
})
