import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as myFunctions from '../../examples/user-functions/my-functions.ts'
import { runPage, withOutputs } from './sql-pages.ts'

/* UPDATE_DOCS=1 writes the outputs into the pages instead of comparing them. */
const update = process.env['UPDATE_DOCS'] === '1'

const pages = ['README.md', ...globSync('docs/**/*.md').toSorted()].filter((page) =>
  readFileSync(page, 'utf8').includes('```sql\n'),
)

test.each(pages)('every SQL block of %s runs and shows what the page says', async (page) => {
  const text = readFileSync(page, 'utf8')
  const functions = page.endsWith('user-functions.md') ? Object.values(myFunctions) : []
  const outcomes = await runPage(text, functions)
  if (update) writeFileSync(page, withOutputs(text, outcomes))
  for (const { line, sql, output, expected, refused } of outcomes) {
    const where = `${page}:${line}\n${sql}\n${output}`
    if (expected === null) expect(refused, where).toBe(false)
    else if (!update) expect(output, where).toBe(expected)
  }
})
