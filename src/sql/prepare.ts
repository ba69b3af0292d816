import { NotSupportedError } from '../base/errors.ts'
import type { Command } from '../plan/command.ts'
import type { PrepareContext } from './analyse/context.ts'
import { prepareCreateAs } from './analyse/create-as.ts'
import { prepareCreateSource } from './analyse/create-source.ts'
import type { Statement } from './ast.ts'

export type { PrepareContext } from './analyse/context.ts'

/**
 * Analyses a statement: what it means against the catalog as it is now, with everything resolved.
 *
 * @throws SqlError for what can't be run, with its place; NotSupportedError for what is valid but not built
 */
export function prepare(statement: Statement, context: PrepareContext): Command {
  switch (statement.kind) {
    case 'create-source':
      return prepareCreateSource(statement, context)
    case 'create-as':
      return prepareCreateAs(statement, context)
    default:
      throw new NotSupportedError(`The statement ${statement.kind}`, statement.at)
  }
}
