import { SqlError } from '../../base/errors.ts'
import type { DataSource, SourceKind } from '../../plan/data-source.ts'
import type { Expr } from '../../plan/expression.ts'
import type { FilterNode, PlanNode } from '../../plan/plan-node.ts'
import type { Query } from '../ast.ts'
import { ColumnNames } from './column-names.ts'
import { isOn, type PrepareContext } from './context.ts'
import type { KeyedNode } from './keyed-node.ts'
import { planAggregation } from './plan-aggregation.ts'
import { planLags, refuseLag } from './plan-lag.ts'
import { planJoins, typeJoins } from './plan-join.ts'
import { planPartitionBy } from './plan-partition-by.ts'
import { planSource } from './plan-source.ts'
import { planTableFunctions } from './plan-table-functions.ts'
import { planDerived } from './plan-derived.ts'
import {
  projectDerived,
  projectForClient,
  projectForSink,
  projectKeysAsSelected,
  type ResultColumn,
} from './projection.ts'
import { QueryScope } from './query-scope.ts'
import { querySources } from './query-sources.ts'
import { selectList } from './select-list.ts'
import { typeCondition, typeExpression, type TypingContext } from './type-expression.ts'
import { settleNull } from './untyped-null.ts'

/** What a query's rows are for. */
export type QueryUse =
  /** CREATE … AS, INSERT INTO: keys must be selected; `name` for errors. */
  | { readonly kind: 'sink'; readonly name: string; readonly what: string }
  /** A sub-query. */
  | { readonly kind: 'derived'; readonly name: string }
  /** A push query. */
  | { readonly kind: 'client' }
  /** An alert: its condition is no filter but a column's worth of truth. */
  | { readonly kind: 'alert'; readonly name: string }

/** A query as a plan, and what the statement around it must know. */
export interface PlannedQuery {
  readonly root: PlanNode
  readonly output: SourceKind
  /** Names of the result's columns, in the order of the SELECT list, as columns of the root's schema. */
  readonly shown: readonly string[]
  /** The source whose formats and topic are the defaults of the result. */
  readonly leftMost: DataSource
  /** PARTITION BY NULL: rows have no key. */
  readonly keyRemoved: boolean
  /** Partitions of the rows where they are made, if known. */
  readonly partitions: number | undefined
  /** For alerts: whether the condition holds, over the root's columns. null: always. */
  readonly condition: Expr | null
}

