import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runTestCommand } from '../../src/testing/conformance/run-test-command.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-cases-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const DECLARE = `CREATE STREAM s (id STRING KEY, n BIGINT, d DECIMAL(4,2)) WITH (kafka_topic='in', value_format='JSON');`
const COPY = `CREATE STREAM o AS SELECT id, n, d FROM s;`
const PLUS_ONE = `CREATE STREAM o AS SELECT id, n + 1 AS m FROM s;`

interface Line {
  id: string
  file: string
  status: string
  reason: string | null
  ms: number
}

function writeCases(name: string, ...cases: object[]): string {
  const path = join(directory, name)
  writeFileSync(path, JSON.stringify({ tests: cases }))
  return path
}

async function run(
  ...paths: string[]
): Promise<{ code: number; lines: Line[]; summary: Record<string, number> }> {
  const out: string[] = []
  const code = await runTestCommand(paths, { json: true }, { line: (text) => out.push(text) })
  const { summary } = JSON.parse(out.pop()!) as { summary: Record<string, number> }
  return { code, lines: out.map((l) => JSON.parse(l) as Line), summary }
}

const queryCase = (id: string, rest: object): object => ({
  id,
  kind: 'query',
  name: id,
  file: 'x.json',
  ...rest,
})

test('a case that comes out as it says passes', async () => {
  const path = writeCases(
    'a.json',
    queryCase('a/1', {
      statements: [DECLARE, PLUS_ONE],
      inputs: [{ topic: 'in', key: 'k', value: { n: 41 }, timestamp: 7 }],
      outputs: [{ topic: 'O', key: 'k', value: { m: 42 }, timestamp: 7 }],
    }),
  )
  const { code, lines, summary } = await run(path)
  expect(lines).toMatchObject([{ id: 'a/1', file: path, status: 'passed', reason: null }])
  expect(Number.isInteger(lines[0]!.ms)).toBe(true)
  expect(summary).toMatchObject({ total: 1, passed: 1, failed: 0 })
  expect(code).toBe(0)
})

test.each([
  [
    'another value',
    [{ topic: 'O', key: 'k', value: { M: 43 } }],
    /topic O, record 0: value\.?M?.*expected 43, got 42/,
  ],
  ['another key', [{ topic: 'O', key: 'x', value: { M: 42 } }], /key: expected "x", got "k"/],
  [
    'another timestamp',
    [{ topic: 'O', key: 'k', value: { M: 42 }, timestamp: 1 }],
    /timestamp: expected 1, got 7/,
  ],
  [
    'one record more',
    [
      { topic: 'O', key: 'k', value: { M: 42 } },
      { topic: 'O', value: null },
    ],
    /expected 2 records, got 1/,
  ],
  [
    'a window',
    [{ topic: 'O', key: 'k', value: { M: 42 }, window: { start: 0, end: 1, type: 'time' } }],
    /window/,
  ],
  ['headers', [{ topic: 'O', key: 'k', value: { M: 42 }, headers: [{ KEY: 'h', VALUE: null }] }], /headers/],
  ['a member more', [{ topic: 'O', key: 'k', value: { M: 42, X: null } }], /value/],
])('a case that expects %s fails and says where', async (_, outputs, reason) => {
  const path = writeCases(
    'a.json',
    queryCase('a/1', {
      statements: [DECLARE, PLUS_ONE],
      inputs: [{ topic: 'in', key: 'k', value: { n: 41 }, timestamp: 7 }],
      outputs,
    }),
  )
  const { code, lines } = await run(path)
  expect(lines[0]).toMatchObject({ status: 'failed' })
  expect(lines[0]!.reason).toMatch(reason)
  expect(code).toBe(1)
})

