import { BYTES, INTEGER, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'
import { optional } from '../type-pattern.ts'

function slice<S extends { readonly length: number; slice(start: number, end: number): S }>(
  source: S,
  position: number,
  length = Infinity,
): S {
  const size = source.length
  const start = position < 0 ? Math.max(size + position, 0) : Math.min(Math.max(position - 1, 0), size)
  return source.slice(start, Math.max(start, Math.min(start + length, size)))
}

export const substring = scalarFunction({
  name: 'SUBSTRING',
  category: 'string',
  summary: 'A part from a position (from 1, or negative from the end), of a given length or up to the end.',
  overloads: [
    {
      args: { text: STRING, position: INTEGER, length: optional(INTEGER) },
      returns: STRING,
      body: slice<string>,
    },
    {
      args: { bytes: BYTES, position: INTEGER, length: optional(INTEGER) },
      returns: BYTES,
      body: slice<Uint8Array>,
    },
  ],
  examples: [
    ["SUBSTRING('stream', 3)", 'ream'],
    ["SUBSTRING('stream', 0, 2)", 'st'],
    ["SUBSTRING('stream', -3)", 'eam'],
    ["SUBSTRING('stream', -9, 2)", 'st'],
    ["SUBSTRING('stream', 2, -1)", ''],
    ["SUBSTRING('stream', 9)", ''],
    ["SUBSTRING(TO_BYTES('010203', 'hex'), 2, 1)", '02'],
    ["SUBSTRING('stream', NULL)", null],
  ],
})
