import Big from 'big.js'
import { describe, expect, test } from 'vitest'
import { ExpandedTable, rowCount, Table } from '../../src/cli/table.ts'
import { cellText, jsonText, rowJson } from '../../src/cli/value-text.ts'
import type { Schema } from '../../src/plan/schema.ts'
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
  TIME,
  TIMESTAMP,
} from '../../src/plan/sql-type.ts'
import { FakeTerminal } from './fake-terminal.ts'

const schema: Schema = {
  columns: [
    { name: 'ID', type: STRING, role: 'key' },
    { name: 'SPEED', type: DOUBLE, role: 'value' },
    { name: 'NOTE', type: STRING, role: 'value' },
  ],
}

describe('on a terminal', () => {
  test('columns are divided by lines, numbers stand to the right', () => {
    const terminal = new FakeTerminal({ isInteractive: true })
    const table = new Table(schema, terminal)
    table.write([
      ['V001', 45.5, 'ok'],
      ['V2', 120, null],
    ])
    table.end()
    expect(terminal.output).toBe(
      [
        '  ID  | SPEED | NOTE',
        '------+-------+------',
        ' V001 |  45.5 | ok',
        ' V2   | 120.0 | null',
        '',
      ].join('\n'),
    )
  })

  test('a wider row widens the columns from there on', () => {
    const terminal = new FakeTerminal({ isInteractive: true })
    const table = new Table(schema, terminal)
    table.write([['A', 1, 'x']])
    table.write([['A LONG NAME', 2, 'y']])
    table.write([['B', 3, 'z']])
    expect(terminal.output.split('\n').slice(2)).toEqual([
      ' A  |   1.0 | x',
      ' A LONG NAME |   2.0 | y',
      ' B           |   3.0 | z',
      '',
    ])
  })

  test('wide and combined characters count as they are drawn', () => {
    const terminal = new FakeTerminal({ isInteractive: true })
    new Table(schema, terminal).write([
      ['東京', 1, '👨‍👩‍👧'],
      ['e\u0301', 2, 'b'],
    ])
    expect(terminal.output.split('\n').slice(2, 4)).toEqual([' 東京 |   1.0 | 👨‍👩‍👧', ' e\u0301    |   2.0 | b'])
  })

  test('a deleted row shows its key only', () => {
    const terminal = new FakeTerminal({ isInteractive: true })
    new Table(schema, terminal).write([['A', null, null]], new Set([0]))
    expect(terminal.output).toContain(' A  |     - | -')
  })

  test('an empty table shows its columns', () => {
    const terminal = new FakeTerminal({ isInteractive: true })
    new Table(schema, terminal).end()
    expect(terminal.output).toBe(' ID | SPEED | NOTE\n----+-------+------\n')
  })
})

test('elsewhere there are no lines and no colours', () => {
  const terminal = new FakeTerminal()
  const table = new Table(schema, terminal)
  table.write([['V001', 45.5, 'ok']])
  table.end()
  expect(terminal.output).toBe('ID    SPEED  NOTE\nV001   45.5  ok\n')
})

test('expanded rows stand one below the other', () => {
  const terminal = new FakeTerminal({ isInteractive: true })
  const table = new ExpandedTable(schema, terminal)
  table.write([['V001', 45.5, 'ok']])
  table.write([['V002', null, null]], new Set([0]))
  expect(terminal.output).toBe(
    '-[ 1 ]-----\nID    | V001\nSPEED | 45.5\nNOTE  | ok\n-[ 2 deleted ]-----\nID    | V002\n',
  )
})

test('rows are counted in words', () => {
  expect([0, 1, 3, 12345].map(rowCount)).toEqual(['(0 rows)', '(1 row)', '(3 rows)', '(12,345 rows)'])
})

test('control characters do not reach the terminal', () => {
  expect(cellText(STRING, 'a\nb\u001b[2J\t')).toBe('a\\nb\\u001b[2J\\t')
})

describe('values as JSON', () => {
  test.each([
    [BOOLEAN, true, 'true'],
    [INTEGER, -5, '-5'],
    [BIGINT, 9223372036854775807n, '9223372036854775807'],
    [DOUBLE, 0.1, '0.1'],
    [DOUBLE, Number.NaN, '"NaN"'],
    [decimal(6, 3), new Big('12.5'), '12.500'],
    [STRING, 'say "hi"', '"say \\"hi\\""'],
    [BYTES, new Uint8Array([1, 255]), '"Af8="'],
    [TIMESTAMP, 1000, '"1970-01-01T00:00:01.000"'],
    [DATE, 1, '"1970-01-02"'],
    [TIME, 3_600_000, '"01:00"'],
    [arrayOf(INTEGER), [1, null], '[1,null]'],
    [mapOf(STRING, INTEGER), new Map([['a', 1]]), '{"a":1}'],
    [structOf([{ name: 'X', type: INTEGER }]), [7], '{"X":7}'],
    [STRING, null, 'null'],
  ])('%j', (type, value, json) => {
    expect(jsonText(type, value)).toBe(json)
  })

  test('a row is one object', () => {
    expect(rowJson(schema, ['V001', 45.5, null])).toBe('{"ID":"V001","SPEED":45.5,"NOTE":null}')
  })
})
