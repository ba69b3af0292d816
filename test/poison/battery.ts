import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CrashPoint } from '../../src/base/crash-points.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { createTopics, DECLARATIONS, newFeed, send, type Feed, type Verdict } from './feed.ts'
import { runLife } from './life.ts'
import { judge, NAMES, PIPELINE, queryIds, readOutcome, runPipeline, type Outcome } from './pipeline.ts'

export interface BatteryOptions {
  readonly seed: number
  /** Rounds go on until so many records that aren't good were sent. */
  readonly count: number
  /** How many processes are killed in each second round; 0: all rounds are undisturbed. */
  readonly kills: number
  readonly onFault?: (line: string) => void
}

export interface BatteryReport {
  /** Those that aren't good. */
  records: number
  kills: number
  kept: number
  told: number
  lost: number
  doubled: number
  wrong: number
}

/** Where a life ends: before, within and after commits of cycles, and at checkpoints. */
const KILL_POINTS: readonly CrashPoint[] = [
  'cycle-before-flush',
  'cycle-after-flush',
  'journal-after-write',
  'journal-after-sync',
  'segments-after-write',
  'cycle-after-commit',
  'state-before-checkpoint',
]

/** Good records with bad ones between them, in every format, through queries that run; in each second round the process dies. */
export async function runPoison(options: BatteryOptions): Promise<BatteryReport> {
  const report: BatteryReport = { records: 0, kills: 0, kept: 0, told: 0, lost: 0, doubled: 0, wrong: 0 }
  for (let round = 0; report.records < options.count; round++) {
    const random = seededRandom(options.seed * 1_000_003 + round)
    const feed = await makeFeed(random)
    for (const sent of feed.values())
      report.records += sent.filter(({ verdict }) => verdict !== 'good').length
    const kills = round % 2 === 1 ? options.kills : 0
    const undisturbed = (await inMemory(feed, 'good')).outcome
    const { outcome, ids } =
      kills === 0 ? await inMemory(feed, null) : await killed(feed, kills, random, report)
    const { details, ...verdicts } = judge(feed, outcome, undisturbed, ids)
    for (const kind of ['kept', 'told', 'lost', 'doubled', 'wrong'] as const) report[kind] += verdicts[kind]
    for (const detail of details) options.onFault?.(`round ${round}, ${detail}`)
  }
  return report
}

interface Ran {
  readonly outcome: Outcome
  readonly ids: ReadonlyMap<string, string>
}

async function makeFeed(random: Random): Promise<Feed> {
  const millrace = await Millrace.open()
  try {
    await createTopics(millrace)
    await millrace.sql(DECLARATIONS)
    return await newFeed(millrace, { good: 40, spoiled: 20, random })
  } finally {
    await millrace.close()
  }
}

async function feedInto(millrace: Millrace, feed: Feed, only: Verdict | null): Promise<void> {
  await createTopics(millrace)
  await millrace.sql(DECLARATIONS)
  await millrace.createTopic('names', { partitions: 2, config: { 'cleanup.policy': 'compact' } })
  await millrace.produce('names', NAMES)
  await send(millrace, feed, only)
}

async function inMemory(feed: Feed, only: Verdict | null): Promise<Ran> {
  const millrace = await Millrace.open({ commitIntervalMs: 5 })
  try {
    await feedInto(millrace, feed, only)
    await runPipeline(millrace, PIPELINE)
    return { outcome: await readOutcome(millrace), ids: queryIds(millrace) }
  } finally {
    await millrace.close()
  }
}

async function killed(feed: Feed, kills: number, random: Random, report: BatteryReport): Promise<Ran> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-poison-'))
  try {
    const input = await Millrace.open({ dataDirectory: directory })
    await feedInto(input, feed, null)
    await input.close()
    const sliceBytes = 400 + random.below(4_000)
    for (let left = kills; left > 0; left--) {
      const point = KILL_POINTS[random.below(KILL_POINTS.length)]!
      const kill = { point, pass: 1 + random.below(point === 'state-before-checkpoint' ? 1 : 25) }
      if (!(await runLife(directory, { sliceBytes, kill }))) break
      report.kills++
      // Local state is a checkpoint of the changelogs, and may go.
      if (random.below(3) === 0) await rm(join(directory, 'state'), { recursive: true, force: true })
    }
    await runLife(directory, { sliceBytes, kill: null })
    const millrace = await Millrace.open({ dataDirectory: directory })
    try {
      return { outcome: await readOutcome(millrace), ids: queryIds(millrace) }
    } finally {
      await millrace.close()
    }
  } finally {
    await rm(directory, { recursive: true })
  }
}
