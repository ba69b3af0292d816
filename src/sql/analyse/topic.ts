import { SqlError, type Position } from '../../base/errors.ts'
import { isTopicName, TOPIC_NAME_RULE } from '../../base/topic-name.ts'
import type { CreateSource } from '../../plan/command.ts'
import type { SourceKind } from '../../plan/data-source.ts'
import type { PrepareContext } from './context.ts'
import { didYouMean } from './nearest-name.ts'
import type { Properties } from './properties.ts'

/** WITH properties that concern the topic. */
export const TOPIC_PROPERTIES = [
  'KAFKA_TOPIC',
  'PARTITIONS',
  'REPLICAS',
  'RETENTION_MS',
  'CLEANUP_POLICY',
] as const

/**
 * The topic to be made, or null if it exists.
 *
 * @param windowed  retention of the windows in ms (0: unknown), or null for keys without a window
 * @param derived  partitions of the left-most source of a derived stream or table; null where the topic must exist or be described
 */
export function newTopic(
  topic: string,
  kind: SourceKind,
  windowed: number | null,
  properties: Properties,
  derived: number | null,
  context: PrepareContext,
): CreateSource['createTopic'] {
  if (!isTopicName(topic)) {
    throw new SqlError('SQL_INVALID_NAME', {
      message: `'${topic}' can't be the name of a topic.`,
      at: properties.place('KAFKA_TOPIC'),
      hint: TOPIC_NAME_RULE,
    })
  }
  const partitions = properties.whole('PARTITIONS')
  if (partitions !== undefined && partitions < 1) throw properties.invalid('PARTITIONS', 'a number from 1')
  const replicas = properties.whole('REPLICAS')
  if (replicas !== undefined && replicas < 1 && replicas !== -1)
    throw properties.invalid('REPLICAS', 'a number from 1, or -1')
  if (properties.has('CLEANUP_POLICY')) {
    throw new SqlError('SQL_INVALID_PROPERTY', {
      message: "CLEANUP_POLICY can't be chosen: it follows from what the topic holds.",
      at: properties.place('CLEANUP_POLICY'),
    })
  }
  const retentionMs = properties.whole('RETENTION_MS')
  if (retentionMs !== undefined && retentionMs < -1)
    throw properties.invalid('RETENTION_MS', 'a number of milliseconds, or -1 for ever')
  if (retentionMs !== undefined && kind === 'table' && windowed === null) {
    throw new SqlError('SQL_INVALID_PROPERTY', {
      message: "RETENTION_MS can't be given for a table: its topic keeps the latest row of every key.",
      at: properties.place('RETENTION_MS'),
    })
  }
  const existing = context.catalog.partitions(topic)
  if (existing !== undefined) {
    if (partitions !== undefined && partitions !== existing && context.keepExistingPartitions !== true) {
      throw new SqlError('SQL_PARTITIONS_DIFFER', {
        message: `The topic ${topic} exists with ${existing} partitions, not ${partitions}.`,
        at: properties.place('PARTITIONS'),
        hint: 'Leave PARTITIONS out to use the topic as it is.',
      })
    }
    return null
  }
  refuseOwnTopic(topic, properties.place('KAFKA_TOPIC'), context)
  const count = partitions ?? derived
  if (count === null) {
    throw new SqlError('SQL_UNKNOWN_TOPIC', {
      message: `There is no topic ${topic}.`,
      at: properties.place('KAFKA_TOPIC'),
      hint: [
        didYouMean(topic, context.catalog.topicNames()),
        'Add PARTITIONS to WITH, and the topic is made.',
      ]
        .filter((hint) => hint !== undefined)
        .join(' '),
    })
  }
  const policy = kind === 'stream' ? 'delete' : windowed !== null ? 'compact,delete' : 'compact'
  // Records are kept for ever unless someone asks for less: the default retention of a window is no such wish.
  const kept =
    retentionMs === undefined
      ? {}
      : { 'retention.ms': String(retentionMs < 0 ? -1 : Math.max(retentionMs, windowed ?? 0)) }
  return { partitions: count, config: { 'cleanup.policy': policy, ...kept } }
}

/** @throws SqlError where a statement would write, make or delete a topic of Millrace itself */
export function refuseOwnTopic(topic: string, at: Position, context: PrepareContext): void {
  if (!context.catalog.isOwnTopic(topic)) return
  throw new SqlError('SQL_READ_ONLY', {
    message: `The topic ${topic} is Millrace's own: statements may only read it.`,
    at,
    hint: 'Choose another topic.',
  })
}
