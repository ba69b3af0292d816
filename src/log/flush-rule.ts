import type { Clock } from '../base/clock.ts'
import type { AppendEntry } from './journal-entry.ts'
import type { LogState } from './log-state.ts'
import { numericSetting } from './topic-config.ts'

/**
 * When a log that leaves syncing to the system has to sync all the same: `flush.messages` and `flush.ms` of
 * the topics it wrote to.
 */
export class FlushRule {
  readonly #state: LogState
  readonly #clock: Clock
  /** Records since the last sync, by topic id and partition. */
  #records = new Map<string, number>()
  /** When the first of `flush.ms` runs out. */
  #dueMs = Infinity

  constructor(state: LogState, clock: Clock) {
    this.#state = state
    this.#clock = clock
  }

  /** Takes note of appends that have been written. @returns whether to sync before they are answered */
  written(appends: readonly AppendEntry[]): boolean {
    let due = false
    for (const { topicId, partition, baseOffset, nextOffset } of appends) {
      const config = this.#state.topicById(topicId)?.config ?? {}
      const flushMs = numericSetting(config, 'flush.ms')
      if (flushMs < Number.MAX_SAFE_INTEGER) {
        this.#dueMs = Math.min(this.#dueMs, this.#clock.nowMs() + flushMs)
      }
      const recordsMax = numericSetting(config, 'flush.messages')
      if (recordsMax === Number.MAX_SAFE_INTEGER) continue
      const place = `${topicId}:${partition}`
      const records = (this.#records.get(place) ?? 0) + nextOffset - baseOffset
      this.#records.set(place, records)
      due ||= records >= recordsMax
    }
    return due || this.#dueMs <= this.#clock.nowMs()
  }

  /** How long until something has to be synced though nothing is written; `Infinity`: nothing has. */
  get leftMs(): number {
    return Math.max(0, this.#dueMs - this.#clock.nowMs())
  }

  synced(): void {
    this.#records = new Map()
    this.#dueMs = Infinity
  }
}
