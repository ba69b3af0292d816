import { trimJava } from '../../base/java-double.ts'
import { STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const trim = scalarFunction({
  name: 'TRIM',
  category: 'string',
  summary: 'The text without blanks and control characters at both ends.',
  args: { text: STRING },
  returns: STRING,
  body: trimJava,
  examples: [
    ["TRIM('  a b ')", 'a b'],
    ["TRIM('')", ''],
    ["TRIM('\u00a0a')", '\u00a0a'],
  ],
})
