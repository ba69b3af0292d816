/**
 * `npm run -s test:fault -- --count N --seed S`: damages the files of a data directory and lets disks fail, in
 * N ways that follow from the seed. `--suite` takes one kind of them, `--break` breaks the product on purpose.
 */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { batteryArguments } from '../base/battery-arguments.ts'
import { breakBuild } from '../base/broken-build.ts'
import { BREAKAGES } from './breakages.ts'

const SUITES = ['bytes', 'state', 'disk'] as const

const chosen = batteryArguments(2000, SUITES, Object.keys(BREAKAGES))
const breakage = chosen.break === null ? null : BREAKAGES[chosen.break]!
if (breakage !== null) breakBuild(breakage)
const { runFaults } = await import('./battery.ts')
const suites = SUITES.filter((suite) => (chosen.suite ?? breakage?.suite ?? suite) === suite)
let shown = 0
const { cases, repaired, refused, wrong, tails, tailsDone } = await runFaults({
  seed: chosen.seed,
  count: chosen.count,
  suites,
  // In memory where that is possible: what is tested is not the disk.
  scratch: existsSync('/dev/shm') ? '/dev/shm' : tmpdir(),
  onWrong: (line) => {
    if (shown++ < 20) console.log(`seed ${chosen.seed}, ${line}`)
  },
})
if (tails > 0) console.log(`tails truncated byte by byte: ${tailsDone} of ${tails} places`)
console.log(`fault: ${cases} cases, repaired ${repaired}, refused ${refused}, silently wrong ${wrong}`)
process.exitCode = wrong === 0 ? 0 : 1
