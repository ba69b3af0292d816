import { expect, test } from 'vitest'
import { bothWays, planOf, refused, type Fed } from './both-ways.ts'

const SETUP = `
  CREATE STREAM s (id STRING KEY, site STRING, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
  CREATE STREAM keyless (id STRING, v INT) WITH (kafka_topic='keyless', value_format='JSON', partitions=1);
  CREATE TABLE t (id STRING PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);`

const at = (timestampMs: number, key: string | null, site: string, v: number | null): Fed => ({
  topic: 's',
  key,
  value: { SITE: site, V: v },
  timestampMs,
})

const READINGS = [
  at(1, 'a', 'n', 10),
  at(2, 'b', 'n', 5),
  at(3, 'a', 's', 12),
  at(4, 'a', 'n', null),
  at(5, null, 'n', 99),
  at(6, 'b', 's', 6),
  at(7, 'a', 's', 15),
]

test('LAG gives the value of an earlier row of the key, as rows come, also over a restart', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS SELECT id, v, LAG(v) AS before, LAG(v, 2) AS before2, v - LAG(v) AS step, LAG(ROWTIME) AS at1 FROM s;`,
    READINGS,
    'O',
  )
  expect(told.map((r) => [r.key, ...Object.values(r.value!)])).toEqual([
    ['a', 10, null, null, null, null],
    ['b', 5, null, null, null, null],
    ['a', 12, 10, null, 2, 1],
    ['a', null, 12, 10, null, 3],
    [null, 99, null, null, null, null],
    ['b', 6, 5, null, 1, 2],
    ['a', 15, null, 12, null, 4],
  ])
})

test('rows that WHERE leaves out are no earlier rows', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS SELECT id, v, LAG(v) AS before FROM s WHERE site = 'n';`,
    READINGS,
    'O',
  )
  expect(told.map((r) => [r.key, r.value!['BEFORE']])).toEqual([
    ['a', null],
    ['b', null],
    ['a', 10],
    [null, null],
  ])
})

test('after PARTITION BY it looks at the new key', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS SELECT site, id, LAG(id) AS before, LAG(v * 2) AS twice FROM s PARTITION BY site;`,
    READINGS,
    'O',
  )
  expect(told.map((r) => [r.key, r.value!['BEFORE'], r.value!['TWICE']])).toEqual([
    ['n', null, null],
    ['n', 'a', 20],
    ['s', null, null],
    ['n', 'b', 10],
    ['n', 'a', null],
    ['s', 'a', 24],
    ['s', 'b', 12],
  ])
  const byExpression = await bothWays(
    `${SETUP} CREATE STREAM o AS SELECT UCASE(site) AS up, LAG(id) AS before FROM s PARTITION BY UCASE(site);`,
    READINGS,
    'O',
  )
  expect(byExpression.map((r) => r.value!['BEFORE'])).toEqual([null, 'a', null, 'b', 'a', 'a', 'b'])
})

test('a sub-query filters by what it gives', async () => {
  const told = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT id, COUNT(*) AS rises FROM (SELECT id, v, LAG(v) AS before FROM s) AS r
       WHERE v > before GROUP BY id;`,
    READINGS,
    'O',
  )
  expect(told.map((r) => [r.key, r.value])).toEqual([
    ['a', { RISES: 1 }],
    ['b', { RISES: 1 }],
  ])
})

test('its plan', async () => {
  expect(await planOf(SETUP, 'CREATE STREAM o AS SELECT id, LAG(v + 1, 3) AS b FROM s WHERE v > 0;'))
    .toMatchInlineSnapshot(`
      "sink stream O
        project ID KEY, LAG(V + 1, 3) AS B
          lag by ID: V + 1 3 before
            filter V > 0
              source S"
    `)
})

test.each([
  ['SELECT id FROM s WHERE LAG(v) > 1 EMIT CHANGES;', 'SQL_LAG_PLACE', 24],
  ['SELECT id, SUM(LAG(v)) FROM s GROUP BY id EMIT CHANGES;', 'SQL_LAG_PLACE', 16],
  ['SELECT id, LAG(LAG(v)) FROM s EMIT CHANGES;', 'SQL_LAG_PLACE', 16],
  ['SELECT id, LAG(v) FROM s;', 'SQL_LAG_PLACE', 12],
  ['SELECT id, LAG(v) FROM t EMIT CHANGES;', 'SQL_LAG_ON_TABLE', 12],
  ['SELECT id, LAG(v) FROM keyless EMIT CHANGES;', 'SQL_LAG_WITHOUT_KEY', 12],
  ['SELECT id, LAG() FROM s EMIT CHANGES;', 'SQL_LAG_ARGUMENTS', 12],
  ['SELECT id, LAG(v, 0) FROM s EMIT CHANGES;', 'SQL_LAG_ARGUMENTS', 19],
  ['SELECT id, LAG(v, v) FROM s EMIT CHANGES;', 'SQL_LAG_ARGUMENTS', 19],
  ['SELECT id, LAG(nothing) FROM s EMIT CHANGES;', 'SQL_UNKNOWN_COLUMN', 16],
])('%s is refused', async (sql, code, column) => {
  expect(await refused(SETUP, sql)).toMatchObject({ code, column })
})

test('with compatibility there is no LAG', async () => {
  expect((await refused(SETUP, 'SELECT id, LAG(v) FROM s EMIT CHANGES;', true)).code).toBe(
    'SQL_UNKNOWN_FUNCTION',
  )
})
