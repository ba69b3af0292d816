import { PLAIN_BYTE } from './json-bytes.ts'

/** What is done with a member's value. Those up to WANTED_BIGINT are numbers, up to WANTED_TEXT texts. */
export const NUMBER = 0
export const WANTED_DOUBLE = 1
export const WANTED_INTEGER = 2
export const WANTED_BIGINT = 3
export const TEXT = 4
export const WANTED_TEXT = 5
export const BOOLEAN = 6
export const WANTED_BOOLEAN = 7
/** A member no column is for: anything goes. */
export const UNKNOWN = 8
/** All other types: the general rules on the value alone. */
export const GENERAL = 9

export type MemberAction = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

/** A remembered member of the objects that are read. */
export interface JsonMember {
  readonly name: string
  /** Position among the columns, or −1. */
  readonly column: number
  /** The name with its quotes and colon; at least four bytes, no closing brace among them. */
  readonly bytes: Uint8Array
}

/** How records are laid out between names and values. */
export interface JsonStyle {
  readonly blankAfterComma: boolean
  readonly blankAfterColon: boolean
}

/** What generated code calls for the rarer values. Places after the value, or −1 or false to refuse the row. */
export interface ScanHelpers {
  /** The closing quote of any text, and of text without escapes. */
  skipText(bytes: Uint8Array, from: number, end: number): number
  plainTextEnd(bytes: Uint8Array, from: number, end: number): number
  skipValue(bytes: Uint8Array, at: number, end: number, depth: number): number
  unusualNumber(first: number, end: number, row: number, member: number): number
  generalValue(first: number, after: number, row: number, member: number): boolean
}

/** Reads rows [from, count) until one is not as expected, and returns that one or `count`. Arrays have one entry per member. */
export type GeneratedScan = (
  bytes: Uint8Array,
  view: DataView,
  starts: Int32Array,
  ends: Int32Array,
  from: number,
  count: number,
  numbers: readonly Float64Array[],
  flags: readonly Uint8Array[],
  nulls: readonly Uint8Array[],
  textStarts: readonly Int32Array[],
  textEnds: readonly Int32Array[],
) => number

const TENS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`))

/**
 * Makes a function that reads records whose members come in this order; any of them may be missing.
 *
 * The source holds names the generator made and small numbers it counted; the bytes of the members' names are
 * handed in as numbers, in `words`. Returns null where code may not be made from strings.
 */
export function generateScan(
  members: readonly JsonMember[],
  actions: readonly MemberAction[],
  style: JsonStyle,
  helpers: ScanHelpers,
): GeneratedScan | null {
  const words: number[] = []
  const word = (value: number): string => `w${words.push(value) - 1}`
  const blocks = members.map((member, i) => memberCode(i, member, actions[i]!, style, word))
  const locals = members.map((_, i) => localsCode(i, actions[i]!))
  // how far a comparison of four or eight bytes may read beyond the closing brace
  const overrun = Math.max(...members.map((member) => member.bytes.length)) + 8
  const source = `'use strict'
${words.map((_, i) => `const w${i} = words[${i}];`).join('\n')}
const { skipText, plainTextEnd, skipValue, unusualNumber, generalValue } = helpers;
return function scanRows(b, v, starts, ends, from, count, numbers, flags, nulls, textStarts, textEnds) {
${locals.join('')}
const limit = v.byteLength - ${overrun};
rows: for (let row = from; row < count; row++) {
  let p = starts[row];
  if (p < 0) continue;
  const e = ends[row] - 1;
  if (e > limit || e <= p || b[p] !== 123 || b[e] !== 125) return row;
  p++;
  let c = 0;
${blocks.join('')}
  return row;
}
return count;
}`
  let make: Function
  try {
    // oxlint-disable-next-line no-implied-eval, no-new-func -- no text of a user or a record is in it
    make = new Function('words', 'helpers', 'TENS', 'PLAIN', source)
  } catch (error) {
    if (error instanceof EvalError) return null
    throw error
  }
  return make(words, helpers, TENS, PLAIN_BYTE) as GeneratedScan
}

function localsCode(i: number, action: MemberAction): string {
  switch (action) {
    case WANTED_DOUBLE:
    case WANTED_INTEGER:
    case WANTED_BIGINT:
      return `const v${i} = numbers[${i}], n${i} = nulls[${i}];\n`
    case WANTED_BOOLEAN:
      return `const v${i} = flags[${i}], n${i} = nulls[${i}];\n`
    case WANTED_TEXT:
      return `const s${i} = textStarts[${i}], t${i} = textEnds[${i}];\n`
    default:
      return ''
  }
}

function memberCode(
  i: number,
  member: JsonMember,
  action: MemberAction,
  style: JsonStyle,
  word: (value: number) => string,
): string {
  const comma = style.blankAfterComma ? 'if (b[p + 1] !== 32) return row; p += 2;' : 'p++;'
  const colon = style.blankAfterColon ? 'if (b[p] !== 32) return row; p++;' : ''
  return `if (${nameTests(member.bytes, word)}) {
p += ${member.bytes.length};${colon}
${valueCode(i, action)}
if (c === 44) { ${comma} } else { if (c !== 125 || p !== e) return row; continue rows; }
}
`
}

/** Eight bytes at a time as doubles: equal bytes are equal doubles, as no name has bytes that make 0 or NaN. */
function nameTests(name: Uint8Array, word: (value: number) => string): string {
  const view = new DataView(name.buffer, name.byteOffset, name.byteLength)
  const tests: string[] = []
  const width = name.length < 8 ? 4 : 8
  for (let at = 0; at < name.length; at += width) {
    const place = Math.min(at, name.length - width)
    const value = width === 8 ? view.getFloat64(place, true) : view.getInt32(place, true)
    tests.push(`v.${width === 8 ? 'getFloat64' : 'getInt32'}(p + ${place}, true) === ${word(value)}`)
  }
  return tests.join(' && ')
}

const NULL_TEST = 'v.getInt32(p, true) === 0x6c6c756e'

/** Code that starts with `p` at the value and ends with `p` after it and `c` the byte there. */
function valueCode(i: number, action: MemberAction): string {
  switch (action) {
    case NUMBER:
      return `c = b[p];
