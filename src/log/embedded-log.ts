import { dirname, join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import type { Clock, Timer } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { StorageError } from '../base/errors.ts'
import { type FileLock, type FileSystem, writeFully } from '../base/file-system.ts'
import type { Random } from '../base/random.ts'
import type { CheckpointSlots } from './checkpoint.ts'
import type { FilePool } from './file-pool.ts'
import { type CheckedAppend, checkAppend, partitionIn, reserveAppend, unknownTopic } from './append.ts'
import { BLOCK_BYTES, frameBytes, groupBytes, type Journal } from './journal.ts'
import { type AppendEntry, encodeEntry, type JournalEntry, type StoredOffset } from './journal-entry.ts'
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
} from './log.ts'
import { Cleaner, cleaningState, type Trim } from './cleaner.ts'
import { LogConsumer } from './consumer.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { LogProducer } from './log-producer.ts'
import { type Effects, type LogState, type Topic, TOPICS_DIRECTORY } from './log-state.ts'
import type { Partition, Segment } from './partition.ts'
import { ProducerCoordinator } from './producer-coordinator.ts'
import { randomId } from './random-id.ts'
import type { LogCore, Request } from './request.ts'
import { activeExpired, expendable, expiredTo, logStartEntry } from './retention.ts'
import type { SegmentIndex } from './segment-index.ts'
import {
  checkSettingName,
  checkTopicConfig,
  checkTopicName,
  numericSetting,
  setting,
} from './topic-config.ts'

/** One round of the journal takes at most about this many bytes of groups that wait. */
const ROUND_BYTES_MAX = 32 * 1024 * 1024
const ROUND_REQUESTS_MAX = 256
const METADATA_BYTES_MAX = 4096
const PARTITIONS_MAX = 10_000
const SEAL_AFTER_MS = 100
/** How long to wait for space before a write that has to be made is tried again. */
const SPACE_RETRY_MS = 250
/** How often cleaner and retention look for work. */
const MAINTENANCE_EVERY_MS = 15_000
/** Below this the log reports a disk that is getting full. */
const FREE_BYTES_LOW = 64 * 1024 * 1024

interface EmbeddedLogParts {
  readonly directory: string
  readonly fileSystem: FileSystem
  readonly files: FilePool
  readonly clock: Clock
  readonly random: Random
  readonly durability: 'fsync' | 'os'
  readonly journal: Journal
  readonly slots: CheckpointSlots
  readonly state: LogState
  readonly lock: FileLock
  readonly maintenanceEveryMs: number | undefined
}

/**
 * The embedded log: one write-ahead journal in front of the segments of all partitions.
 *
 * Changes queue up as requests. A round takes those that wait, writes them to the journal as one frame
 * each, syncs once for all of them, copies their batches into the segments, and publishes all new ends in
 * one step. A failed write or sync of the journal closes the log.
 *
 * Made by `openLog` after recovery; owns the directory until {@link close}.
 */
export class EmbeddedLog implements Log, LogCore {
  readonly #parts: EmbeddedLogParts
  readonly #state: LogState
  readonly #listeners = new Set<() => void>()
  #queue: Request[] = []
  #running: Promise<void> | null = null
  #checkpointing: Promise<void> | null = null
  /** Segments and directories changed since they were last synced. */
  readonly #dirtySegments = new DirtyPaths()
  readonly #dirtyDirectories = new DirtyPaths()
  readonly #knownDirectories = new Set<string>()
  readonly #background = new Set<Promise<void>>()
  #sealTimer: Timer | null = null
  /** Whether frames were written since the last seal or checkpoint. */
  #unsealed = false
  #failure: unknown = null
  #closing: Promise<void> | null = null
  #closed = false
  #freeBytesLow: string | null = null
  #maintenanceTimer: Timer | null = null
  #maintaining: Promise<void> | null = null
  /** Why cleaner or retention could not do its work in the last round, by partition. */
  readonly #maintenanceProblems = new Map<string, string>()
  readonly #cleaner: Cleaner
  readonly #cleaningRules = new Map<Partition, { holdFrom?: number; trim?: Trim }>()
  /** Of segments that the swap on its way brings. */
  #swapIndexes: ReadonlyMap<string, SegmentIndex> = new Map()
  /** Idempotent and transactional producers, by the calls of Kafka's protocol. */
  readonly coordinator: ProducerCoordinator
  readonly groupCoordinator: GroupCoordinator

