import type { SqlValue } from '../../plan/sql-value.ts'
import type { RowPlace } from '../operator.ts'
import type { Batch } from '../batch.ts'

/** Values of columns [from, to) of a row; columns nobody reads, and so aren't there, are null. */
export function rowValues(batch: Batch, row: number, from: number, to: number): SqlValue[] {
  const values: SqlValue[] = []
  for (let column = from; column < to; column++) values.push(batch.vectors[column]?.value(row) ?? null)
  return values
}

/** Values of columns [from, to) of the old row, or null if there was none. */
export function oldRowValues(batch: Batch, row: number, from: number, to: number): SqlValue[] | null {
  const { old } = batch
  if (old === null || old.absent[row] === 1) return null
  const values: SqlValue[] = []
  for (let column = from; column < to; column++) values.push(old.vectors[column]?.value(row) ?? null)
  return values
}

/** The pseudo columns of a batch's row. */
export function placeAt(batch: Batch, row: number): RowPlace {
  const timestampMs = batch.timestamps[row]!
  return batch.windows === null
    ? { timestampMs }
    : {
        timestampMs,
        windowStartMs: batch.windows.starts[row]!,
        windowEndMs: batch.windows.ends[row]!,
      }
}
