import type { Clock } from '../../base/clock.ts'
import type { RecordHeader } from '../../log/log.ts'
import type { StreamStreamJoinNode } from '../../plan/plan-node.ts'
import { valueColumns, type Schema } from '../../plan/schema.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import type { StoreKey, TaskStores, WindowEntry, WindowStore } from '../../state/store.ts'
import { codecOf, listOf, rowOf } from '../../state/value-codec.ts'
import { BatchBuilder, type Batch } from '../batch.ts'
import type { Operator, OperatorContext } from '../operator.ts'
import { EMIT_ROWS_MAX, placeOf } from './change-output.ts'
import { DueQueue } from './due-queue.ts'
import { afterLoading, allLoaded, type Loading } from './loading.ts'
import { mergedRows } from './merged-rows.ts'
import { lastTimestampMs, NEVER, OperatorTime } from './operator-time.ts'
import { WindowedRowKeys, type RowIdentity } from './row-keys.ts'
import { rowValues } from './row-values.ts'

/** Where no grace is given, rows are remembered for so long. */
const DEFAULT_GRACE_MS = 86_400_000

/**
 * Joins each row with all rows of the other side that have its key and lie within the window: a right
 * row at r matches a left row at l when l − before ≤ r ≤ l + after. The result has the later timestamp.
 * Both sides share one stream time. Rows with a null value are dropped.
 *
 * A row's window is closed once no row that isn't late can match it: its time plus the distance to its
 * latest partner (left: after, right: before) plus grace lies before stream time. Then it is forgotten.
 * A late row still meets what isn't forgotten.
 *
 * A row of an outer side without partner is padded with nulls. Without GRACE PERIOD: at once, and it may
 * be joined later in addition. With it: when its window closes, before what the row that closed it joins
 * with; several in order of time, right side first, then key. Rows without a key have no partner: they
 * are padded at once on an outer side and dropped on the other.
 *
 * With `compatibility`, as ksqlDB: each side forgets by itself, what lies before + after + grace or more
 * behind its own highest timestamp; and a row without partner whose window, grace not counted, lies
 * before stream time is padded at once, although a partner may still come. Before and after of a RIGHT join
 * are counted from the right row. Unmatched rows are looked through at most once per second of the wall
 * clock, so that rows whose windows closed may wait for a later one (not when time moves on by itself).
 *
 * State: stores `left` and `right`, (key, time) → rows; `left-unmatched` and `right-unmatched`, the same
 * for rows to be padded; `time`: stream time, highest time of the left and of the right side, and a lower
 * bound for when the next unmatched row's window closes.
 */
export class StreamStreamJoinOperator implements Operator {
  readonly #context: OperatorContext
  readonly #beforeMs: number
  readonly #afterMs: number
  readonly #graceMs: number
  readonly #sides: readonly [Side, Side]
  readonly #time: OperatorTime
  readonly #builder: BatchBuilder
  readonly #throttle: Throttle | null

