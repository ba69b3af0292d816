import { systemClock } from '../../base/clock.ts'
import { SqlError } from '../../base/errors.ts'
import { systemRandom } from '../../base/random.ts'
import { columnsOf } from '../../plan/columns-of.ts'
import type { AggregateCall, Expr } from '../../plan/expression.ts'
import type {
  AggregateNode,
  PlanNode,
  ProjectNode,
  RekeyNode,
  TableAggregateNode,
  WindowSpec,
} from '../../plan/plan-node.ts'
import { printExpression } from '../../plan/print-expression.ts'
import type { Column } from '../../plan/schema.ts'
import { BIGINT, INTEGER, printType, type SqlType } from '../../plan/sql-type.ts'
import type { SqlValue } from '../../plan/sql-value.ts'
import type * as ast from '../ast.ts'
import { printExpression as printWritten } from '../print-expression.ts'
import { coerce } from './coerce.ts'
import type { ColumnNames } from './column-names.ts'
import type { PrepareContext } from './context.ts'
import { checkKeyTypes } from './format-spec.ts'
import type { KeyColumn, KeyedNode } from './keyed-node.ts'
import type { QueryUse } from './plan-query.ts'
import { sameAs } from './plan-partition-by.ts'
import { freeName } from './plan-source.ts'
import { project, type ResultColumn } from './projection.ts'
import type { QueryScope } from './query-scope.ts'
import { windowSpec } from './query-window.ts'
import type { SelectColumn } from './select-list.ts'
import { placed } from './placed.ts'
import { typeCondition, typeExpression, type TypingContext } from './type-expression.ts'
import { settleNull, typeOf } from './untyped-null.ts'

export interface AggregationRequest {
  readonly query: ast.Query
  readonly selected: readonly SelectColumn[]
  readonly scope: QueryScope
  readonly names: ColumnNames
  readonly typing: (scope: QueryScope, clause: string) => TypingContext
  readonly context: PrepareContext
  /** `pull`: groups are made of rows at hand, once; nothing of them is kept or changed. */
  readonly use: QueryUse | { readonly kind: 'pull' }
  readonly isJoin: boolean
}

export interface Aggregation {
  /** The SELECT list over the aggregate's columns. */
  readonly columns: readonly ResultColumn[]
  readonly having: Expr | null
  readonly keys: readonly { readonly name: string; readonly expr: Expr }[]
  readonly aggregates: readonly AggregateCall[]
  /** An expression of a further clause over the groups' columns. Its aggregates join the others. */
  typeOver(node: ast.Expression, clause: string): Expr
  plan(input: KeyedNode): KeyedNode
}

interface GroupKey {
  readonly expr: Expr
  readonly text: string
  /** As the query has it. */
  readonly written: string
  readonly name: string
}

