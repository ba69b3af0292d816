import { expect, test } from 'vitest'
import type { DecodeFailure } from '../../src/formats/format.ts'
import { JsonDecoder } from '../../src/formats/json-decoder.ts'
import { DOUBLE, INTEGER, mapOf, STRING } from '../../src/plan/sql-type.ts'
import type { SqlValue } from '../../src/plan/sql-value.ts'
import { CASES } from './cases.ts'

/* The forms of the JSON decoder by themselves, over the records the battery sends through queries. */

const COLUMNS = Object.entries({
  V: INTEGER,
  T: STRING,
  D: DOUBLE,
  M: mapOf(STRING, INTEGER),
  UNREAD: INTEGER,
}).map(([name, type]) => ({ name, type, role: 'value' as const }))
const WANTED = [0, 1, 2, 3]
const GOOD = Buffer.from('{"V":7,"T":"x","D":1.5,"M":{"a":1},"UNREAD":3}')
const FORMS = ['general', 'scanned', 'generated'] as const

interface Decoded {
  readonly rows: readonly (readonly SqlValue[])[]
  readonly failures: readonly DecodeFailure[]
}

function decode(form: (typeof FORMS)[number], records: readonly (Buffer | null)[]): Decoded {
  const bytes = Buffer.concat(records.map((record) => record ?? Buffer.alloc(0)))
  const starts = new Int32Array(records.length)
  const ends = new Int32Array(records.length)
  let at = 0
  for (const [row, record] of records.entries()) {
    starts[row] = record === null ? -1 : at
    at += record?.length ?? 0
    ends[row] = at
  }
  const failures: DecodeFailure[] = []
  const decoder = new JsonDecoder(COLUMNS, false, form)
  // Once before, so that the generated form knows the records.
  decoder.decode(GOOD, Int32Array.of(0), Int32Array.of(GOOD.length), 1, WANTED, [])
  const vectors = decoder.decode(bytes, starts, ends, records.length, WANTED, failures)
  return {
    rows: records.map((_, row) => WANTED.map((column) => vectors[column]!.value(row))),
    failures,
  }
}

const { poisons, oddities } = CASES.find(({ name }) => name === 'JSON_S')!
const withValue = (list: typeof poisons) => list.filter(({ value }) => value !== undefined)

test.each(withValue(poisons))(
  '$name: one failure, the same in all forms, and its neighbours are as they were',
  ({ value }) => {
    const records = [GOOD, value!(GOOD), GOOD]
    const [general, ...others] = FORMS.map((form) => decode(form, records))
    const [good] = decode('general', [GOOD]).rows
    expect(general!.failures.map(({ row }) => row)).toEqual([1])
    expect([general!.rows[0], general!.rows[2]]).toEqual([good, good])
    for (const other of others) expect(other).toEqual(general)
  },
)

test.each(withValue(oddities))('$name: no failure, and the same in all forms', ({ value }) => {
  const records = [GOOD, value!(GOOD), GOOD]
  const [general, ...others] = FORMS.map((form) => decode(form, records))
  expect(general!.failures).toEqual([])
  for (const other of others) expect(other).toEqual(general)
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})