  constructor(node: StreamStreamJoinNode, context: OperatorContext) {
    this.#context = context
    // ksqlDB runs a RIGHT join as a LEFT one of the sides exchanged, and forgets to exchange the bounds.
    const exchanged = context.compatibility && node.join === 'RIGHT'
    this.#beforeMs = exchanged ? node.afterMs : node.beforeMs
    this.#afterMs = exchanged ? node.beforeMs : node.afterMs
    this.#graceMs = node.graceMs ?? DEFAULT_GRACE_MS
    const waits = node.graceMs !== null
    // The end of a time window isn't in its key: both sides' rows get the size of the left's.
    const windowed = node.left.windowed
    this.#sides = [
      new Side(context.stores, 'left', node.left.schema, {
        keys: new WindowedRowKeys(node.left.schema, windowed),
        outer: node.join === 'LEFT' || node.join === 'FULL',
        waits,
        reachBackMs: this.#beforeMs,
        reachOnMs: this.#afterMs,
      }),
      new Side(context.stores, 'right', node.right.schema, {
        keys: new WindowedRowKeys(node.right.schema, windowed),
        outer: node.join === 'RIGHT' || node.join === 'FULL',
        waits,
        reachBackMs: this.#afterMs,
        reachOnMs: this.#beforeMs,
      }),
    ]
    this.#time = new OperatorTime(context.stores, 4)
    this.#throttle = context.compatibility ? new Throttle(context.clock, this.#afterMs + this.#graceMs) : null
    this.#builder = new BatchBuilder(node.schema)
  }

  prepare(input: number, batch: Batch): Promise<void> | undefined {
    const side = this.#sides[input]!
    const other = this.#sides[1 - input]!
    let firstMs = Infinity
    let lastMs = -Infinity
    for (let n = 0; n < batch.size; n++) {
      const timestampMs = batch.timestamps[batch.position(n)]!
      firstMs = Math.min(firstMs, timestampMs)
      lastMs = Math.max(lastMs, timestampMs)
    }
    const keys = side.keys.of(batch)
    return afterLoading(this.#time.load(), () =>
      allLoaded(
        side.load(keys, firstMs, lastMs),
        other.load(keys, firstMs - side.reachBackMs, lastMs + side.reachOnMs),
        this.#loadClosing(lastMs),
      ),
    )
  }

  process(input: number, batch: Batch): void {
    const time = this.#time.read()
    this.#startPass(lastTimestampMs(batch), time)
    for (let n = 0; n < batch.size; n++) this.#processRow(input, batch, batch.position(n), time)
    this.#endOfPass(time)
  }

  processMerged(batches: readonly (Batch | null)[]): void {
    const time = this.#time.read()
    this.#startPass(
      Math.max(...batches.map((batch) => (batch === null ? NEVER : lastTimestampMs(batch)))),
      time,
    )
    for (const { input, batch, row } of mergedRows(batches)) this.#processRow(input, batch, row, time)
    this.#endOfPass(time)
  }

  flush(): void {}

  async advance(streamTimeMs: number): Promise<void> {
    await afterLoading(this.#time.load(), () => this.#loadClosing(streamTimeMs))
    const time = this.#time.read()
    if (time[0] === NEVER || streamTimeMs <= time[0]!) return
    this.#startPass(streamTimeMs, time)
    time[0] = streamTimeMs
    this.#emitClosed(streamTimeMs, time, [])
    if (time[3] !== NEVER) {
      // The next timer is to be exact: find the row whose window closes next.
      time[3] = NEVER
      for (const side of this.#sides) {
        await side.loadUnmatched(this.#oldestOpenMs(time[0]), time[0])
        const [first] = side.unmatchedBetween(this.#oldestOpenMs(time[0]), time[0])
        if (first !== undefined) this.#noteTimer(side, first.startMs, time)
      }
    }
    this.#endOfPass(time)
  }

  /**
   * When the window of the next unmatched row closes; perhaps earlier, exactly after an `advance`. 0
   * while the times aren't loaded: then an `advance` to any time loads them.
   */
  nextTimerMs(): number | null {
    if (!this.#sides.some((side) => side.waits)) return null
    const time = this.#time.lastSeen
    if (time === null) return 0
    const nextMs = time[3]!
    return nextMs === NEVER ? null : Math.max(nextMs, time[0]! + 1)
  }

  #processRow(input: number, batch: Batch, row: number, time: number[]): void {
    if (batch.isAbsent(row)) {
      this.#context.drop('null-value', batch, row)
      return
    }
    const side = this.#sides[input]!
    const timestampMs = batch.timestamps[row]!
    const headers = batch.headersOf(row)
    const key = side.keys.at(batch, row)
    const values = rowValues(batch, row, side.keys.columns, batch.schema.columns.length)
    if (key === null) {
      if (side.outer) this.#emitPadded(side, side.identity(batch, row), values, timestampMs, headers)
      else this.#context.drop('null-key', batch, row)
      return
    }
    if (timestampMs > time[0]!) this.#moveTime(timestampMs, time, headers)
    if (timestampMs > time[1 + input]!) time[1 + input] = timestampMs

    const kept = timestampMs >= this.#rememberedFromMs(input, time)
    if (kept) side.remember(key, timestampMs, values)
    const matched = this.#emitMatches(input, { key, timestampMs, values, headers }, time)
    if (matched) return
    if (!side.outer) {
      if (!kept) this.#context.drop('late', batch, row)
      return
    }
    if (side.waits && this.#mayStillMatch(side, timestampMs, time)) {
      side.addUnmatched(key, timestampMs, values)
      this.#throttle?.noteUnmatched(timestampMs)
      this.#noteTimer(side, timestampMs, time)
    } else this.#emitPadded(side, side.keys.place(key), values, timestampMs, headers)
  }

  #emitMatches(input: number, arrived: ArrivedRow, time: readonly number[]): boolean {
    const side = this.#sides[input]!
    const other = this.#sides[1 - input]!
    const { key, timestampMs, values, headers } = arrived
    const fromMs = Math.max(0, timestampMs - side.reachBackMs, this.#rememberedFromMs(1 - input, time))
    let matched = false
    for (const entry of other.remembered(key, fromMs, timestampMs + side.reachOnMs)) {
      matched = true
      other.removeUnmatched(key, entry.startMs)
      for (const partner of entry.value) {
        this.#builder.add({
          ...placeOf(side.keys.place(key)),
          value: input === 0 ? [...values, ...partner] : [...partner, ...values],
          timestampMs: Math.max(timestampMs, entry.startMs),
          headers,
        })
      }
      this.#takeIfFull()
    }
    return matched
  }

  /** Times of a side from which rows are still known. */
  #rememberedFromMs(input: number, time: readonly number[]): number {
    if (this.#context.compatibility) {
      return time[1 + input]! - (this.#beforeMs + this.#afterMs + this.#graceMs) + 1
    }
    return time[0]! - this.#sides[input]!.reachOnMs - this.#graceMs
  }

  #mayStillMatch(side: Side, timestampMs: number, time: readonly number[]): boolean {
    const graceMs = this.#context.compatibility ? 0 : this.#graceMs
    return timestampMs + side.reachOnMs + graceMs >= time[0]!
  }

  #noteTimer(side: Side, timestampMs: number, time: number[]): void {
    const closesMs = timestampMs + side.reachOnMs + this.#graceMs + 1
    if (time[3] === NEVER || closesMs < time[3]!) time[3] = closesMs
  }

  /** No unmatched row lies before this. */
  #oldestOpenMs(streamTimeMs: number): number {
    if (this.#throttle !== null) return 0
    return Math.max(0, streamTimeMs - this.#graceMs - Math.max(this.#beforeMs, this.#afterMs))
  }

  #loadClosing(streamTimeMs: number): Loading {
    const time = this.#time.read()
    const fromMs = this.#oldestOpenMs(time[0]!)
    return allLoaded(
      ...this.#sides.map((side) => {
        const toMs = Math.max(streamTimeMs, time[0]!) - this.#graceMs - side.reachOnMs - 1
        return toMs < fromMs ? undefined : side.loadUnmatched(fromMs, toMs)
      }),
    )
  }

  /** Lines up the unmatched rows whose windows may close in a pass that ends at `lastMs`. */
  #startPass(lastMs: number, time: readonly number[]): void {
    if (time[3] !== NEVER) this.#throttle?.noteStored()
    for (const side of this.#sides) {
      const toMs = lastMs - this.#graceMs - side.reachOnMs - 1
      const mayClose = time[3] !== NEVER && time[3]! <= lastMs
      side.lineUp(mayClose ? this.#oldestOpenMs(time[0]!) : toMs + 1, toMs)
    }
  }

  /** Moves stream time on and pads the rows whose window that closes. */
  #moveTime(streamTimeMs: number, time: number[], headers: readonly RecordHeader[]): void {
    time[0] = streamTimeMs
    if (this.#throttle === null || this.#throttle.passes(streamTimeMs)) {
      this.#emitClosed(streamTimeMs, time, headers)
    }
  }

  #emitClosed(streamTimeMs: number, time: number[], headers: readonly RecordHeader[]): void {
    if (time[3] === NEVER || time[3]! > streamTimeMs) return
    const [left, right] = this.#sides
    const lefts = left.takeClosed(streamTimeMs - this.#graceMs - left.reachOnMs - 1)
    const rights = right.takeClosed(streamTimeMs - this.#graceMs - right.reachOnMs - 1)
    for (let l = 0, r = 0; l < lefts.length || r < rights.length;) {
      const takeRight = l === lefts.length || (r < rights.length && rights[r]!.startMs <= lefts[l]!.startMs)
      const side = takeRight ? right : left
      const entry = takeRight ? rights[r++]! : lefts[l++]!
      for (const values of entry.value) {
        this.#emitPadded(side, side.keys.place(entry.key), values, entry.startMs, headers)
      }
    }
    time[3] = streamTimeMs + 1
  }

  #emitPadded(
    side: Side,
    identity: RowIdentity,
    values: Row,
    timestampMs: number,
    headers: readonly RecordHeader[],
  ): void {
    const isLeft = side === this.#sides[0]
    const padding = this.#sides[isLeft ? 1 : 0].padding
    this.#builder.add({
      ...placeOf(identity),
      value: isLeft ? [...values, ...padding] : [...padding, ...values],
      timestampMs,
      headers,
    })
    this.#takeIfFull()
  }

  #endOfPass(time: number[]): void {
    this.#take()
    this.#time.write(time)
    this.#sides.forEach((side, input) => side.forget(this.#rememberedFromMs(input, time)))
  }

  #takeIfFull(): void {
    if (this.#builder.size >= EMIT_ROWS_MAX) this.#take()
  }

  #take(): void {
    const batch = this.#builder.take()
    if (batch !== null) this.#context.emit(batch)
  }
}

