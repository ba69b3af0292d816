import { join } from 'node:path'
import { assert, unreachable } from '../base/assert.ts'
import { systemClock, type Clock, type Timer } from '../base/clock.ts'
import { QueryError, SqlError, StorageError } from '../base/errors.ts'
import type { FileSystem } from '../base/file-system.ts'
import { MemoryFileSystem } from '../base/memory-file-system.ts'
import { nodeFileSystem } from '../base/node-file-system.ts'
import { systemRandom, type Random } from '../base/random.ts'
import type { Batch } from '../engine/batch.ts'
import type { CompileContext } from '../engine/compile/cursor.ts'
import { timestampAfterMaxMs } from '../engine/future-bound.ts'
import type { DropReason, ReadRange } from '../engine/operator.ts'
import { offsetsGroup } from '../engine/query-spec.ts'
import { placeText } from '../engine/record-place.ts'
import type { QueryProblem, QueryRestore } from '../engine/running-query.ts'
import { Worker } from '../engine/worker.ts'
import { formatFinder, formatsOver, type FormatFinder } from '../formats/registry.ts'
import type { SchemaRegistry } from '../formats/schema-registry.ts'
import type { FunctionContext, FunctionRegistry } from '../functions/function.ts'
import type { FunctionLibrary } from '../functions/registry.ts'
import type {
  CommitGroup,
  CommitOwner,
  Log,
  LogHealth,
  Producer,
  ProducerRecord,
  RecordHeader,
  TopicDescription,
  TopicSpec,
} from '../log/log.ts'
import { statementsFor, type Definition } from '../dsl/builder.ts'
import { openLog } from '../log/open-log.ts'
import type { AssertRow, Command, PullQuery, PushQuery } from '../plan/command.ts'
import type { QueryPlan } from '../plan/plan-node.ts'
import { findColumn } from '../plan/schema.ts'
import type { SourceCatalog } from '../plan/data-source.ts'
import { quoteName } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import { bindParameters, type Parameters } from '../sql/bind-parameters.ts'
import { parseStatements } from '../sql/parse.ts'
import { WorkerState } from '../state/worker-state.ts'
import { AssertedRows } from './assertions.ts'
import { Catalog, put, sourcesRead } from './catalog.ts'
import { encodeData, type NewData } from './data.ts'
import { groupOf } from './append-together.ts'
import { EmbeddedSchemaRegistry } from './embedded-schema-registry.ts'
import { encodeSchemas, readSchemas, SCHEMAS_TOPIC } from './stored-schemas.ts'
import { prepareSchemas } from './statement-schemas.ts'
import { DEFINITIONS_TOPIC, encodeChanges, readDefinitions } from './definitions.ts'
import { derivedRows } from './derived-rows.ts'
import type { Effects } from './effects.ts'
import {
  PROCESSING_LOG,
  PROCESSING_LOG_TOPIC,
  processingLogEntries,
  readsProcessingLog,
} from './processing-log.ts'
import { materialisingQuery, pullRows, readRangeFor } from './pull-query.ts'
import { PushQueryRun } from './push-query.ts'
import type { GroupOffset, PushQueryStatus, QueryStatus } from './query-status.ts'
import type { RowObject } from './row-object.ts'
import { RowStream } from './row-stream.ts'
import { booleanSetting, settingOr, settingsFrom } from './settings.ts'
import { RecordPrinter } from './printed-record.ts'
import type { ConsumedRecord, PrintedRecord, StatementResult } from './statement-result.ts'
import { StatementRunner, type Session, type StatementHost } from './statement-runner.ts'
import { SubscriberMemory } from './subscriber-memory.ts'
import { registerFunctions, type UserFunction } from './user-functions.ts'
import { consumeTopic, rowsUpToEnd, type ConsumeOptions } from './topic-reader.ts'

export type { ConsumeOptions }