  constructor(parts: EmbeddedLogParts) {
    this.#parts = parts
    this.#state = parts.state
    this.coordinator = new ProducerCoordinator(this, parts.state, parts.clock)
    this.coordinator.watchTimeouts()
    this.groupCoordinator = new GroupCoordinator(
      parts.clock,
      (topic) => parts.state.topic(topic)?.partitions ?? 0,
    )
    this.#cleaner = new Cleaner(parts.fileSystem, parts.clock, () => !this.#isUsable())
    this.#maintainLater()
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
    await this.submit(() => [this.#planTopic(name, spec)], 'after')
    return describe(this.#state.topic(name)!)
  }

  async deleteTopic(name: string): Promise<void> {
    await this.submit(() => [{ kind: 'delete-topic', id: this.topicOf(name).id }], 'after')
  }

  async alterTopic(
    name: string,
    changes: Readonly<Record<string, string | null>>,
  ): Promise<TopicDescription> {
    await this.submit(() => {
      const topic = this.topicOf(name)
      const config = new Map(Object.entries(topic.config))
      for (const [setting, value] of Object.entries(changes)) {
        if (value === null) config.delete(setting)
        else config.set(setting, value)
      }
      const altered = Object.fromEntries(config)
      checkTopicConfig(name, altered)
      // Also those taken back must be names of settings.
      for (const [setting, value] of Object.entries(changes)) {
        if (value === null) checkSettingName(name, setting)
      }
      return [{ kind: 'alter-topic', id: topic.id, config: altered }]
    }, 'alone')
    return describe(this.topicOf(name))
  }

  async addPartitions(name: string, partitions: number): Promise<TopicDescription> {
    await this.submit(() => {
      const topic = this.topicOf(name)
      if (!Number.isInteger(partitions) || partitions <= topic.partitions || partitions > PARTITIONS_MAX) {
        throw new StorageError('LOG_INVALID_PARTITIONS', {
          message: `Topic ${name} has ${topic.partitions} partitions and cannot get ${partitions}.`,
          hint: `The number of partitions can only grow, up to ${PARTITIONS_MAX}.`,
        })
      }
      return [{ kind: 'add-partitions', id: topic.id, partitions }]
    }, 'alone')
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
    const found = partitionIn(this.topicOf(topic), partition)
    this.#cleaningRules.set(found, { ...this.#cleaningRules.get(found), holdFrom: offset })
  }

  trim(topic: string, partition: number, beforeOffset: number, isGone: Trim['isGone']): void {
    const found = partitionIn(this.topicOf(topic), partition)
    this.#cleaningRules.set(found, { ...this.#cleaningRules.get(found), trim: { beforeOffset, isGone } })
  }

  #planTopic(name: string, spec: TopicSpec): Extract<JournalEntry, { kind: 'create-topic' }> {
    checkTopicName(name)
    checkTopicConfig(name, spec.config ?? {})
    if (!Number.isInteger(spec.partitions) || spec.partitions < 1 || spec.partitions > PARTITIONS_MAX) {
      throw new StorageError('LOG_INVALID_TOPIC', {
        message: `Topic ${name} cannot have ${spec.partitions} partitions.`,
        hint: `A topic has 1 to ${PARTITIONS_MAX} partitions.`,
      })
    }
    if (this.#state.topic(name) !== undefined) {
      throw new StorageError('LOG_TOPIC_EXISTS', { message: `Topic ${name} exists already.` })
    }
    return {
      kind: 'create-topic',
      id: randomId(this.#parts.random),
      name,
      partitions: spec.partitions,
      config: { ...spec.config },
    }
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
      let baseOffsets: number[] = []
      let fenced = false
      this.enqueue({
        bytes: () => bytes,
        barrier: changesTopics ? 'after' : 'none',
        plan: () => {
          fenced = this.#state.ownerEpoch(group.owner.name) !== group.owner.epoch
          if (fenced) return []
          const planned = this.#planGroup(group)
          baseOffsets = planned.baseOffsets
          return planned.entries
        },
        done: () => resolve(fenced ? { kind: 'fenced' } : { kind: 'committed', baseOffsets }),
        refused: reject,
        unknown: (cause) => resolve({ kind: 'unknown', cause }),
      })
    })
  }

  #planGroup(group: CommitGroup): { entries: JournalEntry[]; baseOffsets: number[] } {
    const entries: JournalEntry[] = []
    const created = new Map<string, Topic>()
    for (const spec of group.createTopics ?? []) {
      const entry = this.#planTopic(spec.name, spec)
      if (created.has(spec.name)) {
        throw new StorageError('LOG_TOPIC_EXISTS', { message: `Topic ${spec.name} is created twice.` })
      }
      created.set(spec.name, this.#state.plan(entry.id, entry.name, entry.partitions, entry.config))
      entries.push(entry)
    }
    const topicOf = (name: string): Topic => created.get(name) ?? this.topicOf(name)

    // Everything that can be refused comes before the first reservation.
    const appends = group.appends.map(({ topic, partition, batches }) =>
      checkAppend(partitionIn(topicOf(topic), partition), topicOf(topic), batches),
    )
    const offsets = group.offsets.map(({ group: name, offsets: given }): JournalEntry => ({
      kind: 'offsets',
      group: name,
      offsets: this.storedOffsets(given, topicOf),
    }))
    const deleted = (group.deleteTopics ?? []).map((name): JournalEntry => ({
      kind: 'delete-topic',
      id: topicOf(name).id,
    }))

    // What goes with the records must fit into one frame, however the records get there.
    const besides = [...entries, ...offsets, ...deleted].map(encodeEntry)
    if (frameBytes(besides) + appends.length * 100 > this.#parts.journal.frameBytesMax / 2) {
      this.#state.forgetPlans()
      throw new StorageError('LOG_GROUP_TOO_LARGE', {
        message: 'A commit holds too many offsets, topics or partitions for one frame of the journal.',
      })
    }

    const baseOffsets: number[] = []
    for (const append of appends) {
      const entry = this.reserve(append)
      baseOffsets.push(entry.baseOffset)
      if (entry.length > 0) entries.push(entry)
    }
    entries.push(...offsets, ...deleted)
    return { entries, baseOffsets }
  }

  reserve(append: CheckedAppend): AppendEntry {
    return reserveAppend(append, this.#parts.clock.nowMs())
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
    this.#assertOpen()
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
    this.#assertOpen()
    return partitionIn(this.topicOf(topic), partition).offsetForTime(timestampMs)
  }

  onEndsMoved(listener: () => void): () => void {
    // A function of its own, so that one listener registered twice counts twice.
    const registered = (): void => listener()
    this.#listeners.add(registered)
    return () => {
      this.#listeners.delete(registered)
    }
  }

  // Consumer groups' offsets

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
      return [{ kind: 'offsets', group, offsets: this.storedOffsets(offsets, (name) => this.topicOf(name)) }]
    })
  }

  async deleteGroup(group: string): Promise<void> {
    await this.submit(() => {
      this.groupCoordinator.assertEmpty(group)
      return [{ kind: 'delete-group', group }]
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

  consumer(options: ConsumerOptions = {}): Consumer {
    this.#assertOpen()
    return new LogConsumer(this, this.groupCoordinator, this.#parts.clock, options)
  }

  storedOffsets(given: readonly CommittedOffset[], topicOf: (name: string) => Topic): StoredOffset[] {
    return given.map(({ topic, partition, offset, metadata = '' }) => {
      const found = topicOf(topic)
      partitionIn(found, partition)
      if (!Number.isSafeInteger(offset) || offset < 0) {
        throw new StorageError('LOG_INVALID_OFFSET', {
          message: `${offset} cannot be committed as an offset of topic ${topic}, partition ${partition}.`,
        })
      }
      if (Buffer.byteLength(metadata) > METADATA_BYTES_MAX) {
        throw new StorageError('LOG_OFFSET_METADATA_TOO_LARGE', {
          message: `The metadata of a committed offset has more than ${METADATA_BYTES_MAX} bytes.`,
        })
      }
      return { topicId: found.id, partition, offset, metadata }
    })
  }

  // Producers

  producer(options: ProducerOptions = {}): Producer {
    this.#assertOpen()
    return new LogProducer(
      this,
      this.#state,
      this.coordinator,
      this.#parts.clock,
      this.#parts.random,
      options,
    )
  }

  /** @throws StorageError `LOG_UNKNOWN_TOPIC` */
  topicOf(name: string): Topic {
    const topic = this.#state.topic(name)
    if (topic === undefined) throw unknownTopic(name)
    return topic
  }

  // The road of a request

  enqueue(request: Request): void {
    if (this.#failure !== null || this.#closing !== null) {
      request.refused(this.#closedError())
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
        unknown: (cause) => reject(this.#closedError(cause)),
      })
    })
  }

  #kick(): void {
    if (this.#running !== null) return
    // Starting in a microtask lets everything sent in this turn share the round.
    this.#running = Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#running = null
        if (this.#queue.length > 0 && this.#failure === null) this.#kick()
      })
  }

  async #run(): Promise<void> {
    this.#sealTimer?.cancel()
    this.#sealTimer = null
    while (this.#queue.length > 0 && this.#failure === null) await this.#round()
    if (this.#failure === null && this.#closing === null) this.#sealLater()
  }

  async #round(): Promise<void> {
    const taken: { readonly request: Request; readonly entries: JournalEntry[] }[] = []
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
    const written = taken.filter(({ entries }) => entries.length > 0)
    if (written.length === 0) {
      for (const { request } of taken) request.done()
      return
    }

    const appends = written.flatMap(({ entries }) => entries.filter((entry) => entry.kind === 'append'))
    const frames = written.map(({ entries }) => entries.map(encodeEntry))
    const frameTotal = groupBytes(frames)
    const { journal, durability } = this.#parts

    // Until the journal is written nothing has happened, and a full disk harms nobody.
    try {
      while (!journal.hasRoomFor(frameTotal)) await this.#checkpoint()
      await journal.prepare(frameTotal)
      await this.#writeBulk(appends.filter((append) => append.bulkCrc !== null))
    } catch (cause) {
      await this.#giveBack(appends, cause)
      for (const { request } of taken) {
        if (this.#failure === null) request.refused(this.#diskError(cause))
        else request.unknown(cause)
      }
      return
    }

    const effects: Effects = { sealed: [], deleted: [], retired: [], indexes: this.#swapIndexes }
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
    } catch (cause) {
      for (const { request } of taken) request.unknown(cause)
      this.#fail(cause)
      return
    }

    crashPoint('ends-published')
    for (const { request } of taken) request.done()
    if (appends.length > 0) for (const listener of this.#listeners) listener()
    this.#follow(effects)
    this.coordinator.watchTimeouts()
    if (journal.bytesToReplay > journal.frameBytesMax && this.#checkpointing === null) {
      this.#inBackground(
        this.#checkpoint().catch((cause: unknown) => {
          if (!isDiskFull(cause)) throw cause
        }),
      )
    }
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
    const paths = await this.#writeSegments(appends)
    if (this.#parts.durability !== 'fsync') return
    try {
      await Promise.all([...paths].map((path) => this.#parts.files.use(path, 'write', (file) => file.sync())))
      await this.#dirtyDirectories.sync((path) => this.#syncDirectory(path))
    } catch (cause) {
      this.#fail(cause)
      throw cause
    }
  }

  /**
   * Copies what the journal holds into the segments. A full disk makes it wait for space, and everybody
   * behind it: the group is durable, so it can only go forward.
   */
  async #writeInline(appends: readonly AppendEntry[]): Promise<void> {
    while (appends.length > 0) {
      try {
        await this.#writeSegments(appends)
        return
      } catch (cause) {
        if (!isDiskFull(cause) || this.#closing !== null) throw cause
        this.#noteDiskFull()
        await new Promise<void>((resolve) => {
          this.#parts.clock.after(SPACE_RETRY_MS, resolve)
        })
      }
    }
  }

  /** Writes batches to their places; resolves to the segments' paths. */
  async #writeSegments(appends: readonly AppendEntry[]): Promise<Set<string>> {
    const bySegment = new Map<string, { readonly isNew: boolean; readonly appends: AppendEntry[] }>()
    for (const append of appends) {
      const topic = this.#state.topicById(append.topicId) ?? this.#state.planned(append.topicId)!
      const partition = topic.parts[append.partition]!
      const path = partition.segmentPath(append.segmentBase)
      const known = bySegment.get(path)
      if (known !== undefined) {
        known.appends.push(append)
      } else {
        // Not by position: bulk appends are written before smaller ones that lie in front of them.
        const active = partition.segments.at(-1)
        const isNew = active?.base !== append.segmentBase || active.bytes === 0
        bySegment.set(path, { isNew, appends: [append] })
      }
    }
    await Promise.all(
      [...bySegment].map(async ([path, { isNew, appends: ofSegment }]) => {
        if (isNew) {
          crashPoint('segment-before-roll')
          await this.#makeDirectory(dirname(path))
        }
        await this.#parts.files.use(path, isNew ? 'create' : 'write', async (file) => {
          for (const { bytes, position } of ofSegment) await writeFully(file, bytes!, position)
        })
        // Only now: a checkpoint that runs meanwhile neither needs it nor may take it off the list.
        this.#dirtySegments.add(path)
        if (isNew) {
          this.#dirtyDirectories.add(dirname(path))
          crashPoint('segment-after-roll')
        }
      }),
    )
    return new Set(bySegment.keys())
  }

  async #makeDirectory(partitionDirectory: string): Promise<void> {
    if (this.#knownDirectories.has(partitionDirectory)) return
    await this.#parts.fileSystem.makeDirectory(partitionDirectory)
    this.#knownDirectories.add(partitionDirectory)
    const { directory } = this.#parts
    for (const parent of [dirname(partitionDirectory), join(directory, TOPICS_DIRECTORY), directory]) {
      this.#dirtyDirectories.add(parent)
    }
  }

  /** Undoes reservations and cuts back what was written for them. */
  async #giveBack(appends: readonly AppendEntry[], cause: unknown): Promise<void> {
    const partitions = this.#partitionsOf(appends)
    for (const partition of partitions) partition.resetReservation()
    this.#state.forgetPlans()
    if (this.#failure !== null) return
    try {
      for (const append of appends) {
        const partition = this.#state.topicById(append.topicId)?.parts[append.partition]
        if (partition === undefined || append.bulkCrc === null) continue
        const path = partition.segmentPath(append.segmentBase)
        if (!(await this.#parts.fileSystem.exists(path))) continue
        const published = partition.segments.find(({ base }) => base === append.segmentBase)?.bytes ?? 0
        await this.#parts.files.use(path, 'write', (file) => file.truncate(published))
      }
    } catch (second) {
      this.#fail(new AggregateError([cause, second], 'A failed write could not be cut back.'))
    }
  }

  #partitionsOf(entries: readonly JournalEntry[]): Set<Partition> {
    const partitions = new Set<Partition>()
    for (const entry of entries) {
      if (entry.kind !== 'append') continue
      const partition = this.#state.topicById(entry.topicId)?.parts[entry.partition]
      if (partition !== undefined) partitions.add(partition)
    }
    return partitions
  }

  /** What applied entries leave to do beside the journal: index files of sealed segments, files of deleted topics. */
  #follow({ sealed, deleted, retired }: Effects): void {
    if (retired.length > 0) this.#inBackground(this.#removeSegments(retired))
    for (const { partition, segment } of sealed) {
      this.#inBackground(partition.writeIndexFiles(segment))
    }
    for (const topic of deleted) {
      this.#inBackground(this.#removeFiles(topic))
    }
  }

  async #removeFiles(topic: Topic): Promise<void> {
    // The files must not go before the deletion is durable.
    if (this.#parts.durability === 'os') await this.#checkpoint()
    await this.#parts.files.forget(topic.directory)
    await this.#parts.fileSystem.removeTree(topic.directory)
  }

  async #removeSegments(segments: readonly Segment[]): Promise<void> {
    // The files must not go before what says so is durable.
    if (this.#parts.durability === 'os') await this.#checkpoint()
    const { files, fileSystem } = this.#parts
    for (const { path } of segments) {
      const stem = path.slice(0, -'.log'.length)
      try {
        await files.forget(path)
        for (const suffix of ['.log', '.index', '.timeindex', '.indexsum']) {
          await fileSystem.removeTree(stem + suffix)
        }
      } catch (cause) {
        // It lies there until the next opening removes it.
        this.#maintenanceProblems.set(path, `${path} could not be removed: ${describeCause(cause)}`)
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
      if (this.#running !== null || this.#failure !== null || this.#closing !== null) return
      this.#running = (async () => {
        if (!journal.hasRoomFor(BLOCK_BYTES)) return
        this.#unsealed = false
        try {
          await journal.write([[]])
          await journal.sync()
        } catch (cause) {
          this.#fail(cause)
        }
      })().finally(() => {
        this.#running = null
        if (this.#queue.length > 0 && this.#failure === null) this.#kick()
      })
    })
  }

  // Checkpoints

  /** Makes everything applied so far durable outside the journal, whose older part is then free. */
  #checkpoint(isLast = false): Promise<void> {
    this.#checkpointing ??= this.#writeCheckpoint(isLast).finally(() => {
      this.#checkpointing = null
    })
    return this.#checkpointing
  }

  async #writeCheckpoint(isLast: boolean): Promise<void> {
    const { journal, slots, files, fileSystem, directory } = this.#parts
    // One place of the journal: nothing may be applied between these lines.
    const checkpoint = this.#state.checkpoint(journal.end, isLast ? [0, 0] : journal.durableBytes)
    const covered: [Partition, number][] = []
    for (const { parts } of this.#state.topics()) {
      for (const partition of parts) covered.push([partition, partition.nextOffset])
    }
    try {
      try {
        await this.#dirtySegments.sync(async (path) => {
          try {
            await files.use(path, 'write', (file) => file.sync())
          } catch (cause) {
            if (!this.#isGone(path)) throw cause
          }
        })
        await this.#dirtyDirectories.sync((path) => this.#syncDirectory(path))
      } catch (cause) {
        // Whatever its reason: after a failed sync nobody knows what is on disk.
        this.#fail(cause)
        throw cause
      }
      crashPoint('checkpoint-before-write')
      await slots.write(checkpoint)
    } catch (cause) {
      // Without space for a new checkpoint the last one still counts; the next try writes it whole.
      if (isDiskFull(cause)) this.#noteDiskFull()
      else this.#fail(cause)
      throw cause
    }
    crashPoint('checkpoint-after-write')
    journal.release(checkpoint.journal)
    for (const [partition, offset] of covered) partition.checkpointedTo = offset
    const free = await fileSystem.freeBytes(directory)
    this.#freeBytesLow =
      free < FREE_BYTES_LOW ? `${Math.floor(free / 1048576)} MiB are left for ${directory}.` : null
  }

  async #syncDirectory(path: string): Promise<void> {
    const { fileSystem } = this.#parts
    try {
      await fileSystem.syncDirectory(path)
    } catch (cause) {
      // That of a deleted topic may have gone.
      if (await fileSystem.exists(path)) throw cause
    }
  }

  /** Whether a segment's file belongs to nobody any more: it is on its way out. */
  #isGone(path: string): boolean {
    const [id, number] = path.slice(join(this.#parts.directory, TOPICS_DIRECTORY).length + 1).split(/[\\/]/)
    if (this.#state.planned(id!) !== undefined) return false
    const partition = this.#state.topicById(id!)?.parts[Number(number)]
    return partition === undefined || partition.mayRemove(path)
  }

  // Cleaner and retention

  #isUsable(): boolean {
    return this.#failure === null && this.#closing === null
  }

  #maintainLater(): void {
    if (!this.#isUsable()) return
    const everyMs = this.#parts.maintenanceEveryMs ?? MAINTENANCE_EVERY_MS
    this.#maintenanceTimer = this.#parts.clock.after(everyMs, () => {
      void this.maintain().finally(() => this.#maintainLater())
    })
  }

  /**
   * Cleans compacted partitions and removes what has expired, where there is something to do. Happens by
   * itself now and then; resolves when this round is over. A partition it cannot deal with shows in
   * {@link health}.
   */
  maintain(): Promise<void> {
    this.#maintaining ??= this.#maintain().finally(() => {
      this.#maintaining = null
    })
    return this.#maintaining
  }

  async #maintain(): Promise<void> {
    const work: { readonly topic: Topic; readonly partition: Partition }[] = []
    for (const topic of this.#state.topics()) {
      const policy = setting(topic.config, 'cleanup.policy')
      const limited =
        numericSetting(topic.config, 'retention.ms') >= 0 ||
        numericSetting(topic.config, 'retention.bytes') >= 0
      for (const partition of topic.parts) {
        const below =
          partition.segments.length > 1 && partition.endOf(partition.segments[0]!) <= partition.ends.logStart
        if (policy.includes('compact') || limited || below) work.push({ topic, partition })
      }
    }
    if (work.length === 0) return
    this.#maintenanceProblems.clear()
    // Segments are sealed first: only those below a checkpoint can be dealt with.
    let sealed = false
    for (const { topic, partition } of work) {
      await this.#attempt(topic, partition, async () => {
        const nowMs = this.#parts.clock.nowMs()
        const compacted = setting(topic.config, 'cleanup.policy').includes('compact')
        const roll =
          (compacted && cleaningState(partition, topic.config, nowMs).roll) ||
          (await activeExpired(topic, partition, nowMs))
        if (roll) await this.#roll(topic, partition)
      })
      const lastSealed = partition.segments.at(-2)
      sealed ||= lastSealed !== undefined && partition.endOf(lastSealed) > partition.checkpointedTo
    }
    if (!this.#isUsable()) return
    try {
      if (sealed) await this.#checkpoint()
    } catch (cause) {
      // Anything else has closed the log.
      if (!isDiskFull(cause)) return
    }
    for (const { topic, partition } of work) {
      await this.#attempt(topic, partition, async () => {
        await this.#expire(topic, partition)
        await this.#clean(topic, partition)
      })
    }
  }

  /** Work on one partition, whose failure harms no other. */
  async #attempt(topic: Topic, partition: Partition, work: () => Promise<void>): Promise<void> {
    if (!this.#isUsable() || this.#state.topicById(topic.id) === undefined) return
    try {
      await work()
    } catch (cause) {
      if (!this.#isUsable() || this.#state.topicById(topic.id) === undefined) return
      this.#maintenanceProblems.set(
        partition.directory,
        `Topic ${topic.name}, partition ${partition.number}, cannot be cleaned: ${describeCause(cause)}`,
      )
    }
  }

  async #roll(topic: Topic, partition: Partition): Promise<void> {
    await this.submit(() => {
      const active = partition.segments.at(-1)
      if (this.#state.topicById(topic.id) === undefined || active === undefined || active.bytes === 0)
        return []
      const { number } = partition
      return [{ kind: 'roll', topicId: topic.id, partition: number, atMs: this.#parts.clock.nowMs() }]
    }, 'alone')
  }

  async #expire(topic: Topic, partition: Partition): Promise<void> {
    const to = await expiredTo(topic, partition, this.#parts.clock.nowMs())
    if (to === null) return
    await this.submit(() => {
      const removed = this.#state.topicById(topic.id) === undefined ? [] : expendable(partition, to)
      return removed.length === 0 ? [] : [logStartEntry(topic, partition, to, removed)]
    }, 'alone')
  }

  async #clean(topic: Topic, partition: Partition): Promise<void> {
    const { config } = topic
    if (!setting(config, 'cleanup.policy').includes('compact')) return
    const { segments, due } = cleaningState(partition, config, this.#parts.clock.nowMs())
    if (!due) return
    const rules = this.#cleaningRules.get(partition)
    const result = await this.#cleaner.clean(partition, segments, config, {
      // Until it says otherwise, whoever keeps state in an internal topic may restore from its start.
      holdFrom: rules?.holdFrom ?? (topic.internal ? 0 : Infinity),
      trim: rules?.trim ?? null,
    })
    if (result === null) return
    crashPoint('cleaner-before-swap')
    let swapped = false
    await this.submit(() => {
      const valid =
        this.#state.topicById(topic.id) !== undefined &&
        result.swaps.every(({ replaced }) =>
          replaced.every((segment) => partition.segments.includes(segment)),
        )
      if (!valid) return []
      swapped = true
      this.#swapIndexes = result.indexes
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

  // Health and end

  health(): LogHealth {
    if (this.#failure !== null) {
      return { state: 'closed after I/O error', detail: describeCause(this.#failure) }
    }
    if (this.#closing !== null) return { state: 'closed', detail: 'The log has been closed.' }
    if (this.#freeBytesLow !== null) return { state: 'disk low', detail: this.#freeBytesLow }
    const [problem] = this.#maintenanceProblems.values()
    return { state: 'open', detail: problem ?? `The log in ${this.#parts.directory} is open.` }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#sealTimer?.cancel()
    this.#maintenanceTimer?.cancel()
    this.coordinator.close()
    this.groupCoordinator.close()
    const { journal, files, lock } = this.#parts
    try {
      this.#cleaner.wakeUp()
      await this.#maintaining
      while (this.#running !== null) await this.#running
      while (this.#background.size > 0) await Promise.all(this.#background)
      if (this.#failure === null) {
        await this.#checkpoint(true).catch((cause: unknown) => {
          // Everything is in the journal; the next opening replays it.
          if (!isDiskFull(cause)) throw cause
        })
      }
    } finally {
      this.#closed = true
      this.#listeners.clear()
      await files.close()
      await journal.close()
      await lock.release()
    }
  }

  /** After a failed write or sync nobody knows what is on disk: no more of it, until the log is reopened. */
  #fail(cause: unknown): void {
    this.#failure ??= cause
    const waiting = this.#queue
    this.#queue = []
    for (const request of waiting) request.refused(this.#closedError())
  }

  #assertOpen(): void {
    if (this.#failure !== null || this.#closed) throw this.#closedError()
  }

  #closedError(cause: unknown = this.#failure): StorageError {
    return cause === null
      ? new StorageError('LOG_CLOSED', { message: 'The log is closed.' })
      : new StorageError('LOG_CLOSED_AFTER_ERROR', {
          message: `The log closed itself after a failed write: ${describeCause(cause)}`,
          hint: 'Free space or repair the disk, then open the log again.',
          cause,
        })
  }

  #noteDiskFull(): void {
    this.#freeBytesLow = `A write found no space left for ${this.#parts.directory}.`
  }

  #diskError(cause: unknown): unknown {
    if (!isDiskFull(cause)) return cause
    this.#noteDiskFull()
    return new StorageError('LOG_DISK_FULL', {
      message: `The disk holding ${this.#parts.directory} is full. Nothing of the group was written.`,
      cause,
    })
  }
}

/** Paths to sync. One that is changed again while it is synced stays. */
class DirtyPaths {
  readonly #changes = new Map<string, number>()
  #change = 0

  add(path: string): void {
    this.#changes.set(path, ++this.#change)
  }

  /** Syncs every path; resolves once all that was dirty at the call is durable. */
  async sync(syncPath: (path: string) => Promise<void>): Promise<void> {
    const paths = [...this.#changes]
    while (paths.length > 0) {
      await Promise.all(
        paths.splice(0, 64).map(async ([path, change]) => {
          await syncPath(path)
          if (this.#changes.get(path) === change) this.#changes.delete(path)
        }),
      )
    }
  }
}

function describe({ name, id, partitions, config, internal }: Topic): TopicDescription {
  return { name, id, partitions, config, internal }
}

function isDiskFull(cause: unknown): boolean {
  return (cause as { code?: unknown } | null)?.code === 'ENOSPC'
}

function describeCause(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
