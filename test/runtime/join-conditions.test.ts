import { expect, test } from 'vitest'
import { bothWays, planOf, refused, type Fed } from './both-ways.ts'

const SETUP = `
  CREATE STREAM a (id STRING KEY, v INT, site STRING) WITH (kafka_topic='a', value_format='JSON', partitions=1);
  CREATE STREAM b (id STRING KEY, w INT, site STRING) WITH (kafka_topic='b', value_format='JSON', partitions=1);
  CREATE TABLE t (id STRING PRIMARY KEY, w INT, site STRING) WITH (kafka_topic='t', value_format='JSON', partitions=1);
  CREATE TABLE u (id STRING PRIMARY KEY, boss STRING, pay INT) WITH (kafka_topic='u', value_format='JSON', partitions=1);`

const at = (topic: string, timestampMs: number, key: string, value: object | null): Fed => ({
  topic,
  key,
  value,
  timestampMs,
})

test('rows of streams meet by the equality, and match by the further conditions', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS SELECT a.id AS id, v, w FROM a JOIN b WITHIN 10 SECONDS
       ON a.v < b.w AND a.site = b.site AND a.id = b.id AND b.w <> 99;`,
    [
      at('a', 1000, 'x', { V: 5, SITE: 'n' }),
      at('b', 2000, 'x', { W: 6, SITE: 'n' }),
      at('b', 2100, 'x', { W: 5, SITE: 'n' }),
      at('b', 2200, 'x', { W: 7, SITE: 's' }),
      at('b', 2300, 'x', { W: 99, SITE: 'n' }),
      at('b', 2400, 'y', { W: 9, SITE: 'n' }),
      at('a', 3000, 'x', { V: 1, SITE: 's' }),
    ],
    'O',
  )
  expect(told).toEqual([
    { key: 'x', value: { V: 5, W: 6 }, timestampMs: 2000 },
    { key: 'x', value: { V: 1, W: 7 }, timestampMs: 3000 },
  ])
})

test('an outer join keeps what its conditions leave without a match', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS SELECT a.id AS id, v, w FROM a LEFT JOIN t ON a.id = t.id AND t.w > 5;`,
    [
      at('t', 1, 'x', { W: 6 }),
      at('t', 2, 'y', { W: 5 }),
      at('a', 3, 'x', { V: 1 }),
      at('a', 4, 'y', { V: 2 }),
      at('t', 5, 'x', { W: 1 }),
      at('a', 6, 'x', { V: 3 }),
    ],
    'O',
  )
  expect(told.map((r) => r.value)).toEqual([
    { V: 1, W: 6 },
    { V: 2, W: null },
    { V: 3, W: null },
  ])
})