export interface MillraceOptions {
  /** Where everything is kept; created if missing. Absent: memory, gone when closed. */
  readonly dataDirectory?: string
  /** Settings as SET gives them, for all statements of this instance. */
  readonly settings?: Readonly<Record<string, string>>
  /** How often the engine commits: between these, results are not visible. Default 100. */
  readonly commitIntervalMs?: number
  /** A cycle of the engine ends early when so many bytes wait for its commit. Default 16 MiB. */
  readonly transactionBytesMax?: number
  /** `fsync` (default): a commit survives power loss. `os`: it survives the end of the process. */
  readonly durability?: 'fsync' | 'os'
  /**
   * One budget: half of it for caches and stores, an eighth for rows that wait for the consumers of push queries.
   * Default 256 MiB.
   */
  readonly memoryBytesMax?: number
  /**
   * Functions of one's own, beside the dialect's. A stored query whose function is missing, or gives another
   * type than before, is in state ERROR until the directory is opened with it.
   */
  readonly functions?: readonly UserFunction[]
  /**
   * Where schemas of AVRO, PROTOBUF and JSON_SR are registered. Default: in a topic of the log. One that is
   * elsewhere has to answer when Millrace is opened with queries that write such formats.
   */
  readonly schemaRegistry?: SchemaRegistry
  readonly clock?: Clock
  readonly random?: Random
  readonly fileSystem?: FileSystem
  /** Told of each failure of a query, and of samples of dropped rows and failed expressions. */
  readonly onProblem?: (problem: RuntimeProblem) => void
  /** Told now and then, while Millrace is being opened, how far a query's state is back. */
  readonly onRestore?: (progress: RestoreProgress) => void
}

/** A query that is getting its state back from its changelogs, one of its tasks at a time. */
export interface RestoreProgress extends QueryRestore {
  readonly queryId: string
}

/** Something about a query that somebody should see. */
export interface RuntimeProblem {
  readonly queryId: string
  readonly kind: QueryProblem['kind']
  /** A sentence. */
  readonly detail: string
}

export interface SqlOptions {
  /** Settings for these statements only, as if SET beforehand. */
  readonly settings?: Readonly<Record<string, string>>
  /**
   * Values for the parameters of a SELECT or INSERT … VALUES: an array for `?`, an object for `:name`.
   * They are typed as literals; no text is made of them.
   */
  readonly parameters?: Parameters
}

/** A record to append. Strings are written as UTF-8; other values than bytes and null as JSON. */
export interface NewRecord {
  readonly key?: NewData
  readonly value: NewData
  /** Epoch ms; absent: now. */
  readonly timestampMs?: number
  /** Absent: by murmur2 of the key's bytes, or in turn where there is no key. */
  readonly partition?: number
  readonly headers?: readonly RecordHeader[]
}

/** Whose commits statements of definition are. */
const DEFINITIONS_OWNER = 'definitions'
/** Counts the openings of the state. */
const STATE_OWNER = 'state'
/** Sends in flight before {@link Millrace.produce} waits. */
const PRODUCE_PENDING_MAX = 10_000

/**
 * An open Millrace: the log, its streams and tables, and the queries that run on them. Until it is closed
 * it keeps its process alive.
 *
 * ```ts
 * const millrace = await Millrace.open({ dataDirectory: 'data' })
 * await millrace.sql('CREATE STREAM …; CREATE TABLE … AS SELECT …;')
 * for await (const row of millrace.query('SELECT * FROM alerts EMIT CHANGES;')) console.log(row)
 * await millrace.close()
 * ```
 */
export class Millrace {
  readonly #host: LogHost
  readonly #runner: StatementRunner
  readonly #session: Session
  /** Statements run one text after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #isClosed = false

  private constructor(host: LogHost, settings: Map<string, string>) {
    this.#host = host
    this.#runner = new StatementRunner(host)
    this.#session = { settings, variables: new Map() }
  }

  /**
   * Opens a data directory (or memory), recovers it, and starts its persistent queries again.
   *
   * @throws StorageError when it is locked by another process, isn't ours, or is damaged
   * @throws FunctionError one of `functions` is badly declared, or an example of it fails
   */
  static async open(options: MillraceOptions = {}): Promise<Millrace> {
    const settings = settingsFrom(options.settings ?? {})
    const functions = registerFunctions(options.functions ?? [])
    return new Millrace(await LogHost.open(options, settings, functions), settings)
  }

  /** The log below. */
  get log(): Log {
    return this.#host.log
  }

  /** Where schemas of keys and values are registered, for AVRO, PROTOBUF and JSON_SR. */
  get schemas(): SchemaRegistry {
    return this.#host.registry
  }

  /** What is declared: for completion and checks. */
  get catalog(): SourceCatalog {
    return this.#host.catalog
  }

  get functions(): FunctionRegistry {
    return this.#host.functions
  }

