import type { Clock } from '../base/clock.ts'
import { FunctionError, QueryError, StorageError, type RecordPlace } from '../base/errors.ts'
import type { Format } from '../formats/format.ts'
import type { CommitOwner, CommittedOffset, GroupAppend, Log } from '../log/log.ts'
import { numericSetting } from '../log/topic-config.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { TaskState, WorkerState } from '../state/worker-state.ts'
import type { Batch } from './batch.ts'
import { bindFunctions } from './bind-functions.ts'
import type { CompileContext } from './compile/cursor.ts'
import { EarlyAppends } from './early-appends.ts'
import { ExpressionFailures, type ExpressionFailure } from './expression-failures.ts'
import { timestampAfterMaxMs } from './future-bound.ts'
import { type ExpiredInput, InputFeed, type UnreadableAt } from './input-feed.ts'
import type { DropReason, ReadRange } from './operator.ts'
import { QueryRun } from './query-run.ts'
import { placeOf } from './record-place.ts'
import type { SharedReader } from './shared-reader.ts'
import { whyNotRebuilt } from './rebuild.ts'
import { offsetsGroup, type QuerySpec } from './query-spec.ts'

/** Something about a query that somebody should see. */
export type QueryProblem =
  | { readonly kind: 'query-failed'; readonly error: unknown }
  | {
      readonly kind: 'row-dropped'
      readonly reason: DropReason
      readonly timestampMs: number
      readonly detail: string | undefined
    }
  | {
      readonly kind: 'expression-failed'
      /** null: the row was made by a join or an aggregation. */
      readonly place: RecordPlace | null
      readonly timestampMs: number
      readonly error: unknown
    }
  | ({ readonly kind: 'record-unreadable' } & UnreadableAt)
  /** It starts from the beginning of its inputs. */
  | { readonly kind: 'state-rebuilt'; readonly reason: string }

export type QueryState = 'RESTORING' | 'RUNNING' | 'PAUSED' | 'ERROR'

/** How far the restore of a query's state has come, task by task. */
export interface QueryRestore {
  /** Of the tasks, which one is being restored: from 1. */
  readonly task: number
  readonly tasks: number
  /** Changelog records of that task. */
  readonly recordsDone: number
  readonly recordsTotal: number
}

export interface QueryStatus {
  readonly state: QueryState
  /** Null: nothing is being restored. */
  readonly restoring: QueryRestore | null
  readonly rowsIn: number
  readonly rowsOut: number
  /** Records that are there to be read and have not been. */
  readonly lag: number
  readonly unreadable: number
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
  readonly expressionErrors: number
  /** The same by reason. */
  readonly expressionErrorReasons: Readonly<Record<string, number>>
  /** Highest event time seen, epoch ms; null: none yet. */
  readonly eventTimeMs: number | null
  /** Event time at which the next window closes or timer fires; null: nothing waits. */
  readonly nextTimerMs: number | null
  /** Why it stopped, in ERROR. */
  readonly error: string | null
}

export interface RunningQueryEnvironment {
  readonly log: Log
  readonly state: WorkerState
  readonly clock: Clock
  readonly compile: CompileContext
  readonly formatOf: (name: FormatName) => Format | undefined
  readonly cache: boolean
  readonly compatibility: boolean
  readonly reader: SharedReader
  readonly owner: CommitOwner
  readonly onProblem: (queryId: string, problem: QueryProblem) => void
  /** Told when state that was restored beside the running query is there, or can't be. */
  readonly onRestored: () => void
}

/** What a query has to commit at the end of a cycle. */
export interface CycleOutput {
  /** Their base offsets go back to {@link RunningQuery.committed}. */
  readonly changelogs: readonly GroupAppend[]
  readonly outputs: readonly GroupAppend[]
  readonly offsets: readonly CommittedOffset[]
  readonly problems: RowProblems
  /** At least once: the way of what the cycle put out before; null: exactly once. */
  readonly early: EarlyAppends | null
}

