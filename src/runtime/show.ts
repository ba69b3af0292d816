import { unreachable } from '../base/assert.ts'
import { SqlError } from '../base/errors.ts'
import { printSignature } from '../functions/overloads.ts'
import type { FunctionLibrary } from '../functions/registry.ts'
import { SPECIAL_FORMS, type SpecialForm } from '../functions/special-forms.ts'
import type { Batch } from '../engine/batch.ts'
import type { ReadRange } from '../engine/operator.ts'
import type { LogHealth, TopicDescription } from '../log/log.ts'
import type { ShowKind } from '../plan/command.ts'
import type { DataSource, FormatSpec, TimestampColumn } from '../plan/data-source.ts'
import { printPlan } from '../plan/print.ts'
import type { Column, Schema } from '../plan/schema.ts'
import { BIGINT, BOOLEAN, INTEGER, printType, STRING, type SqlType } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import type { Catalog } from './catalog.ts'
import { alertName, queryHint } from './effects.ts'
import { EVERYTHING } from './pull-query.ts'
import type { GroupOffset, PushQueryStatus, QueryStatus } from './query-status.ts'
import { booleanSetting, SETTINGS } from './settings.ts'

/** What the lists are made from. */
export interface Shown {
  readonly catalog: Catalog
  readonly functions: FunctionLibrary
  readonly settings: ReadonlyMap<string, string>
  readonly variables: ReadonlyMap<string, string>
  topics(): readonly TopicDescription[]
  /** What consumer groups have committed of a topic, by group and partition. */
  offsetsIn(topic: string): readonly GroupOffset[]
  /** How many offsets a topic holds. */
  recordsIn(topic: string): number
  queries(): readonly QueryStatus[]
  health(): LogHealth
  pushQueries(): readonly PushQueryStatus[]
  /** Committed rows of the table a query keeps. */
  readCommitted(queryId: string, range: ReadRange): AsyncIterable<Batch>
}

/** A list, or a description: rows under columns, and sentences beside them. */
export interface Listing {
  readonly schema: Schema
  readonly rows: readonly Row[]
  readonly notes: readonly string[]
}

/** @param extended with what queries have done since this process opened the directory */
export async function show(what: ShowKind, all: boolean, extended: boolean, shown: Shown): Promise<Listing> {
  const { catalog } = shown
  switch (what) {
    case 'streams':
    case 'tables':
      return listing(
        {
          Name: STRING,
          'Kafka Topic': STRING,
          'Key Format': STRING,
          'Value Format': STRING,
          Windowed: BOOLEAN,
        },
        catalog
          .sources()
          .filter((s) => s.kind === (what === 'streams' ? 'stream' : 'table'))
          .map((s) => [s.name, s.topic, s.keyFormat.name, s.valueFormat.name, s.windowedKey !== null]),
      )
    case 'topics':
      return listing(
        {
          'Kafka Topic': STRING,
          Partitions: INTEGER,
          ...(extended ? { Records: BIGINT, 'Consumer Groups': INTEGER } : {}),
        },
        shown
          .topics()
          .filter((t) => all || !t.internal)
          .map((t) => [
            t.name,
            t.partitions,
            ...(extended
              ? [shown.recordsIn(t.name), new Set(shown.offsetsIn(t.name).map((o) => o.group)).size]
              : []),
          ]),
      )
    case 'queries':
      return listing(
        {
          'Query ID': STRING,
          Status: STRING,
          'Sink Name': STRING,
          'Sink Kafka Topic': STRING,
          ...(extended
            ? {
                'Records In': BIGINT,
                'Records Out': BIGINT,
                Lag: BIGINT,
                Dropped: STRING,
                'Expression Errors': BIGINT,
              }
            : {}),
          Query: STRING,
        },
        [
          ...shown
            .queries()
            .map((q) => [
              q.id,
              q.state,
              q.writes,
              q.topic,
              ...(extended ? countersOf(q) : []),
              oneLine(q.statement),
            ]),
          ...shown
            .pushQueries()
            .map((q) => [
              q.id,
              'RUNNING',
              null,
              null,
              ...(extended ? [null, null, null, null, null] : []),
              oneLine(q.statement),
            ]),
        ],
        [
          ...shown.queries().flatMap((q) => (q.error === null ? [] : [`${q.id}: ${q.error}`])),
          ...healthNotes(shown),
        ],
      )
    case 'functions':
      return listing(
        { 'Function Name': STRING, Type: STRING, Category: STRING },
        [...shown.functions.declarations.values(), ...specialForms(shown)]
          .map((f): [string, string, string] => [f.name, f.kind.toUpperCase(), f.category])
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      )
    case 'types':
      return listing(
        { 'Type Name': STRING, Schema: STRING },
        catalog
          .typeNames()
          .toSorted()
          .map((name) => [name, printType(catalog.type(name)!)]),
      )
    case 'properties':
      return listing(
        { Property: STRING, Value: STRING, Default: STRING, Editable: BOOLEAN, Meaning: STRING },
        SETTINGS.map((s) => [
          s.name,
          shown.settings.get(s.name) ?? s.default,
          s.default,
          s.editable,
          s.summary,
        ]),
        healthNotes(shown),
      )
    case 'variables':
      return listing(
        { Variable: STRING, Value: STRING },
        [...shown.variables].map(([name, value]) => [name, value]),
      )
    case 'alerts':
      return showAlerts(shown)
    default:
      return unreachable(what)
  }
}

