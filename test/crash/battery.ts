import { cp, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CRASH_POINTS, type CrashPoint } from '../../src/base/crash-points.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import type { Breakage } from './breakage.ts'
import { compareOrder, compareResults, type Difference } from './compare.ts'
import { newInput, readInput, writeInput } from './input.ts'
import { RANDOM_TIME, runLife, type Kill, type Life, type LifeEnd } from './life.ts'
import { recordAtATime, type Reference } from './reference.ts'
import { readResults, type Results } from './results.ts'
import { shuffled } from './shuffled.ts'
import { Tally, type BatteryReport } from './tally.ts'

export interface BatteryOptions {
  readonly seed: number
  /** How many readings the vehicles send. */
  readonly readings: number
  /** Where its directories are made; those of runs that differ stay. */
  readonly directory: string
  /** Told of what happens, a line each. */
  readonly onProgress?: (line: string) => void
}

export interface KillOptions {
  /** How many kills there are to be. */
  readonly kills: number
  /** Breaks commits. */
  readonly breakage?: Breakage
  /** The first kills, in order. Those after them are at every crash point in turn, and at times between. */
  readonly first?: readonly Kill[]
}

const UNDISTURBED = 'undisturbed'
/** Kills in one run before it is left to finish. */
const KILLS_PER_RUN_MAX = 6

/** A seed at which the undisturbed run itself is wrong, or nothing dies, ends here and not never. */
const RUNS_PER_KILL_MAX = 3

/**
 * The pipeline over one input: run undisturbed once, and then, as often as {@link run} is called, over copies
 * of the same input with the process killed several times in each run.
 */
export class Battery {
  readonly #options: BatteryOptions
  /** Holds the input, the undisturbed run and those that differ. */
  readonly #directory: string
  readonly #expected: Results
  readonly #reference: Reference
  readonly #passes: Readonly<Record<CrashPoint, number>>
  readonly #tookMs: number
  #runs = 0
  #keeps = false

  private constructor(
    options: BatteryOptions,
    directory: string,
    undisturbed: Extract<LifeEnd, { kind: 'finished' }>,
    expected: Results,
    reference: Reference,
  ) {
    this.#options = options
    this.#directory = directory
    this.#passes = undisturbed.passes
    this.#tookMs = undisturbed.tookMs
    this.#expected = expected
    this.#reference = reference
  }

  /** @throws Error if the undisturbed run does not finish */
  static async prepare(options: BatteryOptions): Promise<Battery> {
    const directory = await mkdtemp(join(options.directory, 'millrace-crash-'))
    const input = join(directory, 'input')
    await writeInput(input, newInput(options.seed, options.readings))
    const undisturbed = join(directory, UNDISTURBED)
    await cp(input, undisturbed, { recursive: true })
    const end = await runLife(undisturbed, {
      ...newLife(seededRandom(options.seed), null),
      sliceBytes: SLICE_BYTES_MAX,
      commitIntervalMs: COMMIT_INTERVAL_MS_MAX,
      transactionBytesMax: 1 << 20,
    })
    if (end.kind !== 'finished') throw new Error(`The undisturbed run did not finish. ${JSON.stringify(end)}`)
    options.onProgress?.(
      `undisturbed: ${Math.round(end.tookMs)} ms, ${end.passes['cycle-after-commit']} commits`,
    )
    const reference = await recordAtATime(await readInput(input))
    return new Battery(options, directory, end, await readResults(undisturbed), reference)
  }

