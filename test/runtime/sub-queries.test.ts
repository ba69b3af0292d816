import { expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { bothWays, planOf, refused, type Fed } from './both-ways.ts'

const SETUP = `
  CREATE STREAM a (id STRING KEY, v INT, site STRING) WITH (kafka_topic='a', value_format='JSON', partitions=1);
  CREATE STREAM b (id STRING KEY, w INT, site STRING) WITH (kafka_topic='b', value_format='JSON', partitions=1);
  CREATE STREAM c (id STRING KEY, w INT) WITH (kafka_topic='c', value_format='JSON', partitions=3);
  CREATE TABLE t (id STRING PRIMARY KEY, w INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);`

const at = (topic: string, timestampMs: number, key: string, value: object | null): Fed => ({
  topic,
  key,
  value,
  timestampMs,
})

const READINGS = [
  at('a', 1, 'x', { V: 1, SITE: 'n' }),
  at('a', 2, 'y', { V: 2, SITE: 'n' }),
  at('a', 3, 'x', { V: 3, SITE: 's' }),
  at('a', 4, 'x', { V: -9, SITE: 's' }),
  at('a', 5, 'y', { V: 4, SITE: 's' }),
  at('a', 6, 'z', { V: 5, SITE: 'n' }),
]

test('an aggregate of an aggregate, without a topic in between', async () => {
  const told = await bothWays(
    `${SETUP} CREATE TABLE o AS
       SELECT n, COUNT(*) AS ids, SUM(total) AS total
       FROM (SELECT id, COUNT(*) AS n, SUM(v) AS total FROM a WHERE v > 0 GROUP BY id) AS per_id
       GROUP BY n;`,
    READINGS,
    'O',
  )
  const last = new Map(told.map((r) => [r.key, r.value]))
  expect([...last].map(([key, value]) => [Buffer.from(key!).readInt32BE(4), value])).toEqual([
    [1, { IDS: 1, TOTAL: 5 }],
    [2, { IDS: 2, TOTAL: 10 }],
  ])
})

test('a stream meets a table made in the same query, under a name of WITH', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS
       WITH loud AS (SELECT id, v * 10 AS v10 FROM a WHERE v > 1),
            counts AS (SELECT id, COUNT(*) AS n FROM b GROUP BY id)
       SELECT loud.id AS id, v10, n FROM loud JOIN counts ON loud.id = counts.id AND n > 1;`,
    [
      at('b', 1, 'x', { W: 1 }),
      at('a', 2, 'x', { V: 5 }),
      at('b', 3, 'x', { W: 1 }),
      at('a', 4, 'x', { V: 6 }),
      at('a', 5, 'x', { V: 1 }),
    ],
    'O',
  )
  expect(told.map((r) => [r.key, r.value])).toEqual([['x', { V10: 60, N: 2 }]])
})

test('a name used twice is computed for each use', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS WITH up AS (SELECT id, v FROM a WHERE v > 0)
       SELECT l.id AS id, l.v AS before, r.v AS after FROM up l JOIN up r WITHIN (0 SECONDS, 1 HOUR) ON l.id = r.id AND l.v < r.v;`,
    READINGS,
    'O',
  )
  expect(told.map((r) => r.value)).toEqual([
    { BEFORE: 1, AFTER: 3 },
    { BEFORE: 2, AFTER: 4 },
  ])
})

