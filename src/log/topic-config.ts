import { isTopicName, TOPIC_NAME_RULE } from '../base/topic-name.ts'
import { StorageError } from '../base/errors.ts'

const LONG_MAX = Number.MAX_SAFE_INTEGER
/** Kafka's way to write "never" for a 64-bit setting. */
const NEVER = '9223372036854775807'

interface Check {
  /** What a good value is, after "it takes". */
  readonly wanted: string
  readonly holds: (value: string) => boolean
}

function wholeFrom(min: number, max = LONG_MAX): Check {
  return {
    wanted: max === LONG_MAX ? `a whole number from ${min} on` : `a whole number from ${min} to ${max}`,
    holds: (value) =>
      value === NEVER
        ? max === LONG_MAX
        : /^-?\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max,
  }
}

function oneOf(...values: string[]): Check {
  return { wanted: `one of ${values.join(', ')}`, holds: (value) => values.includes(value) }
}

const POLICIES: Check = {
  wanted: 'delete, compact, or both with a comma between them',
  holds: (value) => value.split(',').every((part) => ['compact', 'delete'].includes(part.trim())),
}
const RATIO: Check = {
  wanted: 'a number from 0 to 1',
  holds: (value) => /^\d*\.?\d+$/.test(value) && Number(value) <= 1,
}

/** Topic settings under Kafka's names: default and what is a good value. */
const SETTINGS: Readonly<Record<string, readonly [fallback: string, check: Check]>> = {
  'cleanup.policy': ['delete', POLICIES],
  'compression.type': ['producer', oneOf('producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd')],
  'delete.retention.ms': ['86400000', wholeFrom(0)],
  'file.delete.delay.ms': ['60000', wholeFrom(0)],
  'flush.messages': [NEVER, wholeFrom(1)],
  'flush.ms': [NEVER, wholeFrom(0)],
  'index.interval.bytes': ['4096', wholeFrom(0, 2147483647)],
  'max.compaction.lag.ms': [NEVER, wholeFrom(1)],
  'max.message.bytes': ['1048588', wholeFrom(0, 2147483647)],
  'message.timestamp.type': ['CreateTime', oneOf('CreateTime', 'LogAppendTime')],
  'message.timestamp.before.max.ms': [NEVER, wholeFrom(0)],
  'message.timestamp.after.max.ms': [NEVER, wholeFrom(0)],
  'min.cleanable.dirty.ratio': ['0.5', RATIO],
  'min.compaction.lag.ms': ['0', wholeFrom(0)],
  'min.insync.replicas': ['1', wholeFrom(1, 2147483647)],
  preallocate: ['false', oneOf('true', 'false')],
  'retention.bytes': ['-1', wholeFrom(-1)],
  // Everything is kept unless told otherwise; Kafka's default is seven days.
  'retention.ms': ['-1', wholeFrom(-1)],
  // Ours: whether a record's age counts from when it was appended, or, as in Kafka, from its own timestamp.
  'retention.counts.from': ['append', oneOf('append', 'timestamp')],
  'segment.bytes': ['1073741824', wholeFrom(14, 2147483647)],
  'segment.index.bytes': ['10485760', wholeFrom(4, 2147483647)],
  'segment.jitter.ms': ['0', wholeFrom(0)],
  'segment.ms': ['604800000', wholeFrom(1)],
  'unclean.leader.election.enable': ['false', oneOf('true', 'false')],
}

/** The value in force of a setting, for a topic with these settings of its own. */
export function setting(config: Readonly<Record<string, string>>, name: string): string {
  return config[name] ?? SETTINGS[name]![0]
}

/** A numeric setting; "never" is `Number.MAX_SAFE_INTEGER`. */
export function numericSetting(config: Readonly<Record<string, string>>, name: string): number {
  return Math.min(Number(setting(config, name)), LONG_MAX)
}

/** @throws StorageError `LOG_INVALID_CONFIG` at the first unknown name or bad value */
export function checkTopicConfig(topic: string, config: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(config)) {
    checkSettingName(topic, name)
    const [, { wanted, holds }] = SETTINGS[name]!
    if (typeof value === 'string' && holds(value)) continue
    throw new StorageError('LOG_INVALID_CONFIG', {
      message: `Topic ${topic}: '${value}' is not a value for ${name}.`,
      hint: `It takes ${wanted}.`,
    })
  }
  const [least, most] = ['min.compaction.lag.ms', 'max.compaction.lag.ms'] as const
  if (numericSetting(config, least) > numericSetting(config, most)) {
    throw new StorageError('LOG_INVALID_CONFIG', {
      message: `Topic ${topic}: ${least} (${setting(config, least)}) is above ${most} (${setting(config, most)}).`,
    })
  }
}

/** @throws StorageError `LOG_INVALID_CONFIG` unless there is a setting of that name */
export function checkSettingName(topic: string, name: string): void {
  if (Object.hasOwn(SETTINGS, name)) return
  throw new StorageError('LOG_INVALID_CONFIG', {
    message: `Topic ${topic}: there is no topic setting '${name}'.`,
    hint: `There are ${Object.keys(SETTINGS).sort().join(', ')}.`,
  })
}

/** All settings of a topic with the values in force, sorted by name. */
export function settingsInForce(
  config: Readonly<Record<string, string>>,
): { readonly name: string; readonly value: string; readonly isDefault: boolean }[] {
  return Object.keys(SETTINGS)
    .sort()
    .map((name) => ({ name, value: setting(config, name), isDefault: !Object.hasOwn(config, name) }))
}

/** Kafka's rule for topic names. @throws StorageError `LOG_INVALID_TOPIC` */
export function checkTopicName(name: string): void {
  if (isTopicName(name)) return
  throw new StorageError('LOG_INVALID_TOPIC', {
    message: `'${name}' cannot be the name of a topic.`,
    hint: TOPIC_NAME_RULE,
  })
}

/** Topics that belong to Millrace itself (changelogs, definitions), and the groups of its queries. */
export function isInternalName(name: string): boolean {
  return /^(?:__|_millrace|_confluent-ksql-)/.test(name)
}
