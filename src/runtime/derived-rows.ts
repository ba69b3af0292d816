import { BatchBuilder, type Batch, type BuiltRow } from '../engine/batch.ts'
import type { QueryPlan } from '../plan/plan-node.ts'
import { keyColumns } from '../plan/schema.ts'
import { KeyCodec } from '../state/key-codec.ts'
import { TransientRun, type TransientRunOptions } from './transient-run.ts'

/**
 * What a query gives over all that is in its inputs at the moment of the call: of a stream every row, of a table
 * the row that each key has in the end.
 */
export async function* derivedRows(
  plan: QueryPlan,
  options: Omit<TransientRunOptions, 'reset' | 'idleMs'>,
): AsyncIterable<Batch> {
  const { root } = plan
  const builder = new BatchBuilder(root.schema)
  const table = root.output === 'table' ? new TableRows(plan) : null
  const run = new TransientRun(plan, { ...options, reset: 'earliest', idleMs: null }, (batch) => {
    for (const row of builtRows(batch)) {
      if (table === null) builder.add(row)
      else table.put(row)
    }
  })
  const ends = run.positions().map(({ topic, partition }) => ({
    topic,
    partition,
    end: options.log.ends(topic, partition).lastStable,
  }))
  // Inputs may go on growing: the answer is about what was there when it was asked for.
  const isBehind = (): boolean => {
    const at = new Map(run.positions().map((p) => [`${p.topic}/${p.partition}`, p.offset]))
    return ends.some(({ topic, partition, end }) => at.get(`${topic}/${partition}`)! < end)
  }
  while (isBehind() && (await run.step())) {
    const batch = builder.take()
    if (batch !== null) yield batch
    await options.clock.turn()
  }
  for (const row of table?.rows() ?? []) builder.add(row)
  const rest = builder.take()
  if (rest !== null) yield rest
}

/** The latest row of each key, and of each window where there are some, in order of their first coming. */
class TableRows {
  readonly #codec: KeyCodec
  readonly #rows = new Map<string, BuiltRow>()

  constructor({ root }: QueryPlan) {
    this.#codec = new KeyCodec(keyColumns(root.schema).map((c) => c.type))
  }

  put(row: BuiltRow): void {
    const key = `${row.windowStartMs ?? ''}/${row.windowEndMs ?? ''}/${this.#codec.encode(row.key)}`
    if (row.value === null) this.#rows.delete(key)
    else this.#rows.set(key, row)
  }

  rows(): Iterable<BuiltRow> {
    return this.#rows.values()
  }
}

/** The rows of a batch, taken out of it: its bytes are used again. */
function* builtRows(batch: Batch): Iterable<BuiltRow> {
  const { columns } = batch.schema
  const keys = columns.filter((c) => c.role === 'key').length
  for (let n = 0; n < batch.size; n++) {
    const row = batch.position(n)
    const values = batch.slice(row, 0, columns.length)
    yield {
      key: values.slice(0, keys),
      value: batch.isAbsent(row) ? null : values.slice(keys),
      timestampMs: batch.timestamps[row]!,
      ...(batch.windows === null
        ? {}
        : { windowStartMs: batch.windows.starts[row]!, windowEndMs: batch.windows.ends[row]! }),
    }
  }
}
