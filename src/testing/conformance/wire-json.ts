import Big from 'big.js'
import { unreachable } from '../../base/assert.ts'
import type { WireType } from '../../formats/wire-type.ts'
import { canonicalBigint, type SqlValue } from '../../plan/sql-value.ts'
import type { ActualValue } from './compare.ts'
import { isJsonArray, isJsonObject, JsonNumber, printJsonTree, type JsonTree } from './json-tree.ts'

/**
 * A case's JSON as a value of a schema: members go to fields ignoring case, others are dropped, and fields
 * without a member are unset.
 *
 * @throws TypeError for JSON that the schema has no value for: a broken case
 */
export function valueFromCase(tree: JsonTree, type: WireType): SqlValue {
  if (tree === null) return null
  switch (type.kind) {
    case 'boolean':
      return textOf(tree).toLowerCase() === 'true'
    case 'int32':
    case 'date':
    case 'time':
      return Number(whole(tree))
    case 'int64':
    case 'timestamp':
      return canonicalBigint(whole(tree))
    case 'float32':
    case 'float64':
      return Number(textOf(tree))
    case 'string':
      return textOf(tree)
    case 'bytes':
      return new Uint8Array(Buffer.from(textOf(tree), 'base64'))
    case 'decimal': {
      const value = new Big(textOf(tree))
      const rounded = value.round(type.scale, Big.roundHalfUp)
      if (typeof tree !== 'string' && !rounded.eq(value))
        throw new TypeError(`${textOf(tree)} has more than ${type.scale} digits after the point.`)
      return rounded
    }
    case 'array':
      if (!isJsonArray(tree)) throw new TypeError(`${printJsonTree(tree)} is not a list.`)
      return tree.map((item) => valueFromCase(item, type.element))
    case 'map':
      if (!isJsonObject(tree)) throw new TypeError(`${printJsonTree(tree)} is not an object.`)
      return new Map(
        [...tree].map(([name, member]) => [valueFromCase(name, type.key), valueFromCase(member, type.value)]),
      )
    case 'struct': {
      if (!isJsonObject(tree)) throw new TypeError(`${printJsonTree(tree)} is not an object.`)
      return type.fields.map((field) => {
        const member = [...tree].find(([name]) => name.toUpperCase() === field.name.toUpperCase())
        if (member === undefined || member[1] === null) return field.default ?? null
        return valueFromCase(member[1], field.type)
      })
    }
    default:
      return unreachable(type)
  }
}

/** A value of a schema for comparing: all fields by the schema's names; DECIMAL keeps its scale. */
export function actualFromWire(value: SqlValue, type: WireType): ActualValue {
  if (value === null) return null
  switch (type.kind) {
    case 'boolean':
      return value as boolean
    case 'int32':
    case 'int64':
    case 'date':
    case 'time':
    case 'timestamp':
      return { kind: 'integer', value: BigInt(value as number | bigint) }
    case 'float32':
    case 'float64':
      return { kind: 'float', value: value as number }
    case 'string':
      return value as string
    case 'bytes':
      return { kind: 'bytes', value: value as Uint8Array }
    case 'decimal':
      return { kind: 'decimal', text: (value as Big).toFixed(type.scale) }
    case 'array':
      return (value as readonly SqlValue[]).map((item) => actualFromWire(item, type.element))
    case 'map':
      return new Map(
        [...(value as ReadonlyMap<SqlValue, SqlValue>)].map(([key, member]) => [
          String(key as string | number | bigint | boolean | null),
          actualFromWire(member, type.value),
        ]),
      )
    case 'struct':
      return new Map(
        type.fields.map((field, i) => [
          field.name,
          actualFromWire((value as readonly SqlValue[])[i]!, field.type),
        ]),
      )
    default:
      return unreachable(type)
  }
}

/** The whole part of a number, as Java reads it from the text of a JSON value. */
function whole(tree: JsonTree): bigint {
  const text = textOf(tree)
  return BigInt(/^-?\d+$/.test(text) ? text : new Big(text).round(0, Big.roundDown).toFixed())
}

function textOf(tree: JsonTree): string {
  if (typeof tree === 'string') return tree
  return tree instanceof JsonNumber ? tree.text : printJsonTree(tree)
}