/**
 * When ksqlDB looks for unmatched rows whose windows closed: when the oldest of them may be one, and a
 * second of wall clock has passed since it last looked.
 */
class Throttle {
  readonly #clock: Clock
  readonly #waitMs: number
  #nextMs = -Infinity
  #oldestMs = Infinity
  #started = false

  /** @param waitMs  from a row's time to when its window closes */
  constructor(clock: Clock, waitMs: number) {
    this.#clock = clock
    this.#waitMs = waitMs
  }

  /** Matched rows go on being counted as the oldest until the next look. */
  noteUnmatched(timestampMs: number): void {
    this.#started = true
    this.#oldestMs = Math.min(this.#oldestMs, timestampMs)
  }

  /** Unmatched rows of an earlier run may be in the store. */
  noteStored(): void {
    if (this.#started) return
    this.#started = true
    this.#oldestMs = -Infinity
  }

  passes(streamTimeMs: number): boolean {
    if (this.#oldestMs + this.#waitMs >= streamTimeMs) return false
    const nowMs = this.#clock.nowMs()
    if (nowMs < this.#nextMs) return false
    this.#nextMs = nowMs + 1000
    // What is left behind isn't known: look again when the second is over.
    this.#oldestMs = -Infinity
    return true
  }
}

interface ArrivedRow {
  readonly key: StoreKey
  readonly timestampMs: number
  readonly values: Row
  readonly headers: readonly RecordHeader[]
}

/** Several rows of one key may have one time. */
type RowsOfInstant = readonly Row[]

interface SideOptions {
  readonly keys: WindowedRowKeys
  readonly outer: boolean
  /** Whether unmatched rows wait for their window to close. */
  readonly waits: boolean
  readonly reachBackMs: number
  readonly reachOnMs: number
}

/** One side's rows: those that may still be joined, and those of them that are to be padded. */
class Side {
  readonly keys: WindowedRowKeys
  readonly outer: boolean
  readonly waits: boolean
  /** Partners lie at most so long before … */
  readonly reachBackMs: number
  /** … and so long after a row. */
  readonly reachOnMs: number
  /** In place of this side's value columns. */
  readonly padding: readonly SqlValue[]
  readonly #rows: WindowStore<RowsOfInstant>
  readonly #unmatched: WindowStore<RowsOfInstant> | null
  readonly #closing = new DueQueue<WindowEntry<RowsOfInstant>>()
  #closingToMs = NEVER

  constructor(stores: TaskStores, name: string, schema: Schema, options: SideOptions) {
    this.keys = options.keys
    this.outer = options.outer
    this.waits = options.outer && options.waits
    this.reachBackMs = options.reachBackMs
    this.reachOnMs = options.reachOnMs
    const types = valueColumns(schema).map((column) => column.type)
    this.padding = types.map(() => null)
    const codec = codecOf(listOf(rowOf(types)))
    const bucketMs = Math.max(options.reachBackMs + options.reachOnMs, 1)
    this.#rows = stores.window(name, codec, { bucketMs })
    this.#unmatched = this.waits ? stores.window(`${name}-unmatched`, codec, { bucketMs }) : null
  }

  load(keys: ReadonlySet<StoreKey>, fromMs: number, toMs: number): Loading {
    if (keys.size === 0) return undefined
    return allLoaded(
      this.#rows.load(keys, Math.max(0, fromMs), toMs),
      this.#unmatched?.load(keys, Math.max(0, fromMs), toMs),
    )
  }

  remember(key: StoreKey, timestampMs: number, values: Row): void {
    this.#rows.put(key, timestampMs, [...(this.#rows.get(key, timestampMs) ?? []), values])
  }

  remembered(key: StoreKey, fromMs: number, toMs: number): Iterable<WindowEntry<RowsOfInstant>> {
    return fromMs > toMs ? [] : this.#rows.fetch(key, fromMs, toMs)
  }

  forget(belowMs: number): void {
    if (belowMs > 0) this.#rows.expire(belowMs)
  }

  loadUnmatched(fromMs: number, toMs: number): Loading {
    return this.#unmatched?.loadStarts(fromMs, toMs)
  }

  addUnmatched(key: StoreKey, timestampMs: number, values: Row): void {
    const value = [...(this.#unmatched!.get(key, timestampMs) ?? []), values]
    this.#unmatched!.put(key, timestampMs, value)
    if (timestampMs <= this.#closingToMs) {
      this.#closing.add(timestampMs, key, { key, startMs: timestampMs, value })
    }
  }

  removeUnmatched(key: StoreKey, timestampMs: number): void {
    if (this.#unmatched === null) return
    this.#unmatched.remove(key, timestampMs)
    if (timestampMs <= this.#closingToMs) this.#closing.remove(timestampMs, key)
  }

  /** For one pass: keeps at hand the unmatched rows of [fromMs, toMs], and those up to `toMs` still to come. */
  lineUp(fromMs: number, toMs: number): void {
    this.#closing.clear()
    this.#closingToMs = toMs
    for (const entry of this.unmatchedBetween(fromMs, toMs)) {
      this.#closing.add(entry.startMs, entry.key, entry)
    }
  }

  /** Takes out the unmatched rows up to `toMs`, by time and then key. */
  takeClosed(toMs: number): readonly WindowEntry<RowsOfInstant>[] {
    const closed = this.#closing.take(toMs)
    for (const entry of closed) this.#unmatched!.remove(entry.key, entry.startMs)
    return closed
  }

  unmatchedBetween(fromMs: number, toMs: number): Iterable<WindowEntry<RowsOfInstant>> {
    return this.#unmatched === null || fromMs > toMs ? [] : this.#unmatched.starts(fromMs, toMs)
  }

  identity(batch: Batch, row: number): RowIdentity {
    const key = rowValues(batch, row, 0, this.keys.columns)
    return batch.windows === null
      ? { key }
      : { key, windowStartMs: batch.windows.starts[row]!, windowEndMs: batch.windows.ends[row]! }
  }
}