/** What to know of the log, where it is not as it should be. */
function healthNotes(shown: Shown): string[] {
  const { state, detail } = shown.health()
  return state === 'open' ? [] : [`The log is ${state}: ${detail}`]
}

/** Alerts with how many of their instances are pending and firing. */
async function showAlerts(shown: Shown): Promise<Listing> {
  const rows: Row[] = []
  for (const status of shown.queries()) {
    const query = shown.catalog.query(status.id)
    if (query?.kind !== 'alert') continue
    const count: Record<string, number> = { pending: 0, firing: 0 }
    if (status.state !== 'ERROR') {
      for await (const batch of shown.readCommitted(status.id, EVERYTHING)) {
        const state = batch.schema.columns.findIndex((c) => c.name === 'STATE')
        for (let n = 0; n < batch.size; n++) {
          const value = String(batch.value(state, batch.position(n)) as string)
          count[value] = (count[value] ?? 0) + 1
        }
      }
    }
    rows.push([
      alertName(query.plan),
      status.state,
      count['pending']!,
      count['firing']!,
      status.writes,
      status.id,
    ])
  }
  return listing(
    { Name: STRING, Status: STRING, Pending: INTEGER, Firing: INTEGER, Events: STRING, 'Query ID': STRING },
    rows,
  )
}

/** @throws SqlError if there is no such stream or table */
export function describe(name: string, extended: boolean, shown: Shown): Listing {
  const source = shown.catalog.source(name)
  if (source === undefined) {
    throw new SqlError('SQL_UNKNOWN_SOURCE', {
      message: `There is no stream or table ${name}.`,
      stage: 'execute',
    })
  }
  return describeSource(source, extended, shown)
}

export function describeAll(what: 'streams' | 'tables', extended: boolean, shown: Shown): readonly Listing[] {
  return shown.catalog
    .sources()
    .filter((s) => s.kind === (what === 'streams' ? 'stream' : 'table'))
    .map((s) => describeSource(s, extended, shown))
}

function describeSource(source: DataSource, extended: boolean, shown: Shown): Listing {
  const keyWord = source.kind === 'table' ? '(primary key)' : '(key)'
  const headers = new Map(source.headers.map((h) => [h.column, h.header]))
  const typeOf = (column: Column): string => {
    const mark = column.role === 'key' ? ` ${keyWord}` : headers.has(column.name) ? ' (header)' : ''
    const windowed =
      column.role === 'key' && source.windowedKey !== null ? ` (Window type: ${source.windowedKey.type})` : ''
    return `${printType(column.type)}${mark}${windowed}`
  }
  const notes = [`Name: ${source.name} (${source.kind.toUpperCase()})`]
  if (extended) {
    const queries = shown.queries()
    const ids = (uses: (q: QueryStatus) => boolean): string =>
      queries
        .filter(uses)
        .map(
          (q) =>
            `${q.id} (${q.state}, ${q.counters.recordsIn} in, ${q.counters.recordsOut} out, lag ${q.counters.lag})`,
        )
        .join(', ') || 'none'
    notes.push(
      `Topic: ${source.topic} (partitions: ${shown.catalog.partitions(source.topic) ?? 'none: the topic is missing'})`,
      `Key format: ${printFormat(source.keyFormat)}`,
      `Value format: ${printFormat(source.valueFormat)}`,
      `Timestamp column: ${source.timestamp === null ? "none, the record's timestamp counts" : timestampText(source.timestamp)}`,
      ...(source.idleMs === undefined
        ? []
        : [`Idle timeout: ${source.idleMs} ms, then silence counts as time passing`]),
      `Read by: ${ids((q) => q.reads.includes(source.name))}`,
      `Written by: ${ids((q) => q.writes === source.name)}`,
      ...groupLines(shown.offsetsIn(source.topic)),
      `Statement: ${oneLine(source.statement)}`,
    )
  }
  return {
    ...listing(
      { Field: STRING, Type: STRING },
      source.schema.columns.map((c) => [c.name, typeOf(c)]),
    ),
    notes,
  }
}

function timestampText({ column, pattern }: TimestampColumn): string {
  return pattern === null ? column : `${column}, as ${pattern}`
}

