import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { ByteWriter } from '../../src/formats/byte-writer.ts'
import type { DecodeFailure } from '../../src/formats/format.ts'
import { JsonDecoder } from '../../src/formats/json-decoder.ts'
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
} from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'
import { columnsOf, layOut } from './format-harness.ts'

const columns = columnsOf({
  D: DOUBLE,
  INT: INTEGER,
  BIG: BIGINT,
  LONG_TEXT: STRING,
  OK: BOOLEAN,
  lower: DOUBLE,
  DAY: DATE,
  S: STRING,
  PRICE: decimal(6, 2),
  RAW: BYTES,
  ARR: arrayOf(INTEGER),
  M: mapOf(STRING, STRING),
  Größe: structOf([{ name: 'A', type: INTEGER }]),
})

const FORMS = ['general', 'scanned', 'generated'] as const

/** What each form makes of the same batches; vectors as rows of values, failures included. */
function decodeBatches(
  form: (typeof FORMS)[number],
  batches: readonly (readonly (string | Uint8Array | null)[])[],
  wanted: readonly number[],
): { rows: SqlValue[][][]; failures: DecodeFailure[][] } {
  const decoder = new JsonDecoder(columns, false, form)
  const result: { rows: SqlValue[][][]; failures: DecodeFailure[][] } = { rows: [], failures: [] }
  for (const batch of batches) {
    // what lies between records must not matter, nor that nothing does
    const { bytes, starts, ends } = layOut(batch, batch.length % 2 === 0 ? '#' : '')
    const failures: DecodeFailure[] = []
    const vectors = decoder.decode(bytes, starts, ends, batch.length, wanted, failures)
    expect(vectors.map((vector) => vector !== null)).toEqual(columns.map((_, i) => wanted.includes(i)))
    result.rows.push(batch.map((_, row) => wanted.map((column) => vectors[column]!.value(row))))
    result.failures.push(failures)
  }
  return result
}

function expectSame(
  batches: readonly (readonly (string | Uint8Array | null)[])[],
  wanted: readonly number[],
): void {
  const general = decodeBatches('general', batches, wanted)
  expect(decodeBatches('scanned', batches, wanted)).toEqual(general)
  expect(decodeBatches('generated', batches, wanted)).toEqual(general)
}

