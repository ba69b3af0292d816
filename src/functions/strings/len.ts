import { BYTES, INTEGER, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const len = scalarFunction({
  name: 'LEN',
  category: 'string',
  summary: 'How many characters (UTF-16 units) or bytes there are.',
  overloads: [
    { args: { text: STRING }, returns: INTEGER, body: (text: string) => text.length },
    { args: { bytes: BYTES }, returns: INTEGER, body: (bytes: Uint8Array) => bytes.length },
  ],
  examples: [
    ["LEN('foo')", 3],
    ["LEN(TO_BYTES('ä', 'utf8'))", 2],
    ['LEN(CAST(NULL AS STRING))', null],
  ],
})
