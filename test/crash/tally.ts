import type { Difference } from './compare.ts'

export interface BatteryReport {
  readonly kills: number
  readonly lost: number
  readonly doubled: number
  readonly wrong: number
  /** How many of the kills were power cuts, and after how many the local state was deleted. */
  readonly powerCuts: number
  readonly statesLost: number
  /** How often each place was where a process was killed. */
  readonly places: ReadonlyMap<string, number>
  /** The first difference: of which run, after which kills, and what. */
  readonly first: {
    readonly directory: string
    readonly kills: readonly string[]
    readonly detail: string
  } | null
}

/** Counts what a battery does and finds. */
export class Tally implements BatteryReport {
  kills = 0
  lost = 0
  doubled = 0
  wrong = 0
  powerCuts = 0
  statesLost = 0
  readonly places = new Map<string, number>()
  first: BatteryReport['first'] = null
  #ofRun: string[] = []

  /** @param said  where and how, in words */
  killed(place: string, said: string): void {
    this.kills++
    this.places.set(place, (this.places.get(place) ?? 0) + 1)
    this.#ofRun.push(said)
  }

  /** @returns the kills since the last call */
  endRun(): readonly string[] {
    return this.#ofRun.splice(0)
  }

  add(differences: readonly Difference[], directory: string, kills: readonly string[] = this.endRun()): void {
    for (const { kind } of differences) this[kind]++
    this.first ??= { directory, kills, detail: differences[0]!.detail }
  }
}

export function sumOf(reports: readonly BatteryReport[]): BatteryReport {
  const sum = (of: (report: BatteryReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0)
  const places = new Map<string, number>()
  for (const report of reports) {
    for (const [place, count] of report.places) places.set(place, (places.get(place) ?? 0) + count)
  }
  return {
    kills: sum(({ kills }) => kills),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    wrong: sum(({ wrong }) => wrong),
    powerCuts: sum(({ powerCuts }) => powerCuts),
    statesLost: sum(({ statesLost }) => statesLost),
    places,
    first: reports.find(({ first }) => first !== null)?.first ?? null,
  }
}
