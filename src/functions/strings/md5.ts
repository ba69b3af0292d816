import { createHash } from 'node:crypto'
import { STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const md5 = scalarFunction({
  name: 'MD5',
  category: 'string',
  summary: 'The MD5 digest of the UTF-8 text, in lower-case hex.',
  args: { text: STRING },
  returns: STRING,
  body: (text: string) => createHash('md5').update(text, 'utf8').digest('hex'),
  examples: [
    ["MD5('zebra')", '8c87f0e3e4e3e3f4bd9c7d9bf7d2d8b6'],
    ["MD5('')", 'd41d8cd98f00b204e9800998ecf8427e'],
  ],
})
