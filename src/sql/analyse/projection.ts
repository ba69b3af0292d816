import { SqlError, type Position } from '../../base/errors.ts'
import type { Expr } from '../../plan/expression.ts'
import type { PlanNode, ProjectNode, RekeyNode } from '../../plan/plan-node.ts'
import { findColumn, keyColumns, type Column, type ColumnRole } from '../../plan/schema.ts'
import type { KeyColumn, KeyedNode } from './keyed-node.ts'
import { freeName } from './plan-source.ts'

/** A column of the result over the input's columns. */
export interface ResultColumn {
  readonly name: string
  readonly expr: Expr
  readonly at: Position
}

/** The last step of a query whose result is written: every key column must be selected exactly once. */
export function projectForSink(
  input: KeyedNode,
  columns: readonly ResultColumn[],
  sink: string,
  at: Position,
): ProjectNode {
  const chosen = input.keys.map((key) => chooseKey(key, columns))
  checkMissing(input, chosen, sink, at)
  const isKey = new Set<ResultColumn>()
  const keys = input.keys.map((key, i) => {
    const selected = chosen[i]!
    if (selected.length > 1) {
      throw new SqlError('SQL_KEY_TWICE', {
        message: `The key column ${key.written[0] ?? key.name} is selected more than once: as ${selected.map((c) => c.name).join(' and ')}.`,
        at: selected[1]!.at,
        hint: `Copy it into the value with AS_VALUE(${key.written[0] ?? key.name}).`,
      })
    }
    isKey.add(selected[0]!)
    return { name: selected[0]!.name, expr: keyReference(input.node, key) }
  })
  const values = columns.filter((c) => !isKey.has(c))
  if (values.length === 0) {
    throw new SqlError('SQL_NO_VALUE_COLUMNS', {
      message: 'The SELECT list has no value columns, only the key.',
      at,
      hint: 'Select a further column, or copy the key with AS_VALUE.',
    })
  }
  checkDistinct(columns)
  return project(input.node, keys, values)
}

/**
 * The last step of a sub-query. Its rows have the key of its input where the key is selected; a stream's
 * rows may do without, a table's are told apart by it.
 */
export function projectDerived(
  input: KeyedNode,
  columns: readonly ResultColumn[],
  name: string,
  at: Position,
): ProjectNode | RekeyNode {
  checkDistinct(columns)
  const chosen = input.keys.map((key) => chooseKey(key, columns))
  if (input.node.output === 'table') checkMissing(input, chosen, name, at)
  if (chosen.some((of) => of.length === 0)) {
    return {
      kind: 'rekey',
      input: input.node,
      keys: [],
      values: columns.map((c) => c.expr),
      nullKeys: 'keep',
      partitions: null,
      schema: { columns: columns.map((c): Column => ({ name: c.name, type: c.expr.type, role: 'value' })) },
      output: 'stream',
      windowed: null,
    }
  }
  const isKey = new Set(chosen.map((of) => of[0]!))
  const keys = input.keys.map((key, i) => ({
    name: chosen[i]![0]!.name,
    expr: keyReference(input.node, key),
  }))
  return project(
    input.node,
    keys,
    columns.filter((c) => !isKey.has(c)),
  )
}

/** The same for the reference's other planner: keys in the order of the SELECT list, which may leave them out. */
export function projectKeysAsSelected(
  input: KeyedNode,
  columns: readonly ResultColumn[],
  sink: string,
  at: Position,
): PlanNode {
  const selected = columns.flatMap((c) => input.keys.filter((key) => chooseKey(key, columns)[0] === c))
  if (selected.length === input.keys.length)
    return projectForSink({ ...input, keys: selected }, columns, sink, at)
  const keys = selected.map((key) => chooseKey(key, columns)[0]!)
  const values = columns.filter((c) => !keys.includes(c))
  if (values.length === 0 || input.node.output === 'table') return projectForSink(input, columns, sink, at)
  checkDistinct(columns)
  const asColumn =
    (role: ColumnRole) =>
    (c: ResultColumn): Column => ({ name: c.name, type: c.expr.type, role })
  return {
    kind: 'rekey',
    input: input.node,
    keys: keys.map((c) => c.expr),
    values: values.map((c) => c.expr),
    nullKeys: 'keep',
    partitions: null,
    schema: { columns: [...keys.map(asColumn('key')), ...values.map(asColumn('value'))] },
    output: input.node.output,
    windowed: null,
  }
}

