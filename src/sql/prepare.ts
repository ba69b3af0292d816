import { unreachable } from '../base/assert.ts'
import { SqlError, type Position } from '../base/errors.ts'
import type { Command, ShowKind } from '../plan/command.ts'
import { prepareCreateAlert } from './analyse/alert.ts'
import {
  prepareAssertSchema,
  prepareAssertSource,
  prepareAssertTombstone,
  prepareAssertTopic,
  prepareAssertValues,
} from './analyse/assert.ts'
import { prepareAlterSource } from './analyse/alter-source.ts'
import { SPECIAL_FORMS } from '../functions/special-forms.ts'
import { isOn, type PrepareContext } from './analyse/context.ts'
import { prepareCreateAs } from './analyse/create-as.ts'
import { prepareCreateSource } from './analyse/create-source.ts'
import { prepareDrop, prepareDropSource } from './analyse/drop.ts'
import { prepareInsertSelect } from './analyse/insert-select.ts'
import { prepareInsertValues } from './analyse/insert-values.ts'
import { didYouMean } from './analyse/nearest-name.ts'
import { preparePullQuery } from './analyse/pull-query.ts'
import { preparePushQuery } from './analyse/push-query.ts'
import { findSource } from './analyse/query-sources.ts'
import { resolveType } from './analyse/resolve-type.ts'
import type { CreateTypeStatement, Identifier, NameText, ShowStatement, Statement } from './ast.ts'
import { printText } from './print-expression.ts'
import { subjectPlace } from './subject-place.ts'

export type { PrepareContext } from './analyse/context.ts'

/**
 * Analyses a statement: what it means against the catalog as it is now, with everything resolved.
 *
 * @throws SqlError for what can't be run, with its place; NotSupportedError for what is valid but not built
 */
export function prepare(statement: Statement, context: PrepareContext): Command {
  switch (statement.kind) {
    case 'query-statement':
      return statement.query.emit === null
        ? preparePullQuery(statement, context)
        : preparePushQuery(statement, context)
    case 'create-source':
      return prepareCreateSource(statement, context)
    case 'create-as':
      return prepareCreateAs(statement, context)
    case 'create-alert':
      return prepareCreateAlert(statement, context)
    case 'create-type':
      return prepareCreateType(statement, context)
    case 'insert-select':
      return prepareInsertSelect(statement, context)
    case 'insert-values':
      return prepareInsertValues(statement, context)
    case 'drop-source':
      return prepareDropSource(statement, context)
    case 'drop':
      if (statement.what === 'connector') {
        if (!statement.ifExists) throw noConnectors(statement.name.at)
        return { kind: 'nothing', message: `There is no connector ${statement.name.text}.` }
      }
      return prepareDrop(statement, statement.what, context)
    case 'alter-source':
      return prepareAlterSource(statement, context)
    case 'terminate':
    case 'pause':
    case 'resume':
      return { kind: statement.kind, id: statement.id === null ? null : queryId(statement.id, context) }
    case 'explain':
      return statement.target.kind === 'identifier'
        ? { kind: 'explain-query', id: queryId(statement.target, context) }
        : { kind: 'explain-statement', command: prepare(statement.target, context) }
    case 'show':
      return prepareShow(statement)
    case 'describe':
      return {
        kind: 'describe',
        name: findSource(statement.name, context).name,
        extended: statement.extended,
      }
    case 'describe-all':
      return { kind: 'describe-all', what: statement.what, extended: statement.extended }
    case 'describe-function': {
      const name = statement.name.name.toUpperCase()
      const isForm =
        SPECIAL_FORMS.some((form) => form.name === name) &&
        !isOn(context.settings, 'millrace.compatibility', false)
      if (isForm || context.functions.kindOf(name) !== undefined) return { kind: 'describe-function', name }
      throw new SqlError('SQL_UNKNOWN_FUNCTION', {
        message: `There is no function ${statement.name.text}.`,
        at: statement.name.at,
        hint: didYouMean(name, context.functions.names()),
      })
    }
    case 'print':
      checkTopic(statement.topic, context)
      return {
        kind: 'print',
        topic: statement.topic.text,
        fromBeginning: statement.fromBeginning,
        interval: statement.interval,
        limit: statement.limit,
      }
    case 'set':
      return { kind: 'set', name: settingName(statement.property.value), value: statement.value.value }
    case 'unset':
      return { kind: 'unset', name: settingName(statement.property.value) }
    case 'define':
      return { kind: 'nothing', message: `${statement.name.name} is defined.` }
    case 'undefine':
      return { kind: 'nothing', message: `${statement.name.name} is no longer defined.` }
    case 'create-connector':
    case 'describe-connector':
      throw noConnectors(statement.name.at)
    case 'alter-system':
      throw new SqlError('SQL_ALTER_SYSTEM', {
        message: 'ALTER SYSTEM changes a hosted service for all its users; there is none here.',
        at: subjectPlace(statement),
        hint: `SET ${printText(statement.property.value)} = ${printText(statement.value.value)} is for the statements that follow; settings for all are given to Millrace.open.`,
      })
    case 'assert-topic':
      return prepareAssertTopic(statement)
    case 'assert-schema':
      return prepareAssertSchema(statement)
    case 'assert-values':
      return prepareAssertValues(statement, context)
    case 'assert-tombstone':
      return prepareAssertTombstone(statement, context)
    case 'assert-source':
      return prepareAssertSource(statement, context)
    case 'run-script':
      throw new SqlError('SQL_RUN_SCRIPT', {
        message: 'RUN SCRIPT is for the shell, for `millrace sql` and for files that these run.',
        at: statement.file.at,
        hint: 'In a program read the file and pass its text to sql().',
      })
    default:
      return unreachable(statement)
  }
}

