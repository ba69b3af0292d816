import Big from 'big.js'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Millrace, SqlError } from '../../src/index.ts'
import { TestDriver } from '../../src/testing/driver.ts'

const SETUP = `
  CREATE STREAM s (id STRING KEY, site STRING, v INT, x DECIMAL(6, 2)) WITH (kafka_topic='s', value_format='JSON', partitions=2);
  CREATE TABLE t AS SELECT id, LATEST_BY_OFFSET(site) AS site, SUM(v) AS total, MAX(x) AS x FROM s GROUP BY id;
  CREATE TABLE w AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY id;`
const ROWS = `INSERT INTO s (ROWTIME, id, site, v, x) VALUES
  (1000, 'a', 'north', 5, 1.10), (2000, 'b', 'south', 7, 10.00), (3000, 'c', 'north', 1, 9.00),
  (12000, 'd', NULL, 4, NULL), (13000, 'a', 'north', 2, 0.50), (14000, 'e', 'south', NULL, 2.00);`

const QUESTIONS: readonly [sql: string, rows: readonly unknown[][]][] = [
  ['SELECT id FROM t ORDER BY total DESC, id DESC;', [['b'], ['a'], ['d'], ['c'], ['e']]],
  ['SELECT id FROM t ORDER BY site NULLS FIRST, 1;', [['d'], ['a'], ['c'], ['b'], ['e']]],
  ['SELECT id FROM t ORDER BY site, t.id DESC;', [['c'], ['a'], ['e'], ['b'], ['d']]],
  ['SELECT id FROM t ORDER BY x DESC NULLS LAST, id;', [['b'], ['c'], ['e'], ['a'], ['d']]],
  ['SELECT id, -total AS total FROM t ORDER BY total, id LIMIT 2;', [['a', -7], ['b', -7]]],
  ['SELECT id FROM t ORDER BY LEN(site) + total, id LIMIT 3;', [['e'], ['c'], ['a']]],
  ['SELECT id FROM t ORDER BY id LIMIT 2 OFFSET 1;', [['b'], ['c']]],
  ['SELECT id FROM t ORDER BY id OFFSET 3;', [['d'], ['e']]],
  ['SELECT id FROM t ORDER BY id OFFSET 9;', []],
  ['SELECT id FROM t ORDER BY id LIMIT 0;', []],
  ["SELECT id FROM t WHERE site = 'north' ORDER BY id DESC;", [['c'], ['a']]],
  ['SELECT site, COUNT(*) AS n, SUM(total) FROM t GROUP BY site ORDER BY site;', [['north', 2, 8], ['south', 2, 7]]],
  ['SELECT site FROM t GROUP BY site HAVING SUM(total) > 7;', [['north']]],
  ['SELECT site FROM t GROUP BY site ORDER BY SUM(total);', [['south'], ['north']]],
  ['SELECT total % 2 AS odd, COLLECT_SET(site) AS sites FROM t WHERE total > 1 GROUP BY total % 2 ORDER BY odd;', [[0, [null]], [1, ['north', 'south']]]],
  ['SELECT COUNT(*) AS n, MAX(x) AS m FROM t;', [[5, '10']]],
  ["SELECT COUNT(*) AS n, SUM(total) AS s FROM t WHERE id = 'nobody';", [[0, 0]]],
  ["SELECT site, COUNT(*) AS n FROM t WHERE id = 'nobody' GROUP BY site;", []],
  ['SELECT id, v FROM s ORDER BY v, id LIMIT 2;', [['c', 1], ['a', 2]]],
  ['SELECT id, SUM(v) AS v, MIN(ROWTIME) FROM s GROUP BY id ORDER BY v DESC, id LIMIT 1 OFFSET 1;', [['b', 7, 2000]]],
  ['SELECT WINDOWSTART, SUM(n) AS n FROM w GROUP BY WINDOWSTART ORDER BY WINDOWSTART DESC;', [[10000, 3], [0, 3]]],
  ["SELECT id, n, WINDOWEND FROM w WHERE id = 'a' ORDER BY WINDOWEND DESC LIMIT 1;", [['a', 1, 20000]]],
] // oxfmt-ignore

const plain = (rows: readonly (readonly unknown[])[]): unknown =>
  rows.map((r) => r.map((v) => (v instanceof Big ? v.toFixed() : v)))

