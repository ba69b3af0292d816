import { describe, expect, test } from 'vitest'
import { decodeRecord } from '../../src/testing/conformance/topic-codec.ts'
import { TestDriver } from '../../src/testing/index.ts'
import type { SchemaText } from '../../src/formats/schema-registry.ts'

/*
 * Corners of the dialect, end to end: statements and records in, records out. What a single function or
 * refusal does is tested beside it.
 */

/** Keys and values of a topic, as JSON; bigints as numbers. */
function recordsOf(driver: TestDriver, topic: string): string[] {
  const source = driver.sourceOf(topic)!
  return driver.records(topic).map((record) => {
    const { key, value } = decodeRecord(source, record, true, driver)
    return `${text(key)} = ${text(value)}`
  })
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (inner instanceof Map) return Object.fromEntries(inner)
    if (typeof inner === 'object' && inner !== null && 'kind' in inner) {
      return inner.kind === 'integer' && 'value' in inner ? Number(inner.value) : inner
    }
    return inner
  })
}

const S = `CREATE STREAM s (k STRING KEY, a INT, b STRING) WITH (kafka_topic='s', format='JSON', partitions=1);`

describe('GROUP BY a constant', () => {
  test.each([
    [`'all'`, '"all"'],
    ['1', '1'],
    ['TRUE', 'true'],
  ])('%s makes one group of everything', async (constant, key) => {
    const driver = new TestDriver()
    await driver.sql(
      `${S} CREATE TABLE o AS SELECT ${constant} AS g, COUNT(*) AS n FROM s GROUP BY ${constant};`,
    )
    await driver.produce('s', { key: '"x"', value: { A: 1 } })
    await driver.produce('s', { key: '"y"', value: { A: 2 } })
    expect(recordsOf(driver, 'O')).toEqual([`${key} = {"N":1}`, `${key} = {"N":2}`])
  })
})

describe('->* selects the fields of what', () => {
  const T = `CREATE STREAM t (k INT KEY, items ARRAY<STRUCT<x INT, y STRING>>) WITH (kafka_topic='t', format='JSON', partitions=1);`

  test('a table function gives', async () => {
    const driver = new TestDriver()
    await driver.sql(`${T} CREATE STREAM o AS SELECT k, EXPLODE(items)->* FROM t;`)
    await driver.produce('t', { key: '1', value: { ITEMS: [{ X: 1, Y: 'a' }, null] } })
    expect(recordsOf(driver, 'O')).toEqual(['1 = {"X":1,"Y":"a"}', '1 = {"X":null,"Y":null}'])
  })

  test('an aggregate gives', async () => {
    const driver = new TestDriver()
    await driver.sql(
      `${T} CREATE TABLE o AS SELECT k, LATEST_BY_OFFSET(items[1])->*, COUNT(*) AS n FROM t GROUP BY k;`,
    )
    await driver.produce('t', { key: '1', value: { ITEMS: [{ X: 1, Y: 'a' }] } })
    expect(recordsOf(driver, 'O')).toEqual(['1 = {"X":1,"Y":"a","N":1}'])
  })
})

