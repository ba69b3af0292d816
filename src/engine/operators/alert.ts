import { assert } from '../../base/assert.ts'
import { ALERT_EVENT_COLUMNS } from '../../plan/alert-events.ts'
import { inputsOf, type AlertNode, type AggregateNode, type PlanNode } from '../../plan/plan-node.ts'
import { findColumn, type Schema } from '../../plan/schema.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import type { KeyValueStore, StoreKey, WindowStore } from '../../state/store.ts'
import { rowCodec } from '../../state/value-codec.ts'
import { BatchBuilder, type Batch } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import {
  ceases,
  dueMs,
  falls,
  holds,
  instanceFromRow,
  instanceToRow,
  instanceTypes,
  isForgettable,
  newInstance,
  type AlertChange,
  type AlertInstance,
  type AlertRules,
  type AlertStep,
} from './alert-instance.ts'
import { EMIT_ROWS_MAX } from './change-output.ts'
import { committedBatches, committedRows } from './committed-rows.ts'
import { DueQueue } from './due-queue.ts'
import { afterLoading, allLoaded, type Loading } from './loading.ts'
import { lastTimestampMs, NEVER, OperatorTime } from './operator-time.ts'
import { isNullKey, RowKeys } from './row-keys.ts'
import { advanceOf } from './time-window.ts'

/**
 * Follows one alert instance for each key of its input (the only one, where there is no key).
 *
 * **Evaluations.** Each row of a key evaluates the condition, at the row's event time.
 * - Stream: a row evaluates its moment. While an instance is pending or firing, rows older than its last
 *   one are late and dropped; inactive ones are forgotten.
 * - Table: each change evaluates; a deletion means that the condition doesn't hold. Between changes a
 *   table's row, and with it the condition, stays as it is. Evaluation time never goes back.
 * - Windowed table: the windows of a key are evaluations in the order of their ends; the time of one is
 *   the window's last event time. Changes of the newest window evaluate again; those of older ones are
 *   late. When stream time reaches the end of the next window and the key has no row in it, that is a
 *   negative evaluation, at that time (for sessions: when the session can't go on).
 *
 * **States.** inactive → pending → firing → (resolved) inactive. The condition must hold for `forMs` of
 * event time; one negative evaluation ends a pending instance without a word, and the next positive one
 * starts its clock anew. A pending instance fires at the first positive evaluation at least `forMs` after
 * the one it began with; over a table without windows when stream time reaches that point, since there the
 * condition goes on holding. Without FOR the first positive evaluation fires.
 *
 * A firing instance has lost its reason when an evaluation is negative, or, with RESOLVE WHEN, when a row
 * satisfies that (a deletion or a missed window does, too). With KEEP FIRING FOR it resolves so long
 * afterwards unless the reason is back before; without, at once.
 *
 * **No data.** When stream time is `noData.afterMs` past a key's last row, FIRE fires the instance (since
 * its last row), RESOLVE resolves it at once and ends a pending one, KEEP leaves it as it is: once, until
 * the next row. With NO DATA missed windows mean nothing else.
 *
 * **Time** is the operator's stream time: the highest event time among its rows, or where `advance` moved
 * it. What falls due by a row comes before what the row says; in order of time, then key.
 *
 * Output: a stream of events keyed as the input (ALERT_EVENT_COLUMNS, then columns of the last row seen)
 * for each change to pending, firing or resolved; the event's time is AT.
 *
 * State: store `instances`, key → {@link AlertInstance}; store `timers`, (key, due) → nothing; store `time`:
 * stream time, lower bound of the next timer. Needs no old values.
 */
export class AlertOperator implements Operator {
  readonly #context: OperatorContext
  readonly #node: AlertNode
  readonly #rules: AlertRules
  readonly #keys: RowKeys
  /** Positions in the input's schema of the event's columns of the SELECT list. */
  readonly #shown: readonly number[]
  readonly #condition: (batch: Batch, row: number) => SqlValue
  readonly #resolveWhen: ((batch: Batch, row: number) => SqlValue) | null
  readonly #instances: KeyValueStore<Row>
  readonly #timers: WindowStore<Row>
  /** No timer lies further ahead of stream time. */
  readonly #horizonMs: number
  readonly #time: OperatorTime
  readonly #due = new DueQueue<StoreKey>()
  #dueToMs = NEVER
  readonly #builder: BatchBuilder

