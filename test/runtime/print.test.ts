import { afterEach, beforeEach, expect, test } from 'vitest'
import { printResult } from '../../src/cli/result-printer.ts'
import { Millrace, type NewRecord } from '../../src/index.ts'
import { FakeTerminal } from '../cli/fake-terminal.ts'

let millrace: Millrace

beforeEach(async () => (millrace = await Millrace.open({ commitIntervalMs: 5 })))
afterEach(() => millrace.close())

/** What the shell shows, without the places and times of records. */
async function printed(topic: string, count: number, json = false): Promise<string[]> {
  await millrace.untilIdle()
  const [result] = await millrace.sql(`PRINT '${topic}' FROM BEGINNING LIMIT ${count};`)
  const terminal = new FakeTerminal()
  await printResult(result!, terminal, { json, stop: new AbortController().signal })
  return terminal.output
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\d+:\d+ {2}\S+ {2}/, '').replace(/^.*,"key"/, '"key"'))
}

async function topicOf(...records: NewRecord[]): Promise<void> {
  await millrace.createTopic('t', { partitions: 1 })
  await millrace.produce('t', records)
}

test.each(['AVRO', 'PROTOBUF', 'JSON_SR'])(
  '%s is read by its schemas, with the case of their names',
  async (format) => {
    await millrace.sql(`
    CREATE STREAM s (id INT KEY, \`v\` BIGINT, d DECIMAL(5, 2), st STRUCT<x INT, y ARRAY<STRING>>)
      WITH (KAFKA_TOPIC = 's', PARTITIONS = 1, FORMAT = '${format}');
    INSERT INTO s VALUES (7, 9007199254740993, 1.5, STRUCT(x := 1, y := ARRAY['a']));`)
    const key = format === 'PROTOBUF' ? '{"ID":7}' : '7'
    const value = '{"v":9007199254740993,"D":1.50,"ST":{"X":1,"Y":["a"]}}'
    expect(await printed('s', 1)).toEqual([
      `Key format: ${format}`,
      `Value format: ${format}`,
      `${key}  ${value}`,
    ])
    const [line] = await printed('s', 1, true)
    expect(line).toBe(`"key":${JSON.stringify(key)},"value":${JSON.stringify(value)},"headers":[]}`)
  },
)

test('a schema of a value without fields', async () => {
  await millrace.sql(`
    CREATE STREAM s (v BIGINT) WITH (KAFKA_TOPIC = 's', PARTITIONS = 1, VALUE_FORMAT = 'AVRO', WRAP_SINGLE_VALUE = FALSE);
    INSERT INTO s VALUES (4), (NULL);`)
  expect(await printed('s', 2)).toEqual(['Value format: AVRO', 'null  4', 'null  null'])
})

test('text, numbers and bytes are told by what they look like', async () => {
  await topicOf(
    { key: Buffer.of(0, 0, 1, 0), value: '{"a":1}' },
    { key: Buffer.of(0, 0, 0, 0, 0, 0, 1, 0), value: 'plain' },
    { key: Buffer.of(255, 0, 1), value: null },
    { key: 'k', value: 'two\nlines' },
  )
  expect(await printed('t', 4)).toEqual([
    'Key format: KAFKA_INT',
    'Value format: JSON or KAFKA_STRING',
    '256  {"a":1}',
    'Key format: MIXED',
    '256  plain',
    '0xff0001  null',
    'k  two\\nlines',
  ])
})

test('a format that no record since is of is not the format', async () => {
  await topicOf({ value: '{}' }, { value: Buffer.of(1, 2, 3) }, { value: '{}' })
  expect(await printed('t', 3)).toEqual([
    'Value format: JSON or KAFKA_STRING',
    'null  {}',
    'Value format: MIXED',
    'null  0x010203',
    'null  {}',
  ])
})

test('bytes that only begin like those of a schema, or name none that is known, are bytes', async () => {
  await millrace.sql(
    "CREATE STREAM a (v INT) WITH (KAFKA_TOPIC = 'a', PARTITIONS = 1, VALUE_FORMAT = 'AVRO'); INSERT INTO a VALUES (1);",
  )
  await topicOf({ value: Buffer.of(0, 0, 0, 0, 1, 9, 9, 9) }, { value: Buffer.of(0, 0, 0, 9, 9, 1) })
  expect(await printed('t', 2)).toEqual([
    'Value format: KAFKA_BIGINT or KAFKA_DOUBLE',
    'null  17369353',
    'Value format: MIXED',
    'null  0x000000090901',
  ])
})

test('keys with windows have them shown', async () => {
  await millrace.sql(`
    CREATE STREAM s (id STRING KEY, v INT) WITH (KAFKA_TOPIC = 's', PARTITIONS = 1, VALUE_FORMAT = 'JSON');
    CREATE TABLE w AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 MILLISECONDS) GROUP BY id;
    CREATE TABLE x AS SELECT id, COUNT(*) AS n FROM s WINDOW SESSION (10 MILLISECONDS) GROUP BY id;
    INSERT INTO s (id, v, ROWTIME) VALUES ('a', 1, 25);`)
  expect(await printed('W', 1)).toEqual([
    'Key format: TUMBLING(KAFKA_STRING)',
    'Value format: JSON or KAFKA_STRING',
    '[a@20/30]  {"N":1}',
  ])
  expect((await printed('X', 1)).at(-1)).toBe('[a@25/25]  {"N":1}')
})

test('every other record, and an unknown topic with the nearest', async () => {
  await topicOf({ value: 'a' }, { value: 'b' }, { value: 'c' })
  const [result] = await millrace.sql('PRINT t FROM BEGINNING INTERVAL 2 LIMIT 2;')
  const values: (string | null)[] = []
  if (result?.kind === 'print') for await (const { valuePart } of result.records) values.push(valuePart.text)
  expect(values).toEqual(['a', 'c'])
  await expect(millrace.sql('PRINT tt;')).rejects.toMatchObject({
    code: 'SQL_UNKNOWN_TOPIC',
    hint: 'Did you mean t?',
    at: { column: 7 },
  })
})
