import { seededRandom } from '../../src/base/random.ts'
import { fuzzBatch } from './batch-fuzz.ts'
import type { FuzzOutcome } from './outcome.ts'
import { FORMATS, fuzzRecords } from './record-fuzz.ts'
import { fuzzSql, mutatedSql } from './sql-fuzz.ts'

export const SUITES = ['sql', 'records', 'batches'] as const
export type Suite = (typeof SUITES)[number]

export interface FuzzOptions {
  readonly seed: number
  readonly count: number
  readonly suites: readonly Suite[]
  readonly onWrong?: (line: string) => void
}

export interface FuzzReport {
  cases: number
  accepted: number
  refused: number
  wrong: number
}

/** Records that go through one query together. */
const RECORDS_TOGETHER = 200

/** Runs `count` inputs that the seed makes; a record is one input. */
export async function runFuzz({ seed, count, suites, onWrong }: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = { cases: 0, accepted: 0, refused: 0, wrong: 0 }
  const tell = (what: string, { kind, detail }: FuzzOutcome, cases = 1): void => {
    report.cases += cases
    report[kind]++
    if (kind === 'wrong') onWrong?.(`${what}: ${detail}`)
  }
  const share = Math.ceil(count / suites.length)
  for (const suite of suites) {
    const step = suite === 'records' ? RECORDS_TOGETHER : 1
    for (let i = 0; i < share; i += step) {
      const random = seededRandom(seed * 1_000_003 + i)
      if (suite === 'sql') {
        const text = mutatedSql(random)
        tell(`statement ${i}, ${JSON.stringify(text.slice(0, 500))}`, await fuzzSql(text))
      } else if (suite === 'records') {
        const format = FORMATS[(i / step) % FORMATS.length]!
        tell(`records ${i}`, await fuzzRecords(format, RECORDS_TOGETHER, random), RECORDS_TOGETHER)
      } else {
        tell(`batch ${i}`, await fuzzBatch(random))
      }
    }
  }
  return report
}
