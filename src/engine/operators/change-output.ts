import type { RecordHeader } from '../../log/log.ts'
import type { Schema } from '../../plan/schema.ts'
import type { Row } from '../../plan/sql-value.ts'
import { BatchBuilder } from '../batch.ts'
import type { OperatorContext } from '../operator.ts'
import type { RowIdentity } from './row-keys.ts'

/** Rows of one emitted batch at most: what a leap of time or a long cycle emits comes in pieces of it. */
export const EMIT_ROWS_MAX = 8192

/** A change of one row of a table, in the form in which its store holds it. */
export interface TableChange extends RowIdentity {
  /** Tells the row (key and window) from all others of the operator. */
  readonly id: string
  readonly timestampMs: number
  /** null: the row is gone. */
  readonly value: Row | null
  /** What it replaces; null: nothing. */
  readonly old: Row | null
  readonly headers: readonly RecordHeader[]
}

/**
 * Sends the changes of a table downstream: each one, or (with the cache) per row and cycle the last
 * one, whose old value is then what downstream last saw. Order: of the rows' first change.
 */
export class ChangeOutput {
  readonly #emit: OperatorContext['emit']
  readonly #present: (stored: Row) => Row
  readonly #builder: BatchBuilder
  readonly #pending: Map<string, TableChange> | null

  /** @param present value columns of what the store holds */
  constructor(
    context: Pick<OperatorContext, 'emit' | 'cache'>,
    schema: Schema,
    present: (stored: Row) => Row,
  ) {
    this.#emit = context.emit
    this.#present = present
    this.#builder = new BatchBuilder(schema)
    this.#pending = context.cache ? new Map() : null
  }

  add(change: TableChange): void {
    if (this.#pending === null) {
      this.#send(change)
      return
    }
    const before = this.#pending.get(change.id)
    this.#pending.set(change.id, before === undefined ? change : { ...change, old: before.old })
  }

  /** Ends a pass over a batch. */
  endOfBatch(): void {
    if (this.#pending === null) this.#take()
  }

  /** Ends a cycle. */
  flush(): void {
    if (this.#pending === null) return
    for (const change of this.#pending.values()) {
      if (change.value !== null || change.old !== null) this.#send(change)
    }
    this.#pending.clear()
    this.#take()
  }

  #send(change: TableChange): void {
    this.#builder.add({
      ...placeOf(change),
      timestampMs: change.timestampMs,
      value: change.value === null ? null : this.#present(change.value),
      old: change.old === null ? null : this.#present(change.old),
      headers: change.headers,
    })
    if (this.#builder.size >= EMIT_ROWS_MAX) this.#take()
  }

  #take(): void {
    const batch = this.#builder.take()
    if (batch !== null) this.#emit(batch)
  }
}

/** The parts of a built row that say which row it is. */
export function placeOf(identity: RowIdentity): RowIdentity {
  return identity.windowStartMs === undefined
    ? { key: identity.key }
    : {
        key: identity.key,
        windowStartMs: identity.windowStartMs,
        windowEndMs: identity.windowEndMs!,
      }
}
