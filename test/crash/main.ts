/**
 * `npm run -s test:crash -- --count N --seed S --readings R`: kills a pipeline N times over an input of R
 * readings, at every named crash point in turn and at times between, restarts it each time, and compares
 * what it leaves with what was computed from the input alone. `--jobs J` does so in J directories at once,
 * with N and R divided among them and seeds from S on. After `--minutes M` no more are killed: the rest of
 * the input is worked off and compared.
 *
 * `--pipeline wide` takes one query of every kind there is instead, over a small input, each few kills in a
 * directory of their own, and compares with an undisturbed run and with record-at-a-time processing.
 */
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { Battery } from './battery.ts'
import { BREAKAGES, type Breakage } from './breakage.ts'
import { runFleet } from './fleet-battery.ts'
import type { Pipeline } from './life.ts'
import { sumOf, type BatteryReport } from './tally.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    pipeline: { type: 'string', default: 'fleet' },
    /** How many readings the vehicles send; by default 40,000 and 1,600. */
    readings: { type: 'string' },
    /** So many sequences of lives at once share kills and readings; each has its own directory and seed. */
    jobs: { type: 'string', default: '1' },
    /** After so long no more are killed, and what there is is compared. */
    minutes: { type: 'string' },
    /** Breaks the build on purpose, to see that it is noticed. */
    break: { type: 'string' },
  },
})

function whole(name: 'count' | 'seed' | 'readings' | 'jobs' | 'minutes', text: string, min: number): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= min) return number
  console.error(`--${name} takes a whole number from ${min}, not ${text}.`)
  process.exit(2)
}

function oneOf<T extends string>(name: 'pipeline' | 'break', text: string, known: readonly T[]): T {
  const found = known.find((item) => item === text)
  if (found !== undefined) return found
  console.error(`--${name} takes one of ${known.join(', ')}.`)
  process.exit(2)
}

const pipeline = oneOf<Pipeline>('pipeline', values.pipeline, ['fleet', 'wide'])
const breakage = values.break === undefined ? null : oneOf<Breakage>('break', values.break, BREAKAGES)
const options = {
  seed: whole('seed', values.seed, 0),
  kills: whole('count', values.count, 1),
  readings: whole('readings', values.readings ?? (pipeline === 'fleet' ? '40000' : '1600'), 100),
  directory: tmpdir(),
  untilMs: values.minutes === undefined ? Infinity : whole('minutes', values.minutes, 1) * 60_000,
  onProgress: (line: string) => console.log(line),
  ...(breakage === null ? {} : { breakage }),
}

/** The fleet pipeline, in as many sequences at once as there are jobs. */
async function runFleets(jobs: number): Promise<BatteryReport> {
  const reports = await Promise.all(
    Array.from({ length: jobs }, (_, job) => {
      const share = (of: number): number => Math.floor(of / jobs) + (job < of % jobs ? 1 : 0)
      return runFleet({
        ...options,
        seed: options.seed + job,
        kills: share(options.kills),
        readings: share(options.readings),
        onProgress: (line) => console.log(jobs === 1 ? line : `seed ${options.seed + job}: ${line}`),
      })
    }),
  )
  return sumOf(reports)
}

async function runWide(): Promise<BatteryReport> {
  const battery = await Battery.prepare(options)
  const report = await battery.run(options)
  await battery.close()
  return report
}

const report = pipeline === 'fleet' ? await runFleets(whole('jobs', values.jobs, 1)) : await runWide()
const { kills, lost, doubled, wrong, first, powerCuts, statesLost } = report
console.log([...report.places].map(([place, count]) => `${place} ${count}`).join(', '))
console.log(`${options.readings} readings, ${powerCuts} power cuts, state deleted ${statesLost} times`)
if (first !== null) {
  console.log(`seed ${options.seed}; first difference: ${first.detail}`)
  console.log(`after kills at: ${first.kills.slice(-20).join('; ') || 'none'}; kept in ${first.directory}`)
}
console.log(`crash: ${kills} kills, lost ${lost}, doubled ${doubled}, wrong ${wrong}`)
process.exitCode = lost + doubled + wrong === 0 ? 0 : 1
