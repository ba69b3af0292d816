import { SqlError } from '../../base/errors.ts'
import type { Command } from '../../plan/command.ts'
import type { DataSource, HeaderColumn, TimestampColumn, WindowedKey } from '../../plan/data-source.ts'
import type { SourceNode } from '../../plan/plan-node.ts'
import { PSEUDO_COLUMNS, type Column, type Schema } from '../../plan/schema.ts'
import { arrayOf, BYTES, printType, sameType, STRING, structOf, type SqlType } from '../../plan/sql-type.ts'
import type { ColumnDefinition, CreateSourceStatement } from '../ast.ts'
import { isOn, type PrepareContext } from './context.ts'
import { checkExecutable, findFormat, FORMAT_PROPERTIES, formatSpec, statedFormats } from './format-spec.ts'
import { idleProperties, idleTimeout } from './idle-timeout.ts'
import { Properties, propertyMs } from './properties.ts'
import { inferredColumns, withKeySchemaName } from './registered-schema.ts'
import { checkReplacement, checkNewName } from './replace.ts'
import { resolveType } from './resolve-type.ts'
import { timestampColumn } from './timestamp-column.ts'
import { newTopic, TOPIC_PROPERTIES } from './topic.ts'

const PROPERTIES = [
  ...FORMAT_PROPERTIES,
  ...TOPIC_PROPERTIES,
  'TIMESTAMP',
  'TIMESTAMP_FORMAT',
  'WINDOW_TYPE',
  'WINDOW_SIZE',
  'SOURCE_CONNECTOR',
  'SOURCED_BY_CONNECTOR',
]

/** CREATE [SOURCE] STREAM | TABLE with columns: a description of a topic. */
export function prepareCreateSource(statement: CreateSourceStatement, context: PrepareContext): Command {
  const existing = checkNewName(statement, context)
  if (existing !== null) return existing
  if (
    statement.orReplace &&
    (statement.source || context.catalog.source(statement.name.name)?.readOnly === true)
  ) {
    throw new SqlError('SQL_REPLACE_SOURCE', {
      message: `CREATE OR REPLACE is not possible for the read-only ${statement.what} ${statement.name.text}.`,
      at: statement.name.at,
      hint: 'DROP it first.',
    })
  }
  const properties = new Properties(
    statement.properties,
    [...PROPERTIES, ...idleProperties(context)],
    statement.at,
  )
  const stated = statedFormats(properties)
  const keyFormat = stated.key ?? context.settings.get('ksql.persistence.default.format.key') ?? 'KAFKA'
  const valueFormat = stated.value ?? context.settings.get('ksql.persistence.default.format.value')
  if (valueFormat === undefined) {
    throw new SqlError('SQL_MISSING_FORMAT', {
      message: `${statement.name.text} has no VALUE_FORMAT.`,
      at: properties.at,
      hint: "Add VALUE_FORMAT (or FORMAT) to WITH, or set 'ksql.persistence.default.format.value'.",
    })
  }
  const keyRules = findFormat(keyFormat, properties, context).rules
  const valueRules = findFormat(valueFormat, properties, context).rules
  checkSchemaIds(
    statement,
    properties,
    keyFormat,
    keyRules.infersColumns,
    valueFormat,
    valueRules.infersColumns,
  )
  const { schema: declared, headers } = declaredColumns(statement, context)
  const isHeader = (c: Column): boolean => headers.some((h) => h.column === c.name)
  const topic = properties.text('KAFKA_TOPIC')
  if (topic === undefined || topic.trim() === '') {
    throw new SqlError('SQL_MISSING_TOPIC', {
      message: `${statement.name.text} has no KAFKA_TOPIC.`,
      at: properties.at,
      hint: "Add WITH (KAFKA_TOPIC = '…').",
    })
  }
  const windowedKey = declaredWindow(properties)
  const schema = withInferred(declared, isHeader, statement, (side) =>
    inferredColumns(side, side === 'key' ? keyFormat : valueFormat, topic, properties, context),
  )
  const keys = schema.columns.filter((c) => c.role === 'key')
  const values = schema.columns.filter((c) => c.role === 'value' && !isHeader(c))
  const keySpec = withKeySchemaName(
    formatSpec('key', keyFormat, keys, properties, context, null),
    statement.name.name,
  )
  const valueSpec = formatSpec('value', valueFormat, values, properties, context, null)
  if (schema.columns.length === 0) {
    throw new SqlError('SQL_NO_COLUMNS', {
      message: `${statement.name.text} has no columns, and ${valueSpec.name} has no schema to take them from.`,
      at: statement.name.at,
    })
  }
  if (statement.what === 'table' && keys.length === 0) {
    throw new SqlError('SQL_MISSING_KEY', {
      message: `The table ${statement.name.text} has no PRIMARY KEY column.`,
      at: statement.name.at,
      hint: 'Mark the column that identifies a row: id STRING PRIMARY KEY.',
    })
  }
  const timestamp: TimestampColumn | null = timestampColumn(properties, schema)
  checkExecutable([keySpec, valueSpec], properties, context)

  const source: DataSource = {
    name: statement.name.name,
    kind: statement.what,
    topic,
    schema,
    keyFormat: keySpec,
    valueFormat: valueSpec,
    windowedKey,
    timestamp,
    headers,
    ...idleTimeout(properties, statement.what),
    readOnly: statement.source,
    statement: statement.text,
    createdBy: null,
  }
  if (statement.orReplace) checkReplacement(source, null, statement.name, context)
  return {
    kind: 'create-source',
    source,
    createTopic: newTopic(topic, statement.what, windowedKey === null ? null : 0, properties, null, context),
    orReplace: statement.orReplace,
    materialise:
      statement.source &&
      statement.what === 'table' &&
      isOn(context.settings, 'ksql.source.table.materialization.enabled', true)
        ? materialised(source, context)
        : null,
  }
}

