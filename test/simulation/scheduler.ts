import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Random } from '../../src/base/random.ts'

interface Waiting {
  readonly what: string
  readonly run: () => void
}

interface PendingTimer {
  readonly atMs: number
  readonly number: number
  readonly fire: () => void
}

/** Where simulated wall clocks begin. */
export const EPOCH_MS = Date.UTC(2026, 2, 1, 12)

/** A run that does not end: more events than any program needs. */
const EVENTS_MAX = 60_000

/**
 * All that happens by itself in a simulated machine: operations that come to their end and timers that fall
 * due, one after the other, in an order of the seed. Between two of them everything that can go on goes on.
 * Time passes as events do, and jumps to the next timer where nothing else is under way.
 *
 * Once {@link stop} is called nothing happens any more, whoever waits for it: the machine is off.
 */
export class Scheduler implements Clock {
  readonly #random: Random
  readonly #trace: (line: string) => void
  /** Events take their time up to this, in ms. */
  readonly #eventMsMax: number
  /** Out of how many events one comes out of order; 1: no order at all. */
  readonly #orderly: number
  #timeMs: number
  /** Wall clock minus {@link #timeMs}. */
  readonly #wallOffsetMs: number
  #waiting: Waiting[] = []
  #timers: PendingTimer[] = []
  #timerNumber = 0
  #stopped = false
  #events = 0
  /** Called before each event, with its number. */
  onEvent: (number: number) => void = () => undefined

  constructor(options: {
    readonly random: Random
    readonly startMs: number
    readonly wallMs: number
    readonly trace: (line: string) => void
  }) {
    this.#random = options.random
    this.#trace = options.trace
    this.#timeMs = options.startMs
    this.#wallOffsetMs = options.wallMs - options.startMs
    this.#eventMsMax = [0.01, 0.3, 3][this.#random.below(3)]!
    this.#orderly = [1, 1, 4, 20][this.#random.below(4)]!
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  get events(): number {
    return this.#events
  }

  nowMs(): number {
    return Math.floor(this.#timeMs + this.#wallOffsetMs)
  }

  monotonicMs(): number {
    return this.#timeMs
  }

  after(delayMs: number, fire: () => void): Timer {
    const timer = { atMs: this.#timeMs + Math.max(0, delayMs), number: this.#timerNumber++, fire }
    this.#timers.push(timer)
    return {
      cancel: () => {
        const at = this.#timers.indexOf(timer)
        if (at >= 0) this.#timers.splice(at, 1)
      },
    }
  }

  turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ what: 'turn', run: resolve }))
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** An operation on its way: its effect comes now or when it ends, its answer then. */
  perform<T>(what: string, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return
      const attempt = (): (() => void) => {
        try {
          const value = effect()
          return () => resolve(value)
        } catch (error) {
          return () => reject(error as Error)
        }
      }
      if (this.#random.below(2) === 0) {
        const answer = attempt()
        this.#waiting.push({ what, run: answer })
      } else {
        this.#waiting.push({ what, run: () => attempt()() })
      }
    })
  }

  /** The machine is off. */
  stop(): void {
    this.#stopped = true
  }

  /**
   * Lets things happen until `isDone`, or until the machine is off.
   *
   * @throws Error when nothing is left that could happen, or it never ends
   */
  run(isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (this.#stopped || isDone()) {
            resolve()
            return
          }
          this.#next()
        } catch (error) {
          reject(error as Error)
          return
        }
        afterMicrotasks(step)
      }
      afterMicrotasks(step)
    })
  }

  #next(): void {
    if (++this.#events > EVENTS_MAX) throw new Error(`it does not end within ${EVENTS_MAX} events`)
    this.onEvent(this.#events)
    if (this.#stopped) return
    const waiting = this.#waiting
    this.#timeMs += this.#random.next() * this.#eventMsMax
    const timer = this.#earliestTimer()
    const isDue = timer !== null && timer.atMs <= this.#timeMs
    if (waiting.length === 0 || (isDue && this.#random.below(2) === 0)) {
      if (timer === null) throw new Error('nothing is under way any more, and somebody waits')
      this.#timers.splice(this.#timers.indexOf(timer), 1)
      this.#timeMs = Math.max(this.#timeMs, timer.atMs)
      this.#trace('timer')
      timer.fire()
      return
    }
    const at = this.#random.below(this.#orderly) === 0 ? this.#random.below(waiting.length) : 0
    const [next] = waiting.splice(at, 1)
    this.#trace(next!.what)
    next!.run()
  }

  #earliestTimer(): PendingTimer | null {
    let earliest: PendingTimer | null = null
    for (const timer of this.#timers) {
      if (
        earliest === null ||
        timer.atMs < earliest.atMs ||
        (timer.atMs === earliest.atMs && timer.number < earliest.number)
      ) {
        earliest = timer
      }
    }
    return earliest
  }
}

/** Ticks come after all microtasks; one that is made in a microtask after those that follow it. */
function afterMicrotasks(step: () => void): void {
  queueMicrotask(() => process.nextTick(step))
}
