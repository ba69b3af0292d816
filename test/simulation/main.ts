/**
 * `npm run -s test:simulation -- --count N --seed S`: runs the engine on a simulated clock, scheduler and disk,
 * for N seeds from S on. `--count 1` prints all that happens. `--break` breaks the product on purpose.
 */
import { batteryArguments } from '../base/battery-arguments.ts'
import { breakBuild } from '../base/broken-build.ts'
import type { SimulationReport } from './battery.ts'
import { BREAKAGES } from './breakages.ts'

const chosen = batteryArguments(2000, [], Object.keys(BREAKAGES))
if (chosen.break !== null) breakBuild(BREAKAGES[chosen.break]!)
const { seed, count } = chosen
if (count === 1) {
  const { makePlans } = await import('./queries.ts')
  const { runSeed } = await import('./simulation.ts')
  const { differences } = await runSeed(seed, await makePlans(), (line) => console.log(line))
  for (const { kind, detail } of differences) console.log(`${kind}: ${detail}`)
}
const { runSimulation } = await import('./battery.ts')
let shown = 0
const report = await runSimulation({
  seed,
  count,
  stopsAtFirst: chosen.break !== null,
  onProgress: (soFar) => console.error(lineOf(soFar)),
  onWrong: (wrongSeed, { differences }) => {
    if (shown++ < 20)
      console.log(
        `seed ${wrongSeed}: ${differences.length} differences; the first: ${differences[0]!.detail}`,
      )
  },
})
console.log(lineOf(report))
process.exitCode = report.lost + report.doubled + report.wrong === 0 ? 0 : 1

function lineOf({ seeds, powerCuts, lost, doubled, wrong }: SimulationReport): string {
  return `simulation: ${seeds} seeds, ${powerCuts} power cuts, lost ${lost}, doubled ${doubled}, wrong ${wrong}`
}
