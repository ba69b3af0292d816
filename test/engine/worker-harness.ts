import { ManualClock, systemClock } from '../../src/base/clock.ts'
import type { FileSystem } from '../../src/base/file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import { offsetsGroup, type QuerySpec } from '../../src/engine/query-spec.ts'
import type { QueryProblem } from '../../src/engine/running-query.ts'
import { Worker } from '../../src/engine/worker.ts'
import type { Format } from '../../src/formats/format.ts'
import { formatFinder, formatsOver } from '../../src/formats/registry.ts'
import { EmbeddedSchemaRegistry } from '../../src/runtime/embedded-schema-registry.ts'
import { functionRegistry } from '../../src/functions/registry.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/open-log.ts'
import { walkRecords } from '../../src/log/walk-records.ts'
import type { FormatName } from '../../src/plan/data-source.ts'
import { processingLogEntries, PROCESSING_LOG_TOPIC } from '../../src/runtime/processing-log.ts'
import { WorkerState } from '../../src/state/worker-state.ts'
import { TestDriver } from '../../src/testing/driver.ts'

const formatOf = formatFinder(formatsOver(new EmbeddedSchemaRegistry()))

/** What a test puts between the worker and its log. */
export interface Interception {
  /** Of changelogs, by the state. */
  readState?: (log: Log, ...args: Parameters<Log['read']>) => ReturnType<Log['read']>
  read?: (log: Log, ...args: Parameters<Log['read']>) => ReturnType<Log['read']>
  commit?: (log: Log, ...args: Parameters<Log['commit']>) => ReturnType<Log['commit']>
}

export interface TestWorkerOptions {
  readonly fileSystem: FileSystem
  readonly clock?: ManualClock
  /** Whether updates of one cycle are merged. Default false. */
  readonly cache?: boolean
  /** Ends the cycle after so many bytes. Default: after each step. */
  readonly transactionBytesMax?: number
  /** On the test's clock. Default 0: at each step. */
  readonly commitIntervalMs?: number
}

/** A query for {@link TestWorker.add}; the n-th one of the statements is `q<n>`. */
export type QueryChoice = Partial<Pick<QuerySpec, 'idleMs' | 'paused' | 'settings'>>

/** A worker over a log on a file system of the test, on a clock of the test; commits at each step. */
export class TestWorker {
  readonly log: Log
  readonly worker: Worker
  readonly clock: ManualClock
  readonly interception: Interception
  readonly problems: { readonly queryId: string; readonly problem: QueryProblem }[] = []
  /** How often value bytes were decoded. */
  decodes = 0

  private constructor(log: Log, state: WorkerState, interception: Interception, options: TestWorkerOptions) {
    this.log = log
    this.interception = interception
    this.clock = options.clock ?? new ManualClock(1_000_000)
    this.worker = new Worker({
      log: intercepted(log, interception),
      state,
      clock: this.clock,
      compile: {
        functions: functionRegistry,
        functionContext: { clock: this.clock, random: seededRandom(1), settings: new Map() },
      },
      formatOf: (name) => this.#countingFormat(name),
      commitIntervalMs: options.commitIntervalMs ?? 0,
      transactionBytesMax: options.transactionBytesMax ?? 1 << 20,
      cache: options.cache ?? false,
      compatibility: false,
      describeProblems: (id, problems) => processingLogEntries(id, this.clock.nowMs(), problems),
      onProblem: (queryId, problem) => this.problems.push({ queryId, problem }),
    })
  }

  static async open(options: TestWorkerOptions): Promise<TestWorker> {
    const { fileSystem } = options
    const log = await openLog({
      directory: '/data',
      fileSystem,
      clock: systemClock,
      journalBytesMax: 1 << 20,
    })
    if (log.topic(PROCESSING_LOG_TOPIC) === undefined)
      await log.createTopic(PROCESSING_LOG_TOPIC, { partitions: 1 })
    const interception: Interception = {}
    const state = await WorkerState.open({
      directory: null,
      log: intercepted(log, {
        read: (target, ...args) => (interception.readState ?? readOf)(target, ...args),
      }),
      fileSystem,
      clock: systemClock,
      epoch: (await log.claim('state')).epoch,
      memoryBytesMax: 1 << 26,
    })
    const opened = new TestWorker(log, state, interception, options)
    await opened.worker.start()
    return opened
  }

