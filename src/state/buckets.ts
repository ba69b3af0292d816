/** A bucket of a windowed store: all entries whose time lies in [startMs, startMs + width). */
export interface Bucket {
  readonly startMs: number
}

/** The buckets of a store by their start, made when first needed, dropped from the oldest on. */
export class Buckets<B extends Bucket> {
  readonly widthMs: number
  readonly #make: (startMs: number) => B
  readonly #byStart = new Map<number, B>()
  /** Ascending. */
  #ordered: B[] = []

  constructor(widthMs: number, make: (startMs: number) => B) {
    this.widthMs = Math.max(1, Math.floor(widthMs))
    this.#make = make
  }

  startOf(timeMs: number): number {
    return Math.floor(timeMs / this.widthMs) * this.widthMs
  }

  at(timeMs: number): B | undefined {
    return this.#byStart.get(this.startOf(timeMs))
  }

  ensure(timeMs: number): B {
    const startMs = this.startOf(timeMs)
    let bucket = this.#byStart.get(startMs)
    if (bucket === undefined) {
      bucket = this.#make(startMs)
      this.#byStart.set(startMs, bucket)
      let at = this.#ordered.length
      while (at > 0 && this.#ordered[at - 1]!.startMs > startMs) at--
      this.#ordered.splice(at, 0, bucket)
    }
    return bucket
  }

  /** All buckets, ascending. */
  all(): readonly B[] {
    return this.#ordered
  }

  /** Buckets that may hold times in [fromMs, toMs], ascending. */
  within(fromMs: number, toMs: number): readonly B[] {
    // A range of one bucket is by far the most frequent.
    if (toMs - fromMs < this.widthMs && this.startOf(fromMs) === this.startOf(toMs)) {
      const bucket = this.at(fromMs)
      return bucket === undefined ? [] : [bucket]
    }
    return this.#ordered.filter((b) => b.startMs > fromMs - this.widthMs && b.startMs <= toMs)
  }

  /** Removes and returns the buckets that lie wholly below `belowMs`. */
  dropBelow(belowMs: number): readonly B[] {
    let count = 0
    while (count < this.#ordered.length && this.#ordered[count]!.startMs + this.widthMs <= belowMs) count++
    const dropped = this.#ordered.splice(0, count)
    for (const bucket of dropped) this.#byStart.delete(bucket.startMs)
    return dropped
  }

  clear(): void {
    this.#byStart.clear()
    this.#ordered = []
  }
}

/**
 * Up to which time entries are expired, as the open cycle, the commit under way and committed readers see it.
 *
 * Invariant: committed ≤ flushed ≤ working.
 */
export class Expiry {
  #workingMs = -Infinity
  #flushedMs = -Infinity
  #committedMs = -Infinity

  get workingMs(): number {
    return this.#workingMs
  }

  get committedMs(): number {
    return this.#committedMs
  }

  /** Expiry never moves back. */
  advance(belowMs: number): void {
    if (belowMs > this.#workingMs) this.#workingMs = belowMs
  }

  /** The new expiry if it moved since the last flush, or null. */
  flush(): number | null {
    if (this.#workingMs === this.#flushedMs) return null
    this.#flushedMs = this.#workingMs
    return this.#flushedMs
  }

  committed(): void {
    this.#committedMs = this.#flushedMs
  }

  discard(): void {
    this.#workingMs = this.#committedMs
    this.#flushedMs = this.#committedMs
  }

  restore(belowMs: number): void {
    if (belowMs <= this.#committedMs) return
    this.#committedMs = belowMs
    this.#flushedMs = belowMs
    this.#workingMs = belowMs
  }

  reset(): void {
    this.#workingMs = -Infinity
    this.#flushedMs = -Infinity
    this.#committedMs = -Infinity
  }
}