test('ORDER BY, LIMIT, OFFSET and GROUP BY ask tables, windows and streams alike, in the driver', async () => {
  const driver = new TestDriver()
  await driver.sql(SETUP)
  await driver.sql(ROWS)
  await driver.feedQueries([])
  for (const [sql, rows] of QUESTIONS) {
    const [answer] = await driver.sql(sql)
    if (answer?.kind !== 'rows') throw new Error(sql)
    expect({ sql, rows: plain(answer.rows) }).toEqual({ sql, rows })
  }
})

test('through the log, before and after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-'))
  try {
    for (const first of [true, false]) {
      const millrace = await Millrace.open({ dataDirectory: directory, commitIntervalMs: 5 })
      if (first) await millrace.sql(SETUP + ROWS)
      await millrace.untilIdle()
      for (const [sql, rows] of QUESTIONS) {
        const [answer] = await millrace.sql(sql)
        if (answer?.kind !== 'rows') throw new Error(sql)
        expect({ sql, rows: plain(answer.rows) }).toEqual({ sql, rows })
      }
      await millrace.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('a LIMIT far smaller than the table gives the same rows as sorting all of it', async () => {
  const driver = new TestDriver()
  await driver.sql(SETUP)
  const values = Array.from({ length: 3000 }, (_, i) => (i * 7919) % 3001)
  await driver.sql(`INSERT INTO s (id, v) VALUES ${values.map((v) => `('k', ${v})`).join(', ')};`)
  const [answer] = await driver.sql('SELECT v FROM s ORDER BY v DESC LIMIT 3 OFFSET 2;')
  const expected = values.sort((a, b) => b - a).slice(2, 5)
  expect(answer).toMatchObject({ rows: expected.map((v) => [v]) })
})

test.each([
  ['SELECT id FROM s EMIT CHANGES ORDER BY id;', 'SQL_ORDER_BY_NOT_POSSIBLE', 40],
  ['SELECT id FROM s EMIT CHANGES OFFSET 2;', 'SQL_OFFSET_NOT_POSSIBLE', 31],
  ['CREATE STREAM c AS SELECT * FROM s ORDER BY v;', 'SQL_ORDER_BY_NOT_POSSIBLE', 45],
  ['SELECT id FROM t ORDER BY 2;', 'SQL_ORDER_BY_NUMBER', 27],
  ['SELECT id FROM t ORDER BY AS_MAP(ARRAY[id], ARRAY[id]);', 'SQL_NOT_ORDERED', 27],
  ['SELECT id FROM t ORDER BY nothing;', 'SQL_UNKNOWN_COLUMN', 27],
  ['SELECT site FROM t GROUP BY site ORDER BY id;', 'SQL_NOT_GROUPED', 43],
  ['SELECT id, COUNT(*) FROM t GROUP BY site;', 'SQL_NOT_GROUPED', 8],
  ['SELECT MAX(ROWOFFSET) FROM t;', 'SQL_PULL_CLAUSE', 12],
  ['SELECT id FROM t WINDOW TUMBLING (SIZE 1 SECOND);', 'SQL_PULL_CLAUSE', 18],
])('%s is refused', async (sql, code, column) => {
  const driver = new TestDriver()
  await driver.sql(SETUP)
  const error = await driver.sql(sql).then(
    () => null,
    (e: unknown) => e as SqlError,
  )
  expect(error).toBeInstanceOf(SqlError)
  expect({ code: error!.code, column: error!.at?.column }).toEqual({ code, column })
})

test('with compatibility these clauses are refused', async () => {
  const driver = new TestDriver({ compatibility: true })
  await driver.sql(SETUP)
  for (const clause of ['ORDER BY id', 'GROUP BY id', 'OFFSET 1']) {
    await expect(driver.sql(`SELECT id FROM t ${clause};`)).rejects.toMatchObject({ code: 'SQL_PULL_CLAUSE' })
  }
  await expect(driver.sql('SELECT COUNT(*) FROM t;')).rejects.toMatchObject({ code: 'SQL_PULL_CLAUSE' })
})

test('EXPLAIN shows the steps of a pull query', async () => {
  const driver = new TestDriver()
  await driver.sql(SETUP)
  const [result] = await driver.sql(
    'EXPLAIN SELECT site, COUNT(*) AS n FROM t WHERE total > 1 GROUP BY site HAVING COUNT(*) > 1 ORDER BY n DESC, site LIMIT 5 OFFSET 1;',
  )
  if (result?.kind !== 'text') throw new Error('no text')
  expect(result.text).toMatchInlineSnapshot(`
    "limit 5
      offset 1
        order by COUNT(*) DESC, SITE
          filter (COUNT(*) > 1)
            group by SITE
              filter (TOTAL > 1)
                pull from table T by scan"
  `)
})
