import { unreachable } from '../base/assert.ts'
import type { AggregateCall, Expr, Lambda } from './expression.ts'
import { printType, type SqlType } from './sql-type.ts'
import type { SqlValue } from './sql-value.ts'

/** An expression as SQL, for EXPLAIN and for errors. Operators are in parentheses, as deep as they nest. */
export function printExpression(expr: Expr | Lambda): string {
  switch (expr.kind) {
    case 'literal':
      return printValue(expr.value, expr.type)
    case 'column':
      return printName(expr.name)
    case 'parameter':
      return expr.name
    case 'arithmetic':
    case 'comparison':
    case 'logical':
      return `(${printExpression(expr.left)} ${expr.op} ${printExpression(expr.right)})`
    case 'negate':
      return `-${printExpression(expr.operand)}`
    case 'not':
      return `(NOT ${printExpression(expr.operand)})`
    case 'is-null':
      return `(${printExpression(expr.operand)} IS ${expr.negated ? 'NOT ' : ''}NULL)`
    case 'in':
      return `(${printExpression(expr.operand)} ${expr.negated ? 'NOT ' : ''}IN (${list(expr.items)}))`
    case 'like': {
      const escape = expr.escape === null ? '' : ` ESCAPE ${quoteText(expr.escape)}`
      const not = expr.negated ? 'NOT ' : ''
      return `(${printExpression(expr.operand)} ${not}LIKE ${printExpression(expr.pattern)}${escape})`
    }
    case 'case': {
      const branches = expr.branches.map(
        (b) => `WHEN ${printExpression(b.when)} THEN ${printExpression(b.then)}`,
      )
      const otherwise = expr.otherwise === null ? '' : ` ELSE ${printExpression(expr.otherwise)}`
      return `(CASE ${branches.join(' ')}${otherwise} END)`
    }
    case 'cast':
      return `CAST(${printExpression(expr.operand)} AS ${printType(expr.type)})`
    case 'subscript':
      return `${printExpression(expr.operand)}[${printExpression(expr.index)}]`
    case 'field':
      return `${printExpression(expr.operand)}->${printName(expr.field)}`
    case 'array':
      return `ARRAY[${list(expr.items)}]`
    case 'map':
      return `MAP(${expr.entries.map((e) => `${printExpression(e.key)}:=${printExpression(e.value)}`).join(', ')})`
    case 'struct': {
      const fields = expr.type.kind === 'STRUCT' ? expr.type.fields : []
      return `STRUCT(${expr.fields.map((f, i) => `${printName(fields[i]?.name ?? '')}:=${printExpression(f)}`).join(', ')})`
    }
    case 'call':
      return `${expr.function}(${list(expr.args)})`
    case 'lambda': {
      const names = expr.parameters.map((p) => p.name).join(', ')
      const head = expr.parameters.length === 1 ? names : `(${names})`
      return `${head} => ${printExpression(expr.body)}`
    }
    default:
      return unreachable(expr)
  }
}

/** An aggregate's call as SQL, `SUM(A)`. */
export function printAggregate(call: AggregateCall): string {
  const args = call.args.map(printExpression)
  return `${call.function}(${[...args, ...call.parameters.map((p) => printValue(p, null))].join(', ')})`
}

/** A name as it would have to be written: in back quotes unless it is upper case and plain. */
export function printName(name: string): string {
  return /^[A-Z_][A-Z0-9_]*$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``
}

function list(items: readonly (Expr | Lambda)[]): string {
  return items.map(printExpression).join(', ')
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function printValue(value: SqlValue, type: SqlType | null): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return quoteText(value)
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') {
    return type?.kind === 'DOUBLE' && Number.isInteger(value) ? value.toFixed(1) : String(value)
  }
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString('hex')}'`
  if (Array.isArray(value)) return `[${value.map((v: SqlValue) => printValue(v, null)).join(', ')}]`
  if (value instanceof Map) {
    return `{${[...value].map(([k, v]: [SqlValue, SqlValue]) => `${printValue(k, null)}=${printValue(v, null)}`).join(', ')}}`
  }
  if ('toFixed' in value) return type?.kind === 'DECIMAL' ? value.toFixed(type.scale) : value.toFixed()
  return ''
}