/** What of a cycle's rows goes to the processing log, in the cycle's commit. */
export interface RowProblems {
  /** Each record that was passed over. */
  readonly unreadable: readonly UnreadableAt[]
  /** Samples; all are counted. */
  readonly failures: readonly ExpressionFailure[]
}

type Counts = Pick<QueryStatus, 'rowsIn' | 'rowsOut' | 'unreadable' | 'dropped'>

/** Samples of problems handed on per query; all are counted. */
const PROBLEM_SAMPLES = 100

/**
 * A persistent query under a worker: its run, its place in its inputs, its state, and what became of it.
 *
 * Invariant: what it has handed on is exactly what its committed offsets and state say, plus the cycle whose
 * commit is under way, plus the open cycle. {@link rollBack} forgets what isn't committed; no commit is
 * under way then.
 */
export class RunningQuery {
  readonly spec: QuerySpec
  readonly #environment: RunningQueryEnvironment
  #run: QueryRun | null = null
  #feed: InputFeed | null = null
  /** Null: exactly once. */
  #early: EarlyAppends | null = null
  #states = new Map<number, TaskState>()
  /** Those of the cycle whose commit is under way. */
  #takenStates: readonly TaskState[] = []
  #state: QueryState = 'RESTORING'
  /** Resolves when all state is there, or will not be: never rejects. */
  #restored: Promise<void> = Promise.resolve()
  /** Begins with what is left to be restored; null: there is nothing, or it has begun. */
  #restoreRest: (() => void) | null = null
  /** Why the state of some task isn't there. */
  #restoreFailure: { readonly error: unknown } | null = null
  #error: unknown = null
  #dirty = false
  #paused = false
  #retryAtMs: number | null = null
  #failures = 0
  #unreadable = 0
  readonly #expressionFailures: ExpressionFailures
  #dropped: Partial<Record<DropReason, number>> = {}
  #samples = 0
  /** As of the last commit: what is rolled back comes again and is to count once. */
  #committedCounts: Counts = { rowsIn: 0, rowsOut: 0, unreadable: 0, dropped: {} }
  /** Of the runs before this one. */
  #rowsBefore = { in: 0, out: 0 }
  /** Of the cycle whose commit is under way. */
  #takenCounts = this.#committedCounts
  /** Result batches of the open cycle, for subscribers, and of the one whose commit is under way. */
  #results: Batch[] = []
  #takenResults: Batch[] = []

  constructor(spec: QuerySpec, environment: RunningQueryEnvironment) {
    this.spec = spec
    this.#paused = spec.paused ?? false
    this.#environment = environment
    this.#expressionFailures = new ExpressionFailures(environment.clock)
  }

  get isRunning(): boolean {
    return this.#state === 'RUNNING'
  }

  /** Whether the open cycle has anything to commit. */
  get isDirty(): boolean {
    return this.#dirty
  }

  /** Rows handed to it, over all its runs. */
  get rowsRead(): number {
    return this.#rowsBefore.in + (this.#feed?.rowsIn ?? 0)
  }

  /** Records that are there to be read and have not been. */
  get lag(): number {
    return this.#feed?.lag ?? 0
  }

  get isAtLeastOnce(): boolean {
    return this.#early !== null
  }

  get atEnd(): boolean {
    return this.#feed === null || (this.#feed.atEnd && this.#isWhole)
  }

  /** Resolves when the state of all tasks is there, or the query has failed or was closed before. */
  get restored(): Promise<void> {
    return this.#restored
  }

  /** The same, and nothing is put off any longer. */
  whole(): Promise<void> {
    this.#beginRest()
    return this.#restored
  }

  /** Whether the restore of the rest of its state waits for its first commit. */
  get hasRestorePutOff(): boolean {
    return this.#restoreRest !== null
  }

  /** Whether state is being restored beside the running query. */
  get isRestoring(): boolean {
    return this.#restoringTask !== undefined
  }

