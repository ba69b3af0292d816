import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('an assertion that waits holds its process until it is answered', async () => {
  const driver = JSON.stringify(new URL('../../src/testing/index.ts', import.meta.url).href)
  const script = `import { TestDriver } from ${driver}
try { await new TestDriver().sql("ASSERT SCHEMA SUBJECT 'none' TIMEOUT 1 SECONDS;") } catch (error) { console.log(error.code) }`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  expect(stdout).toBe('SQL_ASSERTION_FAILED\n')
})
