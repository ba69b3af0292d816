import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Battery } from './battery.ts'
import { BREAKAGES, syncsLateByMs, type Breakage } from './breakage.ts'
import { runFleet } from './fleet-battery.ts'
import type { Kill } from './life.ts'
import type { BatteryReport } from './tally.ts'

/*
 * A short crash test; `npm run -s test:crash -- --count N --seed S` runs a long one. A failure here keeps
 * nothing: run the long one to look at it.
 */

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-crash-test-'))
})

afterAll(async () => {
  await rm(directory, { recursive: true })
})

const SLOW = { timeout: 180_000 }

function outcome({ kills, lost, doubled, wrong, first }: BatteryReport): object {
  return { kills, lost, doubled, wrong, first }
}

const CLEAN = { lost: 0, doubled: 0, wrong: 0, first: null }

test('killed three times, one query of every kind gives what an undisturbed run gives', SLOW, async () => {
  const battery = await Battery.prepare({ seed: 1, readings: 400, directory })
  expect(outcome(await battery.run({ kills: 3 }))).toEqual({ kills: 3, ...CLEAN })
})

test('killed six times, the fleet pipeline gives what is computed from its input alone', SLOW, async () => {
  const report = await runFleet({ seed: 2, readings: 4_000, kills: 6, directory })
  expect(outcome(report)).toEqual({ kills: 6, ...CLEAN })
})

/** Of a commit in two halves, an odd pass lies between them. */
const BETWEEN_HALVES = [15, 9].map((pass) => ({ point: 'cycle-after-commit', pass }) as const)
/** Much was acknowledged that was never synced. */
const AFTER_MUCH = [80, 40].map((pass) => ({ point: 'journal-before-write', pass }) as const)
/** State was saved of commits that were never synced. */
const WITH_NEW_STATE = [{ point: 'state-after-checkpoint', pass: 12 }] as const

interface Broken {
  readonly breakage: Breakage
  readonly first: readonly Kill[]
  readonly readings: number
  readonly found: (report: BatteryReport) => number
}

const BROKEN: readonly Broken[] = [
  {
    breakage: 'skip-changelog',
    first: BETWEEN_HALVES,
    readings: 3_000,
    found: ({ lost, wrong }) => lost + wrong,
  },
  {
    breakage: 'offsets-first',
    first: BETWEEN_HALVES,
    readings: 3_000,
    found: ({ lost, wrong }) => lost + wrong,
  },
  {
    breakage: 'offsets-last',
    first: BETWEEN_HALVES,
    readings: 3_000,
    found: ({ doubled, wrong }) => doubled + wrong,
  },
  { breakage: 'skip-sync', first: AFTER_MUCH, readings: 3_000, found: ({ lost, wrong }) => lost + wrong },
  { breakage: 'late-sync', first: AFTER_MUCH, readings: 3_000, found: ({ lost, wrong }) => lost + wrong },
  {
    breakage: 'state-ahead',
    first: WITH_NEW_STATE,
    readings: 8_000,
    found: ({ doubled, wrong }) => doubled + wrong,
  },
]

test('every way to break the build is tried', () => {
  expect(BROKEN.map(({ breakage }) => breakage)).toEqual(BREAKAGES)
})

/** Where a life ends in time differs from run to run, and what is broken shows in most of them only. */
const ATTEMPTS_MAX = 8

test.each(BROKEN)('a build broken by $breakage is noticed', SLOW, async (broken) => {
  const { breakage, first, readings, found } = broken
  let noticed = 0
  for (let seed = 1; seed <= ATTEMPTS_MAX && noticed === 0; seed++) {
    const report = await runFleet({
      seed,
      readings,
      kills: first.length,
      first,
      directory,
      breakage,
      onlySyncedStays: syncsLateByMs(breakage) > 0,
    })
    expect(report.kills).toBeGreaterThan(0)
    noticed = found(report)
  }
  expect(noticed).toBeGreaterThan(0)
})
