import { SqlError, type Position } from '../../base/errors.ts'
import type { Expr } from '../../plan/expression.ts'
import { printExpression } from '../../plan/print-expression.ts'
import {
  arrayOf,
  isNumeric,
  mapOf,
  printType,
  sameType,
  STRING,
  structOf,
  type SqlType,
} from '../../plan/sql-type.ts'
import { isCastable } from './cast-rules.ts'
import { coerce, widerNumber } from './coerce.ts'
import { numberFromText } from './literals.ts'
import { isUntypedNull } from './untyped-null.ts'

/** An element of a list and where it stands. */
export interface Element {
  readonly expr: Expr
  readonly at: Position
}

/**
 * Brings the elements of an ARRAY, MAP or IN list to one type: the first non-null element leads, numbers
 * widen, string literals next to numbers or booleans are read as such, STRUCTs become the union of their
 * fields.
 *
 * @returns null when there is no element with a type
 */
export function unify(
  elements: readonly Element[],
): { readonly type: SqlType; readonly items: readonly Expr[] } | null {
  const type = commonType(elements.map((e) => e.expr))
  if (type === null) return null
  return { type, items: elements.map((e) => convert(e.expr, type, e.at)) }
}

function commonType(exprs: readonly Expr[]): SqlType | null {
  const typed = exprs.filter((e) => !isUntypedNull(e))
  const plain = typed.filter((e) => !isStringLiteral(e))
  const lead = plain[0] ?? typed[0]
  if (lead === undefined) return null
  if (lead.type.kind === 'STRING') return STRING
  let common: SqlType = lead.type
  for (const expr of typed) {
    if (expr === lead) continue
    common = widen(common, isStringLiteral(expr) ? readAs(expr, common) : expr.type)
  }
  return common
}

/** The type a string literal counts as next to `common`: that of the number in it, else no widening. */
function readAs(expr: Expr, common: SqlType): SqlType {
  if (!isNumeric(common) || expr.kind !== 'literal' || typeof expr.value !== 'string') return common
  return numberFromText(expr.value)?.type ?? common
}

function widen(common: SqlType, other: SqlType): SqlType {
  const number = widerNumber(common, other)
  if (number !== null) return number
  if (common.kind === 'ARRAY' && other.kind === 'ARRAY') return arrayOf(widen(common.element, other.element))
  if (common.kind === 'MAP' && other.kind === 'MAP') {
    return mapOf(widen(common.key, other.key), widen(common.value, other.value))
  }
  if (common.kind === 'STRUCT' && other.kind === 'STRUCT') {
    const mine = common.fields.map((field) => {
      const theirs = other.fields.find((f) => f.name === field.name)
      return theirs === undefined ? field : { name: field.name, type: widen(field.type, theirs.type) }
    })
    const added = other.fields.filter((field) => !common.fields.some((f) => f.name === field.name))
    return structOf([...mine, ...added])
  }
  return common
}

function convert(expr: Expr, type: SqlType, at: Position): Expr {
  if (sameType(expr.type, type)) return coerce(expr, type)
  if (expr.kind === 'literal' && expr.value === null) return { kind: 'literal', value: null, type }
  if (isStringLiteral(expr)) return convertText(expr, type, at)
  if (expr.kind === 'array' && type.kind === 'ARRAY') {
    return { kind: 'array', items: expr.items.map((item) => convert(item, type.element, at)), type }
  }
  if (expr.kind === 'map' && type.kind === 'MAP') {
    const entries = expr.entries.map((e) => ({
      key: convert(e.key, type.key, at),
      value: convert(e.value, type.value, at),
    }))
    return { kind: 'map', entries, type }
  }
  if (expr.kind === 'struct' && type.kind === 'STRUCT' && expr.type.kind === 'STRUCT') {
    const given = expr.type.fields
    const fields = type.fields.map((field): Expr => {
      const index = given.findIndex((f) => f.name === field.name)
      return index < 0
        ? { kind: 'literal', value: null, type: field.type }
        : convert(expr.fields[index]!, field.type, at)
    })
    return { kind: 'struct', fields, type }
  }
  if (type.kind === 'STRING' && expr.kind === 'literal') {
    const text = printExpression(expr)
    return { kind: 'literal', value: text, type }
  }
  if (!isImplicit(expr.type, type)) throw mismatch(expr, type, at)
  return coerce(expr, type)
}

function isImplicit(from: SqlType, to: SqlType): boolean {
  if (sameType(from, to)) return true
  if (isNumeric(from) && isNumeric(to)) return true
  if (from.kind === 'ARRAY' && to.kind === 'ARRAY') return isImplicit(from.element, to.element)
  if (from.kind === 'MAP' && to.kind === 'MAP') {
    return isImplicit(from.key, to.key) && isImplicit(from.value, to.value)
  }
  if (from.kind === 'STRUCT' && to.kind === 'STRUCT') {
    return to.fields.every((field) => {
      const source = from.fields.find((f) => f.name === field.name)
      return source === undefined || isImplicit(source.type, field.type)
    })
  }
  return false
}

/** A string literal read as a value of `type`, leniently: booleans by prefix, numbers, times. */
function convertText(expr: Expr, type: SqlType, at: Position): Expr {
  const text = expr.kind === 'literal' && typeof expr.value === 'string' ? expr.value : ''
  if (isNumeric(type)) {
    const number = numberFromText(text)
    if (number === null) throw invalidText(text, type, at)
    return coerce(number, type)
  }
  if (type.kind === 'BOOLEAN') {
    const value = booleanFromText(text)
    if (value === null) throw invalidText(text, type, at)
    return { kind: 'literal', value, type }
  }
  if (!isCastable(STRING, type)) throw mismatch(expr, type, at)
  return { kind: 'cast', operand: expr, type }
}

/** `t`, `true`, `y`, `yes` and their opposites, in any case, also cut short; null for anything else. */
export function booleanFromText(text: string): boolean | null {
  const word = text.trim().toLowerCase()
  if (word === '') return null
  if ('true'.startsWith(word) || 'yes'.startsWith(word)) return true
  if ('false'.startsWith(word) || 'no'.startsWith(word)) return false
  return null
}

function isStringLiteral(expr: Expr): boolean {
  return expr.kind === 'literal' && typeof expr.value === 'string' && expr.type.kind === 'STRING'
}

function invalidText(text: string, type: SqlType, at: Position): SqlError {
  return new SqlError('SQL_INVALID_LITERAL', {
    message: `'${text}' can't be read as ${printType(type)}.`,
    at,
  })
}

function mismatch(expr: Expr, type: SqlType, at: Position): SqlError {
  return new SqlError('SQL_TYPE_MISMATCH', {
    message: `${printExpression(expr)} is of type ${printType(expr.type)} where ${printType(type)} is needed.`,
    at,
    hint: 'An explicit CAST may help.',
  })
}
