import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runFaults } from './battery.ts'
import { BREAKAGES } from './breakages.ts'

/* A short run; `npm run -s test:fault -- --count N --seed S` makes a long one. */

test(
  'damaged files are repaired or refused by name; failing disks lose nothing',
  { timeout: 90_000 },
  async () => {
    const lines: string[] = []
    const report = await runFaults({
      seed: 1,
      count: 100,
      suites: ['bytes', 'state', 'disk'],
      scratch: tmpdir(),
      onWrong: (line) => lines.push(line),
    })
    expect(lines).toEqual([])
    expect(report.wrong).toBe(0)
    expect(report.repaired).toBeGreaterThan(15)
    expect(report.refused).toBeGreaterThan(15)
  },
)

test.each(Object.keys(BREAKAGES))('a build with %s is caught', { timeout: 90_000 }, (name) => {
  const main = join(import.meta.dirname, 'main.ts')
  const { status, stdout } = spawnSync(
    process.execPath,
    [main, '--break', name, '--count', name === 'unread-changelog' ? '12' : '60'],
    {
      encoding: 'utf8',
    },
  )
  expect(stdout).toMatch(/fault: \d+ cases, repaired \d+, refused \d+, silently wrong [1-9]\d*\n$/)
  expect(status).toBe(1)
})
