import { SqlError } from '../../base/errors.ts'
import type { SourceKind, WindowedKey } from '../../plan/data-source.ts'
import { columnsOf } from '../../plan/columns-of.ts'
import type { Expr } from '../../plan/expression.ts'
import type { JoinType, PlanNode, RekeyNode } from '../../plan/plan-node.ts'
import { keyColumns, valueColumns, type Column, type Schema } from '../../plan/schema.ts'
import { BOOLEAN, printType, sameType, type SqlType } from '../../plan/sql-type.ts'
import type { Expression, JoinRelation } from '../ast.ts'
import { printExpression } from '../print-expression.ts'
import { isOn, type PrepareContext } from './context.ts'
import { checkKeyTypes } from './format-spec.ts'
import type { KeyColumn, KeyedNode } from './keyed-node.ts'
import { freeName, planSource } from './plan-source.ts'
import { project } from './projection.ts'
import { QueryScope, type SourceColumn } from './query-scope.ts'
import type { QuerySource, QuerySources } from './query-sources.ts'
import type { ScopeColumn } from './scope.ts'
import { typeCondition, typeExpression, type TypingContext } from './type-expression.ts'
import { typeOf } from './untyped-null.ts'

type JoinKind = 'stream-stream' | 'stream-table' | 'table-table' | 'foreign-key'

/** One join, checked: which kind it is and which expressions meet. */
interface TypedJoin {
  readonly relation: JoinRelation
  readonly kind: JoinKind
  readonly left: Expr
  readonly right: Expr
  readonly conditions: Conditions
  /** Whether a side must be given the join expression as its key first. */
  readonly rekeyLeft: boolean
  readonly rekeyRight: boolean
  /** The key of the result. */
  readonly keys: readonly KeyColumn[]
}

/** The joins of a query from left to right. */
export interface TypedJoins {
  readonly joins: readonly TypedJoin[]
  /** The key of the result where no column of a source can be it: the query names it by this name. */
  readonly synthetic: ScopeColumn | null
  readonly keyName: string
}

/** What is known of everything to the left of a join. */
interface LeftSide {
  readonly kind: SourceKind
  readonly keys: readonly KeyColumn[]
  readonly windowed: WindowedKey | null
  readonly sources: readonly QuerySource[]
}

/** Checks the joins of a FROM clause: what meets what, and what the key of the result is. */
export function typeJoins(sources: QuerySources, used: Set<string>, context: PrepareContext): TypedJoins {
  const all = new QueryScope(sources.all, true, 'JOIN ON', used)
  const keyName = freeName('ROWKEY', new Set(all.columns().flatMap((c) => [c.column, c.name])))
  const first = sources.all[0]!
  let left: LeftSide = {
    kind: first.source.kind,
    keys: sourceKeys(first, all),
    windowed: first.source.windowedKey,
    sources: [first],
  }
  const joins: TypedJoin[] = []
  for (const [i, relation] of sources.joins.entries()) {
    const right = sources.all[i + 1]!
    const join = typeJoin(relation, left, right, all, keyName, i === 0, context)
    joins.push(join)
    left = {
      kind: join.kind === 'table-table' || join.kind === 'foreign-key' ? 'table' : 'stream',
      keys: join.keys,
      windowed: left.windowed,
      sources: [...left.sources, right],
    }
  }
  const last = joins.at(-1)!
  const isSynthetic = last.keys[0]?.written[0] === keyName
  return { joins, keyName, synthetic: isSynthetic ? { name: keyName, type: last.left.type } : null }
}

function sourceKeys(source: QuerySource, scope: QueryScope): KeyColumn[] {
  return scope
    .columns(source)
    .filter((c) => c.role === 'key')
    .map((c) => ({
      name: c.column,
      candidates: [c.name],
      exact: [c.name],
      written: [`${source.alias}.${c.column}`],
    }))
}

