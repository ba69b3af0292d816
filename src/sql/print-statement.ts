import { unreachable } from '../base/assert.ts'
import type {
  AlertText,
  ColumnDefinition,
  CreateAlertStatement,
  Expression,
  Identifier,
  Property,
  ShowWhat,
  Statement,
} from './ast.ts'
import { printExpression, printName, printText, printTypeNode, printValue } from './print-expression.ts'
import { printDuration, printQuery } from './print-query.ts'
import { isReservedWord } from './tokens.ts'

/** A statement as SQL text on one line, `;` included, in the canonical form of {@link printExpression}. */
export function printStatement(statement: Statement): string {
  return `${printBody(statement)};`
}

function printBody(s: Statement): string {
  switch (s.kind) {
    case 'query-statement':
      return printQuery(s.query)
    case 'create-source':
      return words(
        'CREATE',
        s.orReplace && 'OR REPLACE',
        s.source && 'SOURCE',
        s.what.toUpperCase(),
        s.ifNotExists && 'IF NOT EXISTS',
        printName(s.name),
        columnList(s.columns),
        withClause(s.properties),
      )
    case 'create-as':
      return words(
        'CREATE',
        s.orReplace && 'OR REPLACE',
        s.what.toUpperCase(),
        s.ifNotExists && 'IF NOT EXISTS',
        printName(s.name),
        withClause(s.properties),
        'AS',
        printQuery(s.query),
      )
    case 'create-alert':
      return printAlert(s)
    case 'create-type':
      return words(
        'CREATE TYPE',
        s.ifNotExists && 'IF NOT EXISTS',
        printName(s.name),
        'AS',
        printTypeNode(s.type),
      )
    case 'create-connector':
      return words(
        'CREATE',
        s.what.toUpperCase(),
        'CONNECTOR',
        s.ifNotExists && 'IF NOT EXISTS',
        printName(s.name),
        withClause(s.properties),
      )
    case 'insert-select':
      return words('INSERT INTO', printName(s.target), withClause(s.properties), printQuery(s.query))
    case 'insert-values':
      return words(
        'INSERT INTO',
        printName(s.target),
        names(s.columns),
        'VALUES',
        s.rows.map((row) => values(row.values)).join(', '),
      )
    case 'drop-source':
      return words(
        'DROP',
        s.what.toUpperCase(),
        s.ifExists && 'IF EXISTS',
        printName(s.name),
        s.deleteTopic && 'DELETE TOPIC',
      )
    case 'drop':
      return words('DROP', s.what.toUpperCase(), s.ifExists && 'IF EXISTS', printName(s.name))
    case 'alter-source':
      return words(
        'ALTER',
        s.what.toUpperCase(),
        printName(s.name),
        s.columns.map((c) => `ADD COLUMN ${printColumn(c)}`).join(', '),
      )
    case 'terminate':
    case 'pause':
    case 'resume':
      return words(s.kind.toUpperCase(), s.id === null ? 'ALL' : printName(s.id))
    case 'explain':
      return words('EXPLAIN', s.target.kind === 'identifier' ? printName(s.target) : printBody(s.target))
    case 'show':
      return words('SHOW', s.all && 'ALL', SHOW_WORDS[s.what], s.extended && 'EXTENDED')
    case 'describe':
      return words('DESCRIBE', printName(s.name), s.extended && 'EXTENDED')
    case 'describe-all':
      return words('DESCRIBE', s.what.toUpperCase(), s.extended && 'EXTENDED')
    case 'describe-function':
      return words('DESCRIBE FUNCTION', printName(s.name))
    case 'describe-connector':
      return words('DESCRIBE CONNECTOR', printName(s.name))
    case 'print':
      return words(
        'PRINT',
        printText(s.topic.text),
        s.fromBeginning && 'FROM BEGINNING',
        s.interval !== null && `INTERVAL ${s.interval}`,
        s.limit !== null && `LIMIT ${s.limit}`,
      )
    case 'set':
      return `SET ${printText(s.property.value)} = ${printText(s.value.value)}`
    case 'unset':
      return `UNSET ${printText(s.property.value)}`
    case 'alter-system':
      return `ALTER SYSTEM ${printText(s.property.value)} = ${printText(s.value.value)}`
    case 'define':
      return `DEFINE ${printName(s.name)} = ${printText(s.value.value)}`
    case 'undefine':
      return `UNDEFINE ${printName(s.name)}`
    case 'assert-topic':
      return words(
        'ASSERT',
        !s.exists && 'NOT EXISTS',
        'TOPIC',
        printText(s.topic.text),
        withClause(s.properties),
        s.timeout !== null && `TIMEOUT ${printDuration(s.timeout)}`,
      )
    case 'assert-schema':
      return words(
        'ASSERT',
        !s.exists && 'NOT EXISTS',
        'SCHEMA',
        s.subject !== null && `SUBJECT ${printText(s.subject.text)}`,
        s.id !== null && `ID ${printExpression(s.id)}`,
        s.timeout !== null && `TIMEOUT ${printDuration(s.timeout)}`,
      )
    case 'assert-values':
      return words('ASSERT VALUES', printName(s.source), names(s.columns), 'VALUES', values(s.values))
    case 'assert-tombstone':
      return words('ASSERT NULL VALUES', printName(s.source), names(s.columns), 'KEY', values(s.keys))
    case 'assert-source':
      return words(
        'ASSERT',
        s.what.toUpperCase(),
        printName(s.name),
        columnList(s.columns),
        withClause(s.properties),
      )
    case 'run-script':
      return `RUN SCRIPT ${printText(s.file.value)}`
    default:
      return unreachable(s)
  }
}

