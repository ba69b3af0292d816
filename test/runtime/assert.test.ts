import { afterEach, beforeEach, expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'

let millrace: Millrace

const SETUP = `
  CREATE STREAM s (id STRING KEY, v INT, tags ARRAY<STRING>)
    WITH (KAFKA_TOPIC = 's', PARTITIONS = 1, VALUE_FORMAT = 'JSON');
  CREATE TABLE t AS SELECT id, COUNT(*) AS n FROM s GROUP BY id HAVING COUNT(*) < 2;`

beforeEach(async () => {
  millrace = await Millrace.open({ commitIntervalMs: 5, settings: { 'cache.max.bytes.buffering': '0' } })
  await millrace.sql(SETUP)
})

afterEach(() => millrace.close())

const said = async (text: string): Promise<unknown> =>
  (await millrace.sql(text)).map((r) => (r.kind === 'message' ? r.message : r.kind))

test('a topic is there as asserted, or comes in time', async () => {
  expect(await said('ASSERT TOPIC s WITH (PARTITIONS = 1, REPLICAS = 1);')).toEqual(['Topic s exists.'])
  expect(await said("ASSERT NOT EXISTS TOPIC 'x';")).toEqual(['Topic x does not exist.'])
  const waiting = said('ASSERT TOPIC later TIMEOUT 1 MINUTE;')
  await millrace.createTopic('later', { partitions: 3 })
  expect(await waiting).toEqual(['Topic later exists.'])
})

test.each([
  ['ASSERT TOPIC x TIMEOUT 10 MILLISECONDS;', 'There is no topic x.', 'x'],
  ['ASSERT NOT EXISTS TOPIC s TIMEOUT 0 SECONDS;', 'There is a topic s.', 's'],
  ['ASSERT TOPIC s WITH (PARTITIONS = 2) TIMEOUT 0 SECONDS;', 'Topic s has 1 partition, not 2.', 's'],
  ['ASSERT TOPIC s WITH (REPLICAS = 3) TIMEOUT 0 SECONDS;', 'Topic s is kept once, not in 3 replicas.', 's'],
  [
    "ASSERT SCHEMA SUBJECT 's-value' TIMEOUT 0 SECONDS;",
    'There is no schema of subject s-value.',
    "'s-value'",
  ],
  ['ASSERT SCHEMA ID 7 TIMEOUT 0 SECONDS;', 'There is no schema of ID 7.', '7'],
  [
    "ASSERT STREAM s (id STRING KEY, v BIGINT, tags ARRAY<STRING>) WITH (KAFKA_TOPIC = 's', VALUE_FORMAT = 'JSON');",
    's is not as asserted: its value columns: `V` INTEGER, `TAGS` ARRAY<STRING>, not `V` BIGINT, `TAGS` ARRAY<STRING>.',
    's',
  ],
  [
    "ASSERT TABLE s (id STRING PRIMARY KEY, v INT) WITH (KAFKA_TOPIC = 's', VALUE_FORMAT = 'JSON');",
    's is not as asserted: its kind: stream, not table.',
    's',
  ],
])('%s fails, and says what is there', async (statement, message, at) => {
  const error: unknown = await millrace.sql(statement).catch((e: unknown) => e)
  expect(error).toMatchObject({ code: 'SQL_ASSERTION_FAILED', message })
  const place = (error as { at: { index: number; length: number } }).at
  expect(statement.slice(place.index, place.index + place.length)).toBe(at)
})

test('a definition is as asserted', async () => {
  const statement =
    "ASSERT STREAM s (id STRING KEY, v INT, tags ARRAY<STRING>) WITH (KAFKA_TOPIC = 's', VALUE_FORMAT = 'JSON');"
  expect(await said(statement)).toEqual(['The stream S is as asserted.'])
  expect(
    await said(
      "ASSERT TABLE t (id STRING PRIMARY KEY, n BIGINT) WITH (KAFKA_TOPIC = 'T', VALUE_FORMAT = 'JSON');",
    ),
  ).toEqual(['The table T is as asserted.'])
})

test('a schema is there when something was written with it', async () => {
  await millrace.sql(`CREATE STREAM a (v INT) WITH (KAFKA_TOPIC = 'a', PARTITIONS = 1, VALUE_FORMAT = 'AVRO');
    INSERT INTO a VALUES (1);`)
  const [registered] = [millrace.schemas.latest('a-value')!]
  expect(
    await said(`ASSERT SCHEMA SUBJECT 'a-value'; ASSERT SCHEMA ID ${registered.id};
      ASSERT SCHEMA SUBJECT 'a-value' ID ${registered.id}; ASSERT NOT EXISTS SCHEMA SUBJECT b;`),
  ).toHaveLength(4)
})

test('each row is met by one assertion, in order; columns that are not listed are null', async () => {
  await millrace.sql(`INSERT INTO s (id, v, tags, ROWTIME) VALUES ('a', 1, ARRAY['x'], 10), ('b', NULL, NULL, 20);
    INSERT INTO s (id) VALUES ('a');`)
  await millrace.sql(`
    ASSERT VALUES s (id, v, tags, ROWTIME) VALUES ('a', 1, ARRAY['x'], 10);
    ASSERT VALUES s (id, ROWTIME) VALUES ('b', 20);
    ASSERT VALUES s (id) VALUES ('a');
    ASSERT VALUES t (id, n) VALUES ('a', 1);
    ASSERT VALUES t (id, n) VALUES ('b', 1);
    ASSERT NULL VALUES t (id) KEY ('a');`)
  await expect(millrace.sql("ASSERT VALUES s (id) VALUES ('a');")).rejects.toMatchObject({
    code: 'SQL_ASSERTION_FAILED',
    message: 'S has no further row.',
  })
})

test('another row than asserted is shown', async () => {
  await millrace.sql("INSERT INTO s (id, v, ROWTIME) VALUES ('a', 1, 10);")
  for (const statement of [
    "ASSERT VALUES s (id, v) VALUES ('a', 2);",
    "ASSERT VALUES s (id, v, ROWTIME) VALUES ('a', 1, 11);",
    "ASSERT NULL VALUES s (id) KEY ('a');",
  ]) {
    await expect(millrace.sql(statement)).rejects.toMatchObject({
      message: "The next row of S is ID 'a', V 1, TAGS null, ROWTIME 10.",
    })
  }
})
