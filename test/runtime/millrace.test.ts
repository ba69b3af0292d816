import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import {
  count,
  integer,
  Millrace,
  SqlError,
  StorageError,
  stream,
  string,
  type MillraceOptions,
  type RowObject,
} from '../../src/index.ts'

const opened: Millrace[] = []
const directories: string[] = []

async function open(options: MillraceOptions = {}): Promise<Millrace> {
  const millrace = await Millrace.open({ commitIntervalMs: 5, ...options })
  opened.push(millrace)
  return millrace
}

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-'))
  directories.push(directory)
  return join(directory, 'data')
}

afterEach(async () => {
  for (const millrace of opened.splice(0)) await millrace.close()
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

const READINGS = `CREATE STREAM readings (id STRING KEY, v INT) WITH (kafka_topic='readings', value_format='JSON', partitions=2);`
const TOTALS = `CREATE TABLE totals AS SELECT id, SUM(v) AS total, COUNT(*) AS n FROM readings GROUP BY id;`
const reading = (
  id: string,
  v: number,
  timestampMs = 0,
): { key: string; value: object; timestampMs: number } => ({
  key: id,
  value: { V: v },
  timestampMs,
})

test('a pull query answers with what the statement before it inserted', async () => {
  const millrace = await open({ commitIntervalMs: 100 })
  await millrace.sql(READINGS + TOTALS)
  const results = await millrace.sql(
    `INSERT INTO readings VALUES ('a', 1); INSERT INTO readings VALUES ('a', 2); SELECT * FROM totals;`,
  )
  expect(results[2]).toMatchObject({ kind: 'rows', rows: [['a', 3, 2]] })
})

async function rowsOf(millrace: Millrace, sql: string): Promise<unknown[]> {
  const [result] = await millrace.sql(sql)
  if (result?.kind !== 'rows') throw new Error(`no rows: ${JSON.stringify(result)}`)
  return result.rows.map((r) => [...r])
}

async function valuesOf(millrace: Millrace, topic: string): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const record of millrace.consume(topic, { from: 'beginning' })) {
    values.push(record.value === null ? null : JSON.parse(Buffer.from(record.value).toString()))
  }
  return values
}

