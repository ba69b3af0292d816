import type Big from 'big.js'

/**
 * A value at run time. The SQL type says how to read it; the value alone doesn't.
 *
 * | type | value |
 * |---|---|
 * | BOOLEAN | boolean |
 * | INTEGER | number, a whole number of 32 bits |
 * | BIGINT | number while it is a safe integer, else bigint: one canonical form each |
 * | DOUBLE | number |
 * | DECIMAL(p,s) | Big, with at most s digits after the point |
 * | STRING | string |
 * | BYTES | Uint8Array, never written to |
 * | TIMESTAMP | whole number: epoch ms, from -271821-04-20 to +275760-09-13 |
 * | DATE, TIME | whole number of 32 bits: epoch days, ms of the day |
 * | ARRAY | array of elements |
 * | MAP | Map in insertion order; keys are primitives |
 * | STRUCT | array of field values in the order of the type's fields |
 */
export type SqlValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Big
  | readonly SqlValue[]
  | ReadonlyMap<SqlValue, SqlValue>

/** A row: one value per column, in schema order. */
export type Row = readonly SqlValue[]

/** The canonical form of a 64-bit integer: a number while it is a safe integer, else a bigint; wraps around. */
export function canonicalBigint(value: bigint): number | bigint {
  const wrapped = BigInt.asIntN(64, value)
  return wrapped >= -9007199254740991n && wrapped <= 9007199254740991n ? Number(wrapped) : wrapped
}

/** What a Date of JavaScript can hold, so that every timestamp can be shown. */
const TIMESTAMP_MAX = 8_640_000_000_000_000

export function isTimestamp(epochMs: number | bigint): epochMs is number {
  return typeof epochMs === 'number' && Math.abs(epochMs) <= TIMESTAMP_MAX
}

/** Whether a whole number is a DATE's or TIME's. */
export function isInt32(value: number | bigint): value is number {
  return value === (Number(value) | 0)
}
