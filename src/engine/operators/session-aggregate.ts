import { assert } from '../../base/assert.ts'
import type { AggregateNode, WindowSpec } from '../../plan/plan-node.ts'
import type { Schema } from '../../plan/schema.ts'
import type { SessionEntry, SessionStore, StoreKey } from '../../state/store.ts'
import { encodeWhole, escapeBinary } from '../../state/key-codec.ts'
import { rowCodec } from '../../state/value-codec.ts'
import { BatchBuilder, type Batch } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { committedBatches, committedSessions } from './committed-rows.ts'
import { AggregateFunctions, compileArguments, type GroupState } from './aggregate-functions.ts'
import { ChangeOutput, EMIT_ROWS_MAX } from './change-output.ts'
import { DueQueue } from './due-queue.ts'
import { afterLoading, allLoaded, type Loading } from './loading.ts'
import { lastTimestampMs, NEVER, OperatorTime } from './operator-time.ts'
import { RowKeys } from './row-keys.ts'

/**
 * GROUP BY over a stream with session windows.
 *
 * A session is the closed interval from its first to its last event time; rows and sessions at most the
 * gap apart are one session. A row is late when the session it would make or join ends more than gap plus
 * grace before stream time. A result's timestamp is the session's end.
 *
 * EMIT CHANGES: a row that joins sessions first sends a deletion for each of them, then the merged one.
 * (A row at the very time of a session of that one instant only updates it.) EMIT FINAL: a session goes
 * out once stream time is more than gap plus grace beyond its end, in order of end, then key; what was
 * emitted is never merged again.
 *
 * State: store `sessions`, (group key, first, last) → {@link GroupState}; store `time`: stream time, end
 * up to which sessions were emitted, and a lower bound for the end of those still open.
 */
export class SessionAggregateOperator implements Operator {
  readonly #context: OperatorContext
  readonly #window: Extract<WindowSpec, { type: 'SESSION' }>
  readonly #final: boolean
  readonly #schema: Schema
  readonly #keys: RowKeys
  readonly #functions: AggregateFunctions
  readonly #arguments: ReturnType<typeof compileArguments>
  readonly #sessions: SessionStore<GroupState>
  readonly #time: OperatorTime
  readonly #output: ChangeOutput
  readonly #finals: BatchBuilder
  readonly #closing = new DueQueue<SessionEntry<GroupState>>()
  #closingToMs = NEVER

