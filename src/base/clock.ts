/** A pending timer. Cancelling twice, or after it fired, is harmless. */
export interface Timer {
  cancel(): void
}

/** The only way to the wall clock and to timers, so that tests need no sleeping. */
export interface Clock {
  /** Wall clock in epoch milliseconds; may jump in either direction. */
  nowMs(): number
  /** Monotonic milliseconds with fractions, for durations only. */
  monotonicMs(): number
  /** Calls `fire` once, not before `delayMs` have passed. Does not keep the process alive. */
  after(delayMs: number, fire: () => void): Timer
  /** Resolves once everybody else who waits has had a turn: for work that would otherwise keep them out. */
  turn(): Promise<void>
}

/** `setTimeout` takes what is longer for nothing at all. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, fire) {
    let handle: NodeJS.Timeout
    const wait = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, TIMEOUT_MS_MAX)
      handle = setTimeout(() => (stepMs < leftMs ? wait(leftMs - stepMs) : fire()), stepMs)
      handle.unref()
    }
    wait(Math.max(0, delayMs))
    return { cancel: () => clearTimeout(handle) }
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
}

/** A clock that moves only when told to; timers fire inside {@link advanceTo}, in order of their time. */
export class ManualClock implements Clock {
  #nowMs: number
  #jumpedMs = 0
  #timers: { readonly atMs: number; readonly fire: () => void }[] = []

  constructor(startMs = 0) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs + this.#jumpedMs
  }

  /** The wall clock is set: forward, or (negative) back. No time passes. */
  jumpBy(ms: number): void {
    this.#jumpedMs += ms
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, fire: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, fire }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((t) => t !== timer)
      },
    }
  }

  turn(): Promise<void> {
    return systemClock.turn()
  }

  /** Moves the clock to `ms` and fires what became due. */
  advanceTo(ms: number): void {
    const toMs = ms - this.#jumpedMs
    for (;;) {
      const due = this.#timers.filter((t) => t.atMs <= toMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((t) => t !== due)
      this.#nowMs = Math.max(this.#nowMs, due.atMs)
      due.fire()
    }
    this.#nowMs = toMs
  }
}
