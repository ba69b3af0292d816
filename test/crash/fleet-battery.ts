import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CRASH_POINTS, type CrashPoint } from '../../src/base/crash-points.ts'
import { seededRandom, type Random } from '../../src/base/random.ts'
import { Acknowledgements } from './acknowledgements.ts'
import type { Breakage } from './breakage.ts'
import type { Difference } from './compare.ts'
import { checkFleet } from './fleet-check.ts'
import { type FleetInput, writeFleetInput } from './fleet-input.ts'
import { RANDOM_TIME, runLife, type Kill, type Life } from './life.ts'
import { FileRecord } from './power-cut.ts'
import { shuffled } from './shuffled.ts'
import { Tally, type BatteryReport } from './tally.ts'

export interface FleetOptions {
  readonly seed: number
  readonly readings: number
  readonly kills: number
  /** Where its directory is made; it stays if anything differs. */
  readonly directory: string
  readonly breakage?: Breakage
  /** The first kills, in order, counted from the start of their lives. */
  readonly first?: readonly Kill[]
  /** Each kill cuts the power, nothing of the log stays that was not synced, and local state stays as it is. */
  readonly onlySyncedStays?: boolean
  /** When to stop killing, whatever is left, and to compare; `performance.now()`. */
  readonly untilMs?: number
  /** Told of what happens, a line each. */
  readonly onProgress?: (line: string) => void
}

/** How a life ends, and from when on that counts. */
type When = Pick<Life, 'kill' | 'killAfterMs' | 'armAtShare' | 'patienceMs'>

/** One in so many lives is killed while it opens the directory, or anywhere before it has caught up. */
const EARLY_ONE_IN = 6
const EARLY_MS_MAX = 400
/** A battery in which nothing dies ends, too. */
const LIVES_PER_KILL_MAX = 3
/** A share of the input that no life reaches. */
const NEVER = 2
/** Some crash points are far apart: after so long any place will do, unless this one is wanted. */
const PATIENCE_MS = 2_000
const FIRST_PATIENCE_MS = 30_000
/** Of an armed life. */
const RANDOM_MS_MAX = 60
const RECORD_BYTES_MAX = 64 << 20

/** Passed once, while a directory is opened. */
const ON_OPENING: readonly CrashPoint[] = ['recovery-after-replay', 'recovery-after-checkpoint']

/**
 * Runs the fleet pipeline over one input in one life after the other, each of which goes on from where the
 * last one was killed; kills are spread evenly over the input. Some die with their files as the process left
 * them, some by a power cut, some lose their local state. The last one finishes, and what it leaves is
 * compared with the recomputation and with what producers were told.
 */
export async function runFleet(options: FleetOptions): Promise<BatteryReport> {
  const random = seededRandom(options.seed)
  const root = await mkdtemp(join(options.directory, 'millrace-crash-'))
  const directory = join(root, 'data')
  const input = await writeFleetInput(directory, options.seed, options.readings)
  const tally = new Tally()
  const differences = await new Fleet(options, random, root, directory, tally).run(input)
  if (differences.length > 0) tally.add(differences, root)
  else await rm(root, { recursive: true })
  return tally
}

class Fleet {
  readonly #options: FleetOptions
  readonly #random: Random
  readonly #directory: string
  readonly #tally: Tally
  readonly #record: FileRecord
  readonly #acknowledgements = new Acknowledgements()
  readonly #first: Kill[]
  #points: CrashPoint[] = []
  #lives = 0
  #isDefined = false

  constructor(options: FleetOptions, random: Random, root: string, directory: string, tally: Tally) {
    this.#options = options
    this.#random = random
    this.#directory = directory
    this.#tally = tally
    this.#record = new FileRecord(join(root, 'record'))
    this.#first = [...(options.first ?? [])]
  }

