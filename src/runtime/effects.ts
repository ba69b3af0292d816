import { SqlError } from '../base/errors.ts'
import type { TopicSpec } from '../log/log.ts'
import type {
  AlterSource,
  Command,
  CreateAlert,
  CreateQuery,
  CreateSource,
  InsertSelect,
} from '../plan/command.ts'
import type { DataSource } from '../plan/data-source.ts'
import type { QueryPlan } from '../plan/plan-node.ts'
import { didYouMean } from '../sql/analyse/nearest-name.ts'
import { PROCESSING_LOG } from './processing-log.ts'
import { settingOr } from './settings.ts'
import {
  put,
  queryKey,
  sourceKey,
  sourcesRead,
  typeKey,
  type Catalog,
  type CatalogChange,
  type QueryDefinition,
} from './catalog.ts'

/**
 * What a statement of definition changes: catalog entries and topics, written together as one commit,
 * and then the queries to start and stop.
 */
export interface Effects {
  readonly changes: readonly CatalogChange[]
  readonly createTopics: readonly (TopicSpec & { readonly name: string })[]
  readonly deleteTopics: readonly string[]
  /** Ids of queries to start (or, where one of that id runs, to go on with a new plan). */
  readonly start: readonly string[]
  /** Ids of queries that end for good: their state and offsets go. */
  readonly end: readonly string[]
  readonly pause: readonly string[]
  readonly resume: readonly string[]
  readonly message: string
  readonly queryId: string | null
}

/** Commands that change the catalog or the life of queries. */
export type DefinitionCommand = Extract<
  Command,
  {
    readonly kind:
      | 'create-source'
      | 'create-query'
      | 'insert-select'
      | 'create-alert'
      | 'alter-source'
      | 'create-type'
      | 'drop-type'
      | 'drop'
      | 'terminate'
      | 'pause'
      | 'resume'
  }
>

/**
 * What `command` would do to `catalog`; nothing is done yet.
 *
 * @param settings  in force for the statement; kept with its query
 * @throws SqlError where the catalog as it is does not allow it
 */
export function effectsOf(
  command: DefinitionCommand,
  catalog: Catalog,
  settings: ReadonlyMap<string, string>,
): Effects {
  switch (command.kind) {
    case 'create-source':
      return createSource(command, catalog, settings)
    case 'create-query':
      return createQuery(command, catalog, settings)
    case 'insert-select':
      return insertSelect(command, catalog, settings)
    case 'create-alert':
      return createAlert(command, catalog, settings)
    case 'alter-source':
      return alterSource(command)
    case 'create-type':
      if (catalog.type(command.name) !== undefined) {
        if (command.ifNotExists) return { ...NONE, message: `Type ${command.name} exists already.` }
        throw executionError('SQL_TYPE_EXISTS', `There is a type ${command.name} already.`)
      }
      return {
        ...NONE,
        changes: [put({ kind: 'type', name: command.name, type: command.type })],
        message: `Registered custom type with name '${command.name}'.`,
      }
    case 'drop-type':
      if (catalog.type(command.name) === undefined) {
        if (command.ifExists) return { ...NONE, message: `There is no type ${command.name}.` }
        throw executionError('SQL_UNKNOWN_TYPE', `There is no type ${command.name}.`)
      }
      return {
        ...NONE,
        changes: [{ key: typeKey(command.name), entry: null }],
        message: `Dropped type '${command.name}'.`,
      }
    case 'drop':
      return command.what === 'alert' ? dropAlert(command, catalog) : dropSource(command, catalog)
    case 'terminate':
      return terminate(command.id, catalog)
    case 'pause':
    case 'resume':
      return pauseOrResume(command.kind, command.id, catalog)
  }
}

const NONE: Effects = {
  changes: [],
  createTopics: [],
  deleteTopics: [],
  start: [],
  end: [],
  pause: [],
  resume: [],
  message: '',
  queryId: null,
}

