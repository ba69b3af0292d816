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
  tableOverload,
  ManualClock,
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

test('an overload is chosen by the types of the arguments, with the conversions of the dialect', async () => {
  const driver = new TestDriver({ functions: all })
  await driver.sql(`${SOURCE}
    CREATE STREAM out AS SELECT id, celsius(50) AS c, total_of(1, 2) AS n, halved(CAST('2.5' AS DECIMAL(4, 2))) AS h,
      pair_up(1, ARRAY[2])[1]->item AS p FROM readings;`)
  const [out] = driver.catalog.sources().filter((s) => s.name === 'OUT')
  expect(out!.schema.columns.map((c) => [c.name, c.type.kind])).toEqual([
    ['ID', 'STRING'],
    ['C', 'DOUBLE'],
    ['N', 'INTEGER'],
    ['H', 'DECIMAL'],
    ['P', 'INTEGER'],
  ])
  await expect(driver.sql("CREATE STREAM o2 AS SELECT id, celsius('x') AS c FROM readings;")).rejects.toThrow(
    "Function 'celsius' does not accept parameters (STRING).",
  )
})

test('a call that throws, or gives no value of its type, is null; the problem names function and record', async () => {
  const driver = new TestDriver({
    functions: [
      scalarFunction({
        name: 'PICKY',
        summary: 'Fails for negative values.',
        args: { value: double() },
        returns: integer(),
        body({ value }) {
          if (value < 0) throw new RangeError('negative')
          return value
        },
      }),
    ],
  })
  await driver.sql(`${SOURCE} CREATE STREAM out AS SELECT id, picky(t) AS p FROM readings;`)
  for (const T of [1, -1, 1.5]) await driver.produce('readings', { key: 'a', value: { T } })
  expect(values(driver, 'OUT')).toEqual([{ P: 1 }, { P: null }, { P: null }])
  expect(driver.problems).toMatchObject([
    { kind: 'expression', topic: 'readings', offset: 1, reason: 'Function PICKY failed: negative' },
    {
      kind: 'expression',
      topic: 'readings',
      offset: 2,
      reason: 'Function PICKY failed: it gave 1.5 where INTEGER is declared.',
    },
  ])
})

test('an aggregate of a user: literal arguments, null rows, sessions, and tables where it can undo', async () => {
  const driver = new TestDriver({ functions: all })
  await driver.sql(`${SOURCE}
    CREATE TABLE highest AS SELECT id, NTH_HIGHEST(t, 2) AS v, RANGE_OF(t) AS r FROM readings GROUP BY id;
    CREATE TABLE sessions AS SELECT id, RANGE_OF(t) AS v FROM readings WINDOW SESSION (10 SECONDS) GROUP BY id;
    CREATE TABLE latest (id STRING PRIMARY KEY, grp STRING, t DOUBLE)
      WITH (kafka_topic = 'latest', value_format = 'JSON', partitions = 1);
    CREATE TABLE by_group AS SELECT grp, NTH_HIGHEST(t, 1) AS v FROM latest GROUP BY grp;`)
  const produce = (T: number | null, timestampMs: number): Promise<void> =>
    driver.produce('readings', { key: 'a', value: { T }, timestampMs })
  await produce(5, 0)
  await produce(9, 20_000)
  await produce(null, 20_000)
  await produce(7, 10_000)
  expect(values(driver, 'HIGHEST')).toEqual([
    { V: null, R: 0 },
    { V: 5, R: 4 },
    { V: 5, R: 4 },
    { V: 7, R: 4 },
  ])
  expect(values(driver, 'SESSIONS').at(-1)).toEqual({ V: 4 })
  await driver.produce('latest', { key: 'x', value: { GRP: 'g', T: 3 } })
  await driver.produce('latest', { key: 'y', value: { GRP: 'g', T: 8 } })
  await driver.produce('latest', { key: 'y', value: { GRP: 'g', T: 1 } })
  await driver.produce('latest', { key: 'x', value: null })
  expect(values(driver, 'BY_GROUP').map((v) => (v as { V: number }).V)).toEqual([3, 8, 3, 1])
  await expect(
    driver.sql('CREATE TABLE no AS SELECT grp, RANGE_OF(t) AS v FROM latest GROUP BY grp;'),
  ).rejects.toThrow("RANGE_OF can't be used over a table")
  await expect(
    driver.sql('CREATE TABLE no AS SELECT id, NTH_HIGHEST(t, 0) AS v FROM readings GROUP BY id;'),
  ).rejects.toThrow('Function NTH_HIGHEST refuses its arguments: n begins at 1.')
})

