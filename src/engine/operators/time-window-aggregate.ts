import { assert } from '../../base/assert.ts'
import type { AggregateNode } from '../../plan/plan-node.ts'
import type { Schema } from '../../plan/schema.ts'
import type { Row } from '../../plan/sql-value.ts'
import type { WindowStore } from '../../state/store.ts'
import { rowCodec } from '../../state/value-codec.ts'
import { BatchBuilder, type Batch } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { committedBatches, committedWindows } from './committed-rows.ts'
import { AggregateFunctions, compileArguments, type GroupState } from './aggregate-functions.ts'
import { ChangeOutput, EMIT_ROWS_MAX } from './change-output.ts'
import { afterLoading, allLoaded, type Loading } from './loading.ts'
import { NEVER, OperatorTime } from './operator-time.ts'
import { RowKeys } from './row-keys.ts'
import {
  advanceOf,
  firstWindowStart,
  isClosed,
  newestClosedStart,
  type TimeWindowSpec,
} from './time-window.ts'

/**
 * GROUP BY over a stream with tumbling or hopping windows.
 *
 * A row belongs to every window that holds its event time and isn't closed: a window closes when stream
 * time, which the row itself moves on, reaches its end plus grace. A row all of whose windows are closed
 * is late and dropped. A result's timestamp is the highest event time of the window's rows.
 *
 * EMIT CHANGES: every change goes out, windows of a row in order of start. EMIT FINAL: when windows
 * close, one row for each, in order of start and then key, after the row that closed them was added;
 * every window that held a row is emitted exactly once. With `compatibility`, windows that start before
 * *(newest start) − retention* are forgotten before they are looked for, as ksqlDB does.
 *
 * State: store `windows`, (group key, window start) → {@link GroupState}; store `time`: stream time, start
 * of the newest window emitted, newest window start written.
 */
export class TimeWindowAggregateOperator implements Operator {
  readonly #context: OperatorContext
  readonly #window: TimeWindowSpec
  readonly #final: boolean
  readonly #schema: Schema
  readonly #keys: RowKeys
  readonly #functions: AggregateFunctions
  readonly #arguments: ReturnType<typeof compileArguments>
  readonly #windows: WindowStore<GroupState>
  readonly #time: OperatorTime
  readonly #output: ChangeOutput
  readonly #finals: BatchBuilder

