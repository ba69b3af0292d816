/**
 * `npm run -s bench -- [W…] [--rounds N] [--records N] [--commit-ms N] [--data-dir D] [--out FILE]`
 *
 * Runs fixed workloads on our own engine, embedded mode, exactly once with durable commits: the input is
 * written first, one round is discarded, each further round runs in a process of its own pinned to one
 * core, and a figure counts only if an unrelated SQL engine agrees with the whole output.
 */
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { nodeFileSystem } from '../src/base/node-file-system.ts'
import { systemRandom } from '../src/base/random.ts'
import { openLog } from '../src/log/open-log.ts'
import type { Log } from '../src/log/log.ts'
import { describeMachine } from './machine.ts'
import { Oracle } from './oracle.ts'
import { generateTelemetry } from './telemetry.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

interface Run {
  readonly recordsPerSecond: number
  readonly recordsPerCpuSecond: number
  readonly seconds: number
  readonly commitMs: { readonly p50: number; readonly p99: number }
  readonly peakRssBytes: number
  readonly rowsOut: number
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    records: { type: 'string', default: '4000000' },
    'commit-ms': { type: 'string', default: '100' },
    'data-dir': { type: 'string', default: tmpdir() },
    out: { type: 'string' },
    mode: { type: 'string', default: 'E' },
    peers: { type: 'boolean', default: false },
  },
})
if (flags.mode !== 'E' || flags.peers) {
  console.error(
    'Only mode E, our own engine, is measured so far: --mode K and --peers come with the Kafka adapter.',
  )
  process.exit(2)
}
const chosen = positionals.length === 0 ? WORKLOADS : WORKLOADS.filter((w) => positionals.includes(w.name))
if (chosen.length === 0) {
  console.error(`No such workload. There are: ${WORKLOADS.map((w) => w.name).join(', ')}.`)
  process.exit(2)
}

const root = mkdtempSync(join(flags['data-dir'], 'millrace-bench-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
const records = Number(flags.records)
const results: unknown[] = []
let failed = false
for (const workload of chosen) {
  const result = await measure(workload)
  if (result === null) failed = true
  else results.push(result)
}

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const version = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { version: string }
).version
const report = {
  machine: describeMachine(flags['data-dir']),
  versions: { millrace: version, commit, node: process.versions.node },
  settings: {
    commitIntervalMs: Number(flags['commit-ms']),
    durability: 'fsync',
    partitions: 4,
    rounds: Number(flags.rounds),
  },
  results,
}
if (flags.out !== undefined) writeFileSync(flags.out, `${JSON.stringify(report, null, 2)}\n`)
else console.log(JSON.stringify(report))
process.exit(failed ? 1 : 0)

async function measure(workload: Workload): Promise<object | null> {
  const input = join(root, `${workload.name}-input`)
  say(`${workload.name}: writing ${records} records of ${workload.vehicles} vehicles`)
  const oracle = new Oracle()
  const log = await open(input)
  const topic = await generateTelemetry(log, { records, vehicles: workload.vehicles }, (r) => oracle.add(r))
  await log.close()
  oracle.ready()
  const runs: Run[] = []
  for (let round = 0; round <= Number(flags.rounds); round++) {
    const directory = join(root, `${workload.name}-round`)
    cpSync(input, directory, { recursive: true })
    execFileSync('sync')
    const run = await runPinned(directory, workload.name)
    const finished = await open(directory)
    const difference = await oracle.compare(workload, finished)
    await finished.close()
    rmSync(directory, { recursive: true })
    if (difference !== null) {
      say(`${workload.name}: WRONG OUTPUT in round ${round}: ${difference}`)
      oracle.close()
      return null
    }
    say(
      `${workload.name} round ${round}${round === 0 ? ' (discarded)' : ''}: ${millions(run.recordsPerSecond)} M records/s, ${millions(run.recordsPerCpuSecond)} M per CPU second, ${run.seconds.toFixed(1)} s, verified`,
    )
    if (round > 0) runs.push(run)
  }
  oracle.close()
  rmSync(input, { recursive: true })
  const spread = (of: (run: Run) => number): object => {
    const sorted = runs.map(of).toSorted((a, b) => a - b)
    return {
      min: Math.round(sorted[0]!),
      median: Math.round(sorted[sorted.length >> 1]!),
      max: Math.round(sorted.at(-1)!),
    }
  }
  return {
    workload: workload.name,
    mode: 'E',
    engine: 'millrace',
    records,
    inputSha256: topic.sha256,
    verified: true,
    recordsPerSecond: spread((r) => r.recordsPerSecond),
    recordsPerCpuSecond: spread((r) => r.recordsPerCpuSecond),
    commitMs: runs.at(-1)!.commitMs,
    peakRssBytes: Math.max(...runs.map((r) => r.peakRssBytes)),
    rowsOut: runs.at(-1)!.rowsOut,
  }
}

/** The engine on one core, everything else on the other. */
function runPinned(directory: string, name: string): Promise<Run> {
  const args = [join(import.meta.dirname, 'run.ts'), directory, name, String(records), flags['commit-ms']]
  const pinned =
    process.platform === 'linux'
      ? ['taskset', ['-c', '0', process.execPath, ...args]]
      : [process.execPath, args]
  return new Promise((resolve, reject) => {
    const child = spawn(pinned[0] as string, pinned[1] as string[], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as Run)
      else reject(new Error(`the run of ${name} ended with exit code ${code}`))
    })
  })
}

function open(directory: string): Promise<Log> {
  mkdirSync(directory, { recursive: true })
  return openLog({ directory, fileSystem: nodeFileSystem, clock: systemClock, random: systemRandom })
}

function millions(perSecond: number): string {
  return (perSecond / 1e6).toFixed(2)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
