import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { seededRandom } from '../../../src/base/random.ts'
import { Millrace, type NewRecord } from '../../../src/runtime/millrace.ts'
import { TestDriver } from '../../../src/testing/driver.ts'

/** Operators under statements, over real stores and several partitions. */

test('a foreign key finds its row in whatever partition it lies', async () => {
  const millrace = await Millrace.open()
  await millrace.createTopic('l', { partitions: 4 })
  await millrace.createTopic('r', { partitions: 3 })
  await millrace.sql(`
    CREATE TABLE l (id STRING PRIMARY KEY, fk STRING, v INT) WITH (kafka_topic='l', value_format='JSON');
    CREATE TABLE r (rid STRING PRIMARY KEY, n STRING) WITH (kafka_topic='r', value_format='JSON');
    CREATE TABLE o AS SELECT l.id, r.rid, v, n FROM l JOIN r ON l.fk = r.rid;
    CREATE TABLE g AS SELECT n, COUNT(*) AS c, SUM(v) AS s FROM o GROUP BY n;`)
  const rights = Array.from({ length: 10 }, (_, i) => ({
    key: `r${i}`,
    value: { N: `n${i % 3}` },
    timestampMs: i,
  }))
  const lefts = Array.from({ length: 40 }, (_, i) => ({
    key: `l${i}`,
    value: { FK: `r${i % 10}`, V: i },
    timestampMs: i,
  }))
  await millrace.produce('r', rights)
  await millrace.produce('l', lefts)
  await millrace.produce('r', [
    { key: 'r0', value: { N: 'n1' }, timestampMs: 100 },
    { key: 'r1', value: null, timestampMs: 101 },
  ])
  await millrace.untilIdle()
  const groups: string[] = []
  for await (const row of millrace.query<{ N: string; C: number; S: number }>('SELECT * FROM g;')) {
    groups.push(`${row.N} ${row.C} ${row.S}`)
  }
  await millrace.close()
  // r0: 0 + 10 + 20 + 30 moved from n0 to n1; r1, 64 of n1, is gone.
  expect(groups.toSorted()).toEqual(['n0 12 252', 'n1 12 224', 'n2 12 240'])
})

test('an alert over windows takes each window as one evaluation', async () => {
  const driver = new TestDriver()
  await driver.sql(`
    CREATE STREAM s (id STRING KEY, v DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=1);
    CREATE ALERT hot AS SELECT id, AVG(v) AS a FROM s WINDOW TUMBLING (SIZE 10 SECONDS)
      GROUP BY id HAVING AVG(v) > 10 FOR 10 SECONDS KEEP FIRING FOR 5 SECONDS SEVERITY 'high';`)
  // Each window begins low: half of it would end the pending clock.
  for (const [t, v] of [
    [1, 2],
    [5, 30],
    [12, 3],
    [18, 40],
    [21, 1],
    [29, 50],
    [34, 5],
    [45, 3],
    [56, 3],
  ] as const) {
    await driver.produce('s', { key: 'a', value: { V: v }, timestampMs: t * 1000 })
  }
  const events = driver.records('HOT').map((record) => {
    const { STATE, SINCE, AT, A } = JSON.parse(Buffer.from(record.value!).toString()) as Record<
      string,
      unknown
    >
    return [STATE, SINCE, AT, A].join(' ')
  })
  expect(events).toEqual(['pending 5000 5000 16', 'firing 5000 18000 21.5', 'resolved 5000 39000 5'])
})

test('a pull query shows no row that HAVING or WHERE leaves out', async () => {
  const millrace = await Millrace.open()
  for (const topic of ['s', 'l', 'r']) await millrace.createTopic(topic, { partitions: 1 })
  await millrace.sql(`
    CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON');
    CREATE TABLE l (id STRING PRIMARY KEY, v INT) WITH (kafka_topic='l', value_format='JSON');
    CREATE TABLE r (id STRING PRIMARY KEY, n INT) WITH (kafka_topic='r', value_format='JSON');
    CREATE TABLE often AS SELECT id, COUNT(*) AS c FROM s WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS)
      GROUP BY id HAVING COUNT(*) > 1;
    CREATE TABLE large AS SELECT l.id AS id, v, n FROM l LEFT JOIN r ON l.id = r.id WHERE v > 1;`)
  await millrace.produce('s', [
    { key: 'a', value: { V: 1 }, timestampMs: 1000 },
    { key: 'a', value: { V: 1 }, timestampMs: 7000 },
    { key: 'b', value: { V: 1 }, timestampMs: 7000 },
  ])
  await millrace.produce('l', [
    { key: 'a', value: { V: 1 }, timestampMs: 0 },
    { key: 'b', value: { V: 2 }, timestampMs: 0 },
  ])
  await millrace.untilIdle()
  const rows = async (query: string): Promise<unknown[]> => {
    const found: unknown[] = []
    for await (const row of millrace.query(query)) found.push(row)
    return found
  }
  expect(await rows('SELECT * FROM often;')).toEqual([{ ID: 'a', WINDOWSTART: 0, WINDOWEND: 10000, C: 2 }])
  expect(await rows("SELECT * FROM often WHERE id = 'b';")).toEqual([])
  expect(await rows('SELECT * FROM large;')).toEqual([{ ID: 'b', V: 2, N: null }])
  await millrace.close()
})

