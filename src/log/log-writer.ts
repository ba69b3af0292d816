import { crc32c } from '@node-rs/crc32'
import type { Clock, Timer } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { FileSystem } from '../base/file-system.ts'
import type { CheckpointSlots } from './checkpoint.ts'
import { describeCause, isFileShortage, isShortage } from './disk-error.ts'
import { Checkpointer } from './checkpointer.ts'
import type { FilePool } from './file-pool.ts'
import { FlushRule } from './flush-rule.ts'
import { BLOCK_BYTES, groupBytes, type Journal } from './journal.ts'
import { type AppendEntry, encodeEntry, type JournalEntry } from './journal-entry.ts'
import type { LogCondition } from './log-condition.ts'
import type { Effects, LogState, Topic } from './log-state.ts'
import type { Partition, Segment } from './partition.ts'
import type { Request } from './request.ts'
import { SegmentFiles } from './segment-files.ts'
import type { SegmentIndex } from './segment-index.ts'

/** One round of the journal takes at most about this many bytes of groups that wait. */
const ROUND_BYTES_MAX = 32 * 1024 * 1024
const ROUND_REQUESTS_MAX = 256
const SEAL_AFTER_MS = 100
/** How long to wait before a write that has to be made, and lacked space or a file, is tried again. */
const SHORTAGE_RETRY_MS = 250

export interface LogWriterParts {
  readonly directory: string
  readonly fileSystem: FileSystem
  readonly files: FilePool
  readonly clock: Clock
  readonly durability: 'fsync' | 'os'
  readonly journal: Journal
  readonly slots: CheckpointSlots
  readonly state: LogState
  readonly condition: LogCondition
}

interface Taken {
  readonly request: Request
  readonly entries: JournalEntry[]
}

/**
 * The road of a request to the disk. A round takes those that wait, writes them to the journal as one frame
 * each, syncs once for all of them, copies their batches into the segments, and publishes all new ends in
 * one step. A failed write or sync of the journal closes the log.
 */
export class LogWriter {
  readonly #parts: LogWriterParts
  readonly #state: LogState
  readonly #condition: LogCondition
  readonly #segmentFiles: SegmentFiles
  readonly #checkpointer: Checkpointer
  readonly #published: (appended: boolean) => void
  #queue: Request[] = []
  #running: Promise<void> | null = null
  readonly #background = new Set<Promise<void>>()
  #sealTimer: Timer | null = null
  /** Only where syncing is left to the system. */
  readonly #flushRule: FlushRule
  #flushTimer: Timer | null = null
  /** Whether frames were written since the last seal or checkpoint. */
  #unsealed = false
  /** Of segments that the swap on its way brings. */
  swapIndexes: ReadonlyMap<string, SegmentIndex> = new Map()

