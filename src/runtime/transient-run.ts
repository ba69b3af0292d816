import type { Clock } from '../base/clock.ts'
import type { Batch } from '../engine/batch.ts'
import type { CompileContext } from '../engine/compile/cursor.ts'
import { InputFeed } from '../engine/input-feed.ts'
import { QueryRun } from '../engine/query-run.ts'
import { placeOf } from '../engine/record-place.ts'
import type { QueryProblem } from '../engine/running-query.ts'
import { SharedReader } from '../engine/shared-reader.ts'
import type { Format } from '../formats/format.ts'
import type { Log } from '../log/log.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { QueryPlan } from '../plan/plan-node.ts'
import { TransientTaskStores } from './transient-stores.ts'

export interface TransientRunOptions {
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

/** Read at a time: all rows of a slice are in memory at once, and there may be many such queries. */
const SLICE_BYTES = 128 << 10

/** How many problems a query tells of. */
const PROBLEM_SAMPLES = 100

/**
 * A query for one reader: a reader of the log, a decoder and state of its own, from the moment it is made.
 * Nothing of it is stored; it sees committed records only. Every update is a row.
 */
export class TransientRun {
  readonly #idleMs: number | null
  readonly #run: QueryRun
  readonly #feed: InputFeed
  readonly #stores: readonly TransientTaskStores[]
  readonly #onProblem: (problem: QueryProblem) => void
  #problems = 0

  /** @param onResult  given each batch of results, whose bytes are used again after the step */
  constructor(plan: QueryPlan, options: TransientRunOptions, onResult: (batch: Batch) => void) {
    const { log, formatOf } = options
    this.#idleMs = options.idleMs
    this.#onProblem = options.onProblem
    const byPartition = new Map<number, TransientTaskStores>()
    this.#run = new QueryRun(plan, {
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
      onResult,
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
    this.#stores = [...byPartition.values()]
    this.#feed = new InputFeed(this.#run, log, new SharedReader(log, formatOf, SLICE_BYTES), {
      committed: [],
      reset: options.reset,
      clock: options.clock,
      timestampAfterMaxMs: options.timestampAfterMaxMs,
    })
  }

  /** One step through the inputs, with all that follows from it; false if there was nothing to do. */
  async step(): Promise<boolean> {
    const worked = (await this.#feed.step()) || (await this.#advanceWhenIdle())
    for (const record of this.#feed.takeUnreadable()) this.#sample({ kind: 'record-unreadable', ...record })
    await this.#run.flush()
    for (const stores of this.#stores) stores.commit()
    return worked
  }

  /** Silence counts as time passing, where the streams say so and there is nothing left to read. */
  async #advanceWhenIdle(): Promise<boolean> {
    const feed = this.#feed
    if (this.#idleMs === null || feed.eventTimeMs < 0 || !feed.atEnd) return false
    return this.#run.advanceIdle(this.#idleMs, (partition) =>
      partition === null ? feed.eventTimeMs : feed.eventTimeOfMs(partition),
    )
  }

  /** Where it is in each partition it reads. */
  positions(): readonly { readonly topic: string; readonly partition: number; readonly offset: number }[] {
    return this.#feed.offsets()
  }

  #sample(problem: QueryProblem): void {
    if (this.#problems++ < PROBLEM_SAMPLES) this.#onProblem(problem)
  }
}
