import { unreachable } from '../../base/assert.ts'
import { SqlError } from '../../base/errors.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  BYTES,
  DATE,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  structOf,
  TIME,
  TIMESTAMP,
  type SqlType,
} from '../../plan/sql-type.ts'
import type { TypeNode } from '../ast.ts'
import { typeElsewhere } from './known-elsewhere.ts'
import { didYouMean } from './nearest-name.ts'

/** Where names made by CREATE TYPE are looked up. */
export interface TypeNames {
  type(name: string): SqlType | undefined
  typeNames(): readonly string[]
}

const BASIC_TYPES: ReadonlyMap<string, SqlType> = new Map([
  ['BOOLEAN', BOOLEAN],
  ['INTEGER', INTEGER],
  ['INT', INTEGER],
  ['BIGINT', BIGINT],
  ['DOUBLE', DOUBLE],
  ['STRING', STRING],
  ['VARCHAR', STRING],
  ['BYTES', BYTES],
  ['TIME', TIME],
  ['DATE', DATE],
  ['TIMESTAMP', TIMESTAMP],
])

/** The type a type's text means. A name made by CREATE TYPE stands for its definition at this moment. */
export function resolveType(node: TypeNode, names: TypeNames): SqlType {
  switch (node.kind) {
    case 'named-type': {
      const basic = node.name.quoted ? undefined : BASIC_TYPES.get(node.name.name)
      const type = basic ?? names.type(node.name.name) ?? BASIC_TYPES.get(node.name.name)
      if (type !== undefined) return type
      throw new SqlError('SQL_UNKNOWN_TYPE', {
        message: `There is no type ${node.name.text}.`,
        at: node.at,
        hint:
          typeElsewhere(node.name.name) ??
          didYouMean(node.name.name, [...BASIC_TYPES.keys(), 'DECIMAL', ...names.typeNames()]) ??
          'SHOW TYPES lists those made with CREATE TYPE; the others are BOOLEAN, INTEGER, BIGINT, DOUBLE, DECIMAL(p, s), STRING, BYTES, DATE, TIME, TIMESTAMP, ARRAY<…>, MAP<…>, STRUCT<…>.',
      })
    }
    case 'decimal-type':
      if (node.precision < 1) {
        throw new SqlError('SQL_INVALID_DECIMAL', {
          message: `DECIMAL precision must be at least 1, got ${node.precision}.`,
          at: node.at,
        })
      }
      if (node.scale < 0 || node.scale > node.precision) {
        throw new SqlError('SQL_INVALID_DECIMAL', {
          message: `DECIMAL scale must be from 0 to the precision, got DECIMAL(${node.precision}, ${node.scale}).`,
          at: node.at,
        })
      }
      return decimal(node.precision, node.scale)
    case 'array-type':
      return arrayOf(resolveType(node.element, names))
    case 'map-type':
      return mapOf(resolveType(node.key, names), resolveType(node.value, names))
    case 'struct-type': {
      const seen = new Set<string>()
      for (const field of node.fields) {
        if (seen.has(field.name.name)) {
          throw new SqlError('SQL_DUPLICATE_FIELD', {
            message: `The STRUCT has two fields named ${field.name.text}.`,
            at: field.name.at,
          })
        }
        seen.add(field.name.name)
      }
      return structOf(node.fields.map((f) => ({ name: f.name.name, type: resolveType(f.type, names) })))
    }
    default:
      return unreachable(node)
  }
}
