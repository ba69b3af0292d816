import { describe, expect, test } from 'vitest'
import { SqlError, StorageError } from '../../src/base/errors.ts'
import { complete, type Completable } from '../../src/cli/completion.ts'
import { errorText, EXIT, exitCodeFor } from '../../src/cli/error-text.ts'
import { recordJson, recordLine } from '../../src/cli/record-text.ts'
import { inWholeText, scriptStatements, syntaxErrors } from '../../src/cli/script.ts'
import type { DataSource } from '../../src/plan/data-source.ts'
import { DOUBLE, STRING } from '../../src/plan/sql-type.ts'
import { FakeTerminal } from './fake-terminal.ts'

describe('errors', () => {
  test('a caret stands under the place', () => {
    const text = 'SELECT *\n\tFORM s;'
    const [error] = syntaxErrors(text)
    expect(errorText(error, new FakeTerminal(), text)).toBe(
      'error: "FORM" cannot stand here.\n  2 |     FORM s;\n    |     ^^^^\n  hint: Did you mean FROM?\n',
    )
  })

  test('the caret is right after wide characters', () => {
    const text = "SELECT '東京' FORM s;"
    expect(errorText(syntaxErrors(text)[0], new FakeTerminal(), text)).toContain(
      "  1 | SELECT '東京' FORM s;\n    |               ^^^^\n",
    )
  })

  test('the error of a statement is told in its whole text', () => {
    const text = 'SHOW TYPES;\nSHOW TABLES; SELECT a\n FROM s;'
    const third = scriptStatements(text)[2]!
    expect(third).toMatchObject({ text: 'SELECT a\n FROM s;', at: { line: 2, column: 14, index: 25 } })
    const at = (line: number, column: number, index: number) => ({ line, column, index, length: 1 })
    const moved = (position: ReturnType<typeof at>) =>
      inWholeText(new SqlError('X', { message: 'm', at: position }), third) as SqlError
    expect(moved(at(1, 8, 7)).at).toEqual(at(2, 21, 32))
    expect(moved(at(2, 2, 10)).at).toEqual(at(3, 2, 35))
  })

  test('a bug shows its stack, a missing file its sentence', () => {
    const terminal = new FakeTerminal()
    expect(errorText(new TypeError('oops'), terminal)).toContain('texts.test.ts')
    const missing = Object.assign(new Error("ENOENT: no such file, open 'x'"), {
      code: 'ENOENT',
      syscall: 'open',
      path: 'x',
    })
    expect(errorText(missing, terminal)).toBe('error: There is no file x.\n')
  })

  test('exit codes tell storage from statements', () => {
    expect(exitCodeFor(new StorageError('LOG_LOCKED', { message: 'm' }))).toBe(EXIT.storage)
    expect(exitCodeFor(new SqlError('X', { message: 'm' }))).toBe(EXIT.failed)
  })
})

describe('records', () => {
  const record = {
    topic: 't',
    partition: 1,
    offset: 7,
    timestampMs: 0,
    key: Buffer.from('V1'),
    value: Buffer.from('{"a":1}'),
    headers: [{ key: 'h', value: null }],
  }

  test('as JSON', () => {
    expect(recordJson(record)).toBe(
      '{"topic":"t","partition":1,"offset":7,"timestamp":0,"key":"V1","value":"{\\"a\\":1}","headers":[{"key":"h","value":null}]}',
    )
    expect(JSON.parse(recordJson({ ...record, key: null, value: new Uint8Array([255, 0]) }))).toMatchObject({
      key: null,
      value: { base64: '/wA=' },
    })
  })

  test('as a line', () => {
    expect(recordLine({ ...record, headers: [] })).toBe('1:7  1970-01-01T00:00:00.000Z  V1  {"a":1}')
    expect(recordLine({ ...record, value: new Uint8Array([0, 1]), headers: [] })).toContain('  0x0001')
  })
})

describe('completion', () => {
  const source = (name: string, ...columns: string[]): DataSource =>
    ({
      name,
      schema: {
        columns: columns.map((c) => ({ name: c, type: c === 'SPEED' ? DOUBLE : STRING, role: 'value' })),
      },
    }) as unknown as DataSource // only name and schema are read
  const sources = [source('VEHICLES', 'VEHICLE_ID', 'SPEED'), source('Odd-One', 'x')]
  const completable: Completable = {
    catalog: {
      sourceNames: () => sources.map((s) => s.name),
      source: (name) => sources.find((s) => s.name === name),
      typeNames: () => ['ADDRESS'],
      queryIds: () => ['CSAS_FAST_1'],
    },
    functionNames: () => ['SUBSTRING', 'SUM'],
    shellCommands: ['\\d', '\\dt', '\\x'],
  }

  test.each([
    ['SEL', ['SELECT']],
    ['sel', ['select']],
    ['SELECT * FROM ', ['VEHICLES', '`Odd-One`']],
    ['select * from v', ['vehicles']],
    ['SELECT * FROM `O', ['`Odd-One`']],
    ['SELECT SU', ['SUBJECT', 'SUBSTRING(', 'SUM(']],
    ['SELECT * FROM vehicles WHERE SPE', ['SPEED']],
    ['SELECT * FROM vehicles v WHERE v.', ['SPEED', 'VEHICLE_ID']],
    ['TERMINATE ', ['ALL', 'CSAS_FAST_1', 'SELECT']],
    ['CREATE TYPE t AS ADD', ['ADD', 'ADDRESS']],
    ['\\d', ['\\d', '\\dt']],
    ['', []],
  ])('%s', (typed, words) => {
    expect(complete(typed, completable)[0]).toEqual(words)
  })
})
