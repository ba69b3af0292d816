import { join } from 'node:path'
import { rmSync } from 'node:fs'
import { WrongOutput, type BenchOptions } from './bench-context.ts'
import type { LatencyRun } from './latency-run.ts'
import { runPinned } from './pinned.ts'
import { spread } from './spread.ts'

const COMMIT_MS = 10

/**
 * End to end: produced with acks=all, through a query, to a reader of what is committed; from when a record
 * was to be sent. Producer, engine and reader are one process, on one core. The first tenth is not timed.
 */
export async function measureLatency(options: BenchOptions): Promise<object[]> {
  const { root, rounds, rate, seconds, say } = options
  const results: object[] = []
  for (const name of ['pass-all', 'W2b']) {
    const runs: LatencyRun[] = []
    for (let round = 1; round <= rounds; round++) {
      const directory = join(root, `latency-${name}`)
      const args = [directory, name, String(rate), String(seconds), String(COMMIT_MS)]
      const run = await runPinned<LatencyRun>('latency-run.ts', args)
      rmSync(directory, { recursive: true })
      if (run.difference !== null) throw new WrongOutput(run.difference)
      const { p50, p99, p999, max } = run.latencyMs
      say(
        `latency of ${name} at ${rate} records/s, round ${round}: p50 ${p50} ms, p99 ${p99}, p99.9 ${p999}, max ${max}; sent late by ${run.sendLagMs.p50}, ${run.sendLagMs.p99}, ${run.sendLagMs.max}; commits ${run.commitMs.p50} / ${run.commitMs.p99} ms; ${Math.round(run.cpuShare * 100)} % of a core; verified`,
      )
      runs.push(run)
    }
    const of = (figure: keyof LatencyRun['latencyMs']): object =>
      spread(
        runs.map((r) => r.latencyMs[figure]),
        2,
      )
    results.push({
      measurement: 'latency',
      workload: name,
      mode: 'E',
      engine: 'millrace',
      records: runs[0]!.records,
      verified: true,
      recordsPerSecondSent: rate,
      seconds,
      commitIntervalMs: COMMIT_MS,
      latencyMs: { p50: of('p50'), p99: of('p99'), p999: of('p999'), p9999: of('p9999'), max: of('max') },
      sendLagMs: runs.at(-1)!.sendLagMs,
      commitMs: runs.at(-1)!.commitMs,
      cpuShare: runs.at(-1)!.cpuShare,
    })
  }
  return results
}
