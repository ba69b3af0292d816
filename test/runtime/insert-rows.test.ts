import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Millrace, SqlError } from '../../src/index.ts'
import { TestDriver } from '../../src/testing/driver.ts'

const S = `CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=3);`

async function refusal(work: Promise<unknown>): Promise<SqlError> {
  const error = await work.then(
    () => null,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(SqlError)
  return error as SqlError
}

test('the rows of one INSERT become visible in one commit, and are there after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-'))
  try {
    const millrace = await Millrace.open({ dataDirectory: directory, commitIntervalMs: 5 })
    await millrace.sql(`${S} CREATE TABLE t AS SELECT id, SUM(v) AS total FROM s GROUP BY id;`)
    let commits = 0
    const stop = millrace.log.onEndsMoved(() => commits++)
    const rows = Array.from({ length: 50 }, (_, i) => `('k${i % 7}', ${i})`)
    const [result] = await millrace.sql(`INSERT INTO s VALUES ${rows.join(', ')};`)
    stop()
    expect(result).toMatchObject({ kind: 'message', message: '50 rows inserted into S.' })
    const ends = [0, 1, 2].map((p) => millrace.log.ends('s', p).lastStable)
    expect(ends.reduce((a, b) => a + b)).toBe(50)
    expect(commits).toBeLessThanOrEqual(2) // that of the rows, and at most one of the query
    await millrace.untilIdle()
    await millrace.close()

    const again = await Millrace.open({ dataDirectory: directory, commitIntervalMs: 5 })
    await again.sql(`INSERT INTO s (v, id) VALUES (1000, 'k0'), (2000, 'k0');`)
    await again.untilIdle()
    const [answer] = await again.sql(`SELECT total FROM t WHERE id = 'k0';`)
    const before = [0, 7, 14, 21, 28, 35, 42, 49].reduce((a, b) => a + b)
    expect(answer).toMatchObject({ kind: 'rows', rows: [[before + 3000]] })
    await again.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('a row that is refused keeps out all of its statement, and is named', async () => {
  const millrace = await Millrace.open()
  await millrace.sql(S)
  const count = await refusal(millrace.sql(`INSERT INTO s VALUES ('a', 1), ('b');`))
  expect(count).toMatchObject({ code: 'SQL_INSERT_COUNT', at: { line: 1, column: 32 } })
  const type = await refusal(millrace.sql(`INSERT INTO s VALUES ('a', 1), ('b', 'x');`))
  expect(type).toMatchObject({ at: { line: 1, column: 38 } })
  const time = await refusal(millrace.sql(`INSERT INTO s (ROWTIME, v) VALUES (1, 1), (-1, 2);`))
  expect(time.code).toBe('SQL_INSERT_REFUSED')
  expect([0, 1, 2].map((p) => millrace.log.ends('s', p).lastStable)).toEqual([0, 0, 0])
  await millrace.close()
})

test('with compatibility one statement takes one row', async () => {
  const driver = new TestDriver({ compatibility: true })
  await driver.sql(S)
  const error = await refusal(driver.sql(`INSERT INTO s VALUES ('a', 1), ('b', 2);`))
  expect(error).toMatchObject({ code: 'SQL_INSERT_ROWS', at: { column: 32 } })
  const ours = new TestDriver()
  await ours.sql(`${S} INSERT INTO s VALUES ('a', 1), ('b', 2);`)
  expect(ours.records('s').map((r) => Buffer.from(r.key!).toString())).toEqual(['a', 'b'])
})
