import { unreachable } from '../base/assert.ts'
import type { Expr, Lambda, TableFunctionCall } from './expression.ts'
import { inputsOf, type PlanNode, type QueryPlan, type WindowSpec } from './plan-node.ts'
import { printAggregate, printName, printWith } from './print-expression.ts'
import { keyColumns, valueColumns, type Schema } from './schema.ts'

/** A query's plan as text: one line per node, inputs indented below it. What EXPLAIN shows. */
export function printPlan(plan: QueryPlan): string {
  const lines: string[] = []
  if (plan.sink !== null) lines.push(`sink ${plan.sink.kind} ${printName(plan.sink.topic)}`)
  if (plan.limit !== null) lines.push(`${indent(lines.length)}limit ${plan.limit}`)
  printNode(plan.root, lines.length, lines)
  return lines.join('\n')
}

/** Adds the lines of a node and, indented below it, of its inputs. */
function printNode(node: PlanNode, depth: number, lines: string[]): void {
  lines.push(`${indent(depth)}${describeNode(node)}`)
  for (const input of inputsOf(node)) printNode(input, depth + 1, lines)
}

function indent(depth: number): string {
  return '  '.repeat(depth)
}

/**
 * What the columns of a node that have no name of the user's are computed by: aggregates, table functions and
 * LAG give their results names of their own, which say nothing to who wrote the query.
 */
function computedBy(node: PlanNode): ReadonlyMap<string, string> {
  const below = new Map(inputsOf(node).flatMap((input) => [...computedBy(input)]))
  const nameOf = namesBy(below)
  switch (node.kind) {
    case 'aggregate':
    case 'table-aggregate':
      return new Map(node.aggregates.map((a) => [a.name, printAggregate(a, nameOf)]))
    case 'flat-map':
      for (const call of node.functions) below.set(call.name, tableFunctionText(call, nameOf))
      return below
    case 'lag':
      for (const { name, arg, rows } of node.calls)
        below.set(name, `LAG(${bare(printWith(arg, nameOf))}, ${rows})`)
      return below
    case 'project':
      // Its columns have the user's names, except those it hands on.
      return new Map(
        [...below].filter(([name]) =>
          node.columns.some(
            (c, i) => c.kind === 'column' && c.name === name && node.schema.columns[i]!.name === name,
          ),
        ),
      )
    default:
      return below
  }
}

function namesBy(computed: ReadonlyMap<string, string>): (name: string) => string {
  return (name) => computed.get(name) ?? printName(name)
}

function describeNode(node: PlanNode): string {
  const nameOf = namesBy(new Map(inputsOf(node).flatMap((input) => [...computedBy(input)])))
  const printExpression = (expr: Expr | Lambda): string => printWith(expr, nameOf)
  switch (node.kind) {
    case 'source':
      return `${node.source.kind === 'table' ? 'table' : 'source'} ${printName(node.source.name)}`
    case 'filter':
      return `filter ${bare(printExpression(node.predicate))}`
    case 'project':
      return `project ${node.schema.columns
        .map((c, i) => {
          const column = node.columns[i]!
          const text = bare(printExpression(column))
          const isHandedOn = column.kind === 'column' && column.name === c.name
          const named = isHandedOn ? text : `${text} AS ${printName(c.name)}`
          return c.role === 'key' ? `${named} KEY` : named
        })
        .join(', ')}`
    case 'flat-map':
      return `flat-map ${node.functions.map((call) => tableFunctionText(call, nameOf)).join(', ')}`
    case 'rekey': {
      if (node.keys.length === 0) return `repartition by nothing${describeRest(node.schema)}`
      const keys = keyColumns(node.schema).map((c, i) => {
        const text = bare(printExpression(node.keys[i]!))
        return text === printName(c.name) ? text : `${text} AS ${printName(c.name)}`
      })
      const nulls = node.nullKeys === 'keep' ? ' keep nulls' : ''
      const partitions = node.partitions === null ? '' : ` into ${node.partitions}`
      return `repartition ${keys.join(', ')}${nulls}${partitions}${describeRest(node.schema)}`
    }
    case 'aggregate': {
      const window = node.window === null ? '' : ` ${describeWindow(node.window)}`
      const emit = node.emit === 'final' ? ' final' : ''
      return `aggregate by ${names(node.schema)}: ${node.aggregates.map((a) => printAggregate(a, nameOf)).join(', ')}${window}${emit}`
    }
    case 'table-aggregate': {
      const by = node.groupBy.map((e) => bare(printExpression(e))).join(', ')
      return `table aggregate by ${by}: ${node.aggregates.map((a) => printAggregate(a, nameOf)).join(', ')}`
    }
    case 'stream-stream-join': {
      const grace = node.graceMs === null ? '' : ` grace ${node.graceMs} ms`
      return `stream-stream ${node.join.toLowerCase()} join within ${node.beforeMs} ms before, ${node.afterMs} ms after${grace}`
    }
    case 'stream-table-join':
      return `stream-table ${node.join.toLowerCase()} join`
    case 'table-table-join':
      return `table-table ${node.join.toLowerCase()} join`
    case 'lag':
      return `lag by ${names(node.schema)}: ${node.calls.map((c) => `${bare(printExpression(c.arg))} ${c.rows} before`).join(', ')}`
    case 'union':
      return 'union'
    case 'foreign-key-join':
      return `foreign-key ${node.join.toLowerCase()} join on ${bare(printExpression(node.foreignKey))}`
    case 'alert': {
      const parts = [`alert ${printName(node.name)} when ${bare(printExpression(node.condition))}`]
      if (node.forMs > 0) parts.push(`for ${node.forMs} ms`)
      if (node.keepFiringForMs > 0) parts.push(`keep firing for ${node.keepFiringForMs} ms`)
      if (node.resolveWhen !== null) parts.push(`resolve when ${bare(printExpression(node.resolveWhen))}`)
      if (node.noData !== null) parts.push(`no data after ${node.noData.afterMs} ms then ${node.noData.then}`)
      if (node.severity !== null) parts.push(`severity ${node.severity}`)
      return parts.join(', ')
    }
    default:
      return unreachable(node)
  }
}

function tableFunctionText(call: TableFunctionCall, nameOf: (column: string) => string): string {
  return `${call.function}(${call.args.map((arg) => printWith(arg, nameOf)).join(', ')})`
}

function describeWindow(window: WindowSpec): string {
  const rest = `grace ${window.graceMs} ms retention ${window.retentionMs} ms`
  switch (window.type) {
    case 'TUMBLING':
      return `tumbling ${window.sizeMs} ms ${rest}`
    case 'HOPPING':
      return `hopping ${window.sizeMs} ms by ${window.advanceMs} ms ${rest}`
    case 'SESSION':
      return `session ${window.gapMs} ms ${rest}`
    default:
      return unreachable(window)
  }
}

function describeRest(schema: Schema): string {
  const values = valueColumns(schema)
  return values.length === 0 ? '' : ` with ${values.map((c) => printName(c.name)).join(', ')}`
}

function names(schema: Schema): string {
  return keyColumns(schema)
    .map((c) => printName(c.name))
    .join(', ')
}

/** Without the outermost parentheses: a whole line needs none. */
function bare(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text
  let depth = 0
  let quoted: string | null = null
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (quoted !== null) {
      if (c === quoted) quoted = null
    } else if (c === "'" || c === '`') quoted = c
    else if (c === '(') depth++
    else if (c === ')' && --depth === 0 && i < text.length - 1) return text
  }
  return text.slice(1, -1)
}