test('SHOW FUNCTIONS lists functions of users, DESCRIBE FUNCTION shows one', async () => {
  const driver = new TestDriver({ functions: all })
  const [shown, described] = await driver.sql('SHOW FUNCTIONS; DESCRIBE FUNCTION nth_highest;')
  expect(shown).toMatchObject({
    rows: expect.arrayContaining([
      ['CELSIUS', 'SCALAR', 'user'],
      ['NTH_HIGHEST', 'AGGREGATE', 'user'],
      ['WORDS', 'TABLE', 'user'],
    ]) as unknown,
  })
  expect(described).toMatchObject({
    text: expect.stringContaining('NTH_HIGHEST(value DOUBLE, n INTEGER) => DOUBLE') as unknown,
  })
})

const good = { name: 'MINE', summary: 'Mine.', args: { x: integer() }, returns: integer() }
const same = ({ x }: { readonly x: number }): number => x

test.each<[string, () => UserFunction | readonly UserFunction[], string]>([
  [
    'a name of the dialect',
    () => scalarFunction({ ...good, name: 'lcase', body: same }),
    "Function LCASE can't be registered: the dialect has a function of this name.",
  ],
  [
    'one name twice',
    () => [scalarFunction({ ...good, body: same }), scalarFunction({ ...good, body: same })],
    'Two functions are named MINE.',
  ],
  [
    'no name',
    () => scalarFunction({ ...good, name: 'my fn', body: same }),
    "Function MY FN can't be registered: its name must be letters, digits and _, not beginning with a digit.",
  ],
  [
    'a word of SQL',
    () => scalarFunction({ ...good, name: 'SELECT', body: same }),
    "Function SELECT can't be registered: its name is a word of SQL.",
  ],
  [
    'no summary',
    () => scalarFunction({ ...good, summary: ' ', body: same }),
    "Function MINE can't be registered: it has no summary.",
  ],
  [
    'no signature',
    () => scalarFunction({ name: 'MINE', summary: 'Mine.', overloads: [] }),
    "Function MINE can't be registered: it has no signature.",
  ],
  [
    'a variadic argument that is not the last',
    () => scalarFunction({ ...good, args: { x: variadic(integer()), y: integer() }, body: ({ y }) => y }),
    "Function MINE can't be registered: in MINE(x INTEGER..., y INTEGER) => INTEGER, the variadic argument x is not the last one.",
  ],
  [
    'two signatures alike',
    () => {
      const overload = scalarOverload({ ...good, body: same })
      return scalarFunction({ name: 'MINE', summary: 'Mine.', overloads: [overload, overload] })
    },
    "Function MINE can't be registered: two of its signatures take (INTEGER).",
  ],
  [
    'a result of a type nobody knows',
    () => scalarFunction({ ...good, returns: typeParameter('R'), body: () => null }),
    "Function MINE can't be registered: in MINE(x INTEGER) => R, no argument says what R of the result is.",
  ],
  [
    'no such DECIMAL',
    () => scalarFunction({ ...good, returns: decimal(2, 4), body: () => null }),
    "Function MINE can't be registered: in MINE(x INTEGER) => DECIMAL(2, 4), the result is DECIMAL(2, 4): the scale goes from 0 to the precision.",
  ],
  [
    'an example that gives something else',
    () => scalarFunction({ ...good, body: same, examples: [['MINE(1)', 2]] }),
    "Function MINE can't be registered: its example MINE(1) gives 1, not 2.",
  ],
  [
    'an example that is no SQL',
    () => scalarFunction({ ...good, body: same, examples: [['MINE(', 2]] }),
    "Function MINE can't be registered: its example MINE( fails",
  ],
  [
    'an example of the wrong types',
    () => scalarFunction({ ...good, body: same, examples: [["MINE('a')", 2]] }),
    "Function MINE can't be registered: its example MINE('a') fails: Function 'mine' does not accept parameters (STRING).",
  ],
  [
    'a body that waits',
    () =>
      scalarFunction({
        ...good,
        // What the compiler refuses, plain JavaScript can do.
        body: (async ({ x }: { readonly x: number }) => Promise.resolve(x)) as never,
        examples: [['MINE(1)', 1]],
      }),
    "its example MINE(1) fails: Function MINE failed: it gave a promise where INTEGER is declared: functions can't wait.",
  ],
  [
    'a merge that forgets',
    () =>
      aggregateFunction({
        ...good,
        state: integer(),
        initial: () => 0,
        add: (sum, { x }) => sum + x,
        merge: (earlier) => earlier,
        result: (sum) => sum,
        examples: [{ rows: ['1', '2'], result: 3 }],
      }),
    "Function MINE can't be registered: its example MINE of the rows (1), (2), merged from the first 0 and the others, gives 0, not 3.",
  ],
  [
    'an undo that takes back nothing',
    () =>
      aggregateFunction({
        ...good,
        state: integer(),
        initial: () => 0,
        add: (sum, { x }) => sum + x,
        undo: (sum) => sum,
        merge: (earlier, later) => earlier + later,
        result: (sum) => sum,
        examples: [{ rows: ['1', '2'], result: 3 }],
      }),
    'its example MINE of the rows (1), (2), one added and undone, gives 4, not 3.',
  ],
  [
    'a state that is not of its type',
    () =>
      aggregateFunction({
        ...good,
        state: integer(),
        initial: () => 0.5,
        add: (sum) => sum,
        merge: (sum) => sum,
        result: (sum) => sum,
        examples: [{ rows: ['1'], result: 1 }],
      }),
    'Function MINE refuses its arguments: it gave 0.5 where INTEGER is declared.',
  ],
  ['something else', () => ({ name: 'x' }) as unknown as UserFunction, 'is no declaration of a function.'],
])('registration refuses %s', (_, make, message) => {
  const made = make()
  expect(() => new TestDriver({ functions: Array.isArray(made) ? made : [made as UserFunction] })).toThrow(
    message,
  )
})

