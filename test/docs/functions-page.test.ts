import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { functionReference } from '../../scripts/build-function-reference.ts'

test('docs/functions.md is what the declarations say; npm run -s docs writes it anew', async () => {
  expect(readFileSync('docs/functions.md', 'utf8')).toBe(await functionReference())
})