  async run(input: FleetInput): Promise<Difference[]> {
    const { kills, readings, onProgress, untilMs = Infinity } = this.#options
    const reportEvery = Math.max(1, Math.floor(kills / 40))
    const livesMax = kills * LIVES_PER_KILL_MAX
    while (this.#tally.kills < kills && this.#lives < livesMax && performance.now() < untilMs) {
      const share = (this.#tally.kills + 1) / (kills + 1)
      const end = await this.#live(this.#nextKill(share))
      // One that was to die late has worked off the rest: those after it die over finished work.
      if (end === 'finished') continue
      if (end !== null) return [end]
      if (this.#tally.kills % reportEvery === 0) {
        onProgress?.(
          `${this.#tally.kills} kills over ${Math.floor(readings * share)} readings, ${this.#acknowledgements.count} records acknowledged: ${this.#tally.places.size} places`,
        )
      }
    }
    const last = await this.#live({
      kill: null,
      killAfterMs: null,
      armAtShare: NEVER,
      patienceMs: PATIENCE_MS,
    })
    if (last !== 'finished') return last === null ? [] : [last]
    onProgress?.(`${this.#lives} lives; recomputing`)
    return checkFleet(this.#directory, input, this.#acknowledgements)
  }

  /** @returns null if it was killed; a difference if it failed */
  async #live(when: When): Promise<'finished' | Difference | null> {
    const end = await runLife(
      this.#directory,
      {
        ...newLife(this.#random),
        ...when,
        isDefined: this.#isDefined,
        record: { folder: this.#record.folder, count: this.#record.count },
        acknowledges: this.#lives++,
        breakage: this.#options.breakage ?? null,
      },
      {
        onAcknowledged: (told) => this.#acknowledgements.add(told),
        onDefined: () => (this.#isDefined = true),
      },
    )
    if (end.kind === 'failed') return { kind: 'wrong', detail: `life ${this.#lives}: ${end.detail}` }
    this.#record.takeIn()
    if (end.kind === 'finished') return 'finished'
    const wanted =
      when.kill === null ? `after ${when.killAfterMs} ms` : `${when.kill.point}, pass ${when.kill.pass}`
    const died = end.place === RANDOM_TIME ? `${RANDOM_TIME} (${wanted})` : wanted
    this.#tally.killed(end.place, `life ${this.#lives}: ${died}${await this.#aftermath()}`)
    return null
  }

  /** What else the kill does. @returns it in words */
  async #aftermath(): Promise<string> {
    const { onlySyncedStays = false } = this.#options
    const isPowerCut = onlySyncedStays || this.#random.below(3) === 0 || this.#record.bytes > RECORD_BYTES_MAX
    const losesState = !onlySyncedStays && this.#random.below(8) === 0
    let said = ''
    if (isPowerCut) {
      const gone = this.#record.cutPower(this.#directory, this.#random, onlySyncedStays)
      this.#tally.powerCuts++
      said += `, power cut (${gone} changes gone)`
    }
    if (losesState) {
      await rm(join(this.#directory, 'state'), { recursive: true, force: true })
      this.#tally.statesLost++
      said += ', state deleted'
    }
    return said
  }

  /** Every crash point in turn, in an order of the seed, and times between. */
  #nextKill(share: number): When {
    const random = this.#random
    const first = this.#first.shift()
    if (first !== undefined) {
      return { kill: first, killAfterMs: null, armAtShare: null, patienceMs: FIRST_PATIENCE_MS }
    }
    const patienceMs = PATIENCE_MS
    const isEarly = random.below(EARLY_ONE_IN) === 0
    if (random.below(4) === 0) {
      const killAfterMs = random.below(isEarly ? EARLY_MS_MAX : RANDOM_MS_MAX)
      return { kill: null, killAfterMs, armAtShare: isEarly ? null : share, patienceMs }
    }
    if (this.#points.length === 0) this.#points = shuffled(CRASH_POINTS, random)
    const point = this.#points.pop()!
    if (ON_OPENING.includes(point))
      return { kill: { point, pass: 1 }, killAfterMs: null, armAtShare: null, patienceMs }
    return {
      kill: { point, pass: isFrequent(point) ? 1 + random.below(3) : 1 },
      killAfterMs: null,
      armAtShare: isEarly ? null : share,
      patienceMs,
    }
  }
}

/** Whether each commit passes it. */
function isFrequent(point: CrashPoint): boolean {
  return /^(?:journal|segments-after|ends|cycle)-/.test(point)
}

function newLife(
  random: Random,
): Omit<Life, keyof When | 'isDefined' | 'record' | 'acknowledges' | 'breakage'> {
  return {
    pipeline: 'fleet',
    seed: random.below(2 ** 31),
    sliceBytes: 2_500 << random.below(5),
    commitIntervalMs: random.below(3) * 5,
    transactionBytesMax: random.below(5) === 0 ? 1 << 24 : 8_000 << random.below(8),
  }
}
