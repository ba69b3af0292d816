import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Battery, type BatteryReport } from './battery.ts'
import { BREAKAGES } from './breakage.ts'

/*
 * A short crash test; `npm run -s test:crash -- --count N --seed S` runs a long one. A failure here keeps
 * nothing: run the long one to look at it.
 */

let directory: string
let battery: Battery

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-crash-test-'))
  battery = await Battery.prepare({ seed: 1, readings: 500, directory })
}, 120_000)

afterAll(async () => {
  await rm(directory, { recursive: true })
})

test('killed six times, the pipeline gives what an undisturbed run gives', { timeout: 180_000 }, async () => {
  const { kills, lost, doubled, wrong, first } = await battery.run({ kills: 6 })
  expect({ kills, lost, doubled, wrong, first }).toEqual({
    kills: 6,
    lost: 0,
    doubled: 0,
    wrong: 0,
    first: null,
  })
})

/** Of a commit in two halves, an odd pass lies between them. */
const FIRST_KILLS = [15, 9].map((pass) => ({ point: 'cycle-after-commit', pass }) as const)
const CAUGHT_BY = {
  'skip-changelog': ({ lost, wrong }: BatteryReport) => lost + wrong,
  'offsets-first': ({ lost, wrong }: BatteryReport) => lost + wrong,
  'offsets-last': ({ doubled, wrong }: BatteryReport) => doubled + wrong,
}

test.each(BREAKAGES)('commits broken by %s are noticed', { timeout: 180_000 }, async (breakage) => {
  const report = await battery.run({ kills: 2, breakage, first: FIRST_KILLS })
  expect(CAUGHT_BY[breakage](report)).toBeGreaterThan(0)
  expect(report.first?.kills.length).toBeGreaterThan(0)
})