/** GROUP BY: what groups rows, what is computed over them, and SELECT and HAVING in terms of both. */
export function planAggregation(request: AggregationRequest): Aggregation {
  const { query, selected, scope, typing, context } = request
  const groupBy = query.groupBy
  if (groupBy === null && (request.use.kind === 'sink' || request.use.kind === 'derived'))
    throw missingGroupBy(request)
  if (groupBy?.items.length === 0) {
    throw new SqlError('SQL_EMPTY_GROUP_BY', {
      message: 'GROUP BY needs at least one expression.',
      at: groupBy.at,
    })
  }
  const isPull = request.use.kind === 'pull'
  const isWindowed = query.window !== null
  const keys = groupBy === null ? [everything(scope)] : groupKeys(request, groupBy)
  const aggregates: AggregateCall[] = []
  const tableSource =
    scope.columns().some((c) => c.source.source.kind === 'table') &&
    !scope.columns().some((c) => c.source.source.kind === 'stream')
  const notUndoable: { readonly name: string; readonly at: ast.Expression['at'] }[] = []

  const replaceIn =
    (clause: string) =>
    (node: ast.Expression, inner: TypingContext): Expr | undefined => {
      if (node.kind === 'call') {
        const name = node.name.name.toUpperCase()
        const kind = context.functions.kindOf(name)
        if (kind === 'aggregate') return aggregateColumn(name, node)
        if (kind === 'table') {
          throw new SqlError('SQL_TABLE_FUNCTION_AND_GROUP_BY', {
            message: `The table function ${name} can't be used with GROUP BY.`,
            at: node.at,
            hint: 'Expand the rows in a sub-query first: FROM (SELECT … EXPLODE(…) AS x …) GROUP BY ….',
          })
        }
      }
      if (node.kind === 'column' && node.source === null && inner.parameters?.has(node.name.name) === true)
        return undefined
      if (node.kind === 'column' && isBound(node.name.name) && isWindowed && !request.isJoin) {
        if (clause !== 'SELECT') throw misplacedBound(node)
        return { kind: 'column', name: node.name.name, type: BIGINT }
      }
      const key = keys.find((k) => sameAs(node, k.text, inner))
      if (key !== undefined) return { kind: 'column', name: key.name, type: key.expr.type }
      if (node.kind !== 'column') return undefined
      inner.scope.resolve(node)
      throw new SqlError('SQL_NOT_GROUPED', {
        message: `${printWritten(node)} in ${clause} is neither in GROUP BY nor inside an aggregate function.`,
        at: node.at,
        hint: 'Add it to GROUP BY, or remove it.',
      })
    }

  function aggregateColumn(name: string, node: ast.CallExpression): Expr {
    const inside: TypingContext = {
      ...typing(scope, `the arguments of ${name}`),
      replace: (arg) => {
        if (arg.kind === 'column' && isBound(arg.name.name) && isWindowed) throw misplacedBound(arg)
        if (arg.kind === 'call' && context.functions.kindOf(arg.name.name.toUpperCase()) === 'aggregate') {
          throw new SqlError('SQL_NESTED_AGGREGATE', {
            message: `Aggregate functions can't be nested: ${arg.name.text} stands inside ${name}.`,
            at: arg.at,
            hint: `Aggregate in a sub-query first: SELECT ${name}(n) … FROM (SELECT ${arg.name.text}(…) AS n … GROUP BY …) GROUP BY ….`,
          })
        }
        return undefined
      },
    }
    const args = node.args.map((arg) => typeExpression(arg, inside))
    const resolved = placed(node.at, () => context.functions.resolveAggregate(name, args.map(typeOf)))
    const columnCount = args.length - resolved.parameterCount
    const parameters = args.slice(columnCount).map((arg, i): SqlValue => {
      const literal = coerce(arg, resolved.arguments[columnCount + i] ?? arg.type)
      if (literal.kind === 'literal') return literal.value
      throw new SqlError('SQL_PARAMETER_NOT_LITERAL', {
        message: `The last argument of ${name} must be a literal.`,
        at: node.args[columnCount + i]!.at,
      })
    })
    const columnArgs = args
      .slice(0, columnCount)
      .map((arg, i) => coerce(arg, resolved.arguments[i] ?? arg.type))
    const call = { function: resolved.function, signature: resolved.signature, args: columnArgs, parameters }
    const text = callText(call)
    const known = aggregates.find((a) => callText(a) === text)
    if (known !== undefined) return { kind: 'column', name: known.name, type: known.type }
    if (tableSource && !resolved.undoable) notUndoable.push({ name, at: node.at })
    const named = { ...call, name: `KSQL_AGG_VARIABLE_${aggregates.length}`, type: resolved.returns }
    const stateType = placed(node.at, () => stateTypeOf(named, request.context))
    const added: AggregateCall = { ...named, stateType }
    aggregates.push(added)
    if (!isPull) checkStateFormat(added, stateType, node, request)
    return { kind: 'column', name: added.name, type: added.type }
  }

  const columns = selected.map((c): ResultColumn => {
    const expr = typeExpression(c.expression, { ...typing(scope, 'SELECT'), replace: replaceIn('SELECT') })
    return { name: c.name, expr: settleNull(expr), at: c.at }
  })
  const having =
    query.having === null
      ? null
      : typeCondition(query.having, { ...typing(scope, 'HAVING'), replace: replaceIn('HAVING') })
  if (aggregates.length === 0 && !isPull) {
    throw new SqlError('SQL_GROUP_BY_WITHOUT_AGGREGATE', {
      message: 'GROUP BY needs an aggregate function in SELECT or HAVING.',
      at: (groupBy ?? query).at,
    })
  }
  if (notUndoable.length > 0 && !isPull) {
    const named = [...new Set(notUndoable.map((a) => a.name))].join(', ')
    throw new SqlError('SQL_AGGREGATE_ON_TABLE', {
      message: `${named} can't be used over a table: what a changed row added can't be taken back.`,
      at: notUndoable[0]!.at,
      hint: 'Use it over a stream.',
    })
  }
  if (tableSource && query.window !== null) {
    throw new SqlError('SQL_WINDOW_ON_TABLE', {
      message: 'WINDOW is only possible over streams.',
      at: query.window.at,
      hint: 'A table has one row per key, however often it changed: leave WINDOW out, or read the stream behind it.',
    })
  }
  // A window is one evaluation of an alert: half of it would say false where the whole says true.
  const emitFinal = query.emit?.mode === 'final' || (request.use.kind === 'alert' && query.window !== null)
  const window = query.window === null ? null : windowSpec(query.window, emitFinal)
  return {
    columns,
    having,
    keys,
    aggregates,
    typeOver: (node, clause) =>
      typeExpression(node, { ...typing(scope, clause), replace: replaceIn(clause) }),
    plan: (input) => aggregateOver(input, keys, aggregates, window, emitFinal ? 'final' : 'changes'),
  }
}