test('a table function that fails gives no rows; the problem names function and record', async () => {
  const lines = tableFunction({
    name: 'LINES',
    summary: 'The lines of a text.',
    overloads: [
      // Plain JavaScript may give what the compiler would refuse.
      tableOverload({ args: { text: string() }, returns: string(), body: () => undefined as never }),
      tableOverload({
        args: { text: string(), separator: string() },
        returns: string(),
        body: ({ text, separator }) => text.split(separator),
      }),
    ],
  })
  const driver = new TestDriver({ functions: [lines] })
  await driver.sql(`${SOURCE}
    CREATE STREAM bad AS SELECT id, LINES(note) AS line FROM readings;
    CREATE STREAM good AS SELECT id, LINES(note, '/') AS line FROM readings;`)
  await driver.produce('readings', { key: 'a', value: { NOTE: 'x/y' } })
  expect(values(driver, 'BAD')).toEqual([])
  expect(values(driver, 'GOOD')).toEqual([{ LINE: 'x' }, { LINE: 'y' }])
  expect(driver.problems).toMatchObject([
    { topic: 'readings', offset: 0, reason: 'Function LINES failed: it gave no list of rows.' },
  ])
})

test('a body has the clock and the settings of its query', async () => {
  const stamped = scalarFunction({
    name: 'STAMPED',
    summary: 'A text with the time and a setting.',
    args: { text: string() },
    returns: string(),
    body: ({ text }, { clock, settings }) =>
      `${text} ${clock.nowMs()} ${settings.get('ksql.functions.stamped.by') ?? 'nobody'}`,
  })
  const driver = new TestDriver({ functions: [stamped], clock: new ManualClock(5) })
  await driver.sql(`SET 'ksql.functions.stamped.by' = 'me'; ${SOURCE}
    CREATE STREAM out AS SELECT id, STAMPED(note) AS s FROM readings;`)
  await driver.produce('readings', { key: 'a', value: { NOTE: 'x' } })
  expect(values(driver, 'OUT')).toEqual([{ S: 'x 5 me' }])
})
