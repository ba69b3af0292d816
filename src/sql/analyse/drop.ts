import { SqlError } from '../../base/errors.ts'
import type { Command } from '../../plan/command.ts'
import type { DropSourceStatement, DropStatement } from '../ast.ts'
import { isAlertStream } from './alert.ts'
import type { PrepareContext } from './context.ts'
import { didYouMean } from './nearest-name.ts'
import { findSource } from './query-sources.ts'
import { refuseOwnTopic } from './topic.ts'

/** DROP STREAM | TABLE. Whether queries still use it is checked where queries are known. */
export function prepareDropSource(statement: DropSourceStatement, context: PrepareContext): Command {
  const { name, what, ifExists, deleteTopic } = statement
  if (ifExists && context.catalog.source(name.name) === undefined) {
    return { kind: 'nothing', message: `There is no ${what} ${name.name}.` }
  }
  const source = findSource(name, context)
  if (source.kind !== what) {
    throw new SqlError('SQL_WRONG_KIND', {
      message: `${name.text} is a ${source.kind}, not a ${what}.`,
      at: name.at,
      hint: `Write DROP ${source.kind.toUpperCase()} ${name.text}.`,
    })
  }
  if (isAlertStream(source)) {
    throw new SqlError('SQL_WRONG_KIND', {
      message: `${name.text} is the stream of an alert and goes with it.`,
      at: name.at,
      hint: `Write DROP ALERT ${name.text}.`,
    })
  }
  if (deleteTopic && source.readOnly) {
    throw new SqlError('SQL_READ_ONLY', {
      message: `${name.text} is read-only, so its topic can't be deleted with it.`,
      at: name.at,
      hint: 'Leave DELETE TOPIC out.',
    })
  }
  if (deleteTopic) refuseOwnTopic(source.topic, name.at, context)
  return { kind: 'drop', what, name: source.name, ifExists, deleteTopic }
}

/** DROP TYPE, DROP ALERT. */
export function prepareDrop(
  statement: DropStatement,
  what: 'type' | 'alert',
  context: PrepareContext,
): Command {
  const { name, ifExists } = statement
  const source = context.catalog.source(name.name)
  const exists =
    what === 'type'
      ? context.catalog.type(name.name) !== undefined
      : source !== undefined && isAlertStream(source)
  if (!exists) {
    if (ifExists) return { kind: 'nothing', message: `There is no ${what} ${name.name}.` }
    const names = what === 'type' ? context.catalog.typeNames() : alertNames(context)
    throw new SqlError(what === 'type' ? 'SQL_UNKNOWN_TYPE' : 'SQL_UNKNOWN_ALERT', {
      message: `There is no ${what} ${name.text}.`,
      at: name.at,
      hint: didYouMean(name.name, names),
    })
  }
  return what === 'type'
    ? { kind: 'drop-type', name: name.name, ifExists }
    : { kind: 'drop', what: 'alert', name: name.name, ifExists, deleteTopic: false }
}

function alertNames(context: PrepareContext): readonly string[] {
  return context.catalog.sourceNames().filter((name) => {
    const source = context.catalog.source(name)
    return source !== undefined && isAlertStream(source)
  })
}
