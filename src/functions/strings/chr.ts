import { INTEGER, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'

export const chr = scalarFunction({
  name: 'CHR',
  category: 'string',
  summary: 'The character with a code point, given as a number or as \\uXXXX.',
  overloads: [
    {
      args: { codePoint: INTEGER },
      returns: STRING,
      body: (codePoint: number) =>
        codePoint >= 0 && codePoint <= 0x10ffff ? String.fromCodePoint(codePoint) : null,
    },
    { args: { escape: STRING }, returns: STRING, body: unescape },
  ],
  examples: [
    ['CHR(75)', 'K'],
    ['CHR(22909)', '好'],
    ['CHR(-1)', null],
    ["CHR('\\u004b')", 'K'],
    ["CHR('\\ud820\\udeb8')", '\u{182b8}'],
    ["CHR('75')", null],
    ["CHR('bogus text')", null],
  ],
})

function unescape(text: string): string | null {
  if (text.length < 6 || !text.startsWith('\\u')) return null
  return text.replace(/\\u+([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}
