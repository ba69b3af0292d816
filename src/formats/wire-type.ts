import type { SqlType } from '../plan/sql-type.ts'
import type { SqlValue } from '../plan/sql-value.ts'

/**
 * What a registered schema says about a value, whichever language it is written in. Decoders give values as
 * the SQL type of {@link sqlTypeOf} has them: a STRUCT is a list of the schema's fields in its order.
 */
export type WireType = WireShape & {
  /** Whether null is a value. */
  readonly optional: boolean
}

export type WireShape =
  | { readonly kind: 'boolean' | 'int32' | 'int64' | 'float32' | 'float64' | 'string' | 'bytes' }
  | { readonly kind: 'date' | 'time' | 'timestamp' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'array'; readonly element: WireType }
  | { readonly kind: 'map'; readonly key: WireType; readonly value: WireType }
  | { readonly kind: 'struct'; readonly fields: readonly WireField[] }

export interface WireField {
  readonly name: string
  readonly type: WireType
  /** What a writer puts where there is nothing; undefined: it has to have something, unless optional. */
  readonly default: SqlValue | undefined
}

export type WireKind = WireShape['kind']

/** A schema of a registry that can't be used here. The message is a sentence. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

/** The SQL type of a wire type's values as they are decoded. */
export function sqlTypeOf(wire: WireType): SqlType {
  switch (wire.kind) {
    case 'boolean':
      return { kind: 'BOOLEAN' }
    case 'int32':
      return { kind: 'INTEGER' }
    case 'int64':
      return { kind: 'BIGINT' }
    case 'float32':
    case 'float64':
      return { kind: 'DOUBLE' }
    case 'string':
      return { kind: 'STRING' }
    case 'bytes':
      return { kind: 'BYTES' }
    case 'date':
      return { kind: 'DATE' }
    case 'time':
      return { kind: 'TIME' }
    case 'timestamp':
      return { kind: 'TIMESTAMP' }
    case 'decimal':
      return { kind: 'DECIMAL', precision: wire.precision, scale: wire.scale }
    case 'array':
      return { kind: 'ARRAY', element: sqlTypeOf(wire.element) }
    case 'map':
      return { kind: 'MAP', key: sqlTypeOf(wire.key), value: sqlTypeOf(wire.value) }
    case 'struct':
      return {
        kind: 'STRUCT',
        fields: wire.fields.map((f) => ({ name: f.name, type: sqlTypeOf(f.type) })),
      }
  }
}

/** Keys of maps that a column taken from a schema shows as text. */
const TEXT_KEYS: readonly WireKind[] = ['string', 'boolean', 'int32', 'int64']

/**
 * The type of a column that is taken from a schema, or null: SQL has none for it. Maps have STRING keys, and
 * fields without a type are left out.
 */
export function columnTypeOf(wire: WireType, fieldName: (name: string) => string): SqlType | null {
  switch (wire.kind) {
    case 'array': {
      const element = columnTypeOf(wire.element, fieldName)
      return element && { kind: 'ARRAY', element }
    }
    case 'map': {
      const value = TEXT_KEYS.includes(wire.key.kind) ? columnTypeOf(wire.value, fieldName) : null
      return value && { kind: 'MAP', key: { kind: 'STRING' }, value }
    }
    case 'struct':
      return { kind: 'STRUCT', fields: columnsOf(wire.fields, fieldName) }
    default:
      return sqlTypeOf(wire)
  }
}

/** The fields of a schema that have a type, by their names in SQL. */
export function columnsOf(
  fields: readonly WireField[],
  fieldName: (name: string) => string,
): { readonly name: string; readonly type: SqlType }[] {
  return fields.flatMap((field) => {
    const type = columnTypeOf(field.type, fieldName)
    return type === null ? [] : [{ name: fieldName(field.name), type }]
  })
}

/** What a column's values are on the wire where the engine makes the schema: everything may be null. */
export function wireTypeOf(type: SqlType): WireType {
  switch (type.kind) {
    case 'BOOLEAN':
      return { kind: 'boolean', optional: true }
    case 'INTEGER':
      return { kind: 'int32', optional: true }
    case 'BIGINT':
      return { kind: 'int64', optional: true }
    case 'DOUBLE':
      return { kind: 'float64', optional: true }
    case 'STRING':
      return { kind: 'string', optional: true }
    case 'BYTES':
      return { kind: 'bytes', optional: true }
    case 'DATE':
      return { kind: 'date', optional: true }
    case 'TIME':
      return { kind: 'time', optional: true }
    case 'TIMESTAMP':
      return { kind: 'timestamp', optional: true }
    case 'DECIMAL':
      return { kind: 'decimal', precision: type.precision, scale: type.scale, optional: true }
    case 'ARRAY':
      return { kind: 'array', element: wireTypeOf(type.element), optional: true }
    case 'MAP':
      return { kind: 'map', key: wireTypeOf(type.key), value: wireTypeOf(type.value), optional: true }
    case 'STRUCT':
      return structWire(type.fields)
  }
}

/** A record of columns or fields, each of which may be null. */
export function structWire(fields: readonly { readonly name: string; readonly type: SqlType }[]): WireType {
  return {
    kind: 'struct',
    fields: fields.map((f) => ({ name: f.name, type: wireTypeOf(f.type), default: null })),
    optional: true,
  }
}