function typeJoin(
  relation: JoinRelation,
  left: LeftSide,
  right: QuerySource,
  all: QueryScope,
  keyName: string,
  isFirst: boolean,
  context: PrepareContext,
): TypedJoin {
  const described = `${left.sources.map((s) => s.source.name).join(', ')} and ${right.source.name}`
  const { leftExpr, rightExpr, further } = joinCondition(relation, left, right, all, context)
  const conditions = placeConditions(relation, right, further)
  const text = printExpression(relation.on)
  if (!sameType(leftExpr.type, rightExpr.type)) {
    throw new SqlError('SQL_JOIN_TYPES', {
      message: `The join ${text} compares ${printType(leftExpr.type)} with ${printType(rightExpr.type)}: the types must be the same.`,
      at: relation.on.at,
      hint: 'CAST one side to the type of the other.',
    })
  }
  checkKeyTypes([{ name: text, type: leftExpr.type, role: 'key' }], {
    at: relation.on.at,
  })
  checkWindows(left, right, relation)
  const rightKind = right.source.kind
  if (left.kind === 'table' && rightKind === 'stream') {
    throw new SqlError('SQL_JOIN_ORDER', {
      message: `A table can't be joined to a stream, as in ${described}: the stream must stand on the left.`,
      at: relation.at,
      hint: 'Swap the two.',
    })
  }
  const rightKeys = sourceKeys(right, all)
  const isRightKey = rightKeys.length === 1 && isColumn(rightExpr, rightKeys[0]!.candidates)
  const leftKey = left.keys.length === 1 ? left.keys[0]! : null
  const isLeftKey = leftKey !== null && isColumn(leftExpr, leftKey.exact)
  const meetsLeftKey = leftKey !== null && isColumn(leftExpr, leftKey.candidates)
  checkWithin(relation, left.kind === 'stream' && rightKind === 'stream')

  const base = { relation, left: leftExpr, right: rightExpr, conditions }
  const keys = [
    resultKey(relation.type, leftKey, meetsLeftKey, leftExpr, rightExpr, keyName, left, right, all),
  ]
  if (left.kind === 'stream') {
    const needsLeft = !isLeftKey
    const needsRight = rightKind === 'stream' && !isRightKey
    if (rightKind === 'table') {
      if (relation.type === 'RIGHT' || relation.type === 'FULL') {
        throw new SqlError('SQL_JOIN_TYPE', {
          message: `A ${relation.type} join is not possible between a stream and a table (${described}).`,
          at: relation.at,
          hint: 'Use INNER or LEFT.',
        })
      }
      if (!isRightKey) throw notOnPrimaryKey(text, right, relation, 'A stream')
    }
    if ((needsLeft && left.windowed !== null) || (needsRight && right.source.windowedKey !== null)) {
      throw new SqlError('SQL_WINDOWED_REPARTITION', {
        message: `The join ${text} would give a windowed source another key, which is not possible.`,
        at: relation.on.at,
      })
    }
    const kind = rightKind === 'stream' ? 'stream-stream' : 'stream-table'
    return { ...base, kind, rekeyLeft: needsLeft, rekeyRight: needsRight, keys }
  }
  if (!isRightKey) throw notOnPrimaryKey(text, right, relation, 'A table')
  if (meetsLeftKey) return { ...base, kind: 'table-table', rekeyLeft: false, rekeyRight: false, keys }
  if (!isFirst) {
    throw new SqlError('SQL_FOREIGN_KEY_NOT_FIRST', {
      message: `The join ${text} is on a foreign key, which is only possible for the first join of a query.`,
      at: relation.on.at,
      hint: 'Put that join first, or make a table of the joins before it.',
    })
  }
  if (relation.type === 'RIGHT' || relation.type === 'FULL') {
    throw new SqlError('SQL_JOIN_TYPE', {
      message: `A ${relation.type} join on a foreign key, as in ${text}, is not possible.`,
      at: relation.at,
      hint: 'Use INNER or LEFT.',
    })
  }
  if (left.windowed !== null || right.source.windowedKey !== null) {
    throw new SqlError('SQL_FOREIGN_KEY_WINDOWED', {
      message: 'A join on a foreign key is not possible with windowed tables.',
      at: relation.on.at,
    })
  }
  return { ...base, kind: 'foreign-key', rekeyLeft: false, rekeyRight: false, keys: left.keys }
}

/** A condition of ON beside the equality rows meet by. */
interface FurtherCondition {
  readonly expr: Expr
  readonly node: Expression
  readonly sources: ReadonlySet<QuerySource>
}

interface JoinCondition {
  readonly leftExpr: Expr
  readonly rightExpr: Expr
  readonly further: readonly FurtherCondition[]
}

