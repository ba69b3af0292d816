/**
 * `npm run bench -- [NAME…] [options]`: runs fixed workloads on our own engine, embedded, durable commits. The
 * input is written before the clock starts, one round is discarded, each run is a process of its own pinned
 * to one core, and a figure counts only if an unrelated SQL engine agrees with the whole output.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { WrongOutput, type BenchOptions } from './bench-context.ts'
import { measureCost } from './cost.ts'
import { measureLatency } from './latency.ts'
import { describeMachine } from './machine.ts'
import { measureRecovery } from './recovery.ts'
import { tableOf } from './table.ts'
import { measureThroughput } from './throughput.ts'
import { WORKLOADS } from './workloads.ts'

interface Measurement {
  readonly name: string
  readonly summary: string
  readonly run: (options: BenchOptions) => Promise<readonly object[]>
}

const MEASUREMENTS: readonly Measurement[] = [
  ...WORKLOADS.map((workload) => ({
    name: workload.name,
    summary: `throughput: ${workload.summary}`,
    run: async (options: BenchOptions) => [await measureThroughput(options, workload)],
  })),
  {
    name: 'W2d',
    summary: 'totals of 1 M vehicles without a window: throughput, memory per key, recovery after SIGKILL',
    run: async (options) => [await measureRecovery(options)],
  },
  {
    name: 'cost',
    summary: 'throughput exactly once against at least once, W1 and W2b, commits each 100 and 10 ms',
    run: measureCost,
  },
  {
    name: 'latency',
    summary: 'from scheduled send to a committed reader, commits each 10 ms, a filter and W2b',
    run: measureLatency,
  },
]

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    records: { type: 'string', default: '4000000' },
    'commit-ms': { type: 'string', default: '100' },
    rate: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '60' },
    'data-dir': { type: 'string', default: tmpdir() },
    out: { type: 'string' },
    mode: { type: 'string', default: 'E' },
    peers: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(help())
  process.exit(0)
}
if (flags.mode !== 'E' || flags.peers) {
  console.error(
    'Only mode E, our own engine, is measured so far: --mode K and --peers come with the Kafka adapter.',
  )
  process.exit(2)
}
const unknown = positionals.filter((name) => MEASUREMENTS.every((m) => m.name !== name))
if (unknown.length > 0) {
  console.error(
    `There is no ${unknown.join(', ')}. There are: ${MEASUREMENTS.map((m) => m.name).join(', ')}.`,
  )
  process.exit(2)
}
const chosen = MEASUREMENTS.filter((m) => positionals.length === 0 || positionals.includes(m.name))

const root = mkdtempSync(join(flags['data-dir'], 'millrace-bench-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
const options: BenchOptions = {
  root,
  records: count('records'),
  rounds: count('rounds'),
  commitMs: count('commit-ms'),
  rate: count('rate'),
  seconds: count('seconds'),
  say: (line) => process.stderr.write(`${line}\n`),
}
const machine = describeMachine(flags['data-dir'])
const results: object[] = []
let failed = false
for (const { name, run } of chosen) {
  try {
    results.push(...(await run(options)))
  } catch (error) {
    if (!(error instanceof WrongOutput)) throw error
    options.say(`${name}: WRONG OUTPUT: ${error.message}`)
    failed = true
  }
}

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
  version: string
}
const report = {
  machine,
  versions: { millrace: version, commit, node: process.versions.node },
  settings: {
    commitIntervalMs: options.commitMs,
    durability: 'fsync',
    partitions: 4,
    rounds: options.rounds,
  },
  results,
}
process.stderr.write(tableOf(results))
if (flags.out !== undefined) writeFileSync(flags.out, `${JSON.stringify(report, null, 2)}\n`)
else console.log(JSON.stringify(report))
process.exit(failed ? 1 : 0)

function count(name: 'records' | 'rounds' | 'commit-ms' | 'rate' | 'seconds'): number {
  const value = Number(flags[name])
  if (Number.isInteger(value) && value > 0) return value
  console.error(`--${name} is a whole number above zero.`)
  process.exit(2)
}

function help(): string {
  return `npm run bench -- [NAME…] [options]

${MEASUREMENTS.map(({ name, summary }) => `  ${name.padEnd(14)}${summary}`).join('\n')}

  --rounds N      measured rounds, after one that is discarded (5; latency discards none)
  --records N     input of the throughput, cost and recovery figures (4000000)
  --commit-ms N   commit interval of throughput and recovery (100)
  --rate N        records per second of the latency figures (20000)
  --seconds N     and for how long (60)
  --data-dir D    where data directories are made (the system's temporary directory)
  --out FILE      writes the JSON there and not to standard output

Progress and a table go to standard error. Exit code 1: some output was not what SQLite says.`
}
