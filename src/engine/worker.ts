import type { Clock, Timer } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { StorageError } from '../base/errors.ts'
import type { Format } from '../formats/format.ts'
import type { CommitGroup, CommitOwner, GroupAppend, Log, CommitOutcome } from '../log/log.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { WorkerState } from '../state/worker-state.ts'
import type { Batch } from './batch.ts'
import type { CompileContext } from './compile/cursor.ts'
import type { UnreadableAt } from './input-feed.ts'
import type { ReadRange } from './operator.ts'
import { offsetsGroup, type QuerySpec } from './query-spec.ts'
import { RunningQuery, type QueryProblem, type QueryStatus } from './running-query.ts'
import { SharedReader } from './shared-reader.ts'

export interface WorkerOptions {
  readonly log: Log
  readonly state: WorkerState
  readonly clock: Clock
  readonly compile: CompileContext
  readonly formatOf: (name: FormatName) => Format | undefined
  /** How often a cycle with something to commit commits. */
  readonly commitIntervalMs: number
  /** A cycle ends early when this much waits for its commit. */
  readonly transactionBytesMax: number
  readonly cache: boolean
  readonly compatibility: boolean
  /** Turns what went wrong with records into records of the processing log, in the cycle's own commit. */
  readonly describeProblems: (queryId: string, unreadable: readonly UnreadableAt[]) => readonly GroupAppend[]
  readonly onProblem: (queryId: string, problem: QueryProblem) => void
}

const RETRY_MS_FIRST = 1_000
const RETRY_MS_MAX = 60_000

