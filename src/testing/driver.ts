import { assert } from '../base/assert.ts'
import { ManualClock, systemClock, type Clock } from '../base/clock.ts'
import { NotSupportedError, QueryError } from '../base/errors.ts'
import { systemRandom, type Random } from '../base/random.ts'
import type { Batch } from '../engine/batch.ts'
import type { CompileContext } from '../engine/compile/cursor.ts'
import type { DropReason, ReadRange } from '../engine/operator.ts'
import { QueryRun } from '../engine/query-run.ts'
import { placeOf } from '../engine/record-place.ts'
import { SourceDecoder } from '../engine/source-decoder.ts'
import { statementsFor, type Definition } from '../dsl/builder.ts'
import { formatFinder, formatsOver } from '../formats/registry.ts'
import type { Format } from '../formats/format.ts'
import type { FunctionContext } from '../functions/function.ts'
import type { FunctionLibrary } from '../functions/registry.ts'
import type { LogHealth, ProducerRecord, RecordHeader, TopicDescription } from '../log/log.ts'
import type { RecordColumns } from '../log/records.ts'
import { walkRecords } from '../log/walk-records.ts'
import type { PullQuery } from '../plan/command.ts'
import type { DataSource } from '../plan/data-source.ts'
import type { QueryPlan } from '../plan/plan-node.ts'
import type { Row } from '../plan/sql-value.ts'
import { Catalog, sourcesRead } from '../runtime/catalog.ts'
import { encodeData, type NewData } from '../runtime/data.ts'
import type { Effects } from '../runtime/effects.ts'
import { EmbeddedSchemaRegistry } from '../runtime/embedded-schema-registry.ts'
import { materialisingQuery, pullRows, readRangeFor } from '../runtime/pull-query.ts'
import type { QueryStatus } from '../runtime/query-status.ts'
import { booleanSetting, settingsFrom } from '../runtime/settings.ts'
import type { StatementResult } from '../runtime/statement-result.ts'
import { StatementRunner, type Session, type StatementHost } from '../runtime/statement-runner.ts'
import type { Statement } from '../sql/ast.ts'
import type { Parameters } from '../sql/bind-parameters.ts'
import { TransientTaskStores } from '../runtime/transient-stores.ts'
import { registerFunctions, type UserFunction } from '../runtime/user-functions.ts'

export interface TestDriverOptions {
  /** As if SET before the first statement. Names are not checked. */
  readonly settings?: Readonly<Record<string, string>> | ReadonlyMap<string, string>
  /** What UNIX_TIMESTAMP() and the default ROWTIME of INSERT … VALUES read. Default: the system's. */
  readonly clock?: Clock
  readonly random?: Random
  /** Functions of one's own, beside the dialect's. */
  readonly functions?: readonly UserFunction[]
  /** Keep ksqlDB's behaviour where ours differs on purpose. Default false. */
  readonly compatibility?: boolean
}

/** A record of a test: strings are written as UTF-8, other values than bytes and null as JSON. */
export interface TestRecord {
  readonly key?: NewData
  readonly value: NewData
  /** Epoch ms. Default 0. */
  readonly timestampMs?: number
  readonly headers?: readonly RecordHeader[]
}

/** A record as it lies in a topic. */
export interface TopicRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestampMs: number
  readonly headers: readonly RecordHeader[]
}

/** Something about a record or row that did not go on. */
export interface DriverProblem {
  readonly queryId: string
  readonly kind: 'undecodable' | 'dropped' | 'expression'
  readonly reason: string
  readonly topic?: string
  readonly offset?: number
}

/**
 * Runs statements and their queries in memory, one record at a time: every update is an output record,
 * nothing is batched, cached or delayed, and no wall clock moves. For tests of queries.
 *
 * ```ts
 * const driver = new TestDriver()
 * await driver.sql(`CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
 *                   CREATE TABLE t AS SELECT id, SUM(v) AS total FROM s GROUP BY id;`)
 * await driver.produce('s', { key: 'a', value: { V: 3 } })
 * driver.records('T') // one record: key a, value {"TOTAL":3}
 * ```
 *
 * All records are in partition 0, however many partitions a topic has.
 */
export class TestDriver {
  readonly #session: Session
  readonly #host: DriverHost
  readonly #runner: StatementRunner

  constructor(options: TestDriverOptions = {}) {
    const settings = settingsFrom(options.settings ?? {})
    if (options.compatibility === true) settings.set('millrace.compatibility', 'true')
    this.#session = { settings, variables: new Map() }
    this.#host = new DriverHost(options)
    this.#runner = new StatementRunner(this.#host)
  }

