import { BYTES, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'
import { variadic } from '../type-pattern.ts'

export const concat = scalarFunction({
  name: 'CONCAT',
  category: 'string',
  summary: 'The arguments joined together, nulls skipped. The operator || is this.',
  overloads: [
    {
      args: { texts: variadic(STRING) },
      returns: STRING,
      nulls: 'accept',
      body: (...texts: (string | null)[]) => texts.filter((text) => text !== null).join(''),
    },
    {
      args: { parts: variadic(BYTES) },
      returns: BYTES,
      nulls: 'accept',
      body: (...parts: (Uint8Array | null)[]) => joinBytes(parts.filter((part) => part !== null)),
    },
  ],
  examples: [
    ["CONCAT('a', NULL, 'b')", 'ab'],
    ['CONCAT(NULL, CAST(NULL AS STRING))', ''],
    ["CONCAT(TO_BYTES('0a', 'hex'), TO_BYTES('ff', 'hex'))", '0aff'],
  ],
})

export const concatWs = scalarFunction({
  name: 'CONCAT_WS',
  category: 'string',
  summary: 'The arguments after the first joined with it between them, nulls skipped.',
  overloads: [
    {
      args: { separator: STRING, first: STRING, texts: variadic(STRING) },
      returns: STRING,
      nulls: { first: 'accept', texts: 'accept' },
      body: (separator: string, ...texts: (string | null)[]) =>
        texts.filter((text) => text !== null).join(separator),
    },
    {
      args: { separator: BYTES, first: BYTES, parts: variadic(BYTES) },
      returns: BYTES,
      nulls: { first: 'accept', parts: 'accept' },
      body: (separator: Uint8Array, ...parts: (Uint8Array | null)[]) =>
        joinBytes(
          parts.filter((part) => part !== null).flatMap((part, i) => (i === 0 ? [part] : [separator, part])),
        ),
    },
  ],
  examples: [
    ["CONCAT_WS(', ', 'a', NULL, '', 'b')", 'a, , b'],
    ["CONCAT_WS(CAST(NULL AS STRING), 'a', 'b')", null],
    ["CONCAT_WS(TO_BYTES('00', 'hex'), TO_BYTES('0a', 'hex'), TO_BYTES('0b', 'hex'))", '0a000b'],
  ],
})

function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