/**
 * What ON says: the equality rows meet by, the left side about the sources so far and the right one about
 * the new source, and further conditions.
 */
function joinCondition(
  relation: JoinRelation,
  left: LeftSide,
  right: QuerySource,
  all: QueryScope,
  context: PrepareContext,
): JoinCondition {
  const { on } = relation
  const scope = new QueryScope([...left.sources, right], true, 'JOIN ON')
  const typing = { scope, functions: context.functions, types: context.catalog, clause: 'JOIN ON' }
  const conditions = conjuncts(on)
  if (conditions.length > 1 && isOn(context.settings, 'millrace.compatibility', false)) {
    throw new SqlError('SQL_JOIN_CONDITION', {
      message: 'A join takes one condition; ON has several.',
      at: on.at,
      hint: 'Move the others to WHERE.',
    })
  }
  const equality =
    conditions.length === 1 ? on : bestEquality(conditions, relation, left, right, scope, typing)
  const { leftExpr, rightExpr, columns } = equalSides(equality, left, right, scope, typing)
  for (const column of columns) all.use(column)
  const further = conditions
    .filter((node) => node !== equality)
    .map((node): FurtherCondition => {
      const expr = typeCondition(node, typing)
      const names = columnsOf(expr)
      const used = scope.columns().filter((c) => names.has(c.name))
      for (const column of used) all.use(column)
      return { expr, node, sources: new Set(used.map((c) => c.source)) }
    })
  return { leftExpr, rightExpr, further }
}

/** The conditions that AND joins. */
function conjuncts(node: Expression): readonly Expression[] {
  if (node.kind !== 'logical' || node.op !== 'AND') return [node]
  return [...conjuncts(node.left), ...conjuncts(node.right)]
}

/** The equality rows can best meet by: one about the keys where there is one, else the first. */
function bestEquality(
  conditions: readonly Expression[],
  relation: JoinRelation,
  left: LeftSide,
  right: QuerySource,
  scope: QueryScope,
  typing: TypingContext,
): Expression {
  const rightKeys = sourceKeys(right, scope)
  const leftKeys = left.keys.flatMap((key) => key.candidates)
  const rated = conditions.flatMap((node) => {
    const sides =
      node.kind === 'comparison' && node.op === '=' ? trySides(node, left, right, scope, typing) : null
    if (sides === null) return []
    const meetsRight = rightKeys.length === 1 && isColumn(sides.rightExpr, rightKeys[0]!.candidates)
    const meetsLeft = left.keys.length === 1 && isColumn(sides.leftExpr, leftKeys)
    return [{ node, rank: (meetsRight ? 2 : 0) + (meetsLeft ? 1 : 0) }]
  })
  const best = rated.toSorted((a, b) => b.rank - a.rank)[0]
  if (best !== undefined) return best.node
  throw new SqlError('SQL_JOIN_CONDITION', {
    message: `ON needs at least one = that compares ${right.alias} with ${left.sources.map((s) => s.alias).join(' or ')}, joined to the others by AND.`,
    at: relation.on.at,
  })
}

function trySides(
  node: Expression,
  left: LeftSide,
  right: QuerySource,
  scope: QueryScope,
  typing: TypingContext,
): EqualSides | null {
  try {
    return equalSides(node, left, right, scope, typing)
  } catch (error) {
    // One that rows can't meet by is a condition like any other, and refused as such where it is none.
    if (error instanceof SqlError) return null
    throw error
  }
}

interface EqualSides {
  readonly leftExpr: Expr
  readonly rightExpr: Expr
  readonly columns: readonly SourceColumn[]
}