/**
 * The last step of a query whose rows go to a client. Key columns that were not selected are kept under
 * hidden names, since changes of a table need their key.
 *
 * @returns the node and, in SELECT order, the names of the result's columns in its schema
 */
export function projectForClient(
  input: KeyedNode,
  columns: readonly ResultColumn[],
): { readonly node: ProjectNode; readonly shown: readonly string[] } {
  checkDistinct(columns)
  const taken = new Set(columns.map((c) => c.name))
  const isKey = new Set<ResultColumn>()
  const keys = input.keys.map((key) => {
    const selected = chooseKey(key, columns).find((c) => !isKey.has(c))
    if (selected !== undefined) isKey.add(selected)
    const name = selected?.name ?? freeName(key.name, taken)
    taken.add(name)
    return { name, expr: keyReference(input.node, key) }
  })
  const values = columns.filter((c) => !isKey.has(c))
  return { node: project(input.node, keys, values), shown: columns.map((c) => c.name) }
}

/** The selected columns that are the key: those of the first candidate that is selected at all. */
function chooseKey(key: KeyColumn, columns: readonly ResultColumn[]): readonly ResultColumn[] {
  for (const candidate of key.candidates) {
    const selected = columns.filter((c) => c.expr.kind === 'column' && c.expr.name === candidate)
    if (selected.length > 0) return selected
  }
  return []
}

function keyReference(node: PlanNode, key: KeyColumn): Expr {
  const column = findColumn({ columns: keyColumns(node.schema) }, key.name)!
  return { kind: 'column', name: column.name, type: column.type }
}

export function project(
  input: PlanNode,
  keys: readonly { readonly name: string; readonly expr: Expr }[],
  values: readonly { readonly name: string; readonly expr: Expr }[],
): ProjectNode {
  const columns = [
    ...keys.map((k): Column => ({ name: k.name, type: k.expr.type, role: 'key' })),
    ...values.map((v): Column => ({ name: v.name, type: v.expr.type, role: 'value' })),
  ]
  return {
    kind: 'project',
    input,
    columns: [...keys, ...values].map((c) => c.expr),
    schema: { columns },
    output: input.output,
    windowed: input.windowed,
  }
}

function checkMissing(
  input: KeyedNode,
  chosen: readonly (readonly ResultColumn[])[],
  sink: string,
  at: Position,
): void {
  const missing = input.keys.filter((_, i) => chosen[i]!.length === 0)
  const first = missing[0]
  if (first === undefined) return
  const plural = missing.length > 1 ? 's' : ''
  const alternatives = missing.map((key) => key.written.join(' or ')).join(' and ')
  throw new SqlError('SQL_KEY_NOT_SELECTED', {
    message: `The SELECT list for ${sink} must have the ${input.keyWord}${plural} ${alternatives}.`,
    at,
    hint: `Add ${missing.map((key) => key.written[0]).join(', ')} to the SELECT list.`,
  })
}

function checkDistinct(columns: readonly ResultColumn[]): void {
  const seen = new Set<string>()
  for (const column of columns) {
    if (seen.has(column.name)) {
      throw new SqlError('SQL_DUPLICATE_COLUMN', {
        message: `Two columns of the SELECT list are named ${column.name}.`,
        at: column.at,
        hint: 'Give one of them another alias.',
      })
    }
    seen.add(column.name)
  }
}
