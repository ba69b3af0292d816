import { STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const replace = scalarFunction({
  name: 'REPLACE',
  category: 'string',
  summary: 'The text with every occurrence of one text replaced by another.',
  args: { text: STRING, old: STRING, replacement: STRING },
  returns: STRING,
  // A function, since `$` in the replacement means nothing here.
  body: (text: string, old: string, replacement: string) => text.replaceAll(old, () => replacement),
  examples: [
    ["REPLACE('anaconda', 'a', 'o')", 'onocondo'],
    ["REPLACE('ab', '', '-')", '-a-b-'],
    ["REPLACE('a.b', '.', '$&')", 'a$&b'],
    ["REPLACE('a', NULL, 'b')", null],
  ],
})
