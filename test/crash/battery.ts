import { cp, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CRASH_POINTS, type CrashPoint } from '../../src/base/crash-points.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import type { Breakage } from './breakage.ts'
import { compareOrder, compareResults, type Difference } from './compare.ts'
import { newInput, readInput, writeInput } from './input.ts'
import { runLife, type Life } from './life.ts'
import { recordAtATime, type Reference } from './reference.ts'
import { readResults, type Results } from './results.ts'

export interface BatteryOptions {
  /** How many kills there are to be. */
  readonly kills: number
  readonly seed: number
  /** How many readings the vehicles send. */
  readonly readings: number
  /** Where its directories are made; those of failed runs stay. */
  readonly directory: string
  /** Breaks commits of all but the undisturbed run. */
  readonly breakage?: Breakage
  /** Told of what happens, a line each. */
  readonly onProgress?: (line: string) => void
}

export interface BatteryReport {
  readonly kills: number
  readonly lost: number
  readonly doubled: number
  readonly wrong: number
  /** How often each place was where a process was killed. */
  readonly places: ReadonlyMap<string, number>
  /** The first difference: of which run, after which kills, and what. */
  readonly first: {
    readonly directory: string
    readonly kills: readonly string[]
    readonly detail: string
  } | null
}

/** Kills in one run before it is left to finish. */
const KILLS_PER_RUN_MAX = 6

/**
 * Runs the pipeline undisturbed, then again and again over copies of the same input with the process killed
 * several times in each run, until there were as many kills as asked for; compares each run's results.
 */
export async function runBattery(options: BatteryOptions): Promise<BatteryReport> {
  const { seed, onProgress = () => {} } = options
  const random = seededRandom(seed)
  const directory = await mkdtemp(join(options.directory, 'millrace-crash-'))
  const input = join(directory, 'input')
  await writeInput(input, newInput(seed, options.readings))

  const undisturbed = join(directory, 'undisturbed')
  await cp(input, undisturbed, { recursive: true })
  const end = await runLife(undisturbed, { ...newLife(random, null), kill: null, killAfterMs: null })
  if (end.kind !== 'finished') throw new Error(`The undisturbed run did not finish. ${JSON.stringify(end)}`)
  onProgress(`undisturbed: ${Math.round(end.tookMs)} ms, ${end.passes['cycle-after-commit']} commits`)
  const expected = await readResults(undisturbed)
  const reference = await recordAtATime(await readInput(input))
  const own = checkUndisturbed(expected, reference)
  const tally = new Tally()
  if (own.length > 0) tally.add(own, undisturbed, ['none: the undisturbed run'])

  const plan = new KillPlan(random, end.passes, end.tookMs)
  for (let run = 0; tally.kills < options.kills; run++) {
    const name = join(directory, `run-${run}`)
    await cp(input, name, { recursive: true })
    const kills: string[] = []
    const max = Math.min(1 + random.below(KILLS_PER_RUN_MAX), options.kills - tally.kills)
    const losesState = random.below(3) === 0
    let failure: string | null = null
    for (let finished = false; !finished;) {
      const life = {
        ...newLife(random, options.breakage ?? null),
        ...(kills.length < max ? plan.next(kills.length) : {}),
      }
      const ended = await runLife(name, life)
      const place =
        life.kill === null ? `after ${life.killAfterMs} ms` : `${life.kill.point}, pass ${life.kill.pass}`
      if (ended.kind === 'killed') {
        kills.push(place)
        tally.killed(life.kill?.point ?? 'random time')
        if (losesState) await rm(join(name, 'state'), { recursive: true, force: true })
      } else {
        finished = true
        if (ended.kind === 'failed') failure = ended.detail
      }
    }
    const differences: Difference[] =
      failure === null
        ? compareResults(await readResults(name), expected, reference)
        : [{ kind: 'wrong', detail: failure }]
    onProgress(
      `run ${run}: ${kills.length} kills${losesState ? ', state deleted after each' : ''}${kills.length > 0 ? ` (${kills.join('; ')})` : ''}: ${differences.length === 0 ? 'same' : `${differences.length} differences, as ${differences[0]!.detail}`}`,
    )
    if (differences.length > 0) tally.add(differences, name, kills)
    else await rm(name, { recursive: true })
  }
  if (tally.first === null) await rm(directory, { recursive: true })
  return tally
}

/** The undisturbed run has to be right, too, and to have something to compare. */
function checkUndisturbed(results: Results, reference: Reference): Difference[] {
  const empty = results.topics
    .filter(({ partitions }) => partitions.every((records) => records.length === 0))
    .map(({ topic }): Difference => ({ kind: 'wrong', detail: `nothing came out to ${topic}` }))
  return [...empty, ...results.topics.flatMap((topic) => compareOrder(topic, reference))]
}

class Tally implements BatteryReport {
  kills = 0
  lost = 0
  doubled = 0
  wrong = 0
  readonly places = new Map<string, number>()
  first: BatteryReport['first'] = null

  killed(place: string): void {
    this.kills++
    this.places.set(place, (this.places.get(place) ?? 0) + 1)
  }

  add(differences: readonly Difference[], directory: string, kills: readonly string[]): void {
    for (const { kind } of differences) this[kind]++
    this.first ??= { directory, kills, detail: differences[0]!.detail }
  }
}

function newLife(random: Random, breakage: Breakage | null): Life {
  return {
    seed: random.below(2 ** 31),
    sliceBytes: 1_200 + random.below(5_000),
    commitIntervalMs: random.below(3) * 4,
    transactionBytesMax: 4_000 << random.below(8),
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
  #points: CrashPoint[] = []

  /**
   * @param passes  how often an undisturbed run comes through each point
   * @param tookMs  how long it takes
   */
  constructor(random: Random, passes: Readonly<Record<CrashPoint, number>>, tookMs: number) {
    this.#random = random
    this.#passes = passes
    this.#tookMs = tookMs
  }

  /** @param killsBefore  in the same run: the less is left to do, the earlier the kill must come */
  next(killsBefore: number): Pick<Life, 'kill' | 'killAfterMs'> {
    const share = 1 / (1 + killsBefore)
    if (this.#random.below(4) === 0) {
      return { kill: null, killAfterMs: Math.ceil(this.#random.next() * this.#tookMs * share) }
    }
    if (this.#points.length === 0) this.#points = shuffled(CRASH_POINTS, this.#random)
    const point = this.#points.pop()!
    const passes = Math.max(1, Math.floor(this.#passes[point] * share * 0.7))
    return { kill: { point, pass: 1 + this.#random.below(passes) }, killAfterMs: null }
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items]
  return Array.from({ length: items.length }, () => left.splice(random.below(left.length), 1)[0]!)
}
