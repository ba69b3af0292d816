import { assert } from '../../base/assert.ts'
import { NumberVector, TextVector, ValueVector, type Vector } from '../../formats/vector.ts'
import type { AggregateNode } from '../../plan/plan-node.ts'
import type { Schema } from '../../plan/schema.ts'
import type { SqlType } from '../../plan/sql-type.ts'
import { KeyCodec } from '../../state/key-codec.ts'
import { Batch, BatchBuilder } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { OperatorTime, NEVER } from '../operators/operator-time.ts'
import { advanceOf } from '../operators/time-window.ts'
import { Stage } from '../stage.ts'
import type { Slab } from './slab.ts'
import { slabLoop, type SlabAggregate, type SlabHost, type SlabLoop } from './slab-loop.ts'
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
  readonly #keys: KeyCodec
  /** A single STRING key: its bytes in a record are its bytes in a slab. */
  readonly #plainKey: boolean
  readonly #keyColumns: number
  readonly #aggregates: readonly SlabAggregate[]
  readonly #arguments: Stage
  readonly #argumentCount: number
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
    const keyTypes = keyTypesOf(node.schema)
    this.#keyColumns = keyTypes.length
    this.#keys = new KeyCodec(keyTypes)
    this.#plainKey = keyTypes.length === 1 && keyTypes[0]!.kind === 'STRING'
    const aggregates = slabAggregates(node, context)
    assert(aggregates, 'all aggregates have fixed-size state')
    this.#aggregates = aggregates
    const initial = aggregates.flatMap((a) => a.slots.initial)
    const args = node.aggregates.flatMap((a) => a.args)
    this.#argumentCount = args.length
    this.#arguments = new Stage(
      [
        {
          kind: 'project',
          columns: args,
          schema: { columns: args.map((a, i) => ({ name: `ARG_${i}`, type: a.type, role: 'value' })) },
        },
      ],
      node.input.schema,
      {
        table: false,
        context: { functions: context.functions, functionContext: context.functionContext },
        onError: context.expressionError,
      },
    )
    this.#loop = slabLoop(aggregates, initial.length, {
      sizeMs: window.sizeMs,
      advanceMs: advanceOf(window),
      graceMs: window.graceMs,
    })
    const fingerprint = JSON.stringify([
      keyTypes,
      node.aggregates.map((a) => [a.function, a.type]),
      initial.length,
    ])
    this.#store = context.stores.managed(
      'slabs',
      (name, store) => new SlabStore(name, initial, fingerprint, store),
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
    const { bytes, starts, ends } = this.#keyRanges(batch)
    const args = this.#argumentVectors(batch)
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
    for (const { startMs, key, state, at, timeMs } of this.#store.committedGroups(range)) {
      builder.add({
        key: this.#keys.decode(key),
        value: this.#aggregates.map(({ slots, offset }) =>
          slots.isNull(state, at + offset) ? null : slots.result(state, at + offset),
        ),
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
      const results = this.#results(slab.state, rows, (row) => part[row]! * stride)
      const old = withOld
        ? {
            vectors: [...keys, ...this.#results(slab.before, rows, (row) => (from + row) * stride)],
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

  /** One vector per aggregate, from states that start at `at(row)`. */
  #results(state: Float64Array, rows: number, at: (row: number) => number): NumberVector[] {
    return this.#aggregates.map(({ slots, offset }) => {
      const vector = new NumberVector(rows)
      for (let row = 0; row < rows; row++) {
        const place = at(row) + offset
        if (slots.isNull(state, place)) vector.nulls[row] = 1
        else vector.values[row] = slots.result(state, place)
      }
      return vector
    })
  }

  #keyVectors(slab: Slab, slots: Int32Array): Vector[] {
    if (this.#plainKey) {
      const starts = new Int32Array(slots.length)
      const ends = new Int32Array(slots.length)
      for (let row = 0; row < slots.length; row++) {
        starts[row] = slab.keyStart(slots[row]!)
        ends[row] = slab.keyEnds[slots[row]!]!
      }
      return [new TextVector(slab.keys, starts, ends)]
    }
    const rows = Array.from(slots, (slot) =>
      this.#keys.decode(latin1(slab.keys, slab.keyStart(slot), slab.keyEnds[slot]!)),
    )
    return Array.from(
      { length: this.#keyColumns },
      (_, column) => new ValueVector(rows.map((row) => row[column]!)),
    )
  }

  /** Where each row's key lies: in the records themselves, or encoded into an array of their own. */
  #keyRanges(batch: Batch): { bytes: Uint8Array; starts: Int32Array; ends: Int32Array } {
    const first = batch.vectors[0]
    if (this.#plainKey && first?.kind === 'text' && first.decoded === null) return first
    const starts = new Int32Array(batch.rows).fill(-1)
    const ends = new Int32Array(batch.rows)
    let bytes = new Uint8Array(batch.size * 16)
    let length = 0
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      const values = batch.slice(row, 0, this.#keyColumns)
      if (values.includes(null)) continue
      const key = this.#keys.encode(values)
      if (length + key.length > bytes.length) {
        const larger = new Uint8Array(bytes.length * 2 + key.length)
        larger.set(bytes)
        bytes = larger
      }
      starts[row] = length
      for (let i = 0; i < key.length; i++) bytes[length++] = key.charCodeAt(i)
      ends[row] = length
    }
    return { bytes, starts, ends }
  }

  #argumentVectors(batch: Batch): { values: Float64Array[]; nulls: Uint8Array[] } {
    if (this.#argumentCount === 0) return { values: [], nulls: [] }
    const vectors = this.#arguments.run(batch).vectors.map((v) => asNumbers(v!, batch))
    return { values: vectors.map((v) => v.values), nulls: vectors.map((v) => v.nulls) }
  }
}

/** The aggregates of a node with their places in a slot, or null if one has no fixed-size state. */
export function slabAggregates(node: AggregateNode, context: OperatorContext): SlabAggregate[] | null {
  const aggregates: SlabAggregate[] = []
  let offset = 0
  let argument = 0
  for (const call of node.aggregates) {
    const bound = context.functions.aggregateBody(
      call.function,
      call.signature,
      call.args.map((a) => a.type),
      call.parameters,
      call.type,
      context.functionContext,
    )
    const { slots } = bound
    if (slots === null || call.args.length > 1) return null
    if (
      call.args.some((a) => a.type.kind !== 'INTEGER' && a.type.kind !== 'BIGINT' && a.type.kind !== 'DOUBLE')
    )
      return null
    aggregates.push({ slots, offset, argument: call.args.length === 0 ? -1 : argument })
    argument += call.args.length
    offset += slots.width
  }
  return aggregates
}

/** Whether a node can run on slabs: emission per cycle, time windows, numeric aggregates. */
export function runsOnSlabs(node: AggregateNode, context: OperatorContext): boolean {
  return (
    context.cache &&
    !context.compatibility &&
    node.window !== null &&
    node.window.type !== 'SESSION' &&
    slabAggregates(node, context) !== null
  )
}

function keyTypesOf(schema: Schema): SqlType[] {
  return schema.columns.filter((c) => c.role === 'key').map((c) => c.type)
}

function asNumbers(vector: Vector, batch: Batch): NumberVector {
  if (vector.kind === 'number') return vector
  const numbers = new NumberVector(batch.rows)
  for (let n = 0; n < batch.size; n++) {
    const row = batch.position(n)
    const value = vector.value(row)
    if (value === null) numbers.nulls[row] = 1
    else numbers.values[row] = Number(value)
  }
  return numbers
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!)
  return text
}
