import type { Clock, Timer } from '../base/clock.ts'

/** What a loop waits for: to be woken, now or in a while, or that some time passes. One waits at a time. */
export class WakeUp {
  readonly #clock: Clock
  #wake: (() => void) | null = null
  #isWoken = false
  #later: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): void {
    this.#isWoken = true
    this.#wake?.()
  }

  /** Wakes in `ms`, unless a wake-up is on its way already. */
  in(ms: number): void {
    if (ms <= 0) {
      this.now()
      return
    }
    this.#later ??= this.#clock.after(ms, () => {
      this.#later = null
      this.now()
    })
  }

  /** What woke before is dealt with. */
  forget(): void {
    this.#isWoken = false
  }

  cancel(): void {
    this.#later?.cancel()
  }

  /** Resolves in `ms`, or when woken since {@link forget}. */
  wait(ms: number): Promise<void> {
    if (this.#isWoken) return Promise.resolve()
    return new Promise((resolve) => {
      let timer: Timer | null = null
      const wake = (): void => {
        timer?.cancel()
        this.#wake = null
        resolve()
      }
      this.#wake = wake
      timer = this.#clock.after(ms, wake)
    })
  }
}
