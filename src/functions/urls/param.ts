import { STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'
import { decodeEscapes } from './java-uri.ts'

export const urlEncodeParam = scalarFunction({
  name: 'URL_ENCODE_PARAM',
  category: 'url',
  summary: "A text as the value of a URL's parameter (form encoding: a space is a plus).",
  args: { text: STRING },
  returns: STRING,
  body: (text: string) =>
    Array.from(new TextEncoder().encode(text.replace(/[\ud800-\udfff]/gu, '?')), encodeByte).join(''),
  examples: [
    ["URL_ENCODE_PARAM('?foo $bar*')", '%3Ffoo+%24bar*'],
    ["URL_ENCODE_PARAM('ä')", '%C3%A4'],
  ],
})

function encodeByte(byte: number): string {
  const character = String.fromCharCode(byte)
  if (/[A-Za-z0-9\-_.*]/.test(character)) return character
  return character === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

export const urlDecodeParam = scalarFunction({
  name: 'URL_DECODE_PARAM',
  category: 'url',
  summary: "The text that the value of a URL's parameter stands for.",
  args: { text: STRING },
  returns: STRING,
  body(text: string) {
    if (/%(?![0-9a-fA-F]{2})/.test(text)) throw new RangeError(`'${text}' has a % without two hex digits.`)
    return decodeEscapes(text.replaceAll('+', ' '))
  },
  examples: [
    ["URL_DECODE_PARAM('%3Ffoo+%24bar')", '?foo $bar'],
    ["URL_DECODE_PARAM('%C3%A4')", 'ä'],
  ],
})
