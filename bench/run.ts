/**
 * One measured run in a process of its own: opens a data directory that holds the input, runs the
 * workload's statements, waits until all input is consumed and committed, and prints one JSON line.
 *
 * The first tenth of the input is not timed: the compiler is still warming up.
 *
 *   node bench/run.ts DIRECTORY WORKLOAD RECORDS COMMIT-MS [exactly_once_v2 | at_least_once]
 */
import { Millrace } from '../src/index.ts'
import { TELEMETRY, workloadNamed } from './workloads.ts'

/** What a run prints. */
export interface Run {
  readonly recordsPerSecond: number
  readonly recordsPerCpuSecond: number
  readonly seconds: number
  readonly commits: number
  readonly commitMs: { readonly p50: number; readonly p99: number }
  readonly peakRssBytes: number
  /** When everything is committed, and garbage is still there. */
  readonly rssBytes: number
  readonly rowsOut: number
}

interface Mark {
  readonly ms: number
  readonly cpu: NodeJS.CpuUsage
  readonly rows: number
}

if (import.meta.main) {
  const [directory, name, records, commitIntervalMs, guarantee = 'exactly_once_v2'] = process.argv.slice(2)
  console.log(
    JSON.stringify(await run(directory!, name!, Number(records), Number(commitIntervalMs), guarantee)),
  )
}

async function run(
  directory: string,
  name: string,
  total: number,
  commitIntervalMs: number,
  guarantee: string,
): Promise<Run> {
  const workload = workloadNamed(name)
  const millrace = await Millrace.open({
    dataDirectory: directory,
    commitIntervalMs,
    settings: { 'processing.guarantee': guarantee },
  })
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
  const rssBytes = process.memoryUsage.rss()
  const rowsOut = millrace.queries().reduce((sum, q) => sum + q.counters.recordsOut, 0)
  await millrace.close()
  return {
    recordsPerSecond: rows / ((end.ms - from.ms) / 1000),
    recordsPerCpuSecond: rows / cpuSeconds,
    seconds: (end.ms - from.ms) / 1000,
    commits: commits.length,
    commitMs: { p50: quantile(0.5), p99: quantile(0.99) },
    peakRssBytes: Math.max(peakRssBytes, rssBytes),
    rssBytes,
    rowsOut,
  }
}
