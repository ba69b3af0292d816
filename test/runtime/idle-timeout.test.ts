import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { TestDriver } from '../../src/testing/driver.ts'

const source = (properties: string): string =>
  `CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=2${properties});`
const FINAL = `CREATE TABLE c AS SELECT id, COUNT(*) AS n FROM s
  WINDOW TUMBLING (SIZE 200 MILLISECONDS, GRACE PERIOD 0 SECONDS) GROUP BY id EMIT FINAL;`

async function finals(millrace: Millrace): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const { value } of millrace.consume('C', { from: 'beginning' })) {
    values.push(JSON.parse(Buffer.from(value!).toString()))
  }
  return values
}

async function untilFinals(millrace: Millrace, count: number): Promise<unknown[]> {
  for (let tries = 0; tries < 200; tries++) {
    const values = await finals(millrace)
    if (values.length >= count) return values
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return finals(millrace)
}

test('windows close without a next record, once, also over a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-'))
  try {
    let millrace = await Millrace.open({ dataDirectory: directory, commitIntervalMs: 5 })
    await millrace.sql(`${source(", idle_timeout='50 milliseconds'")} ${FINAL}`)
    await millrace.sql(`INSERT INTO s (ROWTIME, id, v) VALUES (10, 'a', 1), (20, 'a', 2), (30, 'b', 3);`)
    expect(await untilFinals(millrace, 2)).toEqual(expect.arrayContaining([{ N: 2 }, { N: 1 }]))
    await millrace.close()

    millrace = await Millrace.open({ dataDirectory: directory, commitIntervalMs: 5 })
    await millrace.sql(`INSERT INTO s (ROWTIME, id, v) VALUES (1000, 'a', 1);`)
    const values = await untilFinals(millrace, 3)
    expect(values).toHaveLength(3)
    expect(values[2]).toEqual({ N: 1 })
    await millrace.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('a push query closes windows in silence, too', { timeout: 20_000 }, async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 5, settings: { 'auto.offset.reset': 'earliest' } })
  await millrace.sql(`${source(", idle_timeout='50 milliseconds'")}
    INSERT INTO s (ROWTIME, id, v) VALUES (10, 'a', 1), (20, 'a', 2);`)
  const rows = millrace.query(`SELECT id, COUNT(*) AS n FROM s
    WINDOW TUMBLING (SIZE 200 MILLISECONDS, GRACE PERIOD 0 SECONDS) GROUP BY id EMIT FINAL LIMIT 1;`)
  const seen: unknown[] = []
  for await (const row of rows) seen.push(row)
  expect(seen).toEqual([{ ID: 'a', N: 2 }])
  await millrace.close()
})

test('without it they wait', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(`${source('')} ${FINAL} INSERT INTO s (ROWTIME, id, v) VALUES (10, 'a', 1);`)
  await millrace.untilIdle()
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(await finals(millrace)).toEqual([])
  await millrace.close()
})

test.each([
  [`CREATE STREAM s (v INT) WITH (kafka_topic='s', value_format='JSON', idle_timeout='soon');`, 'SQL_INVALID_PROPERTY', 82],
  [`CREATE TABLE t (k INT PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON', idle_timeout='1 SECOND');`, 'SQL_IDLE_TIMEOUT_TABLE', 87],
])('%s is refused', async (sql, code, column) => {
  await expect(new TestDriver().sql(sql)).rejects.toMatchObject({ code, at: { column } })
}) // oxfmt-ignore

test('with compatibility there is no such property', async () => {
  const driver = new TestDriver({ compatibility: true })
  await expect(driver.sql(source(", idle_timeout='1 second'"))).rejects.toMatchObject({
    code: 'SQL_UNKNOWN_PROPERTY',
  })
})
