import { expect, test } from 'vitest'
import {
  aggregateFunction,
  array,
  double,
  Millrace,
  scalarFunction,
  string,
  type MillraceOptions,
  type RuntimeProblem,
  type UserFunction,
} from '../../src/index.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'

const shout = scalarFunction({
  name: 'SHOUT',
  summary: 'In upper case.',
  args: { text: string() },
  returns: string(),
  body: ({ text }) => text.toUpperCase(),
  examples: [["SHOUT('a')", 'A']],
})

const median = aggregateFunction({
  name: 'MEDIAN',
  summary: 'The value in the middle.',
  args: { value: double() },
  state: array(double()),
  returns: double(),
  initial: () => [],
  add(state, { value }) {
    if (value < 0) throw new RangeError('no median of negative values')
    return [...state, value].sort((a, b) => a - b)
  },
  merge: (earlier, later) => [...earlier, ...later].sort((a, b) => a - b),
  result: (state) => state[state.length >> 1] ?? null,
  examples: [{ rows: ['3', '1', '2'], result: 2 }],
})

const SOURCE = `CREATE STREAM readings (id STRING KEY, t DOUBLE)
  WITH (kafka_topic = 'readings', value_format = 'JSON', partitions = 1);`

/** Opens the same data again and again. */
function opener(): (
  functions: readonly UserFunction[],
  more?: Partial<MillraceOptions>,
) => Promise<Millrace> {
  const fileSystem = new MemoryFileSystem()
  return (functions, more = {}) =>
    Millrace.open({ fileSystem, durability: 'os', commitIntervalMs: 5, functions, ...more })
}

async function rowsOf(millrace: Millrace, sql: string): Promise<readonly unknown[]> {
  const [result] = await millrace.sql(sql)
  if (result?.kind !== 'rows') throw new Error('no rows')
  return result.rows
}

const record = (key: string, T: number): { key: string; value: { T: number }; timestampMs: number } => ({
  key,
  value: { T },
  timestampMs: 1,
})

test('states and queries with functions of a user survive a restart', async () => {
  const open = opener()
  let millrace = await open([shout, median])
  await millrace.sql(`${SOURCE}
    CREATE STREAM loud AS SELECT id, SHOUT(id) AS name, t FROM readings;
    CREATE TABLE middles AS SELECT name, MEDIAN(t) AS m FROM loud GROUP BY name;`)
  await millrace.produce('readings', [record('a', 3), record('a', 1)])
  await millrace.untilIdle()
  await millrace.close()
  millrace = await open([median, shout])
  await millrace.produce('readings', [record('a', 2)])
  await millrace.untilIdle()
  expect(await rowsOf(millrace, "SELECT * FROM middles WHERE name = 'A';")).toEqual([['A', 2]])
  await millrace.close()
})

test('a query whose function is missing at a restart is in ERROR and goes on when it is back', async () => {
  const open = opener()
  let millrace = await open([shout, median])
  await millrace.sql(`${SOURCE}
    CREATE STREAM loud AS SELECT id, SHOUT(id) AS name FROM readings;
    CREATE TABLE middles AS SELECT id, MEDIAN(t) AS m FROM readings GROUP BY id;
    CREATE STREAM copy AS SELECT * FROM readings;`)
  await millrace.produce('readings', [record('a', 3)])
  await millrace.untilIdle()
  await millrace.close()

  const problems: RuntimeProblem[] = []
  millrace = await open([], { onProblem: (problem) => problems.push(problem) })
  expect(millrace.queries().map((q) => [q.writes, q.state, q.error])).toEqual([
    ['LOUD', 'ERROR', 'The query needs the scalar function SHOUT, which is not registered.'],
    ['MIDDLES', 'ERROR', 'The query needs the aggregate function MEDIAN, which is not registered.'],
    ['COPY', 'RUNNING', null],
  ])
  expect(problems.map((p) => p.kind)).toEqual(['query-failed', 'query-failed'])
  await millrace.produce('readings', [record('a', 5), record('a', 4)])
  await expect(millrace.untilIdle()).rejects.toThrow('SHOUT, which is not registered')
  await millrace.close()

  millrace = await open([shout, median])
  await millrace.untilIdle()
  expect(await rowsOf(millrace, "SELECT m FROM middles WHERE id = 'a';")).toEqual([[4]])
  await millrace.close()
})

test('a function that came back with other types, or another state, is refused by the query, not misread', async () => {
  const open = opener()
  let millrace = await open([shout, median])
  await millrace.sql(`${SOURCE}
    CREATE STREAM loud AS SELECT id, SHOUT(id) AS name FROM readings;
    CREATE TABLE middles AS SELECT id, MEDIAN(t) AS m FROM readings GROUP BY id;`)
  await millrace.close()
  const otherShout = scalarFunction({
    name: 'SHOUT',
    summary: 'How loud.',
    args: { text: string() },
    returns: double(),
    body: ({ text }) => text.length,
  })
  const otherMedian = aggregateFunction({
    name: 'MEDIAN',
    summary: 'Not quite the value in the middle.',
    args: { value: double() },
    state: double(),
    returns: double(),
    initial: () => 0,
    add: (_, { value }) => value,
    merge: (_, later) => later,
    result: (state) => state,
  })
  millrace = await open([otherShout, otherMedian])
  expect(millrace.queries().map((q) => [q.state, q.error])).toEqual([
    ['ERROR', 'The query was made with SHOUT(STRING) => STRING; now it gives DOUBLE.'],
    ['ERROR', 'The query keeps ARRAY<DOUBLE> for MEDIAN, which now keeps DOUBLE.'],
  ])
  await millrace.close()
})

test('an aggregate that fails stops its query, naming function and record', async () => {
  const millrace = await opener()([median])
  await millrace.sql(`${SOURCE} CREATE TABLE middles AS SELECT id, MEDIAN(t) AS m FROM readings GROUP BY id;`)
  await millrace.produce('readings', [record('a', 3), record('a', -1)])
  await expect(millrace.untilIdle()).rejects.toThrow(
    'Aggregate MEDIAN failed on the record at topic readings, partition 0, offset 1: no median of negative values',
  )
  await millrace.close()
})

test('a scalar function that fails is told of with the record’s place', async () => {
  const problems: RuntimeProblem[] = []
  const picky = scalarFunction({
    name: 'PICKY',
    summary: 'Fails.',
    args: { value: double() },
    returns: double(),
    body() {
      throw new Error('not today')
    },
  })
  const millrace = await opener()([picky], { onProblem: (problem) => problems.push(problem) })
  await millrace.sql(`${SOURCE} CREATE STREAM out AS SELECT id, PICKY(t) AS p FROM readings;`)
  await millrace.produce('readings', [record('a', 3)])
  await millrace.untilIdle()
  expect(problems.map((p) => p.detail)).toEqual([
    'An expression failed on the record at topic readings, partition 0, offset 0: Function PICKY failed: not today',
  ])
  await millrace.close()
})

test('opening with a function that can’t be registered opens nothing', async () => {
  const open = opener()
  await expect(open([{ ...shout, name: 'LCASE' }])).rejects.toMatchObject({ code: 'FUNCTION_NAME_TAKEN' })
  await (await open([shout])).close()
})