  /** Runs until there were as many kills as asked for; compares each run's results with the undisturbed one's. */
  async run(options: KillOptions): Promise<BatteryReport> {
    const random = seededRandom(this.#options.seed)
    const tally = new Tally()
    const own = checkUndisturbed(this.#expected, this.#reference)
    if (own.length > 0) this.#add(tally, own, UNDISTURBED, [])
    const plan = new KillPlan(random, this.#passes, this.#tookMs, options.first ?? [])
    const runsMax = options.kills * RUNS_PER_KILL_MAX
    for (let run = 0; tally.kills < options.kills && run < runsMax; run++) {
      await this.#runOnce(random, plan, tally, options)
    }
    return tally
  }

  /** Removes everything but what differed. */
  async close(): Promise<void> {
    if (!this.#keeps) await rm(this.#directory, { recursive: true })
  }

  async #runOnce(random: Random, plan: KillPlan, tally: Tally, options: KillOptions): Promise<void> {
    const name = `run-${this.#runs++}`
    const directory = join(this.#directory, name)
    await cp(join(this.#directory, 'input'), directory, { recursive: true })
    const kills: string[] = []
    const max = Math.min(1 + random.below(KILLS_PER_RUN_MAX), options.kills - tally.kills)
    const losesState = random.below(3) === 0
    let end: LifeEnd
    for (;;) {
      const next = newLife(random, options.breakage ?? null)
      const life = {
        ...next,
        ...(kills.length < max ? plan.next(kills.length, next.sliceBytes > SLICE_BYTES_MAX) : {}),
      }
      end = await runLife(directory, life)
      if (end.kind !== 'killed') break
      const said =
        end.place === RANDOM_TIME
          ? `after ${life.killAfterMs ?? 'too many'} ms`
          : `${end.place}, pass ${life.kill!.pass}`
      kills.push(said)
      tally.killed(end.place, said)
      if (!losesState) continue
      await rm(join(directory, 'state'), { recursive: true, force: true })
      tally.statesLost++
    }
    const differences: Difference[] =
      end.kind === 'finished'
        ? compareResults(await readResults(directory), this.#expected, this.#reference)
        : [{ kind: 'wrong', detail: end.detail }]
    const outcome =
      differences.length === 0 ? 'same' : `${differences.length} differences, as ${differences[0]!.detail}`
    this.#options.onProgress?.(
      `${name}: ${kills.length} kills${losesState ? ', state deleted after each' : ''} (${kills.join('; ')}): ${outcome}`,
    )
    if (differences.length > 0) this.#add(tally, differences, name, kills)
    else await rm(directory, { recursive: true })
  }

  #add(tally: Tally, differences: readonly Difference[], name: string, kills: readonly string[]): void {
    this.#keeps = true
    tally.add(differences, join(this.#directory, name), kills)
  }
}

/** The undisturbed run has to be right, too, and to have something to compare. */
function checkUndisturbed(results: Results, reference: Reference): Difference[] {
  const empty = results.topics
    .filter(({ partitions }) => partitions.every((records) => records.length === 0))
    .map(({ topic }): Difference => ({ kind: 'wrong', detail: `nothing came out to ${topic}` }))
  return [...empty, ...results.topics.flatMap((topic) => compareOrder(topic, reference))]
}

/** A crash point that does not come in so long does not come at all. */
const PATIENCE_MS = 20_000
/** At most: then a life has the fewest cycles. */
const SLICE_BYTES_MAX = 6_000
const COMMIT_INTERVAL_MS_MAX = 8

/** A life in small cycles, and now and then one in few large ones, whose groups go past the journal. */
function newLife(random: Random, breakage: Breakage | null): Life {
  const isLarge = random.below(6) === 0
  return {
    pipeline: 'wide',
    armAtShare: null,
    patienceMs: PATIENCE_MS,
    isDefined: false,
    record: null,
    acknowledges: null,
    seed: random.below(2 ** 31),
    sliceBytes: isLarge ? 1 << 20 : 1_200 + random.below(SLICE_BYTES_MAX - 1_200),
    commitIntervalMs: (random.below(3) * COMMIT_INTERVAL_MS_MAX) / 2,
    transactionBytesMax: isLarge ? 1 << 24 : 4_000 << random.below(8),
    kill: null,
    killAfterMs: null,
    breakage,
  }
}

/** Chooses where the next process dies: every crash point in turn, in an order of the seed, and times between. */
class KillPlan {
  readonly #random: Random
  readonly #passes: Readonly<Record<CrashPoint, number>>
  readonly #tookMs: number
  readonly #first: Kill[]
  #points: CrashPoint[] = []

  /**
   * @param passes  how often an undisturbed run comes through each point
   * @param tookMs  how long it takes
   * @param first  what comes first
   */
  constructor(
    random: Random,
    passes: Readonly<Record<CrashPoint, number>>,
    tookMs: number,
    first: readonly Kill[],
  ) {
    this.#random = random
    this.#first = [...first]
    this.#passes = passes
    this.#tookMs = tookMs
  }

  /**
   * @param killsBefore  in the same run: the less is left to do, the earlier the kill must come
   * @param isShort  whether it is a life of few cycles
   */
  next(killsBefore: number, isShort: boolean): Pick<Life, 'kill' | 'killAfterMs'> {
    const share = (isShort ? 0.1 : 1) / (1 + killsBefore)
    const kill = this.#first.shift()
    if (kill !== undefined) return { kill, killAfterMs: null }
    if (this.#random.below(4) === 0) {
      return { kill: null, killAfterMs: Math.ceil(this.#random.next() * this.#tookMs * share * 0.8) }
    }
    if (this.#points.length === 0) this.#points = shuffled(CRASH_POINTS, this.#random)
    const point = this.#points.pop()!
    const passes = Math.max(1, Math.floor(this.#passes[point] * share * 0.5))
    return { kill: { point, pass: 1 + this.#random.below(passes) }, killAfterMs: null }
  }
}
