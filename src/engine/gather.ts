import { BooleanVector, NumberVector, TextVector, ValueVector, type Vector } from '../formats/vector.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import { Batch, type OldRows } from './batch.ts'

/** A new batch of the given rows of one, in the given order; a row may be repeated. */
export function gather(batch: Batch, rows: Int32Array): Batch {
  return gatherFrom([batch], null, rows)
}

/**
 * A new batch of rows picked from several batches of one schema.
 *
 * @param from  per new row which batch it comes from; null: all from the first
 * @param rows  per new row its position in that batch
 */
function gatherFrom(batches: readonly Batch[], from: Int32Array | null, rows: Int32Array): Batch {
  const first = batches[0]!
  const count = rows.length
  const source = (n: number): Batch => (from === null ? first : batches[from[n]!]!)
  const pickDoubles = (of: (batch: Batch) => Float64Array): Float64Array => {
    const picked = new Float64Array(count)
    for (let n = 0; n < count; n++) picked[n] = of(source(n))[rows[n]!]!
    return picked
  }
  const anyAbsent = batches.some((b) => b.absent !== null)
  const { origin } = first
  return new Batch({
    schema: first.schema,
    rows: count,
    vectors: first.vectors.map((_, column) =>
      pickVector(
        batches.map((b) => b.vectors[column] ?? null),
        from,
        rows,
      ),
    ),
    timestamps: pickDoubles((b) => b.timestamps),
    absent: anyAbsent ? Uint8Array.from(rows, (row, n) => (source(n).isAbsent(row) ? 1 : 0)) : null,
    old: batches.some((b) => b.old !== null) ? pickOld(batches, from, rows) : null,
    windows:
      first.windows === null
        ? null
        : { starts: pickDoubles((b) => b.windows!.starts), ends: pickDoubles((b) => b.windows!.ends) },
    order: batches.some((b) => b.order !== null) ? pickDoubles((b) => b.order ?? b.timestamps) : null,
    // Rows of several partitions have no one origin.
    origin:
      origin === null || from !== null ? null : { ...origin, offsets: pickDoubles((b) => b.origin!.offsets) },
    headers: batches.some((b) => b.headers !== null)
      ? Array.from(rows, (row, n) => source(n).headersOf(row))
      : null,
  })
}

function pickOld(batches: readonly Batch[], from: Int32Array | null, rows: Int32Array): OldRows {
  const width = batches[0]!.schema.columns.length
  const absent = Uint8Array.from(rows, (row, n) => {
    const { old } = batches[from === null ? 0 : from[n]!]!
    return old === null ? 1 : old.absent[row]!
  })
  const vectors: (Vector | null)[] = []
  for (let column = 0; column < width; column++) {
    const sources = batches.map((b) => b.old?.vectors[column] ?? null)
    vectors.push(sources.some((v) => v !== null) ? pickVector(sources, from, rows) : null)
  }
  return { vectors, absent }
}

function pickVector(
  sources: readonly (Vector | null)[],
  from: Int32Array | null,
  rows: Int32Array,
): Vector | null {
  if (sources.every((s) => s === null)) return null
  const count = rows.length
  const first = sources[0]
  if (from === null && first) {
    switch (first.kind) {
      case 'number': {
        const picked = new NumberVector(count)
        for (let n = 0; n < count; n++) {
          const row = rows[n]!
          picked.values[n] = first.values[row]!
          picked.nulls[n] = first.nulls[row]!
        }
        if (first.wide !== null) {
          for (let n = 0; n < count; n++) {
            const wide = first.wide.get(rows[n]!)
            if (wide !== undefined) picked.setWide(n, wide)
          }
        }
        return picked
      }
      case 'boolean': {
        const picked = new BooleanVector(count)
        for (let n = 0; n < count; n++) {
          const row = rows[n]!
          picked.values[n] = first.values[row]!
          picked.nulls[n] = first.nulls[row]!
        }
        return picked
      }
      case 'text': {
        const picked = new TextVector(first.bytes, new Int32Array(count), new Int32Array(count))
        for (let n = 0; n < count; n++) {
          const row = rows[n]!
          picked.starts[n] = first.starts[row]!
          picked.ends[n] = first.ends[row]!
        }
        if (first.decoded !== null) {
          for (let n = 0; n < count; n++) {
            const text = first.decoded.get(rows[n]!)
            if (text !== undefined) picked.setDecoded(n, text)
          }
        }
        return picked
      }
      case 'value':
        return new ValueVector(Array.from(rows, (row) => first.values[row]!))
    }
  }
  if (sources.every((s) => s !== null && s.kind === 'number' && s.wide === null)) {
    const picked = new NumberVector(count)
    for (let n = 0; n < count; n++) {
      const vector = sources[from![n]!] as NumberVector
      picked.values[n] = vector.values[rows[n]!]!
      picked.nulls[n] = vector.nulls[rows[n]!]!
    }
    return picked
  }
  const values: SqlValue[] = []
  for (let n = 0; n < count; n++) values.push(sources[from === null ? 0 : from[n]!]?.value(rows[n]!) ?? null)
  return new ValueVector(values)
}

/**
 * One batch from several inputs' batches, merged by their order: always the head that comes first in time,
 * the earlier input first among equals. Order within an input never changes.
 */
export function mergeByTime(batches: readonly Batch[]): Batch {
  if (batches.length === 1) return batches[0]!
  const total = batches.reduce((sum, b) => sum + b.size, 0)
  const from = new Int32Array(total)
  const rows = new Int32Array(total)
  const heads = batches.map(() => 0)
  for (let n = 0; n < total; n++) {
    let best = -1
    let bestTime = Infinity
    for (let b = 0; b < batches.length; b++) {
      const batch = batches[b]!
      if (heads[b]! >= batch.size) continue
      const time = batch.orderAt(batch.position(heads[b]!))
      if (best < 0 || time < bestTime) {
        best = b
        bestTime = time
      }
    }
    from[n] = best
    rows[n] = batches[best]!.position(heads[best]!)
    heads[best]!++
  }
  return gatherFrom(batches, from, rows)
}

/** One batch from several of one input, in their order. */
export function concatenate(batches: readonly Batch[]): Batch {
  if (batches.length === 1) return batches[0]!
  const total = batches.reduce((sum, b) => sum + b.size, 0)
  const from = new Int32Array(total)
  const rows = new Int32Array(total)
  let n = 0
  batches.forEach((batch, b) => {
    for (let k = 0; k < batch.size; k++, n++) {
      from[n] = b
      rows[n] = batch.position(k)
    }
  })
  return gatherFrom(batches, from, rows)
}

/** The same batch with other rows selected. */
export function withSelection(batch: Batch, selection: Int32Array): Batch {
  return batch.with({ selection })
}

/** The same rows over bytes of their own: for whoever keeps a batch longer than the cycle's step that made it. */
export function detach(batch: Batch): Batch {
  const rows = Int32Array.from({ length: batch.size }, (_, n) => batch.position(n))
  const copy = gather(batch, rows)
  // Only text still refers to the bytes it was read from.
  const own = (vector: Vector | null): Vector | null =>
    vector?.kind === 'text' ? new ValueVector(Array.from(rows, (_, n) => vector.value(n))) : vector
  const { old } = copy
  return copy.with({
    vectors: copy.vectors.map(own),
    old: old === null ? null : { ...old, vectors: old.vectors.map(own) },
  })
}
