import { assert } from '../../base/assert.ts'
import type { Vector } from '../../formats/vector.ts'
import type { AggregateNode } from '../../plan/plan-node.ts'
import { Batch, BatchBuilder } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { OperatorTime, NEVER } from '../operators/operator-time.ts'
import { advanceOf } from '../operators/time-window.ts'
import type { Slab } from './slab.ts'
import { slabLoop, type SlabHost, type SlabLoop } from './slab-loop.ts'
import { SlabRows } from './slab-rows.ts'
import { SlabStore } from './slab-store.ts'

/** Rows of one emitted batch at most. */
const EMIT_ROWS_MAX = 8192

/**
 * Tumbling and hopping windows over aggregates of fixed-size numeric state (COUNT, SUM, AVG, MIN, MAX of numbers):
 * the fast path of {@link TimeWindowAggregateOperator}, which it must equal for the last value per key,
 * window and cycle. A property test holds the two together.
 *
 * EMIT CHANGES: at the end of a cycle, each group changed in it goes out once. EMIT FINAL: a window's
 * groups go out, by key, when stream time reaches its end plus grace.
 *
 * State: the slabs (store `slabs`), and stream time and the newest window emitted (store `time`).
 */
export class SlabAggregateOperator implements Operator, SlabHost {
  readonly #context: OperatorContext
  readonly #node: AggregateNode
  readonly #sizeMs: number
  readonly #graceMs: number
  readonly #retentionMs: number
  readonly #final: boolean
  readonly #rows: SlabRows
  readonly #loop: SlabLoop
  readonly #store: SlabStore
  readonly #time: OperatorTime
  #batch: Batch | null = null
  #emittedStartMs = NEVER
  #timeRead = false
  streamTimeMs = NEVER
  nextCloseMs = Infinity

