import { BYTES, STRING } from '../../plan/sql-type.ts'
import { scalarFunction } from '../scalar-function.ts'
import { bytesOf, textEncoding, textOf } from '../text-encoding.ts'

export const encode = scalarFunction({
  name: 'ENCODE',
  category: 'string',
  summary: 'A text that stands for bytes in one encoding, written in another: hex, utf8, ascii or base64.',
  args: { text: STRING, from: STRING, to: STRING },
  returns: STRING,
  body(text: string, from: string, to: string) {
    const source = textEncoding(from)
    const target = textEncoding(to)
    if (source === target) throw new RangeError(`ENCODE needs two different encodings, not '${from}' twice.`)
    return textOf(bytesOf(text, source), target)
  },
  examples: [
    ["ENCODE('0x578', 'hex', 'utf8')", '\u0005x'],
    ["ENCODE('Ελ', 'ascii', 'hex')", '3f3f'],
    ["ENCODE('zpU=', 'base64', 'utf8')", 'Ε'],
    ["ENCODE('ce95', 'hex', 'ascii')", '\ufffd\ufffd'],
  ],
})

export const fromBytes = scalarFunction({
  name: 'FROM_BYTES',
  category: 'string',
  summary: 'Bytes as text in hex (upper case), utf8, ascii or base64.',
  args: { bytes: BYTES, encoding: STRING },
  returns: STRING,
  body(bytes: Uint8Array, name: string) {
    const encoding = textEncoding(name)
    const text = textOf(bytes, encoding)
    return encoding === 'hex' ? text.toUpperCase() : text
  },
  examples: [
    ["FROM_BYTES(TO_BYTES('ab', 'ascii'), 'hex')", '6162'],
    ["FROM_BYTES(TO_BYTES('ff', 'hex'), 'HEX')", 'FF'],
    ["FROM_BYTES(TO_BYTES('ab', 'utf8'), 'base64')", 'YWI='],
  ],
})

export const toBytes = scalarFunction({
  name: 'TO_BYTES',
  category: 'string',
  summary: 'The bytes a text stands for in hex, utf8, ascii or base64.',
  args: { text: STRING, encoding: STRING },
  returns: BYTES,
  body: (text: string, encoding: string) => bytesOf(text, textEncoding(encoding)),
  examples: [
    ["TO_BYTES('aä', 'utf8')", '61c3a4'],
    ["TO_BYTES('X''0aFF''', 'hex')", '0aff'],
    ["TO_BYTES('IQ==', 'base64')", '21'],
  ],
})
