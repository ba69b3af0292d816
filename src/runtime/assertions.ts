import type { Clock } from '../base/clock.ts'
import { SqlError } from '../base/errors.ts'
import type { Batch } from '../engine/batch.ts'
import { compileOverRow, type CompileContext } from '../engine/compile/cursor.ts'
import { readRecords } from '../engine/shared-reader.ts'
import { SourceDecoder } from '../engine/source-decoder.ts'
import type { FormatFinder } from '../formats/registry.ts'
import type { SchemaRegistry } from '../formats/schema-registry.ts'
import { equalsFunction } from '../functions/comparison.ts'
import type { Log, TopicDescription } from '../log/log.ts'
import type { AssertRow, AssertSchema, AssertTopic } from '../plan/command.ts'
import type { DataSource } from '../plan/data-source.ts'
import { printValue } from '../plan/print-expression.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'

/** How long ASSERT looks again. */
const POLL_MS = 20
/** How long ASSERT VALUES waits for a row. */
const ROW_WAIT_MS = 1000

/** @returns what to say when it holds @throws SqlError `SQL_ASSERTION_FAILED` when it does not in time */
export async function assertTopic(
  { topic, exists, partitions, replicas, timeoutMs }: AssertTopic,
  topics: () => readonly TopicDescription[],
  clock: Clock,
): Promise<string> {
  const problem = (): string | null => {
    const found = topics().find((t) => t.name === topic)
    if (!exists) return found === undefined ? null : `There is a topic ${topic}.`
    if (found === undefined) return `There is no topic ${topic}.`
    if (partitions !== null && partitions !== found.partitions)
      return `Topic ${topic} has ${counted(found.partitions, 'partition')}, not ${partitions}.`
    return replicas === null || replicas === 1 || replicas === -1
      ? null
      : `Topic ${topic} is kept once, not in ${replicas} replicas.`
  }
  await until(() => Promise.resolve(problem()), timeoutMs, clock)
  return `Topic ${topic} ${exists ? 'exists' : 'does not exist'}.`
}

/** @returns what to say when it holds @throws SqlError `SQL_ASSERTION_FAILED` when it does not in time */
export async function assertSchema(
  { subject, id, exists, timeoutMs }: AssertSchema,
  registry: SchemaRegistry,
  clock: Clock,
): Promise<string> {
  const what = [
    ...(subject === null ? [] : [`subject ${subject}`]),
    ...(id === null ? [] : [`ID ${id}`]),
  ].join(' and ')
  const problem = async (): Promise<string | null> => {
    await registry.load({ ids: id === null ? [] : [id], subjects: subject === null ? [] : [subject] })
    const newest = subject === null ? undefined : registry.latest(subject)
    const isThere =
      subject === null
        ? registry.byId(id!) !== undefined
        : newest !== undefined && (id === null || newest.id === id)
    if (isThere === exists) return null
    return exists ? `There is no schema of ${what}.` : `There is a schema of ${what}.`
  }
  await until(problem, timeoutMs, clock)
  return `The schema of ${what} ${exists ? 'exists' : 'does not exist'}.`
}

/** Looks until nothing is wrong. @throws SqlError with what still is after that time */
async function until(problem: () => Promise<string | null>, timeoutMs: number, clock: Clock): Promise<void> {
  const startMs = clock.monotonicMs()
  // The clock's timers hold no process, and a script may have nothing else that does.
  const keepAlive = setInterval(() => {}, 2 ** 30)
  try {
    for (;;) {
      const wrong = await problem()
      if (wrong === null) return
      if (clock.monotonicMs() - startMs >= timeoutMs) throw failed(wrong)
      await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve))
    }
  } finally {
    clearInterval(keepAlive)
  }
}