/** The declared columns with, for each side that declares none, those of its registered schema. */
function withInferred(
  declared: Schema,
  isHeader: (column: Column) => boolean,
  statement: CreateSourceStatement,
  infer: (side: 'key' | 'value') => readonly Column[],
): Schema {
  const keys = declared.columns.filter((c) => c.role === 'key')
  const values = declared.columns.filter((c) => c.role === 'value')
  const columns = [
    ...(keys.length > 0 ? keys : infer('key')),
    ...(values.some((c) => !isHeader(c)) ? [] : infer('value')),
    ...values,
  ]
  const reserved = columns.find((c) => PSEUDO_COLUMNS.some((p) => p === c.name))
  if (reserved !== undefined) {
    throw new SqlError('SQL_RESERVED_COLUMN', {
      message: `The registered schema has a field ${reserved.name}, which is the name of a system column.`,
      at: statement.name.at,
      hint: 'Declare the columns; the field can be left out.',
    })
  }
  const twice = columns.find((c, i) => columns.findIndex((other) => other.name === c.name) !== i)
  if (twice !== undefined) {
    throw new SqlError('SQL_DUPLICATE_COLUMN', {
      message: `There are two columns ${twice.name} among the declared ones and those of the registered schemas.`,
      at: statement.name.at,
    })
  }
  return { columns }
}

/** A source table is read into a store by a query of its own, so that it can be asked. */
function materialised(
  source: DataSource,
  context: PrepareContext,
): { queryId: string; plan: { version: 1; root: SourceNode; sink: null; limit: null } } {
  const root: SourceNode = {
    kind: 'source',
    source,
    schema: source.schema,
    output: 'table',
    windowed: source.windowedKey,
  }
  return {
    queryId: `CST_${source.name}_${context.catalog.nextQueryNumber()}`,
    plan: { version: 1, root, sink: null, limit: null },
  }
}

function declaredColumns(
  statement: CreateSourceStatement,
  context: PrepareContext,
): { readonly schema: Schema; readonly headers: readonly HeaderColumn[] } {
  const columns: Column[] = []
  const headers: HeaderColumn[] = []
  for (const definition of statement.columns) {
    const column = declareColumn(definition, statement.what, context)
    if (columns.some((c) => c.name === column.name)) {
      throw new SqlError('SQL_DUPLICATE_COLUMN', {
        message: `The column ${definition.name.text} is declared twice.`,
        at: definition.name.at,
      })
    }
    columns.push(column)
    const header = declareHeader(definition, column.type, headers)
    if (header !== null && !isOn(context.settings, 'ksql.headers.columns.enabled', true)) {
      throw new SqlError('SQL_HEADERS_DISABLED', {
        message: "Header columns are switched off by 'ksql.headers.columns.enabled'.",
        at: definition.at,
      })
    }
    if (header !== null) headers.push(header)
  }
  return {
    schema: {
      columns: [...columns.filter((c) => c.role === 'key'), ...columns.filter((c) => c.role === 'value')],
    },
    headers,
  }
}

/** A declared column with its role and type. */
export function declareColumn(
  definition: ColumnDefinition,
  what: 'stream' | 'table',
  context: PrepareContext,
): Column {
  checkColumnName(definition.name.name, definition)
  const constraint = definition.constraint
  if (constraint?.kind === 'key' && what === 'table') {
    throw new SqlError('SQL_KEY_WORD', {
      message: `${definition.name.text} is a KEY column, but a table's rows have a PRIMARY KEY.`,
      at: constraint.at,
      hint: 'Write PRIMARY KEY.',
    })
  }
  if (constraint?.kind === 'primary-key' && what === 'stream') {
    throw new SqlError('SQL_KEY_WORD', {
      message: `${definition.name.text} is a PRIMARY KEY column, but a stream's rows have only a KEY.`,
      at: constraint.at,
      hint: 'Write KEY.',
    })
  }
  const role = constraint?.kind === 'key' || constraint?.kind === 'primary-key' ? 'key' : 'value'
  return { name: definition.name.name, type: resolveType(definition.type, context.catalog), role }
}

