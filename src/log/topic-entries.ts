import { StorageError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { JournalEntry } from './journal-entry.ts'
import type { TopicSpec } from './log.ts'
import type { LogState, Topic } from './log-state.ts'
import { randomId } from './random-id.ts'
import { checkSettingName, checkTopicConfig, checkTopicName } from './topic-config.ts'

const PARTITIONS_MAX = 10_000

type EntryOf<Kind extends JournalEntry['kind']> = Extract<JournalEntry, { kind: Kind }>

/** @throws StorageError `LOG_TOPIC_EXISTS`, `LOG_INVALID_TOPIC`, `LOG_INVALID_CONFIG` */
export function createTopicEntry(
  state: LogState,
  random: Random,
  name: string,
  { partitions, config = {} }: TopicSpec,
): EntryOf<'create-topic'> {
  checkTopicName(name)
  checkTopicConfig(name, config)
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    throw new StorageError('LOG_INVALID_TOPIC', {
      message: `Topic ${name} cannot have ${partitions} partitions.`,
      hint: `A topic has 1 to ${PARTITIONS_MAX} partitions.`,
    })
  }
  if (state.topic(name) !== undefined) {
    throw new StorageError('LOG_TOPIC_EXISTS', { message: `Topic ${name} exists already.` })
  }
  // They would be one name where '.' cannot stand, as in metrics; Kafka refuses it, too.
  const collision = [...state.topics()].find((other) => flat(other.name) === flat(name))
  if (collision !== undefined) {
    throw new StorageError('LOG_INVALID_TOPIC', {
      message: `Topic ${name} collides with topic ${collision.name}: they differ in '.' and '_' only.`,
    })
  }
  return { kind: 'create-topic', id: randomId(random), name, partitions, config: { ...config } }
}

function flat(name: string): string {
  return name.replaceAll('.', '_')
}

/** @throws StorageError `LOG_INVALID_CONFIG` */
export function alterTopicEntry(
  topic: Topic,
  changes: Readonly<Record<string, string | null>>,
): EntryOf<'alter-topic'> {
  const config = new Map(Object.entries(topic.config))
  for (const [setting, value] of Object.entries(changes)) {
    if (value === null) config.delete(setting)
    else config.set(setting, value)
  }
  const altered = Object.fromEntries(config)
  checkTopicConfig(topic.name, altered)
  // Also those taken back must be names of settings.
  for (const [setting, value] of Object.entries(changes)) {
    if (value === null) checkSettingName(topic.name, setting)
  }
  return { kind: 'alter-topic', id: topic.id, config: altered }
}

/** @throws StorageError `LOG_INVALID_PARTITIONS` */
export function addPartitionsEntry(topic: Topic, partitions: number): EntryOf<'add-partitions'> {
  if (!Number.isInteger(partitions) || partitions <= topic.partitions || partitions > PARTITIONS_MAX) {
    throw new StorageError('LOG_INVALID_PARTITIONS', {
      message: `Topic ${topic.name} has ${topic.partitions} partitions and cannot get ${partitions}.`,
      hint: `The number of partitions can only grow, up to ${PARTITIONS_MAX}.`,
    })
  }
  return { kind: 'add-partitions', id: topic.id, partitions }
}
