import { SqlError } from '../../base/errors.ts'
import type { Command } from '../../plan/command.ts'
import type { DataSource } from '../../plan/data-source.ts'
import { inputsOf, type PlanNode, type QueryPlan } from '../../plan/plan-node.ts'
import { printAggregate, printExpression, printName, printWith } from '../../plan/print-expression.ts'
import { findColumn, keyColumns, valueColumns, type Column } from '../../plan/schema.ts'
import { printType, sameType } from '../../plan/sql-type.ts'
import type { CreateAsStatement, CreateSourceStatement, Identifier } from '../ast.ts'
import { parseStatements } from '../parse.ts'
import { isOn, type PrepareContext } from './context.ts'
import { planQuery } from './plan-query.ts'

/** Checks that a new stream or table may have its name. Returns the command for IF NOT EXISTS that found one. */
export function checkNewName(
  statement: CreateSourceStatement | CreateAsStatement,
  context: PrepareContext,
): Command | null {
  const { name, what } = statement
  if (!/^[A-Za-z0-9_-]+$/.test(name.name)) {
    throw new SqlError('SQL_INVALID_NAME', {
      message: `${name.text} can't be the name of a ${what}: only letters, digits, _ and - are possible.`,
      at: name.at,
    })
  }
  if (statement.orReplace && !isOn(context.settings, 'ksql.create.or.replace.enabled', true)) {
    throw new SqlError('SQL_REPLACE_DISABLED', {
      message: "CREATE OR REPLACE is switched off by 'ksql.create.or.replace.enabled'.",
      at: name.at,
    })
  }
  const existing = context.catalog.source(name.name)
  if (existing === undefined) return null
  if (statement.ifNotExists) {
    return { kind: 'nothing', message: `The ${existing.kind} ${name.name} exists already.` }
  }
  if (statement.orReplace) {
    if (existing.kind === what) return null
    throw new SqlError('SQL_REPLACE_KIND', {
      message: `${name.text} is a ${existing.kind} and can't be replaced by a ${what}.`,
      at: name.at,
    })
  }
  throw new SqlError('SQL_SOURCE_EXISTS', {
    message: `There is already a ${existing.kind} named ${name.text}.`,
    at: name.at,
    hint: 'DROP it first, choose another name, or use CREATE OR REPLACE.',
  })
}

/**
 * Checks that what exists under a name may become `next`: same topic, formats and keys, value columns
 * only appended; for results of queries, the same state behind them.
 */
export function checkReplacement(
  next: DataSource,
  plan: QueryPlan | null,
  name: Identifier,
  context: PrepareContext,
): void {
  const old = context.catalog.source(name.name)
  if (old === undefined) return
  const refuse = (what: string): never => {
    throw new SqlError('SQL_REPLACE_DIFFERS', {
      message: `${name.text} can't be replaced: ${what}.`,
      at: name.at,
      hint:
        plan === null
          ? 'DROP it and declare it anew: the records of its topic stay. Or declare the new one under another name.'
          : 'DROP it and create it anew: the new query then reads everything again. Or create it under another name.',
    })
  }
  if (old.readOnly || next.readOnly) refuse('it is read-only')
  if ((old.createdBy === null) !== (next.createdBy === null)) {
    refuse(
      old.createdBy === null
        ? 'it was declared and is not the result of a query'
        : 'it is the result of a query',
    )
  }
  if (old.topic !== next.topic) refuse(`its topic is ${old.topic} and would be ${next.topic}`)
  if (!sameSpec(old.keyFormat, next.keyFormat))
    refuse(`its key format is ${old.keyFormat.name} and would be ${next.keyFormat.name}`)
  if (!sameSpec(old.valueFormat, next.valueFormat))
    refuse(`its value format is ${old.valueFormat.name} and would be ${next.valueFormat.name}`)
  if (JSON.stringify(old.timestamp) !== JSON.stringify(next.timestamp)) refuse('its TIMESTAMP column differs')
  if (JSON.stringify(old.windowedKey) !== JSON.stringify(next.windowedKey)) refuse('its windows differ')
  const sameColumns = (a: readonly Column[], b: readonly Column[]): boolean =>
    a.every((column, i) => column.name === b[i]?.name && sameType(column.type, b[i].type))
  const oldKeys = keyColumns(old.schema)
  const newKeys = keyColumns(next.schema)
  if (
    oldKeys.length !== newKeys.length ||
    !sameColumns(oldKeys, newKeys) ||
    !sameColumns(valueColumns(old.schema), valueColumns(next.schema))
  ) {
    refuse(`${columnsDiffer(old, next)}; columns can only be added, at the end`)
  }
  if (plan === null) return
  const before = replannedSource(old, context)
  if (before === null) return
  const reason = stateDiffers(before, plan.root)
  if (reason !== null) refuse(reason)
}

