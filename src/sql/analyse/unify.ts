import type { Position } from '../../base/errors.ts'
import { canCast } from '../../functions/cast.ts'
import { readLiteral, unifyTypes, type UnifiedItem } from '../../functions/unification.ts'
import type { Expr } from '../../plan/expression.ts'
import { printExpression } from '../../plan/print-expression.ts'
import { printType, sameType, type SqlType } from '../../plan/sql-type.ts'
import { SqlError } from '../../base/errors.ts'
import { coerce } from './coerce.ts'
import { placed } from './placed.ts'
import { isUntypedNull, typeOf } from './untyped-null.ts'

/** An element of a list and where it stands. */
export interface Element {
  readonly expr: Expr
  readonly at: Position
  /** As it was written. */
  readonly text: string
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
  const at = elements[0]?.at
  if (at === undefined) return null
  const type = placed(at, () => unifyTypes(elements.map((e) => ({ ...itemOf(e.expr), text: e.text }))))
  if (type === null) return null
  return { type, items: elements.map((e) => placed(e.at, () => convert(e.expr, type, e.at))) }
}

function itemOf(expr: Expr): UnifiedItem {
  const item = {
    type: typeOf(expr),
    literal:
      expr.kind === 'literal' && typeof expr.value === 'string' && expr.type.kind === 'STRING'
        ? expr.value
        : null,
    text: printExpression(expr),
  }
  // The type of a typed NULL inside a constructor was only taken from its neighbours.
  const part = (role: string, inner: Expr): { role: string; item: UnifiedItem } => ({
    role,
    item: inner.kind === 'literal' && inner.value === null ? { ...itemOf(inner), type: null } : itemOf(inner),
  })
  switch (expr.kind) {
    case 'array':
      return { ...item, parts: expr.items.map((e) => part('element', e)) }
    case 'map':
      return { ...item, parts: expr.entries.flatMap((e) => [part('key', e.key), part('value', e.value)]) }
    case 'struct': {
      const fields = expr.type.kind === 'STRUCT' ? expr.type.fields : []
      return { ...item, parts: expr.fields.map((e, i) => part(fields[i]!.name, e)) }
    }
    default:
      return item
  }
}

function convert(expr: Expr, type: SqlType, at: Position): Expr {
  if (isUntypedNull(expr)) return coerce(expr, type)
  if (sameType(expr.type, type)) return expr
  if (expr.kind === 'literal') {
    if (expr.value === null) return { kind: 'literal', value: null, type }
    if (typeof expr.value === 'string') return { kind: 'literal', value: readLiteral(expr.value, type), type }
    if (type.kind === 'STRING') return { kind: 'literal', value: printExpression(expr), type }
  }
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
  if (type.kind === 'STRING' || !canCast(expr.type, type)) {
    throw new SqlError('SQL_TYPE_MISMATCH', {
      message: `${printExpression(expr)} is of type ${printType(expr.type)} where ${printType(type)} is needed.`,
      at,
      hint: 'An explicit CAST may help.',
    })
  }
  return coerce(expr, type)
}
