import { STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const lcase = scalarFunction({
  name: 'LCASE',
  category: 'string',
  summary: 'The text in lower case.',
  args: { text: STRING },
  returns: STRING,
  body: (text: string) => text.toLowerCase(),
  examples: [
    ["LCASE('MiXeD Ä')", 'mixed ä'],
    ['LCASE(NULL)', null],
  ],
})

export const ucase = scalarFunction({
  name: 'UCASE',
  category: 'string',
  summary: 'The text in upper case.',
  args: { text: STRING },
  returns: STRING,
  body: (text: string) => text.toUpperCase(),
  examples: [
    ["UCASE('MiXeD ß')", 'MIXED SS'],
    ['UCASE(NULL)', null],
  ],
})

export const initcap = scalarFunction({
  name: 'INITCAP',
  category: 'string',
  summary: 'Each word with an upper-case first letter and the rest in lower case.',
  args: { text: STRING },
  returns: STRING,
  // Leading white space is dropped, as in ksqlDB.
  body: (text: string) =>
    text
      .toLowerCase()
      .replace(/^\s+/, '')
      .replace(/(^|\s)(\S)/g, (_, before: string, letter: string) => before + letter.toUpperCase()),
  examples: [
    ["INITCAP('the   Quick br0wn fOx')", 'The   Quick Br0wn Fox'],
    ["INITCAP('  a b')", 'A B'],
    ['INITCAP(NULL)', null],
  ],
})
