import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import type { Expression } from '../../src/sql/ast.ts'
import { parseStatements } from '../../src/sql/parse.ts'
import { printExpression } from '../../src/sql/print-expression.ts'

/*
 * Any expression, printed and read again, is the same expression. Places and spelling of names are left
 * out: a tree made by hand has none.
 */

const at = { line: 1, column: 1, index: 0, length: 1 }
const names = fc.constantFrom(
  'A',
  'SPEED',
  'x',
  'SELECT',
  'MAP',
  'ARRAY',
  'DATE',
  'two words',
  'a`b',
  '1ST',
  'EMIT',
)
const identifier = names.map((name) => ({ kind: 'identifier' as const, name, text: name, quoted: false, at }))
const text = fc.constantFrom('', 'abc', "it's", '${x}', '-- no comment')
const string = text.map((value) => ({ kind: 'string' as const, value, at }))
const type = fc.letrec((tie) => ({
  type: fc.oneof(
    { depthSize: 'small' },
    identifier.map((name) => ({ kind: 'named-type', name, parameters: [], at })),
    fc.constant({ kind: 'decimal-type', precision: 4, scale: 2, at }),
    tie('type').map((element) => ({ kind: 'array-type', element, at })),
    fc.tuple(tie('type'), tie('type')).map(([key, value]) => ({ kind: 'map-type', key, value, at })),
    fc
      .array(fc.record({ name: identifier, type: tie('type') }), { maxLength: 2 })
      .map((fields) => ({ kind: 'struct-type', fields, at })),
  ),
})).type

const expressions = fc.letrec((tie) => {
  const e = tie('expression')
  const some = fc.array(e, { minLength: 1, maxLength: 3 })
  const node = <T extends Record<string, fc.Arbitrary<unknown>>>(
    kind: string,
    members: T,
  ): fc.Arbitrary<unknown> => fc.record({ kind: fc.constant(kind), ...members, at: fc.constant(at) })
  const op = (...ops: string[]): fc.Arbitrary<string> => fc.constantFrom(...ops)
  return {
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      node('column', { source: fc.option(identifier), name: identifier }),
      string,
      fc
        .constantFrom(
          ['integer', '5'],
          ['integer', '-5'],
          ['decimal', '1.50'],
          ['decimal', '-.5'],
          ['double', '1e5'],
        )
        .map(([kind, number]) => ({ kind, text: number, at })),
      node('boolean', { value: fc.boolean() }),
      node('null', {}),
      node('unary', { op: op('+', '-'), operand: e }),
      node('arithmetic', { op: op('+', '-', '*', '/', '%'), left: e, right: e }),
      node('concat', { left: e, right: e }),
      node('comparison', {
        op: op('=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM'),
        left: e,
        right: e,
      }),
      node('logical', { op: op('AND', 'OR'), left: e, right: e }),
      node('not', { operand: e }),
      node('between', { operand: e, low: e, high: e, negated: fc.boolean() }),
      node('in', { operand: e, items: some, negated: fc.boolean() }),
      node('like', { operand: e, pattern: e, escape: fc.option(string), negated: fc.boolean() }),
      node('is-null', { operand: e, negated: fc.boolean() }),
      node('case', {
        operand: fc.option(e),
        branches: fc.array(fc.record({ when: e, then: e }), { minLength: 1, maxLength: 2 }),
        otherwise: fc.option(e),
      }),
      node('cast', { operand: e, type }),
      node('at-time-zone', { operand: e, zone: string }),
      node('subscript', { operand: e, index: e }),
      node('field', { operand: e, field: identifier }),
      node('array', { items: fc.array(e, { maxLength: 2 }) }),
      node('map', { entries: fc.array(fc.record({ key: e, value: e }), { maxLength: 2 }) }),
      node('struct', { fields: fc.array(fc.record({ name: identifier, value: e }), { maxLength: 2 }) }),
      node('call', {
        name: identifier,
        star: fc.constant(false),
        args: fc.array(
          fc.oneof(
            { weight: 5, arbitrary: e },
            {
              weight: 1,
              arbitrary: node('lambda', {
                parameters: fc.array(identifier, { minLength: 1, maxLength: 3 }),
                body: e,
              }),
            },
            { weight: 1, arbitrary: node('time-unit', { unit: fc.constant('DAYS') }) },
          ),
          { maxLength: 3 },
        ),
      }),
    ),
  }
}).expression as fc.Arbitrary<Expression>

function read(sql: string): Expression {
  const [statement] = parseStatements(`SELECT ${sql} FROM s;`, { variables: false })
  if (statement?.kind !== 'query-statement') throw new Error('no query')
  const item = statement.query.items[0]!
  if (item.kind !== 'select-expression') throw new Error('no expression')
  return item.expression
}

function bare(node: unknown): unknown {
  return JSON.parse(
    JSON.stringify(node, (key, value: unknown) => (key === 'at' || key === 'quoted' ? undefined : value), 0),
    (_, value) => (value?.kind === 'identifier' ? { ...value, text: undefined } : value),
  )
}

test.prop([expressions], { numRuns: 500 })(
  'an expression printed and read again is the same',
  (expression) => {
    const printed = printExpression(expression)
    expect(bare(read(printed))).toEqual(bare(expression))
  },
)

test.each([
  ['a or b and not c = 1', 'A OR B AND NOT C = 1'],
  ['(a or b) and c', '(A OR B) AND C'],
  ['not (a and b)', 'NOT (A AND B)'],
  ['(a + b) * c - (d - e)', '(A + B) * C - (D - E)'],
  ['((a))', 'A'],
  ["a || 'x' + b", "A || 'x' + B"],
  ['-(5)', '-(5)'],
  ['- - a', '-(-A)'],
  ['-(5->f)', '-(5->F)'],
  ['a->b->c[1]', 'A->B->C[1]'],
  ['(a = b) = c', '(A = B) = C'],
  [
    "x not like 'a%' escape '!' and y not between 1 and 2 or z not in (1, 2)",
    "X NOT LIKE 'a%' ESCAPE '!' AND Y NOT BETWEEN 1 AND 2 OR Z NOT IN (1, 2)",
  ],
  ['case a when 1 then 2 end', 'CASE A WHEN 1 THEN 2 END'],
  ['reduce(arr, 0, (s, x) => s + x)', 'REDUCE(ARR, 0, (S, X) => S + X)'],
  ['transform(m, (k) => k, v => v + 1)', 'TRANSFORM(M, K => K, V => V + 1)'],
  ['dateadd(days, 5, d)', 'DATEADD(DAYS, 5, D)'],
  ["decimal '1.0'", "DECIMAL '1.0'"],
  ['count()', 'COUNT()'],
  ["ts at time zone 'UTC'", "TS AT TIME ZONE 'UTC'"],
  ['cast(a as map<string, array<decimal(4, 2)>>)', 'CAST(A AS MAP<STRING, ARRAY<DECIMAL(4, 2)>>)'],
])('%s', (sql, printed) => {
  expect(printExpression(read(sql))).toBe(printed)
})
