import { StorageError } from '../base/errors.ts'
import type { FileLock } from '../base/file-system.ts'
import { Listeners } from '../base/listeners.ts'
import type { Random } from '../base/random.ts'
import type { TopicPartition } from './assignors.ts'
import { type CheckedAppend, existingTopic, partitionIn, reserveAppend, unknownTopic } from './append.ts'
import { planGroup, storedOffsets } from './commit-group.ts'
import { LogConsumer } from './consumer.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import type { AppendEntry, JournalEntry } from './journal-entry.ts'
import type {
  CommitGroup,
  CommitOutcome,
  CommitOwner,
  CommittedOffset,
  Consumer,
  ConsumerOptions,
  GroupDescription,
  GroupMember,
  Isolation,
  Log,
  LogHealth,
  LogSlice,
  PartitionEnds,
  Producer,
  ProducerOptions,
  TopicDescription,
  TopicSpec,
  TransactionDescription,
} from './log.ts'
import type { Trim } from './cleaner.ts'
import { LogCondition } from './log-condition.ts'
import { LogProducer } from './log-producer.ts'
import type { LogState, Topic } from './log-state.ts'
import { LogWriter, type LogWriterParts } from './log-writer.ts'
import { Maintenance } from './maintenance.ts'
import { ProducerCoordinator } from './producer-coordinator.ts'
import type { LogCore, Request } from './request.ts'
import { expendable, logStartEntry } from './retention.ts'
import type { StoredOffset } from './stored.ts'
import { addPartitionsEntry, alterTopicEntry, createTopicEntry } from './topic-entries.ts'

interface EmbeddedLogParts extends Omit<LogWriterParts, 'condition'> {
  readonly random: Random
  readonly lock: FileLock
  readonly maintenanceEveryMs: number | undefined
  readonly offsetsRetentionMs: number | undefined
}

/**
 * The embedded log: one write-ahead journal in front of the segments of all partitions.
 *
 * Every change is a request that goes through the {@link LogWriter}; reading goes to the partitions.
 *
 * Made by `openLog` after recovery; owns the directory until {@link close}.
 */
export class EmbeddedLog implements Log, LogCore {
  readonly #parts: EmbeddedLogParts
  readonly #state: LogState
  readonly #condition: LogCondition
  readonly #writer: LogWriter
  readonly #maintenance: Maintenance
  readonly #listeners = new Listeners()
  #closing: Promise<void> | null = null
  /** Idempotent and transactional producers, by the calls of Kafka's protocol. */
  readonly coordinator: ProducerCoordinator
  readonly groupCoordinator: GroupCoordinator