describe('dates and times beyond their range do not stop a query', () => {
  const T = (format: string): string =>
    `CREATE STREAM t (k INT, d DATE, m TIME, ts TIMESTAMP) WITH (kafka_topic='t', value_format='${format}', partitions=1);`

  test.each([
    ['JSON', '{"K":1,"D":99999999999}'],
    ['JSON', '{"K":1,"M":"-99999999999"}'],
    ['JSON', '{"K":1,"TS":8640000000000001}'],
    ['JSON', '{"K":1,"TS":9223372036854775807}'],
    ['DELIMITED', '1,2147483648,,'],
    ['DELIMITED', '1,,,-9223372036854775808'],
  ])('%s %s cannot be read, the next record can', async (format, value) => {
    const driver = new TestDriver()
    await driver.sql(`${T(format)} CREATE STREAM o WITH (value_format='AVRO') AS SELECT * FROM t;`)
    await driver.produce('t', { value })
    await driver.produce('t', { value: format === 'JSON' ? '{"K":2}' : '2,-2147483648,5,8640000000000000' })
    expect(driver.problems.map((p) => p.kind)).toEqual(['undecodable'])
    expect(recordsOf(driver, 'O')).toHaveLength(1)
  })

  test('an expression that leaves the range is null', async () => {
    const driver = new TestDriver()
    await driver.sql(`${S} CREATE STREAM o WITH (value_format='AVRO') AS
      SELECT k, DATEADD(DAYS, a, FROM_DAYS(a)) AS d, TIMESTAMPSUB(DAYS, a, '2020-01-01') AS t,
        FROM_UNIXTIME(9223372036854775807) AS u, CAST(FROM_DAYS(a) AS TIMESTAMP) AS c FROM s;`)
    await driver.produce('s', { key: '"x"', value: { A: 2_147_483_647 } })
    expect(recordsOf(driver, 'O')).toEqual(['"x" = {"D":null,"T":null,"U":null,"C":null}'])
    expect(driver.problems).toHaveLength(4)
  })

  test('PROTOBUF writes and reads every DATE', async () => {
    const driver = new TestDriver()
    await driver.sql(`${S} CREATE STREAM p WITH (value_format='PROTOBUF') AS SELECT k, FROM_DAYS(a) AS d FROM s;
      CREATE STREAM o WITH (value_format='JSON') AS SELECT * FROM p;`)
    for (const a of [2_147_483_647, -2_147_483_648, -1, 0, 18_321])
      await driver.produce('s', { key: '"x"', value: { A: a } })
    expect(recordsOf(driver, 'O')).toEqual(
      [2_147_483_647, -2_147_483_648, -1, 0, 18_321].map((d) => `"x" = {"D":${d}}`),
    )
  })
})

test('a number in a record does not take all memory', async () => {
  const driver = new TestDriver()
  await driver.sql(
    `${S} CREATE STREAM o AS SELECT k, LPAD('x', a, 'y') AS p, GENERATE_SERIES(0, a) AS g FROM s;`,
  )
  await driver.produce('s', { key: '"x"', value: { A: 2_147_483_647 } })
  expect(recordsOf(driver, 'O')).toEqual(['"x" = {"P":null,"G":null}'])
  expect(driver.problems.map((p) => p.kind)).toEqual(['expression', 'expression'])
})

describe('columns taken from a registered schema', () => {
  const record = (...fields: unknown[]): SchemaText => ({
    language: 'AVRO',
    text: JSON.stringify({ type: 'record', name: 'R', fields }),
    references: [],
  })

  test('a field with the name of a system column is refused', async () => {
    const driver = new TestDriver()
    driver.createTopic('t')
    await driver.registry.register('t-value', record({ name: 'rowtime', type: 'long' }))
    await expect(
      driver.sql(`CREATE STREAM t (k STRING KEY) WITH (kafka_topic='t', value_format='AVRO');`),
    ).rejects.toMatchObject({ code: 'SQL_RESERVED_COLUMN' })
  })

  test.each(['AVRO', 'JSON_SR', 'PROTOBUF'] as const)(
    'several key columns are the fields of the schema KEY_SCHEMA_ID names: %s',
    async (format) => {
      const schema: SchemaText = {
        AVRO: record({ name: 'X', type: ['null', 'int'], default: null }, { name: 'Y', type: 'string' }),
        JSON_SR: {
          language: 'JSON' as const,
          text: '{"type":"object","properties":{"X":{"type":"integer","connect.type":"int32"},"Y":{"type":"string"}}}',
          references: [],
        },
        PROTOBUF: {
          language: 'PROTOBUF' as const,
          text: 'syntax = "proto3"; message K { int32 X = 1; string Y = 2; }',
          references: [],
        },
      }[format]
      const driver = new TestDriver()
      const { id } = await driver.registry.register('elsewhere', schema)
      await driver.sql(`${S}
        CREATE STREAM o WITH (key_format='${format}', key_schema_id=${id}) AS
          SELECT a AS x, b AS y, k FROM s PARTITION BY a, b;`)
      await driver.produce('s', { key: '"q"', value: { A: 1, B: 'two' } })
      expect(recordsOf(driver, 'O')).toEqual(['{"X":1,"Y":"two"} = {"K":"q"}'])
      await expect(
        driver.sql(`CREATE STREAM p WITH (key_format='${format}', key_schema_id=${id}) AS
          SELECT b AS y, a AS x, k FROM s PARTITION BY b, a;`),
      ).rejects.toMatchObject({ code: 'SQL_SCHEMA_ID_MISMATCH' })
    },
  )
})
