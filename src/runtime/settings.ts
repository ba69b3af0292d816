import { TIMESTAMP_AFTER_MAX_MS } from '../engine/future-bound.ts'
import { NotSupportedError, SqlError } from '../base/errors.ts'
import { didYouMean } from '../sql/analyse/nearest-name.ts'
import { SETTINGS_WITHOUT_EFFECT, whyWithoutEffect } from './settings-without-effect.ts'

/** A setting that changes what statements mean or how queries run. */
export interface SettingDeclaration {
  readonly name: string
  /** null: no default. */
  readonly default: string | null
  readonly type: 'text' | 'boolean' | 'number' | readonly string[]
  readonly summary: string
  /** Whether SET may change it; others are given when Millrace is opened. */
  readonly editable: boolean
}

export const SETTINGS: readonly SettingDeclaration[] = [
  {
    name: 'auto.offset.reset',
    default: null,
    type: ['earliest', 'latest'],
    summary:
      'Where a new query starts to read streams. Default: earliest for persistent queries, latest for push queries.',
    editable: true,
  },
  {
    name: 'cache.max.bytes.buffering',
    default: null,
    type: 'number',
    summary: 'Zero: every update of a table is sent on. Otherwise the latest per key and commit.',
    editable: true,
  },
  {
    name: 'commit.interval.ms',
    default: '100',
    type: 'number',
    summary: 'How often results are committed and become visible.',
    editable: false,
  },
  {
    name: 'ksql.persistence.default.format.key',
    default: 'KAFKA',
    type: 'text',
    summary: 'Key format of statements that give none.',
    editable: true,
  },
  {
    name: 'ksql.persistence.default.format.value',
    default: null,
    type: 'text',
    summary: 'Value format of CREATE statements with columns that give none.',
    editable: true,
  },
  {
    name: 'ksql.persistence.wrap.single.values',
    default: null,
    type: 'boolean',
    summary: 'Whether a single value column is written inside an object, where the statement does not say.',
    editable: true,
  },
  {
    name: 'ksql.output.topic.name.prefix',
    default: '',
    type: 'text',
    summary: "Put before topic names that are derived from a sink's name.",
    editable: true,
  },
  {
    name: 'ksql.timestamp.throw.on.invalid',
    default: 'false',
    type: 'boolean',
    summary: 'Whether a record whose timestamp column cannot be read stops the query.',
    editable: true,
  },
  {
    name: 'ksql.fail.on.deserialization.error',
    default: 'false',
    type: 'boolean',
    summary: 'Whether a record that cannot be decoded stops the query.',
    editable: true,
  },
  {
    name: 'ksql.query.pull.table.scan.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether pull queries may scan a table.',
    editable: true,
  },
  {
    name: 'ksql.query.pull.range.scan.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether a comparison on the only key column counts as a key range.',
    editable: true,
  },
  {
    name: 'ksql.query.pull.stream.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether pull queries may read streams.',
    editable: true,
  },
  {
    name: 'ksql.query.pull.limit.clause.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether pull queries may have a LIMIT.',
    editable: true,
  },
  {
    name: 'ksql.create.or.replace.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether CREATE OR REPLACE is possible.',
    editable: true,
  },
  {
    name: 'ksql.insert.into.values.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether INSERT … VALUES is possible.',
    editable: true,
  },
  {
    name: 'ksql.suppress.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether EMIT FINAL is possible.',
    editable: true,
  },
  {
    name: 'ksql.headers.columns.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether columns may hold headers of records.',
    editable: true,
  },
  {
    name: 'ksql.source.table.materialization.enabled',
    default: 'true',
    type: 'boolean',
    summary: 'Whether a SOURCE TABLE keeps its rows, so that pull queries can ask it.',
    editable: true,
  },
  {
    name: 'ksql.new.query.planner.enabled',
    default: 'false',
    type: 'boolean',
    summary: 'Key columns of plain projections in the order of the projection, or left out.',
    editable: true,
  },
  {
    name: 'ksql.functions.collect_list.limit',
    default: null,
    type: 'number',
    summary: 'Largest number of elements COLLECT_LIST keeps.',
    editable: true,
  },
  {
    name: 'ksql.functions.collect_set.limit',
    default: null,
    type: 'number',
    summary: 'Largest number of elements COLLECT_SET keeps.',
    editable: true,
  },
  {
    name: 'ksql.query.persistent.active.limit',
    default: '1000',
    type: 'number',
    summary: 'How many persistent queries there may be.',
    editable: false,
  },
  {
    name: 'processing.guarantee',
    default: 'exactly_once_v2',
    type: ['exactly_once_v2', 'at_least_once'],
    summary: 'Whether results are committed with the input they come from, or before it.',
    editable: true,
  },
  {
    name: 'millrace.timestamp.after.max.ms',
    default: String(TIMESTAMP_AFTER_MAX_MS),
    type: 'number',
    summary: "How far a stream's event time may be ahead of the clock. -1: as far as it likes.",
    editable: true,
  },
  {
    name: 'millrace.compatibility',
    default: 'false',
    type: 'boolean',
    summary: "Keeps ksqlDB's behaviour where ours differs on purpose.",
    editable: true,
  },
]

