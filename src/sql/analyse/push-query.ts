import type { Command } from '../../plan/command.ts'
import type { QueryStatement } from '../ast.ts'
import type { PrepareContext } from './context.ts'
import { planQuery } from './plan-query.ts'

/** A query with EMIT: its rows go to the client as they come. */
export function preparePushQuery(statement: QueryStatement, context: PrepareContext): Command {
  const planned = planQuery(statement.query, { kind: 'client' }, context)
  return {
    kind: 'push-query',
    columns: planned.shown,
    plan: { version: 1, root: planned.root, sink: null, limit: statement.query.limit?.value ?? null },
    statement: statement.text,
  }
}
