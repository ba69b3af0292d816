/**
 * `npm run -s test:poison -- --count N --seed S`: records nothing can be made of, between good ones, in every
 * format, through running queries whose process is killed. `--break` breaks the product on purpose.
 */
import { batteryArguments } from '../base/battery-arguments.ts'
import { breakBuild } from '../base/broken-build.ts'
import { BREAKAGES } from './breakages.ts'

const chosen = batteryArguments(3000, [], Object.keys(BREAKAGES))
if (chosen.break !== null) breakBuild(BREAKAGES[chosen.break as keyof typeof BREAKAGES])
const { runPoison } = await import('./battery.ts')
let shown = 0
const report = await runPoison({
  seed: chosen.seed,
  count: chosen.count,
  // A child would be of the build that isn't broken.
  kills: chosen.break === null ? 4 : 0,
  onFault: (line) => {
    if (shown++ < 20) console.log(`seed ${chosen.seed}, ${line}`)
  },
})
const { records, kills, kept, told, lost, doubled, wrong } = report
console.log(
  `poison: ${records} records, ${kills} kills, kept ${kept}, told of ${told}, lost ${lost}, doubled ${doubled}, wrong ${wrong}`,
)
process.exitCode = lost + doubled + wrong === 0 ? 0 : 1