  constructor(node: AlertNode, context: OperatorContext) {
    this.#context = context
    this.#node = node
    this.#rules = rulesOf(node)
    const { schema } = node.input
    this.#keys = new RowKeys(schema)
    const shown = node.schema.columns.slice(this.#keys.columns + ALERT_EVENT_COLUMNS.length)
    this.#shown = shown.map((column) => positionOf(schema, column.name))
    this.#condition = context.compileBatch(node.condition, schema)
    this.#resolveWhen = node.resolveWhen === null ? null : context.compileBatch(node.resolveWhen, schema)
    const types = instanceTypes(shown.map((column) => column.type))
    this.#instances = context.stores.keyValue('instances', rowCodec(types))
    const { forMs, keepFiringForMs, noData, missedAfterMs } = this.#rules
    this.#horizonMs =
      Math.max(forMs, keepFiringForMs, noData?.afterMs ?? 0, missedAfterMs ?? 0) + windowSizeMs(node.input)
    this.#timers = context.stores.window('timers', rowCodec([]), {
      bucketMs: Math.max(1, Math.ceil(this.#horizonMs / 64)),
    })
    this.#time = new OperatorTime(context.stores, 2)
    this.#builder = new BatchBuilder(node.schema)
  }

  prepare(_input: number, batch: Batch): Promise<void> | undefined {
    const keys = new Set<StoreKey>()
    for (let n = 0; n < batch.size; n++) {
      const key = this.#keyAt(batch, batch.position(n))
      if (key !== null) keys.add(key)
    }
    return this.#load(keys, lastTimestampMs(batch))
  }

  process(_input: number, batch: Batch): void {
    const time = this.#time.read()
    this.#lineUp(lastTimestampMs(batch), time)
    for (let n = 0; n < batch.size; n++) this.#processRow(batch, batch.position(n), time)
    this.#endOfPass(time)
  }

  flush(): void {}

  async advance(streamTimeMs: number): Promise<void> {
    await this.#load(new Set(), streamTimeMs)
    const time = this.#time.read()
    if (time[0] === NEVER || streamTimeMs <= time[0]!) return
    this.#lineUp(streamTimeMs, time)
    this.#moveTime(streamTimeMs, time)
    if (time[1] !== NEVER) {
      // The next timer is to be exact: find the first one that is set.
      await this.#timers.loadStarts(streamTimeMs, streamTimeMs + this.#horizonMs)
      const [first] = this.#timers.starts(streamTimeMs, streamTimeMs + this.#horizonMs)
      time[1] = first === undefined ? NEVER : first.startMs
    }
    this.#endOfPass(time)
  }

  /**
   * When the next timer goes off; perhaps one that comes to nothing. 0 while the times aren't loaded: then
   * an `advance` to any time loads them.
   */
  nextTimerMs(): number | null {
    const time = this.#time.lastSeen
    if (time === null) return 0
    const nextMs = time[1]!
    return nextMs === NEVER ? null : nextMs
  }

  /** The instances that are pending or firing, as their last events. */
  readCommitted(range: ReadRange): AsyncIterable<Batch> {
    return committedBatches(this.#node.schema, committedRows(this.#instances, range), (row) => {
      const instance = instanceFromRow(row.value)
      if (instance.state === 'inactive') return null
      const change = { state: instance.state, sinceMs: instance.sinceMs, atMs: instance.changedMs }
      return {
        key: this.#keys.values(row.key),
        timestampMs: instance.changedMs,
        value: this.#eventValues(instance, change),
      }
    })
  }