/** What of the columns is not as before. */
function columnsDiffer(old: DataSource, next: DataSource): string {
  const oldKeys = keyColumns(old.schema)
  const newKeys = keyColumns(next.schema)
  const names = (columns: readonly Column[]): string =>
    columns.map((c) => printName(c.name)).join(', ') || 'none'
  if (oldKeys.length !== newKeys.length || oldKeys.some((c, i) => c.name !== newKeys[i]!.name)) {
    return `its key columns would be ${names(newKeys)} instead of ${names(oldKeys)}`
  }
  for (const [i, column] of [...oldKeys, ...valueColumns(old.schema)].entries()) {
    const other = [...newKeys, ...valueColumns(next.schema)][i]
    const same = findColumn(next.schema, column.name)
    if (same === undefined) return `its column ${printName(column.name)} would be missing`
    if (!sameType(same.type, column.type)) {
      return `its column ${printName(column.name)} would be ${printType(same.type)} instead of ${printType(column.type)}`
    }
    if (other?.name !== column.name) return `its column ${printName(column.name)} would stand elsewhere`
  }
  return 'its columns would differ'
}

/** The plan of what made a source, as it would be today; null if it can't be told. */
function replannedSource(old: DataSource, context: PrepareContext): PlanNode | null {
  const statement = parseStatements(old.statement, { variables: false })[0]
  if (statement?.kind !== 'create-as') return null
  return planQuery(statement.query, { kind: 'sink', name: old.name, what: 'The query' }, context).root
}

/** Why the new plan can't go on from the old one's state, or null if it can. */
function stateDiffers(before: PlanNode, after: PlanNode): string | null {
  for (const node of [...allNodes(before), ...allNodes(after)]) {
    if (node.kind.endsWith('-join')) return "queries with joins can't be changed"
    if (node.kind === 'table-aggregate') return "aggregations over tables can't be changed"
    if (node.kind === 'aggregate' && node.window !== null) return "windowed aggregations can't be changed"
  }
  if (stateText(before) === stateText(after)) return null
  const old = stateParts(before)
  const next = stateParts(after)
  const part = PARTS.find((name) => old[name].join(', ') !== next[name].join(', '))
  if (part === undefined) return 'what its query remembers would be of another shape'
  const from = old[part].join(', ')
  const to = next[part].join(', ')
  const change =
    from === ''
      ? `would be ${to}, and was not there`
      : to === ''
        ? `${from} would be gone`
        : `would be ${to} instead of ${from}`
  return `its ${part} ${change}, and what was read before is not computed anew`
}

/** In the words of the statement, in its order. */
const PARTS = [
  'source',
  'PARTITION BY',
  'GROUP BY',
  'aggregates',
  'LAG',
  'HAVING',
  'table functions',
] as const
type StateParts = Record<(typeof PARTS)[number], string[]>

/** What of a plan has state or decides where rows go, by the clause it comes from. */
function stateParts(root: PlanNode): StateParts {
  const parts: StateParts = {
    source: [],
    'PARTITION BY': [],
    'GROUP BY': [],
    aggregates: [],
    LAG: [],
    HAVING: [],
    'table functions': [],
  }
  const visit = (node: PlanNode, above: PlanNode | null): void => {
    if (node.kind === 'source') parts.source.push(node.source.name)
    else if (node.kind === 'rekey') {
      const clause = above?.kind === 'aggregate' ? 'GROUP BY' : 'PARTITION BY'
      parts[clause].push(...node.keys.map(printExpression))
    } else if (node.kind === 'aggregate') {
      if (node.input.kind !== 'rekey') parts['GROUP BY'].push(...keyColumns(node.schema).map((c) => c.name))
      parts.aggregates.push(...node.aggregates.map((a) => printAggregate(a)))
    } else if (node.kind === 'lag') parts.LAG.push(...node.calls.map((c) => printExpression(c.arg)))
    else if (node.kind === 'flat-map') parts['table functions'].push(...node.functions.map((f) => f.function))
    else if (node.kind === 'filter' && node.input.kind === 'aggregate') {
      const computed = new Map(node.input.aggregates.map((a) => [a.name, printAggregate(a)]))
      parts.HAVING.push(printWith(node.predicate, (name) => computed.get(name) ?? printName(name)))
    }
    for (const input of inputsOf(node)) visit(input, node)
  }
  visit(root, null)
  return parts
}

function allNodes(node: PlanNode): readonly PlanNode[] {
  return [node, ...inputsOf(node).flatMap(allNodes)]
}

/** What of a plan has state or decides where rows go; projections and filters before it may change. */
function stateText(node: PlanNode): string {
  const inner = inputsOf(node).map(stateText).join(', ')
  switch (node.kind) {
    case 'source':
      return node.source.name
    case 'rekey':
      return `rekey(${node.keys.map(printExpression).join(', ')}; ${inner})`
    case 'aggregate':
      return `aggregate(${node.aggregates.map((a) => printAggregate(a)).join(', ')}; ${node.emit}; ${inner})`
    case 'lag':
      return `lag(${node.calls.map((c) => `${printExpression(c.arg)} ${c.rows}`).join(', ')}; ${inner})`
    case 'flat-map':
      return `flat-map(${inner})`
    case 'filter':
      // A filter above an aggregate is its HAVING.
      return inner.startsWith('aggregate(') ? `having(${printExpression(node.predicate)}; ${inner})` : inner
    default:
      return inner
  }
}

function sameSpec(a: DataSource['keyFormat'], b: DataSource['keyFormat']): boolean {
  return a.name === b.name && JSON.stringify(a.properties) === JSON.stringify(b.properties)
}