  /** @param published called after a round, with whether any ends have moved */
  constructor(parts: LogWriterParts, published: (appended: boolean) => void) {
    this.#parts = parts
    this.#state = parts.state
    this.#condition = parts.condition
    this.#published = published
    this.#flushRule = new FlushRule(parts.state, parts.clock)
    this.#segmentFiles = new SegmentFiles(
      parts.fileSystem,
      parts.files,
      parts.directory,
      parts.state,
      parts.condition,
    )
    const segmentFiles = this.#segmentFiles
    this.#checkpointer = new Checkpointer({ ...parts, segmentFiles }, (cause) => this.#fail(cause))
  }

  enqueue(request: Request): void {
    if (!this.#condition.isUsable) {
      request.refused(this.#condition.closedError())
      return
    }
    this.#queue.push(request)
    this.#kick()
  }

  /** Resolves once the planned entries are durable and published. */
  submit(plan: () => JournalEntry[], barrier: Request['barrier'] = 'none'): Promise<void> {
    return new Promise((resolve, reject) => {
      this.enqueue({
        bytes: () => 0,
        barrier,
        plan,
        done: resolve,
        refused: reject,
        unknown: reject,
      })
    })
  }

  /** Makes everything applied so far durable outside the journal. */
  checkpoint(): Promise<void> {
    return this.#checkpointer.run()
  }

  #kick(): void {
    if (this.#running !== null) return
    // Starting in a microtask lets everything sent in this turn share the round.
    this.#running = Promise.resolve()
      .then(() => this.#run())
      .finally(() => this.#ran())
  }

  #ran(): void {
    this.#running = null
    if (this.#queue.length > 0 && !this.#condition.hasFailed) this.#kick()
  }

  async #run(): Promise<void> {
    this.#sealTimer?.cancel()
    this.#sealTimer = null
    while (this.#queue.length > 0 && !this.#condition.hasFailed) await this.#round()
    if (!this.#condition.isUsable) return
    this.#sealLater()
    this.#flushLater()
  }

  async #round(): Promise<void> {
    const taken = this.#take()
    const written = taken.filter(({ entries }) => entries.length > 0)
    if (written.length === 0) {
      for (const { request } of taken) request.done()
      return
    }

    const appends = written.flatMap(({ entries }) => entries.filter((entry) => entry.kind === 'append'))
    const bulk = appends.filter((append) => append.bulkCrc !== null)
    const frames = written.map(({ entries }) => entries.map(encodeEntry))
    const frameTotal = groupBytes(frames)
    const { journal, durability } = this.#parts

    // Until the journal is written nothing has happened, and a full disk harms nobody.
    try {
      while (!journal.hasRoomFor(frameTotal)) await this.checkpoint()
      await journal.prepare(frameTotal)
      await this.#writeBulk(bulk)
    } catch (cause) {
      await this.#giveBack(appends, cause)
      for (const { request } of taken) {
        if (this.#condition.hasFailed) request.unknown(this.#condition.closedError(cause))
        else request.refused(this.#condition.refusal(cause))
      }
      return
    }

    const effects: Effects = { sealed: [], deleted: [], retired: [], indexes: this.swapIndexes }
    try {
      crashPoint('journal-before-write')
      await journal.write(frames)
      this.#unsealed = true
      crashPoint('journal-after-write')
      for (const { request } of written) request.written?.()
      if (durability === 'fsync') {
        await journal.sync()
        crashPoint('journal-after-sync')
      }
      await this.#writeInline(appends.filter((append) => append.bulkCrc === null))
      crashPoint('segments-after-write')
      for (const { entries } of written) {
        for (const entry of entries) {
          this.#state.apply(entry, entry.kind === 'append' ? entry.bytes : null, effects)
        }
      }
      this.#segmentFiles.published()
      this.#checkpointer.noteApplied(bulk.reduce((sum, { length }) => sum + length, 0))
      if (durability === 'os' && this.#flushRule.written(appends)) await this.#flush()
    } catch (cause) {
      for (const { request } of taken) request.unknown(this.#condition.closedError(cause))
      this.#fail(cause)
      return
    }

    crashPoint('ends-published')
    for (const { request } of taken) request.done()
    if (this.#condition.hasShortage) {
      this.#condition.noteWritten()
      this.#inBackground(this.#condition.measure(this.#parts.fileSystem))
    }
    this.#published(appends.length > 0)
    this.#follow(effects)
    if (this.#checkpointer.isDue && !this.#checkpointer.isRunning) {
      this.#inBackground(
        this.checkpoint().catch((cause: unknown) => {
          if (!isShortage(cause)) throw cause
        }),
      )
    }
  }

  /** Syncs what topics do not want to leave to the system. */
  async #flush(): Promise<void> {
    this.#flushRule.synced()
    await this.#onceThereIsSpace(() => this.#checkpointer.runAnew())
  }

  #flushLater(): void {
    this.#flushTimer?.cancel()
    const { leftMs } = this.#flushRule
    if (leftMs === Infinity) return
    this.#flushTimer = this.#parts.clock.after(leftMs, () => {
      if (this.#condition.isUsable) this.#inBackground(this.#flush())
    })
  }

  /** The requests of the next round, planned; those refused are answered. */
  #take(): Taken[] {
    const taken: Taken[] = []
    let bytes = 0
    let count = 0
    const bytesMax = Math.min(ROUND_BYTES_MAX, this.#parts.journal.frameBytesMax / 2)
    for (const request of this.#queue) {
      // The first one always goes, whatever its size.
      if (count > 0) {
        if (bytes + request.bytes() > bytesMax || count === ROUND_REQUESTS_MAX) break
        if (request.barrier === 'alone' || request.waits?.() === true) break
      }
      count++
      bytes += request.bytes()
      try {
        taken.push({ request, entries: this.#fitted(request.plan()) })
      } catch (error) {
        this.#state.forgetPlans()
        request.refused(error)
        continue
      }
      if (request.barrier !== 'none') break
    }
    this.#queue = this.#queue.slice(count)
    return taken
  }

  /** Moves bytes out of a frame that would take too much of the journal. */
  #fitted(entries: JournalEntry[]): JournalEntry[] {
    let inline = 0
    for (const entry of entries) if (entry.kind === 'append' && entry.bulkCrc === null) inline += entry.length
    if (inline <= this.#parts.journal.frameBytesMax / 4) return entries
    return entries.map((entry) =>
      entry.kind === 'append' && entry.bulkCrc === null ? { ...entry, bulkCrc: crc32c(entry.bytes!) } : entry,
    )
  }

  /** Bytes that the frames only refer to: into the segments, and durable there before the frame is written. */
  async #writeBulk(appends: readonly AppendEntry[]): Promise<void> {
    if (appends.length === 0) return
    const paths = await this.#segmentFiles.write(appends)
    if (this.#parts.durability !== 'fsync') return
    try {
      await this.#segmentFiles.sync(paths)
    } catch (cause) {
      if (!isFileShortage(cause)) this.#fail(cause)
      throw cause
    }
  }

  /**
   * Copies what the journal holds into the segments. A full disk, or too many open files, makes it wait, and
   * everybody behind it: the group is durable, so it can only go forward.
   */
  async #writeInline(appends: readonly AppendEntry[]): Promise<void> {
    if (appends.length > 0) await this.#onceThereIsSpace(() => this.#segmentFiles.write(appends))
  }

  async #onceThereIsSpace(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await work()
        return
      } catch (cause) {
        if (!isShortage(cause) || this.#condition.isClosing) throw cause
        this.#condition.noteShortage(cause)
        await new Promise<void>((resolve) => {
          this.#parts.clock.after(SHORTAGE_RETRY_MS, resolve)
        })
      }
    }
  }

  /** Undoes reservations and cuts back what was written for them. */
  async #giveBack(appends: readonly AppendEntry[], cause: unknown): Promise<void> {
    const partitions = new Set<Partition>()
    for (const { topicId, partition } of appends) {
      const found = this.#state.topicById(topicId)?.parts[partition]
      if (found !== undefined) partitions.add(found)
    }
    for (const partition of partitions) partition.resetReservation()
    this.#state.forgetPlans()
    this.#segmentFiles.published()
    if (this.#condition.hasFailed) return
    try {
      await this.#segmentFiles.cutBack(appends)
    } catch (second) {
      this.#fail(new AggregateError([cause, second], 'A failed write could not be cut back.'))
    }
  }

  /** What applied entries leave to do beside the journal: index files of sealed segments, files of deleted topics. */
  #follow({ sealed, deleted, retired }: Effects): void {
    if (retired.length > 0) this.#inBackground(this.#removeSegments(retired))
    for (const { partition, segment } of sealed) {
      this.#inBackground(partition.writeIndexFiles(segment))
    }
    for (const topic of deleted) {
      this.#inBackground(this.#removeTopic(topic))
    }
  }

  async #removeTopic({ directory }: Topic): Promise<void> {
    // The files must not go before the deletion is durable.
    if (this.#parts.durability === 'os') await this.#checkpointer.runAnew()
    await this.#segmentFiles.removeTopic(directory)
  }

  async #removeSegments(segments: readonly Segment[]): Promise<void> {
    // The files must not go before what says so is durable.
    if (this.#parts.durability === 'os') await this.#checkpointer.runAnew()
    for (const segment of segments) {
      try {
        await this.#segmentFiles.removeSegment(segment)
      } catch (cause) {
        // It lies there until the next opening removes it.
        const { path } = segment
        this.#condition.problems.set(path, `${path} could not be removed: ${describeCause(cause)}`)
      }
    }
    crashPoint('segments-retired')
  }

  /** Work whose failure is the log's: it has no caller to tell. */
  #inBackground(work: Promise<void>): void {
    const watched = work
      .catch((cause: unknown) => this.#fail(cause))
      .finally(() => this.#background.delete(watched))
    this.#background.add(watched)
  }

  /** An empty synced frame behind the last group lets recovery tell damage to that group from a torn end. */
  #sealLater(): void {
    const { journal, durability, clock } = this.#parts
    if (durability !== 'fsync' || !this.#unsealed) return
    this.#sealTimer = clock.after(SEAL_AFTER_MS, () => {
      if (this.#running !== null || !this.#condition.isUsable) return
      this.#running = (async () => {
        if (!journal.hasRoomFor(BLOCK_BYTES)) return
        this.#unsealed = false
        try {
          await journal.write([[]])
          this.#checkpointer.noteApplied(0)
          await journal.sync()
        } catch (cause) {
          this.#fail(cause)
        }
      })().finally(() => this.#ran())
    })
  }

  /** After a failed write or sync nobody knows what is on disk: no more of it, until the log is reopened. */
  #fail(cause: unknown): void {
    this.#condition.fail(cause)
    const waiting = this.#queue
    this.#queue = []
    for (const request of waiting) request.refused(this.#condition.closedError())
  }

  /** Lets what is queued and under way end, and writes the last checkpoint. Nothing new may come. */
  async finish(): Promise<void> {
    while (this.#running !== null) await this.#running
    while (this.#background.size > 0) await Promise.all(this.#background)
    if (this.#condition.hasFailed) return
    await this.#checkpointer.runAnew(true).catch((cause: unknown) => {
      // Everything is in the journal; the next opening replays it.
      if (!isShortage(cause)) throw this.#condition.closedError(cause)
    })
  }

  cancelTimers(): void {
    this.#sealTimer?.cancel()
    this.#flushTimer?.cancel()
  }
}
