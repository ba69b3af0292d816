import Big from 'big.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Millrace, SqlError, type Parameters } from '../../src/index.ts'
import { TestDriver } from '../../src/testing/driver.ts'

let millrace: Millrace
beforeEach(async () => {
  millrace = await Millrace.open({ commitIntervalMs: 5 })
})
afterEach(() => millrace.close())

const S = `CREATE STREAM s (id STRING KEY, n INT, big BIGINT, d DOUBLE, x DECIMAL(6, 2), b BOOLEAN, t TIMESTAMP, raw BYTES, items ARRAY<INT>)
           WITH (kafka_topic='s', value_format='JSON', partitions=1);`
const INSERT = 'INSERT INTO s (id, n, big, d, x, b, t, raw, items) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);'

async function all(sql: string, parameters: Parameters): Promise<unknown[]> {
  const rows: unknown[] = []
  for await (const row of millrace.query(sql, { parameters })) rows.push(row)
  return rows
}

async function refusal(work: () => Promise<unknown>): Promise<SqlError> {
  const error = await (async () => work())().then(
    () => null,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(SqlError)
  return error as SqlError
}

test('values of every kind arrive as they are, whatever characters are in them', async () => {
  await millrace.sql(S)
  const text = `'; DROP STREAM s; -- \${x} ? :id "`
  const time = new Date('2021-03-20T14:05:00.250Z')
  const big = 9007199254740993n
  const bytes = new Uint8Array([0, 255, 39])
  await millrace.sql(INSERT, { parameters: [text, -7, big, 0.1, new Big('1.50'), true, time, bytes, [1, 2]] })
  await millrace.sql(INSERT, { parameters: ['other', null, 1, 2, 3, false, null, null, null] })
  expect(await all('SELECT * FROM s WHERE id = ?;', [text])).toEqual([
    {
      ID: text, N: -7, BIG: big, D: 0.1, X: new Big('1.50'), B: true, T: time.getTime(), RAW: bytes, ITEMS: [1, 2],
    }, // oxfmt-ignore
  ])
  const ids = async (where: string, parameters: Parameters): Promise<unknown[]> =>
    all(`SELECT id FROM s WHERE ${where};`, parameters)
  expect(await ids('big = :big AND t = :at AND raw = :raw', { big, at: time, raw: bytes })).toEqual([
    { ID: text },
  ])
  expect(await ids('d > ? AND n IN (?, ?) AND b = ?', [0.05, -7, 8, true])).toEqual([{ ID: text }])
  expect(await ids('x BETWEEN ? AND ?', [new Big('2'), 3])).toEqual([{ ID: 'other' }])
  expect(await ids('ROWTIME > :then AND ARRAY_CONTAINS(items, :n)', { then: time, n: 2 })).toEqual([
    { ID: text },
  ])
})

test('a key given as a parameter is looked up, not scanned for', async () => {
  await millrace.sql(`${S} CREATE TABLE c AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;`)
  await millrace.sql(`INSERT INTO s (id) VALUES (:a), (:b), (:a);`, { parameters: { a: 'x', b: 'y' } })
  await millrace.untilIdle()
  const settings = { 'ksql.query.pull.table.scan.enabled': 'false' }
  const rows: unknown[] = []
  const answer = millrace.query('SELECT * FROM c WHERE id = :Key;', { settings, parameters: { Key: 'x' } })
  for await (const row of answer) rows.push(row)
  expect(rows).toEqual([{ ID: 'x', N: 2 }])
})

test.each<[string, Parameters | undefined, string, number | undefined]>([
  ['SELECT id FROM s WHERE id = ?;', undefined, 'SQL_PARAMETER_UNBOUND', 29],
  ['SELECT id FROM s WHERE id = ? OR id = ?;', ['a'], 'SQL_PARAMETER_UNBOUND', 39],
  ['SELECT id FROM s WHERE id = ?;', ['a', 'b'], 'SQL_PARAMETER_COUNT', 1],
  ['SELECT id FROM s WHERE id = :id;', { ID: 'a' }, 'SQL_PARAMETER_UNBOUND', 29],
  ['SELECT id FROM s WHERE id = :toString;', {}, 'SQL_PARAMETER_UNBOUND', 29],
  ['SELECT id FROM s WHERE id = :id;', { id: 'a', no: 1 }, 'SQL_PARAMETER_COUNT', 1],
  ['SELECT id FROM s WHERE id = :id;', ['a'], 'SQL_PARAMETER_UNBOUND', 29],
  ['SELECT id FROM s WHERE n = ?;', [Number.NaN], 'SQL_PARAMETER_TYPE', 28],
  ['SELECT id FROM s WHERE n = ?;', [2n ** 63n], 'SQL_PARAMETER_TYPE', 28],
  ['SELECT id FROM s WHERE n = ?;', [true], 'SQL_NOT_COMPARABLE', 24],
  ['CREATE STREAM c AS SELECT * FROM s WHERE n = ?;', [1], 'SQL_PARAMETER_PLACE', 1],
])('%s with %o is refused', async (sql, parameters, code, column) => {
  await millrace.sql(S)
  const error = await refusal(async () => millrace.sql(sql, parameters === undefined ? {} : { parameters }))
  expect({ code: error.code, column: error.at?.column }).toEqual({ code, column })
})

test('the test driver takes them too', async () => {
  const driver = new TestDriver()
  await driver.sql(S)
  await driver.sql('INSERT INTO s (id, n) VALUES (?, ?);', ['a', 5])
  expect(JSON.parse(Buffer.from(driver.records('s')[0]!.value!).toString())).toMatchObject({ N: 5 })
  const [answer] = await driver.sql('SELECT n + ? AS m FROM s;', [2])
  expect(answer).toMatchObject({ rows: [[7]] })
})
