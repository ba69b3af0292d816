import { SqlError } from '../../base/errors.ts'
import type { DataSource } from '../../plan/data-source.ts'
import type { Expr } from '../../plan/expression.ts'
import type { PlanNode, RekeyNode, UnionNode } from '../../plan/plan-node.ts'
import { findColumn, keyColumns, valueColumns, type Column } from '../../plan/schema.ts'
import { printType, sameType } from '../../plan/sql-type.ts'
import type { Query, SubqueryRelation, UnionRelation } from '../ast.ts'
import { isOn, type PrepareContext } from './context.ts'
import type { KeyedNode } from './keyed-node.ts'
import type { PlannedQuery } from './plan-query.ts'
import { project } from './projection.ts'

/** How a query inside another one is planned: `name` is its alias, for errors. */
export type PlanInner = (query: Query, name: string) => PlannedQuery

/** A sub-query as part of the plan around it: no topic lies between the two. */
export function planDerived(
  relation: SubqueryRelation | UnionRelation,
  alias: string,
  context: PrepareContext,
  plan: PlanInner,
): { readonly source: DataSource; readonly derived: KeyedNode } {
  if (isOn(context.settings, 'millrace.compatibility', false)) {
    throw new SqlError('SQL_SUBQUERY', {
      message:
        relation.kind === 'union-relation'
          ? 'There is no UNION.'
          : 'A query cannot stand inside another one.',
      at: relation.at,
      hint: 'Make it a stream or table of its own with CREATE … AS.',
    })
  }
  return relation.kind === 'union-relation'
    ? planUnion(relation, alias, plan)
    : described(plan(relation.query, alias), alias)
}

function described(
  planned: Pick<PlannedQuery, 'root' | 'output' | 'leftMost' | 'partitions'>,
  alias: string,
): { readonly source: DataSource; readonly derived: KeyedNode } {
  const { root, leftMost } = planned
  return {
    source: {
      name: alias,
      kind: planned.output,
      // Defaults for what is made of the rows: its number of partitions, formats.
      topic: leftMost.topic,
      schema: root.schema,
      keyFormat: leftMost.keyFormat,
      valueFormat: leftMost.valueFormat,
      windowedKey: root.windowed,
      timestamp: null,
      headers: [],
      readOnly: false,
      statement: '',
      createdBy: null,
    },
    derived: {
      node: root,
      keys: keyColumns(root.schema).map(({ name }) => ({
        name,
        candidates: [name],
        exact: [name],
        written: [name],
      })),
      partitions: planned.partitions,
      keyWord: 'key column',
    },
  }
}

/** UNION ALL: the rows of several streams with equal columns, merged by their time. */
function planUnion(
  relation: UnionRelation,
  alias: string,
  plan: PlanInner,
): { readonly source: DataSource; readonly derived: KeyedNode } {
  const branches = relation.branches.map((query) => {
    const planned = plan(query, alias)
    if (planned.output === 'stream') return { query, planned }
    throw new SqlError('SQL_UNION_OF_TABLES', {
      message:
        'UNION ALL puts streams together, but this query gives a table: rows of one key would replace each other.',
      at: query.at,
      hint: 'Join the tables instead: t1 FULL JOIN t2.',
    })
  })
  const first = branches[0]!.planned
  const { columns } = first.root.schema
  const inputs = branches.map(({ query, planned }, i): PlanNode => {
    if (i === 0) return planned.root
    checkSame(query, planned, first)
    const renamed = renameAs(planned, first)
    const keys = keyColumns(renamed.schema)
    const together =
      keys.length === 0 ||
      (planned.partitions !== undefined &&
        planned.partitions === first.partitions &&
        planned.leftMost.keyFormat.name === first.leftMost.keyFormat.name)
    return together ? renamed : rekeyed(renamed, first.partitions ?? null)
  })
  const root: UnionNode = {
    kind: 'union',
    inputs,
    schema: { columns },
    output: 'stream',
    windowed: first.root.windowed,
  }
  const { leftMost, partitions } = first
  return described({ root, output: 'stream', leftMost, partitions }, alias)
}

/** Columns are compared in the order of the SELECT lists; names are those of the first. */
function checkSame(query: Query, planned: PlannedQuery, first: PlannedQuery): void {
  const refuse = (message: string, hint: string): never => {
    throw new SqlError('SQL_UNION_COLUMNS', { message, at: query.at, hint })
  }
  if (planned.shown.length !== first.shown.length) {
    refuse(
      `The queries of a UNION ALL need equally many columns: the first has ${first.shown.length}, this one ${planned.shown.length}.`,
      'Select NULL AS name, with a CAST, where one has nothing to give.',
    )
  }
  for (const [i, name] of planned.shown.entries()) {
    const own = findColumn(planned.root.schema, name)!
    const wanted = findColumn(first.root.schema, first.shown[i]!)!
    if (!sameType(own.type, wanted.type)) {
      refuse(
        `Column ${i + 1} of the first query, ${wanted.name}, is ${printType(wanted.type)}, but here ${own.name} is ${printType(own.type)}.`,
        `CAST(${own.name} AS ${printType(wanted.type)}).`,
      )
    }
    if (own.role !== wanted.role) {
      refuse(
        `Column ${i + 1} is ${wanted.role === 'key' ? 'the key' : 'no key'} in the first query, but ${own.role === 'key' ? 'the key' : 'no key'} here.`,
        'Give both the same key with PARTITION BY.',
      )
    }
  }
  const window = (plan: PlannedQuery): string => plan.root.windowed?.type ?? 'none'
  if (window(planned) !== window(first)) {
    refuse('The keys of the queries have different windows.', 'Copy the streams without their windows first.')
  }
}

function renameAs(planned: PlannedQuery, first: PlannedQuery): PlanNode {
  const named = (wanted: Column): { readonly name: string; readonly expr: Expr } => {
    const own = planned.shown[first.shown.indexOf(wanted.name)]!
    return { name: wanted.name, expr: { kind: 'column', name: own, type: wanted.type } }
  }
  return project(
    planned.root,
    keyColumns(first.root.schema).map(named),
    valueColumns(first.root.schema).map(named),
  )
}

/** Rows go where the first query's rows of their key are. */
function rekeyed(input: PlanNode, partitions: number | null): RekeyNode {
  const column = ({ name, type }: Column): Expr => ({ kind: 'column', name, type })
  return {
    kind: 'rekey',
    input,
    keys: keyColumns(input.schema).map(column),
    values: valueColumns(input.schema).map(column),
    nullKeys: 'keep',
    partitions,
    schema: input.schema,
    output: 'stream',
    windowed: null,
  }
}