function missingGroupBy(request: AggregationRequest): SqlError {
  const { use } = request
  const what =
    use.kind === 'sink' ? use.what : use.kind === 'derived' ? `The sub-query ${use.name}` : 'The query'
  return new SqlError('SQL_AGGREGATE_WITHOUT_GROUP_BY', {
    message: `${what} has ${request.query.having === null ? 'an aggregate function' : 'HAVING'} but no GROUP BY clause.`,
    at: request.query.having?.at ?? request.query.items[0]!.at,
    hint: 'Add GROUP BY; GROUP BY 1 makes one group of everything.',
  })
}

/** Without GROUP BY all rows are one group. */
function everything(scope: QueryScope): GroupKey {
  const name = freeName('ROWKEY', new Set(scope.columns().map((c) => c.name)))
  return { expr: { kind: 'literal', value: 0, type: INTEGER }, text: '', written: '', name }
}

function groupKeys(request: AggregationRequest, groupBy: ast.ExpressionList): GroupKey[] {
  const { scope, names, selected, query } = request
  const typing = request.typing(scope, 'GROUP BY')
  const taken = new Set(scope.columns().map((c) => c.name))
  const keys: GroupKey[] = []
  for (const item of groupBy.items) {
    const expr = typeExpression(item, {
      ...typing,
      replace: (node) => {
        if (node.kind === 'column' && isBound(node.name.name) && query.window !== null)
          throw misplacedBound(node)
        return undefined
      },
    })
    const text = printExpression(expr)
    const written = printWritten(item)
    if (keys.some((k) => k.text === text)) {
      throw new SqlError('SQL_DUPLICATE_GROUP_BY', {
        message: `${written} stands in GROUP BY twice.`,
        at: item.at,
      })
    }
    if (typeOf(expr) === null) {
      throw new SqlError('SQL_GROUP_BY_NULL', {
        message: 'GROUP BY NULL has no meaning: rows without a group are dropped.',
        at: item.at,
      })
    }
    checkKeyTypes([{ name: written, type: expr.type, role: 'key' }], { at: item.at })
    if (expr.kind === 'column') {
      keys.push({ expr, text, written, name: expr.name })
      continue
    }
    // Rows carry the expression's value beside the columns the aggregates need, so its name must be free.
    const select = selected.find((c) => sameAs(c.expression, text, { ...typing, clause: 'SELECT' }))
    const name = freeName(select?.name ?? names.nameFor(item), taken)
    taken.add(name)
    keys.push({ expr, text, written, name })
  }
  return keys
}

function aggregateOver(
  input: KeyedNode,
  keys: readonly GroupKey[],
  aggregates: readonly AggregateCall[],
  window: WindowSpec | null,
  emit: 'changes' | 'final',
): KeyedNode {
  const windowed =
    window === null ? null : { type: window.type, sizeMs: window.type === 'SESSION' ? null : window.sizeMs }
  const outputs = aggregates.map((a): Column => ({ name: a.name, type: a.type, role: 'value' }))
  const asKeys = (names: readonly string[]): KeyColumn[] =>
    keys.map((key, i) => ({
      name: names[i]!,
      candidates: [key.name],
      exact: [key.name],
      written: [key.written],
    }))
  const keyNames = keys.map((k) => k.name)
  const keyOutputs = keys.map((k): Column => ({ name: k.name, type: k.expr.type, role: 'key' }))
  const result = (node: PlanNode): KeyedNode => ({
    node,
    keys: asKeys(keyNames),
    partitions: input.partitions,
    keyWord: 'grouping expression',
  })
  if (input.node.output === 'table') {
    const node: TableAggregateNode = {
      kind: 'table-aggregate',
      input: input.node,
      groupBy: keys.map((k) => k.expr),
      aggregates,
      schema: { columns: [...keyOutputs, ...outputs] },
      output: 'table',
      windowed: null,
    }
    return result(node)
  }
  const keyed = !isKeyedBy(input, keys)
    ? rekeyByGroup(input.node, keys, aggregates)
    : input.keys.every((key, i) => key.name === keys[i]!.name)
      ? input.node
      : renameKeys(input, keys, aggregates)
  const node: AggregateNode = {
    kind: 'aggregate',
    input: keyed,
    aggregates,
    window,
    emit,
    schema: { columns: [...keyOutputs, ...outputs] },
    output: 'table',
    windowed,
  }
  return result(node)
}

