import type { Clock } from '../base/clock.ts'

/**
 * How long nothing has come, by the wall clock, but never for longer than has really passed: a clock that is set
 * forward by a year must not end a year of windows. Set back, it begins anew.
 */
export class Silence {
  readonly #clock: Clock
  #sinceMs: number
  /** The same by the monotonic clock. */
  #sinceMonotonicMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.nowMs()
    this.#sinceMonotonicMs = clock.monotonicMs()
  }

  /** Something came. */
  end(): void {
    this.#sinceMs = this.#clock.nowMs()
    this.#sinceMonotonicMs = this.#clock.monotonicMs()
  }

  /** Whole milliseconds up to now. */
  lastedMs(): number {
    const wallMs = this.#clock.nowMs() - this.#sinceMs
    if (wallMs < 0) this.end()
    return Math.max(0, Math.min(wallMs, Math.floor(this.#clock.monotonicMs() - this.#sinceMonotonicMs)))
  }
}