if (c === 45) { c = b[++p]; if (c - 48 >>> 0 > 9) return row; }
if (c - 49 >>> 0 < 9) { while ((c = b[++p]) - 48 >>> 0 < 10) {} }
else if (c === 48) c = b[++p];
else { if (c !== 110 || !(${NULL_TEST})) return row; p += 4; c = b[p]; if (c === 46) return row; }
if (c === 46) { if ((c = b[++p]) - 48 >>> 0 > 9) return row; while ((c = b[++p]) - 48 >>> 0 < 10) {} }`
    case WANTED_DOUBLE:
      return orNull(`${digitsCode(true)}
if (d > 15 || (c | 32) === 101) {
  p = unusualNumber(q, e, row, ${i}); if (p < 0) return row; c = b[p];
} else {
  let x = d > 9 ? h * TENS[d - 9] + l : h;
  if (f > 0) x /= TENS[p - f - 1];
  v${i}[row] = b[q] === 45 ? -x : x; n${i}[row] = 0;
}`)
    case WANTED_INTEGER:
    case WANTED_BIGINT:
      return orNull(`${digitsCode(false)}
if (d > 15) {
  p = unusualNumber(q, e, row, ${i}); if (p < 0) return row; c = b[p];
} else {
  let x = d > 9 ? h * TENS[d - 9] + l : h;
  if (b[q] === 45) x = 0 - x;
  ${action === WANTED_INTEGER ? 'if (x !== (x | 0)) return row;' : ''}
  v${i}[row] = x; n${i}[row] = 0;
}`)
    case TEXT:
    case WANTED_TEXT:
      return `c = b[p];
if (c === 34) {
const q = ++p;
while (PLAIN[c = b[p]] === 1 && p < e) p++;
if (c !== 34) { p = ${action === TEXT ? 'skipText' : 'plainTextEnd'}(b, q, e); if (p < 0) return row; }
${action === TEXT ? '' : `s${i}[row] = q; t${i}[row] = p;`}
p++;
} else if (c === 110 && ${NULL_TEST}) p += 4; else return row;
c = b[p];`
    case BOOLEAN:
    case WANTED_BOOLEAN: {
      const write = (value: number): string =>
        action === BOOLEAN ? '' : `v${i}[row] = ${value}; n${i}[row] = 0;`
      return orNull(`if (c === 116 && v.getInt32(p, true) === 0x65757274) { p += 4; ${write(1)} }
else if (c === 102 && v.getInt32(p + 1, true) === 0x65736c61) { p += 5; ${write(0)} } else return row;
c = b[p];`)
    }
    case UNKNOWN:
    case GENERAL:
      return `const q = p; p = skipValue(b, q, e, 1); if (p < 0) return row;
${action === GENERAL ? `if (!generalValue(q, p, row, ${i})) return row;` : ''}
c = b[p];`
  }
}

function orNull(code: string): string {
  return `c = b[p];
if (c === 110) { if (!(${NULL_TEST})) return row; p += 4; c = b[p]; } else {
${code}
}`
}

/** Up to nine digits in `h`, the rest in `l`, their number in `d`; `q` is the first byte, `f` the point. */
function digitsCode(hasFraction: boolean): string {
  const more =
    'while ((c = b[++p]) - 48 >>> 0 < 10) { if (d < 9) h = h * 10 + c - 48 | 0; else l = l * 10 + c - 48 | 0; d++; }'
  return `const q = p;
if (c === 45) c = b[++p];
let h = c - 48, l = 0, d = 1;
if (h === 0) c = b[++p]; else if (h > 0 && h < 10) { ${more} } else return row;
${
  hasFraction
    ? `let f = 0;
if (c === 46) {
  f = p; c = b[++p];
  if (c - 48 >>> 0 > 9) return row;
  p--;
  ${more}
}`
    : ''
}`
}