  get catalog(): Catalog {
    return this.#host.catalog
  }

  /** What was passed over or counted as an error so far. */
  get problems(): readonly DriverProblem[] {
    return this.#host.problems
  }

  /** Plans of the queries, in order of creation. */
  get plans(): readonly QueryPlan[] {
    return this.#host.catalog.queries().map((q) => q.plan)
  }

  /** Schemas of topics; what statements need may be registered beforehand. */
  get registry(): EmbeddedSchemaRegistry {
    return this.#host.registry
  }

  /** The format of a name. */
  formatOf(name: string): Format | undefined {
    return this.#host.formatOf(name)
  }

  /** Sources that were declared at any time, by topic: the latest of each. */
  sourceOf(topic: string): DataSource | undefined {
    return this.#host.sourceOf(topic)
  }

  createTopic(name: string, partitions = 1): void {
    this.#host.createTopic(name, partitions)
  }

  /** @throws SqlError of the first statement refused */
  async sql(text: string, parameters?: Parameters): Promise<StatementResult[]> {
    return this.#runner.run(text, this.#session, undefined, parameters)
  }

  /** Makes what the typed builder describes, and what it needs. */
  async define(...definitions: readonly Definition<unknown>[]): Promise<void> {
    await this.sql(statementsFor(definitions).join('\n'))
  }

  /** Runs one parsed statement. */
  async statement(statement: Statement): Promise<StatementResult> {
    return this.#runner.runStatement(statement, this.#session)
  }

  /** Appends a record, and lets every query that reads its topic work it off, and those that read what comes of it. */
  async produce(topic: string, record: TestRecord): Promise<void> {
    this.append(topic, record)
    await this.#host.deliverNew()
  }

  /** Appends a record without handing it to any query. */
  append(topic: string, record: TestRecord): void {
    this.#host.appendRecord(topic, {
      key: encodeData(record.key ?? null),
      value: encodeData(record.value),
      timestampMs: record.timestampMs ?? 0,
      headers: record.headers ?? [],
    })
  }

  /**
   * Feeds the queries one after the other, in order of creation, each to completion: first the given
   * records of its sources in their order, then, of each source that does not occur among them, what its
   * topic holds by now.
   *
   * @throws QueryError when a query stops
   */
  async feedQueries(
    inputs: readonly { readonly topic: string; readonly record: TopicRecord }[],
  ): Promise<void> {
    await this.#host.feedQueries(inputs)
  }

  /** Everything in a topic, oldest first. */
  records(topic: string): readonly TopicRecord[] {
    return this.#host.records(topic)
  }

  topicNames(): readonly string[] {
    return this.#host.topics().map((t) => t.name)
  }
}

interface DriverQuery {
  readonly id: string
  readonly run: QueryRun
  readonly stores: ReadonlyMap<number, TransientTaskStores>
  readonly settings: ReadonlyMap<string, string>
  /** Next offset each topic hands out to this query. */
  readonly offsets: Map<string, number>
  paused: boolean
}

class DriverHost implements StatementHost {
  readonly catalog: Catalog
  readonly functions: FunctionLibrary
  readonly clock: Clock
  readonly registry = new EmbeddedSchemaRegistry()
  readonly formatOf = formatFinder(formatsOver(this.registry))
  readonly keepExistingPartitions = true
  readonly problems: DriverProblem[] = []
  readonly #topics = new Map<string, { readonly partitions: number; readonly records: TopicRecord[] }>()
  readonly #sources = new Map<string, DataSource>()
  readonly #queries = new Map<string, DriverQuery>()
  readonly #streamClock = new ManualClock(0)
  readonly #random: Random
  readonly #compatibility: boolean
  /** Records that queries have not been offered yet, for {@link deliverNew}. */
  #undelivered: { readonly topic: string; readonly record: TopicRecord }[] = []

