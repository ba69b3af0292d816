import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runPoison } from './battery.ts'
import { BREAKAGES } from './breakages.ts'

/* A short run; `npm run -s test:poison -- --count N --seed S` makes a long one. */

test(
  'records nothing can be made of are told of once, and good ones come out as without them, also after kills',
  { timeout: 240_000 },
  async () => {
    const faults: string[] = []
    const report = await runPoison({ seed: 1, count: 500, kills: 3, onFault: (line) => faults.push(line) })
    expect(faults).toEqual([])
    expect(report).toMatchObject({ lost: 0, doubled: 0, wrong: 0 })
    expect(report.kills).toBeGreaterThan(0)
    expect(report.told).toBeGreaterThan(1_000)
    expect(report.kept).toBeGreaterThan(1_000)
  },
)

/** The others are for `--break`. */
const SHOWN: readonly (keyof typeof BREAKAGES)[] = ['untold-records', 'told-again']

test.each(SHOWN)('a build with %s is caught', { timeout: 240_000 }, async (name) => {
  const main = join(import.meta.dirname, 'main.ts')
  const ended = await new Promise<{ readonly code: unknown; readonly out: string }>((resolve) => {
    execFile(process.execPath, [main, '--break', name, '--count', '1'], (error, out) =>
      resolve({ code: error?.code ?? 0, out }),
    )
  })
  expect(ended.out).toMatch(/, lost \d+, doubled \d+, wrong \d+\n$/)
  expect(ended.out).not.toMatch(/, lost 0, doubled 0, wrong 0\n$/)
  expect(ended.code).toBe(1)
})
