import type { Clock, Timer } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { FileSystem } from '../base/file-system.ts'
import { Cleaner, cleaningState, type Trim } from './cleaner.ts'
import type { GroupCoordinator } from './group-coordinator.ts'
import { forgetIdleProducers, idleEntries } from './idle.ts'
import type { JournalEntry } from './journal-entry.ts'
import { describeCause, isShortage } from './disk-error.ts'
import type { LogCondition } from './log-condition.ts'
import type { LogState, Topic } from './log-state.ts'
import type { LogWriter } from './log-writer.ts'
import type { Partition } from './partition.ts'
import { activeExpired, expendable, expiredTo, logStartEntry } from './retention.ts'
import { numericSetting, setting } from './topic-config.ts'

/** How often cleaner and retention look for work. */
const EVERY_MS = 15_000
const OFFSETS_RETENTION_MS = 7 * 24 * 60 * 60 * 1000

interface Place {
  readonly topic: Topic
  readonly partition: Partition
}

interface MaintenanceParts {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly state: LogState
  readonly condition: LogCondition
  readonly writer: LogWriter
  readonly groupCoordinator: GroupCoordinator
  readonly everyMs: number | undefined
  readonly offsetsRetentionMs: number | undefined
}

/** Compaction and retention: what becomes of records once they are in the log. */
export class Maintenance {
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  readonly #state: LogState
  readonly #condition: LogCondition
  readonly #writer: LogWriter
  readonly #groupCoordinator: GroupCoordinator
  readonly #everyMs: number
  readonly #offsetsRetentionMs: number
  readonly #openedMs: number
  readonly #cleaner: Cleaner
  readonly #rules = new Map<Partition, { holdFrom?: number; trim?: Trim }>()
  #timer: Timer | null = null
  #running: Promise<void> | null = null

  constructor(parts: MaintenanceParts) {
    const { fileSystem, clock, state, condition, writer, groupCoordinator } = parts
    this.#fileSystem = fileSystem
    this.#clock = clock
    this.#state = state
    this.#condition = condition
    this.#writer = writer
    this.#groupCoordinator = groupCoordinator
    this.#everyMs = parts.everyMs ?? EVERY_MS
    this.#offsetsRetentionMs = parts.offsetsRetentionMs ?? OFFSETS_RETENTION_MS
    this.#openedMs = clock.nowMs()
    this.#cleaner = new Cleaner(fileSystem, clock, () => !condition.isUsable)
    this.#runLater()
  }

  /** @see Log.holdFrom */
  holdFrom(partition: Partition, offset: number): void {
    this.#rules.set(partition, { ...this.#rules.get(partition), holdFrom: offset })
  }

  /** @see Log.trim */
  trim(partition: Partition, trim: Trim): void {
    this.#rules.set(partition, { ...this.#rules.get(partition), trim })
  }

