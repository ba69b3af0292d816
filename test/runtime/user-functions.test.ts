import { expect, expectTypeOf, test } from 'vitest'
import {
  aggregateFunction,
  array,
  bigint,
  double,
  integer,
  map,
  nullable,
  optional,
  scalarFunction,
  scalarOverload,
  string,
  struct,
  tableFunction,
  typeParameter,
  variadic,
  anyDecimal,
  decimal,
  type UserFunction,
} from '../../src/index.ts'
import { TestDriver } from '../../src/testing/driver.ts'

const celsius = scalarFunction({
  name: 'celsius',
  summary: 'Converts degrees Fahrenheit.',
  args: { fahrenheit: double() },
  returns: double(),
  body: ({ fahrenheit }) => (fahrenheit - 32) / 1.8,
  examples: [
    ['CELSIUS(212)', 100],
    ['CELSIUS(NULL)', null],
  ],
})

const total = scalarFunction({
  name: 'TOTAL_OF',
  summary: 'Adds up whatever it is given.',
  overloads: [
    scalarOverload({
      args: { first: integer(), others: variadic(integer()) },
      returns: integer(),
      body({ first, others }) {
        expectTypeOf(others).toEqualTypeOf<readonly number[]>()
        return others.reduce((sum, n) => sum + n, first)
      },
    }),
    scalarOverload({
      args: { texts: variadic(nullable(string())) },
      returns: string(),
      body({ texts }) {
        expectTypeOf(texts).toEqualTypeOf<readonly (string | null)[]>()
        return texts.map((text) => text ?? '?').join('+')
      },
    }),
  ],
  examples: [
    ['TOTAL_OF(1, 2, 3)', 6],
    ["TOTAL_OF('a', NULL, 'b')", 'a+?+b'],
    ['TOTAL_OF()', ''],
  ],
})

const T = typeParameter('T')
const pairUp = scalarFunction({
  name: 'PAIR_UP',
  summary: 'A value and an array as one array of STRUCTs.',
  args: { value: T, items: array(T), label: optional(string()) },
  returns: ({ value }) => array(struct({ VALUE: value, ITEM: value, LABEL: string() })),
  body({ value, items, label }) {
    expectTypeOf(label).toEqualTypeOf<string | undefined>()
    return items.map((item) => ({ VALUE: value, ITEM: item, LABEL: label ?? null }))
  },
  examples: [
    ["PAIR_UP(1, ARRAY[2], 'x')", [{ VALUE: 1, ITEM: 2, LABEL: 'x' }]],
    ["PAIR_UP('a', ARRAY['b', NULL])", [{ VALUE: 'a', ITEM: 'b' }, { VALUE: 'a' }]],
  ],
})

const halved = scalarFunction({
  name: 'HALVED',
  summary: 'Half of a DECIMAL, with one digit more.',
  args: { value: anyDecimal() },
  returns: ({ value }) => {
    const { sql } = value
    if (sql.kind !== 'DECIMAL') throw new TypeError('it takes a DECIMAL.')
    return decimal(sql.precision + 1, sql.scale + 1)
  },
  body: ({ value }) => value.div(2),
  examples: [['HALVED(2.25)', '1.125']],
})

const quantile = aggregateFunction({
  name: 'NTH_HIGHEST',
  summary: 'The n-th highest value.',
  args: { value: double() },
  parameters: { n: integer() },
  state: array(double()),
  returns: double(),
  initial({ parameters }) {
    if (parameters.n < 1) throw new RangeError('n begins at 1.')
    return []
  },
  add: (state, { value }) => [...state, value].sort((a, b) => b - a),
  undo: (state, { value }) => state.toSpliced(state.indexOf(value), 1),
  merge: (earlier, later) => [...earlier, ...later].sort((a, b) => b - a),
  result: (state, { parameters }) => state[parameters.n - 1] ?? null,
  examples: [
    { rows: ['1', '5', 'NULL', '3'], parameters: '2', result: 3 },
    { rows: ['1'], parameters: '2', result: null },
  ],
})

const range = aggregateFunction({
  name: 'RANGE_OF',
  summary: 'The difference between the highest and the lowest value.',
  args: { value: double() },
  state: { low: double(), high: double(), note: nullable(string()) },
  returns: double(),
  initial: () => ({ low: Infinity, high: -Infinity, note: null }),
  add({ low, high, note }, { value }) {
    expectTypeOf(low).toEqualTypeOf<number>()
    expectTypeOf(note).toEqualTypeOf<string | null>()
    return { low: Math.min(low, value), high: Math.max(high, value), note }
  },
  merge: (a, b) => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high), note: null }),
  result: ({ low, high }) => (high < low ? null : high - low),
  examples: [{ rows: ['3', '10', '5'], result: 7 }],
})

const words = tableFunction({
  name: 'WORDS',
  summary: 'The words of a text and how often each occurs.',
  args: { text: string() },
  returns: struct({ WORD: string(), TIMES: bigint() }),
  *body({ text }) {
    const counts = Map.groupBy(text.split(' '), (word) => word)
    for (const [word, all] of counts) yield { WORD: word, TIMES: all.length }
  },
  examples: [
    [
      "WORDS('a b a')",
      [
        { WORD: 'a', TIMES: 2 },
        { WORD: 'b', TIMES: 1 },
      ],
    ],
    ['WORDS(NULL)', []],
  ],
})

const keysOf = scalarFunction({
  name: 'LONGEST_KEY',
  summary: 'The longest key of a MAP.',
  args: { entries: map(typeParameter('V')) },
  returns: string(),
  body: ({ entries }) => [...entries.keys()].sort((a, b) => b.length - a.length)[0] ?? null,
  examples: [["LONGEST_KEY(MAP('a' := 1, 'bcd' := 2))", 'bcd']],
})

const all: readonly UserFunction[] = [celsius, total, pairUp, halved, quantile, range, words, keysOf]

const SOURCE = `CREATE STREAM readings (id STRING KEY, t DOUBLE, note STRING)
  WITH (kafka_topic = 'readings', value_format = 'JSON', partitions = 1);`

function values(driver: TestDriver, topic: string): unknown[] {
  return driver.records(topic).map(({ value }) => value && JSON.parse(Buffer.from(value).toString()))
}

test('scalar and table functions of a user work in a query like the dialect’s', async () => {
  const driver = new TestDriver({ functions: all })
  await driver.sql(`${SOURCE}
    CREATE STREAM out AS SELECT id, celsius(t) AS c, total_of(note, 'x') AS n, WORDS(note)->WORD AS w FROM readings;`)
  await driver.produce('readings', { key: 'a', value: { T: 212, NOTE: 'to be to' } })
  expect(values(driver, 'OUT')).toEqual([
    { C: 100, N: 'to be to+x', W: 'to' },
    { C: 100, N: 'to be to+x', W: 'be' },
  ])
})