  #processRow(batch: Batch, row: number, time: number[]): void {
    const key = this.#keyAt(batch, row)
    if (key === null) {
      this.#context.drop('null-key', batch, row)
      return
    }
    const timestampMs = batch.timestamps[row]!
    const absent = batch.isAbsent(row)
    if (absent && this.#node.input.output === 'stream') {
      this.#context.drop('null-value', batch, row)
      return
    }
    // Sessions only go to become part of a larger one, which follows.
    if (absent && this.#node.input.windowed?.type === 'SESSION') return
    if (timestampMs > time[0]!) this.#moveTime(timestampMs, time)

    const known = this.#instances.get(key)
    const before = known === undefined ? null : instanceFromRow(known)
    if (before === null && absent) return
    if (before !== null && this.#isLate(before, batch, row)) {
      this.#context.drop('late', batch, row)
      return
    }
    const atMs = Math.max(timestampMs, before?.seenMs ?? NEVER)
    const { windows } = batch
    const seen: AlertInstance = {
      ...(before ?? newInstance([])),
      seenMs: atMs,
      silent: false,
      ...(windows === null ? {} : { windowStartMs: windows.starts[row]!, windowEndMs: windows.ends[row]! }),
      values: absent
        ? before!.values
        : this.#shown.map((column) => batch.vectors[column]?.value(row) ?? null),
    }
    const step = this.#lasts(seen, batch, row, absent)
      ? holds(seen, this.#rules, atMs)
      : ceases(seen, this.#rules, atMs)
    this.#keep(key, this.#settle(key, step, time), time)
  }

  /** Whether the condition holds or, of a firing instance, the reason to fire lasts. */
  #lasts(instance: AlertInstance, batch: Batch, row: number, absent: boolean): boolean {
    if (absent) return false
    if (instance.state === 'firing' && this.#resolveWhen !== null)
      return this.#resolveWhen(batch, row) !== true
    return this.#condition(batch, row) === true
  }

  #isLate(instance: AlertInstance, batch: Batch, row: number): boolean {
    if (batch.windows !== null) return batch.windows.ends[row]! < instance.windowEndMs
    return this.#node.input.output === 'stream' && batch.timestamps[row]! < instance.seenMs
  }

  /** Moves stream time on and draws what falls due by that. */
  #moveTime(streamTimeMs: number, time: number[]): void {
    time[0] = streamTimeMs
    if (time[1] === NEVER || time[1]! > streamTimeMs) return
    for (;;) {
      const keys = this.#due.takeEarliest(streamTimeMs)
      if (keys.length === 0) break
      for (const key of keys) this.#ring(key, time)
    }
    time[1] = streamTimeMs + 1
  }

  /** A key's timer goes off: it may have been set for something that isn't so any more. */
  #ring(key: StoreKey, time: number[]): void {
    const row = this.#instances.get(key)
    assert(row, 'a timer belongs to an instance')
    const instance = instanceFromRow(row)
    this.#timers.remove(key, instance.timerMs)
    const due = dueMs(instance, this.#rules)
    const rung: AlertInstance = { ...instance, timerMs: NEVER }
    if (due === null || due > instance.timerMs) this.#keep(key, rung, time)
    else this.#keep(key, this.#told(key, falls(rung, this.#rules, due)), time)
  }

  /** What a row says, and all that is due by then: the row may come long after its time. */
  #settle(key: StoreKey, step: AlertStep, time: readonly number[]): AlertInstance | null {
    let instance = this.#told(key, step)
    while (instance !== null) {
      const due = dueMs(instance, this.#rules)
      if (due === null || due > time[0]!) break
      instance = this.#told(key, falls(instance, this.#rules, due))
    }
    return instance
  }

