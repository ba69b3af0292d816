import { BIGINT } from '../../plan/sql-type.ts'
import type { Row } from '../../plan/sql-value.ts'
import type { KeyValueStore, TaskStores } from '../../state/store.ts'
import { rowCodec } from '../../state/value-codec.ts'
import type { Batch } from '../batch.ts'
import type { Loading } from './loading.ts'

/** Before the first record. */
export const NEVER = -1

const KEY = 't'

/**
 * The times an operator remembers, in one entry of the key-value store `time`: stream time first (the
 * highest event time seen), then what the operator counts on. Epoch ms, {@link NEVER} at first.
 *
 * The store is the only truth: an operator reads its times when a pass starts and writes them when it
 * ends, so that a cycle that fails takes them back with everything else.
 */
export class OperatorTime {
  readonly #store: KeyValueStore<Row>
  readonly #count: number
  #lastSeen: readonly number[] | null = null

  /** @param count how many times, stream time included */
  constructor(stores: TaskStores, count: number) {
    this.#count = count
    this.#store = stores.keyValue('time', rowCodec(Array<typeof BIGINT>(count).fill(BIGINT)))
  }

  load(): Loading {
    const loading = this.#store.load([KEY])
    if (loading !== undefined) return loading.then(() => void this.read())
    this.read()
    return undefined
  }

  /** The times as they were when last loaded, read or written, without asking the store; null: not yet. */
  get lastSeen(): readonly number[] | null {
    return this.#lastSeen
  }

  /** A copy: one entry per time. Must have been loaded. */
  read(): number[] {
    const row = this.#store.get(KEY)
    const times = row === undefined ? Array<number>(this.#count).fill(NEVER) : (row.slice() as number[])
    this.#lastSeen = times.slice()
    return times
  }

  /** Keeps `times` if they differ from what was last read or written; else the store isn't touched, and may be cold. */
  write(times: readonly number[]): void {
    if (this.#lastSeen !== null && this.#lastSeen.every((time, i) => time === times[i])) return
    this.#lastSeen = times.slice()
    this.#store.put(KEY, times.slice())
  }
}

/** The highest event time of a batch's rows, {@link NEVER} if there are none. */
export function lastTimestampMs(batch: Batch): number {
  let lastMs = NEVER
  for (let n = 0; n < batch.size; n++) lastMs = Math.max(lastMs, batch.timestamps[batch.position(n)]!)
  return lastMs
}