/** Settings of ksqlDB whose effect scripts may count on, and which nothing here follows; null: whatever the value. */
const UNSUPPORTED: ReadonlyMap<string, string | null> = new Map([
  ['max.task.idle.ms', null],
  ['ksql.cast.strings.preserve.nulls', 'false'],
  ['ksql.nested.error.set.null', 'false'],
])

const byName: ReadonlyMap<string, SettingDeclaration> = new Map(SETTINGS.map((s) => [s.name, s]))

/** The full name of a setting: `ksql.streams.` addresses the stream runtime and is taken off. */
export function settingName(name: string): string {
  const full = name.startsWith('ksql.streams.') ? name.slice('ksql.streams.'.length) : name
  return full === 'statestore.cache.max.bytes' ? 'cache.max.bytes.buffering' : full
}

/**
 * Checks a SET.
 *
 * @returns why the setting has no effect here, for those of ksqlDB that have none; null: it has
 * @throws SqlError for an unknown name, one that can't be changed, or a bad value
 */
export function checkSetting(name: string, value: string): string | null {
  const full = settingName(name)
  const why = whyWithoutEffect(full)
  if (why !== null) return why
  const setting = byName.get(full)
  if (setting === undefined) {
    const refused = UNSUPPORTED.get(full)
    if (refused === null) throw new NotSupportedError(`The setting '${name}'`)
    if (refused === value.toLowerCase()) throw new NotSupportedError(`'${value}' for the setting '${name}'`)
    if (refused !== undefined) return 'it is always so'
    checkSettingName(name)
    return null
  }
  if (!setting.editable) {
    throw new SqlError('SQL_FIXED_SETTING', {
      message: `The setting '${name}' is given when Millrace is opened; SET cannot change it.`,
      stage: 'execute',
    })
  }
  const fits =
    setting.type === 'text' ||
    (setting.type === 'boolean' && /^(true|false)$/i.test(value)) ||
    (setting.type === 'number' && /^-?\d+$/.test(value)) ||
    (Array.isArray(setting.type) && setting.type.includes(value.toLowerCase()))
  if (!fits) {
    const expected = Array.isArray(setting.type) ? setting.type.join(' or ') : `a ${String(setting.type)}`
    throw new SqlError('SQL_BAD_SETTING', {
      message: `The setting '${name}' cannot be '${value}': expected ${expected}.`,
      stage: 'execute',
    })
  }
  return null
}

/** @throws SqlError for a name that is no setting, of ours or of ksqlDB */
export function checkSettingName(name: string): void {
  const full = settingName(name)
  const isKnown =
    byName.has(full) ||
    UNSUPPORTED.has(full) ||
    full.startsWith('ksql.functions.') ||
    whyWithoutEffect(full) !== null
  if (isKnown) return
  throw new SqlError('SQL_UNKNOWN_SETTING', {
    message: `There is no setting '${name}'.`,
    hint: didYouMean(full, [...byName.keys(), ...SETTINGS_WITHOUT_EFFECT]) ?? 'SHOW PROPERTIES lists them.',
    stage: 'execute',
  })
}

/** A setting's value, or its default; empty where it has none. */
export function settingOr(settings: ReadonlyMap<string, string>, name: string): string {
  return settings.get(name) ?? byName.get(name)?.default ?? ''
}

export function booleanSetting(settings: ReadonlyMap<string, string>, name: string): boolean {
  return settingOr(settings, name).toLowerCase() === 'true'
}

/** Settings by full name from what a caller gave. */
export function settingsFrom(
  given: Readonly<Record<string, string>> | ReadonlyMap<string, string>,
): Map<string, string> {
  const entries = given instanceof Map ? [...(given as ReadonlyMap<string, string>)] : Object.entries(given)
  return new Map(entries.map(([name, value]) => [settingName(name), value]))
}