  constructor(node: AggregateNode, context: OperatorContext) {
    assert(node.window !== null && node.window.type !== 'SESSION', 'the aggregation has time windows')
    this.#context = context
    this.#schema = node.schema
    this.#window = node.window
    this.#final = node.emit === 'final'
    this.#keys = new RowKeys(node.schema)
    const functions = new AggregateFunctions(node.aggregates, context)
    this.#functions = functions
    this.#arguments = compileArguments(node.aggregates, context, node.input.schema)
    this.#windows = context.stores.window('windows', rowCodec(functions.stateTypes), {
      bucketMs: node.window.sizeMs,
    })
    this.#time = new OperatorTime(context.stores, 3)
    this.#output = new ChangeOutput(context, {
      schema: node.schema,
      identify: (key) => ({ key: this.#keys.values(key) }),
      present: (group) => functions.results(group),
    })
    this.#finals = new BatchBuilder(node.schema)
  }

  prepare(_input: number, batch: Batch): Promise<void> | undefined {
    if (batch.size === 0) return this.#time.load()
    const keys = new Set<string>()
    let firstMs = Infinity
    let lastMs = -Infinity
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const key = this.#keys.at(batch, row)
      if (key === null || batch.isAbsent(row)) continue
      keys.add(key)
      const timestampMs = batch.timestamps[row]!
      if (timestampMs < firstMs) firstMs = timestampMs
      if (timestampMs > lastMs) lastMs = timestampMs
    }
    return afterLoading(this.#time.load(), () => {
      if (keys.size === 0) return undefined
      return allLoaded(
        this.#windows.load(keys, firstWindowStart(this.#window, firstMs), lastMs),
        this.#loadClosing(lastMs),
      )
    })
  }

  process(_input: number, batch: Batch): void {
    const time = this.#time.read()
    for (let n = 0; n < batch.size; n++) this.#processRow(batch, batch.position(n), time)
    this.#endOfPass(time)
  }

  flush(): void {
    this.#output.flush()
  }

  async advance(streamTimeMs: number): Promise<void> {
    await afterLoading(this.#time.load(), () => this.#loadClosing(streamTimeMs))
    const time = this.#time.read()
    if (time[0] === NEVER || streamTimeMs <= time[0]!) return
    time[0] = streamTimeMs
    this.#emitClosed(time, null)
    this.#endOfPass(time)
  }

  /**
   * Of EMIT FINAL: when the next window that may hold rows closes. 0 while the times aren't loaded: then an
   * `advance` to any time loads them.
   */
  nextTimerMs(): number | null {
    if (!this.#final) return null
    const time = this.#time.lastSeen
    if (time === null) return 0
    const [streamTimeMs, emittedStartMs, newestStartMs] = time
    const advanceMs = advanceOf(this.#window)
    const start = Math.max(newestClosedStart(this.#window, streamTimeMs!), emittedStartMs!)
    const nextStartMs = start < 0 ? 0 : Math.floor(start / advanceMs) * advanceMs + advanceMs
    if (newestStartMs === NEVER || nextStartMs > newestStartMs!) return null
    return nextStartMs + this.#window.sizeMs + this.#window.graceMs
  }

  readCommitted(range: ReadRange): AsyncIterable<Batch> {
    const rows = committedWindows(this.#windows, this.#window.sizeMs, range)
    return committedBatches(this.#schema, rows, (row) => ({
      key: this.#keys.values(row.key),
      windowStartMs: row.windowStartMs!,
      windowEndMs: row.windowEndMs!,
      timestampMs: row.value[0] as number,
      value: this.#functions.results(row.value),
    }))
  }

  #processRow(batch: Batch, row: number, time: number[]): void {
    const key = this.#keys.at(batch, row)
    if (key === null) {
      this.#context.drop('null-key', batch, row)
      return
    }
    if (batch.isAbsent(row)) {
      this.#context.drop('null-value', batch, row)
      return
    }
    const timestampMs = batch.timestamps[row]!
    const moved = timestampMs > time[0]!
    if (moved) time[0] = timestampMs
    const { sizeMs } = this.#window
    const advanceMs = advanceOf(this.#window)
    let args: readonly Row[] | null = null
    for (
      let startMs = firstWindowStart(this.#window, timestampMs);
      startMs <= timestampMs;
      startMs += advanceMs
    ) {
      if (isClosed(this.#window, startMs, time[0]!)) continue
      args ??= this.#arguments(batch, row)
      const before = this.#windows.get(key, startMs)
      const after = this.#functions.add(before, timestampMs, args, batch, row)
      this.#windows.put(key, startMs, after)
      if (startMs > time[2]!) time[2] = startMs
      if (this.#final) continue
      this.#output.add({
        key,
        windowStartMs: startMs,
        windowEndMs: startMs + sizeMs,
        timestampMs: after[0] as number,
        value: after,
        old: before ?? null,
        headers: batch.headersOf(row),
      })
    }
    if (args === null) this.#context.drop('late', batch, row)
    if (moved) this.#emitClosed(time, { batch, row })
  }

  #loadClosing(streamTimeMs: number): Loading {
    if (!this.#final) return undefined
    const time = this.#time.read()
    const toMs = newestClosedStart(this.#window, Math.max(streamTimeMs, time[0]!))
    if (toMs <= time[1]!) return undefined
    return this.#windows.loadStarts(time[1]! + 1, toMs)
  }

  /** Emits what is closed and wasn't emitted yet. `cause`: the row that moved stream time. */
  #emitClosed(time: number[], cause: { readonly batch: Batch; readonly row: number } | null): void {
    if (!this.#final) return
    const toMs = newestClosedStart(this.#window, time[0]!)
    if (toMs <= time[1]!) return
    const keptFromMs = this.#context.compatibility ? time[2]! - this.#window.retentionMs : NEVER
    for (const entry of this.#windows.starts(time[1]! + 1, toMs)) {
      if (entry.startMs < keptFromMs) {
        if (cause !== null) {
          this.#context.drop('expired', cause.batch, cause.row, `window ${entry.startMs} was never emitted`)
        }
        continue
      }
      this.#finals.add({
        key: this.#keys.values(entry.key),
        windowStartMs: entry.startMs,
        windowEndMs: entry.startMs + this.#window.sizeMs,
        timestampMs: entry.value[0] as number,
        value: this.#functions.results(entry.value),
        old: null,
      })
      if (this.#finals.size >= EMIT_ROWS_MAX) this.#takeFinals()
    }
    time[1] = toMs
  }

  #endOfPass(time: number[]): void {
    this.#takeFinals()
    this.#output.endOfBatch()
    this.#time.write(time)
    if (time[0]! > this.#window.retentionMs) this.#windows.expire(time[0]! - this.#window.retentionMs)
  }

  #takeFinals(): void {
    const batch = this.#finals.take()
    if (batch !== null) this.#context.emit(batch)
  }
}
