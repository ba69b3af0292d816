import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runSimulation } from './battery.ts'
import { BREAKAGES } from './breakages.ts'
import { makePlans } from './queries.ts'
import { runSeed } from './simulation.ts'

/* A short run; `npm run -s test:simulation -- --count N --seed S` makes a long one. */

test('power cuts on a simulated machine: nothing lost, doubled or wrong', { timeout: 300_000 }, async () => {
  const lines: string[] = []
  const { seeds, powerCuts, lost, doubled, wrong } = await runSimulation({
    seed: 1,
    count: 120,
    onWrong: (seed, { differences }) => lines.push(`seed ${seed}: ${differences[0]!.detail}`),
  })
  expect(lines).toEqual([])
  expect({ seeds, lost, doubled, wrong }).toEqual({ seeds: 120, lost: 0, doubled: 0, wrong: 0 })
  expect(powerCuts).toBeGreaterThan(120)
})

test('a seed is one run: whatever ran before it, the same happens', { timeout: 120_000 }, async () => {
  const plans = await makePlans()
  const hashes = async (seeds: readonly number[]): Promise<Map<number, number>> => {
    const found = new Map<number, number>()
    for (const seed of seeds) found.set(seed, (await runSeed(seed, plans)).hash)
    return new Map([...found].sort(([a], [b]) => a - b))
  }
  const seeds = [301, 302, 303, 304, 305, 306]
  const forth = await hashes(seeds)
  expect(await hashes([...seeds].reverse())).toEqual(forth)
  expect(new Set(forth.values()).size).toBe(seeds.length)
})

/** These take more seeds to find than a short run has. */
const RARE = ['checkpoint-past-frames-on-their-way', 'forgotten-producers']

test.each(Object.keys(BREAKAGES).filter((name) => !RARE.includes(name)))(
  'a build with %s is caught',
  { timeout: 300_000 },
  (name) => {
    const main = join(import.meta.dirname, 'main.ts')
    const { status, stdout } = spawnSync(process.execPath, [main, '--break', name, '--count', '2000'], {
      encoding: 'utf8',
    })
    expect(stdout).toMatch(/^seed \d+: /)
    expect(stdout).toMatch(/simulation: \d+ seeds, \d+ power cuts, lost \d+, doubled \d+, wrong \d+\n$/)
    expect(status).toBe(1)
  },
)
