import { describe, expect, test } from 'vitest'
import { TestDriver } from '../../src/testing/index.ts'
import type { TopicRecord } from '../../src/testing/index.ts'

const STREAM = `CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=4);`

function shown(records: readonly TopicRecord[]): string[] {
  const text = (part: Uint8Array | null): string => (part === null ? 'null' : Buffer.from(part).toString())
  return records.map((r) => `${text(r.key)}=${text(r.value)}@${r.timestampMs}`)
}

describe('a record at a time', () => {
  test('every update is a record', async () => {
    const driver = new TestDriver()
    await driver.sql(`${STREAM} CREATE TABLE t AS SELECT id, SUM(v) AS total FROM s GROUP BY id;`)
    await driver.produce('s', { key: 'a', value: { V: 1 }, timestampMs: 5 })
    await driver.produce('s', { key: 'a', value: { V: 2 }, timestampMs: 3 })
    expect(shown(driver.records('T'))).toEqual(['a={"TOTAL":1}@5', 'a={"TOTAL":3}@5'])
  })

  test('what comes out goes on to the queries that read it', async () => {
    const driver = new TestDriver()
    await driver.sql(`${STREAM}
      CREATE STREAM doubled AS SELECT id, v * 2 AS v FROM s;
      CREATE STREAM big AS SELECT * FROM doubled WHERE v > 5;`)
    await driver.produce('s', { key: 'a', value: { V: 1 } })
    await driver.produce('s', { key: 'a', value: { V: 3 } })
    expect(shown(driver.records('BIG'))).toEqual(['a={"V":6}@0'])
  })

  test('only record timestamps move time', async () => {
    const driver = new TestDriver()
    await driver.sql(`${STREAM}
      CREATE TABLE w AS SELECT id, COUNT(*) AS n FROM s
        WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 0 SECONDS) GROUP BY id EMIT FINAL;`)
    await driver.produce('s', { key: 'a', value: { V: 1 }, timestampMs: 1_000 })
    expect(driver.records('W')).toEqual([])
    await driver.produce('s', { key: 'b', value: { V: 1 }, timestampMs: 10_000 })
    expect(driver.records('W')).toHaveLength(1)
    await driver.produce('s', { key: 'a', value: { V: 1 }, timestampMs: 2_000 })
    expect(driver.problems).toMatchObject([
      { kind: 'dropped', reason: expect.stringContaining('late') as string },
    ])
  })

  test('undecodable records are reported with their place and use up an offset', async () => {
    const driver = new TestDriver()
    await driver.sql(
      `${STREAM} CREATE STREAM o AS SELECT id, ROWOFFSET AS at FROM s;`.replace(' at ', ' place '),
    )
    await driver.produce('s', { key: 'a', value: 'no JSON' })
    await driver.produce('s', { key: 'a', value: { V: 1 } })
    expect(driver.problems).toMatchObject([
      { kind: 'undecodable', topic: 's', offset: 0, queryId: 'CSAS_O_0' },
    ])
    expect(shown(driver.records('O'))).toEqual(['a={"PLACE":1}@0'])
  })

  test('tables are asked by pull queries', async () => {
    const driver = new TestDriver()
    await driver.sql(`${STREAM} CREATE TABLE t AS SELECT id, MAX(v) AS top FROM s GROUP BY id;`)
    await driver.produce('s', { key: 'a', value: { V: 7 } })
    const [result] = await driver.sql(`SELECT * FROM t WHERE id = 'a';`)
    expect(result).toMatchObject({ kind: 'rows', rows: [['a', 7]] })
  })

  test('a paused query gets nothing', async () => {
    const driver = new TestDriver()
    await driver.sql(`${STREAM} CREATE STREAM o AS SELECT * FROM s; PAUSE ALL;`)
    await driver.produce('s', { key: 'a', value: { V: 7 } })
    expect(driver.records('O')).toEqual([])
  })
})

test('fed one query after the other: a topic two queries write holds all of the first, then all of the second', async () => {
  const driver = new TestDriver()
  await driver.sql(
    `${STREAM} CREATE STREAM o AS SELECT id, v FROM s; INSERT INTO o SELECT id, v * 10 AS v FROM s;`,
  )
  const inputs = [1, 2].map((v) => ({
    topic: 's',
    record: {
      key: Buffer.from('a'),
      value: Buffer.from(JSON.stringify({ V: v })),
      timestampMs: v,
      headers: [],
    },
  }))
  await driver.feedQueries(inputs)
  expect(shown(driver.records('O'))).toEqual(['a={"V":1}@1', 'a={"V":2}@2', 'a={"V":10}@1', 'a={"V":20}@2'])
})
