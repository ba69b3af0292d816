import type { Clock, Timer } from '../base/clock.ts'
import { StorageError } from '../base/errors.ts'
import { partitionKey, partitionOfKey, type TopicPartition } from './assignors.ts'
import { ConsumerMembership } from './consumer-membership.ts'
import type { GroupCoordinator } from './group-coordinator.ts'
import type {
  CommittedOffset,
  ConsumedRecord,
  Consumer,
  ConsumerOptions,
  GroupMember,
  Isolation,
  Log,
} from './log.ts'
import { PartitionReading } from './partition-reading.ts'

const FETCH_BYTES_MAX = 50 * 1024 * 1024
const PARTITION_FETCH_BYTES_MAX = 1024 * 1024
const KEEP_ALIVE_MS = 1 << 30

/**
 * A consumer in the log's own process.
 *
 * Rebalances happen inside `poll`, like Kafka's: partitions are given up and taken over there, nowhere else.
 * Not for several polls at once.
 */
export class LogConsumer implements Consumer {
  readonly #log: Log
  readonly #coordinator: GroupCoordinator
  readonly #clock: Clock
  readonly #options: ConsumerOptions
  readonly #isolation: Isolation
  readonly #membership: ConsumerMembership
  readonly #readings = new Map<string, PartitionReading>()
  /** Null: partitions were assigned by hand, or nothing yet. */
  #subscription: readonly string[] | RegExp | null = null
  #lastAutoCommitMs: number
  #polling = false
  #closed = false
  /** Turns through the partitions, so that none starves. */
  #turn = 0
  #wake: (() => void) | null = null
  #wokenUp = false
  #pendingCommit: Promise<void> = Promise.resolve()
  #expiredUnread = 0

  constructor(log: Log, coordinator: GroupCoordinator, clock: Clock, options: ConsumerOptions) {
    this.#log = log
    this.#coordinator = coordinator
    this.#clock = clock
    this.#options = options
    this.#isolation = options.isolation ?? 'read_committed'
    this.#membership = new ConsumerMembership(coordinator, clock, options, () => this.#topics())
    this.#lastAutoCommitMs = clock.monotonicMs()
  }

  // What it reads

