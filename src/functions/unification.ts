import { SqlError } from '../base/errors.ts'
import {
  BIGINT,
  decimal,
  DOUBLE,
  INTEGER,
  isNumeric,
  printType,
  sameType,
  type SqlKind,
  type SqlType,
  type StructField,
} from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import {
  canImplicitlyCast,
  castFunction,
  commonNumericType,
  isTrueText,
  parseBigint,
  parseDecimal,
  parseDouble,
} from './cast.ts'

/** An element of an ARRAY, MAP or IN list, as unification sees it. */
export interface UnifiedItem {
  /** null: an untyped NULL. */
  readonly type: SqlType | null
  /** The text of a STRING literal, else null: literals may be read as other types. */
  readonly literal: string | null
  /** As the user wrote it, for errors. */
  readonly text: string
  /**
   * What a constructor was given, so that literals inside it may be read as other types: role `element` in an
   * ARRAY, `key` and `value` in a MAP, the field's name in a STRUCT.
   */
  readonly parts?: readonly { readonly role: string; readonly item: UnifiedItem }[]
}

type TypedItem = UnifiedItem & { readonly type: SqlType }

/**
 * The one type of the elements of an ARRAY, MAP or IN list. The first element leads that is no NULL and no STRING literal;
 * numbers widen to the widest; beside a number or BOOLEAN, STRING literals are read as one; STRUCTs unite
 * their fields. Bring every item to it with {@link readLiteral} (STRING literals of another target) or a cast.
 *
 * @returns null if there are only NULLs
 * @throws SqlError two items have no common type, or a literal cannot be read as it
 */
export function unifyTypes(items: readonly UnifiedItem[]): SqlType | null {
  const typed = items.filter(isTyped)
  // A STRING literal leads only if there is nothing else.
  const base = typed.find((item) => item.literal === null) ?? typed[0]
  if (base === undefined) return null
  let common = base.type
  for (const item of typed) {
    if (item !== base) common = widen(common, item)
  }
  return common
}

function widen(common: SqlType, item: TypedItem): SqlType {
  const { type, literal, text } = item
  if (sameType(common, type) && item.parts === undefined) return common
  if (isNumeric(common)) {
    if (isNumeric(type)) return commonNumericType(common, type)
    if (literal !== null) return commonNumericType(common, numberTypeOf(literal, common))
  }
  if (literal !== null) {
    readLiteral(literal, common)
    return common
  }
  switch (common.kind) {
    case 'STRING':
      // Whatever has a plain text may stand beside a STRING.
      if (isNumeric(type) || type.kind === 'BOOLEAN') return common
      break
    case 'ARRAY':
      if (type.kind === 'ARRAY') {
        return { kind: 'ARRAY', element: widenPart(common.element, item, 'element', type.element) }
      }
      break
    case 'MAP':
      if (type.kind === 'MAP') {
        return {
          kind: 'MAP',
          key: widenPart(common.key, item, 'key', type.key),
          value: widenPart(common.value, item, 'value', type.value),
        }
      }
      break
    case 'STRUCT':
      if (type.kind === 'STRUCT') {
        const fields: StructField[] = common.fields.map((field) => {
          const other = type.fields.find((f) => f.name === field.name)
          return other === undefined
            ? field
            : { name: field.name, type: widenPart(field.type, item, field.name, other.type) }
        })
        for (const field of type.fields) {
          if (!fields.some((f) => f.name === field.name)) fields.push(field)
        }
        return { kind: 'STRUCT', fields }
      }
      break
    default:
      if (canImplicitlyCast(type, common)) return common
  }
  throw new SqlError('SQL_NO_COMMON_TYPE', {
    message: `operator does not exist: ${kindText(common)} = ${kindText(type)} (${text})`,
    hint: 'You might need to add explicit type casts.',
  })
}

function isTyped(item: UnifiedItem): item is TypedItem {
  return item.type !== null
}

/* A constructor's parts one by one, anything else by the type of its part. */
function widenPart(common: SqlType, whole: TypedItem, role: string, type: SqlType): SqlType {
  const parts = whole.parts?.filter((part) => part.role === role).map((part) => part.item) ?? []
  if (parts.length === 0) return widen(common, { type, literal: null, text: whole.text })
  return parts.filter(isTyped).reduce(widen, common)
}

function kindText(type: SqlType): string {
  return type.kind === 'DECIMAL' ? 'DECIMAL' : printType(type)
}

/** The numeric type of a literal's digits, as if they stood there without quotes. */
function numberTypeOf(literal: string, common: SqlType): SqlType {
  const text = literal.trim()
  try {
    if (/^[+-]?\d+$/.test(text)) {
      const value = parseBigint(text)
      return typeof value === 'number' && value === (value | 0) ? INTEGER : BIGINT
    }
    if (/[eE]/.test(text)) {
      parseDouble(text)
      return DOUBLE
    }
    parseDecimal(text)
  } catch {
    throw badLiteral(literal, common.kind)
  }
  const digits = text.replace(/^[+-]/, '').replace(/^0+(?=\d)/, '')
  const scale = digits.includes('.') ? digits.length - digits.indexOf('.') - 1 : 0
  return decimal(Math.max(digits.replace('.', '').length, scale + 1), scale)
}

/**
 * Reads a STRING literal as a value of a type: where a BOOLEAN or number is expected too.
 *
 * @throws SqlError it cannot be read so
 */
export function readLiteral(literal: string, type: SqlType): SqlValue {
  if (type.kind === 'BOOLEAN') {
    const lower = literal.trim().toLowerCase()
    if (isTrueText(literal)) return true
    if (lower !== '' && ('false'.startsWith(lower) || 'no'.startsWith(lower))) return false
    throw badLiteral(literal, type.kind)
  }
  if (type.kind === 'ARRAY' || type.kind === 'MAP' || type.kind === 'STRUCT')
    throw badLiteral(literal, type.kind)
  try {
    return castFunction({ kind: 'STRING' }, type)(literal)
  } catch {
    throw badLiteral(literal, type.kind)
  }
}

function badLiteral(literal: string, kind: SqlKind): SqlError {
  return new SqlError('SQL_BAD_LITERAL', {
    message: `invalid input syntax for type ${kind}: "${literal}".`,
    hint: 'Use a literal of that type, or a CAST.',
  })
}
