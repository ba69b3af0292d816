import type { Clock } from '../base/clock.ts'
import { NotSupportedError } from '../base/errors.ts'
import type { FileSystem } from '../base/file-system.ts'
import type { Random } from '../base/random.ts'
import type { Delivery, Log, RecordHeader, TopicDescription, TopicSpec } from '../log/log.ts'
import type { SourceCatalog } from '../plan/data-source.ts'
import type { FunctionRegistry } from '../functions/function.ts'
import type { NewData } from './data.ts'
import type { QueryStatus } from './query-status.ts'
import type { RowObject } from './row-object.ts'
import type { RowStream } from './row-stream.ts'
import type { ConsumeOptions } from './topic-reader.ts'
import type { ConsumedRecord, StatementResult } from './statement-result.ts'

export type { ConsumeOptions }

export interface MillraceOptions {
  /** Where everything is kept; created if missing. Absent: memory, gone when closed. */
  readonly dataDirectory?: string
  /** Settings as SET gives them, for all statements of this instance. */
  readonly settings?: Readonly<Record<string, string>>
  /** How often the engine commits: between these, results are not visible. Default 100. */
  readonly commitIntervalMs?: number
  /** `synced` (default): a commit survives power loss. `os`: it survives the end of the process. */
  readonly durability?: 'synced' | 'os'
  /** One budget for caches, LevelDB, buffers and queues. */
  readonly memoryBytesMax?: number
  readonly clock?: Clock
  readonly random?: Random
  readonly fileSystem?: FileSystem
}

export interface SqlOptions {
  /** Settings for these statements only, as if SET beforehand. */
  readonly settings?: Readonly<Record<string, string>>
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

/**
 * An open Millrace: the log, its streams and tables, and the queries that run on them.
 *
 * ```ts
 * const millrace = await Millrace.open({ dataDirectory: 'data' })
 * await millrace.sql('CREATE STREAM …; CREATE TABLE … AS SELECT …;')
 * for await (const row of millrace.query('SELECT * FROM alerts EMIT CHANGES;')) console.log(row)
 * await millrace.close()
 * ```
 */
export class Millrace {
  private constructor() {}

  /**
   * Opens a data directory (or memory), recovers it, and starts its persistent queries again.
   *
   * @throws StorageError when it is locked by another process, isn't ours, or is damaged
   */
  static async open(_options: MillraceOptions = {}): Promise<Millrace> {
    throw new NotSupportedError('Opening Millrace')
  }

  /** The log below. */
  get log(): Log {
    throw new NotSupportedError('The log')
  }
  /** What is declared: for completion and checks. */
  get catalog(): SourceCatalog {
    throw new NotSupportedError('The catalog')
  }
  get functions(): FunctionRegistry {
    throw new NotSupportedError('The functions')
  }

  /**
   * Runs statements in order; each sees the effects of those before it. The whole text is parsed first:
   * a syntax error anywhere runs nothing. What a statement did is durable when the promise resolves.
   *
   * @returns one result per statement
   * @throws SqlError of the first statement refused; the ones before it stay done
   */
  async sql(_text: string, _options: SqlOptions = {}): Promise<StatementResult[]> {
    throw new NotSupportedError('sql()')
  }

  /**
   * Starts one SELECT: with EMIT CHANGES its rows as they come (from now on, unless
   * `auto.offset.reset` says `earliest`), else the answer to a question, which then ends.
   *
   * @throws SqlError when the text isn't one SELECT or is refused
   */
  query<T = RowObject>(_text: string, _options: SqlOptions = {}): RowStream<T> {
    throw new NotSupportedError('query()')
  }

  async createTopic(_name: string, _spec: TopicSpec): Promise<TopicDescription> {
    throw new NotSupportedError('createTopic()')
  }

  /**
   * Appends records in order. Resolves when they are durable.
   *
   * @throws StorageError `LOG_UNKNOWN_TOPIC`: topics are not made in passing
   */
  async produce(
    _topic: string,
    _records: Iterable<NewRecord> | AsyncIterable<NewRecord>,
  ): Promise<Delivery[]> {
    throw new NotSupportedError('produce()')
  }

  /** The records of a topic; within a partition in order. */
  consume(_topic: string, _options: ConsumeOptions = {}): AsyncIterable<ConsumedRecord> {
    throw new NotSupportedError('consume()')
  }

  /** Resolves when every running query has consumed and committed all there is to read. @throws QueryError if one stopped */
  async untilIdle(): Promise<void> {
    throw new NotSupportedError('untilIdle()')
  }

  /**
   * The input of `topic` has ended (a file was read to its end): event time of the queries reading it
   * moves on until open windows and timers are done. Resolves when that is committed.
   */
  async endOfInput(_topic: string): Promise<void> {
    throw new NotSupportedError('endOfInput()')
  }

  /** All persistent queries, in order of creation. */
  queries(): readonly QueryStatus[] {
    throw new NotSupportedError('queries()')
  }

  /** Commits what was processed and closes everything. Closing twice is harmless. */
  async close(): Promise<void> {
    throw new NotSupportedError('close()')
  }
}