test('numbers reach the query digit by digit', async () => {
  const path = join(directory, 'n.json')
  const test = `{"id":"n","kind":"query","statements":${JSON.stringify([DECLARE, COPY])},
    "inputs":[{"topic":"in","key":"k","value":{"n":9007199254740993,"d":1.1}}],
    "outputs":[{"topic":"O","key":"k","value":{"N":9007199254740993,"D":1.10}}]}`
  writeFileSync(
    path,
    `{"tests":[${test},${test.replace('"n"', '"n2"').replace('"N":9007199254740993', '"N":9007199254740992')}]}`,
  )
  const { lines } = await run(path)
  expect(lines.map((l) => l.status)).toEqual(['passed', 'failed'])
})

test('only a rejection on purpose, of the last statement, meets an expected rejection', async () => {
  const expectedException = { type: 'io.confluent.ksql.util.KsqlException', message: 'x' }
  const path = writeCases(
    'r.json',
    queryCase('on purpose', {
      statements: [DECLARE, 'CREATE STREAM o AS SELECT id, nope FROM s;'],
      expectedException,
    }),
    queryCase('accepted', { statements: [DECLARE, COPY], expectedException }),
    queryCase('too early', {
      statements: ['CREATE STREAM o AS SELECT id, nope FROM s;', DECLARE],
      expectedException,
    }),
    queryCase('not built', {
      statements: [DECLARE, 'CREATE ALERT a AS SELECT * FROM s NOTIFY ops;'],
      expectedException,
    }),
    queryCase('not expected', { statements: [DECLARE, 'CREATE STREAM o AS SELECT id, nope FROM s;'] }),
  )
  const { lines } = await run(path)
  expect(lines.map((l) => [l.id, l.status])).toEqual([
    ['on purpose', 'passed'],
    ['accepted', 'failed'],
    ['too early', 'failed'],
    ['not built', 'unsupported'],
    ['not expected', 'failed'],
  ])
})

test('cases know nothing of each other', async () => {
  const one = queryCase('c', { statements: [DECLARE, COPY], inputs: [], outputs: [] })
  const { lines } = await run(writeCases('c.json', one, one))
  expect(lines.map((l) => l.status)).toEqual(['passed', 'passed'])
})

test('a malformed case is an error of its own', async () => {
  const { lines, code } = await run(writeCases('m.json', { id: 'm', kind: 'query', statements: 'CREATE' }))
  expect(lines).toMatchObject([{ id: 'm', status: 'error' }])
  expect(code).toBe(1)
})

test('directories are searched; files without tests are passed over; missing paths fail the run', async () => {
  mkdirSync(join(directory, 'deep'))
  writeCases('deep/c.json', queryCase('c', { statements: [DECLARE, COPY] }))
  writeFileSync(join(directory, 'other.json'), '{"notes":[]}')
  writeFileSync(join(directory, 'readme.txt'), 'no case')
  const found = await run(directory)
  expect(found.lines.map((l) => l.file)).toEqual([join(directory, 'deep/c.json')])
  expect(found.code).toBe(0)
  const missing = await run(directory, join(directory, 'nowhere'))
  expect(missing.summary).toMatchObject({ total: 1, passed: 1 })
  expect(missing.code).toBe(1)
  writeFileSync(join(directory, 'broken.json'), '{"tests":[')
  expect((await run(directory)).code).toBe(1)
})

test('no case at all is no success', async () => {
  writeFileSync(join(directory, 'empty.json'), '{"tests":[]}')
  const { code, summary } = await run(directory)
  expect(summary['total']).toBe(0)
  expect(code).toBe(1)
})

test('for people: passed per file, failures with their reason, a last line with the sums', async () => {
  const path = writeCases(
    'h.json',
    queryCase('good', { statements: [DECLARE, COPY] }),
    queryCase('bad', { statements: [DECLARE, 'CREATE STREAM o AS SELECT id, nope FROM s;'] }),
  )
  const out: string[] = []
  await runTestCommand([path], { json: false }, { line: (text) => out.push(text) })
  expect(out[0]).toContain('1 of 2')
  expect(out.find((l) => l.includes('bad'))).toMatch(/failed .*NOPE/i)
  expect(out.at(-1)).toMatch(/^2 cases: 1 passed, 1 failed/)
})
