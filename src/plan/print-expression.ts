import { unreachable } from '../base/assert.ts'
import type { AggregateCall, Expr, Lambda } from './expression.ts'
import { printType, type SqlType } from './sql-type.ts'
import type { SqlValue } from './sql-value.ts'

/** An expression as SQL, for EXPLAIN and for errors. Operators are in parentheses, as deep as they nest. */
export function printExpression(expr: Expr | Lambda): string {
  return printWith(expr, printName)
}

/** The same, with `nameOf` for names of columns: what computes a column may say more than its name. */
export function printWith(expr: Expr | Lambda, nameOf: (column: string) => string): string {
  const print = (part: Expr | Lambda): string => printWith(part, nameOf)
  const list = (items: readonly (Expr | Lambda)[]): string => items.map(print).join(', ')
  switch (expr.kind) {
    case 'literal':
      return printValue(expr.value, expr.type)
    case 'column':
      return nameOf(expr.name)
    case 'parameter':
      return expr.name
    case 'arithmetic':
    case 'comparison':
    case 'logical':
      return `(${print(expr.left)} ${expr.op} ${print(expr.right)})`
    case 'negate':
      return `-${print(expr.operand)}`
    case 'not':
      return `(NOT ${print(expr.operand)})`
    case 'is-null':
      return `(${print(expr.operand)} IS ${expr.negated ? 'NOT ' : ''}NULL)`
    case 'in':
      return `(${print(expr.operand)} ${expr.negated ? 'NOT ' : ''}IN (${list(expr.items)}))`
    case 'like': {
      const escape = expr.escape === null ? '' : ` ESCAPE ${quoteText(expr.escape)}`
      const not = expr.negated ? 'NOT ' : ''
      return `(${print(expr.operand)} ${not}LIKE ${print(expr.pattern)}${escape})`
    }
    case 'case': {
      const branches = expr.branches.map((b) => `WHEN ${print(b.when)} THEN ${print(b.then)}`)
      const otherwise = expr.otherwise === null ? '' : ` ELSE ${print(expr.otherwise)}`
      return `(CASE ${branches.join(' ')}${otherwise} END)`
    }
    case 'cast':
      return `CAST(${print(expr.operand)} AS ${printType(expr.type)})`
    case 'subscript':
      return `${print(expr.operand)}[${print(expr.index)}]`
    case 'field':
      return `${print(expr.operand)}->${printName(expr.field)}`
    case 'array':
      return `ARRAY[${list(expr.items)}]`
    case 'map':
      return `MAP(${expr.entries.map((e) => `${print(e.key)}:=${print(e.value)}`).join(', ')})`
    case 'struct': {
      const fields = expr.type.kind === 'STRUCT' ? expr.type.fields : []
      return `STRUCT(${expr.fields.map((f, i) => `${printName(fields[i]?.name ?? '')}:=${print(f)}`).join(', ')})`
    }
    case 'call':
      return `${expr.function}(${list(expr.args)})`
    case 'lambda': {
      const names = expr.parameters.map((p) => p.name).join(', ')
      const head = expr.parameters.length === 1 ? names : `(${names})`
      return `${head} => ${print(expr.body)}`
    }
    default:
      return unreachable(expr)
  }
}

/** An aggregate's call as SQL, `SUM(A)`. */
export function printAggregate(call: AggregateCall, nameOf = printName): string {
  const args = call.args.map((arg) => printWith(arg, nameOf))
  const given = [...args, ...call.parameters.map((p) => printValue(p, null))]
  return `${call.function}(${given.length === 0 ? '*' : given.join(', ')})`
}

/** A name as it would have to be written: in back quotes unless it is upper case and plain. */
export function printName(name: string): string {
  return /^[A-Z_][A-Z0-9_]*$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** A value as a literal would write it, as far as there are literals. */
export function printValue(value: SqlValue, type: SqlType | null): string {
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
