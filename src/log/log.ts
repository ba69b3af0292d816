import type { AssignorName, TopicPartition } from './assignors.ts'

/**
 * The partitioned log as everything above sees it. The embedded log implements it, a Kafka adapter can
 * later; nothing above may know which one it has. Names of settings are Kafka's.
 *
 * Offsets are whole numbers up to 2^53 − 1. Batches are Kafka record batches (magic 2), bytes as stored.
 */
export interface Log {
  /** Identity of this log: state written for another one is not ours. */
  readonly id: string

  topic(name: string): TopicDescription | undefined
  topics(): readonly TopicDescription[]
  /** @throws StorageError `LOG_TOPIC_EXISTS`, `LOG_INVALID_TOPIC` (Kafka's rule for names), `LOG_INVALID_CONFIG` */
  createTopic(name: string, spec: TopicSpec): Promise<TopicDescription>
  /** Removes a topic with its records. @throws StorageError `LOG_UNKNOWN_TOPIC` */
  deleteTopic(name: string): Promise<void>

  /**
   * Changes settings of a topic; null takes one back to its default.
   *
   * @throws StorageError `LOG_UNKNOWN_TOPIC`, `LOG_INVALID_CONFIG`
   */
  alterTopic(name: string, changes: Readonly<Record<string, string | null>>): Promise<TopicDescription>
  /**
   * Gives a topic more partitions: `partitions` in all. Records stay where they are, so a key's later
   * records may go to another partition than its earlier ones.
   *
   * @throws StorageError `LOG_UNKNOWN_TOPIC`, `LOG_INVALID_PARTITIONS`
   */
  addPartitions(name: string, partitions: number): Promise<TopicDescription>
  /**
   * Moves the log start: records before `beforeOffset` cannot be read any more.
   *
   * @returns the log start
   * @throws StorageError `LOG_OFFSET_OUT_OF_RANGE`
   */
  deleteRecords(topic: string, partition: number, beforeOffset: number): Promise<number>

  /**
   * Keeps compaction from removing tombstones at and above `offset`: somebody's state may be restored from
   * there. Replaces what was said before, holds until the log is closed. In internal topics everything is
   * held until this is called, in others nothing. A log that cannot hold them keeps tombstones for
   * `delete.retention.ms`.
   */
  holdFrom(topic: string, partition: number, offset: number): void
  /**
   * Allows compaction to remove records before `beforeOffset` whose key, at [start, end) of `bytes`, `isGone`
   * says is of no use any more. A log may ignore it.
   */
  trim(
    topic: string,
    partition: number,
    beforeOffset: number,
    isGone: (bytes: Uint8Array, start: number, end: number) => boolean,
  ): void

  /** A producer with linger, batching, partitioning and retries of its own. */
  producer(options?: ProducerOptions): Producer

  /**
   * Takes ownership of `name` (a query worker, say): later commits under an older epoch are fenced.
   * Epochs survive restarts and only grow.
   */
  claim(name: string): Promise<CommitOwner>

  /**
   * Makes everything in `group` durable and visible together, or nothing of it. Resolves once that is
   * decided; `unknown` (a failed write or sync) means: drop working state, reopen, read the committed
   * offsets back, and go on from there.
   */
  commit(group: CommitGroup): Promise<CommitOutcome>

  /**
   * Whole record batches from the one holding `fromOffset` on, at most about `bytesMax` (one batch at
   * least), none beyond the high watermark or, for read_committed, the last stable offset. The first
   * batch may start before `fromOffset`: the reader skips those records. CRCs are verified.
   *
   * @param buffer  where the bytes may be put if it is large enough; the slice is then part of it
   *
   * @throws StorageError `LOG_OFFSET_OUT_OF_RANGE`, `LOG_CORRUPT` (naming topic, partition, offset), `LOG_UNKNOWN_TOPIC`
   */
  read(
    topic: string,
    partition: number,
    fromOffset: number,
    bytesMax: number,
    isolation?: Isolation,
    buffer?: Uint8Array<ArrayBuffer>,
  ): Promise<LogSlice>

  /** What may be read of a partition now. Synchronous: in process the ends are always known. */
  ends(topic: string, partition: number): PartitionEnds

  /** The first offset whose record has a timestamp ≥ `timestampMs`, or null if there is none. */
  offsetForTime(topic: string, partition: number, timestampMs: number): Promise<number | null>