  constructor(parts: EmbeddedLogParts) {
    const { state, clock, fileSystem, directory, maintenanceEveryMs } = parts
    this.#parts = parts
    this.#state = state
    const condition = new LogCondition(directory)
    this.#condition = condition
    this.#writer = new LogWriter({ ...parts, condition }, (appended) => {
      if (appended) this.#listeners.tell()
      this.coordinator.watchTimeouts()
    })
    this.coordinator = new ProducerCoordinator(this, state, clock)
    this.coordinator.watchTimeouts()
    this.groupCoordinator = new GroupCoordinator(clock, (topic) => state.topic(topic)?.partitions ?? 0)
    this.#maintenance = new Maintenance({
      fileSystem,
      clock,
      state,
      condition,
      writer: this.#writer,
      groupCoordinator: this.groupCoordinator,
      everyMs: maintenanceEveryMs,
      offsetsRetentionMs: parts.offsetsRetentionMs,
    })
    void condition.measure(fileSystem)
  }

  get id(): string {
    return this.#state.logId
  }

  // Topics

  topic(name: string): TopicDescription | undefined {
    const topic = this.#state.topic(name)
    return topic === undefined ? undefined : describe(topic)
  }

  topics(): readonly TopicDescription[] {
    return [...this.#state.topics()].map(describe)
  }

  async createTopic(name: string, spec: TopicSpec): Promise<TopicDescription> {
    await this.submit(() => [createTopicEntry(this.#state, this.#parts.random, name, spec)], 'after')
    return describe(this.#state.topic(name)!)
  }

  async deleteTopic(name: string): Promise<void> {
    await this.submit(() => [{ kind: 'delete-topic', id: this.topicOf(name).id }], 'after')
  }

  async alterTopic(
    name: string,
    changes: Readonly<Record<string, string | null>>,
  ): Promise<TopicDescription> {
    await this.submit(() => [alterTopicEntry(this.topicOf(name), changes)], 'alone')
    return describe(this.topicOf(name))
  }

  async addPartitions(name: string, partitions: number): Promise<TopicDescription> {
    await this.submit(() => [addPartitionsEntry(this.topicOf(name), partitions)], 'alone')
    return describe(this.topicOf(name))
  }

  async deleteRecords(topicName: string, number: number, beforeOffset: number): Promise<number> {
    let logStart = 0
    await this.submit(() => {
      const topic = this.topicOf(topicName)
      const partition = partitionIn(topic, number)
      const { highWatermark, logStart: from } = partition.ends
      if (!Number.isSafeInteger(beforeOffset) || beforeOffset < 0 || beforeOffset > highWatermark) {
        throw new StorageError('LOG_OFFSET_OUT_OF_RANGE', {
          message:
            `Topic ${topicName}, partition ${number}, ends at ${highWatermark}: ` +
            `records before ${beforeOffset} cannot be deleted.`,
        })
      }
      logStart = Math.max(from, beforeOffset)
      const removed = expendable(partition, logStart)
      if (logStart === from && removed.length === 0) return []
      return [logStartEntry(topic, partition, logStart, removed)]
    }, 'alone')
    return logStart
  }

  holdFrom(topic: string, partition: number, offset: number): void {
    this.#maintenance.holdFrom(partitionIn(this.topicOf(topic), partition), offset)
  }

  trim(topic: string, partition: number, beforeOffset: number, isGone: Trim['isGone']): void {
    this.#maintenance.trim(partitionIn(this.topicOf(topic), partition), { beforeOffset, isGone })
  }

  /**
   * Cleans compacted partitions and removes what has expired, where there is something to do. Happens by
   * itself now and then; resolves when this round is over. A partition it cannot deal with shows in
   * {@link health}.
   */
  maintain(): Promise<void> {
    return this.#maintenance.run()
  }

  // Commit groups

  async claim(name: string): Promise<CommitOwner> {
    let epoch = 0
    await this.submit(() => {
      epoch = this.#state.ownerEpoch(name) + 1
      return [{ kind: 'claim', name, epoch }]
    }, 'after')
    return { name, epoch }
  }

  commit(group: CommitGroup): Promise<CommitOutcome> {
    let bytes = 0
    for (const { batches } of group.appends) bytes += batches.length
    for (const { offsets } of group.offsets) bytes += offsets.length * 200
    const changesTopics = (group.createTopics?.length ?? 0) + (group.deleteTopics?.length ?? 0) > 0
    return new Promise<CommitOutcome>((resolve, reject) => {
      let baseOffsets: readonly number[] = []
      let fenced = false
      this.enqueue({
        bytes: () => bytes,
        barrier: changesTopics ? 'after' : 'none',
        plan: () => {
          fenced = this.#state.ownerEpoch(group.owner.name) !== group.owner.epoch
          if (fenced) return []
          const { clock, random, journal } = this.#parts
          const planned = planGroup(group, {
            state: this.#state,
            random,
            nowMs: clock.nowMs(),
            frameBytesMax: journal.frameBytesMax,
          })
          baseOffsets = planned.baseOffsets
          return planned.entries
        },
        done: () => resolve(fenced ? { kind: 'fenced' } : { kind: 'committed', baseOffsets }),
        refused: reject,
        unknown: (cause) => resolve({ kind: 'unknown', cause }),
      })
    })
  }

  // Reading

  async read(
    topic: string,
    partition: number,
    fromOffset: number,
    bytesMax: number,
    isolation: Isolation = 'read_committed',
    buffer?: Uint8Array<ArrayBuffer>,
  ): Promise<LogSlice> {
    this.#condition.assertOpen()
    const found = this.topicOf(topic)
    try {
      return await partitionIn(found, partition).read(fromOffset, bytesMax, isolation, buffer)
    } catch (cause) {
      // Its files may have gone while they were read.
      if (this.#state.topicById(found.id) === undefined) throw unknownTopic(topic)
      throw cause
    }
  }

  ends(topic: string, partition: number): PartitionEnds {
    return partitionIn(this.topicOf(topic), partition).ends
  }

  async offsetForTime(topic: string, partition: number, timestampMs: number): Promise<number | null> {
    this.#condition.assertOpen()
    return partitionIn(this.topicOf(topic), partition).offsetForTime(timestampMs)
  }

  async newestRecord(
    topic: string,
    partition: number,
  ): Promise<{ readonly offset: number; readonly timestampMs: number } | null> {
    this.#condition.assertOpen()
    return partitionIn(this.topicOf(topic), partition).newestRecord()
  }

  onEndsMoved(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  // Consumers and their groups

  committedOffsets(group: string): readonly CommittedOffset[] {
    return this.#state.group(group).map(({ topicId, partition, offset, metadata }) => ({
      topic: this.#state.topicById(topicId)!.name,
      partition,
      offset,
      ...(metadata === '' ? {} : { metadata }),
    }))
  }

  async commitOffsets(
    group: string,
    offsets: readonly CommittedOffset[],
    member?: GroupMember,
  ): Promise<void> {
    await this.submit(() => {
      this.groupCoordinator.checkCommit(group, member ?? null, offsets)
      return [{ kind: 'offsets', group, offsets: this.storedOffsets(offsets) }]
    })
  }

  async deleteGroup(group: string): Promise<void> {
    await this.submit(() => {
      this.groupCoordinator.checkCommit(group, null, [])
      return [{ kind: 'delete-group', group }]
    })
    this.groupCoordinator.forget(group)
  }

  async deleteOffsets(group: string, partitions: readonly TopicPartition[]): Promise<void> {
    await this.submit(() => {
      this.groupCoordinator.assertUnread(group, partitions)
      const places = partitions.map(({ topic, partition }) => {
        const { id } = this.topicOf(topic)
        return { topicId: id, partition }
      })
      return [{ kind: 'delete-offsets', group, partitions: places }]
    })
  }

  groups(): readonly string[] {
    return [...new Set([...this.#state.groups(), ...this.groupCoordinator.groups()])]
  }

  describeGroup(group: string): GroupDescription {
    return { group, ...this.groupCoordinator.describe(group) }
  }

  checkCommit(group: string, member: GroupMember | null, offsets: readonly CommittedOffset[]): void {
    this.groupCoordinator.checkCommit(group, member, offsets)
  }

  storedOffsets(given: readonly CommittedOffset[]): StoredOffset[] {
    return storedOffsets(given, (name) => this.topicOf(name), this.#parts.clock.nowMs())
  }

  consumer(options: ConsumerOptions = {}): Consumer {
    this.#condition.assertOpen()
    return new LogConsumer(this, this.groupCoordinator, this.#parts.clock, options)
  }

  // Producers

  transactions(): readonly TransactionDescription[] {
    return this.coordinator.describe()
  }

  abortTransaction(transactionalId: string): Promise<void> {
    return this.coordinator.abort(transactionalId)
  }

  producer(options: ProducerOptions = {}): Producer {
    this.#condition.assertOpen()
    const { clock, random } = this.#parts
    return new LogProducer(this, this.#state, this.coordinator, clock, random, options)
  }

  topicOf(name: string): Topic {
    return existingTopic(this.#state, name)
  }

  reserve(append: CheckedAppend): AppendEntry {
    return reserveAppend(append, this.#parts.clock.nowMs())
  }

  enqueue(request: Request): void {
    this.#writer.enqueue(request)
  }

  submit(plan: () => JournalEntry[], barrier: Request['barrier'] = 'none'): Promise<void> {
    return this.#writer.submit(plan, barrier)
  }

  // Health and end

  health(): LogHealth {
    return this.#condition.health()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#condition.beginClosing()
    this.#writer.cancelTimers()
    this.coordinator.close()
    this.groupCoordinator.close()
    const { journal, files, lock } = this.#parts
    try {
      await this.#maintenance.stop()
      await this.#writer.finish()
    } finally {
      this.#condition.closed()
      this.#listeners.clear()
      await files.close()
      await journal.close()
      await lock.release()
    }
  }
}

function describe({ name, id, partitions, config, internal }: Topic): TopicDescription {
  return { name, id, partitions, config, internal }
}
