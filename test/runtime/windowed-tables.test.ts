import { expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { bothWays, refused, type Fed } from './both-ways.ts'

const SETUP = `
  CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
  CREATE STREAM r (id STRING KEY, v INT) WITH (kafka_topic='r', value_format='JSON', partitions=1);
  CREATE TABLE w AS SELECT id, COUNT(*) AS n, SUM(v) AS total FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY id;
  CREATE TABLE x AS SELECT id, COUNT(*) AS m FROM r WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY id;
  CREATE TABLE z AS SELECT id, COUNT(*) AS n FROM s WINDOW SESSION (2 SECONDS) GROUP BY id;`

const at = (topic: string, timestampMs: number, key: string, v: number): Fed => ({
  topic,
  key,
  value: { V: v },
  timestampMs,
})

const READINGS = [
  at('s', 1000, 'a', 1),
  at('s', 2000, 'a', 2),
  at('s', 2500, 'b', 5),
  at('s', 11000, 'a', 3),
  at('s', 12000, 'b', 7),
  at('s', 12500, 'a', 4),
]

/** Without the window: eight bytes of its start follow the key. */
const keyed = (key: string | null): string => key!.slice(0, 1)

test('a windowed table is filtered into another, whose rows have its windows', async () => {
  const told = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT id, n FROM w WHERE total < 5;`,
    READINGS,
    'O',
  )
  expect(told.map((r) => [keyed(r.key), r.value])).toEqual([
    ['a', { N: 1 }],
    ['a', { N: 2 }],
    ['a', { N: 1 }],
    ['a', null],
  ])
})

test('its windows are grouped: per key, and per window', async () => {
  const perKey = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT id, COUNT(*) AS windows, SUM(n) AS n FROM w GROUP BY id;`,
    READINGS,
    'O',
  )
  expect(new Map(perKey.map((r) => [r.key, r.value]))).toEqual(
    new Map([
      ['a', { WINDOWS: 2, N: 4 }],
      ['b', { WINDOWS: 2, N: 2 }],
    ]),
  )
  const perWindow = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT WINDOWSTART AS start, COUNT(*) AS ids, SUM(total) AS total FROM w GROUP BY WINDOWSTART;`,
    READINGS,
    'O',
  )
  expect(perWindow.slice(-1)[0]!.value).toEqual({ IDS: 2, TOTAL: 14 })
  expect(perWindow.filter((r) => r.timestampMs < 10_000).slice(-1)[0]!.value).toEqual({ IDS: 2, TOTAL: 8 })
})

test('windowed tables meet by key and window', async () => {
  const told = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT w.id AS id, n, m FROM w JOIN x ON w.id = x.id;`,
    [at('s', 1000, 'a', 1), at('r', 2000, 'a', 1), at('r', 11000, 'a', 1), at('s', 12000, 'a', 1), at('s', 3000, 'a', 1)],
    'O',
  ) // oxfmt-ignore
  expect(told.map((r) => r.value)).toEqual([
    { N: 1, M: 1 },
    { N: 1, M: 1 },
    { N: 2, M: 1 },
  ])
})

test('sessions that merge leave the table and its groups', async () => {
  const told = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT id, COUNT(*) AS sessions, SUM(n) AS n FROM z GROUP BY id;`,
    [at('s', 1000, 'a', 1), at('s', 5000, 'a', 1), at('s', 3000, 'a', 1)],
    'O',
  )
  expect(told.at(-1)!.value).toEqual({ SESSIONS: 1, N: 3 })
})

test('windows of a sub-query are grouped in the same query', async () => {
  const told = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT id, COUNT(*) AS busy FROM (
       SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY id) AS per WHERE n > 1 GROUP BY id;`,
    READINGS,
    'O',
  )
  expect(told.map((r) => [r.key, r.value])).toEqual([
    ['a', { BUSY: 1 }],
    ['a', { BUSY: 2 }],
  ])
})

test('what is made of a windowed table is asked like one', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(`${SETUP} CREATE TABLE o AS SELECT id, n FROM w WHERE n > 1;`)
  await millrace.sql(`INSERT INTO s (ROWTIME, id, v) VALUES (1000, 'a', 1), (2000, 'a', 1), (11000, 'a', 1);`)
  await millrace.untilIdle()
  const [answer] = await millrace.sql(`SELECT id, WINDOWSTART, n FROM o WHERE id = 'a';`)
  expect(answer).toMatchObject({ rows: [['a', 0, 2]] })
  await millrace.close()
})

test('with compatibility persistent queries do not read windowed tables', async () => {
  const error = await refused(SETUP, 'CREATE TABLE o AS SELECT id, n FROM w;', true)
  expect(error.code).toBe('SQL_WINDOWED_TABLE')
})