  /** The first record with the largest timestamp, or null if there are no records. */
  newestRecord(
    topic: string,
    partition: number,
  ): Promise<{ readonly offset: number; readonly timestampMs: number } | null>

  /** Transactional ids, and what they have open. */
  transactions(): readonly TransactionDescription[]
  /**
   * Aborts what a transactional id has open, and fences its producer: for one that is gone and would hold up
   * readers until its timeout.
   *
   * @throws StorageError `LOG_UNKNOWN_TRANSACTIONAL_ID`
   */
  abortTransaction(transactionalId: string): Promise<void>

  /** Committed offsets of a consumer group: the next offset to read, per topic and partition. */
  committedOffsets(group: string): readonly CommittedOffset[]
  /**
   * @param member whose commit this is: refused if it is not the owner of these partitions any more. Without
   *   one the group must have no members.
   * @throws StorageError `LOG_UNKNOWN_MEMBER`, `LOG_ILLEGAL_GENERATION`, `LOG_FENCED_INSTANCE`, `LOG_GROUP_ACTIVE`,
   *   `LOG_INTERNAL_GROUP` for a group of Millrace's own, whose offsets belong to a query's state
   */
  commitOffsets(group: string, offsets: readonly CommittedOffset[], member?: GroupMember): Promise<void>
  /** Forgets a group's offsets. @throws StorageError `LOG_GROUP_ACTIVE` if it has members, `LOG_INTERNAL_GROUP` */
  deleteGroup(group: string): Promise<void>
  /**
   * Forgets a group's offsets for these partitions.
   *
   * @throws StorageError `LOG_GROUP_ACTIVE` if a member reads their topic, `LOG_INTERNAL_GROUP`
   */
  deleteOffsets(group: string, partitions: readonly TopicPartition[]): Promise<void>
  /** Groups with members or committed offsets. */
  groups(): readonly string[]
  /** Who is in a group and who owns what; an empty one if nobody is. */
  describeGroup(group: string): GroupDescription

  /** A consumer: alone, or as a member of a group that shares the partitions of its topics. */
  consumer(options?: ConsumerOptions): Consumer

  /** Calls `listener` after ends have moved, at most once per commit; returns how to stop. */
  onEndsMoved(listener: () => void): () => void

  /** 'open', 'disk low', 'closed after I/O error', 'closed'; with a sentence for people. */
  health(): LogHealth

  close(): Promise<void>
}

export type Isolation = 'read_committed' | 'read_uncommitted'

export interface TopicSpec {
  readonly partitions: number
  /** Topic settings under Kafka's names; unknown names and bad values are refused. */
  readonly config?: Readonly<Record<string, string>>
}

export interface TopicDescription {
  readonly name: string
  /** 22 characters of URL-safe base64; a re-created topic gets a new one. */
  readonly id: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
  /** Belongs to Millrace itself (changelogs, offsets, definitions). */
  readonly internal: boolean
}

export interface PartitionEnds {
  readonly logStart: number
  readonly highWatermark: number
  readonly lastStable: number
}

export interface LogSlice {
  /** Whole record batches, back to back; empty at the end of the log. Owned by the reader. */
  readonly bytes: Uint8Array
  /** Where to read next. */
  readonly nextOffset: number
  /** Offsets [first, last] per producer id whose records were aborted and must be skipped (read_committed). */
  readonly aborted: readonly {
    readonly producerId: number
    readonly firstOffset: number
    readonly lastOffset: number
  }[]
}

export interface TransactionDescription {
  readonly transactionalId: string
  readonly producerId: number
  readonly epoch: number
  readonly timeoutMs: number
  /** When what is open began; null: nothing is open. */
  readonly openSinceMs: number | null
  /** Where it has records that readers wait for. */
  readonly partitions: readonly (TopicPartition & { readonly firstOffset: number })[]
  /** Offsets of groups that count once it commits. */
  readonly offsets: readonly (CommittedOffset & { readonly group: string })[]
}

export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Free text of the committer, at most 4096 bytes. */
  readonly metadata?: string
}

/** A member of a consumer group, with the generation of the group it knows. */
export interface GroupMember {
  readonly memberId: string
  readonly generation: number
  /** Of a static member. */
  readonly instanceId?: string
}

