import { unreachable } from '../base/assert.ts'
import type { TableFunctionCall } from './expression.ts'
import { inputsOf, type PlanNode, type QueryPlan, type WindowSpec } from './plan-node.ts'
import { printAggregate, printExpression, printName } from './print-expression.ts'
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

function describeNode(node: PlanNode): string {
  switch (node.kind) {
    case 'source':
      return `${node.source.kind === 'table' ? 'table' : 'source'} ${printName(node.source.name)}`
    case 'filter':
      return `filter ${bare(printExpression(node.predicate))}`
    case 'project':
      return `project ${node.schema.columns
        .map((c, i) => {
          const text = bare(printExpression(node.columns[i]!))
          const named = text === printName(c.name) ? text : `${text} AS ${printName(c.name)}`
          return c.role === 'key' ? `${named} KEY` : named
        })
        .join(', ')}`
    case 'flat-map':
      return `flat-map ${node.functions.map(describeTableFunction).join(', ')}`
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
      return `aggregate by ${names(node.schema)}: ${node.aggregates.map(printAggregate).join(', ')}${window}${emit}`
    }
    case 'table-aggregate': {
      const by = node.groupBy.map((e) => bare(printExpression(e))).join(', ')
      return `table aggregate by ${by}: ${node.aggregates.map(printAggregate).join(', ')}`
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
      return `lag by ${names(node.schema)}: ${node.calls.map((c) => `${bare(printExpression(c.arg))} ${c.rows} before AS ${printName(c.name)}`).join(', ')}`
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

function describeTableFunction(call: TableFunctionCall): string {
  return `${call.function}(${call.args.map(printExpression).join(', ')}) AS ${printName(call.name)}`
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
