import { expect, test } from 'vitest'
import { fleetReadings, VEHICLE_IDS, type Reading } from '../../examples/vehicle-telemetry/simulator.ts'

const START_MS = 1_700_000_000_000

function first(count: number, seed: number): Reading[] {
  const readings = fleetReadings(START_MS, seed)
  return Array.from({ length: count }, () => readings.next().value)
}

test.each([1, 9, 77])('a day begins with the same four readings, whatever the seed (%i)', (seed) => {
  expect(first(4, seed).map((r) => [r.vehicle_id, r.speed])).toEqual([
    ['V001', 45],
    ['V002', 60],
    ['V001', 50],
    ['V003', 85],
  ])
})

test('the same start and seed give the same readings; another seed gives others', () => {
  expect(first(500, 9)).toEqual(first(500, 9))
  expect(first(500, 9)).not.toEqual(first(500, 10))
})

test('readings ascend in time, of all ten vehicles, and are what vehicles can do', () => {
  const readings = first(20_000, 9)
  expect(new Set(readings.map((r) => r.vehicle_id))).toEqual(new Set(VEHICLE_IDS))
  for (const [i, r] of readings.entries()) {
    if (i > 0) expect(r.ts).toBeGreaterThan(readings[i - 1]!.ts)
    expect(r.speed).toBeGreaterThanOrEqual(0)
    expect(r.speed).toBeLessThan(110)
    expect(r.engine_temp).toBeGreaterThan(60)
    expect(r.engine_temp).toBeLessThan(135)
    expect(r.fuel_level).toBeGreaterThan(0)
    expect(r.fuel_level).toBeLessThanOrEqual(100)
    expect(Math.abs(r.lat - 52.52)).toBeLessThan(0.3)
    expect(Math.abs(r.lon - 13.405)).toBeLessThan(0.3)
  }
})

test('within a minute somebody speeds, an engine overheats and cools, a vehicle falls silent and is back', () => {
  const readings = first(1_200, 9).filter((r) => r.ts < START_MS + 60_000)
  expect(readings.some((r) => r.speed > 80)).toBe(true)
  const hot = readings.find((r) => r.engine_temp > 120)!
  expect(readings.some((r) => r.vehicle_id === hot.vehicle_id && r.ts > hot.ts && r.engine_temp < 100)).toBe(
    true,
  )
  const longestGapMs = Math.max(
    ...VEHICLE_IDS.flatMap((id) => {
      const times = readings.filter((r) => r.vehicle_id === id).map((r) => r.ts)
      return times.slice(1).map((ts, i) => ts - times[i]!)
    }),
  )
  expect(longestGapMs).toBeGreaterThan(15_000)
})
