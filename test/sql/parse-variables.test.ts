import { describe, expect, test } from 'vitest'
import { parseAll, parseStatements } from '../../src/sql/parse.ts'
import { printStatement } from '../../src/sql/print-statement.ts'

const variables = new Map([
  ['NAME', 'vehicles'],
  ['QUOTED', '`Vehicle-1`'],
  ['NUMBER', '-42'],
  ['TEXT', "'abc'"],
  ['TRICKY', "x'; DROP STREAM s; --"],
  ['WORD', 'DATE'],
  ['RESERVED', 'SELECT'],
])

function canonical(sql: string): string {
  return parseStatements(sql, { variables }).map(printStatement).join(' ')
}

describe('a variable is replaced by what its place can hold', () => {
  test.each([
    ['SELECT * FROM ${name};', 'SELECT * FROM VEHICLES;'],
    ['SELECT * FROM ${Quoted};', 'SELECT * FROM `Vehicle-1`;'],
    ['SELECT ${number} + 1, ${text}, ${word} FROM s;', "SELECT -42 + 1, 'abc', DATE FROM S;"],
    ["PRINT '${name}.x';", "PRINT 'vehicles.x';"],
    ['PRINT ${name};', "PRINT 'vehicles';"],
    ["SET 'a' = '${tricky}';", "SET 'a' = 'x''; DROP STREAM s; --';"],
    ["SET 'a' = '$${name} ${unknown}';", "SET 'a' = '${name} ${unknown}';"],
    ['CREATE TYPE t AS ${word};', 'CREATE TYPE T AS DATE;'],
  ])('%s', (sql, printed) => {
    expect(canonical(sql)).toBe(printed)
  })

  test.each(['${reserved} * FROM s;', 'SELECT * FROM ${tricky};', 'SELECT * FROM ${unknown};'])(
    '%s is refused',
    (sql) => {
      expect(parseAll(sql, { variables }).errors.length).toBeGreaterThan(0)
    },
  )
})

test('the text of a statement has variables replaced, positions are those of the text given', () => {
  const [statement] = parseStatements("SELECT '${name}', b FROM ${name};", { variables })
  expect(statement).toMatchObject({
    text: "SELECT 'vehicles', b FROM vehicles;",
    query: { items: [{}, { at: { column: 19 } }] },
  })
})

test('DEFINE and UNDEFINE take effect from the next statement on', () => {
  const { statements, errors } = parseAll(
    "DEFINE v = 'a'; SELECT * FROM ${v}; UNDEFINE v; SELECT * FROM ${v};",
  )
  expect(statements.map(({ text }) => text)).toContain('SELECT * FROM a;')
  expect(errors).toMatchObject([
    { message: 'The variable ${v} is not defined.', hint: "Give it a value first: DEFINE v = 'value';" },
  ])
})

test('replacing can be switched off', () => {
  expect(parseStatements("SET 'a' = '${name}';", { variables: false })).toMatchObject([
    { value: { value: '${name}' } },
  ])
})
