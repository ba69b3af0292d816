import type { Clock, Timer } from '../base/clock.ts'
import type { Batch } from '../engine/batch.ts'
import type { CompileContext } from '../engine/compile/cursor.ts'
import { InputFeed } from '../engine/input-feed.ts'
import { QueryRun } from '../engine/query-run.ts'
import { placeOf } from '../engine/record-place.ts'
import type { QueryProblem } from '../engine/running-query.ts'
import { SharedReader } from '../engine/shared-reader.ts'
import type { Format } from '../formats/format.ts'
import type { Log } from '../log/log.ts'
import type { PushQuery } from '../plan/command.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { RowSink, RowSource, StreamedRow } from './row-stream.ts'
import { TransientTaskStores } from './transient-stores.ts'

export interface PushQueryOptions {
  readonly log: Log
  readonly clock: Clock
  readonly compile: CompileContext
  readonly formatOf: (name: FormatName) => Format | undefined
  /** Where streams start. Tables are always read from the beginning where something joins them. */
  readonly reset: 'earliest' | 'latest'
  readonly compatibility: boolean
  /** Silence of its streams for this long counts as time passing; null: never. */
  readonly idleMs: number | null
  readonly timestampAfterMaxMs: number
  /** Told of samples of what the query could not use. */
  readonly onProblem: (problem: QueryProblem) => void
}

/** How often a query whose streams may fall silent looks at the clock. */
const IDLE_LOOK_MS = 200
/** Read at a time: all rows of a slice are in memory at once, and there may be many push queries. */
const SLICE_BYTES = 128 << 10

/** How many problems a query tells of. */
const PROBLEM_SAMPLES = 100

/**
 * A running SELECT … EMIT CHANGES: a reader, decoder and state of its own, from the moment it is made.
 * Nothing of it is stored; it sees committed records only. Every update is a row.
 */
export class PushQueryRun implements RowSource {
  readonly #log: Log
  readonly #clock: Clock
  readonly #limit: number
  readonly #idleMs: number | null
  /** Positions in the plan's schema of the columns of the SELECT list. */
  readonly #shown: readonly number[]
  readonly #run: QueryRun
  readonly #feed: InputFeed
  readonly #stores: TransientTaskStores[] = []
  /** Taken from their batches at once: a batch's bytes are used again after its step. */
  readonly #results: StreamedRow[] = []
  readonly #onProblem: (problem: QueryProblem) => void
  #problems = 0

  constructor(query: PushQuery, options: PushQueryOptions) {
    const { log, formatOf } = options
    this.#log = log
    this.#clock = options.clock
    this.#limit = query.plan.limit ?? Infinity
    this.#idleMs = options.idleMs
    this.#onProblem = options.onProblem
    const { columns } = query.plan.root.schema
    this.#shown = query.columns.map((name) => columns.findIndex((c) => c.name === name))
    const byPartition = new Map<number, TransientTaskStores>()
    this.#run = new QueryRun(query.plan, {
      compile: options.compile,
      formatOf,
      clock: options.clock,
      cache: false,
      compatibility: options.compatibility,
      partitionsOf: (topic) => log.topic(topic)?.partitions ?? 1,
      stores: (partition) => {
        const stores = byPartition.get(partition) ?? new TransientTaskStores()
        byPartition.set(partition, stores)
        return stores
      },
      onResult: (batch) => this.#collect(batch),
      observer: {
        dropped: (reason, batch, row, detail) =>
          this.#sample({ kind: 'row-dropped', reason, timestampMs: batch.timestamps[row]!, detail }),
        expressionError: (batch, row, error) =>
          this.#sample({
            kind: 'expression-failed',
            place: placeOf(batch, row),
            timestampMs: batch.timestamps[row]!,
            error,
          }),
      },
    })
    this.#stores.push(...byPartition.values())
    this.#feed = new InputFeed(this.#run, log, new SharedReader(log, formatOf, SLICE_BYTES), {
      committed: [],
      reset: options.reset,
      clock: options.clock,
      timestampAfterMaxMs: options.timestampAfterMaxMs,
    })
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
        const worked = (await this.#feed.step()) || (await this.#advanceWhenIdle())
        for (const record of this.#feed.takeUnreadable()) {
          this.#sample({ kind: 'record-unreadable', ...record })
        }
        await this.#run.flush()
        for (const stores of this.#stores) stores.commit()
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

  /** Silence counts as time passing, where the streams say so and there is nothing left to read. */
  async #advanceWhenIdle(): Promise<boolean> {
    const feed = this.#feed
    if (this.#idleMs === null || feed.eventTimeMs < 0 || !feed.atEnd) return false
    return this.#run.advanceIdle(this.#idleMs, (partition) =>
      partition === null ? feed.eventTimeMs : feed.eventTimeOfMs(partition),
    )
  }

  #sample(problem: QueryProblem): void {
    if (this.#problems++ < PROBLEM_SAMPLES) this.#onProblem(problem)
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