  async close(): Promise<void> {
    await this.worker.stop()
    await this.log.close()
  }

  /** Makes the topics of the statements, where missing, and runs their queries. */
  async add(statements: string, choices: readonly QueryChoice[] = [], partitions = 1): Promise<void> {
    const driver = new TestDriver()
    await driver.sql(statements)
    for (const topic of driver.topicNames()) {
      if (this.log.topic(topic) === undefined) await this.log.createTopic(topic, { partitions })
    }
    for (const [i, plan] of driver.plans.entries()) {
      await this.worker.add({ id: `q${i}`, plan, reset: 'earliest', idleMs: null, ...choices[i] })
    }
  }

  async createTopics(names: readonly string[], partitions = 1): Promise<void> {
    for (const name of names) await this.log.createTopic(name, { partitions })
  }

  /** Appends records, each in a batch of its own. */
  async produce(
    topic: string,
    records: readonly (readonly [
      key: string | null,
      value: unknown,
      timestampMs: number,
      partition?: number,
    ])[],
  ): Promise<void> {
    const producer = this.log.producer()
    for (const [key, value, timestampMs, partition = 0] of records) {
      await producer.send({
        topic,
        partition,
        key: key === null ? null : Buffer.from(key),
        value: value === null ? null : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
        timestampMs,
      })
    }
    await producer.close()
  }

  /** Everything in a topic, partition after partition: `key value`, keys of windows without the window. */
  async lines(topic: string): Promise<string[]> {
    const lines: string[] = []
    const { partitions } = this.log.topic(topic)!
    for (let partition = 0; partition < partitions; partition++) {
      const end = this.log.ends(topic, partition).lastStable
      for (let offset = 0; offset < end;) {
        const slice = await this.log.read(topic, partition, offset, 1 << 20)
        const { bytes, count, keyStarts, keyEnds, valueStarts, valueEnds } = walkRecords(slice.bytes, offset)
        const text = (start: number, to: number): string =>
          start < 0 ? 'null' : Buffer.from(bytes.subarray(start, to)).toString()
        for (let row = 0; row < count; row++) {
          lines.push(
            `${text(keyStarts[row]!, keyEnds[row]!).replaceAll(/[^ -~]+.*$/gs, '')} ${text(valueStarts[row]!, valueEnds[row]!)}`,
          )
        }
        offset = slice.nextOffset
      }
    }
    return lines
  }

  /** Committed input offsets of a query: `topic-partition offset`. */
  offsets(queryId: string): string[] {
    return this.log
      .committedOffsets(offsetsGroup(queryId))
      .map(({ topic, partition, offset }) => `${topic}-${partition} ${offset}`)
  }

  #countingFormat(name: FormatName): Format | undefined {
    const format = formatOf(name)
    if (format === undefined || name !== 'JSON') return format
    return {
      ...format,
      refuses: (...args) => format.refuses(...args),
      encoder: (...args) => format.encoder(...args),
      decoder: (...args) => {
        const decoder = format.decoder(...args)
        return {
          decode: (...given) => {
            this.decodes++
            return decoder.decode(...given)
          },
        }
      },
    }
  }
}

function readOf(log: Log, ...args: Parameters<Log['read']>): ReturnType<Log['read']> {
  return log.read(...args)
}

function intercepted(log: Log, interception: Pick<Interception, 'read' | 'commit'>): Log {
  return new Proxy(log, {
    get(target, name) {
      const inside = name === 'read' || name === 'commit' ? interception[name] : undefined
      if (inside !== undefined) return (...args: never[]) => Reflect.apply(inside, null, [target, ...args])
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