async function refusal(work: Promise<unknown>): Promise<SqlError> {
  const error = await work.then(
    () => null,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(SqlError)
  return error as SqlError
}

describe('statements', () => {
  test('a text that does not parse runs nothing', async () => {
    const millrace = await open()
    const error = await refusal(millrace.sql(`${READINGS} CREATE TABLE;`))
    expect(error.stage).toBe('parse')
    expect(millrace.catalog.source('READINGS')).toBeUndefined()
  })

  test('statements before a refused one stay done, and their results were handed over', async () => {
    const millrace = await open()
    const messages: string[] = []
    await refusal(
      millrace.sql(`${READINGS} SELECT nope FROM readings;`, {}, (r) => {
        if (r.kind === 'message') messages.push(r.message)
      }),
    )
    expect(messages).toEqual(['Stream READINGS created.'])
    expect(millrace.catalog.sourceNames()).toContain('READINGS')
  })

  test('INSERT … VALUES is a record like any other', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS} ${TOTALS}
      INSERT INTO readings (id, v) VALUES ('a', 1 + 1);
      INSERT INTO readings (rowtime, id, v) VALUES (77, 'a', 3);`)
    await millrace.untilIdle()
    expect(await rowsOf(millrace, `SELECT * FROM totals WHERE id = 'a';`)).toEqual([['a', 5, 2]])
    expect(await rowsOf(millrace, `SELECT v FROM readings WHERE rowtime = 77;`)).toEqual([[3]])
  })

  test('SET lasts, is checked, and UNSET takes it back', async () => {
    const millrace = await open()
    expect((await refusal(millrace.sql(`SET 'auto.offset.rest' = 'earliest';`))).code).toBe(
      'SQL_UNKNOWN_SETTING',
    )
    expect((await refusal(millrace.sql(`SET 'auto.offset.reset' = 'soon';`))).code).toBe('SQL_BAD_SETTING')
    const shown = async (): Promise<unknown> =>
      (await rowsOf(millrace, 'SHOW PROPERTIES;')).find((r) => (r as string[])[0] === 'auto.offset.reset')
    await millrace.sql(`SET 'auto.offset.reset' = 'earliest';`)
    expect(await shown()).toContain('earliest')
    await millrace.sql(`UNSET 'auto.offset.reset';`)
    expect(await shown()).not.toContain('earliest')
  })

  test('DROP refuses what others use, and takes the query that fills it along', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS} ${TOTALS}`)
    const error = await refusal(millrace.sql('DROP STREAM readings;'))
    expect(error.code).toBe('SQL_SOURCE_IN_USE')
    expect(error.message).toContain('CTAS_TOTALS_0')
    expect((await refusal(millrace.sql('DROP STREAM totals;'))).code).toMatch(/SQL_.*KIND/)
    await millrace.sql('DROP TABLE totals DELETE TOPIC; DROP STREAM readings;')
    expect(millrace.queries()).toEqual([])
    expect(millrace.log.topics().map((t) => t.name)).not.toContain('TOTALS')
    expect(millrace.log.topics().filter((t) => t.name.includes('CTAS_TOTALS'))).toEqual([])
    expect(millrace.log.groups().filter((g) => g.includes('CTAS_TOTALS'))).toEqual([])
    await millrace.sql('DROP STREAM IF EXISTS readings;')
  })

  test('SHOW QUERIES EXTENDED counts what was dropped, by reason', async () => {
    const millrace = await Millrace.open()
    await millrace.sql(`CREATE STREAM s (id STRING KEY, v INT) WITH (KAFKA_TOPIC='s', PARTITIONS=1, VALUE_FORMAT='JSON');
    CREATE TABLE t AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 SECOND, GRACE PERIOD 0 SECONDS) GROUP BY id;`)
    await millrace.produce('s', [
      { key: 'a', value: { v: 1 }, timestampMs: 10_000 },
      { key: 'a', value: { v: 1 }, timestampMs: 1 },
      { key: null, value: { v: 1 }, timestampMs: 10_001 },
      { key: 'a', value: 'not JSON', timestampMs: 10_002 },
    ])
    await millrace.untilIdle()
    const [query] = await rowsOf(millrace, 'SHOW QUERIES EXTENDED;')
    const dropped = (query as string[])[7]!.split(', ').toSorted()
    expect(dropped).toEqual(['1 late', '1 null-key', '1 undecodable'])
    await millrace.close()
  })

  test('DESCRIBE, EXPLAIN and the lists show what there is', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS} ${TOTALS} CREATE TYPE pos AS STRUCT<lat DOUBLE>;`)
    expect(await rowsOf(millrace, 'DESCRIBE totals;')).toEqual([
      ['ID', 'STRING (primary key)'],
      ['TOTAL', 'INTEGER'],
      ['N', 'BIGINT'],
    ])
    expect(await rowsOf(millrace, 'SHOW TYPES;')).toEqual([['POS', 'STRUCT<`LAT` DOUBLE>']])
    expect(await rowsOf(millrace, 'SHOW TABLES;')).toEqual([['TOTALS', 'TOTALS', 'KAFKA', 'JSON', false]])
    expect((await rowsOf(millrace, 'SHOW QUERIES;'))[0]).toMatchObject([
      'CTAS_TOTALS_0',
      'RUNNING',
      'TOTALS',
      'TOTALS',
      TOTALS,
    ])
    const [explained] = await millrace.sql('EXPLAIN CTAS_TOTALS_0;')
    expect(explained).toMatchObject({ kind: 'text' })
    expect(JSON.stringify(explained)).toContain('aggregate by ID')
  })
})

describe('push queries', () => {
  test('see what comes from now on, and end at their LIMIT', async () => {
    const millrace = await open()
    await millrace.sql(READINGS)
    await millrace.produce('readings', [reading('old', 0)])
    const rows = millrace.query('SELECT id, v * 2 AS w FROM readings WHERE v > 1 EMIT CHANGES LIMIT 2;')
    await millrace.produce('readings', [reading('a', 1), reading('a', 2), reading('a', 3), reading('a', 4)])
    const seen: RowObject[] = []
    for await (const row of rows) seen.push(row)
    expect(seen).toEqual([
      { ID: 'a', W: 4 },
      { ID: 'a', W: 6 },
    ])
  })

  test('from earliest where told so, as an Observable', async () => {
    const millrace = await open()
    await millrace.sql(READINGS)
    await millrace.produce('readings', [reading('a', 1), reading('a', 2)])
    const rows = millrace.query<{ N: number }>(
      'SELECT id, COUNT(*) AS n FROM readings GROUP BY id EMIT CHANGES LIMIT 2;',
      {
        settings: { 'auto.offset.reset': 'earliest' },
      },
    )
    const seen = await new Promise<number[]>((resolve, reject) => {
      const counts: number[] = []
      rows.observable.subscribe({
        next: (r) => counts.push(r.N),
        complete: () => resolve(counts),
        error: reject,
      })
    })
    expect(seen).toEqual([1, 2])
  })

  test('closing Millrace ends them', async () => {
    const millrace = await open()
    await millrace.sql(READINGS)
    const rows = millrace.query('SELECT * FROM readings EMIT CHANGES;')
    const consumed = (async () => {
      for await (const _ of rows) throw new Error('nothing was produced')
    })()
    await millrace.close()
    await consumed
  })

  test('are listed while they run, and TERMINATE ends them', async () => {
    const millrace = await open()
    await millrace.sql(READINGS)
    const rows = millrace.query('SELECT * FROM readings EMIT CHANGES;')
    const consumed = (async () => {
      for await (const _ of rows) throw new Error('nothing was produced')
    })()
    expect((await rowsOf(millrace, 'SHOW QUERIES;')).map((r) => (r as string[])[0])).toEqual([rows.queryId])
    await millrace.sql(`TERMINATE ${rows.queryId};`)
    await consumed
    expect(await rowsOf(millrace, 'SHOW QUERIES;')).toEqual([])
  })

  test('query() takes one SELECT only', async () => {
    const millrace = await open()
    expect(() => millrace.query('SHOW STREAMS;')).toThrow(SqlError)
    expect(() => millrace.query('SELECT * FROM nope EMIT CHANGES;')).toThrow(/NOPE/i)
  })
})

describe('pull queries', () => {
  test('by key, by range, as a scan, with LIMIT; missing keys have no row', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS} ${TOTALS}`)
    await millrace.produce(
      'readings',
      ['a', 'b', 'c', 'd'].map((id, i) => reading(id, i)),
    )
    await millrace.untilIdle()
    const sorted = async (sql: string): Promise<unknown[]> => (await rowsOf(millrace, sql)).map(String).sort()
    expect(await rowsOf(millrace, `SELECT total FROM totals WHERE id = 'c';`)).toEqual([[2]])
    expect(await sorted(`SELECT id FROM totals WHERE id IN ('a', 'x', 'd');`)).toEqual(['a', 'd'])
    expect(await sorted(`SELECT id FROM totals WHERE id > 'a' AND id <= 'c';`)).toEqual(['b', 'c'])
    expect(await sorted(`SELECT id FROM totals WHERE total < 2;`)).toEqual(['a', 'b'])
    expect(await rowsOf(millrace, `SELECT id FROM totals LIMIT 3;`)).toHaveLength(3)
    expect(await rowsOf(millrace, `SELECT id FROM totals WHERE id = 'nope';`)).toEqual([])
  })

  test('windows and sessions, with their bounds', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS}
      CREATE TABLE w AS SELECT id, COUNT(*) AS n FROM readings WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY id;
      CREATE TABLE s AS SELECT id, COUNT(*) AS n FROM readings WINDOW SESSION (10 SECONDS) GROUP BY id;`)
    await millrace.produce(
      'readings',
      [1, 9_000, 12_000, 40_000].map((t) => reading('a', 1, t)),
    )
    await millrace.untilIdle()
    expect(await rowsOf(millrace, `SELECT * FROM w WHERE id = 'a';`)).toEqual([
      ['a', 0, 10_000, 2],
      ['a', 10_000, 20_000, 1],
      ['a', 40_000, 50_000, 1],
    ])
    expect(
      await rowsOf(
        millrace,
        `SELECT n FROM w WHERE id = 'a' AND windowstart >= 10000 AND windowend <= 20000;`,
      ),
    ).toEqual([[1]])
    expect(await rowsOf(millrace, `SELECT * FROM s WHERE id = 'a';`)).toEqual([
      ['a', 1, 12_000, 3],
      ['a', 40_000, 40_000, 1],
    ])
    expect(await rowsOf(millrace, `SELECT * FROM s WHERE n > 2;`)).toEqual([['a', 1, 12_000, 3]])
  })

  test('streams, up to their present end', async () => {
    const millrace = await open()
    await millrace.sql(READINGS)
    await millrace.produce('readings', [reading('a', 1), reading('a', 2), reading('a', 3)])
    expect(await rowsOf(millrace, `SELECT id, v FROM readings WHERE v <> 2;`)).toEqual([
      ['a', 1],
      ['a', 3],
    ])
  })

  test('a table that is only declared keeps no rows to ask for', async () => {
    const millrace = await open()
    await millrace.sql(
      `CREATE TABLE d (id STRING PRIMARY KEY, v INT) WITH (kafka_topic='d', value_format='JSON', partitions=1);`,
    )
    const error = await refusal(millrace.sql('SELECT * FROM d;'))
    expect(error.message).toContain('D')
    expect(error.hint).toBeDefined()
  })

  test('CREATE SOURCE TABLE keeps them', async () => {
    const millrace = await open()
    await millrace.sql(
      `CREATE SOURCE TABLE d (id STRING PRIMARY KEY, v INT) WITH (kafka_topic='d', value_format='JSON', partitions=1);`,
    )
    await millrace.produce('d', [
      { key: 'a', value: { V: 1 } },
      { key: 'b', value: { V: 2 } },
      { key: 'a', value: null },
    ])
    await millrace.untilIdle()
    expect(await rowsOf(millrace, 'SELECT * FROM d;')).toEqual([['b', 2]])
  })
})

describe('persistent queries', () => {
  test('records nobody can read go to the processing log, each once, and the query goes on', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS} ${TOTALS}`)
    await millrace.produce('readings', [
      reading('a', 1),
      { key: 'a', value: 'no JSON', partition: 1 },
      reading('a', 2),
    ])
    await millrace.untilIdle()
    expect(await rowsOf(millrace, 'SELECT total FROM totals;')).toEqual([[3]])
    const [entry, ...more] = await rowsOf(
      millrace,
      'SELECT query_id, source_topic, source_partition, source_offset, part FROM processing_log;',
    )
    expect(more).toEqual([])
    expect((entry as unknown[]).slice(0, 3)).toEqual(['CTAS_TOTALS_0', 'readings', 1])
    expect(millrace.queries()[0]!.counters.dropped).toEqual({ undecodable: 1 })
  })

  test('a query that must stop at them stops, says why, and has handed on nothing after', async () => {
    const millrace = await open({ settings: { 'ksql.fail.on.deserialization.error': 'true' } })
    await millrace.sql(`${READINGS} ${TOTALS}`)
    await millrace.produce('readings', [{ key: 'a', value: 'no JSON' }, reading('a', 2)])
    await expect(millrace.untilIdle()).rejects.toThrow(/CTAS_TOTALS_0.*cannot be read/)
    expect(millrace.queries()[0]).toMatchObject({ state: 'ERROR' })
    expect(await valuesOf(millrace, 'TOTALS')).toEqual([])
  })

  test('PAUSE holds a query, RESUME lets it catch up, TERMINATE ends it for good', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS} CREATE STREAM copy AS SELECT * FROM readings; PAUSE csas_copy_0;`)
    await millrace.produce('readings', [reading('a', 1)])
    await millrace.untilIdle()
    expect(millrace.queries()[0]!.state).toBe('PAUSED')
    expect(await valuesOf(millrace, 'COPY')).toEqual([])
    await millrace.sql('RESUME ALL;')
    await millrace.untilIdle()
    expect(await valuesOf(millrace, 'COPY')).toEqual([{ V: 1 }])
    await millrace.sql('TERMINATE csas_copy_0;')
    await millrace.produce('readings', [reading('a', 2)])
    await millrace.untilIdle()
    expect(await valuesOf(millrace, 'COPY')).toEqual([{ V: 1 }])
    expect((await refusal(millrace.sql('TERMINATE csas_copy_0;'))).code).toBe('SQL_UNKNOWN_QUERY')
  })

  test('CREATE OR REPLACE goes on where the old query was', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS} CREATE STREAM copy AS SELECT id, v FROM readings;`)
    await millrace.produce('readings', [reading('a', 1)])
    await millrace.untilIdle()
    await millrace.sql('CREATE OR REPLACE STREAM copy AS SELECT id, v, v * 10 AS w FROM readings;')
    await millrace.produce('readings', [reading('a', 2)])
    await millrace.untilIdle()
    expect(await valuesOf(millrace, 'COPY')).toEqual([{ V: 1 }, { V: 2, W: 20 }])
    expect(millrace.queries()).toHaveLength(1)
  })

  test('there may be so many and no more', async () => {
    const millrace = await open({ settings: { 'ksql.query.persistent.active.limit': '1' } })
    await millrace.sql(`${READINGS} ${TOTALS}`)
    const error = await refusal(millrace.sql('CREATE STREAM copy AS SELECT * FROM readings;'))
    expect(error.code).toBe('SQL_TOO_MANY_QUERIES')
    await millrace.sql('TERMINATE ALL; CREATE STREAM copy AS SELECT * FROM readings;')
  })

  test('under cache.max.bytes.buffering 0 every update of a table is a record', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS} SET 'cache.max.bytes.buffering' = '0'; ${TOTALS}`)
    await millrace.produce(
      'readings',
      [1, 2, 3].map((v) => reading('a', v)),
    )
    await millrace.untilIdle()
    expect(await valuesOf(millrace, 'TOTALS')).toEqual([
      { TOTAL: 1, N: 1 },
      { TOTAL: 3, N: 2 },
      { TOTAL: 6, N: 3 },
    ])
  })

  test('INSERT INTO … SELECT adds to a stream', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS}
      CREATE STREAM both AS SELECT id, v FROM readings WHERE v < 2;
      INSERT INTO both SELECT id, v FROM readings WHERE v > 2;`)
    await millrace.produce('readings', [reading('a', 1), reading('a', 2), reading('a', 3)])
    await millrace.untilIdle()
    expect((await valuesOf(millrace, 'BOTH')).map((v) => JSON.stringify(v)).sort()).toEqual([
      '{"V":1}',
      '{"V":3}',
    ])
  })
})