test('UNION ALL merges streams by time', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS SELECT id, v AS n, 'a' AS origin FROM a WHERE v > 0
       UNION ALL SELECT id, w, site FROM b UNION ALL SELECT id, v * 100, 'again' FROM a;`,
    [
      at('a', 1, 'x', { V: 1 }),
      at('b', 2, 'y', { W: 2, SITE: 'b' }),
      at('b', 3, 'x', { W: 3, SITE: 'b' }),
      at('a', 4, 'x', { V: -1 }),
    ],
    'O',
  )
  expect(told.map((r) => [r.timestampMs, r.key, r.value])).toEqual([
    [1, 'x', { N: 1, ORIGIN: 'a' }],
    [1, 'x', { N: 100, ORIGIN: 'again' }],
    [2, 'y', { N: 2, ORIGIN: 'b' }],
    [3, 'x', { N: 3, ORIGIN: 'b' }],
    [4, 'x', { N: -100, ORIGIN: 'again' }],
  ])
})

test('a union is grouped, and rows of one key meet whatever partitions they come from', async () => {
  const statement = `CREATE TABLE o AS SELECT id, SUM(n) AS total FROM (
      SELECT id, w AS n FROM c UNION ALL SELECT id, v FROM a) AS both GROUP BY id;`
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(`${SETUP} ${statement}`)
  const rows = Array.from({ length: 30 }, (_, i) => `('k${i % 10}', ${i})`).join(', ')
  await millrace.sql(`INSERT INTO a (id, v) VALUES ${rows}; INSERT INTO c (id, w) VALUES ${rows};`)
  await millrace.untilIdle()
  const [answer] = await millrace.sql('SELECT id, total FROM o ORDER BY id;')
  const expected = Array.from({ length: 10 }, (_, i) => [`k${i}`, 2 * (i + (i + 10) + (i + 20))])
  expect(answer).toMatchObject({ kind: 'rows', rows: expected })
  await millrace.close()
  expect(await planOf(SETUP, statement)).toMatchInlineSnapshot(`
    "sink table O
      project ID KEY, SUM(N) AS TOTAL
        aggregate by ID: SUM(N)
          project ID KEY, N
            union
              project ID KEY, W AS N
                source C
              repartition ID keep nulls into 3 with N
                project ID KEY, V AS N
                  project ID KEY, V
                    source A"
  `)
})

test('the plan of a sub-query is part of that around it', async () => {
  expect(
    await planOf(
      SETUP,
      'CREATE TABLE o AS SELECT site, MAX(n) AS m FROM (SELECT v AS n, site FROM a WHERE v > 0) AS x WHERE n < 9 GROUP BY site;',
    ),
  ).toMatchInlineSnapshot(`
    "sink table O
      project SITE KEY, MAX(N) AS M
        aggregate by SITE: MAX(N)
          repartition SITE with N
            filter N < 9
              repartition by nothing with N, SITE
                filter V > 0
                  source A"
  `)
})

test('push queries and parameters reach into sub-queries', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(SETUP)
  await millrace.sql(`INSERT INTO a (id, v) VALUES ('x', 1), ('y', 2), ('z', 3);`)
  const rows = millrace.query(
    'WITH w AS (SELECT id, v FROM a WHERE v > ?) SELECT id, v + ? AS v FROM w EMIT CHANGES LIMIT 2;',
    { parameters: [1, 10], settings: { 'auto.offset.reset': 'earliest' } },
  )
  const told: unknown[] = []
  for await (const row of rows) told.push(row)
  expect(told).toEqual([
    { ID: 'y', V: 12 },
    { ID: 'z', V: 13 },
  ])
  await millrace.close()
})

test.each([
  ['SELECT nothing FROM (SELECT v FROM a) AS x EMIT CHANGES;', 'SQL_UNKNOWN_COLUMN', 8],
  ['SELECT ROWOFFSET FROM (SELECT v FROM a) AS x EMIT CHANGES;', 'SQL_UNKNOWN_COLUMN', 8],
  ['SELECT * FROM (SELECT COUNT(*) AS n FROM a) AS x EMIT CHANGES;', 'SQL_AGGREGATE_WITHOUT_GROUP_BY', 23],
  ['SELECT * FROM (SELECT site, COUNT(*) AS n FROM a GROUP BY id) AS x EMIT CHANGES;', 'SQL_NOT_GROUPED', 23],
  ['SELECT * FROM (SELECT COUNT(*) AS n FROM a GROUP BY id) AS x EMIT CHANGES;', 'SQL_KEY_NOT_SELECTED', 16],
  ['SELECT * FROM (SELECT v FROM a LIMIT 3) AS x EMIT CHANGES;', 'SQL_LIMIT_NOT_POSSIBLE', 32],
  ['SELECT id, v FROM a UNION ALL SELECT id FROM b EMIT CHANGES;', 'SQL_UNION_COLUMNS', 31],
  ['SELECT id, v FROM a UNION ALL SELECT id, site FROM b EMIT CHANGES;', 'SQL_UNION_COLUMNS', 31],
  ['SELECT id, v FROM a UNION ALL SELECT site, w FROM b EMIT CHANGES;', 'SQL_UNION_COLUMNS', 31],
  ['SELECT id, v FROM a UNION ALL SELECT id, w FROM t EMIT CHANGES;', 'SQL_UNION_OF_TABLES', 31],
  [
    'WITH x AS (SELECT v FROM a), x AS (SELECT v FROM a) SELECT * FROM x EMIT CHANGES;',
    'SQL_DUPLICATE_NAME',
    30,
  ],
])('%s is refused', async (sql, code, column) => {
  expect(await refused(SETUP, sql)).toMatchObject({ code, column })
})

test('names of WITH that grow too fast are refused', async () => {
  const names = Array.from(
    { length: 8 },
    (_, i) => `n${i + 1} AS (SELECT l.id AS id FROM n${i} l JOIN n${i} r WITHIN 1 DAY ON l.id = r.id)`,
  )
  const sql = `WITH n0 AS (SELECT id FROM a), ${names.join(', ')} SELECT * FROM n8 EMIT CHANGES;`
  expect((await refused(SETUP, sql)).code).toBe('SQL_TOO_DEEP')
})

test('with compatibility a query stands alone', async () => {
  expect((await refused(SETUP, 'SELECT * FROM (SELECT v FROM a) AS x EMIT CHANGES;', true)).code).toBe(
    'SQL_SUBQUERY',
  )
  expect((await refused(SETUP, 'SELECT v FROM a UNION ALL SELECT w FROM b EMIT CHANGES;', true)).code).toBe(
    'SQL_SUBQUERY',
  )
})
