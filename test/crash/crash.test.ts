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
}, 60_000)

afterAll(async () => {
  await rm(directory, { recursive: true })
})

test('killed six times, the pipeline gives what an undisturbed run gives', { timeout: 90_000 }, async () => {
  const { kills, lost, doubled, wrong, first } = await battery.run({ kills: 6 })
  expect({ kills, lost, doubled, wrong, first }).toEqual({
    kills: 6,
    lost: 0,
    doubled: 0,
    wrong: 0,
    first: null,
  })
})

const CAUGHT_BY = {
  'skip-changelog': ({ wrong }: BatteryReport) => wrong,
  'offsets-first': ({ lost }: BatteryReport) => lost,
  'offsets-last': ({ doubled }: BatteryReport) => doubled,
}

test.each(BREAKAGES)('commits broken by %s are noticed', { timeout: 90_000 }, async (breakage) => {
  const report = await battery.run({ kills: 2, breakage, points: ['cycle-after-commit'] })
  expect(CAUGHT_BY[breakage](report)).toBeGreaterThan(0)
  expect(report.first?.kills.length).toBeGreaterThan(0)
})
