import { expect, test } from 'vitest'
import { Millrace } from '../../src/runtime/millrace.ts'

test('the results of windows are kept for ever, unless RETENTION_MS says otherwise', async () => {
  const db = await Millrace.open()
  const counts = (name: string, properties: string): string =>
    `CREATE TABLE ${name} WITH (kafka_topic = '${name}', format = 'JSON'${properties}) AS
       SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY id;`
  await db.sql(`
    CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);
    ${counts('kept', '')}
    ${counts('short', ', retention_ms = 1000')}
    ${counts('long', ', retention_ms = 60000')}
    ${counts('said', ', retention_ms = -1')}`)
  const retention = (topic: string) => db.log.topic(topic)!.config['retention.ms']
  expect(retention('kept')).toBeUndefined()
  // Never less than the windows may still change.
  expect(retention('short')).toBe('15000')
  expect(retention('long')).toBe('60000')
  expect(retention('said')).toBe('-1')
  await db.close()
})

test('a query whose unread input has all expired is at the end, and goes on', async () => {
  const problems: string[] = []
  const db = await Millrace.open({ onProblem: ({ detail }) => problems.push(detail) })
  await db.sql(`
    CREATE STREAM s (v INT) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);
    CREATE STREAM out WITH (kafka_topic = 'out') AS SELECT * FROM s EMIT CHANGES;`)
  const { id } = db.queries()[0]!
  await db.produce('s', [{ value: '{"v":1}' }])
  await db.untilIdle()
  await db.sql(`PAUSE ${id};`)
  await db.produce('s', [{ value: '{"v":2}' }, { value: '{"v":3}' }])
  await db.log.deleteRecords('s', 0, 3)
  await db.sql(`RESUME ${id};`)
  await db.untilIdle()
  expect(db.queries()[0]!.counters).toMatchObject({ lag: 0, dropped: { 'expired-unread': 2 } })
  expect(problems).toEqual([
    'A row was dropped: it was removed from its topic before the query read it (topic s, partition 0, offsets 1 to 2).',
  ])
  await db.produce('s', [{ value: '{"v":4}' }])
  await db.untilIdle()
  const values: string[] = []
  for await (const record of db.consume('out', { from: 'beginning' }))
    values.push(Buffer.from(record.value!).toString())
  expect(values).toEqual(['{"V":1}', '{"V":4}'])
  await db.close()
})

test('a result larger than its topic takes is dropped and told of; the others are written, compressed as asked', async () => {
  const problems: string[] = []
  const db = await Millrace.open({ onProblem: ({ detail }) => problems.push(detail) })
  await db.createTopic('out', {
    partitions: 1,
    config: { 'max.message.bytes': '2000', 'compression.type': 'gzip' },
  })
  await db.sql(`
    CREATE STREAM s (v STRING) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);
    CREATE STREAM out WITH (kafka_topic = 'out') AS SELECT * FROM s EMIT CHANGES;`)
  const row = (length: number) => ({ value: { V: 'x'.repeat(length) } })
  await db.produce('s', [row(500), row(3000), row(600), row(500), row(700)])
  await db.untilIdle()
  const lengths: number[] = []
  for await (const { value } of db.consume('out', { from: 'beginning' })) lengths.push(value!.length)
  expect(lengths).toEqual([508, 608, 508, 708])
  expect(db.queries()[0]!.counters.dropped).toEqual({ 'too-large': 1 })
  expect(problems[0]).toContain('it is larger than its topic takes (about 3108 bytes for topic out)')
  const { bytes } = await db.log.read('out', 0, 0, 1 << 20)
  // Plain they would take 2,400 bytes, and none of the batches may have more than 2,000.
  expect(bytes.length).toBeLessThan(400)
  await db.close()
})
