import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runTestCommand } from '../../src/testing/conformance/run-test-command.ts'
import { sqlTestsOf } from '../../src/testing/sql-tests.ts'
import { blocksOf } from '../docs/sql-pages.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-sql-tests-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const S = `CREATE STREAM s (id STRING KEY, v INT) WITH (KAFKA_TOPIC = 's', PARTITIONS = 1, VALUE_FORMAT = 'JSON');`

/** Runs a file of tests: each one's name, status and reason. */
async function outcomes(text: string, name = 'tests.sql'): Promise<unknown[]> {
  writeFileSync(join(directory, name), text)
  const lines: Record<string, unknown>[] = []
  await runTestCommand([directory], { json: true }, { line: (line) => lines.push(JSON.parse(line) as never) })
  return lines.flatMap(({ id, status, reason }) => (id === undefined ? [] : [[id, status, reason]]))
}

test('the example of the page passes', async () => {
  const block = blocksOf(readFileSync('docs/cli.md', 'utf8')).find((b) => b.text.startsWith('--@test:'))!
  expect(await outcomes(block.text)).toEqual([
    ['late rows count', 'passed', null],
    ['a table has no KEY', 'passed', null],
  ])
})

test('each test begins with nothing; what fails is told with its line', async () => {
  const text = `-- these belong together
--@test: rows
${S}
INSERT INTO s VALUES ('a', 1);

-- the next row
ASSERT VALUES s (id, v) VALUES ('a', 2);
--@test: alone
${S}
SELECT * FROM s EMIT CHANGES;
--@test: nothing is left
ASSERT NOT EXISTS TOPIC s TIMEOUT 0 SECONDS;
`
  expect(await outcomes(text)).toEqual([
    ['rows', 'failed', expect.stringMatching(/^line 7: The next row of S is ID 'a', V 1, ROWTIME \d+\.$/)],
    ['alone', 'passed', null],
    ['nothing is left', 'passed', null],
  ])
})

test('a refusal is expected of the last statement, with what it says', async () => {
  const text = `
--@test: other words
--@expected.message: no such words
SELECT * FROM nowhere;
--@test: not refused
--@expected.error: KsqlException
${S}
--@test: too early
--@expected.error: KsqlException
SELECT * FROM nowhere;
${S}
--@test: any refusal
--@expected.error: KsqlException
SELECT * FROM nowhere;
`
  expect(await outcomes(text)).toEqual([
    ['other words', 'failed', 'line 4: There is no stream or table nowhere. — without “no such words”'],
    ['not refused', 'failed', 'Its last statement should have been refused.'],
    ['too early', 'failed', 'line 10, before the last statement: There is no stream or table nowhere.'],
    ['any refusal', 'passed', null],
  ])
})

test('scripts are found from the file of the test', async () => {
  writeFileSync(join(directory, 'setup.sql'), `${S}\nINSERT INTO s VALUES ('a', 1);\n`)
  writeFileSync(join(directory, 'broken.sql'), `${S}\nSELECT nope FROM s;\n`)
  const text = `--@test: setup\nRUN SCRIPT './setup.sql';\nASSERT VALUES s (id, v) VALUES ('a', 1);
--@test: broken\nRUN SCRIPT 'broken.sql';\n`
  expect(await outcomes(text)).toEqual([
    ['setup', 'passed', null],
    ['broken', 'failed', 'line 5: broken.sql, line 2: The SELECT column nope does not exist in stream S.'],
  ])
})

test('files without tests are no test files; a directive before the first is a mistake', () => {
  expect(sqlTestsOf(S)).toBe(null)
  expect(() => sqlTestsOf(`--@expected.error: x\n--@test: y\n${S}`)).toThrow(
    'Line 1: --@expected.error stands before',
  )
})
