import { PreparedInput, type BenchOptions } from './bench-context.ts'
import type { Run } from './run.ts'
import { spread } from './spread.ts'
import { millions } from './throughput.ts'
import { workloadNamed } from './workloads.ts'

const COMMIT_MS = [100, 10] as const

/**
 * What exactly once costs: 1 − throughput exactly once ÷ at least once, of two runs of one round, over the
 * same input. Which of the two comes first alternates.
 */
export async function measureCost(options: BenchOptions): Promise<object[]> {
  const { rounds, records, say } = options
  const results: object[] = []
  for (const name of ['W1', 'W2b']) {
    const input = await PreparedInput.write(options, workloadNamed(name))
    for (const commitMs of COMMIT_MS) {
      const pairs: { readonly exact: Run; readonly loose: Run }[] = []
      for (let round = 0; round <= rounds; round++) {
        const exactFirst = round % 2 === 0
        const first = await input.run(commitMs, exactFirst ? 'exactly_once_v2' : 'at_least_once')
        const second = await input.run(commitMs, exactFirst ? 'at_least_once' : 'exactly_once_v2')
        const [exact, loose] = exactFirst ? [first, second] : [second, first]
        say(
          `${name}, commits each ${commitMs} ms, round ${round}${round === 0 ? ' (discarded)' : ''}: ${millions(exact.recordsPerSecond)} M records/s exactly once, ${millions(loose.recordsPerSecond)} at least once, ${percent(cost(exact.recordsPerSecond, loose.recordsPerSecond))} (CPU ${percent(cost(exact.recordsPerCpuSecond, loose.recordsPerCpuSecond))}), verified`,
        )
        if (round > 0) pairs.push({ exact, loose })
      }
      results.push({
        measurement: 'cost of exactly once',
        workload: name,
        mode: 'E',
        engine: 'millrace',
        records,
        inputSha256: input.sha256,
        verified: true,
        commitIntervalMs: commitMs,
        cost: spread(
          pairs.map(({ exact, loose }) => cost(exact.recordsPerSecond, loose.recordsPerSecond)),
          3,
        ),
        costInCpu: spread(
          pairs.map(({ exact, loose }) => cost(exact.recordsPerCpuSecond, loose.recordsPerCpuSecond)),
          3,
        ),
        recordsPerSecond: {
          exactlyOnce: spread(pairs.map(({ exact }) => exact.recordsPerSecond)),
          atLeastOnce: spread(pairs.map(({ loose }) => loose.recordsPerSecond)),
        },
        commits: { exactlyOnce: pairs.at(-1)!.exact.commits, atLeastOnce: pairs.at(-1)!.loose.commits },
      })
    }
    input.close()
  }
  return results
}

function cost(exact: number, loose: number): number {
  return 1 - exact / loose
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
