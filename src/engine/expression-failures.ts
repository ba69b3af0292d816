import type { Clock } from '../base/clock.ts'
import type { RecordPlace } from '../base/errors.ts'

/** An expression that failed on a row, as it is told of. */
export interface ExpressionFailure {
  /** null: the row was made by a join or an aggregation. */
  readonly place: RecordPlace | null
  readonly timestampMs: number
  readonly message: string
}

interface Reason {
  count: number
  /** How many failures may still be told of, as of `filledAtMs` (monotonic). */
  left: number
  filledAtMs: number
}

/** So many failures of a reason are told of at once, and then one a second. */
export const SAMPLES_AT_ONCE = 100
const SAMPLE_EVERY_MS = 1_000

/** What has more faces than this is counted as {@link OTHER_REASONS}. */
const REASONS_MAX = 50
export const OTHER_REASONS = 'other reasons'

/**
 * Failed expressions of one query: all are counted by reason, and of each reason samples wait for the
 * processing log. A reason is a message without what it quotes: `'…' is not an INTEGER.`
 *
 * Follows the query's cycles: {@link rollBack} takes back what was added since {@link committed}, because the
 * rows come again.
 */
export class ExpressionFailures {
  readonly #clock: Clock
  #reasons = new Map<string, Reason>()
  /** As they were at the end of the cycle whose commit is under way, and of the last that is committed. */
  #taken = new Map<string, Reason>()
  #committed = new Map<string, Reason>()
  #samples: ExpressionFailure[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Of all reasons. */
  get count(): number {
    let sum = 0
    for (const { count } of this.#reasons.values()) sum += count
    return sum
  }

  get byReason(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#reasons].map(([reason, { count }]) => [reason, count]))
  }

  add(place: RecordPlace | null, timestampMs: number, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    const reason = this.#reasonOf(message)
    reason.count++
    if (reason.left < 1 && !this.#refill(reason)) return
    reason.left--
    this.#samples.push({ place, timestampMs, message })
  }

  /** Ends the open cycle: the samples since the last call. */
  takeSamples(): readonly ExpressionFailure[] {
    this.#taken = copyOf(this.#reasons)
    return this.#samples.splice(0)
  }

  /** The cycle that was taken is durable. */
  committed(): void {
    this.#committed = this.#taken
  }

  rollBack(): void {
    this.#reasons = copyOf(this.#committed)
    this.#samples = []
  }

  #reasonOf(message: string): Reason {
    let name = reasonIn(message)
    if (!this.#reasons.has(name) && this.#reasons.size >= REASONS_MAX) name = OTHER_REASONS
    let reason = this.#reasons.get(name)
    if (reason === undefined) {
      reason = { count: 0, left: SAMPLES_AT_ONCE, filledAtMs: this.#clock.monotonicMs() }
      this.#reasons.set(name, reason)
    }
    return reason
  }

  #refill(reason: Reason): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - reason.filledAtMs < SAMPLE_EVERY_MS) return false
    reason.left = 1
    reason.filledAtMs = nowMs
    return true
  }
}

/** Longer messages quote something of the record's. */
const REASON_LENGTH_MAX = 200

function reasonIn(message: string): string {
  const plain = message
    .replace(/'[^']*'/g, "'…'")
    .replace(/(?<![\w…])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w)/g, '…')
  return plain.length > REASON_LENGTH_MAX ? `${plain.slice(0, REASON_LENGTH_MAX)}…` : plain
}

function copyOf(reasons: ReadonlyMap<string, Reason>): Map<string, Reason> {
  return new Map([...reasons].map(([name, reason]) => [name, { ...reason }]))
}
