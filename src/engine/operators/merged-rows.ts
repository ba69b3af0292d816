import type { Batch } from '../batch.ts'

interface InputRow {
  readonly input: number
  readonly batch: Batch
  readonly row: number
}

/**
 * The rows of several inputs' batches as one sequence: always the head that comes first in time, of the
 * earlier input among equals. Order within an input never changes.
 */
export function* mergedRows(batches: readonly (Batch | null)[]): Iterable<InputRow> {
  const heads = batches.map(() => 0)
  for (;;) {
    let best = -1
    let bestMs = Infinity
    for (let input = 0; input < batches.length; input++) {
      const batch = batches[input]
      if (!batch || heads[input]! >= batch.size) continue
      const orderMs = batch.orderAt(batch.position(heads[input]!))
      if (best < 0 || orderMs < bestMs) {
        best = input
        bestMs = orderMs
      }
    }
    if (best < 0) return
    const batch = batches[best]!
    yield { input: best, batch, row: batch.position(heads[best]!) }
    heads[best]!++
  }
}
