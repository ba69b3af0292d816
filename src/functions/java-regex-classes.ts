/* What the classes of java.util.regex hold, in the native notation. */

/* Contents of classes, to stand between brackets. */
export const LINE_BREAKS = '\\n\\r\\u0085\\u2028\\u2029'
const HORIZONTAL = '\\x20\\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000'
export const VERTICAL = '\\n\\v\\f\\r\\x85\\u2028\\u2029'
const HANGUL_VOWELS = '\\u1160-\\u11a7\\ud7b0-\\ud7c6'
const HANGUL_FINALS = '\\u11a8-\\u11ff\\ud7cb-\\ud7fb'
const HANGUL_INITIALS = '\\u1100-\\u115f\\ua960-\\ua97c'
const EXTENDS = '\\p{Grapheme_Extend}\\p{Emoji_Modifier}'
/* What people take for one character: the extended grapheme cluster of UAX #29. */
export const GRAPHEME = `(?:\\r\\n|[\\p{Cc}\\p{Zl}\\p{Zp}]|(?:${[
  '\\p{Regional_Indicator}{2}',
  `\\p{Extended_Pictographic}(?:[${EXTENDS}]*\\u200d\\p{Extended_Pictographic})*`,
  `[${HANGUL_INITIALS}]*[${HANGUL_VOWELS}\\uac00-\\ud7a3][${HANGUL_VOWELS}]*[${HANGUL_FINALS}]*`,
  `[${HANGUL_INITIALS}]+`,
  `[${HANGUL_FINALS}]+`,
  '[^\\p{Cc}\\p{Zl}\\p{Zp}]',
].join('|')})[${EXTENDS}\\p{Mc}\\u200d]*)`
export const ASCII_CLASSES: Readonly<Record<string, string>> = {
  d: '0-9',
  w: 'a-zA-Z0-9_',
  s: '\\x20\\t\\n\\v\\f\\r',
  h: HORIZONTAL,
  v: VERTICAL,
}
export const UNICODE_CLASSES: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  w: '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}',
  s: '\\p{White_Space}',
  h: HORIZONTAL,
  v: VERTICAL,
}

export const NAMED_CLASSES: Readonly<Record<string, string>> = {
  Lower: 'a-z',
  Upper: 'A-Z',
  ASCII: '\\x00-\\x7f',
  Alpha: 'a-zA-Z',
  Digit: '0-9',
  Alnum: 'a-zA-Z0-9',
  Punct: '\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e',
  Graph: '\\x21-\\x7e',
  Print: '\\x20-\\x7e',
  Blank: '\\x20\\t',
  Cntrl: '\\x00-\\x1f\\x7f',
  XDigit: '0-9a-fA-F',
  Space: '\\x20\\t\\n\\v\\f\\r',
  L1: '\\x00-\\xff',
  all: '\\u{0}-\\u{10ffff}',
  javaLowerCase: '\\p{Lowercase}',
  javaUpperCase: '\\p{Uppercase}',
  javaTitleCase: '\\p{Lt}',
  javaAlphabetic: '\\p{Alphabetic}',
  javaLetter: '\\p{L}',
  javaDigit: '\\p{Nd}',
  javaLetterOrDigit: '\\p{L}\\p{Nd}',
  javaWhitespace:
    '\\t\\n\\v\\f\\r\\x1c-\\x1f\\x20\\u1680\\u2000-\\u2006\\u2008-\\u200a\\u2028\\u2029\\u205f\\u3000',
  IsLetter: '\\p{L}',
  IsDigit: '\\p{Nd}',
  IsPunctuation: '\\p{P}',
  IsControl: '\\p{Cc}',
  IsTitlecase: '\\p{Lt}',
}