/** Analyses a query and plans it: source, join, WHERE, PARTITION BY or GROUP BY with HAVING, SELECT. */
export function planQuery(query: Query, use: QueryUse, context: PrepareContext): PlannedQuery {
  const persistent = use.kind === 'sink' || use.kind === 'derived'
  const sources = querySources(query.from, context, (relation, alias) =>
    planDerived(relation, alias, context, (inner, name) =>
      planQuery(inner, { kind: 'derived', name }, context),
    ),
  )
  checkSources(
    query,
    sources.all.map((s) => s.source),
    use,
    context,
  )
  const isJoin = sources.joins.length > 0
  const used = new Set<string>()
  const typing = (scope: QueryScope, clause: string): TypingContext => ({
    scope: scope.forClause(clause),
    functions: context.functions,
    types: context.catalog,
    clause,
  })
  const joins = isJoin ? typeJoins(sources, used, context) : null
  const synthetic = joins?.synthetic ?? null
  const scope = new QueryScope(sources.all, isJoin, 'SELECT', used, synthetic, query.items)
  const names = new ColumnNames(
    scope.columns().flatMap((c) => (c.role === 'pseudo' ? [] : [c.column, c.name])),
  )

  const selected = selectList(query, scope, names, typing(scope, 'SELECT'), {
    isJoin,
    persistent,
    synthetic: synthetic?.name ?? null,
    starWithPseudo: isJoin && query.partitionBy !== null,
  })
  checkClauses(query, use, context)
  refuseLag(query.where, 'WHERE', context)
  refuseLag([query.groupBy, query.partitionBy, query.having], 'GROUP BY, PARTITION BY or HAVING', context)
  const where = query.where === null ? null : typeCondition(query.where, typing(scope, 'WHERE'))

  const plain = (node: KeyedNode): KeyedNode =>
    where === null || deferWhere ? node : { ...node, node: filter(node.node, where) }
  const isAggregate = query.groupBy !== null || query.having !== null || hasAggregates()
  const deferWhere = use.kind === 'alert' && !isAggregate

  if (isAggregate) {
    refuseLag(query.items, 'a query with aggregates', context)
    const aggregation = planAggregation({ query, selected, scope, names, typing, context, use, isJoin })
    const input = plain(
      joins === null ? planSource(sources.all[0]!, context) : planJoins(joins, sources, scope, context),
    )
    const grouped = aggregation.plan(input)
    const kept =
      aggregation.having !== null && use.kind !== 'alert'
        ? { ...grouped, node: filter(grouped.node, aggregation.having) }
        : grouped
    return finish(kept, aggregation.columns, aggregation.having)
  }
  if (query.window !== null) {
    throw new SqlError('SQL_WINDOW_WITHOUT_GROUP_BY', {
      message: 'A WINDOW clause needs a GROUP BY clause.',
      at: query.window.at,
      hint: 'Add GROUP BY and an aggregate, or leave WINDOW out.',
    })
  }
  const partitioning =
    query.partitionBy === null
      ? null
      : planPartitionBy(query.partitionBy, selected, scope, names, typing(scope, 'PARTITION BY'))
  const selectTyping = typing(scope, 'SELECT')
  const tableFunctions = planTableFunctions(
    selectTyping,
    sources.all.map((s) => s.source),
  )
  const lags = planLags(selectTyping, context)
  const columns = selected.map((c): ResultColumn => {
    const expr = typeExpression(c.expression, {
      ...selectTyping,
      replace: (node, inner) =>
        partitioning?.replace(node, inner) ?? lags.replace(node) ?? tableFunctions.replace(node, inner),
    })
    return { name: c.name, expr: settleNull(expr), at: c.at }
  })
  // Only now is it known which columns the joins must carry.
  let input = plain(
    joins === null ? planSource(sources.all[0]!, context) : planJoins(joins, sources, scope, context),
  )
  if (partitioning !== null)
    input = partitioning.plan(input, columns, new Set([...tableFunctions.columns(), ...lags.columns()]))
  return finish(tableFunctions.plan(lags.plan(input)), columns, deferWhere ? where : null)

  function hasAggregates(): boolean {
    return selected.some((c) => containsAggregate(c.expression, context))
  }

  function finish(input: KeyedNode, columns: readonly ResultColumn[], condition: Expr | null): PlannedQuery {
    const common = {
      leftMost: sources.all[0]!.source,
      keyRemoved: partitioningRemovesKey(query),
      partitions: input.partitions,
    }
    if (use.kind === 'alert') {
      const hidden = hiddenColumns(condition, columns)
      const { node, shown } = projectForClient(input, [...columns, ...hidden.columns])
      return {
        ...common,
        root: node,
        output: node.output,
        shown: shown.slice(0, columns.length),
        condition: hidden.condition,
      }
    }
    if (use.kind === 'client') {
      const { node, shown } = projectForClient(input, columns)
      return { ...common, root: node, output: node.output, shown, condition: null }
    }
    if (use.kind === 'derived') {
      const derived = projectDerived(input, columns, use.name, query.at)
      const shown = columns.map((c) => c.name)
      return { ...common, root: derived, output: derived.output, shown, condition: null }
    }
    const keysAsSelected =
      isOn(context.settings, 'ksql.new.query.planner.enabled', false) &&
      !isJoin &&
      !isAggregate &&
      query.partitionBy === null
    const root = keysAsSelected
      ? projectKeysAsSelected(input, columns, use.name, query.at)
      : projectForSink(input, columns, use.name, query.at)
    return {
      ...common,
      root,
      output: root.output,
      shown: columns.map((c) => c.name),
      condition: null,
    }
  }
}

function filter(input: PlanNode, predicate: Expr): FilterNode {
  return {
    kind: 'filter',
    input,
    predicate,
    schema: input.schema,
    output: input.output,
    windowed: input.windowed,
  }
}

function partitioningRemovesKey(query: Query): boolean {
  return query.partitionBy?.items.length === 1 && query.partitionBy.items[0]!.kind === 'null'
}

/** Whether an aggregate function is called anywhere in an expression. */
export function containsAggregate(node: unknown, context: PrepareContext): boolean {
  if (typeof node !== 'object' || node === null) return false
  if (Array.isArray(node)) return node.some((part) => containsAggregate(part, context))
  if ('kind' in node && node.kind === 'call' && 'name' in node) {
    const { name } = node
    const written = typeof name === 'object' && name !== null && 'name' in name ? String(name.name) : ''
    if (context.functions.kindOf(written.toUpperCase()) === 'aggregate') return true
  }
  return Object.values(node).some((part) => containsAggregate(part, context))
}