function createSource(
  command: CreateSource,
  catalog: Catalog,
  settings: ReadonlyMap<string, string>,
): Effects {
  const { source } = command
  const old = catalog.source(source.name)
  if (old !== undefined && !command.orReplace) throw existsAlready(old)
  const kind = source.kind === 'stream' ? 'Stream' : 'Table'
  const base: Effects = {
    ...NONE,
    changes: [put({ kind: 'source', source })],
    createTopics: topicToCreate(source.topic, command.createTopic, catalog),
    message: `${kind} ${source.name} ${old === undefined ? 'created' : 'replaced'}.`,
  }
  if (command.materialise === null) return base
  return withQuery(base, catalog, {
    id: command.materialise.queryId,
    kind: 'source-table',
    statement: source.statement,
    plan: command.materialise.plan,
    writes: null,
    settings,
  })
}

function createQuery(command: CreateQuery, catalog: Catalog, settings: ReadonlyMap<string, string>): Effects {
  const { source } = command
  const old = catalog.source(source.name)
  if (old !== undefined && !command.orReplace) throw existsAlready(old)
  const base: Effects = {
    ...NONE,
    changes: [put({ kind: 'source', source })],
    createTopics: topicToCreate(source.topic, command.createTopic, catalog),
    message:
      old === undefined
        ? `Created query with ID ${command.queryId}.`
        : `Replaced query ${command.queryId}: it goes on from where it was, and what it wrote before stays.`,
  }
  return withQuery(base, catalog, {
    id: command.queryId,
    kind: source.kind === 'stream' ? 'create-stream' : 'create-table',
    statement: source.statement,
    plan: command.plan,
    writes: source.name,
    settings,
    replaces: old?.createdBy ?? null,
  })
}

function insertSelect(
  command: InsertSelect,
  catalog: Catalog,
  settings: ReadonlyMap<string, string>,
): Effects {
  return withQuery({ ...NONE, message: `Created query with ID ${command.queryId}.` }, catalog, {
    id: command.queryId,
    kind: 'insert',
    statement: command.statement,
    plan: command.plan,
    writes: command.into,
    settings,
  })
}

function createAlert(command: CreateAlert, catalog: Catalog, settings: ReadonlyMap<string, string>): Effects {
  const old = catalog.source(command.events.name)
  if (old !== undefined && !command.orReplace) {
    throw executionError('SQL_SOURCE_EXISTS', `There is an alert ${command.name} already.`)
  }
  const state = alertState(command.events)
  const taken = catalog.source(state.name)
  if (taken !== undefined && taken.createdBy !== old?.createdBy) {
    throw executionError(
      'SQL_SOURCE_EXISTS',
      `The state of alert ${command.name} would be the table ${state.name}, but there is a ${taken.kind} of this name.`,
      'Choose another name for the alert.',
    )
  }
  const partitions = Math.max(1, ...sourcesRead(command.plan).map((s) => catalog.partitions(s.topic) ?? 1))
  const base: Effects = {
    ...NONE,
    changes: [put({ kind: 'source', source: command.events }), put({ kind: 'source', source: state })],
    createTopics: topicToCreate(command.events.topic, { partitions, config: {} }, catalog),
    message: `Created alert ${command.name} with query ID ${command.queryId}: its events are the stream ${command.events.name}, its state is the table ${state.name}.`,
  }
  return withQuery(base, catalog, {
    id: command.queryId,
    kind: 'alert',
    statement: command.statement,
    plan: command.plan,
    writes: command.events.name,
    settings,
    replaces: old?.createdBy ?? null,
  })
}

/**
 * The state of an alert as a table: one row per instance, its last event. Questions are answered from the
 * alert's own state, where instances that are inactive have no row.
 */
function alertState(events: DataSource): DataSource {
  return { ...events, name: `${events.name}_STATE`, kind: 'table' }
}

function alterSource(command: AlterSource): Effects {
  const { source } = command
  return {
    ...NONE,
    changes: [put({ kind: 'source', source })],
    message: `${source.kind === 'stream' ? 'Stream' : 'Table'} ${source.name} altered.`,
  }
}

