import { Observable } from '../base/rx.ts'
import type { Schema } from '../plan/schema.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'
import { rowObject, type RowObject } from './row-object.ts'

/** What feeds a {@link RowStream}. */
export interface RowSource {
  /**
   * Starts reading; awaits {@link RowSink.ready} between slices, so that a slow consumer pauses this
   * reader and nobody else. Resolves when there is no more, rejects when it fails.
   */
  run(sink: RowSink, stopped: AbortSignal): Promise<void>
}

export interface RowSink {
  /** @param isDeletion  the row of that key is gone (tables); the value columns are then null */
  push(row: Row, timestampMs: number, isDeletion: boolean): void
  /** Whether the queue has no more room: then {@link ready} is to be awaited. */
  readonly isFull: boolean
  /** Resolves when the queue has room again. */
  ready(): Promise<void>
}

/** A row of a push query with what isn't a column. */
export interface StreamedRow {
  /** One value per column of the schema. */
  readonly values: Row
  readonly timestampMs: number
  /** A table's row of that key is gone. */
  readonly isDeletion: boolean
}

/**
 * The rows of a running query: an async iterable of row objects, and an RxJS `Observable` of the same.
 * For one consumer: take either. The query starts with the first consumer and ends when that one leaves
 * (`break`, `unsubscribe`), at its LIMIT, or with {@link close}.
 *
 * Rows wait in a queue bounded in bytes; when it is full, this query's own reader pauses.
 */
export class RowStream<T = RowObject> implements AsyncIterable<T> {
  readonly schema: Schema
  readonly queryId: string
  readonly #source: RowSource
  readonly #queueBytesMax: () => number
  readonly #stop = new AbortController()
  /** Rows that came since the consumer last ran out, in order. */
  #queue: StreamedRow[] = []
  /** Older ones, the next to be taken last: taking from the front of a long array moves all the others. */
  #outgoing: StreamedRow[] = []
  readonly #onClose: () => void
  #queueBytes = 0
  #state: 'new' | 'running' | 'ended' = 'new'
  #failure: { readonly error: unknown } | null = null
  #wakeConsumer: (() => void) | null = null
  #wakeReader: (() => void) | null = null
  #done: Promise<void> = Promise.resolve()

  constructor(options: {
    readonly schema: Schema
    readonly queryId: string
    readonly source: RowSource
    /** Asked whenever the queue might be full. */
    readonly queueBytesMax?: () => number
    /** Called once, when the query has ended for whatever reason. */
    readonly onClose?: () => void
  }) {
    this.schema = options.schema
    this.queryId = options.queryId
    this.#source = options.source
    this.#queueBytesMax = options.queueBytesMax ?? (() => 4 * 1024 * 1024)
    this.#onClose = options.onClose ?? (() => {})
  }

  /** About what the rows that wait for the consumer hold. */
  get queuedBytes(): number {
    return this.#queueBytes
  }

  /** The rows as an Observable; subscribing consumes. */
  get observable(): Observable<T> {
    return new Observable<T>((subscriber) => {
      const deliver = async (): Promise<void> => {
        try {
          for await (const row of this) {
            if (subscriber.closed) return
            subscriber.next(row)
          }
          subscriber.complete()
        } catch (error) {
          subscriber.error(error)
        }
      }
      void deliver()
      return () => void this.close()
    })
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    const rows = this.rows()[Symbol.asyncIterator]()
    return {
      next: async () => {
        const step = await rows.next()
        if (step.done === true) return { done: true, value: undefined }
        return { done: false, value: rowObject(this.schema, step.value.values) as T }
      },
      return: async () => {
        await this.close()
        return { done: true, value: undefined }
      },
    }
  }

  /** The rows with timestamps and deletions. Consumes, as iterating does. */
  async *rows(): AsyncIterable<StreamedRow> {
    this.#start()
    try {
      for (;;) {
        const row = this.#take()
        if (row !== undefined) {
          this.#queueBytes -= estimatedBytes(row)
          if (this.#queueBytes < this.#queueBytesMax()) this.#wake('reader')
          yield row
        } else if (this.#failure !== null) {
          throw this.#failure.error
        } else if (this.#state === 'ended') {
          return
        } else {
          await new Promise<void>((resolve) => (this.#wakeConsumer = resolve))
        }
      }
    } finally {
      await this.close()
    }
  }

  /** Ends the query. Resolves when its reader has stopped; closing twice is harmless. */
  async close(): Promise<void> {
    if (this.#state === 'new') {
      this.#state = 'ended'
      this.#onClose()
    }
    this.#stop.abort()
    this.#wake('reader')
    this.#wake('consumer')
    await this.#done
  }

  #take(): StreamedRow | undefined {
    if (this.#outgoing.length === 0) {
      this.#outgoing = this.#queue.reverse()
      this.#queue = []
    }
    return this.#outgoing.pop()
  }

  #start(): void {
    if (this.#state !== 'new') {
      throw new TypeError(
        `The rows of query ${this.queryId} are consumed already; a row stream is for one consumer.`,
      )
    }
    this.#state = 'running'
    const isFull = (): boolean => this.#queueBytes >= this.#queueBytesMax() && !this.#stop.signal.aborted
    const sink: RowSink = {
      get isFull() {
        return isFull()
      },
      push: (values, timestampMs, isDeletion) => {
        if (this.#stop.signal.aborted) return
        const row = { values, timestampMs, isDeletion }
        this.#queue.push(row)
        this.#queueBytes += estimatedBytes(row)
        this.#wake('consumer')
      },
      ready: async () => {
        while (isFull()) {
          await new Promise<void>((resolve) => (this.#wakeReader = resolve))
        }
      },
    }
    const run = async (): Promise<void> => {
      try {
        await this.#source.run(sink, this.#stop.signal)
      } catch (error) {
        this.#failure = { error }
      } finally {
        this.#state = 'ended'
        this.#onClose()
        this.#wake('consumer')
      }
    }
    this.#done = run()
  }

  #wake(whom: 'consumer' | 'reader'): void {
    if (whom === 'consumer') {
      const wake = this.#wakeConsumer
      this.#wakeConsumer = null
      wake?.()
    } else {
      const wake = this.#wakeReader
      this.#wakeReader = null
      wake?.()
    }
  }
}

/** About what a row holds of the heap; only its order of magnitude matters. */
function estimatedBytes(row: StreamedRow): number {
  let bytes = 48
  for (const value of row.values) bytes += bytesOf(value)
  return bytes
}

function bytesOf(value: SqlValue): number {
  if (typeof value === 'string') return 24 + value.length
  if (value instanceof Uint8Array) return 64 + value.length
  if (Array.isArray(value)) {
    let bytes = 32
    for (const item of value as readonly SqlValue[]) bytes += bytesOf(item)
    return bytes
  }
  if (value instanceof Map) {
    let bytes = 64
    for (const [k, v] of value as ReadonlyMap<SqlValue, SqlValue>) bytes += 32 + bytesOf(k) + bytesOf(v)
    return bytes
  }
  return 16
}
