import type { AggregateNode } from '../../plan/plan-node.ts'
import { Batch, BatchBuilder } from '../batch.ts'
import type { Operator, OperatorContext, ReadRange } from '../operator.ts'
import { EMIT_ROWS_MAX } from '../operators/change-output.ts'
import type { GroupPages } from './group-pages.ts'
import { GroupStore } from './group-store.ts'
import { groupLoop, type GroupHost, type GroupLoop } from './slab-loop.ts'
import { SlabRows } from './slab-rows.ts'

/**
 * GROUP BY over a stream without windows, over aggregates of fixed-size numeric state: the fast path of
 * {@link AggregateOperator}, which it must equal for the last value per key and cycle. A property test holds
 * the two together.
 *
 * At the end of a cycle each group changed in it goes out once, in order of the first change. State: store `groups`.
 */
export class GroupAggregateOperator implements Operator, GroupHost {
  readonly #context: OperatorContext
  readonly #node: AggregateNode
  readonly #rows: SlabRows
  readonly #loop: GroupLoop
  readonly #store: GroupStore
  readonly pages: GroupPages
  #batch: Batch | null = null

  constructor(node: AggregateNode, context: OperatorContext) {
    this.#node = node
    this.#context = context
    const rows = new SlabRows(node, context)
    this.#rows = rows
    this.#loop = groupLoop(rows.aggregates, rows.initial.length)
    this.#store = context.stores.managed(
      'groups',
      (name, store) => new GroupStore(name, rows.initial, rows.fingerprint, store),
    )
    this.pages = this.#store.pages
  }

  prepare(_input: number, batch: Batch): Promise<void> | undefined {
    if (this.pages.absent === 0) return undefined
    return this.#store.load(this.#rows.keyRanges(batch), batch.selection, batch.size)
  }

  process(_input: number, batch: Batch): void {
    const { bytes, starts, ends } = this.#rows.keyRanges(batch)
    const args = this.#rows.argumentVectors(batch)
    this.#batch = batch
    this.pages.frames.touch()
    this.#loop(this, batch.selection, batch.absent, batch.size, batch.timestamps, bytes, starts, ends, args)
    this.#batch = null
  }

  nullKey(row: number): void {
    this.#context.drop('null-key', this.#batch!, row)
  }

  nullValue(row: number): void {
    this.#context.drop('null-value', this.#batch!, row)
  }

  flush(): void {
    const { count } = this.pages.frames.changes
    for (let from = 0; from < count; from += EMIT_ROWS_MAX) {
      this.#emit(from, Math.min(count, from + EMIT_ROWS_MAX))
    }
  }

  advance(): Promise<void> {
    return Promise.resolve()
  }

  nextTimerMs(): null {
    return null
  }

  async *readCommitted(range: ReadRange): AsyncIterable<Batch> {
    const builder = new BatchBuilder(this.#node.schema)
    for await (const { key, state } of this.#store.committedGroups(range)) {
      builder.add({
        key: this.#rows.keyValues(key),
        value: this.#rows.resultValues(state),
        timestampMs: state[state.length - 1]!,
      })
      if (builder.size >= EMIT_ROWS_MAX) yield builder.take()!
    }
    const rest = builder.take()
    if (rest !== null) yield rest
  }

  /** Sends the changes [from, to) of the cycle downstream. */
  #emit(from: number, to: number): void {
    const { frames } = this.pages
    const { stride } = frames
    const { keys, keyEnds, state } = frames.gather()
    const { before } = frames.changes
    const rows = to - from
    const timestamps = new Float64Array(rows)
    const starts = new Int32Array(rows)
    for (let row = 0, n = from; row < rows; row++, n++) {
      timestamps[row] = state[(n + 1) * stride - 1]!
      starts[row] = n === 0 ? 0 : keyEnds[n - 1]!
    }
    const vectors = this.#rows.keyVectors({ bytes: keys, starts, ends: keyEnds.subarray(from, to) })
    const at = (row: number): number => (from + row) * stride
    const old = this.#context.oldRows
      ? {
          vectors: [...vectors, ...this.#rows.results(before, rows, at)],
          absent: Uint8Array.from({ length: rows }, (_, row) => (before[at(row + 1) - 1]! < 0 ? 1 : 0)),
        }
      : null
    this.#context.emit(
      new Batch({
        schema: this.#node.schema,
        rows,
        vectors: [...vectors, ...this.#rows.results(state, rows, at)],
        timestamps,
        windows: null,
        old,
      }),
    )
  }
}