const number = fc.oneof(
  fc.integer().map(String),
  fc.integer({ min: 0, max: 9 }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.tuple(fc.maxSafeInteger(), fc.nat(20)).map(([n, places]) => {
    const digits = String(Math.abs(n)).padStart(places + 1, '0')
    return `${n < 0 ? '-' : ''}${places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`}`
  }),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc.stringMatching(/^[1-9][0-9]{0,7}\.[0-9]{7,12}$/),
  fc.constantFrom(
    '-0',
    '-0.0',
    '0.1',
    '1e3',
    '1E-2',
    '2147483648',
    '9007199254740993',
    '-9223372036854775809',
    '1.5e400',
  ),
  fc.constantFrom('01', '1.', '.5', '+1', '-', '1e', 'NaN', '0x1', '1.e3', '--1', '-null', 'null.5'),
  fc.nat(1200).map((length) => `1${'0'.repeat(length)}`),
)

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }).map((s) => JSON.stringify(s)),
  fc.string({ unit: 'binary', maxLength: 6 }).map((s) => JSON.stringify(s)),
  fc.stringMatching(/^[ -~]{0,40}$/).map((s) => JSON.stringify(s)),
  fc.stringMatching(/^[0-9]{1,6}$/).map((s) => `"${s}"`),
  fc.constantFrom(
    '"\\u0041"',
    '"\\/"',
    '"\\x"',
    '"\\u12"',
    '"open',
    '"\t"',
    '"AQI="',
    '"true"',
    '"}"',
    '"},{"',
    '""',
  ),
)

const scalar = fc.oneof(number, text, fc.constantFrom('true', 'false', 'null', 'tru', 'nul', 'True'))
const anyJson = fc.oneof(
  scalar,
  fc.json({ maxDepth: 3 }),
  fc.constantFrom(
    '[1,2,null]',
    '{"a":1}',
    '{"A":"x","a":2}',
    '[',
    '{"a"}',
    '[1,]',
    '{}',
    '[]',
    '[ 1 , { "b" : [ ] } ]',
  ),
)

const fittingByColumn: Record<string, fc.Arbitrary<string>> = {
  D: number,
  INT: fc.oneof(fc.integer().map(String), fc.nat(5).map(String)),
  BIG: fc.oneof(
    fc.maxSafeInteger().map(String),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  ),
  LONG_TEXT: text,
  OK: fc.constantFrom('true', 'false', 'null'),
  lower: number,
  DAY: fc.nat(20000).map(String),
  S: text,
  PRICE: fc.integer({ min: -999999, max: 999999 }).map((n) => (n / 100).toFixed(2)),
  RAW: fc.constantFrom('"AQI="', '""', 'null'),
  ARR: fc.constantFrom('[1,2]', 'null', '[]', '["1"]'),
  M: fc.constantFrom('{"a":"b"}', '{}', 'null', '{"a":1}'),
  Größe: fc.constantFrom('{"a":1}', 'null', '{}', '{"A":true}'),
}

/** Values that mostly suit the column a member is for. */
function fitting(member: string): fc.Arbitrary<string> {
  const column = [member, member.toUpperCase()].find((n) => Object.hasOwn(fittingByColumn, n))
  return column === undefined ? anyJson : fittingByColumn[column]!
}

const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...columns.map((column) => column.name)) },
  { weight: 6, arbitrary: fc.constantFrom('d', 'int', 'Int', 'big', 'LOWER', 'größe', 's', 'price') },
  {
    weight: 3,
    arbitrary: fc.constantFrom('unknown', 'x', '__proto__', 'a}b', '', 'ß', 'a"b', 'constructor'),
  },
)

const member = name.chain((n) =>
  fc
    .oneof({ weight: 8, arbitrary: fitting(n) }, { weight: 1, arbitrary: anyJson })
    .map((value) => [n === 'd' ? '"\\u0064"' : JSON.stringify(n), value] as const),
)

const blank = fc.constantFrom('', '', '', ' ', '\n  ', '\t')
const style = fc.oneof(
  fc.constantFrom({ comma: ',', colon: ':', edge: '' }, { comma: ', ', colon: ': ', edge: '' }),
  fc
    .tuple(blank, blank, blank, blank, blank)
    .map(([a, b, c, d, edge]) => ({ comma: `${a},${b}`, colon: `${c}:${d}`, edge })),
)

type Members = readonly (readonly [string, string])[]

function printRecord(
  members: Members,
  { comma, colon, edge }: { comma: string; colon: string; edge: string },
): string {
  return `${edge}{${edge}${members.map(([n, value]) => `${n}${colon}${value}`).join(comma)}${edge}}${edge}`
}

/** Records of one layout with some members missing or moved, as one producer writes them. */
const family = fc
  .tuple(fc.uniqueArray(member, { selector: ([n]) => n, maxLength: 9 }), style, fc.infiniteStream(fc.nat(30)))
  .chain(([members, layout, choices]) =>
    fc
      .array(
        fc.tuple(
          ...members.map(([n]) => {
            const key = JSON.parse(n) as string
            return fc.oneof(
              { weight: 6, arbitrary: fitting(key) },
              { weight: 1, arbitrary: fc.constant('null') },
            )
          }),
        ),
        { minLength: 1, maxLength: 8 },
      )
      .map((rows) =>
        rows.map((values) => {
          const kept: (readonly [string, string])[] = []
          for (const [i, [n]] of members.entries()) {
            const choice = choices.next().value
            if (choice === 0) continue
            if (choice === 1) kept.unshift([n, values[i] as string])
            else kept.push([n, values[i] as string])
            if (choice === 2) kept.push([n, values[i] as string])
          }
          return printRecord(kept, layout)
        }),
      ),
  )

const mutated = fc
  .tuple(fc.array(member, { maxLength: 6 }), style, fc.nat(), fc.nat(255), fc.nat(9))
  .map(([members, layout, place, byte, how]) => {
    const bytes = new TextEncoder().encode(printRecord(members, layout))
    const at = place % (bytes.length + 1)
    if (how < 4) return bytes
    if (how < 6) return bytes.slice(0, at)
    if (how < 8) return Uint8Array.from([...bytes.slice(0, at), byte, ...bytes.slice(at)])
    return Uint8Array.from(bytes, (b, i) => (i === at ? byte : b))
  })

const wantedColumns = fc.subarray(columns.map((_, i) => i))
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 400)

describe('the fast forms read exactly what the general form reads', () => {
  test.prop([fc.array(family, { minLength: 1, maxLength: 3 }), wantedColumns], { numRuns: RUNS })(
    'records of a few producers, one batch each and then all again',
    (families, wanted) => {
      expectSame([...families, families.flat(), [...families.flat(), null, '{}']], wanted)
    },
  )

  test.prop([family, fc.array(mutated, { maxLength: 6 }), wantedColumns], { numRuns: RUNS })(
    'broken records among good ones',
    (good, bad, wanted) => {
      const mixed = bad.flatMap((record, i) => [record, good[i % good.length]!])
      expectSame([good, mixed, [...mixed, ...bad]], wanted)
    },
  )

  test.prop([number, fc.constantFrom('D', 'INT', 'BIG', 'DAY', 'PRICE', 'S', 'x')], { numRuns: RUNS * 2 })(
    'any number',
    (token, column) => {
      const record = `{"OK":true,"${column}":${token},"lower":1}`
      const known = `{"OK":true,"${column}":1,"lower":1}`
      expectSame([[known], [known, record, record, known]], [0, 1, 2, 4, 5, 6, 7, 8])
      expectSame([[known], [known, record, record, known]], [4, 5])
    },
  )

  test.prop([fc.uint8Array({ maxLength: 8 })], { numRuns: RUNS * 2 })('any bytes as text', (content) => {
    const writer = new ByteWriter()
    writer.text('{"S":"')
    writer.copy(content, 0, content.length)
    writer.text('","OK":true}')
    const batches = [['{"S":"","OK":true}'], [writer.take(), writer.take()]]
    expectSame(batches, [4, 7])
    expectSame(batches, [4])
  })
})

test('after another order of members has become usual, records are still read right', () => {
  const records = (order: readonly string[]): string[] =>
    Array.from({ length: 100 }, (_, i) => `{${order.map((n) => `"${n}": ${i}`).join(', ')}}`)
  const orders = [
    ['d', 'int', 'big', 'x'],
    ['x', 'big', 'd'],
    ['int', 'd', 'y', 'big'],
    ['d', 'int', 'big', 'x'],
  ]
  const batches = orders.flatMap((order) => [records(order), records(order), records(order)])
  expectSame(batches, [0, 1, 2])
})

test.prop([fc.array(fc.stringMatching(/^[1-9][0-9]{0,8}\.[0-9]{4,12}$/), { minLength: 50, maxLength: 50 })], {
  numRuns: 20,
})('decimals of many digits are read as the nearest double', (tokens) => {
  const records = ['{"D":1}', ...tokens.map((token) => `{"D":${token}}`), '{"D":1}']
  for (const form of FORMS) {
    const { rows } = decodeBatches(form, [records], [0])
    expect(rows[0]!.slice(1, -1)).toEqual(tokens.map((token) => [Number(token)]))
  }
})

test.each([
  ['{"D":1}x}'],
  ['{"D":1}}'],
  ['{"D":1,}'],
  ['{"D":1 "S":"x"}'],
  ['{"D":1,"S":"x"'],
  ['{"D":1,"S":"x}'],
  ['"D":1}'],
  [''],
  ['{'],
  ['}'],
  ['{}}'],
])('the broken record %s fails between good ones', (broken) => {
  const good = '{"D":1,"S":"x"}'
  const batch = [good, good, broken, good, broken, broken, good]
  expect(decodeBatches('general', [batch], [0]).failures[0]).toHaveLength(3)
  for (const wanted of [[0], [7], []]) expectSame([batch, [good, ...batch]], wanted)
})

test('columns may be wanted by turns', () => {
  const decoder = new JsonDecoder(columns, false)
  const { bytes, starts, ends } = layOut([
    '{"D":1.5,"S":"x","OK":true}',
    '{"D":2.5,"S":"y","OK":false}',
    null,
  ])
  for (const wanted of [[0], [0, 4], [7], [], [0, 4, 7], [7]]) {
    const vectors = decoder.decode(bytes, starts, ends, 3, wanted, [])
    const expected: Record<number, SqlValue[]> = {
      0: [1.5, 2.5, null],
      4: [true, false, null],
      7: ['x', 'y', null],
    }
    for (const column of wanted) {
      expect([0, 1, 2].map((row) => vectors[column]!.value(row))).toEqual(expected[column])
    }
    expect(vectors.filter((vector) => vector !== null)).toHaveLength(wanted.length)
  }
})