  constructor(options: TestDriverOptions) {
    this.clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.functions = registerFunctions(options.functions ?? [])
    this.#compatibility = options.compatibility ?? false
    this.catalog = new Catalog((topic) => this.#topics.get(topic)?.partitions)
  }

  functionContext(settings: ReadonlyMap<string, string>): FunctionContext {
    return { clock: this.clock, random: this.#random, settings }
  }

  createTopic(name: string, partitions: number): void {
    if (!this.#topics.has(name)) this.#topics.set(name, { partitions, records: [] })
  }

  sourceOf(topic: string): DataSource | undefined {
    return this.#sources.get(topic)
  }

  records(topic: string): readonly TopicRecord[] {
    return this.#topics.get(topic)?.records ?? []
  }

  topics(): readonly TopicDescription[] {
    return [...this.#topics].map(([name, { partitions }]) => ({
      name,
      id: name,
      partitions,
      config: {},
      internal: false,
    }))
  }

  health(): LogHealth {
    return { state: 'open', detail: 'The test driver keeps records in memory.' }
  }

  queries(): readonly QueryStatus[] {
    return this.catalog.queries().map((q) => ({
      id: q.id,
      statement: q.statement,
      kind: q.kind,
      state: q.paused ? 'PAUSED' : 'RUNNING',
      error: null,
      reads: q.reads,
      writes: q.writes,
      topic: q.plan.sink?.topic ?? null,
      counters: {
        recordsIn: 0,
        recordsOut: 0,
        dropped: {},
        expressionErrors: 0,
        expressionErrorReasons: {},
        lag: 0,
        eventTimeMs: null,
        nextTimerMs: null,
      },
    }))
  }

  appendRecord(topic: string, record: TopicRecord): void {
    this.createTopic(topic, 1)
    this.#topics.get(topic)!.records.push(record)
    this.#undelivered.push({ topic, record })
  }

  async append(records: readonly ProducerRecord[]): Promise<void> {
    for (const { topic, key, value, timestampMs = this.clock.nowMs(), headers = [] } of records) {
      this.appendRecord(topic, { key, value, timestampMs, headers })
    }
    await Promise.resolve()
  }

  async apply(effects: Effects): Promise<void> {
    for (const { name, partitions } of effects.createTopics) this.createTopic(name, partitions)
    this.catalog.apply(effects.changes)
    for (const { entry } of effects.changes) {
      if (entry?.kind === 'source') this.#sources.set(entry.source.topic, entry.source)
    }
    for (const topic of effects.deleteTopics) this.#topics.delete(topic)
    for (const id of effects.end) this.#queries.delete(id)
    for (const id of effects.start) this.#start(id)
    for (const id of effects.pause) this.#queries.get(id)!.paused = true
    for (const id of effects.resume) this.#queries.get(id)!.paused = false
    await Promise.resolve()
  }

  async pull(query: PullQuery, context: CompileContext): Promise<readonly Row[]> {
    const { source } = query
    if (query.derived !== null)
      throw new NotSupportedError('A pull query over a sub-query in the test driver')
    if (source.kind === 'stream') return pullRows(query, this.#allOf(source), context)
    const definition = materialisingQuery(source, this.catalog)
    const range = readRangeFor(source, query.access)
    return pullRows(query, this.readCommitted(definition.id, range), context)
  }

  readCommitted(queryId: string, range: ReadRange): AsyncIterable<Batch> {
    return this.#queries.get(queryId)!.run.readCommitted(range)
  }

  pushQueries(): readonly never[] {
    return []
  }

  async endPushQuery(): Promise<boolean> {
    return Promise.resolve(false)
  }

  push(): never {
    throw new NotSupportedError('A push query in the test driver')
  }

  print(): never {
    throw new NotSupportedError('PRINT in the test driver')
  }

  offsetsIn(): readonly never[] {
    return []
  }

  recordsIn(topic: string): number {
    return this.#topics.get(topic)?.records.length ?? 0
  }

  assertRow(): never {
    throw new NotSupportedError('ASSERT VALUES in the test driver')
  }

  async deliverNew(): Promise<void> {
    for (let next = this.#undelivered.shift(); next !== undefined; next = this.#undelivered.shift()) {
      for (const { id } of this.catalog.queries()) {
        const query = this.#queries.get(id)!
        if (!query.paused) await this.#feed(query, next.topic, next.record)
      }
    }
  }

  async feedQueries(
    inputs: readonly { readonly topic: string; readonly record: TopicRecord }[],
  ): Promise<void> {
    const given = new Set(inputs.map((i) => i.topic))
    for (const { id, plan } of this.catalog.queries()) {
      const query = this.#queries.get(id)!
      const topics = new Set(sourcesRead(plan).map((s) => s.topic))
      for (const { topic, record } of inputs) {
        if (topics.has(topic)) await this.#feed(query, topic, record)
      }
      for (const topic of topics) {
        if (given.has(topic)) continue
        for (const record of this.records(topic).slice()) await this.#feed(query, topic, record)
      }
    }
    this.#undelivered = []
  }

  /** Hands one record to a query and drains it; what came out is in its topic afterwards. */
  async #feed(query: DriverQuery, topic: string, record: TopicRecord): Promise<void> {
    const { run } = query
    const inputs = run.inputs.filter((i) => i.topic === topic)
    if (inputs.length === 0) return
    const offset = query.offsets.get(topic) ?? 0
    query.offsets.set(topic, offset + 1)
    for (const input of inputs) {
      const { batch, unreadable } = run.decode(input, recordColumns([record], offset))
      for (const { part, reason } of unreadable) {
        const stops =
          part === 'timestamp' ? 'ksql.timestamp.throw.on.invalid' : 'ksql.fail.on.deserialization.error'
        if (booleanSetting(query.settings, stops)) {
          throw new QueryError('QUERY_UNREADABLE_RECORD', {
            message: `Query ${query.id} stops at a record it cannot read (topic ${topic}, partition 0, offset ${offset}): ${reason}`,
          })
        }
        this.problems.push({ queryId: query.id, kind: 'undecodable', reason, topic, offset })
      }
      run.feed(input, batch)
    }
    await run.flush()
    for (const append of run.takeAppends()) {
      for (const out of recordsOf(append.batches)) this.appendRecord(append.topic, out)
    }
    for (const stores of query.stores.values()) stores.commit()
  }

  #start(id: string): void {
    const definition = this.catalog.query(id)
    assert(definition, 'a started query is in the catalog')
    const settings = new Map(Object.entries(definition.settings))
    const stores = new Map<number, TransientTaskStores>()
    const problem = (kind: DriverProblem['kind'], reason: string): void =>
      void this.problems.push({ queryId: id, kind, reason })
    const run = new QueryRun(definition.plan, {
      compile: { functions: this.functions, functionContext: this.functionContext(settings) },
      formatOf: this.formatOf,
      clock: this.#streamClock,
      cache: false,
      compatibility: this.#compatibility,
      partitionsOf: () => 1,
      stores: (partition) => {
        const known = stores.get(partition) ?? new TransientTaskStores()
        stores.set(partition, known)
        return known
      },
      onResult: () => {},
      observer: {
        dropped: (reason: DropReason, _batch: Batch, _row: number, detail?: string) =>
          problem('dropped', detail === undefined ? reason : `${reason}: ${detail}`),
        expressionError: (batch, row, error) => {
          const place = placeOf(batch, row)
          this.problems.push({
            queryId: id,
            kind: 'expression',
            reason: error instanceof Error ? error.message : String(error),
            ...(place === null ? {} : { topic: place.topic, offset: place.offset }),
          })
        },
      },
    })
    this.#queries.set(id, { id, run, stores, settings, offsets: new Map(), paused: false })
  }

