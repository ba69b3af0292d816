import { afterEach, beforeEach, expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'

let millrace: Millrace

beforeEach(async () => {
  millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(`
    CREATE STREAM orders (id STRING KEY, item STRING, qty INT)
      WITH (KAFKA_TOPIC = 'orders', PARTITIONS = 2, VALUE_FORMAT = 'JSON');
    CREATE STREAM more (id STRING KEY, item STRING, qty INT)
      WITH (KAFKA_TOPIC = 'more', PARTITIONS = 3, VALUE_FORMAT = 'JSON');
    CREATE TABLE users (id STRING PRIMARY KEY, name STRING)
      WITH (KAFKA_TOPIC = 'users', PARTITIONS = 2, VALUE_FORMAT = 'JSON');
    CREATE TABLE totals AS SELECT id, SUM(qty) AS total FROM orders GROUP BY id;
    INSERT INTO orders (id, item, qty, ROWTIME)
      VALUES ('a', 'x', 1, 1000), ('b', 'y', 2, 2000), ('a', 'x', 3, 3000), ('c', NULL, 4, 4000);
    INSERT INTO more (id, item, qty, ROWTIME) VALUES ('m', 'z', 10, 1500);
    INSERT INTO users (id, name) VALUES ('a', 'Ann'), ('b', 'Bob'), ('a', 'Anna');`)
  await millrace.produce('users', [{ key: 'b', value: null }])
})

afterEach(() => millrace.close())

async function rows(text: string): Promise<unknown> {
  const [result] = await millrace.sql(text)
  return result?.kind === 'rows' ? result.rows : result?.kind
}

test.each([
  [
    'SELECT id, q FROM (SELECT id, qty * 2 AS q FROM orders WHERE qty > 1) AS x ORDER BY q;',
    [
      ['b', 4],
      ['a', 6],
      ['c', 8],
    ],
  ],
  ["SELECT COUNT(*) AS n FROM (SELECT id FROM orders) AS x WHERE id <> 'a';", [[2]]],
  ['SELECT * FROM (SELECT * FROM users);', [['a', 'Anna']]],
  [
    `SELECT name, SUM(qty) AS s FROM (SELECT o.id, o.qty, u.name FROM orders o LEFT JOIN users u ON o.id = u.id)
     GROUP BY name;`,
    [['Anna', 4]],
  ],
  [
    `SELECT id, total, name FROM (SELECT t.id AS id, t.total, u.name FROM totals t LEFT JOIN users u ON t.id = u.id) AS t
     ORDER BY total DESC, id;`,
    [
      ['a', 4, 'Anna'],
      ['c', 4, null],
      ['b', 2, null],
    ],
  ],
  [
    `SELECT id, n, WINDOWSTART, WINDOWEND FROM
       (SELECT id, COUNT(*) AS n FROM orders WINDOW TUMBLING (SIZE 2 SECONDS) GROUP BY id) AS w
     WHERE WINDOWSTART >= 2000 ORDER BY id;`,
    [
      ['a', 1, 2000, 4000],
      ['b', 1, 2000, 4000],
      ['c', 1, 4000, 6000],
    ],
  ],
  [
    'SELECT id, qty FROM orders UNION ALL SELECT id, qty FROM more ORDER BY qty DESC LIMIT 2;',
    [
      ['m', 10],
      ['c', 4],
    ],
  ],
  [
    'WITH big AS (SELECT id, qty FROM orders WHERE qty > 1) SELECT id, qty FROM big ORDER BY qty LIMIT 1 OFFSET 1;',
    [['a', 3]],
  ],
  ['SELECT id, d FROM (SELECT id, qty - LAG(qty) AS d FROM orders) WHERE d IS NOT NULL;', [['a', 2]]],
  ['SELECT id FROM (SELECT id FROM orders) LIMIT 0;', []],
])('%s', async (text, expected) => {
  expect(await rows(text)).toEqual(expected)
})

test('the answer is about what is there when it is asked for, each time anew', async () => {
  const text = 'SELECT COUNT(*) AS n FROM (SELECT id FROM orders WHERE qty > 1) AS x;'
  expect(await rows(text)).toEqual([[3]])
  await millrace.sql("INSERT INTO orders (id, qty) VALUES ('d', 9);")
  expect(await rows(text)).toEqual([[4]])
  expect(millrace.log.groups().filter((group) => group.includes('transient'))).toEqual([])
})

test('as rows of a query, with parameters', async () => {
  const stream = millrace.query(
    'SELECT id FROM (SELECT id, qty FROM orders WHERE qty > ?) AS x ORDER BY id;',
    {
      parameters: [2],
    },
  )
  const seen: unknown[] = []
  for await (const row of stream) seen.push(row)
  expect(seen).toEqual([{ ID: 'a' }, { ID: 'c' }])
})

test('its plan says that it is computed', async () => {
  const [result] = await millrace.sql(
    'EXPLAIN SELECT n FROM (SELECT id, COUNT(*) AS n FROM orders GROUP BY id) WHERE n > 1;',
  )
  expect(result?.kind === 'text' && result.text).toMatchInlineSnapshot(`
    "filter (N > 1)
      computed for this answer
        project ID KEY, COUNT(*) AS N
          aggregate by ID: COUNT(*)
            source ORDERS"
  `)
})

test.each([
  ['SELECT * FROM orders o JOIN users u ON o.id = u.id;', 'SQL_PULL_CLAUSE'],
  ['SELECT id, COUNT(*) FROM orders WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY id;', 'SQL_PULL_CLAUSE'],
])('%s is told to be a sub-query', async (text, code) => {
  await expect(rows(text)).rejects.toMatchObject({ code, hint: expect.stringContaining('FROM (SELECT …') })
})

test('with compatibility a pull query asks one stream or table', async () => {
  await millrace.sql("SET 'millrace.compatibility' = 'true';")
  await expect(rows('SELECT * FROM (SELECT id FROM orders);')).rejects.toMatchObject({ code: 'SQL_SUBQUERY' })
})