describe('a data directory', () => {
  test('everything is there again: sources, types, queries, offsets, state', async () => {
    const dataDirectory = newDirectory()
    const first = await open({ dataDirectory })
    await first.sql(`${READINGS} ${TOTALS} CREATE TYPE pos AS STRUCT<lat DOUBLE>;
      CREATE STREAM copy AS SELECT * FROM readings; PAUSE csas_copy_1;`)
    await first.produce('readings', [reading('a', 1), reading('b', 5)])
    await first.untilIdle()
    await first.close()

    const second = await open({ dataDirectory })
    expect(second.catalog.sourceNames().toSorted()).toEqual(['COPY', 'PROCESSING_LOG', 'READINGS', 'TOTALS'])
    expect(second.queries().map((q) => [q.id, q.state])).toEqual([
      ['CTAS_TOTALS_0', 'RUNNING'],
      ['CSAS_COPY_1', 'PAUSED'],
    ])
    expect(second.catalog.typeNames()).toEqual(['POS'])
    await second.produce('readings', [reading('a', 2)])
    await second.untilIdle()
    expect((await rowsOf(second, 'SELECT * FROM totals;')).map(String).sort()).toEqual(['a,3,2', 'b,5,1'])
    expect(await valuesOf(second, 'COPY')).toEqual([])
    await second.sql('RESUME ALL; CREATE STREAM third AS SELECT * FROM readings;')
    expect(second.queries().map((q) => q.id)).toContain('CSAS_THIRD_2')
    await second.untilIdle()
    expect(await valuesOf(second, 'COPY')).toHaveLength(3)
  })

  test('what was dropped stays dropped', async () => {
    const dataDirectory = newDirectory()
    const first = await open({ dataDirectory })
    await first.sql(`${READINGS} ${TOTALS} DROP TABLE totals;`)
    await first.close()
    const second = await open({ dataDirectory })
    expect(second.queries()).toEqual([])
    expect(second.catalog.source('TOTALS')).toBeUndefined()
    await second.sql(TOTALS)
    expect(second.queries()[0]!.id).toBe('CTAS_TOTALS_1')
  })

  test('a second process is refused', async () => {
    const dataDirectory = newDirectory()
    await open({ dataDirectory })
    const error = await Millrace.open({ dataDirectory }).then(
      () => null,
      (e: unknown) => e,
    )
    expect(error).toBeInstanceOf(StorageError)
    expect(error).toMatchObject({ code: 'LOG_LOCKED' })
  })

  test('closing twice is harmless', async () => {
    const millrace = await open({ dataDirectory: newDirectory() })
    await millrace.close()
    await millrace.close()
  })
})