  /**
   * Runs statements in order; each sees the effects of those before it. The whole text is parsed first:
   * a syntax error anywhere runs nothing. What a statement did is durable when the promise resolves.
   *
   * SET, UNSET and DEFINE last as long as this instance, unless `options` gives settings of its own.
   *
   * @param onResult  called with each statement's result as it comes
   * @returns one result per statement
   * @throws SqlError of the first statement refused; the ones before it stay done
   */
  sql(
    text: string,
    options: SqlOptions = {},
    onResult?: (result: StatementResult) => void,
  ): Promise<StatementResult[]> {
    return this.#inTurn(async () => {
      this.#checkOpen()
      return this.#runner.run(text, this.#sessionFor(options), onResult, options.parameters)
    })
  }

  /**
   * Starts one SELECT: with EMIT CHANGES its rows as they come (from now on, unless
   * `auto.offset.reset` says `earliest`), else the answer to a question, which then ends.
   *
   * @throws SqlError when the text isn't one SELECT or is refused
   */
  query<T = RowObject>(text: string, options: SqlOptions = {}): RowStream<T> {
    this.#checkOpen()
    const session = this.#sessionFor(options)
    const statements = parseStatements(text, { variables: session.variables })
    const [statement] = statements
    if (statements.length !== 1 || statement?.kind !== 'query-statement') {
      throw new SqlError('SQL_NOT_A_QUERY', {
        message: 'query() takes one SELECT statement.',
        hint: 'Run other statements with sql().',
      })
    }
    const bound = options.parameters === undefined ? statement : bindParameters(statement, options.parameters)
    return this.#host.stream(this.#runner.prepare(bound, session), session) as RowStream<T>
  }

  /**
   * Makes what the typed builder describes, and what it needs; what exists already stays as it is.
   *
   * @throws SqlError where SQL would refuse it
   */
  define(...definitions: readonly Definition<unknown>[]): Promise<StatementResult[]> {
    return this.sql(statementsFor(definitions).join('\n'))
  }

  /** The changes of a stream or table from now on, as its rows come. */
  subscribe<Row>(definition: Definition<Row>, options: SqlOptions = {}): RowStream<Row> {
    return this.query<Row>(`SELECT * FROM ${quoteName(definition.name)} EMIT CHANGES;`, options)
  }

  createTopic(name: string, spec: TopicSpec): Promise<TopicDescription> {
    return this.#host.log.createTopic(name, spec)
  }

  /**
   * Appends records in order. Resolves when they are durable.
   *
   * @throws StorageError `LOG_UNKNOWN_TOPIC`: topics are not made in passing
   */
  async produce(
    topic: string,
    records: Iterable<NewRecord> | AsyncIterable<NewRecord>,
  ): Promise<{ readonly count: number }> {
    const { producer } = this.#host
    let count = 0
    let failure: { readonly error: unknown } | null = null
    for await (const record of records) {
      const sent = producer.send({
        topic,
        key: encodeData(record.key ?? null),
        value: encodeData(record.value),
        ...(record.partition === undefined ? {} : { partition: record.partition }),
        ...(record.timestampMs === undefined ? {} : { timestampMs: record.timestampMs }),
        ...(record.headers === undefined ? {} : { headers: record.headers }),
      })
      sent.catch((error: unknown) => (failure ??= { error }))
      count++
      if (count % PRODUCE_PENDING_MAX === 0) await producer.flush()
      if (failure !== null) break
    }
    await producer.flush()
    // Rejections of the last sends arrive with the flush.
    await Promise.resolve()
    if (failure !== null) throw (failure as { readonly error: unknown }).error
    return { count }
  }

  /**
   * The records of a topic; within a partition in order.
   *
   * @throws StorageError `LOG_UNKNOWN_TOPIC`
   */
  consume(topic: string, options: ConsumeOptions = {}): AsyncIterable<ConsumedRecord> {
    this.#host.requireTopic(topic)
    return consumeTopic(this.#host.log, topic, options)
  }

  /**
   * Resolves when every running query has consumed and committed all there is to read.
   *
   * @throws QueryError if one stopped
   */
  async untilIdle(): Promise<void> {
    await this.#host.worker.untilIdle()
    const stopped = this.queries().find((q) => q.state === 'ERROR')
    if (stopped !== undefined) {
      throw new QueryError('QUERY_STOPPED', {
        message: `Query ${stopped.id} stopped: ${stopped.error ?? 'unknown reason'}`,
      })
    }
  }

  /**
   * All input has ended (a file was read to its end): event time moves on until open windows and timers
   * are done. Resolves when that is committed.
   */
  async endOfInput(): Promise<void> {
    await this.#host.worker.finish()
  }

  /** All persistent queries, in order of creation. */
  queries(): readonly QueryStatus[] {
    return this.#host.queries()
  }

  /** Push queries that run, in order of their start. */
  pushQueries(): readonly PushQueryStatus[] {
    return this.#host.pushQueries()
  }

  /** Figures of the engine: durations of the last commits, in ms, oldest first. */
  get commitMs(): readonly number[] {
    return this.#host.worker.commitMs
  }

  /**
   * How the log is: short of space or of files, which passes, or closed after an error of the disk, which ends
   * with opening the directory again.
   */
  health(): LogHealth {
    return this.#host.log.health()
  }

  /** Commits what was processed and closes everything. Closing twice is harmless. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.#host.close()
  }

  #checkOpen(): void {
    if (!this.#isClosed) return
    throw new QueryError('QUERY_CLOSED', { message: 'This Millrace is closed: it takes no more statements.' })
  }

  #sessionFor(options: SqlOptions): Session {
    if (options.settings === undefined) return this.#session
    const settings = new Map([...this.#session.settings, ...settingsFrom(options.settings)])
    return { settings, variables: this.#session.variables }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }
}

const WHY_DROPPED: Readonly<Record<DropReason, string>> = {
  late: 'it came after its windows had closed',
  'null-key': 'its key is null',
  'null-value': 'it has no value',
  expired: 'what it belongs to is forgotten',
  'bad-timestamp': 'its time is out of range',
  'too-large': 'it is larger than its topic takes',
  'expired-unread': 'it was removed from its topic before the query read it',
}

/** A problem as a sentence. */
function problemText(problem: QueryProblem): string {
  switch (problem.kind) {
    case 'row-dropped':
      return `A row was dropped: ${WHY_DROPPED[problem.reason]}${problem.detail === undefined ? '' : ` (${problem.detail})`}.`
    case 'record-unreadable':
      return (
        `The ${problem.part} of the record at topic ${problem.topic}, partition ${problem.partition}, ` +
        `offset ${problem.offset} cannot be read: ${problem.reason}`
      )
    case 'query-failed':
      return errorMessage(problem.error)
    case 'state-rebuilt':
      return `Its state is computed from its inputs again: ${problem.reason}`
    case 'expression-failed': {
      const place = placeText(problem.place, problem.timestampMs)
      return `An expression failed on ${place}: ${errorMessage(problem.error)}`
    }
    default:
      return unreachable(problem)
  }
}

function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The log, the engine and the catalog over them; what statements do, they do here. */
class LogHost implements StatementHost {
  readonly log: Log
  readonly worker: Worker
  readonly catalog: Catalog
  readonly producer: Producer
  readonly functions: FunctionLibrary
  readonly clock: Clock
  readonly registry: SchemaRegistry
  readonly formatOf: FormatFinder
  readonly keepExistingPartitions = false
  readonly #random: Random
  readonly #state: WorkerState
  /** Running push queries and their statements. */
  readonly #streams = new Map<RowStream, string>()
  readonly #subscriberMemory: SubscriberMemory
  #owner: CommitOwner
  readonly #asserted: AssertedRows
  readonly #onProblem: (queryId: string, problem: QueryProblem) => void
  #streamNumber = 0
  /** Whether a statement has inserted, or made a query, since queries were last seen to have caught up. */
  #hasNews = false
  /** An open Millrace keeps its process alive, as a server does: queries go on in the background. */
  readonly #keepAlive = setInterval(() => {}, 2 ** 30)
  #closed: Promise<void> | null = null

  private constructor(parts: {
    readonly log: Log
    readonly worker: Worker
    readonly catalog: Catalog
    readonly registry: SchemaRegistry
    readonly formatOf: FormatFinder
    readonly state: WorkerState
    readonly clock: Clock
    readonly random: Random
    readonly functions: FunctionLibrary
    readonly owner: CommitOwner
    readonly subscriberMemory: SubscriberMemory
    readonly onProblem: (queryId: string, problem: QueryProblem) => void
  }) {
    this.log = parts.log
    this.worker = parts.worker
    this.catalog = parts.catalog
    this.registry = parts.registry
    this.formatOf = parts.formatOf
    this.clock = parts.clock
    this.#state = parts.state
    this.#random = parts.random
    this.functions = parts.functions
    this.#owner = parts.owner
    this.#onProblem = parts.onProblem
    this.#subscriberMemory = parts.subscriberMemory
    this.producer = parts.log.producer()
    this.#asserted = new AssertedRows(parts.log, parts.formatOf, parts.clock)
  }

  static async open(
    options: MillraceOptions,
    settings: ReadonlyMap<string, string>,
    functions: FunctionLibrary,
  ): Promise<LogHost> {
    const { clock = systemClock, random = systemRandom, dataDirectory } = options
    const { memoryBytesMax = 256 * 1024 * 1024 } = options
    const inMemory = dataDirectory === undefined
    const fileSystem = options.fileSystem ?? (inMemory ? new MemoryFileSystem() : nodeFileSystem)
    const directory = dataDirectory ?? '/memory'
    const onProblem = (queryId: string, problem: QueryProblem): void =>
      options.onProblem?.({ queryId, kind: problem.kind, detail: problemText(problem) })
    const log = await openLog({
      directory,
      fileSystem,
      clock,
      random,
      ...(options.durability === undefined ? {} : { durability: options.durability }),
      ...(inMemory ? { journalBytesMax: 1024 * 1024 } : {}),
    })
    let close = (): Promise<void> => log.close()
    try {
      const owner = await log.claim(DEFINITIONS_OWNER)
      const missing = [
        { name: DEFINITIONS_TOPIC, partitions: 1, config: { 'cleanup.policy': 'compact' } },
        { name: SCHEMAS_TOPIC, partitions: 1, config: { 'cleanup.policy': 'compact' } },
        { name: PROCESSING_LOG_TOPIC, partitions: 1 },
      ].filter((t) => log.topic(t.name) === undefined)
      if (missing.length > 0) await commit(log, { owner, appends: [], offsets: [], createTopics: missing })
      // Read as a whole, now, and never from the middle: nobody needs tombstones of theirs for longer.
      for (const topic of [DEFINITIONS_TOPIC, SCHEMAS_TOPIC]) log.holdFrom(topic, 0, Number.MAX_SAFE_INTEGER)
      const catalog = new Catalog(
        (topic) => log.topic(topic)?.partitions,
        () => log.topics().flatMap((topic) => (topic.internal ? [] : [topic.name])),
      )
      catalog.apply([put({ kind: 'source', source: PROCESSING_LOG })])
      catalog.apply(await readDefinitions(log))
      const registry = options.schemaRegistry ?? (await embeddedRegistry(log, owner, clock))
      const formatOf = formatFinder(formatsOver(registry))
      const state = await WorkerState.open({
        directory: inMemory ? null : join(directory, 'state'),
        log,
        fileSystem,
        clock,
        epoch: (await log.claim(STATE_OWNER)).epoch,
        memoryBytesMax: Math.floor(memoryBytesMax / 2),
      })
      close = () => state.close().finally(() => log.close())
      const worker = new Worker({
        log,
        state,
        clock,
        compile: { functions, functionContext: { clock, random, settings } },
        formatOf,
        commitIntervalMs: options.commitIntervalMs ?? Number(settingOr(settings, 'commit.interval.ms')),
        transactionBytesMax: options.transactionBytesMax ?? 16 * 1024 * 1024,
        cache: settings.get('cache.max.bytes.buffering') !== '0',
        compatibility: booleanSetting(settings, 'millrace.compatibility'),
        describeProblems: (id, problems) =>
          processingLogEntries(
            id,
            clock.nowMs(),
            problems.failures.length > 0 && readsProcessingLog(id, catalog.queries())
              ? { ...problems, failures: [] }
              : problems,
          ),
        onProblem,
      })
      const host = new LogHost({
        log,
        worker,
        catalog,
        registry,
        formatOf,
        state,
        clock,
        random,
        functions,
        owner,
        subscriberMemory: new SubscriberMemory(Math.floor(memoryBytesMax / 8)),
        onProblem,
      })
      close = () => host.close()
      await worker.start()
      await host.#forgetLeftovers()
      const stopTelling = tellOfRestores(worker, catalog, clock, options.onRestore)
      try {
        for (const query of catalog.queries()) await host.#start(query.id)
      } finally {
        stopTelling()
      }
      return host
    } catch (error) {
      // The first error is the reason; what closing adds to it is its consequence.
      await close().catch(() => {})
      throw error
    }
  }

  functionContext(settings: ReadonlyMap<string, string>): FunctionContext {
    return { clock: this.clock, random: this.#random, settings }
  }

  topics(): readonly TopicDescription[] {
    return this.log.topics()
  }

  offsetsIn(topic: string): readonly GroupOffset[] {
    const offsets = this.log.groups().flatMap((group) =>
      this.log
        .committedOffsets(group)
        .filter((committed) => committed.topic === topic)
        .map(({ partition, offset }) => {
          const { logStart, lastStable } = this.log.ends(topic, partition)
          return { group, partition, startOffset: logStart, endOffset: lastStable, offset }
        }),
    )
    return offsets.toSorted((a, b) =>
      a.group < b.group ? -1 : a.group > b.group ? 1 : a.partition - b.partition,
    )
  }

  recordsIn(topic: string): number {
    const partitions = this.log.topic(topic)?.partitions ?? 0
    return Array.from({ length: partitions }, (_, p) => {
      const { logStart, lastStable } = this.log.ends(topic, p)
      return lastStable - logStart
    }).reduce((sum, count) => sum + count, 0)
  }

  health(): LogHealth {
    return this.log.health()
  }

  queries(): readonly QueryStatus[] {
    return this.catalog.queries().map((query) => {
      const status = this.worker.status(query.id)
      const stopped = status?.state === 'ERROR'
      return {
        id: query.id,
        statement: query.statement,
        kind: query.kind,
        state: query.paused ? 'PAUSED' : stopped ? 'ERROR' : 'RUNNING',
        error: status?.error ?? null,
        reads: query.reads,
        writes: query.writes,
        topic: query.plan.sink?.topic ?? null,
        counters: {
          recordsIn: status?.rowsIn ?? 0,
          recordsOut: status?.rowsOut ?? 0,
          dropped: {
            ...status?.dropped,
            ...(status !== undefined && status.unreadable > 0 ? { undecodable: status.unreadable } : {}),
          },
          expressionErrors: status?.expressionErrors ?? 0,
          expressionErrorReasons: status?.expressionErrorReasons ?? {},
          lag: status?.lag ?? 0,
          eventTimeMs: status?.eventTimeMs ?? null,
          nextTimerMs: status?.nextTimerMs ?? null,
        },
      }
    })
  }

  async apply(effects: Effects): Promise<void> {
    for (const id of effects.end) await this.worker.remove(id)
    // A replaced query stops before its new definition counts.
    for (const id of effects.start) if (this.catalog.query(id) !== undefined) await this.worker.remove(id)
    await this.#commitDefinitions(effects)
    this.catalog.apply(effects.changes)
    for (const id of effects.end) await this.#forget(id)
    for (const id of effects.start) await this.#start(id)
    if (effects.start.length > 0) this.#hasNews = true
    for (const id of effects.pause) await this.worker.pause(id, true)
    for (const id of effects.resume) await this.worker.pause(id, false)
  }

  async append(records: readonly ProducerRecord[]): Promise<void> {
    for (const { topic } of records) this.requireTopic(topic)
    this.#hasNews = true
    if (records.length === 1) await this.producer.send(records[0]!)
    else await commit(this.log, groupOf(records, this.log, this.#owner, this.#random, this.clock))
  }

  async pull(query: PullQuery, context: CompileContext): Promise<readonly Row[]> {
    const { source, derived } = query
    if (this.#hasNews) await this.#catchUp()
    if (derived !== null) return pullRows(query, this.#derivedRows(derived, context), context)
    if (source.kind === 'stream')
      return pullRows(query, rowsUpToEnd(this.log, source, this.formatOf), context)
    const definition = materialisingQuery(source, this.catalog)
    return pullRows(query, this.readCommitted(definition.id, readRangeFor(source, query.access)), context)
  }

  #derivedRows(plan: QueryPlan, compile: CompileContext): AsyncIterable<Batch> {
    const { settings } = compile.functionContext
    const compatibility = booleanSetting(settings, 'millrace.compatibility')
    const queryId = `transient_${this.#streamNumber++}`
    return derivedRows(plan, {
      log: this.log,
      clock: this.clock,
      compile,
      formatOf: this.formatOf,
      compatibility,
      timestampAfterMaxMs: timestampAfterMaxMs(settings, compatibility),
      onProblem: (problem) => this.#onProblem(queryId, problem),
    })
  }

  /** Who inserts, or makes a table, and then asks expects an answer with it: queries get a moment to take it in. */
  async #catchUp(): Promise<void> {
    this.#hasNews = false
    let timer: Timer | undefined
    const tooLong = new Promise<void>((resolve) => {
      timer = this.clock.after(CATCH_UP_MS, resolve)
    })
    await Promise.race([this.worker.untilIdle(), tooLong])
    timer?.cancel()
  }

  pushQueries(): readonly PushQueryStatus[] {
    return [...this.#streams].map(([stream, statement]) => ({
      id: stream.queryId,
      statement,
      queuedBytes: stream.queuedBytes,
    }))
  }

  async endPushQuery(id: string): Promise<boolean> {
    for (const stream of this.#streams.keys()) {
      if (stream.queryId.toUpperCase() !== id.toUpperCase()) continue
      await stream.close()
      return true
    }
    return false
  }

  readCommitted(queryId: string, range: ReadRange): AsyncIterable<Batch> {
    return this.worker.readCommitted(queryId, range)
  }

  push(query: PushQuery, settings: ReadonlyMap<string, string>): RowStream {
    const queryId = `transient_${this.#streamNumber++}`
    const run = new PushQueryRun(query, {
      log: this.log,
      clock: this.clock,
      compile: { functions: this.functions, functionContext: this.functionContext(settings) },
      formatOf: this.formatOf,
      reset: settings.get('auto.offset.reset')?.toLowerCase() === 'earliest' ? 'earliest' : 'latest',
      compatibility: booleanSetting(settings, 'millrace.compatibility'),
      idleMs: idleMsOf(query.plan),
      timestampAfterMaxMs: timestampAfterMaxMs(settings, booleanSetting(settings, 'millrace.compatibility')),
      onProblem: (problem) => this.#onProblem(queryId, problem),
    })
    const schema = { columns: query.columns.map((name) => findColumn(query.plan.root.schema, name)!) }
    const stream: RowStream = new RowStream({
      schema,
      queryId,
      source: run,
      queueBytesMax: () => this.#subscriberMemory.shareBytes,
      onClose: () => {
        this.#streams.delete(stream)
        this.#subscriberMemory.closed()
      },
    })
    this.#subscriberMemory.opened()
    this.#streams.set(stream, query.statement)
    return stream
  }

  /** A query command as a stream of rows. */
  stream(command: Command, session: Session): RowStream {
    if (command.kind === 'push-query') return this.push(command, new Map(session.settings))
    assert(command.kind === 'pull-query', 'a SELECT is a push or a pull query')
    const context = { functions: this.functions, functionContext: this.functionContext(session.settings) }
    return new RowStream({
      schema: command.schema,
      queryId: `transient_${this.#streamNumber++}`,
      source: {
        run: async (sink) => {
          for (const row of await this.pull(command, context)) sink.push(row, 0, false)
        },
      },
    })
  }

  print(command: Extract<Command, { kind: 'print' }>): AsyncIterable<PrintedRecord> {
    this.requireTopic(command.topic)
    const records = consumeTopic(this.log, command.topic, {
      from: command.fromBeginning ? 'beginning' : 'end',
      follow: true,
    })
    const declared = this.catalog.sources().filter((source) => source.topic === command.topic)
    const window = declared.find((source) => source.windowedKey !== null)?.windowedKey ?? null
    const printer = new RecordPrinter(this.registry, this.formatOf, window)
    return sampled(records, command.interval ?? 1, command.limit ?? Infinity, printer)
  }

  async assertRow(command: AssertRow, context: CompileContext): Promise<string> {
    await this.#catchUp()
    return this.#asserted.expect(command, context)
  }

  requireTopic(topic: string): void {
    if (this.log.topic(topic) !== undefined) return
    throw new StorageError('LOG_UNKNOWN_TOPIC', {
      message: `There is no topic ${topic}.`,
      hint: 'SHOW TOPICS lists them.',
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const failures: unknown[] = []
    const worker = { close: () => this.worker.stop() }
    const parts = [...this.#streams.keys(), this.producer, worker, this.#state, this.log]
    // Each whatever became of those before: the data directory must not stay locked.
    for (const part of parts) await part.close().catch((error: unknown) => failures.push(error))
    clearInterval(this.#keepAlive)
    if (failures.length > 0) throw failures[0]
  }

  async #start(id: string): Promise<void> {
    const query = this.catalog.query(id)
    assert(query, 'a started query is in the catalog')
    const settings = new Map(Object.entries(query.settings))
    await prepareSchemas(id, query.plan, this)
    await this.worker.add({
      id,
      plan: query.plan,
      reset: settings.get('auto.offset.reset')?.toLowerCase() === 'latest' ? 'latest' : 'earliest',
      idleMs: idleMsOf(query.plan) ?? (query.kind === 'alert' ? ALERT_IDLE_MS : null),
      settings,
      paused: query.paused,
      // Without a sink its rows only go to its state.
      ...(query.plan.sink === null ? { onResult: () => {} } : {}),
    })
  }

  /** What an ended query leaves behind: internal topics, its checkpoint, offsets. */
  async #forget(id: string): Promise<void> {
    // Ids may begin alike: a topic is that of the query with the longest id it begins with.
    const others = this.catalog.queryIds().filter((other) => other.startsWith(`${id}-`))
    for (const { name } of this.log.topics()) {
      if (!name.startsWith(internalTopicPrefix(id))) continue
      if (others.every((other) => !name.startsWith(internalTopicPrefix(other))))
        await this.log.deleteTopic(name)
    }
    await this.#state.deleteTasks((taskId) => taskId.slice(0, taskId.lastIndexOf('/')) === id)
    // Last, because a group without its query is how leftovers are found.
    const group = offsetsGroup(id)
    if (this.log.groups().includes(group)) {
      await commit(this.log, { owner: this.#owner, appends: [], offsets: [], deleteGroups: [group] })
    }
  }

  /** What queries left behind whose end was committed just before the last process ended. */
  async #forgetLeftovers(): Promise<void> {
    for (const group of this.log.groups()) {
      const id = queryOfGroup(group)
      if (id !== null && this.catalog.query(id) === undefined) await this.#forget(id)
    }
  }

  /** One statement, one commit: definitions and topics together. */
  async #commitDefinitions({ changes, createTopics, deleteTopics }: Effects): Promise<void> {
    if (changes.length === 0 && createTopics.length === 0 && deleteTopics.length === 0) return
    await commit(this.log, {
      owner: this.#owner,
      appends:
        changes.length === 0
          ? []
          : [{ topic: DEFINITIONS_TOPIC, partition: 0, batches: encodeChanges(changes, this.clock.nowMs()) }],
      offsets: [],
      createTopics,
      deleteTopics,
    })
  }
}

/** The longest a pull query waits for what was inserted before it. Other input may never end. */
const CATCH_UP_MS = 1_000
/** Silence of an alert's input for this long counts as time passing. */
const ALERT_IDLE_MS = 1_000

/** When all streams of a query may be silent for time to go on: then the longest of their times. */
function idleMsOf(plan: QueryPlan): number | null {
  const streams = sourcesRead(plan).filter((source) => source.kind === 'stream')
  const idle = streams.flatMap((source) => source.idleMs ?? [])
  return streams.length > 0 && idle.length === streams.length ? Math.max(...idle) : null
}

/** The query whose offsets a group holds, or null for a group of somebody else. */
function queryOfGroup(group: string): string | null {
  const prefix = offsetsGroup('')
  return group.startsWith(prefix) ? group.slice(prefix.length) : null
}

/** What the names of a query's changelogs begin with. */
function internalTopicPrefix(queryId: string): string {
  return `_millrace-${queryId}-`
}

/** The registry in the log, as it was left. */
async function embeddedRegistry(log: Log, owner: CommitOwner, clock: Clock): Promise<EmbeddedSchemaRegistry> {
  const registry = new EmbeddedSchemaRegistry(async (changes) => {
    const batches = encodeSchemas(changes, clock.nowMs())
    await commit(log, { owner, appends: [{ topic: SCHEMAS_TOPIC, partition: 0, batches }], offsets: [] })
  })
  registry.restore(await readSchemas(log))
  return registry
}

async function commit(log: Log, group: CommitGroup): Promise<void> {
  const outcome = await log.commit(group)
  if (outcome.kind === 'committed') return
  throw new StorageError('DEFINITIONS_NOT_COMMITTED', {
    message:
      outcome.kind === 'fenced'
        ? 'Another process has taken over this data directory.'
        : `Whether the statement is durable is unknown: ${log.health().detail}`,
    ...(outcome.kind === 'unknown' ? { cause: outcome.cause } : {}),
    hint: 'Open the data directory again to see what it holds.',
  })
}

async function* sampled(
  records: AsyncIterable<ConsumedRecord>,
  interval: number,
  limit: number,
  printer: RecordPrinter,
): AsyncIterable<PrintedRecord> {
  let seen = 0
  let shown = 0
  if (limit <= 0) return
  for await (const record of records) {
    if (seen++ % interval !== 0) continue
    yield await printer.printed(record)
    if (++shown >= limit) return
  }
}

const RESTORES_TOLD_EVERY_MS = 200

/** @returns how to stop */
function tellOfRestores(
  worker: Worker,
  catalog: Catalog,
  clock: Clock,
  tell: ((progress: RestoreProgress) => void) | undefined,
): () => void {
  if (tell === undefined) return () => {}
  let timer: Timer | null = null
  const look = (): void => {
    for (const { id: queryId } of catalog.queries()) {
      const restoring = worker.status(queryId)?.restoring ?? null
      if (restoring !== null) tell({ queryId, ...restoring })
    }
    timer = clock.after(RESTORES_TOLD_EVERY_MS, look)
  }
  look()
  return () => timer?.cancel()
}
