import type { RecordHeader } from '../../log/log.ts'
import type { Schema } from '../../plan/schema.ts'
import type { Row } from '../../plan/sql-value.ts'
import type { StoreKey } from '../../state/store.ts'
import { BatchBuilder } from '../batch.ts'
import type { OperatorContext } from '../operator.ts'
import type { RowIdentity } from './row-keys.ts'

/** Rows of one emitted batch at most: what a leap of time or a long cycle emits comes in pieces of it. */
export const EMIT_ROWS_MAX = 8192

/** A change of one row of a table, in the form in which its store holds it. */
export interface TableChange {
  readonly key: StoreKey
  readonly timestampMs: number
  /** null: the row is gone. */
  readonly value: Row | null
  /** What it replaces; null: nothing. */
  readonly old: Row | null
  readonly headers: readonly RecordHeader[]
  /** Where the table's windows aren't part of the store key. */
  readonly windowStartMs?: number
  readonly windowEndMs?: number
}

/** The changes of a row in one cycle, as one. */
interface PendingChange {
  readonly key: StoreKey
  readonly windowStartMs: number | undefined
  readonly windowEndMs: number | undefined
  readonly old: Row | null
  value: Row | null
  timestampMs: number
  headers: readonly RecordHeader[]
}

/**
 * Sends the changes of a table downstream: each one, or (with the cache) per row and cycle the last
 * one, whose old value is then what downstream last saw. Order: windows by their first change, and within
 * one the rows by theirs; of sessions, all by their first change.
 */
export class ChangeOutput {
  readonly #emit: OperatorContext['emit']
  readonly #identify: (key: StoreKey) => RowIdentity
  readonly #present: (stored: Row) => Row
  readonly #builder: BatchBuilder
  readonly #cache: boolean
  readonly #oldRows: boolean
  readonly #sessions: boolean
  /** By window start (0: sessions, or no windows), then by key. */
  #pending = new Map<number, Map<string, PendingChange>>()

  constructor(
    context: Pick<OperatorContext, 'emit' | 'cache' | 'oldRows'>,
    options: {
      readonly schema: Schema
      /** Key columns, and the window where it is part of the store key. */
      readonly identify: (key: StoreKey) => RowIdentity
      /** Value columns of what the store holds. */
      readonly present: (stored: Row) => Row
      readonly sessions?: boolean
    },
  ) {
    this.#emit = context.emit
    this.#identify = options.identify
    this.#present = options.present
    this.#builder = new BatchBuilder(options.schema)
    this.#cache = context.cache
    this.#oldRows = context.oldRows
    this.#sessions = options.sessions === true
  }

  add(change: TableChange): void {
    if (!this.#cache) {
      this.#send(change)
      return
    }
    const { key, windowStartMs, windowEndMs, value, timestampMs, headers } = change
    const group = this.#sessions ? 0 : (windowStartMs ?? 0)
    const id = this.#sessions ? `${windowStartMs}/${windowEndMs}/${key}` : key
    let rows = this.#pending.get(group)
    if (rows === undefined) {
      rows = new Map()
      this.#pending.set(group, rows)
    }
    const pending = rows.get(id)
    if (pending === undefined) {
      rows.set(id, { key, windowStartMs, windowEndMs, old: change.old, value, timestampMs, headers })
      return
    }
    if (value === null && pending.old === null) {
      // Made and gone within the cycle: downstream never knows.
      rows.delete(id)
      return
    }
    pending.value = value
    pending.timestampMs = timestampMs
    pending.headers = headers
  }

  /** Ends a pass over a batch. */
  endOfBatch(): void {
    if (!this.#cache) this.#take()
  }

  /** Ends a cycle. */
  flush(): void {
    if (this.#pending.size === 0) return
    for (const rows of this.#pending.values()) {
      for (const change of rows.values()) this.#send(change)
    }
    this.#pending = new Map()
    this.#take()
  }

  #send(change: TableChange | PendingChange): void {
    const identity = this.#identify(change.key)
    const windowStartMs = change.windowStartMs ?? identity.windowStartMs
    const windowEndMs = change.windowEndMs ?? identity.windowEndMs
    const { timestampMs, headers } = change
    this.#builder.add({
      key: identity.key,
      value: change.value === null ? null : this.#present(change.value),
      timestampMs,
      headers,
      ...(this.#oldRows ? { old: change.old === null ? null : this.#present(change.old) } : {}),
      ...(windowStartMs === undefined ? {} : { windowStartMs, windowEndMs: windowEndMs! }),
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
