import { join } from 'node:path'
import { assert, unreachable } from '../base/assert.ts'
import type { FileSystem } from '../base/file-system.ts'
import type { Checkpoint, CheckpointTopic } from './checkpoint.ts'
import type { FilePool } from './file-pool.ts'
import type { JournalPosition } from './journal.ts'
import type { JournalEntry } from './journal-entry.ts'
import type { TopicDescription } from './log.ts'
import { Partition, type PartitionHome, type Segment } from './partition.ts'
import type { SegmentIndex } from './segment-index.ts'
import type { StoredOffset } from './stored.ts'
import { isInternalName } from './topic-config.ts'

export const TOPICS_DIRECTORY = 'topics'

export interface Topic extends TopicDescription {
  readonly directory: string
  /** One entry per partition. */
  readonly parts: readonly Partition[]
  readonly home: PartitionHome
}

export interface TransactionalId {
  readonly transactionalId: string
  producerId: number
  epoch: number
  timeoutMs: number
  openSinceMs: number | null
  /** When it was last heard of; 0: not known, by a version that did not say. */
  usedMs: number
  pendingOffsets: { readonly group: string; readonly offsets: readonly StoredOffset[] }[]
}

/** What an applied entry leaves to do outside the state. */
export interface Effects {
  readonly sealed: { readonly partition: Partition; readonly segment: Segment }[]
  readonly deleted: Topic[]
  /** Segments that are not in use any more; their files can go. */
  readonly retired: Segment[]
  /** Indexes of the cleaned segments that a swap brings, by path, where they are known. */
  readonly indexes?: ReadonlyMap<string, SegmentIndex>
}

/**
 * Everything the log knows, as of one place in the journal: a checkpoint plus the entries applied since.
 * The same entries give the same state, live and in recovery.
 */
export class LogState {
  readonly logId: string
  readonly #fileSystem: FileSystem
  readonly #files: FilePool
  readonly #directory: string
  readonly #byName = new Map<string, Topic>()
  readonly #byId = new Map<string, Topic>()
  /** Planned by a group that is on its way to the journal. */
  #planned = new Map<string, Topic>()
  /** Group → `topicId:partition` → offset. */
  readonly #groups = new Map<string, Map<string, StoredOffset>>()
  readonly #owners = new Map<string, number>()
  readonly #transactionalIds = new Map<string, TransactionalId>()
  readonly #byProducerId = new Map<number, TransactionalId>()
  #producerIdNext = 0

  constructor(
    fileSystem: FileSystem,
    files: FilePool,
    directory: string,
    stored: Omit<Checkpoint, 'journal' | 'version'>,
  ) {
    this.logId = stored.logId
    this.#fileSystem = fileSystem
    this.#files = files
    this.#directory = directory
    for (const topic of stored.topics)
      this.#add(this.#newTopic(topic, topic.partitions.length, topic.partitions))
    for (const { group, offsets } of stored.groups) this.#setOffsets(group, offsets)
    for (const { name, epoch } of stored.owners) this.#owners.set(name, epoch)
    for (const known of stored.transactionalIds) {
      this.#addTransactionalId({ usedMs: 0, ...known, pendingOffsets: [...known.pendingOffsets] })
    }
    this.#producerIdNext = stored.producerIdNext
  }

