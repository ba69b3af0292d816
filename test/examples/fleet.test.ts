import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkFleet, differences, type Results } from '../../examples/vehicle-telemetry/fleet-check.ts'
import { readRecording, type RecordedReading } from '../../examples/vehicle-telemetry/recording.ts'
import { seededRandom } from '../../src/base/random.ts'

const RECORDED_DAY = join(import.meta.dirname, '../../../shared/data/fleet/austin-2015-09-06.csv')
const EXAMPLE = join(import.meta.dirname, '../../examples/vehicle-telemetry')

/** A day of a few vehicles, grouped by vehicle as the recorded one is; with gaps, pauses and equal times. */
function syntheticDay(seed: number): RecordedReading[] {
  const random = seededRandom(seed)
  const readings: RecordedReading[] = []
  for (let vehicle = 0; vehicle < 12; vehicle++) {
    let timestampMs = 1_600_000_000_000 + random.below(6 * 3_600_000)
    const count = random.below(120)
    for (let n = 0; n < count; n++) {
      timestampMs += random.below(random.next() < 0.05 ? 3_600_000 : 120_000)
      const speed = random.next() < 0.05 ? 'null' : (30 * random.next()).toFixed(2)
      const route = random.next() < 0.05 ? '"N7"' : String(100 + random.below(3))
      const value = `{"vehicle_id":${vehicle},"speed":${speed},"route_id":${route},"latitude":${(30 + random.next()).toFixed(5)},"longitude":-97.5}`
      readings.push({ key: `bus-${vehicle}`, value, timestampMs })
      if (random.next() < 0.02) readings.push({ key: `bus-${vehicle}`, value, timestampMs })
    }
  }
  return readings
}

describe('a day in file order and in order of time gives the same, and what SQLite gives', () => {
  test.each([1, 2])('made up, seed %i', async (seed) => {
    const { checks, compared, different, dropped } = await checkFleet(syntheticDay(seed))
    expect(checks.filter((c) => c.sample !== null).map((c) => `${c.query.name}: ${c.sample}`)).toEqual([])
    expect(dropped).toEqual([])
    expect(different).toBe(0)
    expect(compared).toBeGreaterThan(5_000)
    for (const check of checks) expect(check.results, check.query.name).toBeGreaterThan(0)
  })

  test.skipIf(!existsSync(RECORDED_DAY))(
    'recorded (skipped where the file is not beside the checkout)',
    async () => {
      const readings = await readRecording(RECORDED_DAY, { key: 'vehicle_id', timestamp: 'timestamp' })
      expect(readings).toHaveLength(53_569)
      const { checks, compared, different, dropped } = await checkFleet(readings)
      expect(checks.filter((c) => c.sample !== null).map((c) => `${c.query.name}: ${c.sample}`)).toEqual([])
      expect(dropped).toEqual([])
      expect(different).toBe(0)
      expect(compared).toBeGreaterThan(500_000)
    },
    120_000,
  )
})

test('a result that is missing, changed, doubled or too many is a difference', () => {
  const day = (rows: readonly (readonly [string, number[][]])[]): Results =>
    new Map(rows.map(([k, v]) => [k, v]))
  const expected = day([
    ['a@0', [[1, 2.5]]],
    ['b@0', [[3, 4]]],
  ])
  const b: readonly [string, number[][]] = ['b@0', [[3, 4]]]
  expect(differences(expected, day([['a@0', [[1, 2.5 + 1e-12]]], b])).count).toBe(0)
  expect(differences(expected, day([b]))).toMatchObject({ count: 1 })
  expect(differences(expected, day([['a@0', [[1, 2.6]]], b]))).toMatchObject({ count: 1 })
  expect(
    differences(
      expected,
      day([
        [
          'a@0',
          [
            [1, 2.5],
            [1, 2.5],
          ],
        ],
        b,
      ]),
    ),
  ).toMatchObject({ count: 1 })
  expect(differences(expected, day([['a@0', [[1, 2.5]]], b, ['c@0', [[1, 1]]]]))).toEqual({
    count: 1,
    sample: 'c@0: expected nothing, found [[1,1]]',
  })
})

test.each([
  [['none.csv'], 'There is no file none.csv.'],
  [[], 'It takes one file'],
])('verify:fleet %j ends with exit code 2 and a sentence', (args, sentence) => {
  let failure: { status?: number; stderr?: string } = {}
  try {
    execFileSync(process.execPath, [join(EXAMPLE, 'verify-fleet.ts'), ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  } catch (error) {
    failure = error as typeof failure
  }
  expect(failure.status).toBe(2)
  expect(failure.stderr).toContain(sentence)
})
