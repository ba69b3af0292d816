import { StorageError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { checkAppend, existingTopic, partitionIn, reserveAppend } from './append.ts'
import { frameBytes } from './journal.ts'
import { encodeEntry, type JournalEntry } from './journal-entry.ts'
import type { CommitGroup, CommittedOffset } from './log.ts'
import type { LogState, Topic } from './log-state.ts'
import { recompressed } from './recompress.ts'
import type { StoredOffset } from './stored.ts'
import { createTopicEntry } from './topic-entries.ts'

const METADATA_BYTES_MAX = 4096

interface GroupHome {
  readonly state: LogState
  readonly random: Random
  readonly nowMs: number
  readonly frameBytesMax: number
}

/** Turns a commit group into the entries of one frame, and reserves the places of its records. */
export function planGroup(
  group: CommitGroup,
  { state, random, nowMs, frameBytesMax }: GroupHome,
): { readonly entries: JournalEntry[]; readonly baseOffsets: number[] } {
  const entries: JournalEntry[] = []
  const created = new Map<string, Topic>()
  for (const spec of group.createTopics ?? []) {
    const entry = createTopicEntry(state, random, spec.name, spec)
    if (created.has(spec.name)) {
      throw new StorageError('LOG_TOPIC_EXISTS', { message: `Topic ${spec.name} is created twice.` })
    }
    created.set(spec.name, state.plan(entry.id, entry.name, entry.partitions, entry.config))
    entries.push(entry)
  }
  const topicOf = (name: string): Topic => created.get(name) ?? existingTopic(state, name)

  // Everything that can be refused comes before the first reservation.
  const appends = group.appends.map(({ topic: name, partition, batches }) => {
    const topic = topicOf(name)
    return checkAppend(partitionIn(topic, partition), topic, recompressed(batches, topic.config))
  })
  const offsets = group.offsets.map(({ group: name, offsets: given }): JournalEntry => ({
    kind: 'offsets',
    group: name,
    offsets: storedOffsets(given, topicOf),
  }))
  const deleted = (group.deleteTopics ?? []).map((name): JournalEntry => ({
    kind: 'delete-topic',
    id: topicOf(name).id,
  }))
  const forgotten = (group.deleteGroups ?? []).map((name): JournalEntry => ({
    kind: 'delete-group',
    group: name,
  }))

  // What goes with the records must fit into one frame, however the records get there.
  const besides = [...entries, ...offsets, ...deleted, ...forgotten].map(encodeEntry)
  if (frameBytes(besides) + appends.length * 100 > frameBytesMax / 2) {
    throw new StorageError('LOG_GROUP_TOO_LARGE', {
      message: 'A commit holds too many offsets, topics or partitions for one frame of the journal.',
    })
  }

  const baseOffsets: number[] = []
  for (const append of appends) {
    const entry = reserveAppend(append, nowMs)
    baseOffsets.push(entry.baseOffset)
    if (entry.length > 0) entries.push(entry)
  }
  entries.push(...offsets, ...deleted, ...forgotten)
  return { entries, baseOffsets }
}

/** @throws StorageError `LOG_INVALID_OFFSET`, `LOG_OFFSET_METADATA_TOO_LARGE`, `LOG_UNKNOWN_PARTITION` */
export function storedOffsets(
  given: readonly CommittedOffset[],
  topicOf: (name: string) => Topic,
  nowMs?: number,
): StoredOffset[] {
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
    return { topicId: found.id, partition, offset, metadata, ...(nowMs === undefined ? {} : { atMs: nowMs }) }
  })
}