function checkSources(
  query: Query,
  sources: readonly DataSource[],
  use: QueryUse,
  context: PrepareContext,
): void {
  const windowedTable = sources.find((s) => s.kind === 'table' && s.windowedKey !== null)
  const compatibility = isOn(context.settings, 'millrace.compatibility', false)
  if ((compatibility ? use.kind !== 'client' : use.kind === 'alert') && windowedTable !== undefined) {
    throw new SqlError('SQL_WINDOWED_TABLE', {
      message: `${windowedTable.name} is a windowed table, and ${compatibility ? 'persistent queries' : 'alerts'} can't read those.`,
      at: query.from.at,
      hint: 'Ask it with pull or push queries, or build on its source.',
    })
  }
  const needsState = query.groupBy !== null ? 'GROUP BY' : sources.length > 1 ? 'JOIN' : null
  const bare = sources.filter((s) => s.valueFormat.name === 'KAFKA')
  if (needsState !== null && bare.length > 0) {
    throw new SqlError('SQL_FORMAT_WITHOUT_STATE', {
      message: `${bare.map((s) => s.name).join(', ')}: the value format KAFKA can't be used with ${needsState}.`,
      at: query.from.at,
      hint: 'Copy the source with another VALUE_FORMAT first.',
    })
  }
}

function checkClauses(query: Query, use: QueryUse, context: PrepareContext): void {
  const both = query.groupBy !== null && query.partitionBy !== null
  if (both) {
    throw new SqlError('SQL_GROUP_AND_PARTITION', {
      message: "GROUP BY and PARTITION BY can't stand in one query.",
      at: query.partitionBy.at,
    })
  }
  const [order] = query.orderBy
  if (order !== undefined) {
    throw new SqlError('SQL_ORDER_BY_NOT_POSSIBLE', {
      message: 'Rows that come without end have no order: ORDER BY is only possible in pull queries.',
      at: order.at,
      hint: 'Remove it, or ask without EMIT.',
    })
  }
  if (query.offset !== null) {
    throw new SqlError('SQL_OFFSET_NOT_POSSIBLE', {
      message: 'OFFSET is only possible in pull queries.',
      at: query.offset.at,
      hint: 'Remove it, or ask without EMIT.',
    })
  }
  if (query.limit !== null && use.kind !== 'client') {
    throw new SqlError('SQL_LIMIT_NOT_POSSIBLE', {
      message: 'A persistent query has no end, so it takes no LIMIT.',
      at: query.limit.at,
      hint: 'Leave it out; a SELECT … EMIT CHANGES may have one.',
    })
  }
  if (query.emit?.mode === 'final' && !isOn(context.settings, 'ksql.suppress.enabled', true)) {
    throw new SqlError('SQL_EMIT_FINAL', {
      message: "EMIT FINAL is switched off by 'ksql.suppress.enabled'.",
      at: query.emit.at,
    })
  }
  if (query.emit?.mode === 'final' && query.window === null) {
    throw new SqlError('SQL_EMIT_FINAL', {
      message: 'EMIT FINAL is only possible with a WINDOW clause.',
      at: query.emit.at,
      hint: 'Use EMIT CHANGES.',
    })
  }
}

/**
 * The columns an alert's condition needs that the SELECT list lacks, and the condition over the result's
 * names.
 */
function hiddenColumns(
  condition: Expr | null,
  columns: readonly ResultColumn[],
): { readonly columns: readonly ResultColumn[]; readonly condition: Expr | null } {
  if (condition === null) return { columns: [], condition: null }
  const hidden: ResultColumn[] = []
  const taken = new Set(columns.map((c) => c.name))
  const rename = (expr: Expr & { readonly kind: 'column' }): Expr => {
    const same = [...columns, ...hidden].find((c) => c.expr.kind === 'column' && c.expr.name === expr.name)
    if (same !== undefined) return { ...expr, name: same.name }
    let name = expr.name
    while (taken.has(name)) name = `${name}_`
    taken.add(name)
    hidden.push({ name, expr, at: columns[0]!.at })
    return { ...expr, name }
  }
  return { columns: hidden, condition: mapColumns(condition, rename) }
}

/** The expression with every column replaced. */
function mapColumns(expr: Expr, replace: (column: Expr & { readonly kind: 'column' }) => Expr): Expr {
  const visit = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(visit)
    if (typeof part !== 'object' || part === null || isLeaf(part)) return part
    if (isColumn(part)) return replace(part)
    return Object.fromEntries(
      Object.entries(part).map(([name, inner]) => [name, name === 'type' ? inner : visit(inner)]),
    )
  }
  // The shape stays: only columns are exchanged for other expressions.
  return visit(expr) as Expr
}

function isColumn(part: object): part is Expr & { readonly kind: 'column' } {
  return 'kind' in part && part.kind === 'column'
}

/** Literals hold values, which are no expressions. */
function isLeaf(part: object): boolean {
  return 'kind' in part && part.kind === 'literal'
}
