import type { Position } from '../base/errors.ts'
import type { Statement } from './ast.ts'

/**
 * The place of what a statement is about: for errors that are found by carrying it out, when names have been
 * resolved and places are gone.
 */
export function subjectPlace(statement: Statement): Position {
  switch (statement.kind) {
    case 'create-source':
    case 'create-as':
    case 'create-alert':
    case 'create-type':
    case 'create-connector':
    case 'drop-source':
    case 'drop':
    case 'alter-source':
    case 'describe':
    case 'describe-function':
    case 'describe-connector':
    case 'define':
    case 'undefine':
    case 'assert-source':
      return statement.name.at
    case 'insert-select':
    case 'insert-values':
      return statement.target.at
    case 'assert-values':
    case 'assert-tombstone':
      return statement.source.at
    case 'terminate':
    case 'pause':
    case 'resume':
      return statement.id?.at ?? statement.at
    case 'explain':
      return statement.target.kind === 'identifier' ? statement.target.at : subjectPlace(statement.target)
    case 'print':
    case 'assert-topic':
      return statement.topic.at
    case 'assert-schema':
      return statement.subject?.at ?? statement.id?.at ?? statement.at
    case 'set':
    case 'alter-system': {
      const { property, value } = statement
      return { ...property.at, length: value.at.index + value.at.length - property.at.index }
    }
    case 'unset':
      return statement.property.at
    case 'run-script':
      return statement.file.at
    default:
      return statement.at
  }
}
