import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { StorageError } from '../base/errors.ts'
import type { Format } from '../formats/format.ts'
import type { CommitOwner, GroupAppend, Log } from '../log/log.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { WorkerState } from '../state/worker-state.ts'
import type { Batch } from './batch.ts'
import type { CompileContext } from './compile/cursor.ts'
import { CycleCommit, type CycleOutcome, type TakenQuery } from './cycle-commit.ts'
import type { ReadRange } from './operator.ts'
import { inOrderOfData } from './order-of-data.ts'
import type { QuerySpec } from './query-spec.ts'
import { RunningQuery, type QueryProblem, type QueryStatus, type RowProblems } from './running-query.ts'
import { SharedReader } from './shared-reader.ts'
import { WakeUp } from './wake-up.ts'

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
  readonly describeProblems: (queryId: string, problems: RowProblems) => readonly GroupAppend[]
  readonly onProblem: (queryId: string, problem: QueryProblem) => void
}

/** Somebody who waits for the worker. */
interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Input that comes in small pieces is worked off so many times per commit: each time costs a read per partition. */
const STEPS_PER_COMMIT = 4
const RETRY_MS_FIRST = 1_000
const RETRY_MS_MAX = 60_000

/**
 * Runs persistent queries, cycle by cycle: hands each its inputs, and at the end of a cycle commits the
 * changelogs, outputs and input offsets of all of them as one group of the log. Either all of a query's
 * cycle becomes durable and visible or nothing does.
 *
 * One commit may be under way while the next cycle works. Its consequences are drawn between two steps:
 * queries, stores and those who wait learn of it there. Nothing goes back to an earlier state before it is
 * decided, since where that state is depends on it.
 *
 * A query that fails is left out of its cycle, goes back to its last commit and is tried again later,
 * except over damaged bytes. When a commit's fate is unknown, its queries go back to what is committed.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #reader: SharedReader
  readonly #queries = new Map<string, RunningQuery>()
  #owner: CommitOwner | null = null
  #loop: Promise<void> | null = null
  #stopping = false
  readonly #wakeUp: WakeUp
  #lastCommitMs: number
  /** The commits of the cycle before the open one; empty: there are none, or their consequences are drawn. */
  #underWay: readonly CycleCommit[] = []
  /** When the queries were last stepped. */
  #lastStepMs = -Infinity
  #commits = 0
  readonly #commitMs: number[] = []
  readonly #waitingForIdle: Waiting[] = []
  /** Work that must not run inside a cycle: adding and removing queries. */
  readonly #between: (Pick<Waiting, 'reject'> & { readonly work: () => Promise<void> })[] = []
  /** Why it ended, if it wasn't told to. */
  #fatal: unknown = null
  /** The loop has run out: nothing happens any more. */
  #ended = false

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#wakeUp = new WakeUp(options.clock)
    this.#reader = new SharedReader(options.log, options.formatOf)
    this.#lastCommitMs = options.clock.monotonicMs()
  }

  async start(): Promise<void> {
    this.#owner = await this.#options.log.claim('worker')
    const unsubscribe = this.#options.log.onEndsMoved(() => this.#wakeUp.in(this.#pauseMs))
    this.#loop = this.#run()
      .catch((error: unknown) => {
        this.#fatal ??= error
      })
      .then(() => {
        unsubscribe()
        this.#wakeUp.cancel()
        return this.#end()
      })
  }

  /**
   * Commits what is finished and ends.
   *
   * @throws what ended it before, where nobody foresaw that
   */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#wakeUp.now()
    await this.#loop
    if (this.#fatal !== null && !(this.#fatal instanceof StorageError)) throw this.#fatal
  }

  /** Starts a query from its committed offsets and state, or afresh. Resolves when it runs and all its state is there. */
  async add(spec: QuerySpec): Promise<void> {
    const query = await this.#betweenCycles(async () => {
      const added = new RunningQuery(spec, {
        ...this.#options,
        reader: this.#reader,
        owner: this.#owner!,
        onRestored: () => this.#wakeUp.now(),
      })
      this.#queries.set(spec.id, added)
      await this.#startQuery(added)
      return added
    })
    await query.restored
  }

  /** Ends a query for good; its offsets and state are the caller's to delete. */
  remove(id: string): Promise<void> {
    return this.#betweenCycles(async () => {
      const query = this.#queries.get(id)
      if (query === undefined) return
      await this.#commitAll()
      this.#queries.delete(id)
      await query.close()
    })
  }

  pause(id: string, paused: boolean): Promise<void> {
    return this.#betweenCycles(async () => {
      await this.#commitAll()
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

  /**
   * Resolves when every running query has handed over and committed all its input.
   *
   * @throws StorageError `WORKER_STOPPED`, `WORKER_FENCED`
   */
  untilIdle(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) reject(this.#endError())
      else this.#waitingForIdle.push({ resolve, reject })
      this.#wakeUp.now()
    })
  }

  /**
   * All input is complete: what is there is worked off, then windows close and timers fire as if time had
   * passed. Those that read what others write come after them, when what closed there is committed.
   */
  finish(): Promise<void> {
    return this.#betweenCycles(async () => {
      for (const query of inOrderOfData([...this.#queries.values()])) {
        await query.whole()
        await this.#commitAll()
        await this.#exhaust(query, () => query.step())
        await this.#exhaust(query, () => query.passTime())
      }
      await this.#commitAll()
    })
  }

  /** Repeats a step of a query until it finds nothing to do. */
  async #exhaust(query: RunningQuery, step: () => Promise<boolean>): Promise<void> {
    while (query.isRunning && (await this.#guarded(query, step)) === true) {
      if (query.pendingBytes >= this.#options.transactionBytesMax) await this.#commit()
    }
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
      this.#wakeUp.forget()
      for (let next = this.#between.shift(); next !== undefined; next = this.#between.shift()) {
        await next.work()
      }
      if (this.#underWay.every((commit) => commit.isDecided)) await this.#settle()
      if (this.#fatal !== null) break
      let worked = false
      let pendingBytes = 0
      const readBefore = this.#rowsRead
      this.#lastStepMs = clock.monotonicMs()
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
      const isFull = pendingBytes >= transactionBytesMax
      // The next cycle waits for the commit under way when it is full, or as long again as it should be.
      const mayWait =
        this.#underWay.some((commit) => !commit.isDecided) && !isFull && dueInMs > -commitIntervalMs
      if (dirty && (dueInMs <= 0 || isFull) && !mayWait) await this.#commit()
      else if (!dirty && this.#underWay.length === 0 && this.#fatal === null && this.#isIdle)
        for (const waiting of this.#waitingForIdle.splice(0)) waiting.resolve()
      if (worked && this.#restoring.length > 0) await this.#letRestore()
      else if (!worked) await this.#wakeUp.wait(dirty && dueInMs > 0 ? dueInMs : this.#idleWaitMs())
      else if (this.#isKeepingUp(this.#rowsRead - readBefore) && this.#pauseMs > 0)
        await this.#wakeUp.wait(dirty && dueInMs > 0 ? Math.min(dueInMs, this.#pauseMs) : this.#pauseMs)
      // The commit under way goes on only when the event loop gets a turn.
      else if (this.#underWay.length > 0 || this.#commits % 8 === 0) await clock.turn()
    }
    if (this.#fatal === null) {
      await this.#commitAll()
      // So that the next start reads no changelogs. Where it fails, it reads them.
      await this.#options.state.checkpoint().catch(() => {})
    }
  }

  /** The last thing that happens: nobody is left waiting, and queries say why they don't run any more. */
  async #end(): Promise<void> {
    this.#ended = true
    for (const query of this.#queries.values()) {
      try {
        await (this.#fatal === null ? query.close() : query.fail(this.#fatal, null))
      } catch (error) {
        this.#fatal ??= error
      }
    }
    for (const waiting of [...this.#between.splice(0), ...this.#waitingForIdle.splice(0)]) {
      waiting.reject(this.#endError())
    }
  }

  #endError(): unknown {
    return this.#fatal ?? new StorageError('WORKER_STOPPED', { message: 'The queries have been stopped.' })
  }

  /** Queries beside which state is being restored. */
  get #restoring(): RunningQuery[] {
    return [...this.#queries.values()].filter((query) => query.isRestoring)
  }

  /** Leaves restores twice the time that the step took: neither keeps the other from its end. */
  async #letRestore(): Promise<void> {
    const { clock } = this.#options
    await clock.turn()
    const sinceMs = clock.monotonicMs()
    const untilMs = sinceMs + 2 * (sinceMs - this.#lastStepMs)
    for (let leftMs = untilMs - sinceMs; leftMs > 0; leftMs = untilMs - clock.monotonicMs()) {
      const restoring = this.#restoring
      if (restoring.length === 0) return
      // A disk may take its time over a piece.
      await new Promise<void>((resolve) => {
        const timer = clock.after(leftMs, resolve)
        void Promise.all(restoring.map((query) => query.pieceRestored())).then(() => {
          timer.cancel()
          resolve()
        })
      })
    }
  }

  get #isIdle(): boolean {
    return this.#between.length === 0 && [...this.#queries.values()].every((q) => !q.isRunning || q.atEnd)
  }

  #idleWaitMs(): number {
    const anyIdleTimer = [...this.#queries.values()].some((q) => q.isRunning && q.spec.idleMs !== null)
    const retrying = [...this.#queries.values()].some((q) => q.retryAtMs !== null)
    return anyIdleTimer || retrying ? 200 : 1000
  }

  /** Commits what is open, and waits until that is decided. @throws what ended the worker, if that did */
  async #commitAll(): Promise<void> {
    await this.#commit()
    await this.#settle()
    if (this.#fatal !== null) throw this.#fatal
  }

  /** Ends the open cycle: everything of all running queries goes on its way, of those that run exactly once as one group. */
  async #commit(): Promise<void> {
    await this.#settle()
    if (this.#fatal !== null) return
    this.#lastCommitMs = this.#options.clock.monotonicMs()
    const taken: TakenQuery[] = []
    crashPoint('cycle-before-flush')
    for (const query of this.#queries.values()) {
      if (!query.isRunning || !query.isDirty) continue
      const cycle = await this.#guarded(query, () => query.takeCycle())
      if (cycle === undefined) continue
      const { changelogs, outputs, offsets, problems, early } = cycle
      const entries = this.#options.describeProblems(query.spec.id, problems)
      taken.push({
        query,
        appends: [...changelogs, ...outputs, ...entries],
        changelogs: changelogs.length,
        offsets,
        early,
      })
    }
    if (taken.length === 0) return
    crashPoint('cycle-after-flush')
    this.#begin(taken)
    // What waits for it is not kept waiting by more work.
    if (taken.some(({ query }) => query.hasRestorePutOff)) await this.#settle()
    // Between two cycles: what the next one has loaded must not go before it is used.
    await this.#options.state.relieve()
  }

  #begin(taken: readonly TakenQuery[]): void {
    const { clock, log } = this.#options
    const startedMs = clock.monotonicMs()
    this.#underWay = CycleCommit.allOf(log, this.#owner!, taken)
    void Promise.all(this.#underWay.map((commit) => commit.outcome)).then((outcomes) => {
      if (outcomes.some(({ kind }) => kind === 'committed')) {
        this.#commitMs.push(clock.monotonicMs() - startedMs)
        if (this.#commitMs.length > 10_000) this.#commitMs.shift()
      }
      this.#wakeUp.now()
    })
  }

  /** Waits for what is under way, if anything is, and draws its consequences. */
  async #settle(): Promise<void> {
    const commits = this.#underWay
    if (commits.length === 0) return
    await Promise.all(commits.map((commit) => commit.outcome))
    this.#underWay = []
    for (const { taken, outcome } of commits) await this.#conclude(taken, await outcome)
  }

  async #conclude(taken: readonly TakenQuery[], outcome: CycleOutcome): Promise<void> {
    switch (outcome.kind) {
      case 'committed': {
        crashPoint('cycle-after-commit')
        let from = 0
        for (const { query, appends, changelogs } of taken) {
          query.committed(outcome.baseOffsets.slice(from, from + changelogs))
          from += appends.length
        }
        this.#commits++
        this.#options.state.checkpointIfDue()
        return
      }
      case 'refused':
        if (taken.length === 1) {
          await this.#failed(taken[0]!.query, outcome.error)
          return
        }
        // Each goes alone, so that the one at fault holds up no other.
        for (const one of taken) {
          const { outcome: own } = new CycleCommit(this.#options.log, this.#owner!, [one])
          await this.#conclude([one], await own)
        }
        return
      case 'fenced':
        this.#fatal = new StorageError('WORKER_FENCED', {
          message: 'Another process has taken over this data directory’s queries.',
        })
        this.#stopping = true
        return
      case 'unknown':
        // Go on from what the log says is committed.
        for (const { query } of taken) await query.rollBack()
        for (const { query } of taken) await this.#startQuery(query)
    }
  }

  async #startQuery(query: RunningQuery): Promise<void> {
    await this.#guarded(query, () => query.start())
  }

  /** Runs a query's step; if it throws, the query goes back to its last commit and waits. */
  async #guarded<T>(query: RunningQuery, step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step()
    } catch (error) {
      await this.#settle()
      await this.#failed(query, error)
      return undefined
    }
  }

  async #failed(query: RunningQuery, error: unknown): Promise<void> {
    const delay = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** Math.min(6, query.failures))
    await query.fail(error, this.#options.clock.monotonicMs() + delay)
    this.#options.onProblem(query.spec.id, { kind: 'query-failed', error })
  }

  #betweenCycles<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended) reject(this.#endError())
      else this.#between.push({ work: () => work().then(resolve, reject), reject })
      this.#wakeUp.now()
    })
  }

  get #rowsRead(): number {
    let rows = 0
    for (const query of this.#queries.values()) rows += query.rowsRead
    return rows
  }

  /** Whether no more is left to read than was just read. */
  #isKeepingUp(rowsJustRead: number): boolean {
    let left = 0
    for (const query of this.#queries.values()) if (query.isRunning) left += query.lag
    return left <= rowsJustRead
  }

  /** How long input may still wait, since nothing is gained by taking it in small pieces. */
  get #pauseMs(): number {
    const { clock, commitIntervalMs } = this.#options
    const isAwaited = this.#waitingForIdle.length > 0 || this.#between.length > 0
    if (isAwaited || [...this.#queries.values()].some((query) => query.isAtLeastOnce)) return 0
    return this.#lastStepMs + commitIntervalMs / STEPS_PER_COMMIT - clock.monotonicMs()
  }
}