  async *#allOf(source: DataSource): AsyncIterable<Batch> {
    const all = new Set(source.schema.columns.keys())
    const decoder = new SourceDecoder(source, this.formatOf)
    yield decoder.decode(recordColumns(this.records(source.topic), 0), 0, all).batch
  }
}

/** Records as a slice of the log would show them, from `firstOffset` on. */
function recordColumns(records: readonly TopicRecord[], firstOffset: number): RecordColumns {
  const { length } = records
  const size = records.reduce((sum, r) => sum + (r.key?.length ?? 0) + (r.value?.length ?? 0), 0)
  const bytes = new Uint8Array(size)
  const columns = {
    bytes,
    count: length,
    keyStarts: new Int32Array(length).fill(-1),
    keyEnds: new Int32Array(length).fill(-1),
    valueStarts: new Int32Array(length).fill(-1),
    valueEnds: new Int32Array(length).fill(-1),
    timestamps: Float64Array.from(records, (r) => r.timestampMs),
    offsets: Float64Array.from(records, (_, i) => firstOffset + i),
    headers: records.some((r) => r.headers.length > 0) ? records.map((r) => r.headers) : null,
  }
  let at = 0
  records.forEach(({ key, value }, row) => {
    const place = (part: Uint8Array | null, starts: Int32Array, ends: Int32Array): void => {
      if (part === null) return
      bytes.set(part, at)
      starts[row] = at
      at += part.length
      ends[row] = at
    }
    place(key, columns.keyStarts, columns.keyEnds)
    place(value, columns.valueStarts, columns.valueEnds)
  })
  return columns
}

function recordsOf(batches: Uint8Array): TopicRecord[] {
  const columns = walkRecords(batches, 0)
  return Array.from({ length: columns.count }, (_, row) => ({
    key: slice(columns.bytes, columns.keyStarts[row]!, columns.keyEnds[row]!),
    value: slice(columns.bytes, columns.valueStarts[row]!, columns.valueEnds[row]!),
    timestampMs: columns.timestamps[row]!,
    headers: columns.headers?.[row] ?? [],
  }))
}

function slice(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  return start < 0 ? null : bytes.slice(start, end)
}
