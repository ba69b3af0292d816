import { SqlError, type Position } from '../../base/errors.ts'
import type { Command } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import { keyColumns, printSchema, valueColumns } from '../../plan/schema.ts'
import type {
  AssertSchemaStatement,
  AssertSourceStatement,
  AssertTombstoneStatement,
  AssertTopicStatement,
  AssertValuesStatement,
  Expression,
  Identifier,
} from '../ast.ts'
import type { PrepareContext } from './context.ts'
import { prepareCreateSource } from './create-source.ts'
import { typeInsertedRow } from './insert-values.ts'
import { Properties } from './properties.ts'
import { findSource } from './query-sources.ts'

/** How long ASSERT waits for what it asserts where TIMEOUT doesn't say. */
const TIMEOUT_MS = 1000

/** ASSERT [NOT EXISTS] TOPIC. */
export function prepareAssertTopic(statement: AssertTopicStatement): Command {
  const properties = new Properties(statement.properties, ['PARTITIONS', 'REPLICAS'], statement.at)
  if (!statement.exists && statement.properties.length > 0) {
    throw new SqlError('SQL_INVALID_PROPERTY', {
      message: 'A topic that is not there has no properties.',
      at: properties.at,
      hint: 'Leave WITH out.',
    })
  }
  return {
    kind: 'assert-topic',
    exists: statement.exists,
    topic: statement.topic.text,
    partitions: properties.whole('PARTITIONS') ?? null,
    replicas: properties.whole('REPLICAS') ?? null,
    timeoutMs: statement.timeout?.ms ?? TIMEOUT_MS,
  }
}

/** ASSERT [NOT EXISTS] SCHEMA. */
export function prepareAssertSchema(statement: AssertSchemaStatement): Command {
  const { subject, id } = statement
  if (subject === null && id === null) {
    throw new SqlError('SQL_ASSERT_SCHEMA', {
      message: 'ASSERT SCHEMA does not say which.',
      at: statement.at,
      hint: "Write ASSERT SCHEMA SUBJECT 'topic-value', or ASSERT SCHEMA ID 1.",
    })
  }
  if (id !== null && id.kind !== 'integer') {
    throw new SqlError('SQL_ASSERT_SCHEMA', { message: 'The ID of a schema is a whole number.', at: id.at })
  }
  return {
    kind: 'assert-schema',
    exists: statement.exists,
    subject: subject?.text ?? null,
    id: id === null ? null : Number(id.text),
    timeoutMs: statement.timeout?.ms ?? TIMEOUT_MS,
  }
}

/** ASSERT STREAM | TABLE: what exists is just what the statement would declare. */
export function prepareAssertSource(statement: AssertSourceStatement, context: PrepareContext): Command {
  const { catalog } = context
  const { name, what } = statement
  const actual = findSource(name, context)
  const declared = prepareCreateSource(
    { ...statement, kind: 'create-source', orReplace: false, source: false, ifNotExists: false },
    // As if there were none of this name yet. Methods of the catalog need the catalog.
    {
      ...context,
      catalog: {
        source: (other) => (other === name.name ? undefined : catalog.source(other)),
        sourceNames: () => catalog.sourceNames(),
        type: (other) => catalog.type(other),
        typeNames: () => catalog.typeNames(),
        partitions: (topic) => catalog.partitions(topic),
        topicNames: () => catalog.topicNames(),
        isOwnTopic: (topic) => catalog.isOwnTopic(topic),
        queryIds: () => catalog.queryIds(),
        nextQueryNumber: () => catalog.nextQueryNumber(),
      },
    },
  )
  const expected = 'source' in declared ? declared.source : actual
  const difference = firstDifference(expected, actual)
  if (difference !== null) {
    throw new SqlError('SQL_ASSERTION_FAILED', {
      message: `${name.text} is not as asserted: ${difference}.`,
      at: name.at,
    })
  }
  return { kind: 'nothing', message: `The ${what} ${actual.name} is as asserted.` }
}

function firstDifference(expected: DataSource, actual: DataSource): string | null {
  const aspects: readonly (readonly [what: string, of: (source: DataSource) => string])[] = [
    ['kind', (s) => s.kind],
    ['topic', (s) => s.topic],
    ['key columns', (s) => printSchema({ columns: keyColumns(s.schema) }) || 'none'],
    ['value columns', (s) => printSchema({ columns: valueColumns(s.schema) }) || 'none'],
    ['key format', (s) => formatText(s.keyFormat)],
    ['value format', (s) => formatText(s.valueFormat)],
    ['TIMESTAMP column', (s) => s.timestamp?.column ?? 'none'],
    ['TIMESTAMP_FORMAT', (s) => s.timestamp?.pattern ?? 'none'],
    [
      'window',
      (s) => (s.windowedKey === null ? 'none' : `${s.windowedKey.type} ${s.windowedKey.sizeMs ?? ''}`.trim()),
    ],
    ['header columns', (s) => s.headers.map((h) => h.column).join(', ') || 'none'],
    ['IDLE_TIMEOUT', (s) => (s.idleMs === undefined ? 'none' : `${s.idleMs} ms`)],
  ]
  const differing = aspects.find(([, of]) => of(expected) !== of(actual))
  if (differing === undefined) return null
  const [what, of] = differing
  return `its ${what}: ${of(actual)}, not ${of(expected)}`
}

function formatText({ name, properties }: DataSource['keyFormat']): string {
  const given = Object.entries(properties).map(([key, value]) => `${key} = ${value}`)
  return [name, ...given].join(', ')
}

/** ASSERT VALUES: the next row that no ASSERT has taken yet. */
export function prepareAssertValues(statement: AssertValuesStatement, context: PrepareContext): Command {
  const { source, columns, values } = statement
  return rowCommand(source, columns, values, false, statement.at, context)
}

/** ASSERT NULL VALUES: the next row deletes this key. */
export function prepareAssertTombstone(
  statement: AssertTombstoneStatement,
  context: PrepareContext,
): Command {
  const { source, keys } = statement
  const { schema, kind, name } = findSource(source, context)
  const keyNames = keyColumns(schema).map((c) => c.name)
  const columns = statement.columns ?? keyNames.map((key) => ({ ...source, name: key, text: key }))
  const other = columns.find((c) => !keyNames.includes(c.name) && c.name !== 'ROWTIME')
  if (other !== undefined) {
    throw new SqlError('SQL_UNKNOWN_COLUMN', {
      message: `${other.text} is no key column of ${kind} ${name}: a row that deletes has only its key.`,
      at: other.at,
      hint: keyNames.length === 0 ? undefined : `Its key is ${keyNames.join(', ')}.`,
    })
  }
  return rowCommand(source, columns, keys, true, statement.at, context)
}

function rowCommand(
  name: Identifier,
  columns: readonly Identifier[] | null,
  values: readonly Expression[],
  isDeletion: boolean,
  at: Position,
  context: PrepareContext,
): Command {
  const source = findSource(name, context)
  return {
    kind: 'assert-row',
    source,
    row: typeInsertedRow(source, { target: name, columns, values, at }, context),
    isDeletion,
  }
}
