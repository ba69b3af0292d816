import { unreachable } from '../base/assert.ts'
import type {
  Duration,
  ExpressionList,
  OrderItem,
  Query,
  Relation,
  SelectItem,
  ReadRelation,
  WindowClause,
} from './ast.ts'
import { printExpression, printName, printPrimary, printValue } from './print-expression.ts'

/** A query as SQL text on one line, without `;`. */
export function printQuery(query: Query): string {
  const parts =
    query.from.kind === 'union-relation'
      ? [query.from.branches.map(printQuery).join(' UNION ALL ')]
      : [`SELECT ${query.items.map(printItem).join(', ')}`, `FROM ${printRelation(query.from)}`]
  if (query.window !== null) parts.push(printWindow(query.window))
  if (query.where !== null) parts.push(`WHERE ${printExpression(query.where)}`)
  if (query.groupBy !== null) parts.push(`GROUP BY ${printList(query.groupBy)}`)
  if (query.partitionBy !== null) parts.push(`PARTITION BY ${printList(query.partitionBy)}`)
  if (query.having !== null) parts.push(`HAVING ${printExpression(query.having)}`)
  if (query.emit !== null) parts.push(`EMIT ${query.emit.mode.toUpperCase()}`)
  if (query.orderBy.length > 0) parts.push(`ORDER BY ${query.orderBy.map(printOrder).join(', ')}`)
  if (query.limit !== null) parts.push(`LIMIT ${query.limit.value}`)
  if (query.offset !== null) parts.push(`OFFSET ${query.offset.value}`)
  return parts.join(' ')
}

function printOrder(item: OrderItem): string {
  const direction = item.direction === 'DESC' ? ' DESC' : ''
  return `${printExpression(item.expression)}${direction}${item.nulls === null ? '' : ` NULLS ${item.nulls}`}`
}

function printItem(item: SelectItem): string {
  switch (item.kind) {
    case 'all-columns':
      return item.source === null ? '*' : `${printName(item.source)}.*`
    case 'all-fields':
      return `${printPrimary(item.operand)}->*`
    case 'select-expression':
      return printExpression(item.expression) + (item.alias === null ? '' : ` AS ${printName(item.alias)}`)
    default:
      return unreachable(item)
  }
}

function printRelation(relation: Relation): string {
  if (relation.kind !== 'join-relation') return printSource(relation)
  const within =
    relation.within === null
      ? ''
      : ` WITHIN ${printBounds(relation.within)}${relation.within.grace === null ? '' : ` GRACE PERIOD ${printDuration(relation.within.grace)}`}`
  const on = printExpression(relation.on)
  return `${printRelation(relation.left)} ${relation.type} JOIN ${printSource(relation.right)}${within} ON ${on}`
}

function printSource(relation: ReadRelation): string {
  if (relation.kind === 'union-relation') return relation.branches.map(printQuery).join(' UNION ALL ')
  const read =
    relation.kind === 'source-relation' ? printName(relation.name) : `(${printQuery(relation.query)})`
  return read + (relation.alias === null ? '' : ` AS ${printName(relation.alias)}`)
}

function printBounds({ before, after }: { readonly before: Duration; readonly after: Duration }): string {
  const same = before.value === after.value && before.unit === after.unit
  return same ? printDuration(before) : `(${printDuration(before)}, ${printDuration(after)})`
}

function printWindow(window: WindowClause): string {
  const times = [
    ...(window.retention === null ? [] : [`RETENTION ${printDuration(window.retention)}`]),
    ...(window.grace === null ? [] : [`GRACE PERIOD ${printDuration(window.grace)}`]),
  ]
  const name = window.name === null ? '' : `${printName(window.name)} `
  const shape = (): string => {
    switch (window.kind) {
      case 'tumbling':
        return `TUMBLING (${[`SIZE ${printDuration(window.size)}`, ...times].join(', ')})`
      case 'hopping': {
        const advance = `ADVANCE BY ${printDuration(window.advance)}`
        return `HOPPING (${[`SIZE ${printDuration(window.size)}`, advance, ...times].join(', ')})`
      }
      case 'session':
        return `SESSION (${[printDuration(window.gap), ...times].join(', ')})`
      default:
        return unreachable(window)
    }
  }
  return `WINDOW ${name}${shape()}`
}

export function printDuration(duration: Pick<Duration, 'value' | 'unit'>): string {
  return `${duration.value} ${duration.unit}`
}

function printList(list: ExpressionList): string {
  return list.items.length === 0 ? '()' : list.items.map(printValue).join(', ')
}