  constructor(node: AggregateNode, context: OperatorContext) {
    assert(node.window !== null && node.window.type === 'SESSION', 'the aggregation has session windows')
    this.#context = context
    this.#schema = node.schema
    this.#window = node.window
    this.#final = node.emit === 'final'
    this.#keys = new RowKeys(node.schema)
    const functions = new AggregateFunctions(node.aggregates, context)
    this.#functions = functions
    this.#arguments = compileArguments(node.aggregates, context, node.input.schema)
    this.#sessions = context.stores.session('sessions', rowCodec(functions.stateTypes), {
      bucketMs: Math.max(node.window.gapMs, 1),
    })
    this.#time = new OperatorTime(context.stores, 3)
    this.#output = new ChangeOutput(context, {
      schema: node.schema,
      identify: (key) => ({ key: this.#keys.values(key) }),
      present: (group) => functions.results(group),
      sessions: true,
    })
    this.#finals = new BatchBuilder(node.schema)
  }

  prepare(_input: number, batch: Batch): Promise<void> | undefined {
    const lastMs = lastTimestampMs(batch)
    return afterLoading(this.#time.load(), () =>
      allLoaded(this.#sessions.load(this.#keys.of(batch)), this.#loadClosing(lastMs)),
    )
  }

  process(_input: number, batch: Batch): void {
    const time = this.#time.read()
    this.#lineUp(lastTimestampMs(batch), time)
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
    this.#lineUp(streamTimeMs, time)
    time[0] = streamTimeMs
    this.#emitClosed(time)
    if (this.#final && time[2] !== NEVER) {
      // The next timer is to be exact: find the first session that is still open.
      await this.#sessions.loadEnds(time[1]! + 1, streamTimeMs)
      const [first] = this.#sessions.ends(time[1]! + 1, streamTimeMs)
      time[2] = first === undefined ? NEVER : first.endMs
    }
    this.#endOfPass(time)
  }

  /**
   * Of EMIT FINAL: when the next session closes; perhaps earlier, exactly after an `advance`. 0 while the
   * times aren't loaded: then an `advance` to any time loads them.
   */
  nextTimerMs(): number | null {
    if (!this.#final) return null
    const time = this.#time.lastSeen
    if (time === null) return 0
    const openEndMs = time[2]!
    return openEndMs === NEVER ? null : openEndMs + this.#window.gapMs + this.#window.graceMs + 1
  }

  readCommitted(range: ReadRange): AsyncIterable<Batch> {
    return committedBatches(this.#schema, committedSessions(this.#sessions, range), (row) => ({
      key: this.#keys.values(row.key),
      windowStartMs: row.windowStartMs!,
      windowEndMs: row.windowEndMs!,
      timestampMs: row.windowEndMs!,
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
    const { gapMs, retentionMs } = this.#window
    const earliestEndMs = Math.max(timestampMs - gapMs, this.#final ? time[1]! + 1 : time[0]! - retentionMs)
    const found = this.#sessions.find(key, earliestEndMs, timestampMs + gapMs)
    let startMs = timestampMs
    let endMs = timestampMs
    for (const session of found) {
      startMs = Math.min(startMs, session.startMs)
      endMs = Math.max(endMs, session.endMs)
    }
    if (endMs < this.#openFromMs(time[0]!)) this.#context.drop('late', batch, row)
    else {
      this.#put(batch, row, { key, startMs, endMs, found })
      if (time[2] === NEVER || endMs < time[2]!) time[2] = endMs
    }
    if (moved) this.#emitClosed(time)
  }

  #put(
    batch: Batch,
    row: number,
    session: {
      readonly key: StoreKey
      readonly startMs: number
      readonly endMs: number
      readonly found: readonly SessionEntry<GroupState>[]
    },
  ): void {
    const { key, startMs, endMs, found } = session
    const headers = batch.headersOf(row)
    const timestampMs = batch.timestamps[row]!
    const merged = found.map((entry) => entry.value)
    const before =
      merged.length === 0
        ? undefined
        : merged.reduce((earlier, later) => this.#functions.merge(earlier, later, batch, row))
    const after = this.#functions.add(before, timestampMs, this.#arguments(batch, row), batch, row)
    // Only then the session found is this one instant: it is updated, not replaced.
    const instant = startMs === endMs
    if (!instant) {
      for (const entry of found) {
        this.#sessions.remove(key, entry.startMs, entry.endMs)
        if (this.#final) {
          if (entry.endMs <= this.#closingToMs) this.#closing.remove(entry.endMs, closingId(entry))
          continue
        }
        this.#output.add({
          key,
          windowStartMs: entry.startMs,
          windowEndMs: entry.endMs,
          timestampMs: entry.endMs,
          value: null,
          old: entry.value,
          headers,
        })
      }
    }
    this.#sessions.put(key, startMs, endMs, after)
    if (this.#final) {
      const entry = { key, startMs, endMs, value: after }
      if (endMs <= this.#closingToMs) this.#closing.add(endMs, closingId(entry), entry)
      return
    }
    this.#output.add({
      key,
      windowStartMs: startMs,
      windowEndMs: endMs,
      timestampMs: endMs,
      value: after,
      old: instant ? (before ?? null) : null,
      headers,
    })
  }

  /** Sessions that end before this are closed. */
  #openFromMs(streamTimeMs: number): number {
    return streamTimeMs - this.#window.gapMs - this.#window.graceMs
  }

  #loadClosing(streamTimeMs: number): Loading {
    if (!this.#final) return undefined
    const time = this.#time.read()
    const toMs = this.#openFromMs(Math.max(streamTimeMs, time[0]!)) - 1
    return toMs <= time[1]! ? undefined : this.#sessions.loadEnds(time[1]! + 1, toMs)
  }

  /** Keeps at hand, for a pass that ends at `lastMs`, the sessions it may close. */
  #lineUp(lastMs: number, time: readonly number[]): void {
    if (!this.#final) return
    this.#closing.clear()
    this.#closingToMs = this.#openFromMs(Math.max(lastMs, time[0]!)) - 1
    if (this.#closingToMs <= time[1]!) return
    for (const entry of this.#sessions.ends(time[1]! + 1, this.#closingToMs)) {
      this.#closing.add(entry.endMs, closingId(entry), entry)
    }
  }

  #emitClosed(time: number[]): void {
    if (!this.#final) return
    const toMs = this.#openFromMs(time[0]!) - 1
    if (toMs <= time[1]!) return
    for (const entry of this.#closing.take(toMs)) {
      this.#finals.add({
        key: this.#keys.values(entry.key),
        windowStartMs: entry.startMs,
        windowEndMs: entry.endMs,
        timestampMs: entry.endMs,
        value: this.#functions.results(entry.value),
        old: null,
      })
      if (this.#finals.size >= EMIT_ROWS_MAX) this.#takeFinals()
    }
    time[1] = toMs
    if (time[2] !== NEVER) time[2] = Math.max(time[2]!, toMs + 1)
  }

  #endOfPass(time: number[]): void {
    this.#takeFinals()
    this.#output.endOfBatch()
    this.#time.write(time)
    if (time[0]! > this.#window.retentionMs) this.#sessions.expire(time[0]! - this.#window.retentionMs)
  }

  #takeFinals(): void {
    const batch = this.#finals.take()
    if (batch !== null) this.#context.emit(batch)
  }
}

/** Sessions that end together go out by key, then start. */
function closingId(entry: SessionEntry<GroupState>): string {
  return escapeBinary(entry.key) + encodeWhole(entry.startMs)
}
