/**
 * `npm run -s test:crash -- --count N --seed S`: kills the pipeline N times at points that follow from the
 * seed, restarts it each time, and compares what it gives with what an undisturbed run gives.
 */
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { Battery } from './battery.ts'
import { BREAKAGES, type Breakage } from './breakage.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    readings: { type: 'string', default: '1600' },
    /** Breaks commits on purpose, to see that it is noticed. */
    break: { type: 'string' },
  },
})
const whole = (name: 'count' | 'seed' | 'readings'): number => {
  const number = Number(values[name])
  if (Number.isSafeInteger(number) && number >= (name === 'seed' ? 0 : 1)) return number
  console.error(`--${name} takes a whole number, not ${values[name]}.`)
  process.exit(2)
}
const breakage = values.break as Breakage | undefined
if (breakage !== undefined && !BREAKAGES.includes(breakage)) {
  console.error(`--break takes one of ${BREAKAGES.join(', ')}.`)
  process.exit(2)
}

const seed = whole('seed')
const battery = await Battery.prepare({
  seed,
  readings: whole('readings'),
  directory: tmpdir(),
  onProgress: (line) => console.log(line),
})
const report = await battery.run({
  kills: whole('count'),
  ...(breakage === undefined ? {} : { breakage }),
})
await battery.close()
const { kills, lost, doubled, wrong, first } = report
console.log([...report.places].map(([place, count]) => `${place} ${count}`).join(', '))
if (first !== null) {
  console.log(`seed ${seed}; first difference: ${first.detail}`)
  console.log(`after kills at: ${first.kills.join('; ') || 'none'}; kept in ${first.directory}`)
}
console.log(`crash: ${kills} kills, lost ${lost}, doubled ${doubled}, wrong ${wrong}`)
process.exitCode = lost + doubled + wrong === 0 ? 0 : 1