export interface GroupDescription {
  readonly group: string
  /** `reconciling`: partitions are on their way from one member to another. */
  readonly state: 'empty' | 'reconciling' | 'stable'
  readonly generation: number
  readonly members: readonly {
    readonly memberId: string
    readonly instanceId: string | null
    readonly assignment: readonly TopicPartition[]
  }[]
}

export interface ConsumerOptions {
  /** Needed to subscribe and to commit. */
  readonly group?: string
  /** Makes it a static member: after a restart within the session timeout it gets its partitions back. */
  readonly instanceId?: string
  /** How its member id begins. */
  readonly clientId?: string
  /** One for all members of a group; default `range`. */
  readonly assignor?: AssignorName
  /**
   * Where to start without a committed offset, or if that is out of range; default `latest`. Partitions that
   * a topic gets while the group reads it, and topics that come to match its pattern, are read from their
   * start all the same: nothing written before they are noticed is skipped.
   */
  readonly offsetReset?: 'earliest' | 'latest' | 'none' | { readonly durationMs: number }
  readonly isolation?: Isolation
  /** Records one poll hands out at most; default 500. */
  readonly maxPollRecords?: number
  /** Bytes one poll reads at most, beyond the first batch; default 50 MiB. */
  readonly fetchBytesMax?: number
  /** And of one partition; default 1 MiB. */
  readonly partitionFetchBytesMax?: number
  /** On by default, in `poll`, on a rebalance and on close: what was handed out by the poll before counts as done. */
  readonly autoCommit?: boolean
  readonly autoCommitIntervalMs?: number
  /** A member not heard of for so long is taken for dead; default 45 s. */
  readonly sessionTimeoutMs?: number
  /** A member not polled for so long leaves; default 5 min. */
  readonly maxPollIntervalMs?: number
  /** Called in `poll`, before partitions go to others: the last moment to commit. */
  readonly onRevoked?: (partitions: readonly TopicPartition[]) => void | Promise<void>
  readonly onAssigned?: (partitions: readonly TopicPartition[]) => void | Promise<void>
  /** Others may have them already: nothing can be committed. */
  readonly onLost?: (partitions: readonly TopicPartition[]) => void | Promise<void>
  /** Told when the place to read from is gone and the reset policy moves on: records may have expired unread. */
  readonly onReset?: (reset: OffsetReset) => void
}

/** A place to read from that was out of range, and where reading goes on. */
export interface OffsetReset extends TopicPartition {
  readonly wanted: number
  readonly offset: number
  /** Offsets in between that were removed before they were read. */
  readonly expired: number
}

export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

export interface Consumer {
  /** Shares these topics, or all whose name matches, with the other members of the group. */
  subscribe(topics: readonly string[] | RegExp): void
  unsubscribe(): void
  /** Reads exactly these partitions, whoever else does. */
  assign(partitions: readonly TopicPartition[]): void
  assignment(): readonly TopicPartition[]
  /** For commits in a producer's transaction; null outside of a group. */
  member(): GroupMember | null
  /** The next records, waiting up to `timeoutMs` for the first; rebalances happen here. Arrays share memory. */
  poll(timeoutMs?: number): Promise<readonly ConsumedRecord[]>
  /** Lets the current or the next poll return at once. */
  wakeUp(): void
  /** Next offset to be handed out. */
  position(at: TopicPartition): Promise<number>
  seek(at: TopicPartition, offset: number): void
  seekToBeginning(partitions?: readonly TopicPartition[]): void
  seekToEnd(partitions?: readonly TopicPartition[]): void
  /** To the first record with a timestamp ≥ `timestampMs`, or to the end. */
  seekToTime(timestampMs: number, partitions?: readonly TopicPartition[]): Promise<void>
  pause(partitions?: readonly TopicPartition[]): void
  resume(partitions?: readonly TopicPartition[]): void
  paused(): readonly TopicPartition[]
  /** Records this consumer never saw because they were removed before it came to them. */
  readonly expiredUnread: number
  /** Records between the position and the end. */
  lag(at: TopicPartition): Promise<number>
  committed(partitions: readonly TopicPartition[]): readonly CommittedOffset[]
  /** Durable once resolved. Without `offsets`: the positions of all assigned partitions. */
  commit(offsets?: readonly CommittedOffset[]): Promise<void>
  commitAsync(
    offsets?: readonly CommittedOffset[],
    done?: (error: unknown, offsets: readonly CommittedOffset[]) => void,
  ): void
  close(): Promise<void>
}

export interface CommitOwner {
  readonly name: string
  readonly epoch: number
}

