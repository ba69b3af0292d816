import type { Clock, Timer } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { StorageError } from '../base/errors.ts'
import type { Format } from '../formats/format.ts'
import type { CommitOutcome, CommitOwner, CommittedOffset, GroupAppend, Log } from '../log/log.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { WorkerState } from '../state/worker-state.ts'
import type { Batch } from './batch.ts'
import type { CompileContext } from './compile/cursor.ts'
import type { UnreadableAt } from './input-feed.ts'
import type { ReadRange } from './operator.ts'
import { inOrderOfData } from './order-of-data.ts'
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

/** Somebody who waits for the worker. */
interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What one query has to commit of a cycle. */
interface TakenQuery {
  readonly query: RunningQuery
  readonly appends: readonly GroupAppend[]
  /** How many of the appends are changelogs; they come first. */
  readonly changelogs: number
  readonly offsets: readonly CommittedOffset[]
}

const RETRY_MS_FIRST = 1_000
const RETRY_MS_MAX = 60_000

/**
 * Runs persistent queries, cycle by cycle: hands each its inputs, and at the end of a cycle commits the
 * changelogs, outputs and input offsets of all of them as one group of the log. Either all of a query's
 * cycle becomes durable and visible or nothing does.
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
  readonly #waitingForIdle: Waiting[] = []
  /** Work that must not run inside a cycle: adding and removing queries. */
  readonly #between: (Waiting & { readonly work: () => Promise<void> })[] = []
  /** Why it ended, if it wasn't told to. */
  #fatal: unknown = null
  /** The loop has run out: nothing happens any more. */
  #ended = false

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#reader = new SharedReader(options.log, options.formatOf)
    this.#lastCommitMs = options.clock.monotonicMs()
  }

  async start(): Promise<void> {
    this.#owner = await this.#options.log.claim('worker')
    const unsubscribe = this.#options.log.onEndsMoved(() => this.#signal())
    this.#loop = this.#run()
      .catch((error: unknown) => {
        this.#fatal ??= error
      })
      .then(() => {
        unsubscribe()
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
    this.#signal()
    await this.#loop
    if (this.#fatal !== null && !(this.#fatal instanceof StorageError)) throw this.#fatal
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

  /**
   * Resolves when every running query has handed over and committed all its input.
   *
   * @throws StorageError `WORKER_STOPPED`, `WORKER_FENCED`
   */
  untilIdle(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) reject(this.#endError())
      else this.#waitingForIdle.push({ resolve, reject })
      this.#signal()
    })
  }

  /**
   * All input is complete: what is there is worked off, then windows close and timers fire as if time had
   * passed. Those that read what others write come after them, when what closed there is committed.
   */
  finish(): Promise<void> {
    return this.#betweenCycles(async () => {
      for (const query of inOrderOfData([...this.#queries.values()])) {
        await this.#commit()
        await this.#exhaust(query, () => query.step())
        await this.#exhaust(query, () => query.passTime())
      }
      await this.#commit()
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
      for (let next = this.#between.shift(); next !== undefined; next = this.#between.shift()) {
        await next.work().then(next.resolve, next.reject)
      }
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
      else if (!dirty && this.#isIdle) for (const waiting of this.#waitingForIdle.splice(0)) waiting.resolve()
      if (!worked) await this.#wait(dirty ? Math.max(0, dueInMs) : this.#idleWaitMs())
      else if (this.#commits % 8 === 0) await clock.turn()
    }
    if (this.#fatal === null) {
      await this.#commit()
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
    const { clock, state } = this.#options
    this.#lastCommitMs = clock.monotonicMs()
    const cycle: TakenQuery[] = []
    crashPoint('cycle-before-flush')
    for (const query of this.#queries.values()) {
      if (!query.isRunning || !query.isDirty) continue
      const taken = await this.#guarded(query, () => query.takeCycle())
      if (taken === undefined) continue
      const problems = query.takeUnreadable()
      const entries = problems.length === 0 ? [] : this.#options.describeProblems(query.spec.id, problems)
      cycle.push({
        query,
        appends: [...taken.changelogs, ...taken.outputs, ...entries],
        changelogs: taken.changelogs.length,
        offsets: taken.offsets,
      })
    }
    if (cycle.length === 0) return
    crashPoint('cycle-after-flush')
    const startedMs = clock.monotonicMs()
    if (!(await this.#commitGroup(cycle))) return
    this.#commits++
    this.#commitMs.push(clock.monotonicMs() - startedMs)
    if (this.#commitMs.length > 10_000) this.#commitMs.shift()
    state.checkpointIfDue()
  }

  /**
   * Commits these queries' cycle in one step. If that is refused (a deleted output topic, a full disk),
   * nothing was written, and each goes alone, so that the one at fault holds up no other.
   *
   * @returns whether anything was committed
   */
  async #commitGroup(taken: readonly TakenQuery[]): Promise<boolean> {
    let outcome: CommitOutcome
    try {
      outcome = await this.#options.log.commit({
        owner: this.#owner!,
        appends: taken.flatMap(({ appends }) => appends),
        offsets: taken.map(({ query, offsets }) => ({ group: offsetsGroup(query.spec.id), offsets })),
      })
    } catch (error) {
      if (taken.length === 1) {
        await this.#guarded(taken[0]!.query, () => Promise.reject(error as Error))
        return false
      }
      let any = false
      for (const one of taken) if (await this.#commitGroup([one])) any = true
      return any
    }
    switch (outcome.kind) {
      case 'committed': {
        crashPoint('cycle-after-commit')
        let from = 0
        for (const { query, appends, changelogs } of taken) {
          query.committed(outcome.baseOffsets.slice(from, from + changelogs))
          from += appends.length
        }
        return true
      }
      case 'fenced':
        this.#fatal = new StorageError('WORKER_FENCED', {
          message: 'Another process has taken over this data directory’s queries.',
        })
        this.#stopping = true
        return false
      case 'unknown':
        // Go on from what the log says is committed.
        for (const { query } of taken) await query.rollBack()
        for (const { query } of taken) await this.#startQuery(query)
        return false
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
      const delay = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** Math.min(6, query.failures))
      await query.fail(error, this.#options.clock.monotonicMs() + delay)
      this.#options.onProblem(query.spec.id, { kind: 'query-failed', error })
      return undefined
    }
  }

  #betweenCycles(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) reject(this.#endError())
      else this.#between.push({ work, resolve, reject })
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