test('the typed builder defines, again and again, and its rows have types', async () => {
  const millrace = await open()
  const readings = stream('READINGS', {
    topic: 'readings',
    key: { ID: string() },
    columns: { V: integer() },
    partitions: 1,
  })
  const counts = readings
    .filter((r) => r.V.gt(0))
    .groupBy('ID')
    .aggregate({ N: count() })
    .to('COUNTS')
  await millrace.define(counts)
  const again = await millrace.define(counts)
  expect(again.map((r) => r.kind === 'message' && r.message)).toEqual([
    expect.stringContaining('exists already'),
    expect.stringContaining('exists already'),
  ])
  const changes = millrace.subscribe(counts)
  await millrace.produce('readings', [reading('a', 1), reading('a', 0)])
  for await (const row of changes) {
    const n: number | null = row.N
    const id: string | null = row.ID
    expect([id, n]).toEqual(['a', 1])
    break
  }
})

describe('alerts', () => {
  test('events are a stream, the state is a table, DROP ALERT takes both', async () => {
    const millrace = await open()
    await millrace.sql(`${READINGS}
      CREATE ALERT high AS SELECT id, v FROM readings WHERE v > 10 FOR 10 SECONDS SEVERITY 'critical';`)
    await millrace.produce(
      'readings',
      [0, 5, 12].map((s) => reading('a', 20, s * 1000)),
    )
    await millrace.untilIdle()
    expect((await valuesOf(millrace, 'HIGH')).map((e) => (e as { STATE: string }).STATE)).toEqual([
      'pending',
      'firing',
    ])
    expect(await rowsOf(millrace, 'SELECT id, state, v FROM high_state;')).toEqual([['a', 'firing', 20]])
    expect(await rowsOf(millrace, 'SHOW ALERTS;')).toMatchObject([
      ['HIGH', 'RUNNING', 0, 1, 'HIGH', 'ALERT_HIGH_0'],
    ])
    await millrace.produce('readings', [reading('a', 1, 20_000)])
    await millrace.untilIdle()
    expect(await rowsOf(millrace, 'SELECT * FROM high_state;')).toEqual([])
    expect((await refusal(millrace.sql('DROP STREAM high;'))).message).toContain('alert')
    await millrace.sql('DROP ALERT high;')
    expect(millrace.catalog.sourceNames().toSorted()).toEqual(['PROCESSING_LOG', 'READINGS'])
  })
})