  constructor(node: AggregateNode, context: OperatorContext) {
    const { window } = node
    assert(window !== null && window.type !== 'SESSION', 'slabs hold time windows')
    this.#node = node
    this.#context = context
    this.#sizeMs = window.sizeMs
    this.#graceMs = window.graceMs
    this.#retentionMs = Math.max(window.retentionMs, window.sizeMs + window.graceMs)
    this.#final = node.emit === 'final'
    const rows = new SlabRows(node, context)
    this.#rows = rows
    this.#loop = slabLoop(rows.aggregates, rows.initial.length, {
      sizeMs: window.sizeMs,
      advanceMs: advanceOf(window),
      graceMs: window.graceMs,
    })
    this.#store = context.stores.managed(
      'slabs',
      (name, store) => new SlabStore(name, rows.initial, rows.fingerprint, store),
    )
    this.#time = new OperatorTime(context.stores, 2)
  }

  prepare(): Promise<void> | undefined {
    const loading = this.#time.load()
    if (loading === undefined) {
      this.#readTime()
      return undefined
    }
    return loading.then(() => this.#readTime())
  }

  process(_input: number, batch: Batch): void {
    const { bytes, starts, ends } = this.#rows.keyRanges(batch)
    const args = this.#rows.argumentVectors(batch)
    this.#batch = batch
    const to = batch.size
    for (let from = 0; from < to;) {
      from = this.#loop(
        this,
        batch.selection,
        batch.absent,
        from,
        to,
        batch.timestamps,
        bytes,
        starts,
        ends,
        args,
      )
      if (this.streamTimeMs >= this.nextCloseMs) this.#close()
    }
    this.#batch = null
  }

  slabAt(startMs: number): Slab {
    const slab = this.#store.slabAt(startMs)
    if (this.#final && startMs > this.#emittedStartMs) {
      const closeMs = startMs + this.#sizeMs + this.#graceMs
      if (closeMs < this.nextCloseMs) this.nextCloseMs = closeMs
    }
    return slab
  }

  late(row: number): void {
    this.#context.drop('late', this.#batch!, row)
  }

  nullValue(row: number): void {
    this.#context.drop('null-value', this.#batch!, row)
  }

  nullKey(row: number): void {
    this.#context.drop('null-key', this.#batch!, row)
  }

  flush(): void {
    if (!this.#timeRead) return
    if (!this.#final) {
      for (const slab of this.#store.slabs()) {
        if (slab.dirtyCount > 0)
          this.#emit(slab, slab.dirtySlots.subarray(0, slab.dirtyCount), this.#context.oldRows)
      }
    }
    this.#store.expire(this.streamTimeMs - this.#retentionMs)
    this.#time.write([this.streamTimeMs, this.#emittedStartMs])
  }

  async advance(streamTimeMs: number): Promise<void> {
    await this.prepare()
    if (this.streamTimeMs === NEVER || streamTimeMs <= this.streamTimeMs) return
    this.streamTimeMs = streamTimeMs
    if (this.streamTimeMs >= this.nextCloseMs) this.#close()
  }

  nextTimerMs(): number | null {
    if (!this.#final) return null
    if (!this.#timeRead) return 0
    return this.nextCloseMs === Infinity ? null : this.nextCloseMs
  }

  async *readCommitted(range: ReadRange): AsyncIterable<Batch> {
    const builder = new BatchBuilder(this.#node.schema)
    for (const { startMs, key, state, timeMs } of this.#store.committedGroups(range)) {
      builder.add({
        key: this.#rows.keyValues(key),
        value: this.#rows.resultValues(state),
        timestampMs: timeMs,
        windowStartMs: startMs,
        windowEndMs: startMs + this.#sizeMs,
      })
      if (builder.size >= EMIT_ROWS_MAX) yield builder.take()!
    }
    const rest = builder.take()
    if (rest !== null) yield rest
  }

  #readTime(): void {
    if (this.#timeRead) return
    this.#timeRead = true
    const [streamTimeMs, emittedStartMs] = this.#time.read()
    this.streamTimeMs = streamTimeMs!
    this.#emittedStartMs = emittedStartMs!
    this.#findNextClose()
  }

  #findNextClose(): void {
    this.nextCloseMs = Infinity
    if (!this.#final) return
    for (const slab of this.#store.slabs()) {
      if (slab.startMs <= this.#emittedStartMs) continue
      this.nextCloseMs = slab.startMs + this.#sizeMs + this.#graceMs
      return
    }
  }

  /** Emits every window that stream time has closed, oldest first. */
  #close(): void {
    for (const slab of this.#store.slabs()) {
      if (slab.startMs <= this.#emittedStartMs) continue
      if (slab.startMs + this.#sizeMs + this.#graceMs > this.streamTimeMs) break
      this.#emit(slab, slab.inKeyOrder(), false)
      this.#emittedStartMs = slab.startMs
    }
    this.#findNextClose()
  }

  /** Sends groups of a window downstream. `withOld`: `slots` are its dirty slots in their order. */
  #emit(slab: Slab, slots: Int32Array, withOld: boolean): void {
    for (let from = 0; from < slots.length; from += EMIT_ROWS_MAX) {
      const part = slots.subarray(from, Math.min(slots.length, from + EMIT_ROWS_MAX))
      const rows = part.length
      const keys = this.#keyVectors(slab, part)
      const timestamps = new Float64Array(rows)
      const starts = new Float64Array(rows).fill(slab.startMs)
      const ends = new Float64Array(rows).fill(slab.startMs + this.#sizeMs)
      const { stride } = slab
      for (let row = 0; row < rows; row++) timestamps[row] = slab.state[part[row]! * stride + stride - 1]!
      const results = this.#rows.results(slab.state, rows, (row) => part[row]! * stride)
      const old = withOld
        ? {
            vectors: [...keys, ...this.#rows.results(slab.before, rows, (row) => (from + row) * stride)],
            absent: Uint8Array.from(part, (_, row) =>
              slab.before[(from + row) * stride + stride - 1]! < 0 ? 1 : 0,
            ),
          }
        : null
      this.#context.emit(
        new Batch({
          schema: this.#node.schema,
          rows,
          vectors: [...keys, ...results],
          timestamps,
          windows: { starts, ends },
          old,
        }),
      )
    }
  }

  #keyVectors(slab: Slab, slots: Int32Array): Vector[] {
    const starts = new Int32Array(slots.length)
    const ends = new Int32Array(slots.length)
    for (let row = 0; row < slots.length; row++) {
      starts[row] = slab.keyStart(slots[row]!)
      ends[row] = slab.keyEnds[slots[row]!]!
    }
    return this.#rows.keyVectors({ bytes: slab.keys, starts, ends })
  }
}