/** @throws SqlError `SQL_UNKNOWN_TOPIC` with the nearest name */
function checkTopic(topic: NameText, context: PrepareContext): void {
  const { catalog } = context
  if (catalog.partitions(topic.text) !== undefined) return
  const declared = catalog.source(topic.text.toUpperCase())
  throw new SqlError('SQL_UNKNOWN_TOPIC', {
    message: `There is no topic ${topic.text}.`,
    at: topic.at,
    hint:
      declared === undefined
        ? (didYouMean(topic.text, catalog.topicNames()) ?? 'SHOW TOPICS lists them.')
        : `The topic of ${declared.name} is ${declared.topic}.`,
  })
}

/** Connectors are Kafka Connect's: a cluster of its own, which Millrace neither has nor talks to. */
function noConnectors(at: Position): SqlError {
  return new SqlError('SQL_NO_CONNECTORS', {
    message: 'Connectors run in Kafka Connect, which Millrace does without.',
    at,
    hint: 'Bring records in with INSERT, `millrace produce` or produce() of the API, and take them out with SELECT … EMIT CHANGES, `millrace consume` or consume().',
  })
}

function prepareCreateType(statement: CreateTypeStatement, context: PrepareContext): Command {
  const { name, ifNotExists } = statement
  const type = resolveType(statement.type, context.catalog)
  if (context.catalog.type(name.name) !== undefined) {
    if (ifNotExists) return { kind: 'nothing', message: `The type ${name.name} exists already.` }
    throw new SqlError('SQL_TYPE_EXISTS', {
      message: `There is already a type ${name.text}.`,
      at: name.at,
      hint: 'DROP TYPE it first; what was declared with it keeps its definition.',
    })
  }
  return { kind: 'create-type', name: name.name, type, ifNotExists }
}

function prepareShow(statement: ShowStatement): Command {
  switch (statement.what) {
    case 'connectors':
    case 'source-connectors':
    case 'sink-connectors':
    case 'connector-plugins':
      throw noConnectors(statement.at)
    default: {
      const what: ShowKind = statement.what
      return { kind: 'show', what, extended: statement.extended, all: statement.all }
    }
  }
}

/** A query's id as it is, however its case was written. */
function queryId(id: Identifier, context: PrepareContext): string {
  const ids = context.catalog.queryIds()
  if (ids.includes(id.name)) return id.name
  if (ids.includes(id.text)) return id.text
  return ids.find((known) => known.toUpperCase() === id.text.toUpperCase()) ?? id.text
}

function settingName(name: string): string {
  return name.replace(/^ksql\.streams\./, '')
}
