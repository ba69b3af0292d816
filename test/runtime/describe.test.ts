import { afterEach, beforeEach, expect, test } from 'vitest'
import { Millrace, type StatementResult } from '../../src/index.ts'

let millrace: Millrace

beforeEach(async () => {
  millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(`
    CREATE STREAM s (id STRING KEY, v INT, at STRING, h BYTES HEADER('trace'))
      WITH (KAFKA_TOPIC = 's', PARTITIONS = 2, VALUE_FORMAT = 'JSON', TIMESTAMP = 'at', TIMESTAMP_FORMAT = 'yyyy-MM-dd',
            IDLE_TIMEOUT = '5 SECONDS');
    CREATE TABLE t AS SELECT id, COUNT(*) AS n, SUM(v) + 1 AS total FROM s GROUP BY id HAVING MAX(v) > 0;`)
  await millrace.produce('s', [
    { key: 'a', value: { V: 1, AT: '2026-01-01' } },
    { key: 'b', value: { V: 2, AT: '2026-01-02' } },
    { key: 'b', value: { V: 3, AT: 'soon' } },
  ])
  await millrace.untilIdle()
})

afterEach(() => millrace.close())

async function answer(text: string): Promise<Extract<StatementResult, { kind: 'rows' }>> {
  const [result] = await millrace.sql(text)
  if (result?.kind !== 'rows') throw new Error(`${text} gave ${result?.kind}`)
  return result
}

async function text(statement: string): Promise<string> {
  const [result] = await millrace.sql(statement)
  return result?.kind === 'text' ? result.text : `no text: ${result?.kind}`
}

test('DESCRIBE EXTENDED has what there is to know: time, silence, queries, how far groups have come', async () => {
  const { rows, notes } = await answer('DESCRIBE s EXTENDED;')
  expect(rows).toEqual([
    ['ID', 'STRING (key)'],
    ['V', 'INTEGER'],
    ['AT', 'STRING'],
    ['H', 'BYTES (header)'],
  ])
  expect(notes).toEqual(
    expect.arrayContaining([
      'Name: S (STREAM)',
      'Topic: s (partitions: 2)',
      'Timestamp column: AT, as yyyy-MM-dd',
      'Idle timeout: 5000 ms, then silence counts as time passing',
      'Read by: CTAS_T_0 (RUNNING, 2 in, 2 out, lag 0)',
    ]),
  )
  const group = notes.find((note) => note.startsWith('Consumer group _millrace-query-CTAS_T_0: '))
  expect(group).toMatch(/partition \d at (\d) of 0 to \1, lag 0/)
  const statement = notes.find((note) => note.startsWith('Statement: '))
  expect(statement).toContain('CREATE STREAM s (id STRING KEY')
})

test('SHOW STREAMS EXTENDED and SHOW TABLES EXTENDED describe each', async () => {
  expect(await text('SHOW STREAMS EXTENDED;')).toMatch(
    /Name: S \(STREAM\)\n {2}ID {2}STRING \(key\)\n {2}V {3}INTEGER\n/,
  )
  const tables = await text('LIST TABLES EXTENDED;')
  expect(tables).toContain(
    'Name: T (TABLE)\n  ID     STRING (primary key)\n  N      BIGINT\n  TOTAL  INTEGER\n',
  )
  expect(tables).toContain('Written by: CTAS_T_0')
})

test('SHOW TOPICS EXTENDED has how much they hold and who reads them', async () => {
  const { schema, rows } = await answer('SHOW TOPICS EXTENDED;')
  expect(schema.columns.map((c) => c.name)).toEqual([
    'Kafka Topic',
    'Partitions',
    'Records',
    'Consumer Groups',
  ])
  expect(rows).toContainEqual(['s', 2, 3, 1])
})

test('EXPLAIN shows what the user wrote, not what it is kept under', async () => {
  const plan = await text('EXPLAIN CTAS_T_0;')
  expect(plan).toContain('project ID KEY, COUNT(*) AS N, SUM(V) + 1 AS TOTAL')
  expect(plan).toContain('filter MAX(V) > 0')
  expect(plan).not.toContain('KSQL_')
})

test('LAG is listed and described, unless ksqlDB is to be followed', async () => {
  expect((await answer('SHOW FUNCTIONS;')).rows).toContainEqual(['LAG', 'KEYED', 'stream'])
  expect(await text('DESCRIBE FUNCTION lag;')).toContain('LAG(value T, rows INTEGER) => T')
  await millrace.sql("SET 'millrace.compatibility' = 'true';")
  expect((await answer('SHOW FUNCTIONS;')).rows.flat()).not.toContain('LAG')
  await expect(millrace.sql('DESCRIBE FUNCTION LAG;')).rejects.toMatchObject({ code: 'SQL_UNKNOWN_FUNCTION' })
})

test('a table that was just made over records that are there answers with them', async () => {
  await millrace.sql('CREATE TABLE fresh AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;')
  expect((await answer('SELECT * FROM fresh ORDER BY v;')).rows).toEqual([
    [1, 1],
    [2, 1],
  ])
})
