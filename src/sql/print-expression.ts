import { unreachable } from '../base/assert.ts'
import type { Expression, Identifier, TypeNode } from './ast.ts'
import { isReservedWord } from './tokens.ts'

/**
 * An expression as SQL text in one canonical form: keywords and unquoted names in upper case, quotes and
 * parentheses only where they are needed. Reading the text again gives the same expression.
 */
export function printExpression(expression: Expression): string {
  return print(expression, LOOSEST)
}

/** As {@link printExpression}, for a place where a comparison or AND needs parentheses (GROUP BY). */
export function printValue(expression: Expression): string {
  return print(expression, VALUE)
}

/** As {@link printExpression}, for a place that takes nothing looser than a column or call. */
export function printPrimary(expression: Expression): string {
  return print(expression, PRIMARY)
}

/** Levels of precedence, the loosest first. */
const LOOSEST = 1
const AND = 2
const NOT = 3
const PREDICATE = 4
const VALUE = 5
const SUM = 6
const PRODUCT = 7
const UNARY = 8
const ZONED = 9
const PRIMARY = 10

function levelOf(expression: Expression): number {
  switch (expression.kind) {
    case 'logical':
      return expression.op === 'OR' ? LOOSEST : AND
    case 'not':
      return NOT
    case 'comparison':
    case 'between':
    case 'in':
    case 'like':
    case 'is-null':
      return PREDICATE
    case 'concat':
      return VALUE
    case 'arithmetic':
      return expression.op === '+' || expression.op === '-' ? SUM : PRODUCT
    case 'unary':
      return UNARY
    case 'at-time-zone':
      return ZONED
    default:
      return PRIMARY
  }
}

function print(expression: Expression, atLeast: number): string {
  const text = printBare(expression)
  return levelOf(expression) < atLeast ? `(${text})` : text
}

function printBare(e: Expression): string {
  switch (e.kind) {
    case 'string':
      return printText(e.value)
    case 'integer':
    case 'decimal':
    case 'double':
      return e.text
    case 'boolean':
      return e.value ? 'TRUE' : 'FALSE'
    case 'null':
      return 'NULL'
    case 'typed-literal':
      return `${e.type.name} ${printText(e.value)}`
    case 'column':
      return e.source === null ? printName(e.name) : `${printName(e.source)}.${printName(e.name)}`
    case 'unary': {
      const operand = print(e.operand, UNARY)
      // "--" would be a comment, and "-5" is a literal, not the negation of one.
      return e.op + (/^[-+.0-9]/.test(operand) ? `(${operand})` : operand)
    }
    case 'arithmetic': {
      const level = levelOf(e)
      return `${print(e.left, level)} ${e.op} ${print(e.right, level + 1)}`
    }
    case 'concat':
      return `${print(e.left, VALUE)} || ${print(e.right, SUM)}`
    case 'comparison':
      return `${print(e.left, VALUE)} ${e.op} ${print(e.right, VALUE)}`
    case 'logical': {
      const level = levelOf(e)
      return `${print(e.left, level)} ${e.op} ${print(e.right, level + 1)}`
    }
    case 'not':
      return `NOT ${print(e.operand, NOT)}`
    case 'between':
      return `${print(e.operand, VALUE)}${not(e.negated)} BETWEEN ${print(e.low, VALUE)} AND ${print(e.high, VALUE)}`
    case 'in':
      return `${print(e.operand, VALUE)}${not(e.negated)} IN (${list(e.items)})`
    case 'like': {
      const escape = e.escape === null ? '' : ` ESCAPE ${printText(e.escape.value)}`
      return `${print(e.operand, VALUE)}${not(e.negated)} LIKE ${print(e.pattern, VALUE)}${escape}`
    }
    case 'is-null':
      return `${print(e.operand, VALUE)} IS${not(e.negated)} NULL`
    case 'case': {
      const operand = e.operand === null ? '' : ` ${print(e.operand, VALUE)}`
      const branches = e.branches.map(
        (b) => ` WHEN ${printExpression(b.when)} THEN ${printExpression(b.then)}`,
      )
      const otherwise = e.otherwise === null ? '' : ` ELSE ${printExpression(e.otherwise)}`
      return `CASE${operand}${branches.join('')}${otherwise} END`
    }
    case 'cast':
      return `CAST(${printExpression(e.operand)} AS ${printTypeNode(e.type)})`
    case 'at-time-zone':
      return `${print(e.operand, PRIMARY)} AT TIME ZONE ${printText(e.zone.value)}`
    case 'subscript':
      return `${print(e.operand, PRIMARY)}[${print(e.index, VALUE)}]`
    case 'field':
      return `${print(e.operand, PRIMARY)}->${printName(e.field)}`
    case 'array':
      return `ARRAY[${list(e.items)}]`
    case 'map':
      return `MAP(${e.entries.map((entry) => `${printExpression(entry.key)} := ${printExpression(entry.value)}`).join(', ')})`
    case 'struct':
      return `STRUCT(${e.fields.map((field) => `${printName(field.name)} := ${printExpression(field.value)}`).join(', ')})`
    case 'call':
      return `${printName(e.name)}(${e.star ? '*' : list(e.args)})`
    case 'lambda': {
      const names = e.parameters.map(printName)
      return `${names.length === 1 ? names[0] : `(${names.join(', ')})`} => ${printExpression(e.body)}`
    }
    case 'time-unit':
      return e.unit
    case 'parameter':
      return e.name === null ? '?' : `:${e.name}`
    default:
      return unreachable(e)
  }
}

function not(negated: boolean): string {
  return negated ? ' NOT' : ''
}

function list(items: readonly Expression[]): string {
  return items.map(printExpression).join(', ')
}

/** A type as written in a definition or CAST. */
export function printTypeNode(type: TypeNode): string {
  switch (type.kind) {
    case 'named-type':
      return printName(type.name) + (type.parameters.length === 0 ? '' : `(${type.parameters.join(', ')})`)
    case 'decimal-type':
      return `DECIMAL(${type.precision}, ${type.scale})`
    case 'array-type':
      return `ARRAY<${printTypeNode(type.element)}>`
    case 'map-type':
      return `MAP<${printTypeNode(type.key)}, ${printTypeNode(type.value)}>`
    case 'struct-type':
      return `STRUCT<${type.fields.map((f) => `${printName(f.name)} ${printTypeNode(f.type)}`).join(', ')}>`
    default:
      return unreachable(type)
  }
}

/** A name, in back quotes only where it would otherwise mean something else. */
export function printName(identifier: Pick<Identifier, 'name'>): string {
  const { name } = identifier
  const isPlain = /^[A-Z_][A-Z0-9_@]*$/.test(name) && !isReservedWord(name) && !MEANINGFUL_NAMES.has(name)
  return isPlain ? name : `\`${name.replaceAll('`', '``')}\``
}

/** Names that begin a construct of their own in some places. */
const MEANINGFUL_NAMES: ReadonlySet<string> = new Set(['ARRAY', 'MAP', 'STRUCT', 'TABLES', 'COLUMN'])

/** A text in single quotes. */
export function printText(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}
