import Big from 'big.js'

import { SqlError } from '../../base/errors.ts'
import type { Expr } from '../../plan/expression.ts'
import { BIGINT, BOOLEAN, decimal, DOUBLE, INTEGER, STRING } from '../../plan/sql-type.ts'
import { canonicalBigint } from '../../plan/sql-value.ts'
import type { Literal, NumberLiteral } from '../ast.ts'
import { UNTYPED_NULL } from './untyped-null.ts'

/** A literal with its type. */
export function typeLiteral(node: Literal): Expr {
  switch (node.kind) {
    case 'string':
      return { kind: 'literal', value: node.value, type: STRING }
    case 'boolean':
      return { kind: 'literal', value: node.value, type: BOOLEAN }
    case 'null':
      return UNTYPED_NULL
    case 'typed-literal': {
      if (node.type.name !== 'DECIMAL') {
        throw new SqlError('SQL_UNKNOWN_LITERAL_TYPE', {
          message: `There are no literals of type ${node.type.text}.`,
          at: node.at,
          hint: `Use CAST('${node.value}' AS ${node.type.text}).`,
        })
      }
      const literal = decimalLiteral(node.value)
      if (literal === null) {
        throw new SqlError('SQL_INVALID_NUMBER', {
          message: `'${node.value}' is not a DECIMAL.`,
          at: node.at,
        })
      }
      return literal
    }
    default:
      return typeNumber(node)
  }
}

function typeNumber(node: NumberLiteral): Expr {
  const literal = numberLiteral(node.text, node.kind)
  if (literal !== null) return literal
  throw new SqlError('SQL_INVALID_NUMBER', {
    message:
      node.kind === 'double'
        ? `The number ${node.text} is too large for DOUBLE.`
        : `${node.text} is not a valid number: whole numbers range from -9223372036854775808 to 9223372036854775807.`,
    at: node.at,
  })
}

function numberLiteral(text: string, kind: NumberLiteral['kind']): Expr | null {
  if (kind === 'decimal') return decimalLiteral(text)
  if (kind === 'double') {
    const value = Number(text)
    return Number.isFinite(value) ? { kind: 'literal', value, type: DOUBLE } : null
  }
  const value = BigInt(text.replace(/^\+/, ''))
  if (value >= -2147483648n && value <= 2147483647n) {
    return { kind: 'literal', value: Number(value), type: INTEGER }
  }
  if (BigInt.asIntN(64, value) !== value) return null
  return { kind: 'literal', value: canonicalBigint(value), type: BIGINT }
}

/** Precision and scale as written; below 1 in absolute value the precision is the scale plus one. */
function decimalLiteral(text: string): Expr | null {
  const match = /^[+-]?(\d*)(?:\.(\d*))?$/.exec(text.trim())
  if (match === null || ((match[1] ?? '') === '' && (match[2] ?? '') === '')) return null
  const whole = (match[1] ?? '').replace(/^0+/, '')
  const scale = (match[2] ?? '').length
  const precision = whole === '' ? scale + 1 : whole.length + scale
  return {
    kind: 'literal',
    value: new Big(text.trim().replace(/^\+/, '').replace(/\.$/, '')),
    type: decimal(precision, scale),
  }
}
