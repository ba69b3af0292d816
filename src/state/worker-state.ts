import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { StorageError } from '../base/errors.ts'
import type { FileSystem } from '../base/file-system.ts'
import type { Log } from '../log/log.ts'
import {
  commitKey,
  decodeRecord,
  encodeRecord,
  pagesPrefix,
  taskIdOf,
  taskKey,
  type CommitRecord,
  type TaskRecord,
} from './checkpoint-record.ts'
import { afterPrefix } from './key-codec.ts'
import { LevelStorage, WRITE_BUFFER_BYTES } from './level-storage.ts'
import type { PageSource } from './managed-store.ts'
import type { PageWrite } from './page-table.ts'
import type { StateStorage } from './state-storage.ts'
import { TaskState, type TaskHost } from './task-state.ts'

export { TaskState } from './task-state.ts'

export interface WorkerStateOptions {
  /** Where the checkpoint lies; made if missing, harmless to delete. Null: state is in memory and comes from the changelogs only. */
  readonly directory: string | null
  readonly log: Log
  readonly fileSystem: FileSystem
  readonly clock: Clock
  /** Of the worker's claim: a checkpoint of a later epoch was written for another past of this log. */
  readonly epoch: number
  /** Memory for entries, estimated. What doesn't fit stays in the checkpoint; without one, this is no limit. */
  readonly memoryBytesMax: number
  /** A change is in the checkpoint after about so long, where little is written. Default 1000. */
  readonly checkpointIntervalMs?: number
  /** A checkpoint is due when a restart would have to read this many changelog records. Default 250,000. */
  readonly replayRecordsMax?: number
  /** Opens the checkpoint's storage. Default: LevelDB. */
  readonly openStorage?: (directory: string, cacheBytes: number) => Promise<StateStorage>
}

export interface WorkerStateMetrics {
  readonly checkpoints: number
  /** Time of the main thread the last checkpoint took to put together, and until it was written. */
  readonly lastBuildMs: number
  readonly lastWriteMs: number
  readonly lastBytes: number
  /** Checkpoints that didn't add up and were thrown away, with the reasons of the last ones. */
  readonly dropped: number
  readonly droppedReasons: readonly string[]
  readonly memoryBytes: number
  readonly memoryBytesMax: number
}

/** A checkpoint may take at most this share of the main thread: after a long one the next waits longer. */
const BUILD_SHARE_MAX = 0.1
/** Work on a checkpoint before the event loop gets a turn; the second while more than enough waits for one. */
const STEP_MS = 5
const STEP_MS_BEHIND = 25
/** So many times later a checkpoint is due while a task is being restored. */
const RESTORING_FACTOR = 4
/** A checkpoint that is due saves at least this share of what a restart would have to read, in whole tasks. */
const SHARE_SAVED = 0.25
/** By how much memory may be over its bound before work waits. */
const MEMORY_SLACK = 0.25
/** How many reasons of dropped checkpoints are kept. */
const REASONS_MAX = 20

/**
 * The state of all tasks of one worker: their stores, and the checkpoint of them in one LevelDB.
 *
 * The changelogs are the truth; the checkpoint only shortens a restart and holds what memory doesn't.
 * It is written at commit boundaries, in one atomic batch: pages of changed entries, what the pages of
 * each task add up to, and a commit record with a running number. It is verified whenever it is opened;
 * whatever doesn't add up is thrown away, rebuilt from the changelog and counted.
 *
 * When storage fails, every open task is given up: its calls throw `STATE_FAILED`, and it has to be closed
 * and opened again, like after a failed commit. The first one that is restored reopens and verifies the
 * storage; if reading failed, it starts from an empty one.
 */
export class WorkerState {
  readonly #options: WorkerStateOptions
  /** Null: in memory only. */
  #storage: StateStorage | null = null
  readonly #host: TaskHost
  /** Those saved longest ago first. */
  readonly #tasks = new Map<string, TaskState>()
  /** Commit records in storage, oldest first. */
  #commits: { readonly number: number; readonly bytes: number }[] = []
  #number = 1
  #lastCheckpointMs: number
  #saving: Promise<void> | null = null
  #clearing: Promise<void> = Promise.resolve()
  /** Storage failed and has to be reopened; `isDamaged`: with nothing in it. */
  #failure: { readonly error: unknown; readonly isDamaged: boolean } | null = null
  #reopening: Promise<void> | null = null
  /** Writes that failed since the last one that succeeded. */
  #failedWrites = 0
  #closed = false
  #memoryBytes = 0
  #checkpoints = 0
  #lastBuildMs = 0
  #lastWriteMs = 0
  #lastBytes = 0
  #dropped = 0
  readonly #reasons: string[] = []