test('a table of matches loses a row when its further condition ceases', async () => {
  const told = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT t.id AS id, w, pay FROM t JOIN u ON t.id = u.id AND pay > w;`,
    [
      at('t', 1, 'x', { W: 5 }),
      at('u', 2, 'x', { PAY: 9 }),
      at('t', 3, 'x', { W: 10 }),
      at('u', 4, 'x', { PAY: 11 }),
    ],
    'O',
  )
  expect(told.map((r) => r.value)).toEqual([{ W: 5, PAY: 9 }, null, { W: 10, PAY: 11 }])
})

test('a stream joined with itself by alias', async () => {
  const told = await bothWays(
    `${SETUP} CREATE STREAM o AS SELECT one.id AS id, one.v AS before, two.v AS after
       FROM a one JOIN a two WITHIN (0 SECONDS, 10 SECONDS) GRACE PERIOD 1 SECOND ON one.id = two.id AND one.v < two.v;`,
    [
      at('a', 1000, 'x', { V: 1 }),
      at('a', 2000, 'x', { V: 3 }),
      at('a', 3000, 'y', { V: 9 }),
      at('a', 4000, 'x', { V: 2 }),
      at('a', 5000, 'x', { V: 4 }),
    ],
    'O',
  )
  expect(told.map((r) => r.value)).toEqual([
    { BEFORE: 1, AFTER: 3 },
    { BEFORE: 1, AFTER: 2 },
    { BEFORE: 1, AFTER: 4 },
    { BEFORE: 3, AFTER: 4 },
    { BEFORE: 2, AFTER: 4 },
  ])
})

test('a table joined with itself on a foreign key', async () => {
  const told = await bothWays(
    `${SETUP} CREATE TABLE o AS SELECT e.id AS id, m.pay AS boss_pay FROM u e JOIN u m ON e.boss = m.id AND e.pay > m.pay;`,
    [
      at('u', 1, 'ann', { BOSS: null, PAY: 5 }),
      at('u', 2, 'bob', { BOSS: 'ann', PAY: 6 }),
      at('u', 3, 'ann', { BOSS: null, PAY: 7 }),
      at('u', 4, 'bob', { BOSS: 'ann', PAY: 8 }),
    ],
    'O',
  )
  expect(told.map((r) => [r.key, r.value])).toEqual([
    ['bob', { BOSS_PAY: 5 }],
    ['bob', null],
    ['bob', { BOSS_PAY: 7 }],
  ])
})

test('the equality is the one about the keys, and conditions about one side come before the join', async () => {
  expect(
    await planOf(
      SETUP,
      'CREATE STREAM o AS SELECT a.id AS id, v FROM a JOIN t ON a.site = t.site AND a.id = t.id AND t.w > 3;',
    ),
  ).toMatchInlineSnapshot(`
    "sink stream O
      project ROWKEY AS ID KEY, A_V AS V
        filter A_SITE = T_SITE
          stream-table inner join
            project ID KEY, ID AS A_ID, V AS A_V, SITE AS A_SITE
              source A
            filter T_W > 3
              project ID KEY, ID AS T_ID, W AS T_W, SITE AS T_SITE
                table T"
  `)
})

test.each([
  ['SELECT * FROM a LEFT JOIN t ON a.id = t.id AND a.v > 5 EMIT CHANGES;', 'SQL_OUTER_JOIN_CONDITION', 48],
  ['SELECT * FROM a LEFT JOIN t ON a.id = t.id AND a.v > t.w EMIT CHANGES;', 'SQL_OUTER_JOIN_CONDITION', 48],
  ['SELECT * FROM t FULL JOIN u ON u.id = t.id AND u.pay > 5 EMIT CHANGES;', 'SQL_OUTER_JOIN_CONDITION', 48],
  ['SELECT * FROM a JOIN t ON a.v > t.w AND a.v = 5 EMIT CHANGES;', 'SQL_JOIN_CONDITION', 27],
  ['SELECT * FROM a JOIN t ON a.id = t.id AND nothing > 5 EMIT CHANGES;', 'SQL_UNKNOWN_COLUMN', 43],
  ['SELECT * FROM a JOIN t ON a.id = t.id OR a.v = t.w EMIT CHANGES;', 'SQL_JOIN_CONDITION', 27],
  ['SELECT * FROM t JOIN t ON t.id = t.id EMIT CHANGES;', 'SQL_DUPLICATE_ALIAS', 22],
  ['SELECT t.w FROM t x JOIN t y ON x.id = y.id EMIT CHANGES;', 'SQL_AMBIGUOUS_ALIAS', 8],
])('%s is refused', async (sql, code, column) => {
  expect(await refused(SETUP, sql)).toMatchObject({ code, column })
})

test('with compatibility a join takes one condition and no source twice', async () => {
  const several = 'SELECT * FROM a JOIN t ON a.id = t.id AND a.v > 5 EMIT CHANGES;'
  expect((await refused(SETUP, several, true)).code).toBe('SQL_JOIN_CONDITION')
  const self = 'SELECT * FROM t x JOIN t y ON x.id = y.id EMIT CHANGES;'
  expect((await refused(SETUP, self, true)).code).toBe('SQL_SELF_JOIN')
})