  /** Resolves when a piece of that is done. */
  pieceRestored(): Promise<void> {
    return this.#restoringTask?.pieceRestored() ?? Promise.resolve()
  }

  get #restoringTask(): TaskState | undefined {
    return [...this.#states.values()].find((task) => task.restoring !== null)
  }

  /** Whether the state of all tasks is there. */
  get #isWhole(): boolean {
    return [...this.#states.values()].every((task) => task.isOpen)
  }

  get pendingBytes(): number {
    return this.#run?.pendingBytes ?? 0
  }

  get failures(): number {
    return this.#failures
  }

  /** Monotonic time of the next try; null: none is planned. */
  get retryAtMs(): number | null {
    return this.#retryAtMs
  }

  get status(): QueryStatus {
    const eventTimeMs = this.#feed?.eventTimeMs ?? -1
    return {
      state: this.#state === 'RUNNING' && !this.#isWhole ? 'RESTORING' : this.#state,
      restoring: this.#restoring,
      ...this.#counts(),
      expressionErrors: this.#expressionFailures.count,
      expressionErrorReasons: this.#expressionFailures.byReason,
      lag: this.lag,
      eventTimeMs: eventTimeMs < 0 ? null : eventTimeMs,
      nextTimerMs: this.#run?.nextTimerMs() ?? null,
      error: this.#error === null ? null : String((this.#error as Error).message ?? this.#error),
    }
  }

