import { INTEGER, STRING } from '../../plan/sql-type.ts'
import { scalarFunction, type FunctionCategory, type ScalarOverload } from '../scalar-function.ts'

/** What replaces upper-case letters, lower-case letters, digits and all else; null leaves the class as it is. */
type Masks = readonly [upper: string | null, lower: string | null, digit: string | null, other: string | null]

const DEFAULT_MASKS: Masks = ['X', 'x', 'n', '-']

function mask(text: string, masks: Masks): string {
  for (const each of masks) {
    if (each !== null && each.length !== 1) {
      throw new RangeError(`A mask must be one character, not '${each}'.`)
    }
  }
  const [upper, lower, digit, other] = masks
  let masked = ''
  // By UTF-16 unit: what lies beyond the basic plane is "other", twice.
  for (let i = 0; i < text.length; i++) {
    const unit = text[i]!
    const replacement = /\p{Lu}/u.test(unit)
      ? upper
      : /\p{Ll}/u.test(unit)
        ? lower
        : /\p{Nd}/u.test(unit)
          ? digit
          : other
    masked += replacement ?? unit
  }
  return masked
}

const MASK_ARGS = { upper: STRING, lower: STRING, digit: STRING, other: STRING }
const MASK_NULLS = { upper: 'accept', lower: 'accept', digit: 'accept', other: 'accept' } as const

/** Overloads of the functions that mask a part: `masked` says which range. */
function partial(
  masked: (length: number, count: number) => readonly [start: number, end: number],
): readonly ScalarOverload[] {
  const body = (text: string | null, count: number, ...masks: (string | null)[]): string | null => {
    if (count < 0) throw new RangeError(`The number of characters must not be negative: ${count}.`)
    if (text === null) return null
    const [start, end] = masked(text.length, Math.min(count, text.length))
    const chosen = masks.length === 0 ? DEFAULT_MASKS : (masks as unknown as Masks)
    return text.slice(0, start) + mask(text.slice(start, end), chosen) + text.slice(end)
  }
  const nulls = { text: 'accept', count: 'reject', ...MASK_NULLS } as const
  return [
    { args: { text: STRING, count: INTEGER }, returns: STRING, nulls, body },
    { args: { text: STRING, count: INTEGER, ...MASK_ARGS }, returns: STRING, nulls, body },
  ]
}

const category: FunctionCategory = 'string'

export const maskAll = scalarFunction({
  name: 'MASK',
  category,
  summary: 'Hides a text: by default letters become X or x, digits n, all else -.',
  overloads: [
    { args: { text: STRING }, returns: STRING, body: (text: string) => mask(text, DEFAULT_MASKS) },
    {
      args: { text: STRING, ...MASK_ARGS },
      returns: STRING,
      nulls: MASK_NULLS,
      body: (text: string, ...masks: (string | null)[]) => mask(text, masks as unknown as Masks),
    },
  ],
  examples: [
    ["MASK('Agent 007!')", 'Xxxxx-nnn-'],
    ["MASK('Agent 007!', '*', NULL, '9', NULL)", '*gent 999!'],
    ['MASK(CAST(NULL AS STRING))', null],
  ],
})

export const maskKeepLeft = scalarFunction({
  name: 'MASK_KEEP_LEFT',
  category,
  summary: 'Hides a text but for its first characters.',
  overloads: partial((length, count) => [count, length]),
  examples: [
    ["MASK_KEEP_LEFT('Agent 007!', 2)", 'Agxxx-nnn-'],
    ["MASK_KEEP_LEFT('Agent', 9)", 'Agent'],
  ],
})

export const maskKeepRight = scalarFunction({
  name: 'MASK_KEEP_RIGHT',
  category,
  summary: 'Hides a text but for its last characters.',
  overloads: partial((length, count) => [0, length - count]),
  examples: [["MASK_KEEP_RIGHT('Agent 007!', 4)", 'Xxxxx-007!']],
})

export const maskLeft = scalarFunction({
  name: 'MASK_LEFT',
  category,
  summary: 'Hides the first characters of a text.',
  overloads: partial((_length, count) => [0, count]),
  examples: [["MASK_LEFT('Agent 007!', 2, '*', '*', '*', '*')", '**ent 007!']],
})

export const maskRight = scalarFunction({
  name: 'MASK_RIGHT',
  category,
  summary: 'Hides the last characters of a text.',
  overloads: partial((length, count) => [length - count, length]),
  examples: [
    ["MASK_RIGHT('Agent 007!', 4)", 'Agent nnn-'],
    ["MASK_RIGHT('ab', 9)", 'xx'],
  ],
})
