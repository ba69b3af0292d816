import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqlCommand } from '../../src/cli/command-sql.ts'
import { EXIT } from '../../src/cli/error-text.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { FakeTerminal } from './fake-terminal.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-load-functions-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** Runs statements with a module of functions. @param text  null: there is no such file */
async function sqlWith(text: string | null, execute: string) {
  const module = join(directory, 'functions.mjs')
  if (text !== null) await writeFile(module, text)
  const terminal = new FakeTerminal()
  const code = await sqlCommand(
    {
      terminal,
      stop: new AbortController().signal,
      open: (options) => Millrace.open({ ...options, durability: 'os' }),
    },
    { dataDir: join(directory, 'data'), execute, functions: [module] },
  )
  return { code, output: terminal.output, errors: terminal.errors.replaceAll(module, 'MODULE') }
}

const DOUBLED = `export const all = [{
  kind: 'scalar', name: 'DOUBLED', category: 'user', summary: 'Twice as much.', examples: [],
  overloads: [{ args: { x: { kind: 'INTEGER' } }, returns: { kind: 'INTEGER' }, body: (x) => 2 * x }],
}]`

test('functions that a module exports can be used, also those in an array', async () => {
  const { code, output } = await sqlWith(DOUBLED, 'DESCRIBE FUNCTION doubled;')
  expect({ code, output }).toEqual({
    code: EXIT.done,
    output:
      'Name: DOUBLED\nType: scalar\nOverview: Twice as much.\n\nSignatures:\n  DOUBLED(x INTEGER) => INTEGER\n',
  })
})

test.each([
  ['is not there', null, 'There is no module MODULE.\n'],
  ['exports nothing of the kind', 'export const x = 1', 'The module MODULE exports no functions.'],
  ['throws', "throw new Error('no licence')", "The module MODULE can't be loaded: no licence\n"],
  [
    'has a function that can’t be registered',
    DOUBLED.replace('DOUBLED', 'UCASE'),
    "Function UCASE can't be registered: the dialect has a function of this name.",
  ],
])('a module that %s is refused before anything is opened', async (_, text, message) => {
  const { code, output, errors } = await sqlWith(text, 'SHOW STREAMS;')
  expect({ code, output }).toEqual({ code: EXIT.failed, output: '' })
  expect(errors).toContain(`error: ${message}`)
})
