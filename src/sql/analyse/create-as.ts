import { SqlError } from '../../base/errors.ts'
import type { Command } from '../../plan/command.ts'
import type { DataSource, FormatSpec } from '../../plan/data-source.ts'
import { inputsOf, type PlanNode, type QueryPlan, type SinkSpec } from '../../plan/plan-node.ts'
import { keyColumns, valueColumns, type Schema } from '../../plan/schema.ts'
import type { CreateAsStatement } from '../ast.ts'
import type { PrepareContext } from './context.ts'
import { checkExecutable, FORMAT_PROPERTIES, formatSpec, statedFormats } from './format-spec.ts'
import { idleProperties, idleTimeout } from './idle-timeout.ts'
import { planQuery, type PlannedQuery } from './plan-query.ts'
import { Properties } from './properties.ts'
import { checkAgainstSchemaId, withKeySchemaName } from './registered-schema.ts'
import { checkNewName, checkReplacement } from './replace.ts'
import { timestampColumn } from './timestamp-column.ts'
import { newTopic, refuseOwnTopic, TOPIC_PROPERTIES } from './topic.ts'

const PROPERTIES = [...FORMAT_PROPERTIES, ...TOPIC_PROPERTIES, 'TIMESTAMP', 'TIMESTAMP_FORMAT']

/** CREATE STREAM | TABLE … AS SELECT: a query, and the stream or table of its results. */
export function prepareCreateAs(statement: CreateAsStatement, context: PrepareContext): Command {
  const existing = checkNewName(statement, context)
  if (existing !== null) return existing
  const name = statement.name.name
  const word = statement.what.toUpperCase()
  if (context.catalog.source(name)?.readOnly === true) {
    throw new SqlError('SQL_REPLACE_SOURCE', {
      message: `${statement.name.text} is read-only and can't be replaced.`,
      at: statement.name.at,
    })
  }
  const properties = new Properties(
    statement.properties,
    [...PROPERTIES, ...idleProperties(context)],
    statement.at,
  )
  const planned = planQuery(
    statement.query,
    { kind: 'sink', name, what: `CREATE ${word} AS SELECT` },
    context,
  )
  if (planned.output !== statement.what) {
    throw new SqlError('SQL_RESULT_KIND', {
      message: `The query's result is a ${planned.output}, not a ${statement.what}.`,
      at: statement.at,
      hint: `Write CREATE ${planned.output.toUpperCase()} ${statement.name.text} AS SELECT ….`,
    })
  }
  const { schema } = planned.root
  const formats = sinkFormats(planned, schema, properties, context)
  const prefix = context.settings.get('ksql.output.topic.name.prefix') ?? ''
  const topic = properties.text('KAFKA_TOPIC') ?? `${prefix}${name}`
  refuseOwnTopic(topic, properties.place('KAFKA_TOPIC'), context)
  const timestamp = timestampColumn(properties, schema)
  const windowedKey = planned.root.windowed
  const partitions = context.catalog.partitions(planned.leftMost.topic) ?? planned.partitions ?? null
  const createTopic = newTopic(
    topic,
    statement.what,
    windowedKey === null ? null : windowRetentionMs(planned.root),
    properties,
    partitions,
    context,
  )
  checkExecutable([formats.key, formats.value], properties, context)
  checkAgainstSchemaId('key', keyColumns(schema), topic, formats.key, properties, context)
  checkAgainstSchemaId('value', valueColumns(schema), topic, formats.value, properties, context)
  const old = statement.orReplace ? context.catalog.source(name) : undefined
  const queryId =
    old?.createdBy ??
    `${statement.what === 'stream' ? 'CSAS' : 'CTAS'}_${name}_${context.catalog.nextQueryNumber()}`
  const source: DataSource = {
    name,
    kind: statement.what,
    topic,
    schema,
    keyFormat: withKeySchemaName(formats.key, name),
    valueFormat: formats.value,
    windowedKey,
    timestamp,
    headers: [],
    ...idleTimeout(properties, statement.what),
    readOnly: false,
    statement: statement.text,
    createdBy: queryId,
  }
  const plan: QueryPlan = { version: 1, root: planned.root, sink: sinkOf(source), limit: null }
  if (statement.orReplace) checkReplacement(source, plan, statement.name, context)
  return { kind: 'create-query', queryId, source, plan, createTopic, orReplace: statement.orReplace }
}

/** How long the windows of an aggregation are kept, 0 where the windows come from a source. */
function windowRetentionMs(node: PlanNode): number {
  if (node.kind === 'aggregate') return node.window?.retentionMs ?? 0
  return Math.max(0, ...inputsOf(node).map(windowRetentionMs))
}

/** Where a query writes to fill a stream or table. */
export function sinkOf(source: DataSource): SinkSpec {
  return {
    topic: source.topic,
    kind: source.kind,
    schema: source.schema,
    keyFormat: source.keyFormat,
    valueFormat: source.valueFormat,
    windowedKey: source.windowedKey,
    timestamp: source.timestamp,
  }
}

/** Formats of a derived source: as stated, else those of the left-most source. */
function sinkFormats(
  planned: PlannedQuery,
  schema: Schema,
  properties: Properties,
  context: PrepareContext,
): { readonly key: FormatSpec; readonly value: FormatSpec } {
  const stated = statedFormats(properties)
  const { leftMost } = planned
  const keys = keyColumns(schema)
  const inheritedKey = leftMost.keyFormat.name
  const defaultKey = context.settings.get('ksql.persistence.default.format.key') ?? 'KAFKA'
  const keyName =
    stated.key ??
    (planned.keyRemoved && keys.length === 0
      ? 'NONE'
      : inheritedKey === 'NONE' && keys.length > 0
        ? defaultKey
        : inheritedKey)
  const valueName = stated.value ?? leftMost.valueFormat.name
  return {
    key: formatSpec('key', keyName, keys, properties, context, leftMost.keyFormat),
    value: formatSpec('value', valueName, valueColumns(schema), properties, context, leftMost.valueFormat),
  }
}
