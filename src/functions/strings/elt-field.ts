import { INTEGER, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'
import { variadic } from '../type-pattern.ts'

export const elt = scalarFunction({
  name: 'ELT',
  category: 'string',
  summary: 'The n-th of the texts after the first argument; null if there are fewer.',
  args: { n: INTEGER, texts: variadic(STRING) },
  returns: STRING,
  nulls: { n: 'reject', texts: 'accept' },
  body: (n: number, ...texts: (string | null)[]) => (n < 1 ? null : (texts[n - 1] ?? null)),
  examples: [
    ["ELT(2, 'a', 'b')", 'b'],
    ["ELT(0, 'a', 'b')", null],
    ["ELT(3, 'a', 'b')", null],
  ],
})

export const field = scalarFunction({
  name: 'FIELD',
  category: 'string',
  summary: 'The position of the first text among the others, from 1; 0 if it is not there.',
  args: { text: STRING, texts: variadic(STRING) },
  returns: INTEGER,
  nulls: 'accept',
  body: (text: string | null, ...texts: (string | null)[]) => (text === null ? 0 : texts.indexOf(text) + 1),
  examples: [
    ["FIELD('b', 'a', 'b')", 2],
    ["FIELD('c', 'a', NULL)", 0],
    ["FIELD(NULL, 'a')", 0],
  ],
})
