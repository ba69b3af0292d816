import type { QueryPlan } from '../../src/plan/plan-node.ts'
import { makePlans } from './queries.ts'
import { runSeed, type SeedReport } from './simulation.ts'

export interface SimulationOptions {
  /** The first one; the others follow it. */
  readonly seed: number
  readonly count: number
  /** Ends with the first seed in which something differs. */
  readonly stopsAtFirst?: boolean
  /** Told of each seed in which something differs. */
  readonly onWrong?: (seed: number, report: SeedReport) => void
  /** Told of every thousandth seed, with what was found up to it. */
  readonly onProgress?: (report: SimulationReport) => void
}

export interface SimulationReport {
  seeds: number
  powerCuts: number
  lost: number
  doubled: number
  wrong: number
}

const PROGRESS_EVERY = 1_000
/** Every so many seeds one runs twice: each time the same must happen. */
const REPEAT_EVERY = 50

/** Runs the programs of many seeds, one after the other. */
export async function runSimulation(options: SimulationOptions): Promise<SimulationReport> {
  const plans = await makePlans()
  const report: SimulationReport = { seeds: 0, powerCuts: 0, lost: 0, doubled: 0, wrong: 0 }
  for (let seed = options.seed; seed < options.seed + options.count; seed++) {
    const found = await runOnce(seed, plans)
    report.seeds++
    report.powerCuts += found.powerCuts
    for (const { kind } of found.differences) report[kind]++
    if (report.seeds % PROGRESS_EVERY === 0) options.onProgress?.(report)
    if (found.differences.length === 0) continue
    options.onWrong?.(seed, found)
    if (options.stopsAtFirst === true) break
  }
  return report
}

async function runOnce(seed: number, plans: ReadonlyMap<string, QueryPlan>): Promise<SeedReport> {
  // Whoever waits for a turn of the event loop gets it.
  await new Promise((resolve) => setImmediate(resolve))
  const report = await runSeed(seed, plans)
  if (seed % REPEAT_EVERY !== 0 || report.differences.length > 0) return report
  const again = await runSeed(seed, plans)
  if (again.hash === report.hash && again.events === report.events) return report
  return {
    ...report,
    differences: [{ kind: 'wrong', detail: 'a second run of the same seed went another way' }],
  }
}
