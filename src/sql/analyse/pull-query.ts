import { SqlError, type Position } from '../../base/errors.ts'
import { isOrdered } from '../../functions/comparison.ts'
import type { PullGrouping, PullOrder, PullQuery } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import type { Expr } from '../../plan/expression.ts'
import { keyColumns, type Column } from '../../plan/schema.ts'
import { isNumeric, printType } from '../../plan/sql-type.ts'
import type { Expression, Query, QueryStatement } from '../ast.ts'
import { printExpression as printWritten } from '../print-expression.ts'
import { ColumnNames } from './column-names.ts'
import { isOn, type PrepareContext } from './context.ts'
import { refuseLag } from './plan-lag.ts'
import { planAggregation, type Aggregation } from './plan-aggregation.ts'
import { planDerived } from './plan-derived.ts'
import { containsAggregate, planQuery } from './plan-query.ts'
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
  const { all } = querySources(query.from, context, (relation, alias) =>
    planDerived(relation, alias, context, (inner, name) =>
      planQuery(inner, { kind: 'derived', name }, context),
    ),
  )
  const { source, derived } = all[0]!
  if (derived === null) checkQueryable(source, query.from.at, context)
  const scope = new QueryScope(all, false, 'SELECT', new Set(), null, statement.query.items)
  const typing = (clause: string): TypingContext => ({
    scope: scope.forClause(clause),
    functions: context.functions,
    types: context.catalog,
    clause,
    replace: refusePlace,
  })
  refuseLag([query.items, query.where, query.groupBy, query.having, query.orderBy], 'a pull query', context)
  const names = new ColumnNames(scope.columns().map((c) => c.name))
  const selected = selectList(query, scope, names, typing('SELECT'), {
    isJoin: false,
    persistent: false,
    synthetic: null,
    starWithPseudo: false,
  })
  const isAggregate =
    query.groupBy !== null ||
    query.having !== null ||
    selected.some((c) => containsAggregate(c.expression, context)) ||
    query.orderBy.some((item) => containsAggregate(item.expression, context))
  if (isAggregate) checkNoPlaces(query)
  const aggregation = isAggregate
    ? planAggregation({
        query,
        selected,
        scope,
        names,
        typing: (_, clause) => typing(clause),
        context,
        use: { kind: 'pull' },
        isJoin: false,
      })
    : null
  const columns =
    aggregation?.columns.map((c) => c.expr) ??
    selected.map((c) => settleNull(typeExpression(c.expression, typing('SELECT'))))
  const isKey = (name: string): boolean =>
    aggregation === null &&
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
  const orderBy = pullOrder(
    query,
    schema.columns.map((c, i) => ({ name: c.name, expr: columns[i]! })),
    (node) => aggregation?.typeOver(node, 'ORDER BY') ?? typeExpression(node, typing('ORDER BY')),
  )
  if (source.kind === 'table' && derived === null) checkKeyLists(query.where, source)
  const where = query.where === null ? null : typeCondition(query.where, typing('WHERE'))
  return {
    kind: 'pull-query',
    source,
    derived: derived === null ? null : { version: 1, root: derived.node, sink: null, limit: null },
    schema,
    columns,
    where,
    access:
      derived === null
        ? pullAccess(source, where, (query.where ?? query.from).at, context)
        : { kind: 'scan', window: null },
    grouping: aggregation === null ? null : grouping(aggregation, query),
    orderBy,
    limit: query.limit?.value ?? null,
    offset: query.offset?.value ?? 0,
  }
}

function grouping(aggregation: Aggregation, query: Query): PullGrouping {
  const { keys, aggregates, having } = aggregation
  return {
    schema: {
      columns: [
        ...keys.map((k): Column => ({ name: k.name, type: k.expr.type, role: 'key' })),
        ...aggregates.map((a): Column => ({ name: a.name, type: a.type, role: 'value' })),
      ],
    },
    keys: keys.map((k) => k.expr),
    aggregates,
    having,
    everything: query.groupBy === null,
  }
}

/** ORDER BY: by a column of the result (its name or its number), or by any expression the SELECT list could have. */
function pullOrder(
  query: Query,
  columns: readonly { readonly name: string; readonly expr: Expr }[],
  type: (node: Expression) => Expr,
): readonly PullOrder[] {
  return query.orderBy.map((item): PullOrder => {
    const node = item.expression
    const selected =
      node.kind === 'integer'
        ? columns[Number(node.text) - 1]
        : node.kind === 'column' && node.source === null
          ? columns.find((c) => c.name === node.name.name)
          : undefined
    if (node.kind === 'integer' && selected === undefined) {
      throw new SqlError('SQL_ORDER_BY_NUMBER', {
        message: `ORDER BY ${node.text} means a column of the SELECT list, which has ${columns.length}.`,
        at: node.at,
        hint: `Write a number from 1 to ${columns.length}, or an expression.`,
      })
    }
    const expr = selected?.expr ?? settleNull(type(node))
    if (!isOrdered(expr.type) && expr.type.kind !== 'BOOLEAN') {
      throw new SqlError('SQL_NOT_ORDERED', {
        message: `Rows can't be ordered by ${printWritten(node)}: values of type ${printType(expr.type)} have no order.`,
        at: node.at,
        hint: 'Order by a field or an element of it.',
      })
    }
    const descending = item.direction === 'DESC'
    return { expr, descending, nullsFirst: item.nulls === null ? descending : item.nulls === 'FIRST' }
  })
}

/** Aggregates are over what is kept of rows, which is not where they came from. */
function checkNoPlaces(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const part of node) checkNoPlaces(part)
    return
  }
  refusePlace(node as Expression)
  for (const part of Object.values(node)) checkNoPlaces(part)
}

function refusePlace(node: Expression): undefined {
  if (node.kind !== 'column' || (node.name.name !== 'ROWPARTITION' && node.name.name !== 'ROWOFFSET')) return
  throw new SqlError('SQL_PULL_CLAUSE', {
    message: `Pull queries have no ${node.name.name}: it says where a row came from, not what is kept of it.`,
    at: node.at,
    hint: 'Add EMIT CHANGES to read rows as they come.',
  })
}

function checkClauses(query: Query, context: PrepareContext): void {
  const refuse = (clause: string, at: Position, what = `${clause} clauses`): never => {
    throw new SqlError('SQL_PULL_CLAUSE', {
      message: `Pull queries don't have ${what}.`,
      at,
      hint: isOn(context.settings, 'millrace.compatibility', false)
        ? 'Add EMIT CHANGES for a push query, or make a table with CREATE TABLE … AS SELECT and ask that.'
        : `Ask what such a query gives, SELECT … FROM (SELECT … ${clause} …), which computes it for this answer. Or keep it: CREATE TABLE … AS SELECT.`,
    })
  }
  if (query.from.kind === 'join-relation') refuse('JOIN', query.from.at)
  if (query.window !== null) refuse('WINDOW', query.window.at)
  if (query.partitionBy !== null) refuse('PARTITION BY', query.partitionBy.at)
  if (isOn(context.settings, 'millrace.compatibility', false)) {
    if (query.groupBy !== null) refuse('GROUP BY', query.groupBy.at)
    if (query.having !== null) refuse('HAVING', query.having.at)
    if (query.orderBy.length > 0) refuse('ORDER BY', query.orderBy[0]!.at)
    if (query.offset !== null) refuse('OFFSET', query.offset.at)
    const aggregate = query.items.find((item) => containsAggregate(item, context))
    if (aggregate !== undefined) refuse('', aggregate.at, 'aggregate functions')
  }
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
