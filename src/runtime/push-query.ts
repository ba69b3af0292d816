import type { Clock, Timer } from '../base/clock.ts'
import type { Batch } from '../engine/batch.ts'
import type { Log } from '../log/log.ts'
import type { PushQuery } from '../plan/command.ts'
import type { RowSink, RowSource, StreamedRow } from './row-stream.ts'
import { TransientRun, type TransientRunOptions } from './transient-run.ts'

/** How often a query whose streams may fall silent looks at the clock. */
const IDLE_LOOK_MS = 200

/** A running SELECT … EMIT CHANGES. */
export class PushQueryRun implements RowSource {
  readonly #log: Log
  readonly #clock: Clock
  readonly #limit: number
  readonly #idleMs: number | null
  /** Positions in the plan's schema of the columns of the SELECT list. */
  readonly #shown: readonly number[]
  readonly #run: TransientRun
  /** Taken from their batches at once: a batch's bytes are used again after its step. */
  readonly #results: StreamedRow[] = []

  constructor(query: PushQuery, options: TransientRunOptions) {
    this.#log = options.log
    this.#clock = options.clock
    this.#limit = query.plan.limit ?? Infinity
    this.#idleMs = options.idleMs
    const { columns } = query.plan.root.schema
    this.#shown = query.columns.map((name) => columns.findIndex((c) => c.name === name))
    this.#run = new TransientRun(query.plan, options, (batch) => this.#collect(batch))
  }

  async run(sink: RowSink, stopped: AbortSignal): Promise<void> {
    let left = this.#limit
    let wake: (() => void) | null = null
    let moved = false
    const onMove = (): void => {
      moved = true
      wake?.()
    }
    const unsubscribe = this.#log.onEndsMoved(onMove)
    stopped.addEventListener('abort', onMove)
    try {
      while (left > 0 && !stopped.aborted) {
        moved = false
        const worked = await this.#run.step()
        for (const row of this.#results.splice(0)) {
          if (sink.isFull) await sink.ready()
          if (left-- > 0) sink.push(row.values, row.timestampMs, row.isDeletion)
        }
        await sink.ready()
        if (!worked && !moved) {
          let look: Timer | undefined
          await new Promise<void>((resolve) => {
            wake = resolve
            if (this.#idleMs !== null) look = this.#clock.after(IDLE_LOOK_MS, resolve)
          })
          look?.cancel()
          wake = null
        } else if (worked) {
          await this.#clock.turn()
        }
      }
    } finally {
      unsubscribe()
      stopped.removeEventListener('abort', onMove)
    }
  }

  /** Keeps the columns of the SELECT list in its order. */
  #collect(batch: Batch): void {
    const columns = batch.schema.columns.length
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const values = batch.slice(row, 0, columns)
      this.#results.push({
        values: this.#shown.map((i) => values[i]!),
        timestampMs: batch.timestamps[row]!,
        isDeletion: batch.isAbsent(row),
      })
    }
  }
}