/** The two sides of an equality, each about exactly one source. */
function equalSides(
  on: Expression,
  left: LeftSide,
  right: QuerySource,
  scope: QueryScope,
  typing: TypingContext,
): EqualSides {
  if (on.kind !== 'comparison' || on.op !== '=') {
    throw new SqlError('SQL_JOIN_CONDITION', {
      message: 'ON must compare the two sides by =.',
      at: on.at,
      hint: 'Move other conditions to WHERE.',
    })
  }
  const typed = [on.left, on.right].map((node) => {
    const expr = typeExpression(node, typing)
    const names = columnsOf(expr)
    const columns = scope.columns().filter((c) => names.has(c.name))
    const sources = new Set(columns.map((c) => c.source))
    if (sources.size !== 1 || typeOf(expr) === null) {
      throw new SqlError('SQL_JOIN_CONDITION', {
        message: `Each side of a join's = must be about exactly one source, but ${printExpression(node)} is about ${sources.size === 0 ? 'none' : [...sources].map((s) => s.alias).join(' and ')}.`,
        at: node.at,
      })
    }
    return { expr, columns, source: [...sources][0]! }
  })
  const [a, b] = [typed[0]!, typed[1]!]
  if ((a.source === right) === (b.source === right)) {
    throw new SqlError('SQL_JOIN_CONDITION', {
      message: `ON must compare ${right.alias} with ${left.sources.map((s) => s.alias).join(' or ')}.`,
      at: on.at,
      hint: `Write ON ${left.sources[0]!.alias}.column = ${right.alias}.column.`,
    })
  }
  const columns = typed.flatMap((side) => side.columns)
  return a.source === right
    ? { leftExpr: b.expr, rightExpr: a.expr, columns }
    : { leftExpr: a.expr, rightExpr: b.expr, columns }
}

/** Where the further conditions of a join apply; null: no condition. */
interface Conditions {
  /** To the rows of a side before they meet the others. */
  readonly left: Expr | null
  readonly right: Expr | null
  /** To matches. */
  readonly matches: Expr | null
}

/**
 * An outer join keeps rows that match nothing, so a condition decides what matches: it can be applied
 * beforehand to the side whose rows aren't kept, but not to matches afterwards.
 */
function placeConditions(
  relation: JoinRelation,
  right: QuerySource,
  further: readonly FurtherCondition[],
): Conditions {
  const applied: Record<keyof Conditions, Expr[]> = { left: [], right: [], matches: [] }
  for (const { expr, node, sources } of further) {
    const onlyRight = sources.size === 1 && sources.has(right)
    if (relation.type === 'INNER') applied[onlyRight ? 'right' : 'matches'].push(expr)
    else if (relation.type === 'LEFT' && onlyRight) applied.right.push(expr)
    else if (relation.type === 'RIGHT' && sources.size > 0 && !sources.has(right)) applied.left.push(expr)
    else {
      throw new SqlError('SQL_OUTER_JOIN_CONDITION', {
        message:
          relation.type === 'FULL'
            ? `A FULL join takes one condition: ${printExpression(node)} can't stand beside it.`
            : `In a ${relation.type} join a further condition must be about the side whose rows are not kept alone, which ${printExpression(node)} is not.`,
        at: node.at,
        hint:
          relation.type === 'FULL'
            ? 'Join the results of queries that have the condition in WHERE.'
            : `Write one about ${relation.type === 'LEFT' ? right.alias : 'the left side'} only, or use INNER, or move it to WHERE if rows without a match may go.`,
      })
    }
  }
  return { left: allOf(applied.left), right: allOf(applied.right), matches: allOf(applied.matches) }
}

function allOf(conditions: readonly Expr[]): Expr | null {
  return conditions.reduce<Expr | null>(
    (left, right) => (left === null ? right : { kind: 'logical', op: 'AND', left, right, type: BOOLEAN }),
    null,
  )
}

/** Candidates for the key of the result: what is equal to it, left before right; none for FULL joins. */
function resultKey(
  type: JoinType,
  leftKey: KeyColumn | null,
  meetsLeftKey: boolean,
  left: Expr,
  right: Expr,
  keyName: string,
  leftSide: LeftSide,
  rightSource: QuerySource,
  all: QueryScope,
): KeyColumn {
  const synthetic: KeyColumn = { name: keyName, candidates: [keyName], exact: [keyName], written: [keyName] }
  if (type === 'FULL') return synthetic
  const columns = (expr: Expr): string[] => (expr.kind === 'column' ? [expr.name] : [])
  const inherited =
    meetsLeftKey && leftKey !== null && leftKey.written[0] !== keyName ? leftKey.candidates : []
  const candidates = [...new Set([...inherited, ...columns(left), ...columns(right)])]
  if (candidates.length === 0) return synthetic
  const exactLeft = [
    ...(meetsLeftKey && leftKey !== null ? leftKey.exact.filter((c) => c !== keyName) : []),
    ...columns(left),
  ]
  const exact =
    type === 'INNER' ? [...exactLeft, ...columns(right)] : type === 'LEFT' ? exactLeft : columns(right)
  const written = candidates.map((name) => {
    const column = all
      .columns()
      .find((c) => c.name === name && [...leftSide.sources, rightSource].includes(c.source))
    return column === undefined ? name : `${column.source.alias}.${column.column}`
  })
  return { name: keyName, candidates, exact: [...new Set(exact)], written }
}

