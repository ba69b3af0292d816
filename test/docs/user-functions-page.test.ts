import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf } from './sql-pages.ts'

const run = promisify(execFile)
const page = await readFile('docs/user-functions.md', 'utf8')
const blocks = blocksOf(page)
const programs = blocks.flatMap((block, i) => {
  const next = blocks[i + 1]
  return block.language === 'ts' && next?.language === 'text' ? [{ ...block, output: next.text }] : []
})
const modules = blocks.filter((b) => b.language === 'ts' && programs.every((p) => p.at !== b.at))

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-functions-'))
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

test('the first module is the example’s, which the SQL of the page runs with', async () => {
  const example = await readFile('examples/user-functions/my-functions.ts', 'utf8')
  expect(modules[0]!.text).toBe(example.replace("'../../src/index.ts'", "'millrace'"))
})

test('the command loads every module, wherever it lies, and its examples hold', async () => {
  const files = await Promise.all(
    modules.map(async ({ text }, i) => {
      const file = join(directory, `module-${i}.ts`)
      await writeFile(file, text)
      return file
    }),
  )
  const { stdout } = await run(process.execPath, [
    'src/cli/bin.js',
    'sql',
    '--data-dir',
    join(directory, 'data'),
    ...files.flatMap((file) => ['--functions', file]),
    '--json',
    '-e',
    'SHOW FUNCTIONS;',
  ])
  const names = modules.flatMap(({ text }) => [...text.matchAll(/^ {2}name: '(\w+)'/gm)].map((m) => m[1]!))
  expect(names).toContain('MEAN_OF')
  for (const name of names) expect(stdout).toContain(`"${name}"`)
})

test.each(programs.map((p) => [p.line, p] as const))(
  'the program at line %i shows its output',
  async (_, program) => {
    const urlOf = (file: string): string => pathToFileURL(resolve(file)).href
    const text = program.text
      .replaceAll("'millrace'", `'${urlOf('src/index.ts')}'`)
      .replaceAll("'millrace/testing'", `'${urlOf('src/testing/index.ts')}'`)
      .replaceAll("'./my-functions.ts'", `'${urlOf('examples/user-functions/my-functions.ts')}'`)
    const file = join(directory, `program-${program.line}.ts`)
    await writeFile(file, text)
    const { stdout } = await run(process.execPath, [file])
    expect(stdout).toBe(program.output)
  },
)