/** How far each group has come, partition by partition. */
function groupLines(offsets: readonly GroupOffset[]): readonly string[] {
  const byGroup = Map.groupBy(offsets, (o) => o.group)
  return [...byGroup].map(([group, of]) => {
    const places = of.map(
      (o) =>
        `partition ${o.partition} at ${o.offset} of ${o.startOffset} to ${o.endOffset}, lag ${Math.max(0, o.endOffset - Math.max(o.offset, o.startOffset))}`,
    )
    return `Consumer group ${group}: ${places.join('; ')}`
  })
}

/** What is called like a function and is none, where no function has its name. */
function specialForms({ functions, settings }: Shown): readonly SpecialForm[] {
  if (booleanSetting(settings, 'millrace.compatibility')) return []
  return SPECIAL_FORMS.filter((form) => functions.kindOf(form.name) === undefined)
}

/** @throws SqlError if there is no such function */
export function describeFunction(name: string, shown: Shown): string {
  const { functions } = shown
  const form = specialForms(shown).find((f) => f.name === name.toUpperCase())
  if (form !== undefined) {
    return [
      `Name: ${form.name}`,
      `Type: ${form.kind}`,
      `Overview: ${form.summary}`,
      '',
      'Signatures:',
      ...form.signatures.map((signature) => `  ${signature}`),
      '',
      'Examples:',
      ...form.examples.map((example) => `  ${example}`),
    ].join('\n')
  }
  const declaration = functions.declarations.get(name.toUpperCase())
  if (declaration === undefined) {
    throw new SqlError('SQL_UNKNOWN_FUNCTION', {
      message: `There is no function ${name}.`,
      hint: 'SHOW FUNCTIONS lists them.',
      stage: 'execute',
    })
  }
  const examples =
    declaration.kind === 'aggregate'
      ? (declaration.examples ?? []).map(({ rows, parameters }) => {
          const given = rows.map((row) => `(${row})`).join(', ')
          return `  of the rows ${given}${parameters === undefined ? '' : ` with ${parameters}`}`
        })
      : declaration.examples.map(([sql]) => `  ${sql}`)
  return [
    `Name: ${declaration.name}`,
    `Type: ${declaration.kind}`,
    `Overview: ${declaration.summary}`,
    '',
    'Signatures:',
    ...declaration.overloads.map((overload) => `  ${printSignature(declaration.name, overload)}`),
    ...(examples.length === 0 ? [] : ['', 'Examples:', ...examples]),
  ].join('\n')
}

/** @throws SqlError if there is no such query */
export function explainQuery(id: string, shown: Shown): string {
  const status = shown.queries().find((q) => q.id.toUpperCase() === id.toUpperCase())
  const query = status === undefined ? undefined : shown.catalog.query(status.id)
  if (status === undefined || query === undefined) {
    throw new SqlError('SQL_UNKNOWN_QUERY', {
      message: `There is no query ${id}.`,
      hint: queryHint(id, shown.catalog.queryIds()),
      stage: 'execute',
    })
  }
  const { counters } = status
  const dropped = droppedText(status)
  return [
    `ID: ${status.id}`,
    `Status: ${status.state}`,
    ...(status.error === null ? [] : [`Error: ${status.error}`]),
    `SQL: ${oneLine(status.statement)}`,
    `Reads: ${status.reads.join(', ')}`,
    ...(status.writes === null ? [] : [`Writes: ${status.writes} (topic: ${status.topic})`]),
    `Records in: ${counters.recordsIn}, out: ${counters.recordsOut}, lag: ${counters.lag}`,
    ...(dropped === '' ? [] : [`Dropped: ${dropped}`]),
    ...(counters.expressionErrors === 0 ? [] : [`Expression errors: ${counters.expressionErrors}`]),
    ...Object.entries(counters.expressionErrorReasons).map(([reason, count]) => `  ${count}: ${reason}`),
    '',
    printPlan(query.plan),
  ].join('\n')
}

function countersOf(query: QueryStatus): Row {
  const { recordsIn, recordsOut, lag, expressionErrors } = query.counters
  return [recordsIn, recordsOut, lag, droppedText(query), expressionErrors]
}

/** `3 late, 1 null-key`; empty when nothing was dropped. */
function droppedText({ counters }: QueryStatus): string {
  return Object.entries(counters.dropped)
    .map(([reason, n]) => `${n} ${reason}`)
    .join(', ')
}

function listing(
  columns: Readonly<Record<string, SqlType>>,
  rows: readonly Row[],
  notes: readonly string[] = [],
): Listing {
  return {
    schema: { columns: Object.entries(columns).map(([name, type]) => ({ name, type, role: 'value' })) },
    rows,
    notes,
  }
}

function printFormat(spec: FormatSpec): string {
  const properties = Object.entries(spec.properties).map(([name, value]) => `${name}=${value}`)
  return [spec.name, ...properties, ...(spec.wrapping === null ? [] : [spec.wrapping])].join(', ')
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