  topic(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  topicById(id: string): Topic | undefined {
    return this.#byId.get(id)
  }

  topics(): IterableIterator<Topic> {
    return this.#byName.values()
  }

  group(name: string): readonly StoredOffset[] {
    return [...(this.#groups.get(name)?.values() ?? [])]
  }

  groups(): string[] {
    return [...this.#groups.keys()]
  }

  /** −1 before the first claim. */
  ownerEpoch(name: string): number {
    return this.#owners.get(name) ?? -1
  }

  get producerIdNext(): number {
    return this.#producerIdNext
  }

  transactionalId(id: string): TransactionalId | undefined {
    return this.#transactionalIds.get(id)
  }

  /** Partitions where the producer's transaction has records. */
  openPartitions(producerId: number): { readonly topic: Topic; readonly partition: Partition }[] {
    const open: { readonly topic: Topic; readonly partition: Partition }[] = []
    for (const topic of this.#byName.values()) {
      for (const partition of topic.parts) {
        if (partition.producers.isOpen(producerId)) open.push({ topic, partition })
      }
    }
    return open
  }

  transactionalIds(): IterableIterator<TransactionalId> {
    return this.#transactionalIds.values()
  }

  byProducerId(producerId: number): TransactionalId | undefined {
    return this.#byProducerId.get(producerId)
  }

  /** A topic object for a creation that is on its way to the journal, so that its group can append to it. */
  plan(id: string, name: string, partitions: number, config: Readonly<Record<string, string>>): Topic {
    const topic = this.#newTopic({ id, name, config }, partitions)
    this.#planned.set(id, topic)
    return topic
  }

  planned(id: string): Topic | undefined {
    return this.#planned.get(id)
  }

  forgetPlans(): void {
    if (this.#planned.size > 0) this.#planned = new Map()
  }

  /** @param bytes the batches of an append */
  apply(entry: JournalEntry, bytes: Uint8Array | null, effects: Effects): void {
    switch (entry.kind) {
      case 'create-topic': {
        const topic = this.#planned.get(entry.id) ?? this.#newTopic(entry, entry.partitions)
        this.#planned.delete(entry.id)
        this.#add(topic)
        return
      }
      case 'delete-topic': {
        const topic = this.#byId.get(entry.id)
        assert(topic !== undefined, 'a deleted topic existed')
        this.#byId.delete(entry.id)
        this.#byName.delete(topic.name)
        for (const [group, offsets] of this.#groups) {
          for (const [key, { topicId }] of offsets) if (topicId === entry.id) offsets.delete(key)
          if (offsets.size === 0) this.#groups.delete(group)
        }
        effects.deleted.push(topic)
        return
      }
      case 'alter-topic': {
        const topic = this.#byId.get(entry.id)
        assert(topic !== undefined, 'an altered topic exists')
        topic.home.config = entry.config
        this.#add({ ...topic, config: entry.config })
        return
      }
      case 'add-partitions': {
        const topic = this.#byId.get(entry.id)
        assert(topic !== undefined, 'a topic that grows exists')
        const parts = [...topic.parts]
        while (parts.length < entry.partitions) parts.push(new Partition(topic.home, parts.length))
        this.#add({ ...topic, partitions: entry.partitions, parts })
        return
      }
      case 'roll': {
        const partition = this.#partition(entry)
        const segment = partition.applyRoll(entry.atMs)
        if (segment !== null) effects.sealed.push({ partition, segment })
        return
      }
      case 'swap':
        effects.retired.push(...this.#partition(entry).applySwap(entry, effects.indexes))
        return
      case 'log-start':
        effects.retired.push(...this.#partition(entry).applyLogStart(entry.offset, entry.removed))
        return
      case 'append': {
        const partition = this.#byId.get(entry.topicId)?.parts[entry.partition]
        assert(partition !== undefined && bytes !== null, 'an append names a partition and has bytes')
        const segment = partition.apply(entry, bytes)
        if (segment !== null) effects.sealed.push({ partition, segment })
        for (const producerId of partition.producers.openProducerIds()) {
          const known = this.#byProducerId.get(producerId)
          if (known === undefined) continue
          known.openSinceMs ??= entry.atMs
          known.usedMs = entry.atMs
        }
        return
      }
      case 'offsets':
        this.#setOffsets(entry.group, entry.offsets)
        return
      case 'delete-group':
        this.#groups.delete(entry.group)
        return
      case 'delete-offsets': {
        const known = this.#groups.get(entry.group)
        for (const { topicId, partition } of entry.partitions) known?.delete(`${topicId}:${partition}`)
        if (known?.size === 0) this.#groups.delete(entry.group)
        return
      }
      case 'claim':
        this.#owners.set(entry.name, entry.epoch)
        return
      case 'producer-ids':
        this.#producerIdNext = entry.next
        return
      case 'transactional-id': {
        const { transactionalId, producerId, epoch, timeoutMs, atMs: usedMs = 0 } = entry
        const known = this.#transactionalIds.get(transactionalId)
        if (known === undefined) {
          this.#addTransactionalId({
            transactionalId,
            producerId,
            epoch,
            timeoutMs,
            openSinceMs: null,
            usedMs,
            pendingOffsets: [],
          })
        } else {
          this.#byProducerId.delete(known.producerId)
          Object.assign(known, { producerId, epoch, timeoutMs, usedMs })
          this.#byProducerId.set(producerId, known)
        }
        return
      }
      case 'delete-transactional-id': {
        const known = this.#transactionalIds.get(entry.transactionalId)
        if (known !== undefined) this.#byProducerId.delete(known.producerId)
        this.#transactionalIds.delete(entry.transactionalId)
        return
      }
      case 'pending-offsets': {
        const known = this.#byProducerId.get(entry.producerId)
        assert(known !== undefined, 'pending offsets belong to a transactional id')
        known.openSinceMs ??= entry.atMs
        known.usedMs = entry.atMs
        known.pendingOffsets.push({ group: entry.group, offsets: entry.offsets })
        return
      }
      case 'end-transaction': {
        const known = this.#byProducerId.get(entry.producerId)
        assert(known !== undefined, 'a transaction belongs to a transactional id')
        if (entry.committed) {
          for (const { group, offsets } of known.pendingOffsets) this.#setOffsets(group, offsets)
        }
        known.pendingOffsets = []
        known.openSinceMs = null
        return
      }
      default:
        return unreachable(entry)
    }
  }

  #partition({ topicId, partition }: { readonly topicId: string; readonly partition: number }): Partition {
    const found = this.#byId.get(topicId)?.parts[partition]
    assert(found !== undefined, 'an entry names a partition that exists')
    return found
  }

  checkpoint(journal: JournalPosition, journalBytes: readonly [number, number]): Checkpoint {
    return {
      version: 2,
      logId: this.logId,
      journal,
      journalBytes,
      topics: [...this.#byName.values()].map(({ id, name, config, parts }) => ({
        id,
        name,
        config,
        partitions: parts.map((partition) => partition.stored()),
      })),
      groups: [...this.#groups].map(([group, offsets]) => ({ group, offsets: [...offsets.values()] })),
      owners: [...this.#owners].map(([name, epoch]) => ({ name, epoch })),
      producerIdNext: this.#producerIdNext,
      transactionalIds: [...this.#transactionalIds.values()].map((known) => ({
        ...known,
        pendingOffsets: [...known.pendingOffsets],
      })),
    }
  }

  #newTopic(
    { id, name, config }: Pick<Topic, 'id' | 'name' | 'config'>,
    partitions: number,
    stored: CheckpointTopic['partitions'] = [],
  ): Topic {
    // Named by id: no text of a user becomes a path.
    const directory = join(this.#directory, TOPICS_DIRECTORY, id)
    const home: PartitionHome = {
      fileSystem: this.#fileSystem,
      files: this.#files,
      topic: name,
      topicId: id,
      config,
      directory,
    }
    const parts = Array.from(
      { length: partitions },
      (_, number) => new Partition(home, number, stored[number]),
    )
    return { id, name, config, partitions, internal: isInternalName(name), directory, parts, home }
  }

  #add(topic: Topic): void {
    this.#byName.set(topic.name, topic)
    this.#byId.set(topic.id, topic)
  }

  #addTransactionalId(known: TransactionalId): void {
    this.#transactionalIds.set(known.transactionalId, known)
    this.#byProducerId.set(known.producerId, known)
  }

  #setOffsets(group: string, offsets: readonly StoredOffset[]): void {
    let known = this.#groups.get(group)
    if (known === undefined) {
      known = new Map()
      this.#groups.set(group, known)
    }
    for (const offset of offsets) {
      // The topic may have been deleted by the same or an earlier group.
      if (this.#byId.has(offset.topicId)) known.set(`${offset.topicId}:${offset.partition}`, offset)
    }
    if (known.size === 0) this.#groups.delete(group)
  }
}