  #runLater(): void {
    if (!this.#condition.isUsable) return
    this.#timer = this.#clock.after(this.#everyMs, () => {
      void this.run().finally(() => this.#runLater())
    })
  }

  /**
   * Cleans compacted partitions and removes what has expired, where there is something to do. Happens by
   * itself now and then; resolves when this round is over. A partition it cannot deal with shows in
   * {@link health}.
   */
  run(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #round(): Promise<void> {
    // Also where nothing is written: somebody else may fill the disk.
    await this.#condition.measure(this.#fileSystem)
    this.#condition.problems.clear()
    await this.#forgetIdle()
    const work: Place[] = []
    for (const topic of this.#state.topics()) {
      const limited =
        numericSetting(topic.config, 'retention.ms') >= 0 ||
        numericSetting(topic.config, 'retention.bytes') >= 0
      for (const partition of topic.parts) {
        const below =
          partition.segments.length > 1 && partition.endOf(partition.segments[0]!) <= partition.ends.logStart
        if (isCompacted(topic) || limited || below) work.push({ topic, partition })
      }
    }
    if (work.length === 0) return
    // Segments are sealed first: only those below a checkpoint can be dealt with.
    let sealed = false
    for (const { topic, partition } of work) {
      await this.#attempt(topic, partition, async () => {
        const nowMs = this.#clock.nowMs()
        const roll =
          (isCompacted(topic) && cleaningState(partition, topic.config, nowMs).roll) ||
          (await activeExpired(topic, partition, nowMs))
        if (roll) await this.#roll(topic, partition)
      })
      const lastSealed = partition.segments.at(-2)
      sealed ||= lastSealed !== undefined && partition.endOf(lastSealed) > partition.checkpointedTo
    }
    if (!this.#condition.isUsable) return
    try {
      if (sealed) await this.#writer.checkpoint()
    } catch (cause) {
      // Anything else has closed the log.
      if (!isShortage(cause)) return
    }
    for (const { topic, partition } of work) {
      await this.#attempt(topic, partition, () => this.#expire(topic, partition))
    }
    await this.#cleanDirtiest(work)
  }

  /** One after the other, each time the one with most to clean, until none has enough. */
  async #cleanDirtiest(work: readonly Place[]): Promise<void> {
    const left = new Set(work.filter(({ topic }) => isCompacted(topic)))
    while (left.size > 0 && this.#condition.isUsable) {
      let place: Place | null = null
      let dirtiest = -1
      for (const candidate of left) {
        const { partition, topic } = candidate
        const { due, dirtyRatio } = cleaningState(partition, topic.config, this.#clock.nowMs())
        if (!due || dirtyRatio <= dirtiest) continue
        place = candidate
        dirtiest = dirtyRatio
      }
      if (place === null) return
      const { topic, partition } = place
      const before = partition.cleanedTo
      await this.#attempt(topic, partition, () => this.#clean(topic, partition))
      // A pass ends early where it knows as many keys as it has memory for: then another one follows.
      if (partition.cleanedTo === before) left.delete(place)
    }
  }

  async #forgetIdle(): Promise<void> {
    forgetIdleProducers(this.#state, this.#clock.nowMs())
    const idle = (): JournalEntry[] =>
      idleEntries(
        this.#state,
        this.#groupCoordinator,
        this.#offsetsRetentionMs,
        this.#openedMs,
        this.#clock.nowMs(),
      )
    if (idle().length === 0) return
    await this.#writer.submit(idle, 'alone').catch((cause: unknown) => {
      // The next round tries again; a log that has failed says so itself.
      this.#condition.problems.set('idle', `Expired offsets cannot be removed: ${describeCause(cause)}`)
    })
  }

  /** Work on one partition, whose failure harms no other. */
  async #attempt(topic: Topic, partition: Partition, work: () => Promise<void>): Promise<void> {
    if (!this.#condition.isUsable || this.#state.topicById(topic.id) === undefined) return
    try {
      await work()
    } catch (cause) {
      if (!this.#condition.isUsable || this.#state.topicById(topic.id) === undefined) return
      this.#condition.problems.set(
        partition.directory,
        `Topic ${topic.name}, partition ${partition.number}, cannot be cleaned: ${describeCause(cause)}`,
      )
    }
  }

  async #roll(topic: Topic, partition: Partition): Promise<void> {
    await this.#writer.submit(() => {
      const active = partition.segments.at(-1)
      if (this.#state.topicById(topic.id) === undefined || active === undefined || active.bytes === 0)
        return []
      const { number } = partition
      return [{ kind: 'roll', topicId: topic.id, partition: number, atMs: this.#clock.nowMs() }]
    }, 'alone')
  }

  async #expire(topic: Topic, partition: Partition): Promise<void> {
    const to = await expiredTo(topic, partition, this.#clock.nowMs())
    if (to === null) return
    await this.#writer.submit(() => {
      const removed = this.#state.topicById(topic.id) === undefined ? [] : expendable(partition, to)
      return removed.length === 0 ? [] : [logStartEntry(topic, partition, to, removed)]
    }, 'alone')
  }

  async #clean(topic: Topic, partition: Partition): Promise<void> {
    const { config } = topic
    const { segments, due } = cleaningState(partition, config, this.#clock.nowMs())
    if (!due) return
    const rules = this.#rules.get(partition)
    const result = await this.#cleaner.clean(partition, segments, config, {
      // Until it says otherwise, whoever keeps state in an internal topic may restore from its start.
      holdFrom: rules?.holdFrom ?? (topic.internal ? 0 : Infinity),
      trim: rules?.trim ?? null,
    })
    if (result === null) return
    crashPoint('cleaner-before-swap')
    let swapped = false
    await this.#writer.submit(() => {
      const valid =
        this.#state.topicById(topic.id) !== undefined &&
        result.swaps.every(({ replaced }) =>
          replaced.every((segment) => partition.segments.includes(segment)),
        )
      if (!valid) return []
      swapped = true
      this.#writer.swapIndexes = result.indexes
      const place = { topicId: topic.id, partition: partition.number, cleanedTo: result.cleanedTo }
      const entries = result.swaps.map(({ replaced, segments: added }): JournalEntry => ({
        kind: 'swap',
        ...place,
        replaced: replaced.map(({ base }) => base),
        segments: added,
      }))
      return entries.length > 0 ? entries : [{ kind: 'swap', ...place, replaced: [], segments: [] }]
    }, 'alone')
    if (!swapped) {
      await this.#cleaner.discard(result)
      return
    }
    crashPoint('cleaner-after-swap')
    for (const segment of partition.segments) {
      if (result.indexes.has(segment.path)) await partition.writeIndexFiles(segment)
    }
  }

  /** Resolves once nothing is under way any more; the log must be closing. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#cleaner.wakeUp()
    await this.#running
  }
}

function isCompacted({ config }: Topic): boolean {
  return setting(config, 'cleanup.policy').includes('compact')
}