function isKeyedBy(input: KeyedNode, keys: readonly GroupKey[]): boolean {
  return (
    input.node.windowed === null &&
    input.keys.length === keys.length &&
    keys.every((key, i) => key.expr.kind === 'column' && input.keys[i]!.exact.includes(key.expr.name))
  )
}

/** The key of a join under the name of the column it is equal to, in place of that column. */
function renameKeys(
  input: KeyedNode,
  keys: readonly GroupKey[],
  aggregates: readonly AggregateCall[],
): ProjectNode {
  const { columns } = input.node.schema
  const renamed = input.keys.map((key, i) => {
    const column = columns.find((c) => c.name === key.name)!
    return {
      name: keys[i]!.name,
      expr: { kind: 'column', name: column.name, type: column.type } satisfies Expr,
    }
  })
  const values = neededColumns(input.node, keys, aggregates).map((c) => ({
    name: c.name,
    expr: { kind: 'column', name: c.name, type: c.type } satisfies Expr,
  }))
  return project(input.node, renamed, values)
}

/** Columns the aggregates read beside the keys. */
function neededColumns(
  input: PlanNode,
  keys: readonly GroupKey[],
  aggregates: readonly AggregateCall[],
): Column[] {
  const needed = new Set(aggregates.flatMap((call) => call.args.flatMap((arg) => [...columnsOf(arg)])))
  for (const key of keys) needed.delete(key.name)
  const columns = input.schema.columns.filter((c) => needed.has(c.name))
  // The new key has no window, so the bounds of the old one become columns where they are read.
  const bounds =
    input.windowed === null ? [] : ['WINDOWSTART', 'WINDOWEND'].filter((name) => needed.has(name))
  return [...columns, ...bounds.map((name): Column => ({ name, type: BIGINT, role: 'value' }))]
}

function rekeyByGroup(
  input: PlanNode,
  keys: readonly GroupKey[],
  aggregates: readonly AggregateCall[],
): RekeyNode {
  const values = neededColumns(input, keys, aggregates)
  return {
    kind: 'rekey',
    input,
    keys: keys.map((k) => k.expr),
    values: values.map((c): Expr => ({ kind: 'column', name: c.name, type: c.type })),
    nullKeys: 'drop',
    partitions: null,
    schema: {
      columns: [
        ...keys.map((k): Column => ({ name: k.name, type: k.expr.type, role: 'key' })),
        ...values.map((c): Column => ({ name: c.name, type: c.type, role: 'value' })),
      ],
    },
    output: 'stream',
    windowed: null,
  }
}

function callText(call: Pick<AggregateCall, 'function' | 'signature' | 'args' | 'parameters'>): string {
  const parameters = call.parameters.map((p) => (typeof p === 'bigint' ? `${p}n` : JSON.stringify(p)))
  return `${call.function}/${call.signature}(${call.args.map(printExpression).join(', ')};${parameters.join(', ')})`
}

/** The aggregate's state is kept in the value format of the source, which must be able to hold it. */
function checkStateFormat(
  call: AggregateCall,
  stateType: SqlType,
  node: ast.CallExpression,
  request: AggregationRequest,
): void {
  const { context, scope } = request
  const source = scope.columns()[0]?.source.source
  if (source === undefined || source.valueFormat.name !== 'DELIMITED') return
  const reason = context.formats.refuses(
    'value',
    [{ name: call.name, type: stateType, role: 'value' }],
    source.valueFormat,
  )
  if (reason === null) return
  throw new SqlError('SQL_AGGREGATE_STATE_FORMAT', {
    message: `${call.function} keeps its state as ${printType(stateType)}, which the value format ${source.valueFormat.name} of ${source.name} can't hold.`,
    at: node.at,
    hint: 'Copy the source with another VALUE_FORMAT first, or use another function.',
  })
}

function stateTypeOf(call: AggregateCall, context: PrepareContext): SqlType {
  const functionContext = { clock: systemClock, random: systemRandom, settings: context.settings }
  const types = call.args.map((a) => a.type)
  return context.functions.aggregateBody(
    call.function,
    call.signature,
    types,
    call.parameters,
    call.type,
    functionContext,
  ).stateType
}

function isBound(name: string): boolean {
  return name === 'WINDOWSTART' || name === 'WINDOWEND'
}

function misplacedBound(node: ast.ColumnReference): SqlError {
  return new SqlError('SQL_MISPLACED_WINDOW_BOUND', {
    message: `${node.name.text} of a window that is being computed can only stand in the SELECT list.`,
    at: node.at,
  })
}
