import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SqlError } from '../../src/base/errors.ts'
import { errorText } from '../../src/cli/error-text.ts'
import { Millrace } from '../../src/index.ts'
import { FakeTerminal } from '../cli/fake-terminal.ts'

/*
 * Mistakes people make, and what they are told: a statement in each first line, then the error as the shell
 * shows it. UPDATE_MISTAKES=1 writes what is shown now.
 */
const PAGE = join(import.meta.dirname, 'mistakes.txt')

const SETUP = `
  CREATE STREAM orders (id STRING KEY, item STRING, qty INT, price DOUBLE, amount DECIMAL(10, 2), ts BIGINT, d DATE,
    tags ARRAY<STRING>, attrs MAP<STRING, STRING>, addr STRUCT<city STRING, zip INT>, ok BOOLEAN)
    WITH (KAFKA_TOPIC = 'orders', PARTITIONS = 2, VALUE_FORMAT = 'JSON');
  CREATE STREAM shipments (id STRING KEY, order_id STRING, qty BIGINT)
    WITH (KAFKA_TOPIC = 'shipments', PARTITIONS = 3, VALUE_FORMAT = 'JSON');
  CREATE TABLE users (id STRING PRIMARY KEY, name STRING, city STRING)
    WITH (KAFKA_TOPIC = 'users', PARTITIONS = 2, VALUE_FORMAT = 'JSON');
  CREATE TABLE items (id INT PRIMARY KEY, title STRING, owner STRING)
    WITH (KAFKA_TOPIC = 'items', PARTITIONS = 2, VALUE_FORMAT = 'JSON');
  CREATE TABLE counts AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item;
  CREATE TABLE wcounts AS SELECT item, COUNT(*) AS n FROM orders WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY item;
  CREATE TABLE ucopy AS SELECT * FROM users;
  CREATE SOURCE TABLE srct (id STRING PRIMARY KEY, name STRING) WITH (KAFKA_TOPIC = 'users', VALUE_FORMAT = 'JSON');
  CREATE SOURCE STREAM srcs (id STRING KEY, item STRING) WITH (KAFKA_TOPIC = 'orders', VALUE_FORMAT = 'JSON');
  CREATE STREAM hdrs (a INT, h ARRAY<STRUCT<key STRING, value BYTES>> HEADERS)
    WITH (KAFKA_TOPIC = 'h', PARTITIONS = 1, VALUE_FORMAT = 'JSON');
  CREATE STREAM own (query_id STRING KEY) WITH (KAFKA_TOPIC = 'millrace_processing_log', VALUE_FORMAT = 'JSON');
  CREATE TYPE address AS STRUCT<city STRING>;`

const cases = readFileSync(PAGE, 'utf8')
  .trimEnd()
  .split('\n\n')
  .map((entry) => {
    const [statement, ...shown] = entry.split('\n')
    return { statement: statement!, shown: `${shown.join('\n')}\n` }
  })

let millrace: Millrace
const now: string[] = []

beforeAll(async () => {
  millrace = await Millrace.open()
  await millrace.sql(SETUP)
})

afterAll(async () => {
  await millrace.close()
  if (process.env['UPDATE_MISTAKES'] === '1') writeFileSync(PAGE, `${now.join('\n')}\n`.replace(/\n+$/, '\n'))
})

test('there are as many as promised', () => {
  expect(cases.length).toBeGreaterThanOrEqual(150)
})

test.each(cases)('$statement', async ({ statement, shown }) => {
  const error: unknown = await millrace.sql(statement).then(
    () => 'accepted',
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(SqlError)
  const { at } = error as SqlError
  // Where it is: inside the text, or just behind its end.
  expect(at?.line).toBe(1)
  expect(at!.index + at!.length).toBeLessThanOrEqual(statement.length + 1)
  const text = errorText(error, new FakeTerminal(), statement)
  now.push(`${statement}\n${text}`)
  if (process.env['UPDATE_MISTAKES'] !== '1') expect(text).toBe(shown)
})
