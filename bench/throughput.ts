import { PreparedInput, type BenchOptions } from './bench-context.ts'
import type { Run } from './run.ts'
import { spread } from './spread.ts'
import type { Workload } from './workloads.ts'

/** Input records per second and per CPU second over a backlog. The first round is discarded. */
export async function measureThroughput(options: BenchOptions, workload: Workload): Promise<object> {
  const { rounds, commitMs, records, say } = options
  const input = await PreparedInput.write(options, workload)
  const runs: Run[] = []
  for (let round = 0; round <= rounds; round++) {
    const run = await input.run(commitMs, 'exactly_once_v2')
    say(
      `${workload.name} round ${round}${round === 0 ? ' (discarded)' : ''}: ${millions(run.recordsPerSecond)} M records/s, ${millions(run.recordsPerCpuSecond)} M per CPU second, ${run.seconds.toFixed(1)} s, verified`,
    )
    if (round > 0) runs.push(run)
  }
  input.close()
  return {
    workload: workload.name,
    mode: 'E',
    engine: 'millrace',
    records,
    inputSha256: input.sha256,
    verified: true,
    recordsPerSecond: spread(runs.map((r) => r.recordsPerSecond)),
    recordsPerCpuSecond: spread(runs.map((r) => r.recordsPerCpuSecond)),
    commitMs: runs.at(-1)!.commitMs,
    peakRssBytes: Math.max(...runs.map((r) => r.peakRssBytes)),
    rowsOut: runs.at(-1)!.rowsOut,
  }
}

export function millions(perSecond: number): string {
  return (perSecond / 1e6).toFixed(2)
}
