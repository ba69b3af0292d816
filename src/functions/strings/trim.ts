import { STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const trim = scalarFunction({
  name: 'TRIM',
  category: 'string',
  summary: 'The text without blanks and control characters at both ends.',
  args: { text: STRING },
  returns: STRING,
  body(text: string) {
    let start = 0
    let end = text.length
    while (start < end && text.charCodeAt(start) <= 32) start++
    while (end > start && text.charCodeAt(end - 1) <= 32) end--
    return text.slice(start, end)
  },
  examples: [
    ["TRIM('  a b ')", 'a b'],
    ["TRIM('')", ''],
    ["TRIM('\u00a0a')", '\u00a0a'],
  ],
})
