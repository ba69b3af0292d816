import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { integer, Millrace, scalarFunction } from '../../src/index.ts'

let directory: string
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'millrace-'))))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const picky = scalarFunction({
  name: 'PICKY',
  summary: 'Takes no odd numbers.',
  args: { n: integer() },
  returns: integer(),
  body: ({ n }) => {
    if (n % 2 === 1) throw new Error(`${n} is odd`)
    return n
  },
  examples: [['PICKY(2)', 2]],
})

const READINGS = `CREATE STREAM readings (k STRING KEY, n INT, t STRING)
  WITH (kafka_topic = 'readings', value_format = 'JSON', partitions = 2);`

async function entries(millrace: Millrace): Promise<string[]> {
  await millrace.untilIdle()
  const lines: string[] = []
  const rows = millrace.query(
    'SELECT query_id, source_topic, source_partition, source_offset, part, reason, record_time FROM processing_log;',
  )
  for await (const row of rows) lines.push(Object.values(row).map(String).join(' '))
  return lines.toSorted()
}

test('a division by zero, a bad cast and a failing function are told of with their place, once, also after a restart', async () => {
  const options = { dataDirectory: directory, functions: [picky], commitIntervalMs: 5 }
  let millrace = await Millrace.open(options)
  await millrace.sql(`${READINGS}
    CREATE STREAM divided AS SELECT k, 12 / n AS d FROM readings;
    CREATE STREAM cast_ AS SELECT k, CAST(t AS INT) AS i FROM readings WHERE PICKY(n) >= 0;`)
  const send = async (...rows: (readonly [number, string, number])[]): Promise<void> => {
    for (const [n, t, partition] of rows)
      await millrace.produce('readings', [
        { key: 'a', value: { N: n, T: t }, partition, timestampMs: 1_000 + n },
      ])
    await millrace.untilIdle()
  }
  await send([2, '7', 0], [0, 'x', 0], [3, '8', 1])
  const expected = [
    "CSAS_CAST__1 readings 0 1 expression 'x' is not an INTEGER. 1000",
    'CSAS_CAST__1 readings 1 0 expression Function PICKY failed: 3 is odd 1003',
    'CSAS_DIVIDED_0 readings 0 1 expression Division by zero. 1000',
  ]
  expect(await entries(millrace)).toEqual(expected)
  const [divided, casts] = millrace.queries()
  expect(divided!.counters.expressionErrorReasons).toEqual({ 'Division by zero.': 1 })
  expect(casts!.counters).toMatchObject({
    expressionErrors: 2,
    expressionErrorReasons: { "'…' is not an INTEGER.": 1, 'Function PICKY failed: … is odd': 1 },
  })
  await millrace.close()
  millrace = await Millrace.open(options)
  expect(await entries(millrace)).toEqual(expected)
  await send([0, 'y', 1])
  expect(await entries(millrace)).toHaveLength(5)
  await millrace.close()
})

test('EXPLAIN counts failed expressions by reason', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(
    `${READINGS} CREATE STREAM divided AS SELECT k, 12 / n AS d, CAST(t AS INT) AS i FROM readings;`,
  )
  await millrace.produce(
    'readings',
    [0, 1, 0].map((n) => ({ key: 'a', value: { N: n, T: n === 0 ? '1' : 'x' } })),
  )
  await millrace.untilIdle()
  const [result] = await millrace.sql('EXPLAIN CSAS_DIVIDED_0;')
  expect(result).toMatchObject({
    text: expect.stringContaining(
      "Expression errors: 3\n  2: Division by zero.\n  1: '…' is not an INTEGER.\n",
    ) as string,
  })
  await millrace.close()
})

test('a query over the processing log whose expressions fail does not feed itself', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(`${READINGS}
    CREATE STREAM told AS SELECT query_id, reason, CAST(reason AS INT) AS n FROM processing_log;
    CREATE STREAM told_again AS SELECT query_id, CAST(reason AS INT) AS n FROM told;
    CREATE STREAM copy AS SELECT k, n FROM readings;`)
  await millrace.produce('readings', [{ key: 'a', value: 'no JSON' }])
  expect(await entries(millrace)).toHaveLength(1)
  await millrace.produce('readings', [{ key: 'a', value: 'no JSON either' }])
  expect(await entries(millrace)).toHaveLength(2)
  expect(millrace.queries().map(({ counters }) => counters.expressionErrors)).toEqual([2, 2, 0])
  await millrace.close()
})

test('times that are out of range are told of with the clock’s time: the entry itself can be read', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.sql(`${READINGS}
    CREATE STREAM parts AS SELECT query_id, part, record_time FROM processing_log;
    CREATE STREAM copy AS SELECT k, n FROM readings;`)
  const times = [Date.now() + 365 * 86_400_000, Number.MAX_SAFE_INTEGER]
  await millrace.produce(
    'readings',
    times.map((timestampMs) => ({ key: 'a', value: { N: 1 }, timestampMs })),
  )
  const told = (await entries(millrace)).map((line) => line.split(' ').at(-1))
  expect(new Set(told)).toEqual(new Set(times.map(String)))
  expect(told).toHaveLength(2)
  expect(millrace.queries()[0]!.counters).toMatchObject({ recordsIn: 2, dropped: {} })
  await millrace.close()
})

test('a record of thirty megabytes that cannot be read is told of in a sentence, and holds nothing up', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  await millrace.createTopic('readings', { partitions: 2, config: { 'max.message.bytes': String(64 << 20) } })
  await millrace.sql(
    `${READINGS.replace(', partitions = 2', '')} CREATE STREAM lengths AS SELECT k, LEN(t) AS l FROM readings;`,
  )
  const huge = 'x'.repeat(30 << 20)
  await millrace.produce('readings', [
    { key: 'a', value: { N: 1, T: 'abc' } },
    { key: 'a', value: `{"N":1,"T":"${huge}` },
    { key: 'a', value: `{"N":"${huge}","T":""}` },
    { key: 'a', value: { N: 1, T: huge } },
    { key: 'a', value: { N: 1, T: 'ab' } },
  ])
  const told = await entries(millrace)
  expect(told.map((line) => line.split(' ').slice(0, 5).join(' '))).toEqual([
    'CSAS_LENGTHS_0 readings 0 1 value',
    'CSAS_LENGTHS_0 readings 0 2 value',
  ])
  for (const line of told) expect(line.length).toBeLessThan(300)
  const lengths: unknown[] = []
  for await (const { value } of millrace.consume('LENGTHS', { from: 'beginning' }))
    lengths.push(JSON.parse(Buffer.from(value!).toString()))
  expect(lengths).toEqual([{ L: 3 }, { L: 30 << 20 }, { L: 2 }])
  await millrace.close()
})
