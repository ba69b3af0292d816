import { describe, expect, test } from 'vitest'
import type { ArgumentType } from '../../src/functions/function.ts'
import { functionRegistry } from '../../src/functions/registry.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  DATE,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  printType,
  STRING,
  TIMESTAMP,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import { exampleContext } from './evaluate.ts'

const values = (...types: (SqlType | null)[]): ArgumentType[] =>
  types.map((type) => ({ kind: 'value', type }))

/** `result <- argument types` of a call. */
function resolved(name: string, ...types: (SqlType | null)[]): string {
  const { returns, arguments: args } = functionRegistry.resolveScalar(name, values(...types))
  return `${printType(returns)} <- ${args.map(printType).join(', ')}`
}

describe('scalar functions', () => {
  test('an exact signature wins', () => {
    expect(resolved('abs', INTEGER)).toBe('INTEGER <- INTEGER')
    expect(resolved('Abs', decimal(4, 2))).toBe('DECIMAL(4, 2) <- DECIMAL(4, 2)')
    expect(resolved('SUBSTRING', STRING, INTEGER)).toBe('STRING <- STRING, INTEGER')
  })

  test('arguments are converted where only that fits', () => {
    expect(resolved('SIN', decimal(4, 2))).toBe('DOUBLE <- DOUBLE')
    expect(resolved('FORMAT_TIMESTAMP', STRING, STRING)).toBe('STRING <- TIMESTAMP, STRING')
    expect(resolved('DATEADD', STRING, INTEGER, STRING)).toBe('DATE <- STRING, INTEGER, DATE')
    expect(resolved('GENERATE_SERIES', INTEGER, BIGINT)).toBe('ARRAY<BIGINT> <- BIGINT, BIGINT')
  })

  test('an untyped NULL fits everywhere', () => {
    expect(resolved('LEAST', INTEGER, null, INTEGER)).toBe('INTEGER <- INTEGER, INTEGER, INTEGER')
    expect(resolved('IFNULL', null, STRING)).toBe('STRING <- STRING, STRING')
    expect(resolved('GREATEST', decimal(4, 2), null, decimal(5, 1))).toMatch(/^DECIMAL\(6, 2\) <- /)
  })

  test('type variables must agree', () => {
    expect(resolved('ARRAY_CONTAINS', arrayOf(STRING), STRING)).toBe('BOOLEAN <- ARRAY<STRING>, STRING')
    expect(() => resolved('ARRAY_CONTAINS', arrayOf(STRING), INTEGER)).toThrow('does not accept')
    expect(() => resolved('COALESCE', INTEGER, BIGINT)).toThrow('does not accept')
  })

  test('an ambiguous call is refused, naming the types', () => {
    expect(() => resolved('greatest', INTEGER, BIGINT)).toThrow(
      "Function 'greatest' cannot be resolved due to ambiguous method parameters (INTEGER, BIGINT).",
    )
    expect(() => resolved('GREATEST', null, null)).toThrow('ambiguous method parameters (null, null)')
    expect(resolved('GREATEST', INTEGER, BIGINT, DOUBLE)).toBe('DOUBLE <- DOUBLE, DOUBLE, DOUBLE')
  })

  test('no match lists the signatures', () => {
    expect(() => resolved('LPAD', STRING)).toThrow("Function 'lpad' does not accept parameters (STRING).")
    try {
      resolved('LPAD', STRING)
    } catch (error) {
      expect((error as { hint: string }).hint).toContain('LPAD(text STRING, length INTEGER, padding STRING)')
    }
    expect(() => resolved('NO_SUCH')).toThrow("Can't find any functions with the name 'NO_SUCH'.")
    expect(() => resolved('COALESCE', null)).toThrow('untyped NULLs')
  })
})

describe('lambdas', () => {
  const lambda = (arity: number, typeBody: (types: readonly SqlType[]) => SqlType): ArgumentType => ({
    kind: 'lambda',
    arity,
    typeBody,
  })

  test('get their parameters from the other arguments and give the result', () => {
    const call = functionRegistry.resolveScalar('TRANSFORM', [
      ...values(mapOf(STRING, INTEGER)),
      lambda(2, ([key]) => key!),
      lambda(2, () => DOUBLE),
    ])
    expect(printType(call.returns)).toBe('MAP<STRING, DOUBLE>')
    expect(call.lambdaParameters.map((types) => types?.map(printType) ?? null)).toEqual([
      null,
      ['STRING', 'INTEGER'],
      ['STRING', 'INTEGER'],
    ])
  })

  test('must have the arity and result of the signature', () => {
    expect(() =>
      functionRegistry.resolveScalar('FILTER', [...values(arrayOf(INTEGER)), lambda(2, () => BOOLEAN)]),
    ).toThrow('does not accept')
    expect(() =>
      functionRegistry.resolveScalar('FILTER', [...values(arrayOf(INTEGER)), lambda(1, () => STRING)]),
    ).toThrow('does not accept')
    expect(() => functionRegistry.resolveScalar('LCASE', [lambda(1, () => STRING)])).toThrow(
      'parameters (LAMBDA)',
    )
  })
})

describe('aggregates', () => {
  const aggregate = (name: string, ...types: SqlType[]): string => {
    const call = functionRegistry.resolveAggregate(name, types)
    return `${printType(call.returns)} ${call.parameterCount}${call.undoable ? ' undoable' : ''}`
  }

  test('take columns as they are, then literals', () => {
    expect(aggregate('COUNT')).toBe('BIGINT 0 undoable')
    expect(aggregate('SUM', decimal(4, 1))).toBe('DECIMAL(4, 1) 0 undoable')
    expect(aggregate('LATEST_BY_OFFSET', STRING)).toBe('STRING 0')
    expect(aggregate('LATEST_BY_OFFSET', STRING, BOOLEAN)).toBe('STRING 1')
    expect(aggregate('LATEST_BY_OFFSET', STRING, INTEGER, BOOLEAN)).toBe('ARRAY<STRING> 2')
    expect(aggregate('TOPK', INTEGER, INTEGER)).toBe('ARRAY<INTEGER> 1')
    expect(aggregate('TOPK', BIGINT, STRING, DATE, INTEGER)).toBe(
      'ARRAY<STRUCT<`sort_col` BIGINT, `col0` STRING, `col1` DATE>> 1',
    )
    expect(() => aggregate('AVG', decimal(4, 1))).toThrow('does not accept')
    expect(() => aggregate('MIN', arrayOf(INTEGER))).toThrow('does not accept')
    expect(() => aggregate('TOPK', TIMESTAMP, INTEGER)).toThrow('does not accept')
  })
})

test('a null where a function rejects it fails the call', () => {
  const {
    signature,
    returns,
    arguments: types,
  } = functionRegistry.resolveScalar('ELT', values(INTEGER, STRING))
  const body = functionRegistry.scalarBody('ELT', signature, types, returns, exampleContext) as (
    ...args: unknown[]
  ) => unknown
  expect(() => body(null, 'a')).toThrow('ELT does not accept null for its argument n.')
  expect(body(1, null)).toBeNull()
})