  subscribe(topics: readonly string[] | RegExp): void {
    this.#assertOpen()
    if (this.#options.group === undefined) throw noGroup('subscribes')
    if (this.#subscription === null && this.#readings.size > 0) throw mixed()
    this.#subscription = topics instanceof RegExp ? topics : [...new Set(topics)]
    this.#membership.subscribed()
  }

  unsubscribe(): void {
    this.#membership.leave()
    this.#subscription = null
    this.#readings.clear()
  }

  assign(partitions: readonly TopicPartition[]): void {
    this.#assertOpen()
    if (this.#subscription !== null) throw mixed()
    const wanted = new Set(partitions.map(partitionKey))
    for (const key of this.#readings.keys()) if (!wanted.has(key)) this.#readings.delete(key)
    for (const at of partitions) {
      this.#log.ends(at.topic, at.partition) // There is such a partition.
      this.#take(at)
    }
  }

  assignment(): readonly TopicPartition[] {
    return [...this.#readings.values()].map(({ at }) => at)
  }

  member(): GroupMember | null {
    return this.#membership.member
  }

  // Reading

  async poll(timeoutMs = 0): Promise<readonly ConsumedRecord[]> {
    this.#assertOpen()
    if (this.#polling) {
      throw new StorageError('LOG_CONSUMER_BUSY', { message: 'The consumer is being polled already.' })
    }
    this.#polling = true
    const untilMs = this.#clock.monotonicMs() + timeoutMs
    try {
      for (;;) {
        this.#membership.polled()
        let changed = false
        const watch = (): void => {
          changed = true
          this.#wake?.()
        }
        const stops = [this.#log.onEndsMoved(watch), this.#coordinator.onChange(watch)]
        try {
          await this.#rebalance()
          await this.#autoCommit()
          const records = await this.#fetch()
          if (records.length > 0) return records
          if (this.#wokenUp) {
            this.#wokenUp = false
            return []
          }
          if (!(await this.#wait(untilMs, () => changed))) return []
          this.#assertOpen()
        } finally {
          for (const stop of stops) stop()
        }
      }
    } finally {
      this.#polling = false
    }
  }

  wakeUp(): void {
    this.#wokenUp = true
    this.#wake?.()
  }

  /** Waits for news until the time is up. @returns whether there may be something to do */
  async #wait(untilMs: number, changed: () => boolean): Promise<boolean> {
    const leftMs = untilMs - this.#clock.monotonicMs()
    if (changed()) return true
    if (leftMs <= 0) return false
    let timer: Timer | null = null
    let news = false
    // The clock's timers let the process end; a program that waits for records shall go on.
    const alive = setInterval(() => undefined, KEEP_ALIVE_MS)
    await new Promise<void>((resolve) => {
      this.#wake = () => {
        news = true
        resolve()
      }
      timer = this.#clock.after(leftMs, resolve)
    })
    this.#wake = null
    clearInterval(alive)
    ;(timer as Timer | null)?.cancel()
    return news || this.#clock.monotonicMs() < untilMs
  }

  async #fetch(): Promise<ConsumedRecord[]> {
    const recordsMax = this.#options.maxPollRecords ?? 500
    const records: ConsumedRecord[] = []
    let bytesLeft = this.#options.fetchBytesMax ?? FETCH_BYTES_MAX
    const readings = [...this.#readings.values()]
    const first = this.#turn++
    for (let i = 0; i < readings.length && records.length < recordsMax; i++) {
      const reading = readings[(first + i) % readings.length]!
      if (reading.paused) continue
      if (reading.isEmpty) {
        if (bytesLeft <= 0) continue
        bytesLeft -= await this.#fill(reading, bytesLeft)
      }
      // It may have been sought or given up meanwhile.
      if (this.#readings.get(partitionKey(reading.at)) !== reading || reading.paused) continue
      records.push(...reading.take(recordsMax - records.length))
    }
    return records
  }

  /** Reads what comes next in a partition into its buffer. @returns how many bytes */
  async #fill(reading: PartitionReading, bytesMax: number): Promise<number> {
    const { partitionFetchBytesMax = PARTITION_FETCH_BYTES_MAX } = this.#options
    reading.position ??= await this.#startOf(reading.at)
    const from = reading.position
    try {
      return await reading.fill(this.#log, from, Math.min(bytesMax, partitionFetchBytesMax), this.#isolation)
    } catch (cause) {
      if (reading.position !== from) return 0 // Sought meanwhile.
      const code = cause instanceof StorageError ? cause.code : ''
      // Deleted: the next rebalance takes it away.
      if (code === 'LOG_UNKNOWN_TOPIC' && this.#subscription !== null) {
        reading.seek(from)
        return 0
      }
      if (code !== 'LOG_OFFSET_OUT_OF_RANGE') throw cause
      const offset = await this.#reset(reading.at, cause)
      this.#noteReset(reading.at, from, offset)
      reading.seek(offset)
      return 0
    }
  }

  #noteReset(at: TopicPartition, wanted: number, offset: number): void {
    const { logStart } = this.#log.ends(at.topic, at.partition)
    const expired = Math.max(0, Math.min(logStart, offset) - wanted)
    this.#expiredUnread += expired
    this.#options.onReset?.({ topic: at.topic, partition: at.partition, wanted, offset, expired })
  }

  get expiredUnread(): number {
    return this.#expiredUnread
  }

  async #startOf(at: TopicPartition): Promise<number> {
    const { group } = this.#options
    if (group !== undefined) {
      const [committed] = this.committed([at])
      if (committed !== undefined) return committed.offset
      if (this.#subscription !== null && this.#coordinator.isNewTo(group, at)) {
        return this.#log.ends(at.topic, at.partition).logStart
      }
    }
    return this.#reset(at, null)
  }

  /** Where reading starts when nothing is committed, or what is committed is not there any more. */
  async #reset(at: TopicPartition, cause: unknown): Promise<number> {
    const { topic, partition } = at
    const ends = this.#log.ends(topic, partition)
    const end = this.#isolation === 'read_committed' ? ends.lastStable : ends.highWatermark
    const policy = this.#options.offsetReset ?? 'latest'
    if (policy === 'earliest') return ends.logStart
    if (policy === 'latest') return end
    if (policy === 'none') {
      throw (
        cause ??
        new StorageError('LOG_NO_OFFSET', {
          message: `Group ${this.#options.group ?? ''} has no offset for topic ${topic}, partition ${partition}.`,
          hint: "Commit one, seek, or let offsetReset be 'earliest' or 'latest'.",
        })
      )
    }
    return (await this.#log.offsetForTime(topic, partition, this.#clock.nowMs() - policy.durationMs)) ?? end
  }

  // Positions

  async position(at: TopicPartition): Promise<number> {
    const reading = this.#reading(at)
    return (reading.position ??= await this.#startOf(at))
  }

  seek(at: TopicPartition, offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new StorageError('LOG_INVALID_OFFSET', { message: `${offset} is not an offset to read from.` })
    }
    this.#reading(at).seek(offset)
  }

  seekToBeginning(partitions = this.assignment()): void {
    for (const at of partitions) this.seek(at, this.#log.ends(at.topic, at.partition).logStart)
  }

  seekToEnd(partitions = this.assignment()): void {
    for (const at of partitions) this.seek(at, this.#end(at))
  }

  async seekToTime(timestampMs: number, partitions = this.assignment()): Promise<void> {
    for (const at of partitions) {
      const offset = await this.#log.offsetForTime(at.topic, at.partition, timestampMs)
      this.seek(at, offset ?? this.#end(at))
    }
  }

  pause(partitions = this.assignment()): void {
    for (const at of partitions) this.#reading(at).paused = true
  }

  resume(partitions = this.assignment()): void {
    for (const at of partitions) this.#reading(at).paused = false
  }

  paused(): readonly TopicPartition[] {
    return [...this.#readings.values()].filter(({ paused }) => paused).map(({ at }) => at)
  }

  async lag(at: TopicPartition): Promise<number> {
    return Math.max(0, this.#end(at) - (await this.position(at)))
  }

  #end({ topic, partition }: TopicPartition): number {
    const { highWatermark, lastStable } = this.#log.ends(topic, partition)
    return this.#isolation === 'read_committed' ? lastStable : highWatermark
  }

  #reading(at: TopicPartition): PartitionReading {
    const reading = this.#readings.get(partitionKey(at))
    if (reading !== undefined) return reading
    throw new StorageError('LOG_NOT_ASSIGNED', {
      message: `Topic ${at.topic}, partition ${at.partition}, is not assigned to this consumer.`,
    })
  }

  // Committed offsets

  committed(partitions: readonly TopicPartition[]): readonly CommittedOffset[] {
    const { group } = this.#options
    if (group === undefined) throw noGroup('has committed offsets')
    const wanted = new Set(partitions.map(partitionKey))
    return this.#log.committedOffsets(group).filter((offset) => wanted.has(partitionKey(offset)))
  }

  async commit(offsets: readonly CommittedOffset[] = this.#positions()): Promise<void> {
    const { group } = this.#options
    if (group === undefined) throw noGroup('commits')
    // Behind those on their way: a later commit is never overtaken by an earlier one.
    const before = this.#pendingCommit
    const mine = (async () => {
      await before.catch(() => undefined)
      if (offsets.length > 0) await this.#log.commitOffsets(group, offsets, this.member() ?? undefined)
    })()
    this.#pendingCommit = mine.catch(() => undefined)
    await mine
  }

  commitAsync(
    offsets: readonly CommittedOffset[] = this.#positions(),
    done?: (error: unknown, offsets: readonly CommittedOffset[]) => void,
  ): void {
    this.commit(offsets).then(
      () => done?.(null, offsets),
      (error: unknown) => done?.(error, offsets),
    )
  }

  /** What has been handed out: the next offset per partition. */
  #positions(): CommittedOffset[] {
    const positions: CommittedOffset[] = []
    for (const { at, position } of this.#readings.values()) {
      // Of a deleted topic there is nothing to commit.
      if (position !== null && this.#log.topic(at.topic) !== undefined)
        positions.push({ ...at, offset: position })
    }
    return positions
  }

  get #autoCommits(): boolean {
    return this.#options.group !== undefined && this.#options.autoCommit !== false
  }

  async #autoCommit(): Promise<void> {
    if (!this.#autoCommits || this.#readings.size === 0) return
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#lastAutoCommitMs < (this.#options.autoCommitIntervalMs ?? 5000)) return
    this.#lastAutoCommitMs = nowMs
    await this.#commitOrLose(this.#positions())
  }

  /** A member that was taken for dead has nothing to commit any more: the next rebalance tells it. */
  async #commitOrLose(offsets: readonly CommittedOffset[]): Promise<void> {
    try {
      await this.commit(offsets)
    } catch (error) {
      const code = error instanceof StorageError ? error.code : ''
      if (!['LOG_UNKNOWN_MEMBER', 'LOG_ILLEGAL_GENERATION', 'LOG_UNKNOWN_TOPIC'].includes(code)) throw error
    }
  }

  // Membership

  #topics(): readonly string[] {
    if (this.#subscription instanceof RegExp) {
      const pattern = this.#subscription
      return this.#log
        .topics()
        .filter(({ name, internal }) => !internal && pattern.test(name))
        .map(({ name }) => name)
    }
    return this.#subscription ?? []
  }

  async #rebalance(): Promise<void> {
    if (this.#subscription === null) return
    const { group, onRevoked, onAssigned, onLost } = this.#options
    for (;;) {
      const standing = this.#membership.reconcile(this.assignment())
      if (standing === null) {
        const lost = this.assignment()
        this.#readings.clear()
        if (lost.length > 0) await onLost?.(lost)
        this.#membership.subscribed()
        continue
      }
      const revoked = standing.revoked.filter((at) => this.#readings.has(partitionKey(at)))
      if (revoked.length > 0) {
        if (this.#autoCommits) {
          const keys = new Set(revoked.map(partitionKey))
          await this.#commitOrLose(this.#positions().filter((offset) => keys.has(partitionKey(offset))))
        }
        await onRevoked?.(revoked)
        for (const at of revoked) this.#readings.delete(partitionKey(at))
      }
      if (standing.revoked.length > 0) continue
      const added = standing.owned.filter((at) => !this.#readings.has(partitionKey(at)))
      const owned = new Set(standing.owned.map(partitionKey))
      for (const key of this.#readings.keys()) {
        if (!owned.has(key))
          throw new StorageError('LOG_ILLEGAL_GENERATION', {
            message: `${key} is read by a member of group ${group} that does not own it.`,
          })
      }
      for (const at of added) this.#take(at)
      if (added.length > 0) await onAssigned?.(added)
      return
    }
  }

  #take(at: TopicPartition): void {
    const key = partitionKey(at)
    if (this.#readings.has(key)) return
    this.#readings.set(key, new PartitionReading(partitionOfKey(key)))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    try {
      if (this.#autoCommits && this.#readings.size > 0 && !isClosed(this.#log)) {
        await this.#commitOrLose(this.#positions())
      }
      await this.#pendingCommit
    } finally {
      this.#closed = true
      this.#membership.close()
      this.#readings.clear()
      this.#wake?.()
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new StorageError('LOG_CONSUMER_CLOSED', { message: 'The consumer is closed.' })
  }
}

function isClosed(log: Log): boolean {
  const { state } = log.health()
  return state === 'closed' || state === 'closed after I/O error'
}

function noGroup(what: string): StorageError {
  return new StorageError('LOG_NO_GROUP', {
    message: `A consumer that ${what} needs a group.`,
    hint: 'Name one in the options, or assign partitions by hand.',
  })
}

function mixed(): StorageError {
  return new StorageError('LOG_SUBSCRIPTION_STATE', {
    message: 'A consumer either subscribes to topics or is assigned partitions by hand, not both.',
  })
}
