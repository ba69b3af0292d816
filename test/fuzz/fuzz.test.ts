import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runFuzz } from './battery.ts'
import { BREAKAGES } from './breakages.ts'

/* A short run; `npm run -s test:fuzz -- --count N --seed S` makes a long one. */

test('mutated statements, records and batches are used or refused by name', { timeout: 60_000 }, async () => {
  const lines: string[] = []
  const report = await runFuzz({
    seed: 1,
    count: 1800,
    suites: ['sql', 'records', 'batches'],
    onWrong: (line) => lines.push(line),
  })
  expect(lines).toEqual([])
  expect(report.accepted).toBeGreaterThan(50)
  expect(report.refused).toBeGreaterThan(200)
})

test.each(Object.keys(BREAKAGES))('a build with %s is caught', { timeout: 60_000 }, (name) => {
  const main = join(import.meta.dirname, 'main.ts')
  const { status, stdout } = spawnSync(process.execPath, [main, '--break', name, '--count', '600'], {
    encoding: 'utf8',
  })
  expect(stdout).toMatch(/fuzz: \d+ cases, runs accepted \d+, refused \d+, wrong [1-9]\d*\n$/)
  expect(status).toBe(1)
})
