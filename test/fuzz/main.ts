/**
 * `npm run -s test:fuzz -- --count N --seed S`: mutated statements, records and batches. `--suite` takes one of
 * these, `--break` breaks the product on purpose.
 */
import { batteryArguments } from '../base/battery-arguments.ts'
import { breakBuild } from '../base/broken-build.ts'
import { BREAKAGES } from './breakages.ts'

const SUITES = ['sql', 'records', 'batches'] as const

const chosen = batteryArguments(6000, SUITES, Object.keys(BREAKAGES))
const breakage = chosen.break === null ? null : BREAKAGES[chosen.break]!
if (breakage !== null) breakBuild(breakage)
const { runFuzz } = await import('./battery.ts')
let shown = 0
const { cases, accepted, refused, wrong } = await runFuzz({
  seed: chosen.seed,
  count: chosen.count,
  suites: SUITES.filter((suite) => (chosen.suite ?? breakage?.suite ?? suite) === suite),
  onWrong: (line) => {
    if (shown++ < 20) console.log(`seed ${chosen.seed}, ${line}`)
  },
})
console.log(`fuzz: ${cases} cases, runs accepted ${accepted}, refused ${refused}, wrong ${wrong}`)
process.exitCode = wrong === 0 ? 0 : 1