function isColumn(expr: Expr, names: readonly string[]): boolean {
  return expr.kind === 'column' && names.includes(expr.name)
}

function notOnPrimaryKey(text: string, right: QuerySource, relation: JoinRelation, what: string): SqlError {
  const keys = keyColumns(right.source.schema).map((c) => c.name)
  return new SqlError('SQL_JOIN_NOT_ON_KEY', {
    message: `${what} is joined to a table on that table's primary key, but ${text} is not about ${right.source.name}'s ${keys.join(', ')}.`,
    at: relation.on.at,
    hint:
      keys.length === 1
        ? `Compare with ${right.alias}.${keys[0]}.`
        : `${right.source.name} has several key columns, so it can't be joined to.`,
  })
}

function checkWindows(left: LeftSide, right: QuerySource, relation: JoinRelation): void {
  const l = left.windowed
  const r = right.source.windowedKey
  if (l === null && r === null) return
  if (l === null || r === null) {
    throw new SqlError('SQL_JOIN_WINDOWS', {
      message: `A windowed source can't be joined with one that isn't: ${l === null ? right.source.name : left.sources[0]!.source.name} is windowed.`,
      at: relation.at,
      hint: 'Rows of a windowed table have a window in their key: join tables whose windows are alike.',
    })
  }
  if ((l.type === 'SESSION') !== (r.type === 'SESSION')) {
    throw new SqlError('SQL_JOIN_WINDOWS', {
      message: `${left.sources[0]!.source.name} has ${l.type} windows and ${right.source.name} ${r.type} windows, which never have the same bounds.`,
      at: relation.at,
      hint: 'Session windows can be joined with session windows only, time windows with time windows only.',
    })
  }
}

function checkWithin(relation: JoinRelation, needed: boolean): void {
  if (needed && relation.within === null) {
    throw new SqlError('SQL_WITHIN_MISSING', {
      message: 'A join of two streams needs a WITHIN clause: how far apart in time rows may be.',
      at: relation.at,
      hint: 'Write it before ON: WITHIN 10 MINUTES ON …',
    })
  }
  if (!needed && relation.within !== null) {
    throw new SqlError('SQL_WITHIN_NOT_POSSIBLE', {
      message: 'WITHIN is only for joins of two streams.',
      at: relation.within.at,
      hint: 'Remove it.',
    })
  }
}

/** The plan of the joins; each side carries only the columns the query refers to. */
export function planJoins(
  typed: TypedJoins,
  sources: QuerySources,
  scope: QueryScope,
  context: PrepareContext,
): KeyedNode {
  let left = planSide(sources.all[0]!, scope, typed.keyName, context)
  for (const [i, join] of typed.joins.entries()) {
    left = planJoin(join, left, planSide(sources.all[i + 1]!, scope, typed.keyName, context), typed.keyName)
  }
  return left
}

interface Side {
  readonly node: PlanNode
  readonly partitions: number | undefined
  readonly name: string
}

/** A source with its columns named `<ALIAS>_<COLUMN>`, key columns copied into the value. */
function planSide(
  source: QuerySource,
  scope: QueryScope,
  keyName: string,
  context: PrepareContext,
): KeyedNode & Side {
  const { node, partitions } = planSource(source, context)
  const taken = new Set([...scope.columns().map((c) => c.name), keyName])
  const keys = keyColumns(node.schema).map((c) => ({ name: freeName(c.name, taken), expr: reference(c) }))
  const values = scope
    .columns(source)
    .filter((c) => scope.used.has(c.name))
    .map((c) => ({ name: c.name, expr: { kind: 'column', name: c.column, type: c.type } satisfies Expr }))
  return { node: project(node, keys, values), partitions, name: source.source.name, keys: [], keyWord: '' }
}