  /** Emits the event of a step. */
  #told(key: StoreKey, { instance, change }: AlertStep): AlertInstance | null {
    if (change !== null) {
      assert(instance, 'an instance that changes is there')
      this.#builder.add({
        key: this.#keys.values(key),
        value: this.#eventValues(instance, change),
        timestampMs: change.atMs,
      })
      if (this.#builder.size >= EMIT_ROWS_MAX) this.#take()
    }
    return instance
  }

  /** Stores an instance and sees that its timer goes off in time. A timer already set for earlier stays: it is set again when it goes off. */
  #keep(key: StoreKey, instance: AlertInstance | null, time: number[]): void {
    if (instance === null || isForgettable(instance, this.#rules)) {
      if (instance !== null && instance.timerMs !== NEVER) this.#unset(key, instance.timerMs)
      this.#instances.remove(key)
      return
    }
    const due = dueMs(instance, this.#rules)
    let { timerMs } = instance
    if (due !== null && (timerMs === NEVER || due < timerMs)) {
      if (timerMs !== NEVER) this.#unset(key, timerMs)
      timerMs = due
      this.#timers.put(key, due, [])
      if (due <= this.#dueToMs) this.#due.add(due, key, key)
      if (time[1] === NEVER || due < time[1]!) time[1] = due
    }
    this.#instances.put(key, instanceToRow({ ...instance, timerMs }))
  }

  #unset(key: StoreKey, timerMs: number): void {
    this.#timers.remove(key, timerMs)
    if (timerMs <= this.#dueToMs) this.#due.remove(timerMs, key)
  }

  #eventValues(instance: AlertInstance, change: AlertChange): Row {
    const windowed = instance.windowStartMs !== NEVER
    return [
      this.#node.name,
      this.#node.severity,
      change.state,
      change.sinceMs,
      change.atMs,
      windowed ? instance.windowStartMs : null,
      windowed ? instance.windowEndMs : null,
      ...instance.values,
    ]
  }

  #keyAt(batch: Batch, row: number): StoreKey | null {
    const key = this.#keys.row(batch, row)
    return key.length > 0 && isNullKey(key) ? null : this.#keys.codec.encode(key)
  }

  #load(keys: ReadonlySet<StoreKey>, lastMs: number): Loading {
    return afterLoading(this.#time.load(), () => {
      const time = this.#time.read()
      const fromMs = Math.max(0, time[0]!)
      return afterLoading(
        allLoaded(
          this.#instances.load(keys),
          lastMs < fromMs ? undefined : this.#timers.loadStarts(fromMs, lastMs),
        ),
        () => {
          const all = new Set(keys)
          if (lastMs >= fromMs) for (const { key } of this.#timers.starts(fromMs, lastMs)) all.add(key)
          if (all.size === 0) return undefined
          const toMs = Math.max(fromMs, lastMs) + this.#horizonMs
          return allLoaded(this.#instances.load(all), this.#timers.load(all, fromMs, toMs))
        },
      )
    })
  }

  /** Keeps at hand, for a pass that ends at `lastMs`, the timers that may go off in it. */
  #lineUp(lastMs: number, time: readonly number[]): void {
    this.#due.clear()
    this.#dueToMs = lastMs
    const fromMs = Math.max(0, time[0]!)
    if (time[1] === NEVER || time[1]! > lastMs || lastMs < fromMs) return
    for (const { key, startMs } of this.#timers.starts(fromMs, lastMs)) this.#due.add(startMs, key, key)
  }

  #endOfPass(time: number[]): void {
    this.#take()
    this.#time.write(time)
    if (time[0]! > 0) this.#timers.expire(time[0]!)
  }

  #take(): void {
    const batch = this.#builder.take()
    if (batch !== null) this.#context.emit(batch)
  }
}

function positionOf(schema: Schema, name: string): number {
  const column = findColumn(schema, name)
  assert(column, `the input of an alert has column ${name}`)
  return schema.columns.indexOf(column)
}

function rulesOf(node: AlertNode): AlertRules {
  const { input } = node
  return {
    forMs: node.forMs,
    keepFiringForMs: node.keepFiringForMs,
    noData: node.noData,
    holdsOn: input.output === 'table' && input.windowed === null,
    missedAfterMs: input.windowed === null || input.output === 'stream' ? null : missedAfterMs(input),
  }
}

/** How long after the end of its window a key without a further row has missed the next one. */
function missedAfterMs(input: PlanNode): number | null {
  const aggregate = windowedAggregateOf(input)
  if (aggregate === null) return input.windowed!.sizeMs
  const window = aggregate.window!
  // Final rows come when grace is over, so that only then a row is missing.
  const graceMs = aggregate.emit === 'final' ? window.graceMs : 0
  return window.type === 'SESSION' ? window.gapMs + graceMs + 1 : advanceOf(window) + graceMs
}

function windowSizeMs(input: PlanNode): number {
  return input.windowed?.sizeMs ?? 0
}

function windowedAggregateOf(node: PlanNode): AggregateNode | null {
  if (node.kind === 'aggregate') return node.window === null ? null : node
  if (node.kind !== 'filter' && node.kind !== 'project') return null
  return windowedAggregateOf(inputsOf(node)[0]!)
}
