import type { Clock } from '../base/clock.ts'

/** How far ahead of the clock event time may lie unless a query says otherwise: a wrong time zone, not a wrong year. */
export const TIMESTAMP_AFTER_MAX_MS = 24 * 3_600_000

/**
 * The latest event time a query takes from its streams: one producer's wrong clock must not close the windows
 * of all the others. What is recorded of the past is never touched.
 *
 * Invariant: never moves back. The query's own clock may be the one that is wrong, and jump: what was in time
 * before stays in time, and so does what lies close to what was taken before a restart.
 */
export class FutureBound {
  readonly #clock: Clock
  /** Infinity: no bound. */
  readonly #afterMaxMs: number
  #nowMs: number

  /** @param takenMs  event time taken before; −1: none */
  constructor(clock: Clock, afterMaxMs: number, takenMs: number) {
    this.#clock = clock
    this.#afterMaxMs = afterMaxMs
    this.#nowMs = takenMs
  }

  get latestMs(): number {
    this.#nowMs = Math.max(this.#nowMs, this.#clock.nowMs())
    return this.#nowMs + this.#afterMaxMs
  }

  /** Why a record is passed over. */
  reason(eventTimeMs: number): string {
    return (
      `Event time ${eventTimeMs} is ${eventTimeMs - this.#nowMs} ms ahead of the clock; ` +
      `'millrace.timestamp.after.max.ms' allows ${this.#afterMaxMs}.`
    )
  }
}

/**
 * What the settings of a query say.
 *
 * @param compatibility  as in ksqlDB: without a bound, unless the settings have one
 */
export function timestampAfterMaxMs(
  settings: ReadonlyMap<string, string> | undefined,
  compatibility: boolean,
): number {
  const given = settings?.get('millrace.timestamp.after.max.ms')
  if (given === undefined) return compatibility ? Infinity : TIMESTAMP_AFTER_MAX_MS
  return Number(given) < 0 ? Infinity : Number(given)
}
