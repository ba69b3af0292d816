import { NotSupportedError, SqlError, type Position } from '../../base/errors.ts'
import { ALERT_EVENT_COLUMNS } from '../../plan/alert-events.ts'
import type { Command } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import type { AlertNode } from '../../plan/plan-node.ts'
import { findColumn, keyColumns, valueColumns, type Column, type Schema } from '../../plan/schema.ts'
import { BOOLEAN } from '../../plan/sql-type.ts'
import type { CreateAlertStatement } from '../ast.ts'
import type { PrepareContext } from './context.ts'
import { sinkOf } from './create-as.ts'
import { formatSpec } from './format-spec.ts'
import { didYouMean } from './nearest-name.ts'
import { planQuery } from './plan-query.ts'
import { Properties } from './properties.ts'
import { referenceText, type Scope } from './scope.ts'
import { typeCondition } from './type-expression.ts'

/** What the ids of alerts' queries start with. */
const ALERT_PREFIX = 'ALERT_'

/** Whether a source is the stream of an alert's events. */
export function isAlertStream(source: DataSource): boolean {
  return source.readOnly && source.createdBy?.startsWith(ALERT_PREFIX) === true
}

/** CREATE ALERT: a query that follows one alert per key, and the stream of its events. */
export function prepareCreateAlert(statement: CreateAlertStatement, context: PrepareContext): Command {
  const name = statement.name.name
  const existing = context.catalog.source(name)
  if (existing !== undefined && !statement.orReplace) {
    if (statement.ifNotExists)
      return { kind: 'nothing', message: `There is already a ${existing.kind} or alert ${name}.` }
    throw new SqlError('SQL_SOURCE_EXISTS', {
      message: `There is already a ${existing.kind} or alert named ${statement.name.text}.`,
      at: statement.name.at,
      hint: 'An alert has a stream of its name: choose another name, or use CREATE OR REPLACE ALERT.',
    })
  }
  if (existing !== undefined && !isAlertStream(existing)) {
    throw new SqlError('SQL_REPLACE_KIND', {
      message: `${statement.name.text} is a ${existing.kind} and can't be replaced by an alert.`,
      at: statement.name.at,
    })
  }
  const planned = planQuery(statement.query, { kind: 'alert', name }, context)
  const { root } = planned
  const schema = eventSchema(root.schema, planned.shown, statement)
  const properties = new Properties([], [], statement.at)
  const queryId = existing?.createdBy ?? `${ALERT_PREFIX}${name}_${context.catalog.nextQueryNumber()}`
  const events: DataSource = {
    name,
    kind: 'stream',
    topic: name,
    schema,
    keyFormat: formatSpec('key', 'JSON', keyColumns(schema), properties, context, null),
    valueFormat: formatSpec('value', 'JSON', valueColumns(schema), properties, context, null),
    windowedKey: null,
    timestamp: null,
    headers: [],
    readOnly: true,
    statement: statement.text,
    createdBy: queryId,
  }
  const scope = resultScope(root.schema, planned.shown)
  const node: AlertNode = {
    kind: 'alert',
    input: root,
    name,
    condition: planned.condition ?? { kind: 'literal', value: true, type: BOOLEAN },
    forMs: statement.for?.ms ?? 0,
    keepFiringForMs: statement.keepFiringFor?.ms ?? 0,
    resolveWhen:
      statement.resolveWhen === null
        ? null
        : typeCondition(statement.resolveWhen, {
            scope,
            functions: context.functions,
            types: context.catalog,
            clause: 'RESOLVE WHEN',
          }),
    noData:
      statement.noData === null ? null : { afterMs: statement.noData.after.ms, then: statement.noData.then },
    severity: statement.severity?.value ?? null,
    schema,
    output: 'stream',
    windowed: null,
  }
  refuseUnbuilt(statement)
  return {
    kind: 'create-alert',
    name,
    queryId,
    plan: { version: 1, root: node, sink: sinkOf(events), limit: null },
    events,
    orReplace: statement.orReplace,
    statement: statement.text,
  }
}

function refuseUnbuilt(statement: CreateAlertStatement): void {
  const { labels, annotations, notify, repeatEvery } = statement.clauses
  const refuse = (clause: string, at: Position, hint: string): never => {
    throw new NotSupportedError(`${clause} in CREATE ALERT`, at, hint)
  }
  if (labels !== null)
    refuse('LABELS', labels.at, 'Leave it out: what the query selects is in every event, and may be a text.')
  if (annotations !== null)
    refuse('ANNOTATIONS', annotations.at, 'Leave it out: select the text as a column of the query.')
  if (notify !== null)
    refuse(
      'NOTIFY',
      notify.at,
      `Leave it out: read the events with SELECT * FROM ${statement.name.text} EMIT CHANGES.`,
    )
  if (repeatEvery !== null) refuse('REPEAT EVERY', repeatEvery.at, 'Leave it out.')
}

/** Key columns, what every event has, then the selected values. */
function eventSchema(result: Schema, shown: readonly string[], statement: CreateAlertStatement): Schema {
  const clash = ALERT_EVENT_COLUMNS.find((c) => findColumn(result, c.name) !== undefined)
  if (clash !== undefined) {
    throw new SqlError('SQL_DUPLICATE_COLUMN', {
      message: `Every event of an alert has a column ${clash.name}, so the query can't have one too.`,
      at: statement.query.at,
      hint: 'Give it another alias.',
    })
  }
  const values = valueColumns(result).filter((c) => shown.includes(c.name))
  return { columns: [...keyColumns(result), ...ALERT_EVENT_COLUMNS, ...values] }
}

/** The SELECT list's columns by their names. */
function resultScope(result: Schema, shown: readonly string[]): Scope {
  const find = (name: string): Column | undefined =>
    shown.includes(name) ? findColumn(result, name) : undefined
  return {
    has: (name) => find(name) !== undefined,
    resolve(reference) {
      const column = reference.source === null ? find(reference.name.name) : undefined
      if (column !== undefined) return column
      throw new SqlError('SQL_UNKNOWN_COLUMN', {
        message: `RESOLVE WHEN refers to the SELECT list, which has no column ${referenceText(reference)}.`,
        at: reference.at,
        hint: didYouMean(reference.name.name, shown),
      })
    },
  }
}