  get #restoring(): QueryRestore | null {
    let task = 0
    for (const { restoring } of this.#states.values()) {
      task++
      if (restoring === null) continue
      return {
        task,
        tasks: this.#states.size,
        recordsDone: restoring.done,
        recordsTotal: restoring.total,
      }
    }
    return null
  }

  #counts(): Counts {
    return {
      rowsIn: this.rowsRead,
      rowsOut: this.#rowsBefore.out + (this.#run?.rowsOut ?? 0),
      unreadable: this.#unreadable,
      dropped: { ...this.#dropped },
    }
  }

  /**
   * Builds the query anew over what is committed: state, then offsets. Where its partitions never meet it runs as
   * soon as the first of them is there, and the others follow. State that another version wrote in
   * another shape is computed from the inputs again, where they are all there.
   */
  async start(): Promise<void> {
    try {
      await this.#open()
    } catch (error) {
      if (!isChangedFingerprint(error)) throw error
      await this.#forgetState(error)
      await this.#open()
    }
  }

  /** @throws StorageError why it can't be rebuilt */
  async #forgetState(error: StorageError): Promise<void> {
    const { log, state, owner, onProblem } = this.#environment
    const { id, plan, reset } = this.spec
    const why = whyNotRebuilt(plan, log, reset)
    if (why !== null) {
      throw new StorageError('STATE_NOT_REBUILT', {
        message: `${error.message} The query can't be rebuilt from its inputs: ${why}.`,
        hint: 'DROP what it fills and create it anew.',
        cause: error,
      })
    }
    const topics = [...this.#states.values()].flatMap((task) => task.changelogTopics())
    await this.rollBack()
    // Together: state never goes without the place in the inputs that it stands for.
    const outcome = await log.commit({
      owner,
      appends: [],
      offsets: [],
      deleteGroups: [offsetsGroup(id)].filter((group) => log.groups().includes(group)),
      deleteTopics: [...new Set(topics)].filter((topic) => log.topic(topic) !== undefined),
    })
    if (outcome.kind !== 'committed') throw error
    await state.deleteTasks((taskId) => taskId.slice(0, taskId.lastIndexOf('/')) === id)
    onProblem(id, { kind: 'state-rebuilt', reason: error.message })
  }

  async #open(): Promise<void> {
    const { log, state, clock, formatOf, reader } = this.#environment
    const { id, plan, settings } = this.spec
    const cache = this.#environment.cache && settings?.get('cache.max.bytes.buffering') !== '0'
    const compatibility =
      this.#environment.compatibility || settings?.get('millrace.compatibility')?.toLowerCase() === 'true'
    const compile = this.#compileContext()
    this.#state = 'RESTORING'
    this.#retryAtMs = null
    this.#error = null
    const atLeastOnce = settings?.get('processing.guarantee')?.toLowerCase() === 'at_least_once'
    this.#early = atLeastOnce ? new EarlyAppends(log, this.#environment.owner) : null
    bindFunctions(plan, compile)
    const states = new Map<number, TaskState>()
    const stores = (partition: number): TaskState => {
      let task = states.get(partition)
      if (task === undefined) {
        task = state.task(`${id}/${partition}`, (store) => `_millrace-${id}-${store}-changelog`, partition)
        states.set(partition, task)
      }
      return task
    }
    this.#states = states
    const run = new QueryRun(plan, {
      isReady: (partition) => states.get(partition)?.isOpen ?? true,
      compile,
      formatOf,
      clock,
      cache,
      compatibility,
      stores,
      atLeastOnce,
      partitionsOf: (topic) => partitionsOf(log, topic),
      recordBytesMax: (topic) => numericSetting(log.topic(topic)?.config ?? {}, 'max.message.bytes'),
      observer: {
        dropped: (reason, batch, row, detail) => this.#rowDropped(reason, batch.timestamps[row]!, detail),
        expressionError: (batch, row, error) => this.#expressionFailed(batch, row, error),
      },
      ...(this.spec.onResult === undefined
        ? {}
        : { onResult: (batch: Batch) => void this.#results.push(batch) }),
    })
    const partitions = Math.max(1, ...run.graph.subTopologies.map((t) => t.partitions))
    for (const task of states.values()) {
      for (const topic of task.changelogTopics()) {
        if (log.topic(topic) === undefined) {
          await log.createTopic(topic, { partitions, config: { 'cleanup.policy': 'compact' } })
        }
      }
    }
    const feed = new InputFeed(run, log, reader, {
      committed: log.committedOffsets(offsetsGroup(id)),
      reset: this.spec.reset,
      clock,
      timestampAfterMaxMs: timestampAfterMaxMs(settings, compatibility),
      onExpired: (expired) => this.#inputExpired(expired),
    })
    const startsEarly = states.size > 1 && run.isByPartition && !this.#paused && this.#restoreFailure === null
    this.#restoreFailure = null
    const tasks = startsEarly ? await soonestFirst([...states.values()], feed) : [...states.values()]
    const first = startsEarly ? 1 : tasks.length
    for (const task of tasks.slice(0, first)) await task.restore()
    this.#run = run
    this.#feed = feed
    this.#dirty = false
    this.#state = this.#paused ? 'PAUSED' : 'RUNNING'
    if (first < tasks.length) {
      // The first results come before the rest of the state.
      const begun = new Promise<void>((begin) => (this.#restoreRest = begin))
      this.#restored = begun.then(() => this.#restore(tasks.slice(first)))
    }
  }

  #beginRest(): void {
    this.#restoreRest?.()
    this.#restoreRest = null
  }

  /** What fails is told by the next {@link step}: then all of them are restored before the query runs. */
  async #restore(tasks: readonly TaskState[]): Promise<void> {
    try {
      for (const task of tasks) {
        if (this.#states.get(task.partition) !== task) return
        await task.restore()
        this.#environment.onRestored()
      }
    } catch (error) {
      this.#restoreFailure = { error }
      this.#environment.onRestored()
    }
  }

  /** One step through the inputs; false if there was nothing to do. */
  async step(): Promise<boolean> {
    // Found by whoever read the state, perhaps: the query starts again without waiting for input.
    for (const task of this.#states.values()) task.assertUsable()
    if (this.#restoreFailure !== null) throw this.#restoreFailure.error
    const feed = this.#feed!
    if (await feed.step()) {
      this.#dirty = true
      if (this.#early?.isFree === true && this.pendingBytes > 0) this.#early.send(this.#run!.takeAppends())
      return true
    }
    this.#beginRest()
    return this.#advanceWhenIdle()
  }

  /** Ends the open cycle: everything of it, to be committed with the other queries'. The next one begins. */
  async takeCycle(): Promise<CycleOutput> {
    const run = this.#run!
    this.#stopAtUnreadable()
    await run.flush()
    this.#takenStates = [...this.#states.values()].filter((task) => task.isOpen)
    const changelogs = this.#takenStates.flatMap((task) => task.flush())
    const problems = this.#takeProblems()
    this.#dirty = false
    this.#takenCounts = this.#counts()
    this.#takenResults = this.#results
    this.#results = []
    return {
      changelogs,
      outputs: run.takeAppends(),
      offsets: this.#feed!.offsets(),
      problems,
      early: this.#early,
    }
  }

  /** @throws QueryError for a record that could not be read, where the query's settings say so */
  #stopAtUnreadable(): void {
    const { settings } = this.spec
    if (settings === undefined) return
    for (const { part, topic, partition, offset, reason } of this.#feed!.unreadable) {
      const setting =
        part === 'timestamp' ? 'ksql.timestamp.throw.on.invalid' : 'ksql.fail.on.deserialization.error'
      if (settings.get(setting)?.toLowerCase() !== 'true') continue
      throw new QueryError('QUERY_UNREADABLE_RECORD', {
        message: `The record at topic ${topic}, partition ${partition}, offset ${offset} cannot be read: ${reason}`,
        hint: `'${setting}' says that the query stops at it.`,
      })
    }
  }

  #compileContext(): CompileContext {
    const { compile } = this.#environment
    const { settings } = this.spec
    if (settings === undefined) return compile
    return { ...compile, functionContext: { ...compile.functionContext, settings } }
  }

  /** What went wrong with rows of the open cycle. */
  #takeProblems(): RowProblems {
    const unreadable = this.#feed!.takeUnreadable()
    this.#unreadable += unreadable.length
    for (const record of unreadable) this.#sample({ kind: 'record-unreadable', ...record })
    return { unreadable, failures: this.#expressionFailures.takeSamples() }
  }

  /** The cycle that was taken is durable. @param baseOffsets  one per changelog append of {@link takeCycle} */
  committed(baseOffsets: readonly number[]): void {
    let at = 0
    for (const task of this.#takenStates) {
      const { flushed } = task
      task.committed(baseOffsets.slice(at, at + flushed))
      at += flushed
    }
    this.#beginRest()
    this.#failures = 0
    this.#committedCounts = this.#takenCounts
    this.#expressionFailures.committed()
    const results = this.#takenResults
    this.#takenResults = []
    if (this.spec.onResult !== undefined) for (const batch of results) this.spec.onResult(batch)
  }

  /** Forgets what isn't committed and everything in memory; {@link start} goes on from the last commit. */
  async rollBack(): Promise<void> {
    const states = this.#states
    this.#states = new Map()
    for (const task of states.values()) await task.close()
    await this.whole()
    this.#run = null
    this.#feed = null
    this.#dirty = false
    this.#results = []
    this.#takenResults = []
    const { rowsIn, rowsOut, unreadable, dropped } = this.#committedCounts
    this.#rowsBefore = { in: rowsIn, out: rowsOut }
    this.#unreadable = unreadable
    this.#expressionFailures.rollBack()
    this.#dropped = { ...dropped }
  }

  /** @param retryAtMs  monotonic time of the next try; null: there is none */
  async fail(error: unknown, retryAtMs: number | null): Promise<void> {
    this.#error = error
    this.#failures++
    this.#state = 'ERROR'
    // Damaged bytes stay damaged, and functions are registered once: no use in trying again.
    const isLasting =
      error instanceof FunctionError || (error instanceof StorageError && LASTING.has(error.code))
    this.#retryAtMs = isLasting ? null : retryAtMs
    await this.rollBack()
  }

  async close(): Promise<void> {
    await this.rollBack()
    this.#state = 'PAUSED'
  }

  setPaused(paused: boolean): void {
    this.#paused = paused
    this.#beginRest()
    if (this.#state === 'RUNNING' || this.#state === 'PAUSED') this.#state = paused ? 'PAUSED' : 'RUNNING'
  }

  /** Event time moves on to where something next waits for it; false if nothing does. */
  async passTime(): Promise<boolean> {
    const run = this.#run!
    const next = run.nextTimerMs()
    if (next === null) return false
    await run.advance(next)
    await run.drain()
    this.#dirty = true
    return true
  }

  readCommitted(range: ReadRange): AsyncIterable<Batch> {
    if (this.#run === null) {
      throw this.#state === 'RESTORING'
        ? new QueryError('STATE_RESTORING', {
            message: `Query ${this.spec.id} is restoring its state.`,
            hint: 'Try again in a moment.',
          })
        : new QueryError('QUERY_NOT_RUNNING', {
            message: `Query ${this.spec.id} does not run: ${this.status.error ?? this.#state}.`,
          })
    }
    return this.#run.readCommitted(range)
  }

  /** Silence counts as time passing, where the query says so and there is nothing left to read. */
  async #advanceWhenIdle(): Promise<boolean> {
    const { idleMs } = this.spec
    const feed = this.#feed!
    if (idleMs === null || feed.eventTimeMs < 0 || !feed.atEnd) return false
    const moved = await this.#run!.advanceIdle(idleMs, (partition) =>
      partition === null ? feed.eventTimeMs : feed.eventTimeOfMs(partition),
    )
    if (moved) this.#dirty = true
    return moved
  }

  #rowDropped(reason: DropReason, timestampMs: number, detail: string | undefined): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1
    this.#sample({ kind: 'row-dropped', reason, timestampMs, detail })
  }

  #inputExpired({ topic, partition, fromOffset, toOffset }: ExpiredInput): void {
    const count = toOffset - fromOffset
    this.#dropped['expired-unread'] = (this.#dropped['expired-unread'] ?? 0) + count
    const offsets = count === 1 ? `offset ${fromOffset}` : `offsets ${fromOffset} to ${toOffset - 1}`
    const detail = `topic ${topic}, partition ${partition}, ${offsets}`
    this.#sample({ kind: 'row-dropped', reason: 'expired-unread', timestampMs: -1, detail })
  }

  #expressionFailed(batch: Batch, row: number, error: unknown): void {
    const place = placeOf(batch, row)
    const timestampMs = batch.timestamps[row]!
    this.#expressionFailures.add(place, timestampMs, error)
    this.#sample({ kind: 'expression-failed', place, timestampMs, error })
  }

  #sample(problem: QueryProblem): void {
    if (this.#samples++ < PROBLEM_SAMPLES) this.#environment.onProblem(this.spec.id, problem)
  }
}

/** Those with input, then those with the least to restore. */
async function soonestFirst(tasks: readonly TaskState[], feed: InputFeed): Promise<TaskState[]> {
  const waits: { readonly task: TaskState; readonly hasInput: boolean; readonly records: number }[] = []
  for (const task of tasks) {
    const hasInput = feed.lagOf(task.partition) > 0
    waits.push({ task, hasInput, records: await task.recordsToRestore() })
  }
  waits.sort((a, b) => Number(b.hasInput) - Number(a.hasInput) || a.records - b.records)
  return waits.map(({ task }) => task)
}

/** Errors that no further try will be without. */
const LASTING: ReadonlySet<string> = new Set(['LOG_CORRUPT', 'STATE_NOT_REBUILT'])

function isChangedFingerprint(error: unknown): error is StorageError {
  return error instanceof StorageError && error.code === 'STATE_FINGERPRINT_CHANGED'
}

function partitionsOf(log: Log, topic: string): number {
  const description = log.topic(topic)
  if (description === undefined)
    throw new StorageError('LOG_UNKNOWN_TOPIC', { message: `There is no topic ${topic}.` })
  return description.partitions
}
