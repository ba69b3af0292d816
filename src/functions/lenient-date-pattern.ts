import { Info } from 'luxon'
import { epochDays } from './iso-time.ts'

/*
 * Patterns of java.text.SimpleDateFormat, as PARSE_DATE reads them: widths of numbers are only hints,
 * numbers out of range roll over, text behind the date is ignored.
 */

type Step =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'field'; readonly letter: string; readonly count: number; readonly touchesNext: boolean }

/**
 * Compiles a pattern.
 *
 * @returns a reader of dates as epoch days; what the pattern lacks is that of 1970-01-01
 * @throws RangeError the pattern is wrong; from the reader: the text doesn't fit or has a time of day
 */
export function parseLenientDatePattern(pattern: string): (text: string) => number {
  const steps = compile(pattern)
  return (text) => {
    const fields = new Map<string, number>()
    let at = 0
    for (const step of steps) {
      at = step.kind === 'literal' ? readLiteral(step.text, text, at) : readField(step, text, at, fields)
      if (at < 0) throw new RangeError(`'${text}' does not fit the date pattern '${pattern}'.`)
    }
    const hour = fields.get('H') ?? fields.get('K') ?? (fields.get('k') ?? 24) % 24
    const timeMs =
      (((hour + ((fields.get('h') ?? 12) % 12) + (fields.get('a') ?? 0) * 12) * 60 + (fields.get('m') ?? 0)) *
        60 +
        (fields.get('s') ?? 0)) *
        1000 +
      (fields.get('S') ?? 0)
    const zoned = timeMs - (fields.get('zone') ?? 0)
    if (zoned % 86_400_000 !== 0) throw new RangeError(`'${text}' is a date with a time of day.`)
    const year = fields.get('y') ?? fields.get('Y') ?? 1970
    const dayOfYear = fields.get('D')
    const days =
      dayOfYear === undefined
        ? epochDays(year, fields.get('M') ?? 1, fields.get('d') ?? 1)
        : epochDays(year, 1, dayOfYear)
    return days + zoned / 86_400_000
  }
}

function compile(pattern: string): readonly Step[] {
  const pieces = pattern.match(/'(?:[^']|'')*'|([a-zA-Z])\1*|[^a-zA-Z']|'/g) ?? []
  return pieces.map((piece, i): Step => {
    if (piece === "'") throw new RangeError(`The date pattern '${pattern}' ends within quotes.`)
    if (piece === "''") return { kind: 'literal', text: "'" }
    if (piece.startsWith("'")) return { kind: 'literal', text: piece.slice(1, -1).replaceAll("''", "'") }
    const letter = piece[0]!
    if (!/[a-zA-Z]/.test(letter)) return { kind: 'literal', text: piece }
    if (!'GyYMLdDEuaHkKhmsSzZX'.includes(letter)) {
      throw new RangeError(`The date pattern '${pattern}' has an unknown field '${letter}'.`)
    }
    return { kind: 'field', letter, count: piece.length, touchesNext: /^[a-zA-Z]/.test(pieces[i + 1] ?? '') }
  })
}

function readLiteral(literal: string, text: string, at: number): number {
  return text.slice(at, at + literal.length).toLowerCase() === literal.toLowerCase()
    ? at + literal.length
    : -1
}

function readField(
  step: Extract<Step, { kind: 'field' }>,
  text: string,
  at: number,
  fields: Map<string, number>,
): number {
  const letter = step.letter === 'L' ? 'M' : step.letter
  if (letter === 'M' && step.count >= 3)
    return readName(['long', 'short'], Info.months, text, at, (i) => fields.set('M', i + 1))
  if (letter === 'E') return readName(['long', 'short'], Info.weekdays, text, at, () => fields)
  if (letter === 'a' || letter === 'G') {
    const word = /^(?:am|pm|ad|bc)/i.exec(text.slice(at))?.[0].toLowerCase()
    if (word === undefined) return -1
    if (letter === 'a') fields.set('a', word === 'pm' ? 1 : 0)
    return at + 2
  }
  if ('zZX'.includes(letter)) {
    const found = /^(?:(?:GMT|UTC)?([+-])(\d{2}):?(\d{2})?|GMT|UTC|Z)/i.exec(text.slice(at))
    if (found === null) return -1
    const offset = (Number(found[2] ?? 0) * 60 + Number(found[3] ?? 0)) * 60_000
    fields.set('zone', found[1] === '-' ? -offset : offset)
    return at + found[0].length
  }
  const rest = text.slice(at)
  const blanks = /^\s*/.exec(rest)![0].length
  const found = /^\d+/.exec(step.touchesNext ? rest.slice(blanks, blanks + step.count) : rest.slice(blanks))
  if (found === null) return -1
  const number = Number(found[0])
  // Exactly two digits for a two-letter year mean this century or the last.
  const isShortYear = letter === 'y' && step.count <= 2 && found[0].length === 2
  fields.set(letter, isShortYear ? number + (number < 50 ? 2000 : 1900) : number)
  return at + blanks + found[0].length
}

function readName(
  lengths: readonly ('long' | 'short')[],
  namesOf: (length: 'long' | 'short', options: { locale: string }) => string[],
  text: string,
  at: number,
  found: (index: number) => unknown,
): number {
  const rest = text.slice(at).toLowerCase()
  for (const length of lengths) {
    const names = namesOf(length, { locale: 'en-US' }).map((name) => name.toLowerCase())
    const index = names.findIndex((name) => rest.startsWith(name))
    if (index >= 0) {
      found(index)
      return at + names[index]!.length
    }
  }
  return -1
}