function dropSource(
  command: Extract<DefinitionCommand, { kind: 'drop' }>,
  catalog: Catalog,
  viaAlert = false,
): Effects {
  const source = catalog.source(command.name)
  if (source === undefined) {
    const kind = command.what === 'stream' ? 'stream' : 'table'
    if (command.ifExists) return { ...NONE, message: `There is no ${kind} ${command.name}.` }
    throw executionError('SQL_UNKNOWN_SOURCE', `There is no ${kind} ${command.name}.`)
  }
  if (source.kind !== command.what) {
    throw executionError(
      'SQL_WRONG_SOURCE_KIND',
      `${source.name} is a ${source.kind}, not a ${command.what}.`,
      `Use DROP ${source.kind.toUpperCase()}.`,
    )
  }
  const ofAlert = catalog.queries().find((q) => q.kind === 'alert' && q.id === source.createdBy)
  if (ofAlert !== undefined && !viaAlert) {
    throw executionError(
      'SQL_SOURCE_IN_USE',
      `The ${source.kind} ${source.name} belongs to an alert.`,
      `Use DROP ALERT ${alertName(ofAlert.plan) ?? source.name}.`,
    )
  }
  if (source.name === PROCESSING_LOG.name) {
    throw executionError('SQL_READ_ONLY_SOURCE', `${source.name} is Millrace's own and stays.`)
  }
  if (source.readOnly && command.deleteTopic) {
    throw executionError(
      'SQL_READ_ONLY_SOURCE',
      `The topic of the read-only ${source.kind} ${source.name} cannot be deleted.`,
    )
  }
  const queries = catalog.queries()
  const own = queries.filter(
    (q) => q.id === source.createdBy || (q.kind === 'source-table' && q.reads.includes(source.name)),
  )
  const isOwn = (q: QueryDefinition): boolean => own.includes(q)
  const readers = queries.filter((q) => !isOwn(q) && q.reads.includes(source.name))
  const writers = queries.filter((q) => !isOwn(q) && q.writes === source.name)
  if (readers.length > 0 || writers.length > 0) {
    const reading = readers.length > 0 ? ` Read by: ${readers.map((q) => q.id).join(', ')}.` : ''
    const writing = writers.length > 0 ? ` Written by: ${writers.map((q) => q.id).join(', ')}.` : ''
    throw executionError(
      'SQL_SOURCE_IN_USE',
      `The ${source.kind} ${source.name} cannot be dropped while queries use it.${reading}${writing}`,
      'Terminate them, or drop what they fill, first.',
    )
  }
  const shared = catalog.sources().filter((s) => s !== source && s.topic === source.topic)
  if (command.deleteTopic && shared.length > 0) {
    throw executionError(
      'SQL_TOPIC_IN_USE',
      `The topic ${source.topic} cannot be deleted: ${shared.map((s) => s.name).join(', ')} is declared on it too.`,
    )
  }
  return {
    ...NONE,
    changes: [
      { key: sourceKey(source.name), entry: null },
      ...own.map((q) => ({ key: queryKey(q.id), entry: null })),
    ],
    deleteTopics: command.deleteTopic && catalog.partitions(source.topic) !== undefined ? [source.topic] : [],
    end: own.map((q) => q.id),
    message: `Source ${quoted(source.name)} (topic: ${source.topic}) was dropped.`,
  }
}

function dropAlert(command: Extract<DefinitionCommand, { kind: 'drop' }>, catalog: Catalog): Effects {
  const query = catalog
    .queries()
    .find((q) => q.kind === 'alert' && (alertName(q.plan) === command.name || q.writes === command.name))
  if (query === undefined) {
    if (command.ifExists) return { ...NONE, message: `There is no alert ${command.name}.` }
    throw executionError('SQL_UNKNOWN_ALERT', `There is no alert ${command.name}.`)
  }
  const events = catalog.source(query.writes!)!
  const state = alertState(events)
  const readers = catalog.queries().filter((q) => q.reads.includes(state.name))
  if (readers.length > 0) {
    throw executionError(
      'SQL_SOURCE_IN_USE',
      `The alert ${command.name} cannot be dropped while queries read ${state.name}: ${readers.map((q) => q.id).join(', ')}.`,
      'Terminate them first.',
    )
  }
  const effects = dropSource(
    { ...command, what: events.kind, name: events.name, deleteTopic: false },
    catalog,
    true,
  )
  return {
    ...effects,
    changes: [...effects.changes, { key: sourceKey(state.name), entry: null }],
    deleteTopics: command.deleteTopic ? [events.topic] : [],
    message: `Alert ${command.name} was dropped.`,
  }
}