/**
 * Runs persistent queries, cycle by cycle: hands each its inputs, and at the end of a cycle commits the
 * changelogs, outputs and input offsets of all of them as one group of the log. Either all of a cycle
 * becomes durable and visible or nothing does.
 *
 * A query that fails is left out of its cycle, goes back to its last commit and is tried again later,
 * except over damaged bytes. When a commit's fate is unknown, every query goes back to what is committed.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #reader: SharedReader
  readonly #queries = new Map<string, RunningQuery>()
  #owner: CommitOwner | null = null
  #loop: Promise<void> | null = null
  #stopping = false
  #wake: (() => void) | null = null
  #woken = false
  #lastCommitMs: number
  #commits = 0
  readonly #commitMs: number[] = []
  readonly #waitingForIdle: (() => void)[] = []
  /** Work that must not run inside a cycle: adding and removing queries. */
  readonly #between: (() => Promise<void>)[] = []
  #fatal: unknown = null

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#reader = new SharedReader(options.log, options.formatOf)
    this.#lastCommitMs = options.clock.monotonicMs()
  }

  async start(): Promise<void> {
    this.#owner = await this.#options.log.claim('worker')
    const unsubscribe = this.#options.log.onEndsMoved(() => this.#signal())
    this.#loop = this.#run().finally(unsubscribe)
  }

  /** Commits what is finished and ends. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#signal()
    await this.#loop
  }

  /** Starts a query from its committed offsets and state, or afresh. Resolves when it runs. */
  add(spec: QuerySpec): Promise<void> {
    return this.#betweenCycles(async () => {
      const query = new RunningQuery(spec, { ...this.#options, reader: this.#reader })
      this.#queries.set(spec.id, query)
      await this.#startQuery(query)
    })
  }

  /** Ends a query for good; its offsets and state are the caller's to delete. */
  remove(id: string): Promise<void> {
    return this.#betweenCycles(async () => {
      const query = this.#queries.get(id)
      if (query === undefined) return
      await this.#commit()
      this.#queries.delete(id)
      await query.close()
    })
  }

  pause(id: string, paused: boolean): Promise<void> {
    return this.#betweenCycles(async () => {
      await this.#commit()
      this.#queries.get(id)?.setPaused(paused)
    })
  }

  status(id: string): QueryStatus | undefined {
    return this.#queries.get(id)?.status
  }

  /** Committed rows of a query's result table. @throws QueryError `STATE_RESTORING` */
  readCommitted(id: string, range: ReadRange): AsyncIterable<Batch> {
    const query = this.#queries.get(id)
    if (query === undefined) throw new StorageError('QUERY_UNKNOWN', { message: `There is no query ${id}.` })
    return query.readCommitted(range)
  }

  /** Resolves when every running query has handed over and committed all its input. */
  untilIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#waitingForIdle.push(resolve)
      this.#signal()
    })
  }

  /** The inputs of a query are complete: windows close and timers fire as if time had passed. */
  finish(): Promise<void> {
    return this.#betweenCycles(async () => {
      for (const query of this.#queries.values()) {
        if (query.isRunning) await this.#guarded(query, () => query.finish())
      }
      await this.#commit()
    })
  }

  /** Milliseconds each of the last commits took, oldest first. */
  get commitMs(): readonly number[] {
    return this.#commitMs
  }

  get commits(): number {
    return this.#commits
  }

  async #run(): Promise<void> {
    const { clock, commitIntervalMs, transactionBytesMax } = this.#options
    while (!this.#stopping) {
      while (this.#between.length > 0) await this.#between.shift()!()
      this.#woken = false
      let worked = false
      let pendingBytes = 0
      for (const query of this.#queries.values()) {
        if (!query.isRunning) {
          if (query.retryAtMs !== null && clock.monotonicMs() >= query.retryAtMs)
            await this.#startQuery(query)
          continue
        }
        if (await this.#guarded(query, () => query.step())) worked = true
        pendingBytes += query.pendingBytes
      }
      const dueInMs = this.#lastCommitMs + commitIntervalMs - clock.monotonicMs()
      const dirty = [...this.#queries.values()].some((q) => q.isDirty)
      if (dirty && (dueInMs <= 0 || pendingBytes >= transactionBytesMax)) await this.#commit()
      else if (!dirty && this.#isIdle) for (const resolve of this.#waitingForIdle.splice(0)) resolve()
      if (!worked) await this.#wait(dirty ? Math.max(0, dueInMs) : this.#idleWaitMs())
      else if (this.#commits % 8 === 0) await new Promise<void>((resolve) => setImmediate(resolve))
    }
    await this.#commit()
    for (const query of this.#queries.values()) await query.close()
  }

  get #isIdle(): boolean {
    return this.#between.length === 0 && [...this.#queries.values()].every((q) => !q.isRunning || q.atEnd)
  }

  #idleWaitMs(): number {
    const anyIdleTimer = [...this.#queries.values()].some((q) => q.isRunning && q.spec.idleMs !== null)
    const retrying = [...this.#queries.values()].some((q) => q.retryAtMs !== null)
    return anyIdleTimer || retrying ? 200 : 1000
  }

  /** One cycle's end: everything of all running queries in one group, or, if that fails, back to the last commit. */
  async #commit(): Promise<void> {
    const { log, clock, state } = this.#options
    this.#lastCommitMs = clock.monotonicMs()
    const committing: RunningQuery[] = []
    const appends: GroupAppend[] = []
    const offsets: CommitGroup['offsets'][number][] = []
    const takes: { readonly query: RunningQuery; readonly from: number; readonly count: number }[] = []
    crashPoint('cycle-before-flush')
    for (const query of this.#queries.values()) {
      if (!query.isRunning || !query.isDirty) continue
      const taken = await this.#guarded(query, () => query.takeCycle())
      if (taken === undefined) continue
      committing.push(query)
      takes.push({ query, from: appends.length, count: taken.changelogs.length })
      appends.push(...taken.changelogs, ...taken.outputs)
      const problems = query.takeUnreadable()
      if (problems.length > 0) appends.push(...this.#options.describeProblems(query.spec.id, problems))
      offsets.push({ group: offsetsGroup(query.spec.id), offsets: taken.offsets })
    }
    if (committing.length === 0) return
    crashPoint('cycle-after-flush')
    const startedMs = clock.monotonicMs()
    let outcome: CommitOutcome
    try {
      outcome = await log.commit({ owner: this.#owner!, appends, offsets })
    } catch (error) {
      // Refused (a full disk, a deleted output topic): nothing was written, so every query can try again.
      for (const query of committing) await this.#guarded(query, () => Promise.reject(error as Error))
      return
    }
    if (outcome.kind !== 'committed') {
      for (const query of committing) await query.rollBack()
      if (outcome.kind === 'fenced') {
        this.#fatal = new StorageError('WORKER_FENCED', {
          message: 'Another process has taken over this data directory’s queries.',
        })
        this.#stopping = true
        return
      }
      // What became of the cycle is unknown: go on from what the log says is committed.
      for (const query of committing) await this.#startQuery(query)
      return
    }
    crashPoint('cycle-after-commit')
    for (const { query, from, count } of takes) query.committed(outcome.baseOffsets.slice(from, from + count))
    this.#commits++
    this.#commitMs.push(clock.monotonicMs() - startedMs)
    if (this.#commitMs.length > 10_000) this.#commitMs.shift()
    state.checkpointIfDue()
  }

  async #startQuery(query: RunningQuery): Promise<void> {
    await this.#guarded(query, () => query.start())
  }

  /** Runs a query's step; if it throws, the query goes back to its last commit and waits. */
  async #guarded<T>(query: RunningQuery, step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step()
    } catch (error) {
      const delay = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** Math.min(6, query.failures))
      await query.fail(error, this.#options.clock.monotonicMs() + delay)
      this.#options.onProblem(query.spec.id, { kind: 'query-failed', error })
      return undefined
    }
  }

  #betweenCycles(work: () => Promise<void>): Promise<void> {
    if (this.#fatal !== null) return Promise.reject(this.#fatal as Error)
    return new Promise((resolve, reject) => {
      this.#between.push(() => work().then(resolve, reject))
      this.#signal()
    })
  }

  #signal(): void {
    this.#woken = true
    this.#wake?.()
  }

  #wait(ms: number): Promise<void> {
    if (this.#woken || this.#stopping) return Promise.resolve()
    return new Promise((resolve) => {
      let timer: Timer | null = null
      const wake = (): void => {
        timer?.cancel()
        this.#wake = null
        resolve()
      }
      this.#wake = wake
      timer = this.#options.clock.after(ms, wake)
    })
  }
}