function failed(message: string): SqlError {
  return new SqlError('SQL_ASSERTION_FAILED', { message, stage: 'execute' })
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** A row of a topic, as an assertion sees it. */
interface SeenRow {
  readonly values: Row
  readonly timestampMs: number
  readonly isDeletion: boolean
}

/**
 * What assertions have read of each source: every row is met by one of them, in order of its partition. Where
 * there are several partitions, any of their next rows may be the one.
 */
export class AssertedRows {
  readonly #log: Log
  readonly #formatOf: FormatFinder
  readonly #clock: Clock
  /** Next offset per partition, by source and topic. */
  readonly #next = new Map<string, number[]>()

  constructor(log: Log, formatOf: FormatFinder, clock: Clock) {
    this.#log = log
    this.#formatOf = formatOf
    this.#clock = clock
  }

  /** @throws SqlError `SQL_ASSERTION_FAILED` where the next row is another, or none comes */
  async expect({ source, row, isDeletion }: AssertRow, context: CompileContext): Promise<string> {
    const compute = (expr: (typeof row.values)[number]): SqlValue =>
      compileOverRow(expr, { columns: [] }, context)([], { timestampMs: this.#clock.nowMs() })
    const expected: Row = row.values.map(compute)
    const timestampMs = row.rowtime === null ? null : compute(row.rowtime)
    const fits = (seen: SeenRow): boolean =>
      seen.isDeletion === isDeletion &&
      (timestampMs === null || timestampMs === seen.timestampMs) &&
      source.schema.columns.every(
        (c, i) =>
          (isDeletion && c.role !== 'key') ||
          equalsFunction(c.type)(expected[i] ?? null, seen.values[i] ?? null),
      )
    await until(
      async () => ((await this.#take(source, fits)) ? null : await this.#describeNext(source)),
      ROW_WAIT_MS,
      this.#clock,
    )
    return `The next row of ${source.name} is as asserted.`
  }

  #positions(source: DataSource): number[] {
    const topic = this.#log.topic(source.topic)
    const key = `${source.name} ${topic?.id ?? ''}`
    const known = this.#next.get(key)
    if (known !== undefined) return known
    const positions = Array.from(
      { length: topic?.partitions ?? 0 },
      (_, p) => this.#log.ends(source.topic, p).logStart,
    )
    this.#next.set(key, positions)
    return positions
  }

  async #take(source: DataSource, fits: (row: SeenRow) => boolean): Promise<boolean> {
    const positions = this.#positions(source)
    for (const partition of positions.keys()) {
      const next = await this.#peek(source, partition, positions)
      if (next === null || !fits(next.row)) continue
      positions[partition] = next.offset + 1
      return true
    }
    return false
  }

  async #describeNext(source: DataSource): Promise<string> {
    const positions = this.#positions(source)
    const rows: string[] = []
    for (const partition of positions.keys()) {
      const next = await this.#peek(source, partition, positions)
      if (next === null) continue
      const columns = source.schema.columns.flatMap((c, i) =>
        next.row.isDeletion && c.role !== 'key'
          ? []
          : [`${c.name} ${printValue(next.row.values[i] ?? null, c.type)}`],
      )
      const what = next.row.isDeletion ? 'deletes' : 'is'
      rows.push(`${what} ${columns.join(', ')}, ROWTIME ${next.row.timestampMs}`)
    }
    return rows.length === 0
      ? `${source.name} has no further row.`
      : `The next row of ${source.name} ${rows.join('; that of another partition ')}.`
  }

  /** The next row of a partition, passing over records that can't be read. */
  async #peek(
    source: DataSource,
    partition: number,
    positions: readonly number[],
  ): Promise<{ readonly row: SeenRow; readonly offset: number } | null> {
    const decoder = new SourceDecoder(source, this.#formatOf)
    for (let offset = positions[partition]!; ;) {
      const read = await readRecords(this.#log, source.topic, partition, offset)
      if (read === null) return null
      await decoder.loadSchemas(read.records)
      const { batch } = decoder.decode(read.records, partition, new Set(source.schema.columns.keys()))
      for (let n = 0; n < batch.size; n++) {
        const at = batch.position(n)
        const found = read.records.offsets[at]!
        if (found >= offset) return { row: seenRow(batch, at), offset: found }
      }
      offset = read.nextOffset
    }
  }
}

function seenRow(batch: Batch, row: number): SeenRow {
  return {
    values: batch.slice(row, 0, batch.schema.columns.length),
    timestampMs: batch.timestamps[row]!,
    isDeletion: batch.isAbsent(row),
  }
}