/** The name of the alert a plan is of, or null. */
export function alertName(plan: QueryPlan): string | null {
  let node = plan.root
  for (;;) {
    if (node.kind === 'alert') return node.name
    if (!('input' in node)) return null
    node = node.input
  }
}

function terminate(id: string | null, catalog: Catalog): Effects {
  const queries = chosenQueries(id, catalog)
  return {
    ...NONE,
    changes: queries.map((q) => ({ key: queryKey(q.id), entry: null })),
    end: queries.map((q) => q.id),
    message: id === null ? `${queries.length} queries terminated.` : `Query ${id} terminated.`,
    queryId: id,
  }
}

function pauseOrResume(kind: 'pause' | 'resume', id: string | null, catalog: Catalog): Effects {
  const paused = kind === 'pause'
  const queries = chosenQueries(id, catalog)
  const ids = queries.map((q) => q.id)
  return {
    ...NONE,
    changes: queries.map((q) => put({ kind: 'query', query: { ...q, paused } })),
    pause: paused ? ids : [],
    resume: paused ? [] : ids,
    message: id === null ? `${ids.length} queries ${kind}d.` : `Query ${id} ${kind}d.`,
    queryId: id,
  }
}

function chosenQueries(id: string | null, catalog: Catalog): readonly QueryDefinition[] {
  if (id === null) return catalog.queries()
  const query = catalog.query(id) ?? catalog.queries().find((q) => q.id.toUpperCase() === id.toUpperCase())
  if (query === undefined) {
    throw executionError('SQL_UNKNOWN_QUERY', `There is no query ${id}.`, queryHint(id, catalog.queryIds()))
  }
  return [query]
}

/** @param id  of a query that isn't there */
export function queryHint(id: string, ids: readonly string[]): string {
  return didYouMean(id, ids) ?? 'SHOW QUERIES lists them.'
}

function withQuery(
  base: Effects,
  catalog: Catalog,
  query: {
    readonly id: string
    readonly kind: QueryDefinition['kind']
    readonly statement: string
    readonly plan: QueryPlan
    readonly writes: string | null
    readonly settings: ReadonlyMap<string, string>
    /** Id of the query this one takes the place of. */
    readonly replaces?: string | null
  },
): Effects {
  const replaced = query.replaces ? catalog.query(query.replaces) : catalog.query(query.id)
  const number = catalog.nextQueryNumber()
  const definition: QueryDefinition = {
    id: query.id,
    kind: query.kind,
    statement: query.statement,
    plan: query.plan,
    reads: sourcesRead(query.plan).map((s) => s.name),
    writes: query.writes,
    paused: false,
    order: replaced?.order ?? number,
    settings: Object.fromEntries(query.settings),
  }
  const limit = Number(settingOr(query.settings, 'ksql.query.persistent.active.limit'))
  if (replaced === undefined && catalog.queries().length >= limit) {
    throw executionError(
      'SQL_TOO_MANY_QUERIES',
      `There are ${catalog.queries().length} persistent queries; ${limit} are allowed.`,
      "TERMINATE what isn't needed, or open Millrace with a higher 'ksql.query.persistent.active.limit'.",
    )
  }
  const otherId = replaced !== undefined && replaced.id !== query.id ? replaced.id : null
  return {
    ...base,
    changes: [
      ...(otherId === null ? [] : [{ key: queryKey(otherId), entry: null }]),
      ...base.changes,
      put({ kind: 'query', query: definition }),
      put({ kind: 'query-number', next: number + 1 }),
    ],
    start: [query.id],
    end: otherId === null ? [] : [otherId],
    queryId: query.id,
  }
}

function topicToCreate(
  name: string,
  spec: TopicSpec | null,
  catalog: Catalog,
): readonly (TopicSpec & { readonly name: string })[] {
  return spec === null || catalog.partitions(name) !== undefined ? [] : [{ name, ...spec }]
}

function existsAlready(source: DataSource): SqlError {
  return executionError(
    'SQL_SOURCE_EXISTS',
    `There is a ${source.kind} ${source.name} already.`,
    'CREATE OR REPLACE changes it; CREATE … IF NOT EXISTS leaves it.',
  )
}

function executionError(code: string, message: string, hint?: string): SqlError {
  return new SqlError(code, { message, hint, stage: 'execute' })
}

function quoted(name: string): string {
  return `\`${name}\``
}