const STATEMENTS = `
  CREATE STREAM s (id STRING KEY, v INT, fk STRING) WITH (kafka_topic='s', value_format='JSON');
  CREATE STREAM s2 (id STRING KEY, w INT) WITH (kafka_topic='s2', value_format='JSON');
  CREATE TABLE l (id STRING PRIMARY KEY, fk STRING, v INT) WITH (kafka_topic='l', value_format='JSON');
  CREATE TABLE r (rid STRING PRIMARY KEY, n STRING) WITH (kafka_topic='r', value_format='JSON');
  CREATE TABLE plain AS SELECT id, COUNT(*) c, SUM(v) s FROM s GROUP BY id;
  CREATE TABLE hops AS SELECT fk, COUNT(*) c, COLLECT_LIST(v) s FROM s
    WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY fk EMIT FINAL;
  CREATE TABLE visits AS SELECT id, COUNT(*) c FROM s WINDOW SESSION (3 SECONDS, GRACE PERIOD 1 SECONDS)
    GROUP BY id EMIT FINAL;
  CREATE TABLE sessions AS SELECT id, SUM(v) s FROM s WINDOW SESSION (3 SECONDS, GRACE PERIOD 1 SECONDS) GROUP BY id;
  CREATE TABLE named AS SELECT l.id, r.rid, v, n FROM l JOIN r ON l.fk = r.rid;
  CREATE TABLE both_sides AS SELECT l.id AS id, v, n FROM l LEFT JOIN r ON l.id = r.rid;
  CREATE TABLE groups AS SELECT fk, COUNT(*) c, SUM(v) s FROM l GROUP BY fk HAVING COUNT(*) > 1;
  CREATE STREAM pairs AS SELECT s.id AS id, s.v, s2.w FROM s LEFT JOIN s2
    WITHIN 2 SECONDS GRACE PERIOD 1 SECONDS ON s.id = s2.id;
  -- With the cache on, what an average was within a cycle depends on where the cycle ends.
  SET 'cache.max.bytes.buffering' = '0';
  CREATE ALERT high AS SELECT id, AVG(v) AS a FROM s WINDOW TUMBLING (SIZE 5 SECONDS) GROUP BY id
    HAVING AVG(v) > 50 FOR 5 SECONDS KEEP FIRING FOR 5 SECONDS;
  UNSET 'cache.max.bytes.buffering';
  CREATE ALERT quiet AS SELECT id, v FROM s WHERE v > 90 NO DATA AFTER 20 SECONDS THEN FIRE;`
/** Every record of these counts; of the others the last one of each key. */
const EXACT = ['HOPS', 'VISITS', 'PAIRS', 'HIGH', 'QUIET']
const LATEST = ['PLAIN', 'SESSIONS', 'NAMED', 'BOTH_SIDES', 'GROUPS']

test('stopped and started again in the middle, queries give what they give undisturbed', async () => {
  const random = seededRandom(7)
  const pick = (count: number): number => random.below(count)
  const makers = [
    (): NewRecord => ({ key: `k${pick(12)}`, value: { V: pick(100), FK: `r${pick(6)}` } }),
    (): NewRecord => ({ key: `k${pick(12)}`, value: { W: pick(100) } }),
    (): NewRecord => ({
      key: `k${pick(12)}`,
      value: pick(5) === 0 ? null : { V: pick(100), FK: `r${pick(6)}` },
    }),
    (): NewRecord => ({
      key: pick(2) === 0 ? `k${pick(12)}` : `r${pick(6)}`,
      value: pick(5) === 0 ? null : { N: `n${pick(4)}` },
    }),
  ]
  const topics = ['s', 's2', 'l', 'r']
  const records = Array.from({ length: 400 }, (_, i) => {
    const which = pick(4)
    return { topic: topics[which]!, record: { ...makers[which]!(), timestampMs: i * 250 } }
  })
  const undisturbed = await results(records, topics, 1)
  expect(await results(records, topics, 5)).toEqual(undisturbed)
  for (const sink of [...EXACT, ...LATEST]) expect(undisturbed.get(sink)!.length).toBeGreaterThan(0)
})

async function results(
  records: readonly { readonly topic: string; readonly record: NewRecord }[],
  topics: readonly string[],
  runs: number,
): Promise<Map<string, string[]>> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'operators-'))
  const open = async (): Promise<Millrace> => Millrace.open({ dataDirectory, durability: 'os' })
  let millrace = await open()
  for (const topic of topics) await millrace.createTopic(topic, { partitions: 2 })
  await millrace.sql(STATEMENTS)
  const each = Math.ceil(records.length / runs)
  for (let from = 0; from < records.length; from += each) {
    if (from > 0) {
      await millrace.close()
      millrace = await open()
    }
    for (const { topic, record } of records.slice(from, from + each)) await millrace.produce(topic, [record])
    await millrace.untilIdle()
  }
  const found = new Map<string, string[]>()
  for (const sink of [...EXACT, ...LATEST]) {
    const lines: string[] = []
    const last = new Map<string, string>()
    for await (const { key, value, timestampMs } of millrace.consume(sink, { from: 'beginning' })) {
      const name = key === null ? '' : Buffer.from(key).toString('latin1')
      const line = `${name} ${value === null ? 'gone' : Buffer.from(value).toString()} ${timestampMs}`
      lines.push(line)
      if (value === null) last.delete(name)
      else last.set(name, line)
    }
    found.set(sink, (EXACT.includes(sink) ? lines : [...last.values()]).toSorted())
  }
  await millrace.close()
  await rm(dataDirectory, { recursive: true })
  return found
}
