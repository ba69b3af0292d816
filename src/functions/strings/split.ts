import { arrayOf, BYTES, mapOf, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const split = scalarFunction({
  name: 'SPLIT',
  category: 'string',
  summary:
    'The parts between a delimiter, empty ones kept; an empty delimiter splits between all characters.',
  overloads: [
    {
      args: { text: STRING, delimiter: STRING },
      returns: arrayOf(STRING),
      body: (text: string, delimiter: string) => (text === '' ? [''] : text.split(delimiter)),
    },
    { args: { bytes: BYTES, delimiter: BYTES }, returns: arrayOf(BYTES), body: splitBytes },
  ],
  examples: [
    ["SPLIT('.abc.', '.')", ['', 'abc', '']],
    ["SPLIT('abc', '')", ['a', 'b', 'c']],
    ["SPLIT('', '')", ['']],
    ["SPLIT(TO_BYTES('01000200', 'hex'), TO_BYTES('00', 'hex'))", ['01', '02', '']],
    ["SPLIT(TO_BYTES('0102', 'hex'), TO_BYTES('', 'hex'))", ['01', '02']],
  ],
})

function splitBytes(bytes: Uint8Array, delimiter: Uint8Array): readonly Uint8Array[] {
  if (bytes.length === 0) return [bytes]
  if (delimiter.length === 0) return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const parts: Uint8Array[] = []
  let start = 0
  for (;;) {
    const end = buffer.indexOf(delimiter, start)
    if (end < 0) break
    parts.push(bytes.slice(start, end))
    start = end + delimiter.length
  }
  parts.push(bytes.slice(start))
  return parts
}

export const splitToMap = scalarFunction({
  name: 'SPLIT_TO_MAP',
  category: 'string',
  summary: 'Key and value pairs read from a text with one delimiter between pairs and one within.',
  args: { text: STRING, entryDelimiter: STRING, keyValueDelimiter: STRING },
  returns: mapOf(STRING, STRING),
  body(text: string, entryDelimiter: string, keyValueDelimiter: string) {
    if (entryDelimiter === '' || keyValueDelimiter === '' || entryDelimiter === keyValueDelimiter) return null
    const entries = text.split(entryDelimiter).map((entry) => entry.split(keyValueDelimiter))
    return new Map(entries.filter((parts) => parts.length > 1).map(([key, value]) => [key!, value!]))
  },
  examples: [
    ["SPLIT_TO_MAP('a:1//b:2:3/c', '/', ':')", { a: '1', b: '2' }],
    ["SPLIT_TO_MAP('a:1', '/', '')", null],
    ["SPLIT_TO_MAP('', '/', ':')", {}],
  ],
})