export interface CommitGroup {
  readonly owner: CommitOwner
  readonly appends: readonly GroupAppend[]
  readonly offsets: readonly { readonly group: string; readonly offsets: readonly CommittedOffset[] }[]
  /** Created before, deleted after the appends, in the same atomic step. */
  readonly createTopics?: readonly (TopicSpec & { readonly name: string })[]
  readonly deleteTopics?: readonly string[]
  /** Groups of consumers whose offsets are forgotten. */
  readonly deleteGroups?: readonly string[]
}

export interface GroupAppend {
  readonly topic: string
  readonly partition: number
  /** One or more record batches; base offsets and leader epochs are set by the log. Not touched by the caller afterwards. */
  readonly batches: Uint8Array
}

export type CommitOutcome =
  /** Base offset of each append, in the order of `appends`. */
  | { readonly kind: 'committed'; readonly baseOffsets: readonly number[] }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'unknown'; readonly cause: unknown }

export interface ProducerOptions {
  /** 0: answered when queued; 1: when written to the OS; 'all' (default): when durable. */
  readonly acks?: 0 | 1 | 'all'
  /** How long to wait for more records before a batch goes; default 0. Under load batches grow by themselves. */
  readonly lingerMs?: number
  /** A batch of so many bytes goes at once; default and at most 1,000,000, and below the topic's `max.message.bytes`. */
  readonly batchBytesMax?: number
  /** Records collected and on their way take about so much memory at most; default 32 MiB. */
  readonly bufferBytesMax?: number
  /** How long a send waits for room in the buffer before it is refused; default 60 s. */
  readonly maxBlockMs?: number
  /** Requests on their way to the log; default 5. Order within a partition is kept with any number. */
  readonly maxInFlight?: number
  /** A record not answered for so long is given up; default 2 min. */
  readonly deliveryTimeoutMs?: number
  /** Of topics whose `compression.type` is `producer`; default none. */
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  /**
   * Where records go that name no partition. `murmur2` (default): by the hash of the key, as with Kafka's Java
   * client; without a key as `sticky`. `sticky`: to one partition until a batch is filled, then to another,
   * whatever their keys. `round-robin`: in turn. Or a function of one's own.
   */
  readonly partitioner?: 'murmur2' | 'sticky' | 'round-robin' | ((record: UnplacedRecord) => number)
  readonly transactionalId?: string
  readonly transactionTimeoutMs?: number
}

/** What a partitioner of one's own decides by. */
export interface UnplacedRecord {
  readonly topic: string
  readonly key: Uint8Array | null
  /** How many the topic has. */
  readonly partitions: number
}

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

export interface ProducerRecord {
  readonly topic: string
  /** Absent: chosen by the partitioner. */
  readonly partition?: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** Epoch ms; absent: now. */
  readonly timestampMs?: number
  readonly headers?: readonly RecordHeader[]
}

export interface Delivery {
  readonly topic: string
  readonly partition: number
  /** −1 under acks 0. */
  readonly offset: number
  readonly timestampMs: number
}

export interface Producer {
  /**
   * Resolves as `acks` says. Records keep their order per partition whether or not sends are awaited.
   *
   * @throws StorageError what the topic does not take; `LOG_PRODUCER_BUFFER_FULL`, `LOG_DELIVERY_TIMEOUT`
   */
  send(record: ProducerRecord): Promise<Delivery>
  /** Back-pressure: resolves when there is room in the buffer. Awaited before a send, no send has to wait. */
  ready(): Promise<void>
  /** Resolves when everything sent so far is answered. */
  flush(): Promise<void>
  /** With a transactional id: fences older producers of that id. */
  beginTransaction(): Promise<void>
  /** Commits a group's offsets with the transaction; `member` as in {@link Log.commitOffsets}. */
  sendOffsets(group: string, offsets: readonly CommittedOffset[], member?: GroupMember): Promise<void>
  commitTransaction(): Promise<void>
  abortTransaction(): Promise<void>
  close(): Promise<void>
}

export interface LogHealth {
  /**
   * `disk low`: little space is left, or a write has found none. `out of files`: the process may not open more.
   * Both pass by themselves, and what waits goes on. After `closed after I/O error` the log has to be reopened.
   */
  readonly state: 'open' | 'disk low' | 'out of files' | 'closed after I/O error' | 'closed'
  /** A sentence. */
  readonly detail: string
}
