import { SqlError, type Position } from '../../base/errors.ts'
import type { PullQuery } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import { keyColumns, type Column } from '../../plan/schema.ts'
import { isNumeric, printType } from '../../plan/sql-type.ts'
import type { Expression, Query, QueryStatement } from '../ast.ts'
import { ColumnNames } from './column-names.ts'
import { isOn, type PrepareContext } from './context.ts'
import { containsAggregate } from './plan-query.ts'
import { pullAccess } from './pull-access.ts'
import { QueryScope } from './query-scope.ts'
import { querySources } from './query-sources.ts'
import { selectList } from './select-list.ts'
import { typeCondition, typeExpression, type TypingContext } from './type-expression.ts'
import { settleNull } from './untyped-null.ts'

/** A query without EMIT: asks the state of a table, or reads a stream's topic up to its present end. */
export function preparePullQuery(statement: QueryStatement, context: PrepareContext): PullQuery {
  const { query } = statement
  checkClauses(query, context)
  const { all } = querySources(query.from, context)
  const { source } = all[0]!
  checkQueryable(source, query.from.at, context)
  const scope = new QueryScope(all, false, 'SELECT')
  const typing = (clause: string): TypingContext => ({
    scope: scope.forClause(clause),
    functions: context.functions,
    types: context.catalog,
    clause,
    replace: (node) => {
      if (node.kind === 'column' && (node.name.name === 'ROWPARTITION' || node.name.name === 'ROWOFFSET')) {
        throw new SqlError('SQL_PULL_CLAUSE', {
          message: `Pull queries have no ${node.name.name}: it says where a row came from, not what is kept of it.`,
          at: node.at,
          hint: 'Add EMIT CHANGES to read rows as they come.',
        })
      }
      return undefined
    },
  })
  const names = new ColumnNames(scope.columns().map((c) => c.name))
  const selected = selectList(query, scope, names, typing('SELECT'), {
    isJoin: false,
    persistent: false,
    synthetic: null,
    starWithPseudo: false,
  })
  const columns = selected.map((c) => settleNull(typeExpression(c.expression, typing('SELECT'))))
  const isKey = (name: string): boolean =>
    source.kind === 'table' &&
    scope.columns().some((c) => c.name === name && (c.role === 'key' || name.startsWith('WINDOW')))
  const schema = {
    columns: selected.map((c, i): Column => {
      const expr = columns[i]!
      return {
        name: c.name,
        type: expr.type,
        role: expr.kind === 'column' && isKey(expr.name) ? 'key' : 'value',
      }
    }),
  }
  if (source.kind === 'table') checkKeyLists(query.where, source)
  const where = query.where === null ? null : typeCondition(query.where, typing('WHERE'))
  return {
    kind: 'pull-query',
    source,
    schema,
    columns,
    where,
    access: pullAccess(source, where, (query.where ?? query.from).at, context),
    limit: query.limit?.value ?? null,
  }
}

function checkClauses(query: Query, context: PrepareContext): void {
  const refuse = (what: string, at: Position): never => {
    throw new SqlError('SQL_PULL_CLAUSE', {
      message: `Pull queries don't have ${what}.`,
      at,
      hint: 'Add EMIT CHANGES for a push query, or make a table with CREATE TABLE … AS SELECT and ask that.',
    })
  }
  if (query.from.kind === 'join-relation') refuse('JOIN clauses', query.from.at)
  if (query.window !== null) refuse('WINDOW clauses', query.window.at)
  if (query.groupBy !== null) refuse('GROUP BY clauses', query.groupBy.at)
  if (query.partitionBy !== null) refuse('PARTITION BY clauses', query.partitionBy.at)
  if (query.having !== null) refuse('HAVING clauses', query.having.at)
  const aggregate = query.items.find((item) => containsAggregate(item, context))
  if (aggregate !== undefined) refuse('aggregate functions', aggregate.at)
  if (query.limit !== null && !isOn(context.settings, 'ksql.query.pull.limit.clause.enabled', true)) {
    throw new SqlError('SQL_PULL_CLAUSE', {
      message: "LIMIT in pull queries is switched off by 'ksql.query.pull.limit.clause.enabled'.",
      at: query.limit.at,
    })
  }
}

/** Keys are looked up by value: a text in a list doesn't stand for a number, as it would elsewhere. */
function checkKeyLists(node: Expression | null, source: DataSource): void {
  if (node === null) return
  if (node.kind === 'logical') {
    checkKeyLists(node.left, source)
    checkKeyLists(node.right, source)
  }
  if (node.kind !== 'in' || node.operand.kind !== 'column') return
  const name = node.operand.name.name
  const key = keyColumns(source.schema).find((c) => c.name === name)
  const text = node.items.find((item) => item.kind === 'string')
  if (key === undefined || text === undefined || (!isNumeric(key.type) && key.type.kind !== 'BOOLEAN')) return
  throw new SqlError('SQL_TYPE_MISMATCH', {
    message: `The key column ${name} is ${printType(key.type)}, but '${text.value}' is a STRING.`,
    at: text.at,
    hint: 'Remove the quotes.',
  })
}

function checkQueryable(source: DataSource, at: Position, context: PrepareContext): void {
  if (source.kind === 'stream') {
    if (isOn(context.settings, 'ksql.query.pull.stream.enabled', true)) return
    throw new SqlError('SQL_PULL_STREAM_DISABLED', {
      message: "Pull queries on streams are switched off by 'ksql.query.pull.stream.enabled'.",
      at,
      hint: 'Add EMIT CHANGES for a push query.',
    })
  }
  if (source.createdBy !== null || source.readOnly) return
  throw new SqlError('SQL_TABLE_NOT_QUERYABLE', {
    message: `The table ${source.name} only describes a topic: nothing keeps its rows, so it can't be asked.`,
    at,
    hint: `CREATE TABLE QUERYABLE_${source.name} AS SELECT * FROM ${source.name}; and ask that, or add EMIT CHANGES.`,
  })
}