function checkColumnName(name: string, definition: ColumnDefinition): void {
  if (!PSEUDO_COLUMNS.some((p) => p === name)) return
  throw new SqlError('SQL_RESERVED_COLUMN', {
    message: `${definition.name.text} is the name of a system column and can't be declared.`,
    at: definition.name.at,
    hint: 'Every stream and table has it: leave it out, or choose another name.',
  })
}

const ALL_HEADERS = arrayOf(
  structOf([
    { name: 'KEY', type: STRING },
    { name: 'VALUE', type: BYTES },
  ]),
)

function declareHeader(
  definition: ColumnDefinition,
  type: SqlType,
  others: readonly HeaderColumn[],
): HeaderColumn | null {
  const constraint = definition.constraint
  if (constraint === null || constraint.kind === 'key' || constraint.kind === 'primary-key') return null
  const header = constraint.kind === 'header' ? constraint.header.value : null
  const needed = header === null ? ALL_HEADERS : BYTES
  const word = header === null ? 'HEADERS' : `HEADER('${header}')`
  if (!sameType(type, needed)) {
    throw new SqlError('SQL_HEADER_TYPE', {
      message: `The ${word} column ${definition.name.text} must be ${printType(needed)}, not ${printType(type)}.`,
      at: definition.type.at,
    })
  }
  const clash = others.find((h) => h.header === null || header === null || h.header === header)
  if (clash !== undefined) {
    throw new SqlError('SQL_HEADER_TWICE', {
      message:
        clash.header === header && header !== null
          ? `Two columns take the header '${header}'.`
          : `A HEADERS column can't stand beside another header column, but there are ${clash.column} and ${definition.name.text}.`,
      at: constraint.at,
    })
  }
  return { column: definition.name.name, header }
}

function declaredWindow(properties: Properties): WindowedKey | null {
  const type = properties.text('WINDOW_TYPE')?.trim().toUpperCase()
  const size = properties.text('WINDOW_SIZE')
  if (type === undefined) {
    if (size === undefined) return null
    throw new SqlError('SQL_WINDOW_SIZE', {
      message: 'WINDOW_SIZE without WINDOW_TYPE has no meaning.',
      at: properties.place('WINDOW_SIZE'),
    })
  }
  if (type !== 'SESSION' && type !== 'HOPPING' && type !== 'TUMBLING') {
    throw properties.invalid('WINDOW_TYPE', "'TUMBLING', 'HOPPING' or 'SESSION'")
  }
  if (type === 'SESSION') {
    if (size === undefined) return { type, sizeMs: null }
    throw new SqlError('SQL_WINDOW_SIZE', {
      message: 'A SESSION window has no WINDOW_SIZE: its bounds follow the data.',
      at: properties.place('WINDOW_SIZE'),
    })
  }
  if (size === undefined) {
    throw new SqlError('SQL_WINDOW_SIZE', {
      message: `A ${type} window needs a WINDOW_SIZE.`,
      at: properties.place('WINDOW_TYPE'),
      hint: "Write it like WINDOW_SIZE = '30 SECONDS'.",
    })
  }
  return { type, sizeMs: propertyMs('WINDOW_SIZE', properties) }
}

function checkSchemaIds(
  statement: CreateSourceStatement,
  properties: Properties,
  keyFormat: string,
  keyInfers: boolean,
  valueFormat: string,
  valueInfers: boolean,
): void {
  const sides = [
    { name: 'KEY_SCHEMA_ID', format: keyFormat, infers: keyInfers, isKey: true },
    { name: 'VALUE_SCHEMA_ID', format: valueFormat, infers: valueInfers, isKey: false },
  ]
  for (const { name, format, infers, isKey } of sides) {
    if (!properties.has(name)) continue
    if (!infers) {
      throw new SqlError('SQL_SCHEMA_ID', {
        message: `${name} needs a format whose schemas are registered, not ${format.toUpperCase()}.`,
        at: properties.place(name),
      })
    }
    const declared = statement.columns.some(
      (c) => (c.constraint?.kind === 'key' || c.constraint?.kind === 'primary-key') === isKey,
    )
    if (declared) {
      throw new SqlError('SQL_SCHEMA_ID', {
        message: `${name} takes the ${isKey ? 'key' : 'value'} columns from a schema, so they can't be declared too.`,
        at: properties.place(name),
      })
    }
  }
}