function planJoin(join: TypedJoin, left: Side, right: Side, keyName: string): KeyedNode & Side {
  const { relation } = join
  const target = partitionsOf(join, left, right)
  const keepLeft = relation.type === 'LEFT' || relation.type === 'FULL'
  const keepRight = relation.type === 'RIGHT' || relation.type === 'FULL'
  const { conditions } = join
  const leftInput = filtered(left.node, conditions.left)
  const rightInput = filtered(right.node, conditions.right)
  const leftNode = join.rekeyLeft ? rekeySide(leftInput, join.left, keyName, keepLeft, target) : leftInput
  const rightNode = join.rekeyRight
    ? rekeySide(rightInput, join.right, keyName, keepRight, target)
    : rightInput
  const keys =
    join.kind === 'foreign-key'
      ? keyColumns(leftNode.schema)
      : [{ name: keyName, type: join.left.type, role: 'key' } satisfies Column]
  const schema: Schema = {
    columns: [...keys, ...valueColumns(leftNode.schema), ...valueColumns(rightNode.schema)],
  }
  const common = { left: leftNode, right: rightNode, schema, windowed: leftNode.windowed }
  const result = (node: PlanNode): KeyedNode & Side => ({
    node: filtered(node, conditions.matches),
    keys:
      join.kind === 'foreign-key' ? join.keys.map((key, i) => ({ ...key, name: keys[i]!.name })) : join.keys,
    partitions: join.kind === 'foreign-key' ? left.partitions : target,
    name: left.name,
    keyWord: join.kind === 'foreign-key' ? 'primary key column' : 'join expression',
  })
  switch (join.kind) {
    case 'stream-stream': {
      const within = relation.within!
      return result({
        kind: 'stream-stream-join',
        ...common,
        join: relation.type,
        beforeMs: within.before.ms,
        afterMs: within.after.ms,
        graceMs: within.grace?.ms ?? null,
        output: 'stream',
      })
    }
    case 'stream-table':
      return result({ kind: 'stream-table-join', ...common, join: innerOrLeft(relation), output: 'stream' })
    case 'table-table':
      return result({ kind: 'table-table-join', ...common, join: relation.type, output: 'table' })
    case 'foreign-key':
      return result({
        kind: 'foreign-key-join',
        ...common,
        join: innerOrLeft(relation),
        foreignKey: join.left,
        output: 'table',
        windowed: null,
      })
  }
}

function filtered(input: PlanNode, predicate: Expr | null): PlanNode {
  if (predicate === null) return input
  const { schema, output, windowed } = input
  return { kind: 'filter', input, predicate, schema, output, windowed }
}

function innerOrLeft(relation: JoinRelation): 'INNER' | 'LEFT' {
  return relation.type === 'LEFT' ? 'LEFT' : 'INNER'
}

/** Partitions both sides have, or are given. @throws SqlError where neither side is re-keyed and they differ */
function partitionsOf(join: TypedJoin, left: Side, right: Side): number | undefined {
  if (join.rekeyLeft) return join.rekeyRight ? (left.partitions ?? right.partitions) : right.partitions
  if (join.rekeyRight) return left.partitions
  if (join.kind === 'foreign-key' || left.partitions === undefined || right.partitions === undefined)
    return left.partitions
  if (left.partitions === right.partitions) return left.partitions
  throw new SqlError('SQL_PARTITIONS_DIFFER', {
    message: `${left.name} has ${left.partitions} partitions and ${right.name} ${right.partitions}: rows of equal key would not meet.`,
    at: join.relation.at,
    hint: 'Copy one of them with as many partitions as the other: CREATE … WITH (PARTITIONS = …) AS SELECT …',
  })
}

function rekeySide(
  input: PlanNode,
  key: Expr,
  keyName: string,
  keepNulls: boolean,
  partitions: number | undefined,
): RekeyNode {
  const values = valueColumns(input.schema)
  return {
    kind: 'rekey',
    input,
    keys: [key],
    values: values.map(reference),
    nullKeys: keepNulls ? 'keep' : 'drop',
    partitions: partitions ?? null,
    schema: { columns: [{ name: keyName, type: key.type, role: 'key' }, ...values] },
    output: 'stream',
    windowed: null,
  }
}

function reference(column: { readonly name: string; readonly type: SqlType }): Expr {
  return { kind: 'column', name: column.name, type: column.type }
}