  private constructor(options: WorkerStateOptions) {
    this.#options = options
    this.#lastCheckpointMs = options.clock.monotonicMs()
    this.#host = {
      log: options.log,
      clock: options.clock,
      source: options.directory === null ? null : this.#source(),
      memoryBytesMax: options.memoryBytesMax,
      memoryBytes: () => this.#memoryBytes,
      memoryChanged: (byBytes) => {
        this.#memoryBytes += byBytes
      },
      ready: () => this.#ready(),
      taskRecord: (taskId) => this.#taskRecord(taskId),
      dropCheckpoint: (taskId, reason) => this.#dropTask(taskId, reason),
      checkpoint: () => this.checkpoint(),
      closed: (task) => this.#taskClosed(task),
    }
  }

  /**
   * Opens the checkpoint and verifies its commit records; a task's pages are verified by its restore.
   *
   * @throws StorageError `STATE_OPEN_FAILED` if another process has it open
   */
  static async open(options: WorkerStateOptions): Promise<WorkerState> {
    const state = new WorkerState(options)
    await state.#openStorage(false)
    return state
  }

  /**
   * A task's state. Its stores are opened next (by building its operators), then it is restored.
   *
   * @param taskId  stable over restarts; one open task per id
   * @param changelogTopicFor  topic of a store, by the store's name
   */
  task(taskId: string, changelogTopicFor: (store: string) => string, partition: number): TaskState {
    assert(!this.#closed, 'state is used before it is closed')
    assert(!this.#tasks.has(taskId), `task ${taskId} is open once`)
    const task = new TaskState(taskId, changelogTopicFor, partition, this.#host)
    this.#tasks.set(taskId, task)
    return task
  }

  /** Removes the checkpoints of closed tasks whose query is gone, or is to be rebuilt from its inputs. */
  async deleteTasks(isGone: (taskId: string) => boolean): Promise<void> {
    await this.#ready()
    if (this.#storage === null) return
    const gone: string[] = []
    for await (const [key] of this.#storage.iterate('t', 'u')) {
      const taskId = taskIdOf(key)
      if (!this.#tasks.has(taskId) && isGone(taskId)) gone.push(taskId)
    }
    await this.#saving
    for (const taskId of gone) await this.#clearTask(taskId)
  }

  /** Call after commits: starts a checkpoint if one is due and none is being written. Never waits for it. */
  checkpointIfDue(): void {
    if (this.#storage === null || this.#saving !== null || this.#failure !== null) return
    const { clock, checkpointIntervalMs = 1000, replayRecordsMax = 250_000 } = this.#options
    const records = this.#unsavedRecords()
    if (records === 0) return
    // It would keep a restore waiting that is to end soon.
    const isRestoring = [...this.#tasks.values()].some((task) => !task.isOpen)
    if (isRestoring && records < RESTORING_FACTOR * replayRecordsMax) return
    const ageMs = clock.monotonicMs() - this.#lastCheckpointMs
    const pauseMs =
      this.#failedWrites === 0 ? 0 : Math.min(60_000, checkpointIntervalMs * 2 ** this.#failedWrites)
    const intervalMs = Math.max(checkpointIntervalMs * SHARE_SAVED, this.#lastBuildMs / BUILD_SHARE_MAX)
    if (ageMs < pauseMs || (ageMs < intervalMs && records < replayRecordsMax)) return
    // A failure gives up every open task: they show it.
    this.#begin(this.#nextInTurn()).catch(() => {})
  }

  /**
   * The tasks that were saved longest ago, with a share of all there is to replay. So no checkpoint keeps the work
   * waiting for long; and whenever the process ends, some task was saved just now, and gives the first results
   * after a restart.
   */
  #nextInTurn(): TaskState[] {
    let left = SHARE_SAVED * this.#unsavedRecords()
    const next: TaskState[] = []
    for (const task of this.#tasks.values()) {
      if (left <= 0) break
      left -= task.unsavedRecords
      if (task.unsavedRecords > 0) next.push(task)
    }
    // Behind all others.
    for (const task of next) {
      this.#tasks.delete(task.id)
      this.#tasks.set(task.id, task)
    }
    return next
  }

  /**
   * Call between cycles. Where memory is over its bound, and what is over isn't saved yet, waits for a checkpoint
   * and lets go of what it saved: a state larger than memory is worked on at the storage's speed.
   */
  async relieve(): Promise<void> {
    const { memoryBytesMax } = this.#options
    const excess = this.#memoryBytes - memoryBytesMax * (1 + MEMORY_SLACK)
    if (this.#storage === null || this.#failure !== null || excess <= 0) return
    let evictable = 0
    for (const task of this.#tasks.values()) evictable += task.evictableBytes
    if (evictable < excess) return
    try {
      await this.checkpoint()
    } catch {
      // It gives up every open task: they show it.
      return
    }
    for (const task of this.#tasks.values()) task.evict()
  }

  /** Saves everything committed so far; resolves when it is written. Open cycles go on meanwhile. */
  async checkpoint(): Promise<void> {
    assert(!this.#closed, 'state is used before it is closed')
    while (this.#saving !== null) await this.#saving
    await this.#begin([...this.#tasks.values()])
  }

  /** Saves these tasks; nothing is being saved. */
  async #begin(tasks: readonly TaskState[]): Promise<void> {
    if (this.#failure !== null) throw failed(this.#failure.error)
    if (this.#storage === null) return
    this.#saving = this.#save(this.#storage, tasks)
    try {
      await this.#saving
    } finally {
      this.#saving = null
    }
  }

  #unsavedRecords(): number {
    let records = 0
    for (const task of this.#tasks.values()) records += task.unsavedRecords
    return records
  }

  get #isBehind(): boolean {
    return this.#unsavedRecords() >= (this.#options.replayRecordsMax ?? 250_000)
  }

  get metrics(): WorkerStateMetrics {
    return {
      checkpoints: this.#checkpoints,
      lastBuildMs: this.#lastBuildMs,
      lastWriteMs: this.#lastWriteMs,
      lastBytes: this.#lastBytes,
      dropped: this.#dropped,
      droppedReasons: [...this.#reasons],
      memoryBytes: this.#memoryBytes,
      memoryBytesMax: this.#options.memoryBytesMax,
    }
  }

  /** Saves what is committed, where that is possible, and closes. Closing twice is harmless. */
  async close(): Promise<void> {
    if (this.#closed) return
    try {
      if (this.#failure === null) await this.checkpoint()
    } finally {
      this.#closed = true
      await this.#clearing
      for (const task of this.#tasks.values()) await task.close()
      await this.#storage?.close()
    }
  }

  async #save(storage: StateStorage, tasks: readonly TaskState[]): Promise<void> {
    try {
      for (;;) {
        const waits: Promise<void>[] = []
        for (const task of tasks) {
          const wait = task.prepareSave()
          if (wait !== undefined) waits.push(wait)
        }
        if (waits.length === 0) break
        await Promise.all(waits)
      }
      // What they have committed at this moment is in the checkpoint: nothing is awaited until it is settled.
      const { clock, log, epoch } = this.#options
      const writes: PageWrite[] = []
      const saved: TaskState[] = []
      const steps: Iterable<void>[] = []
      let startedMs = clock.monotonicMs()
      let buildMs = 0
      for (const task of tasks) {
        const taskSteps = task.save(writes)
        if (taskSteps === null) continue
        saved.push(task)
        steps.push(taskSteps)
      }
      if (saved.length === 0) return
      for (const taskSteps of steps) {
        for (const _ of taskSteps) {
          const nowMs = clock.monotonicMs()
          if (nowMs - startedMs < (this.#isBehind ? STEP_MS_BEHIND : STEP_MS)) continue
          buildMs += nowMs - startedMs
          await clock.turn()
          if (this.#failure !== null) throw failed(this.#failure.error)
          startedMs = clock.monotonicMs()
        }
      }
      const number = this.#number
      for (const task of saved) {
        const key = taskKey(task.id)
        const record: TaskRecord = { logId: log.id, epoch, number, stores: task.saveRecords() }
        writes.push({ key, value: encodeRecord(key, record) })
      }
      const bytes = writes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
      const key = commitKey(number)
      writes.push({ key, value: encodeRecord(key, { number, logId: log.id, epoch, bytes }) })
      this.#commits.push({ number, bytes })
      for (const old of this.#outdatedCommits()) writes.push({ key: commitKey(old), value: null })
      this.#number = number + 1
      this.#lastBuildMs = buildMs + clock.monotonicMs() - startedMs
      this.#lastBytes = bytes
      startedMs = clock.monotonicMs()
      this.#lastCheckpointMs = startedMs
      crashPoint('state-before-checkpoint')
      const writing = storage.write(writes)
      // LevelDB takes the batch over on this thread.
      this.#lastBuildMs += clock.monotonicMs() - startedMs
      await writing
      crashPoint('state-after-checkpoint')
      this.#lastWriteMs = clock.monotonicMs() - startedMs
      this.#checkpoints++
      this.#failedWrites = 0
      for (const task of saved) {
        task.written()
        this.#clearExpired(storage, task)
      }
    } catch (error) {
      this.#failedWrites++
      this.#lastCheckpointMs = this.#options.clock.monotonicMs()
      this.#fail(error, false)
      throw error
    }
  }

  /** Commit records older than the last four write buffers: they can't be missing any more. */
  #outdatedCommits(): number[] {
    let bytes = 0
    let keep = this.#commits.length
    while (keep > 0 && (bytes < 4 * WRITE_BUFFER_BYTES || this.#commits.length - keep < 4)) {
      bytes += this.#commits[--keep]!.bytes
    }
    return this.#commits.splice(0, keep).map((c) => c.number)
  }

  #clearExpired(storage: StateStorage, task: TaskState): void {
    for (const { from, to } of task.expiredRanges()) {
      this.#clearing = this.#clearing
        .then(() => storage.clear(from, to))
        .catch((error: unknown) => this.#fail(error, false))
    }
  }

  /** Reads the commit records. What is wrong with them, or null. */
  async #openCommits(): Promise<string | null> {
    const { log, epoch } = this.#options
    let previous: CommitRecord | null = null
    this.#commits = []
    for await (const [key, value] of this.#storage!.iterate('c', 'd')) {
      const record = decodeRecord<CommitRecord>(key, value)
      if (record === null || commitKey(record.number) !== key) return 'a commit record is damaged'
      this.#number = Math.max(this.#number, record.number + 1)
      if (record.logId !== log.id) return 'the checkpoint belongs to another log'
      if (record.epoch > epoch) return 'the checkpoint is of an epoch this log does not know'
      if (previous !== null && record.number !== previous.number + 1) {
        return `the checkpoint has a hole: number ${record.number} follows ${previous.number}`
      }
      previous = record
      this.#commits.push({ number: record.number, bytes: record.bytes })
    }
    return null
  }

  async #taskRecord(taskId: string): Promise<TaskRecord | null> {
    await this.#saving
    const key = taskKey(taskId)
    const [value] = await this.#host.source!.getMany([key])
    if (value === undefined) {
      // Pages without a record are what a removal left behind.
      await this.#clearTask(taskId)
      return null
    }
    const record = decodeRecord<TaskRecord>(key, value)
    const problem =
      record === null
        ? 'a task record is damaged'
        : record.logId !== this.#options.log.id
          ? 'a task record belongs to another log'
          : record.epoch > this.#options.epoch || record.number >= this.#number
            ? 'a task record is of a checkpoint that is unknown'
            : null
    if (problem === null) return record
    await this.#dropTask(taskId, problem)
    return null
  }

  async #dropTask(taskId: string, reason: string): Promise<void> {
    this.#countDropped(`${taskId}: ${reason}`)
    await this.#clearTask(taskId)
  }

  async #clearTask(taskId: string): Promise<void> {
    if (this.#storage === null) return
    const prefix = pagesPrefix(taskId)
    try {
      await this.#storage.write([{ key: taskKey(taskId), value: null }])
      await this.#storage.clear(prefix, afterPrefix(prefix)!)
    } catch (error) {
      this.#fail(error, true)
      throw failed(error)
    }
  }

  #countDropped(reason: string): void {
    this.#dropped++
    this.#reasons.push(reason)
    if (this.#reasons.length > REASONS_MAX) this.#reasons.shift()
  }

  async #taskClosed(task: TaskState): Promise<void> {
    await this.#saving?.catch(() => {})
    if (this.#tasks.get(task.id) === task) this.#tasks.delete(task.id)
  }

  /** Gives up every open task; the next that is restored reopens the storage. */
  #fail(error: unknown, isDamaged: boolean): void {
    if (this.#closed) return
    this.#failure = {
      error: this.#failure?.error ?? error,
      isDamaged: isDamaged || this.#failure?.isDamaged === true,
    }
    for (const task of this.#tasks.values()) task.fail(failed(error))
  }

  /** Storage is open and verified, again if it has to be. */
  async #ready(): Promise<void> {
    while (this.#failure !== null) {
      this.#reopening ??= this.#reopen(this.#failure.isDamaged).finally(() => {
        this.#reopening = null
      })
      await this.#reopening
    }
  }

  async #reopen(isDamaged: boolean): Promise<void> {
    await this.#saving?.catch(() => {})
    await this.#clearing
    await this.#storage?.close()
    this.#storage = null
    await this.#openStorage(isDamaged)
    this.#failure = null
  }

  async #openStorage(isDamaged: boolean): Promise<void> {
    const { directory, fileSystem, memoryBytesMax } = this.#options
    if (directory === null) return
    const cacheBytes = Math.max(8 << 20, Math.floor(memoryBytesMax / 8))
    const openStorage = this.#options.openStorage ?? ((path, bytes) => LevelStorage.open(path, bytes))
    const openEmpty = async (reason: string): Promise<StateStorage> => {
      this.#countDropped(reason)
      this.#commits = []
      await fileSystem.removeTree(directory)
      await fileSystem.makeDirectory(directory)
      return openStorage(directory, cacheBytes)
    }
    await fileSystem.makeDirectory(directory)
    if (isDamaged) {
      this.#storage = await openEmpty('the checkpoint could not be read')
      return
    }
    try {
      this.#storage = await openStorage(directory, cacheBytes)
    } catch (error) {
      if (isLocked(error)) throw error
      this.#storage = await openEmpty(`the checkpoint could not be opened: ${reasonOf(error)}`)
      return
    }
    let reason: string | null
    try {
      reason = await this.#openCommits()
      if (reason === null) return
      await this.#storage.clear('', '\xff')
      this.#countDropped(reason)
      this.#commits = []
    } catch (error) {
      await this.#storage.close()
      this.#storage = await openEmpty(`the checkpoint could not be read: ${reasonOf(error)}`)
    }
  }

  /** Storage as stores read it: a read that fails fails the storage. */
  #source(): PageSource {
    const guarded = async function* (
      state: WorkerState,
      entries: AsyncIterable<readonly [string, Uint8Array]>,
    ): AsyncIterable<readonly [string, Uint8Array]> {
      try {
        yield* entries
      } catch (error) {
        state.#fail(error, true)
        throw failed(error)
      }
    }
    return {
      getMany: async (keys) => {
        if (this.#failure !== null || this.#storage === null) throw failed(this.#failure?.error)
        try {
          return await this.#storage.getMany(keys)
        } catch (error) {
          this.#fail(error, true)
          throw failed(error)
        }
      },
      iterate: (from, to) => {
        if (this.#failure !== null || this.#storage === null) throw failed(this.#failure?.error)
        return guarded(this, this.#storage.iterate(from, to))
      },
    }
  }
}

function failed(cause: unknown): StorageError {
  return new StorageError('STATE_FAILED', {
    message: 'The state checkpoint could not be read or written; its tasks have to be opened again.',
    cause,
  })
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}

function isLocked(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && at.code === 'LEVEL_LOCKED') return true
  }
  return false
}
