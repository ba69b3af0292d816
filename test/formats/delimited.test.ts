import Big from 'big.js'
import { expect, test } from 'vitest'
import { delimited } from '../../src/formats/delimited.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  BYTES,
  DATE,
  decimal,
  DOUBLE,
  INTEGER,
  STRING,
} from '../../src/plan/sql-type.ts'
import { columnsOf, decodeOne, decodeRows, encodeOne, specOf, textOf } from './format-harness.ts'

const all = {
  B: BOOLEAN,
  I: INTEGER,
  L: BIGINT,
  D: DOUBLE,
  C: decimal(6, 4),
  S: STRING,
  Y: BYTES,
  T: DATE,
}

test('all types there and back', () => {
  const row = [true, -1, 9223372036854775807n, 1e7, new Big('12.5'), 'a,"b"', Uint8Array.of(255), 19000]
  const line = 'true,-1,9223372036854775807,1.0E7,12.5000,"a,""b""",/w==,19000'
  expect(textOf(encodeOne(delimited, all, row))).toBe(line)
  expect(decodeOne(delimited, all, line)).toEqual(row)
})

test('nulls are empty fields, and empty text does not survive', () => {
  expect(textOf(encodeOne(delimited, all, new Array(8).fill(null)))).toBe(',,,,,,,')
  expect(decodeOne(delimited, { A: STRING, B: INTEGER }, '"",')).toEqual([null, null])
})

test.each([
  ['', '""'],
  ['-1', '"-1"'],
  ['é', '"é"'],
  ['a b', 'a b'],
  ['a ', '"a "'],
  ['a\nb', '"a\nb"'],
  ['a;b', 'a;b'],
])('the first field %j is written as %j', (text, written) => {
  expect(textOf(encodeOne(delimited, { A: STRING }, [text]))).toBe(written)
})

test.each([
  ['', 'x,'],
  ['-1', 'x,-1'],
  ['é', 'x,é'],
  ['#a', 'x,"#a"'],
  [' a', 'x," a"'],
  ['$a', 'x,$a'],
  ['a\t', 'x,"a\t"'],
])('the second field %j is written as %j', (text, line) => {
  expect(textOf(encodeOne(delimited, { A: STRING, B: STRING }, ['x', text]))).toBe(line)
})

test.each([
  ['a"b,c', ['a"b', 'c']],
  ['"a"  ,c', ['a', 'c']],
  ['"a\nb",c', ['a\nb', 'c']],
  ['\r\na,b\nc,d', ['a', 'b']],
  [' a,b ', [' a', 'b ']],
])('reads the line %j', (line, row) => {
  expect(decodeOne(delimited, { A: STRING, B: STRING }, line)).toEqual(row)
})

test('bad lines fail alone, with a reason', () => {
  const decoder = delimited.decoder('value', columnsOf({ A: INTEGER, B: decimal(3, 1) }), specOf(delimited))
  const { rows, failures } = decodeRows(decoder, 2, [
    '1,2',
    '1',
    'x,1',
    '1,0.25',
    '',
    '"1,2',
    '"1"x,2',
    '2147483648,1',
    '3,.5',
  ])
  expect(rows).toEqual([[1, new Big(2)], ...new Array(7).fill([null, null]), [3, new Big(0.5)]])
  expect(failures).toMatchInlineSnapshot(`
    [
      {
        "reason": "The line has 1 field, but 2 are declared",
        "row": 1,
      },
      {
        "reason": "The text "x" cannot be read as INTEGER, column A",
        "row": 2,
      },
      {
        "reason": "The text "0.25" cannot be read as DECIMAL(3, 1), column B",
        "row": 3,
      },
      {
        "reason": "There are no fields in the record",
        "row": 4,
      },
      {
        "reason": "The quote of field 1 is not closed",
        "row": 5,
      },
      {
        "reason": "Text follows the closing quote of field 1",
        "row": 6,
      },
      {
        "reason": "The text "2147483648" cannot be read as INTEGER, column A",
        "row": 7,
      },
    ]
  `)
})

test('SPACE, TAB and any one character delimit', () => {
  const delimitedBy = (delimiter: string): (string | null)[] => {
    const spec = { properties: { delimiter } }
    const line = textOf(encodeOne(delimited, { A: STRING, B: STRING }, ['a', 'b'], spec))
    return [line, ...(decodeOne(delimited, { A: STRING, B: STRING }, line!, spec) as string[])]
  }
  expect(delimitedBy('SPACE')).toEqual(['a b', 'a', 'b'])
  expect(delimitedBy('TAB')).toEqual(['a\tb', 'a', 'b'])
  expect(delimitedBy('|')).toEqual(['a|b', 'a', 'b'])
  expect(delimitedBy('€')).toEqual(['a€b', 'a', 'b'])
})

test('refuses nested types and long delimiters', () => {
  expect(delimited.refuses('value', columnsOf({ A: arrayOf(STRING) }), specOf(delimited))).toContain(
    "type 'ARRAY'",
  )
  for (const delimiter of ['<~>', '']) {
    expect(delimited.refuses('value', [], specOf(delimited, { properties: { delimiter } }))).toContain(
      'Invalid delimiter value',
    )
  }
})

test('a null key column alone is a null key, several are a line', () => {
  expect(encodeOne(delimited, { A: STRING }, [null], {}, 'key')).toBeNull()
  expect(textOf(encodeOne(delimited, { A: STRING, B: STRING }, [null, null], {}, 'key'))).toBe(',')
  expect(textOf(encodeOne(delimited, { A: STRING }, [null]))).toBe('')
})