function printAlert(s: CreateAlertStatement): string {
  return words(
    'CREATE',
    s.orReplace && 'OR REPLACE',
    'ALERT',
    s.ifNotExists && 'IF NOT EXISTS',
    printName(s.name),
    'AS',
    printQuery(s.query),
    s.for !== null && `FOR ${printDuration(s.for)}`,
    s.keepFiringFor !== null && `KEEP FIRING FOR ${printDuration(s.keepFiringFor)}`,
    s.resolveWhen !== null && `RESOLVE WHEN ${printExpression(s.resolveWhen)}`,
    s.noData !== null && `NO DATA AFTER ${printDuration(s.noData.after)} THEN ${s.noData.then}`,
    s.severity !== null && `SEVERITY ${printText(s.severity.value)}`,
    s.labels.length > 0 && `LABELS (${alertTexts(s.labels)})`,
    s.annotations.length > 0 && `ANNOTATIONS (${alertTexts(s.annotations)})`,
    s.notify.length > 0 && `NOTIFY ${s.notify.map(printName).join(', ')}`,
    s.repeatEvery !== null && `REPEAT EVERY ${printDuration(s.repeatEvery)}`,
  )
}

const SHOW_WORDS: Readonly<Record<ShowWhat, string>> = {
  topics: 'TOPICS',
  streams: 'STREAMS',
  tables: 'TABLES',
  queries: 'QUERIES',
  functions: 'FUNCTIONS',
  types: 'TYPES',
  properties: 'PROPERTIES',
  variables: 'VARIABLES',
  alerts: 'ALERTS',
  connectors: 'CONNECTORS',
  'source-connectors': 'SOURCE CONNECTORS',
  'sink-connectors': 'SINK CONNECTORS',
  'connector-plugins': 'CONNECTOR PLUGINS',
}

/** The words that are there, one blank between. */
function words(...parts: readonly (string | false)[]): string {
  return parts.filter((part) => part !== false && part !== '').join(' ')
}

function columnList(columns: readonly ColumnDefinition[]): string {
  return columns.length === 0 ? '' : `(${columns.map(printColumn).join(', ')})`
}

function printColumn(column: ColumnDefinition): string {
  return words(printName(column.name), printTypeNode(column.type), printConstraint(column.constraint))
}

function printConstraint(constraint: ColumnDefinition['constraint']): string {
  switch (constraint?.kind) {
    case undefined:
      return ''
    case 'key':
      return 'KEY'
    case 'primary-key':
      return 'PRIMARY KEY'
    case 'headers':
      return 'HEADERS'
    case 'header':
      return `HEADER(${printText(constraint.header.value)})`
    default:
      return unreachable(constraint)
  }
}

function withClause(properties: readonly Property[]): string {
  if (properties.length === 0) return ''
  return `WITH (${properties.map((p) => `${cased(p.text)} = ${printExpression(p.value)}`).join(', ')})`
}

/** A name that keeps its case: as it stands if that reads as a name, else as a text. */
function cased(text: string): string {
  const isPlain = /^[A-Za-z_][A-Za-z0-9_@]*$/.test(text) && !isReservedWord(text.toUpperCase())
  return isPlain ? text : printText(text)
}

function alertTexts(texts: readonly AlertText[]): string {
  return texts.map(({ name, value }) => `${labelName(name)} = ${printText(value.value)}`).join(', ')
}

function labelName(name: Identifier): string {
  return name.quoted ? `\`${name.text.replaceAll('`', '``')}\`` : name.text
}

function names(columns: readonly Identifier[] | null): string {
  return columns === null ? '' : `(${columns.map(printName).join(', ')})`
}

function values(expressions: readonly Expression[]): string {
  return `(${expressions.map(printValue).join(', ')})`
}
