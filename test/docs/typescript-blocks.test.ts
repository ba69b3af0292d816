import { execFile } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

/* Programs of README and docs: `ts` blocks that begin with an import. Comments behind console.log are its output. */

const run = promisify(execFile)
const ENTRIES: Readonly<Record<string, string>> = {
  millrace: resolve('src/index.ts'),
  'millrace/log': resolve('src/log/index.ts'),
  'millrace/testing': resolve('src/testing/index.ts'),
  './my-functions.ts': resolve('examples/user-functions/my-functions.ts'),
}

const programs = ['README.md', ...globSync('docs/**/*.md').toSorted()].flatMap((page) =>
  [...readFileSync(page, 'utf8').matchAll(/^```ts\n(import [\s\S]*?)^```$/gm)].map((match, i) => ({
    name: `${page}, program ${i + 1}`,
    text: match[1]!,
  })),
)

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  programs.forEach(({ text }, i) => {
    const linked = text.replaceAll(
      /from '(millrace(?:\/testing|\/log)?|\.\/my-functions\.ts)'/g,
      (_, name: string) => `from '${ENTRIES[name]!}'`,
    )
    writeFileSync(join(directory, `program-${i}.mts`), linked)
  })
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.each(programs.map(({ name, text }, i) => [name, text, i] as const))(
  '%s prints what it says',
  async (_, text, i) => {
    const { stdout } = await run(process.execPath, [`program-${i}.mts`], { cwd: directory, timeout: 20_000 })
    const said = [...text.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1]!)
    for (const line of said) expect(stdout).toContain(line)
  },
)

test('all of them have types that fit', async () => {
  const config = {
    extends: resolve('tsconfig.json'),
    compilerOptions: { typeRoots: [resolve('node_modules/@types')], rewriteRelativeImportExtensions: false },
    include: [],
    files: programs.map((_, i) => `program-${i}.mts`),
  }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config))
  const problems = await run(resolve('node_modules/.bin/tsc'), ['-p', directory]).then(
    () => '',
    (error: { readonly stdout: string }) => error.stdout,
  )
  expect(problems).toBe('')
})
