/**
 * One measured run in a process of its own: opens a data directory that holds the input, runs the
 * workload's statements, waits until all input is consumed and committed, and prints one JSON line.
 *
 * The first tenth of the input is not timed: the compiler is still warming up.
 */
import { Millrace } from '../src/index.ts'
import { TELEMETRY, WORKLOADS } from './workloads.ts'

const [directory, name, records, commitIntervalMs] = process.argv.slice(2)
const workload = WORKLOADS.find((w) => w.name === name)!
const total = Number(records)

const millrace = await Millrace.open({
  dataDirectory: directory!,
  commitIntervalMs: Number(commitIntervalMs),
})
interface Mark {
  readonly ms: number
  readonly cpu: NodeJS.CpuUsage
  readonly rows: number
}
const mark = (rows: number): Mark => ({ ms: performance.now(), cpu: process.cpuUsage(), rows })
let warm: Mark | null = null
let peakRssBytes = 0
let ticks = 0
await millrace.sql(TELEMETRY)
const started = mark(0)
const sampler = setInterval(() => {
  const rows = millrace.queries().reduce((sum, q) => sum + q.counters.recordsIn, 0)
  if (warm === null && rows >= total / 10) warm = mark(rows)
  if (ticks++ % 50 === 0) peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss())
}, 2)
await millrace.sql(workload.statement)
await millrace.untilIdle()
const end = mark(total)
clearInterval(sampler)
const from = warm ?? started
const cpuSeconds = (end.cpu.user + end.cpu.system - from.cpu.user - from.cpu.system) / 1e6
const rows = end.rows - from.rows
const commits = millrace.commitMs.toSorted((a, b) => a - b)
const quantile = (q: number): number =>
  commits[Math.min(commits.length - 1, Math.floor(commits.length * q))] ?? 0
console.log(
  JSON.stringify({
    recordsPerSecond: rows / ((end.ms - from.ms) / 1000),
    recordsPerCpuSecond: rows / cpuSeconds,
    seconds: (end.ms - from.ms) / 1000,
    commitMs: { p50: quantile(0.5), p99: quantile(0.99) },
    peakRssBytes,
    rowsOut: millrace.queries().reduce((sum, q) => sum + q.counters.recordsOut, 0),
  }),
)
await millrace.close()
