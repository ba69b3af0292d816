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
    ["MD5('zebra')", '69c459dd76c6198f72f0c20ddd3c9447'],
    ["MD5('')", 'd41d8cd98f00b204e9800998ecf8427e'],
  ],
})