test('who is alone in a partition and falls silent is missed while others go on reporting', async () => {
  const millrace = await open()
  await millrace.sql(`${READINGS}
    CREATE ALERT silent AS SELECT id, v FROM readings WHERE v IS NULL NO DATA AFTER 1500 MILLISECONDS THEN FIRE;
    CREATE ALERT silent_v AS SELECT v, COUNT(*) AS n FROM readings WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY v
      HAVING COUNT(*) = 0 NO DATA AFTER 1500 MILLISECONDS THEN FIRE;`)
  const startedMs = Date.now()
  const send = (id: string, v: number, partition: number): Promise<unknown> =>
    millrace.produce('readings', [{ ...reading(id, v, Date.now()), partition }])
  await send('a', 1, 0)
  // Of the partitions after the exchange, v = 1 and v = 2 are alone in one each.
  while (Date.now() < startedMs + 3_500) {
    await send('b', 2, 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await millrace.untilIdle()
  expect(await rowsOf(millrace, 'SELECT id, state FROM silent_state;')).toEqual([['a', 'firing']])
  expect(await rowsOf(millrace, 'SELECT v, state FROM silent_v_state;')).toEqual([[1, 'firing']])
})

test('produce() reports what the log refuses', async () => {
  const millrace = await open()
  await expect(millrace.produce('nowhere', [{ value: 'x' }])).rejects.toMatchObject({
    code: 'LOG_UNKNOWN_TOPIC',
  })
})

test('consume() follows a topic until its limit or signal', async () => {
  const millrace = await open()
  await millrace.createTopic('t', { partitions: 1 })
  await millrace.produce('t', [
    { key: 'k', value: { a: 1 }, timestampMs: 5, headers: [{ key: 'h', value: Buffer.from('x') }] },
  ])
  const stop = new AbortController()
  const seen: string[] = []
  const following = (async () => {
    for await (const r of millrace.consume('t', { from: 'beginning', follow: true, signal: stop.signal })) {
      seen.push(
        `${r.partition}/${r.offset}@${r.timestampMs} ${Buffer.from(r.key ?? []).toString()}=${Buffer.from(r.value ?? []).toString()} ${r.headers.length}`,
      )
      if (seen.length === 2) stop.abort()
    }
  })()
  await millrace.produce('t', [{ value: null, timestampMs: 6 }])
  await following
  expect(seen).toEqual(['0/0@5 k={"a":1} 1', '0/1@6 = 0'])
})

test('a push query over several partitions shows every row as it was', async () => {
  const millrace = await open()
  await millrace.sql(
    `CREATE STREAM wide (id STRING KEY, text STRING) WITH (kafka_topic='wide', value_format='JSON', partitions=8);`,
  )
  const texts = Array.from({ length: 4_000 }, (_, i) => `${i}-${'x'.repeat(i % 50)}`)
  const rows = millrace.query<{ ID: string; TEXT: string }>(
    `SELECT * FROM wide EMIT CHANGES LIMIT ${texts.length};`,
  )
  await millrace.produce(
    'wide',
    texts.map((text, i) => ({ key: `k${i}`, value: { TEXT: text } })),
  )
  const seen: string[] = []
  for await (const row of rows) seen.push(`${row.ID} ${row.TEXT}`)
  expect(seen.sort()).toEqual(texts.map((text, i) => `k${i} ${text}`).sort())
})
