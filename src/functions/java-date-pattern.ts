import { Info } from 'luxon'
import { assert } from '../base/assert.ts'
import { DAY_PERIODS, dayPeriodAt, minuteInPeriod } from './java-day-period.ts'
import { calendarDate, DAY_MS, epochDays, isLeapYear, monthLength } from './iso-time.ts'
import { instantOf, offsetText, parseOffset, timeZone, UTC, zoneInText, type TimeZone } from './time-zone.ts'

/*
 * Patterns of java.time.format.DateTimeFormatter, with English names. A pattern is compiled once into
 * elements; each element can print itself and read itself.
 */

/** Reads texts of a pattern as instants. @returns epoch ms @throws RangeError the text doesn't fit */
export type TimestampParser = (text: string, zone: string) => number

/**
 * Compiles a pattern for reading instants. Fields that the pattern lacks are those of 1970-01-01T00:00; a
 * zone or offset in the text wins over the argument.
 *
 * @throws RangeError the pattern is wrong
 */
export function parseTimestampPattern(pattern: string): TimestampParser {
  const elements = compilePattern(pattern)
  return (text, zoneId) => {
    const fields = readAll(elements, text)
    const zone = fields.zone ?? timeZone(zoneId)
    return instantOf(resolveDate(fields, text) * DAY_MS + resolveTime(fields, text), zone)
  }
}

/** Compiles a pattern for writing instants. @throws RangeError the pattern is wrong */
export function formatTimestampPattern(pattern: string): (epochMs: number, zone: string) => string {
  const elements = compilePattern(pattern)
  return (epochMs, zoneId) => {
    const zone = timeZone(zoneId)
    const localMs = epochMs + zone.offsetMs(epochMs)
    const days = Math.floor(localMs / DAY_MS)
    return print(elements, { days, timeMs: localMs - days * DAY_MS, instant: { epochMs, zone } })
  }
}

/** Compiles a pattern for writing dates (epoch days). Printing a time field fails. */
export function formatDatePattern(pattern: string): (days: number) => string {
  const elements = compilePattern(pattern)
  return (days) => print(elements, { days, timeMs: null, instant: null })
}

/** Compiles a pattern for writing times (ms of the day). Printing a date field fails. */
export function formatTimePattern(pattern: string): (timeMs: number) => string {
  const elements = compilePattern(pattern)
  return (timeMs) => print(elements, { days: null, timeMs, instant: null })
}

/** Compiles a pattern for reading dates. @returns epoch days; what the pattern lacks is that of 1970-01-01 */
export function parseDatePattern(pattern: string): (text: string) => number {
  const elements = compilePattern(pattern)
  return (text) => resolveDate(readAll(elements, text), text)
}

/** Compiles a pattern for reading times. @returns ms of the day @throws RangeError it has a date field, or the text doesn't fit */
export function parseTimePattern(pattern: string): (text: string) => number {
  const elements = compilePattern(pattern)
  return (text) => {
    const fields = readAll(elements, text)
    if (DATE_FIELDS.some((field) => fields.numbers.has(field))) {
      throw new RangeError(`The pattern '${pattern}' of a time has a field of a date.`)
    }
    return resolveTime(fields, text) % DAY_MS
  }
}

// ------------------------------------------------------------------------------------------- elements

type Field =
  | 'era'
  | 'year'
  | 'yearOfEra'
  | 'quarter'
  | 'month'
  | 'dayOfMonth'
  | 'dayOfYear'
  | 'weekBasedYear'
  | 'weekOfYear'
  | 'weekOfMonth'
  | 'weekdayInMonth'
  | 'dayOfWeek'
  | 'localDayOfWeek'
  | 'modifiedJulianDay'
  | 'halfDay'
  | 'dayPeriod'
  | 'hour'
  | 'hourFromOne'
  | 'hourOfHalf'
  | 'hourOfHalfFromOne'
  | 'minute'
  | 'second'
  | 'nano'
  | 'milliOfDay'
  | 'nanoOfDay'

const DATE_FIELDS: readonly Field[] = [
  'era',
  'year',
  'yearOfEra',
  'quarter',
  'month',
  'dayOfMonth',
  'dayOfYear',
  'weekBasedYear',
  'weekOfYear',
  'weekOfMonth',
  'weekdayInMonth',
  'dayOfWeek',
  'localDayOfWeek',
  'modifiedJulianDay',
]

type Element =
  | { readonly kind: 'literal'; readonly text: string }
  | NumberElement
  /** Names by value; `first` is the value of the first. */
  | {
      readonly kind: 'text'
      readonly field: Field
      readonly first: number
      readonly names: readonly string[]
    }
  | { readonly kind: 'fraction'; readonly digits: number }
  | { readonly kind: 'offset'; readonly pattern: OffsetPattern; readonly none: string }
  | { readonly kind: 'localised-offset'; readonly isLong: boolean }
  | { readonly kind: 'zone-id' }
  | { readonly kind: 'zone-name'; readonly length: 'short' | 'long' }
  | { readonly kind: 'optional'; readonly elements: readonly Element[] }
  | { readonly kind: 'pad'; readonly width: number; readonly element: Element }

interface NumberElement {
  readonly kind: 'number'
  readonly field: Field
  readonly digitsMin: number
  readonly digitsMax: number
  /** Digits that following elements need, when they touch this one without a separator. */
  readonly reserved: number
  /** `yy`: the last two digits of a year from 2000. */
  readonly isReduced: boolean
  /** A plus before numbers that are longer than `digitsMin`. */
  readonly plusWhenLong: boolean
}

/** Hours, then minutes and seconds: always (`M`, `S`), when they aren't 0 (`m`, `s`), or never. */
interface OffsetPattern {
  readonly colons: boolean
  readonly minutes: 'always' | 'if-any'
  readonly seconds: 'never' | 'if-any'
}

function compilePattern(pattern: string): readonly Element[] {
  const stack: Element[][] = [[]]
  const fail = (what: string): RangeError => new RangeError(`The date pattern '${pattern}' ${what}.`)
  let pad = 0
  for (let at = 0; at < pattern.length;) {
    const unit = pattern[at]!
    const elements = stack.at(-1)!
    if (/[a-zA-Z]/.test(unit)) {
      let end = at
      while (pattern[end] === unit) end++
      const count = end - at
      at = end
      if (unit === 'p') {
        pad = count
        continue
      }
      const element = fieldElement(unit, count)
      if (element === null) throw fail(`has an unknown or too long field '${unit.repeat(count)}'`)
      elements.push(pad > 0 ? { kind: 'pad', width: pad, element } : element)
      pad = 0
      continue
    }
    if (pad > 0) throw fail('has padding without a field')
    if (unit === "'") {
      const quoted = /^'((?:[^']|'')*)'/.exec(pattern.slice(at))
      if (quoted === null) throw fail('ends within quotes')
      elements.push({ kind: 'literal', text: quoted[1] === '' ? "'" : quoted[1]!.replaceAll("''", "'") })
      at += quoted[0].length
      continue
    }
    at++
    if (unit === '[') stack.push([])
    else if (unit === ']') {
      if (stack.length === 1) throw fail('closes an optional part that was not opened')
      stack.pop()
      stack.at(-1)!.push({ kind: 'optional', elements: withReservedDigits(elements) })
    } else if ('{}#'.includes(unit)) throw fail(`has the reserved character '${unit}'`)
    else elements.push({ kind: 'literal', text: unit })
  }
  if (pad > 0) throw fail('has padding without a field')
  // An optional part that is left open ends with the pattern.
  while (stack.length > 1) {
    const inner = stack.pop()!
    stack.at(-1)!.push({ kind: 'optional', elements: withReservedDigits(inner) })
  }
  return withReservedDigits(stack[0]!)
}

/* In `yyyyMMdd` the year leaves four digits to month and day. */
function withReservedDigits(elements: readonly Element[]): readonly Element[] {
  return elements.map((element, i) => {
    if (element.kind !== 'number' || element.digitsMin === element.digitsMax) return element
    let reserved = 0
    for (const next of elements.slice(i + 1)) {
      if (next.kind === 'fraction') reserved += next.digits
      else if (next.kind === 'number' && next.digitsMin === next.digitsMax) reserved += next.digitsMin
      else break
    }
    return { ...element, reserved }
  })
}

function number(field: Field, digitsMin: number, digitsMax: number): NumberElement {
  return { kind: 'number', field, digitsMin, digitsMax, reserved: 0, isReduced: false, plusWhenLong: false }
}

/** One or two digits by the number of letters. */
function upToTwo(field: Field, count: number): Element | null {
  return count === 1 ? number(field, 1, 19) : count === 2 ? number(field, 2, 2) : null
}

function yearElement(field: Field, count: number): Element {
  if (count === 2) return { ...number(field, 2, 2), isReduced: true }
  return { ...number(field, count, 19), plusWhenLong: count >= 4 }
}

/** Numbers for one or two letters, then short, long and narrow names. */
function numberOrText(
  field: Field,
  count: number,
  names: {
    readonly short: readonly string[]
    readonly long: readonly string[]
    readonly narrow: readonly string[]
  },
): Element | null {
  if (count <= 2) return upToTwo(field, count)
  return textElement(field, count, names)
}

function textElement(
  field: Field,
  count: number,
  names: {
    readonly short: readonly string[]
    readonly long: readonly string[]
    readonly narrow: readonly string[]
  },
  first = 1,
): Element | null {
  if (count > 5) return null
  return {
    kind: 'text',
    field,
    first,
    names: count === 4 ? names.long : count === 5 ? names.narrow : names.short,
  }
}

const ENGLISH = { locale: 'en-US' }
const MONTHS = {
  short: Info.months('short', ENGLISH),
  long: Info.months('long', ENGLISH),
  narrow: Info.months('narrow', ENGLISH),
}
/** From Monday. */
const WEEKDAYS = {
  short: Info.weekdays('short', ENGLISH),
  long: Info.weekdays('long', ENGLISH),
  narrow: Info.weekdays('narrow', ENGLISH),
}
const QUARTERS = {
  short: ['Q1', 'Q2', 'Q3', 'Q4'],
  long: ['1st quarter', '2nd quarter', '3rd quarter', '4th quarter'],
  narrow: ['1', '2', '3', '4'],
}
const ERAS = { short: ['BC', 'AD'], long: ['Before Christ', 'Anno Domini'], narrow: ['B', 'A'] }

function fieldElement(letter: string, count: number): Element | null {
  switch (letter) {
    case 'G':
      return textElement('era', count, ERAS, 0)
    case 'u':
      return yearElement('year', count)
    case 'y':
      return yearElement('yearOfEra', count)
    case 'Y':
      return yearElement('weekBasedYear', count)
    case 'Q':
    case 'q':
      return numberOrText('quarter', count, QUARTERS)
    case 'M':
    case 'L':
      return numberOrText('month', count, MONTHS)
    case 'd':
      return upToTwo('dayOfMonth', count)
    case 'D':
      return count === 1 ? number('dayOfYear', 1, 19) : count <= 3 ? number('dayOfYear', count, 3) : null
    case 'w':
      return upToTwo('weekOfYear', count)
    case 'W':
      return count === 1 ? number('weekOfMonth', 1, 1) : null
    case 'F':
      return count === 1 ? number('weekdayInMonth', 1, 1) : null
    case 'E':
      return textElement('dayOfWeek', count, WEEKDAYS)
    case 'e':
    case 'c':
      return count > 2 ? textElement('dayOfWeek', count, WEEKDAYS) : upToTwo('localDayOfWeek', count)
    case 'a':
      return count === 1 ? { kind: 'text', field: 'halfDay', first: 0, names: ['AM', 'PM'] } : null
    case 'g':
      return number('modifiedJulianDay', count, 19)
    case 'B':
      return count === 1 || count === 4 || count === 5
        ? textElement('dayPeriod', count, DAY_PERIODS, 0)
        : null
    case 'H':
      return upToTwo('hour', count)
    case 'k':
      return upToTwo('hourFromOne', count)
    case 'K':
      return upToTwo('hourOfHalf', count)
    case 'h':
      return upToTwo('hourOfHalfFromOne', count)
    case 'm':
      return upToTwo('minute', count)
    case 's':
      return upToTwo('second', count)
    case 'S':
      return count <= 9 ? { kind: 'fraction', digits: count } : null
    case 'A':
      return number('milliOfDay', count, 19)
    case 'n':
      return number('nano', count, 19)
    case 'N':
      return number('nanoOfDay', count, 19)
    case 'X':
      return offsetElement(count, 'Z')
    case 'x':
      return offsetElement(count, ['+00', '+0000', '+00:00', '+0000', '+00:00'][count - 1] ?? '')
    case 'Z':
      if (count <= 3) return offsetElement(2, '+0000')
      return count === 4
        ? { kind: 'localised-offset', isLong: true }
        : count === 5
          ? offsetElement(5, 'Z')
          : null
    case 'O':
      return count === 1 || count === 4 ? { kind: 'localised-offset', isLong: count === 4 } : null
    case 'V':
      return count === 2 ? { kind: 'zone-id' } : null
    case 'z':
    case 'v':
      return count <= 4 ? { kind: 'zone-name', length: count === 4 ? 'long' : 'short' } : null
    default:
      return null
  }
}

function offsetElement(count: number, none: string): Element | null {
  const patterns: readonly OffsetPattern[] = [
    { colons: false, minutes: 'if-any', seconds: 'never' },
    { colons: false, minutes: 'always', seconds: 'never' },
    { colons: true, minutes: 'always', seconds: 'never' },
    { colons: false, minutes: 'always', seconds: 'if-any' },
    { colons: true, minutes: 'always', seconds: 'if-any' },
  ]
  const pattern = patterns[count - 1]
  return pattern === undefined ? null : { kind: 'offset', pattern, none }
}

// -------------------------------------------------------------------------------------------- writing

interface Moment {
  /** Local date; null: a time only. */
  readonly days: number | null
  /** Local time; null: a date only. */
  readonly timeMs: number | null
  readonly instant: { readonly epochMs: number; readonly zone: TimeZone } | null
}

function print(elements: readonly Element[], moment: Moment): string {
  return elements.map((element) => printElement(element, moment)).join('')
}

function printElement(element: Element, moment: Moment): string {
  switch (element.kind) {
    case 'literal':
      return element.text
    case 'number':
      return printNumber(element, fieldOf(moment, element.field))
    case 'text':
      return element.names[fieldOf(moment, element.field) - element.first]!
    case 'fraction':
      return String(fieldOf(moment, 'nano')).padStart(9, '0').slice(0, element.digits)
    case 'offset':
      return printOffset(element.pattern, offsetOf(moment)) ?? element.none
    case 'localised-offset': {
      const offset = offsetOf(moment)
      if (offset === 0) return 'GMT'
      const text = offsetText(offset)
      return `GMT${element.isLong ? text : text.replace(/^([+-])0/, '$1').replace(/:00$/, '')}`
    }
    case 'zone-id':
      return zoneOf(moment).zone.id
    case 'zone-name': {
      const { epochMs, zone } = zoneOf(moment)
      return zone.name(epochMs, element.length)
    }
    case 'optional':
      try {
        return print(element.elements, moment)
      } catch (error) {
        if (error instanceof MissingField) return ''
        throw error
      }
    case 'pad': {
      const text = printElement(element.element, moment)
      if (text.length > element.width)
        throw new RangeError(`'${text}' is wider than ${element.width} characters.`)
      return text.padStart(element.width)
    }
  }
}

function printNumber(element: NumberElement, value: number): string {
  if (element.isReduced) return String(Math.abs(value) % 100).padStart(2, '0')
  const digits = String(Math.abs(value)).padStart(element.digitsMin, '0')
  if (digits.length > element.digitsMax) {
    throw new RangeError(`${value} has more than ${element.digitsMax} digits.`)
  }
  return (value < 0 ? '-' : element.plusWhenLong && digits.length > element.digitsMin ? '+' : '') + digits
}

function printOffset(pattern: OffsetPattern, offsetMs: number): string | null {
  const total = Math.abs(offsetMs) / 1000
  const minutes = Math.floor(total / 60) % 60
  const seconds = total % 60
  const hasSeconds = pattern.seconds === 'if-any' && seconds !== 0
  const parts = [Math.floor(total / 3600)]
  if (pattern.minutes === 'always' || minutes !== 0) parts.push(minutes)
  if (hasSeconds) parts.push(seconds)
  if (parts.every((part) => part === 0)) return null
  return (
    (offsetMs < 0 ? '-' : '+') +
    parts.map((part) => String(part).padStart(2, '0')).join(pattern.colons ? ':' : '')
  )
}

/** A pattern asks for a field that what is printed doesn't have. */
class MissingField extends RangeError {
  constructor(field: string) {
    super(`The pattern asks for a field (${field}) that the value does not have.`)
  }
}

function zoneOf(moment: Moment): { readonly epochMs: number; readonly zone: TimeZone } {
  if (moment.instant === null) throw new MissingField('zone')
  return moment.instant
}

function offsetOf(moment: Moment): number {
  const { epochMs, zone } = zoneOf(moment)
  return zone.offsetMs(epochMs)
}

function fieldOf(moment: Moment, field: Field): number {
  return DATE_FIELDS.includes(field) ? dateField(moment.days, field) : timeField(moment.timeMs, field)
}

function timeField(timeMs: number | null, field: Field): number {
  if (timeMs === null) throw new MissingField(field)
  const hour = Math.floor(timeMs / 3_600_000)
  switch (field) {
    case 'halfDay':
      return hour < 12 ? 0 : 1
    case 'dayPeriod':
      return dayPeriodAt(Math.floor(timeMs / 60_000))
    case 'hour':
      return hour
    case 'hourFromOne':
      return hour === 0 ? 24 : hour
    case 'hourOfHalf':
      return hour % 12
    case 'hourOfHalfFromOne':
      return hour % 12 === 0 ? 12 : hour % 12
    case 'minute':
      return Math.floor(timeMs / 60_000) % 60
    case 'second':
      return Math.floor(timeMs / 1000) % 60
    case 'nano':
      return (timeMs % 1000) * 1_000_000
    case 'milliOfDay':
      return timeMs
    default:
      assert(field === 'nanoOfDay', `${field} is a field of a time`)
      return timeMs * 1_000_000
  }
}

/** Day 0 of the Modified Julian Date is 1858-11-17. */
const MODIFIED_JULIAN_EPOCH = 40_587

function dateField(days: number | null, field: Field): number {
  if (days === null) throw new MissingField(field)
  const { year, month, day } = calendarDate(days)
  switch (field) {
    case 'era':
      return year > 0 ? 1 : 0
    case 'year':
      return year
    case 'yearOfEra':
      return year > 0 ? year : 1 - year
    case 'quarter':
      return Math.floor((month + 2) / 3)
    case 'month':
      return month
    case 'dayOfMonth':
      return day
    case 'dayOfYear':
      return days - epochDays(year, 1, 1) + 1
    case 'weekBasedYear':
      return days >= firstWeek(year + 1) ? year + 1 : year
    case 'weekOfYear':
      return days >= firstWeek(year + 1) ? 1 : Math.floor((days - firstWeek(year)) / 7) + 1
    case 'weekOfMonth':
      return Math.floor((day - 1 + sundayBased(epochDays(year, month, 1))) / 7) + 1
    case 'weekdayInMonth':
      return ((day - 1) % 7) + 1
    case 'localDayOfWeek':
      return sundayBased(days) + 1
    case 'modifiedJulianDay':
      return days + MODIFIED_JULIAN_EPOCH
    default:
      assert(field === 'dayOfWeek', `${field} is a field of a date`)
      return mondayBased(days) + 1
  }
}

/** 0 is Monday; the epoch was a Thursday. */
function mondayBased(days: number): number {
  return (((days + 3) % 7) + 7) % 7
}

function sundayBased(days: number): number {
  return (mondayBased(days) + 1) % 7
}

/** The Sunday that begins the week of January 1st: weeks as in the United States. */
function firstWeek(year: number): number {
  const newYear = epochDays(year, 1, 1)
  return newYear - sundayBased(newYear)
}

// -------------------------------------------------------------------------------------------- reading

interface ReadFields {
  readonly numbers: Map<Field, number>
  zone: TimeZone | null
}

function readAll(elements: readonly Element[], text: string): ReadFields {
  const fields: ReadFields = { numbers: new Map(), zone: null }
  const end = read(elements, text, 0, fields)
  if (end < text.length) throw unfit(text)
  return fields
}

/** Reads all elements from `at`. @returns where the next text begins, or −1 if they don't fit */
function read(elements: readonly Element[], text: string, at: number, fields: ReadFields): number {
  let next = at
  for (const element of elements) {
    next = readElement(element, text, next, fields)
    if (next < 0) return -1
  }
  return next
}

function readElement(element: Element, text: string, at: number, fields: ReadFields): number {
  switch (element.kind) {
    case 'literal': {
      const end = at + element.text.length
      return text.slice(at, end).toLowerCase() === element.text.toLowerCase() ? end : -1
    }
    case 'number':
      return readNumber(element, text, at, fields)
    case 'fraction': {
      const digits = text.slice(at, at + element.digits)
      if (digits.length < element.digits || !/^\d+$/.test(digits)) return -1
      return put(fields, 'nano', Number(digits.padEnd(9, '0')), at + element.digits)
    }
    case 'text': {
      const rest = text.slice(at).toLowerCase()
      // The longest name that fits: "June" before "Jun".
      const fitting = element.names
        .map((name, i) => ({ name: name.toLowerCase(), value: i + element.first }))
        .filter(({ name }) => rest.startsWith(name))
        .sort((a, b) => b.name.length - a.name.length)[0]
      return fitting === undefined ? -1 : put(fields, element.field, fitting.value, at + fitting.name.length)
    }
    case 'offset':
      return readOffset(element.pattern, element.none, text, at, fields)
    case 'localised-offset': {
      const found = /^GMT([+-]\d{1,2}(?::\d{2}(?::\d{2})?)?)?/i.exec(text.slice(at))
      const offset = found && (found[1] === undefined ? 0 : parseOffset(found[1]))
      if (found === null || offset === null) return -1
      fields.zone = timeZone(offsetText(offset))
      return at + found[0].length
    }
    case 'zone-id':
    case 'zone-name': {
      // The longest piece that names a zone.
      const candidate = /^[A-Za-z0-9_+\-:/]+/.exec(text.slice(at))?.[0] ?? ''
      for (let length = candidate.length; length > 0; length--) {
        const zone = zoneInText(candidate.slice(0, length))
        if (zone !== null) {
          fields.zone = zone
          return at + length
        }
      }
      return -1
    }
    case 'optional': {
      const attempt: ReadFields = { numbers: new Map(fields.numbers), zone: fields.zone }
      const end = read(element.elements, text, at, attempt)
      if (end < 0) return at
      for (const [field, value] of attempt.numbers) fields.numbers.set(field, value)
      fields.zone = attempt.zone
      return end
    }
    case 'pad': {
      const blanks = /^ */.exec(text.slice(at, at + element.width))![0].length
      const end = readElement(element.element, text.slice(0, at + element.width), at + blanks, fields)
      return end === at + element.width ? end : -1
    }
  }
}

function readNumber(element: NumberElement, text: string, at: number, fields: ReadFields): number {
  const sign = element.digitsMax > 2 && /^[+-]/.test(text.slice(at)) ? text[at]! : ''
  if (sign === '+' && !element.plusWhenLong) return -1
  const start = at + sign.length
  const run = /^\d*/.exec(text.slice(start, start + element.digitsMax + element.reserved))![0].length
  const length = Math.min(element.digitsMax, Math.max(element.digitsMin, run - element.reserved))
  if (run < length || length === 0) return -1
  const magnitude = Number(text.slice(start, start + length))
  const value = element.isReduced ? 2000 + magnitude : sign === '-' ? -magnitude : magnitude
  return put(fields, element.field, value, start + length)
}

function readOffset(
  pattern: OffsetPattern,
  none: string,
  text: string,
  at: number,
  fields: ReadFields,
): number {
  const colon = pattern.colons ? ':' : ''
  const minutes = `${colon}(?:\\d{2})`
  const seconds = pattern.seconds === 'if-any' ? `(?:${colon}\\d{2})?` : ''
  const minutesPart = pattern.minutes === 'always' ? minutes + seconds : `(?:${minutes})?`
  const found = new RegExp(`^[+-]\\d{2}${minutesPart}`).exec(text.slice(at))
  const offset = found && parseOffset(found[0])
  if (found !== null && offset !== null) {
    fields.zone = offset === 0 ? UTC : timeZone(offsetText(offset))
    return at + found[0].length
  }
  if (text.slice(at, at + none.length).toLowerCase() !== none.toLowerCase()) return -1
  fields.zone = UTC
  return at + none.length
}

/** Notes a field; −1 if it was read before with another value. */
function put(fields: ReadFields, field: Field, value: number, end: number): number {
  const before = fields.numbers.get(field)
  if (before !== undefined && before !== value) return -1
  fields.numbers.set(field, value)
  return end
}

function unfit(text: string): RangeError {
  return new RangeError(`'${text}' does not fit the date pattern.`)
}

/** Epoch days. A day beyond the end of its month is its last. */
function resolveDate({ numbers }: ReadFields, text: string): number {
  const julianDay = numbers.get('modifiedJulianDay')
  if (julianDay !== undefined) return julianDay - MODIFIED_JULIAN_EPOCH
  const yearOfEra = numbers.get('yearOfEra')
  const isBefore = numbers.get('era') === 0
  const year =
    numbers.get('year') ??
    (yearOfEra === undefined ? undefined : isBefore ? 1 - yearOfEra : yearOfEra) ??
    numbers.get('weekBasedYear') ??
    1970
  const dayOfYear = numbers.get('dayOfYear')
  let days: number
  if (dayOfYear !== undefined) {
    if (dayOfYear < 1 || dayOfYear > (isLeapYear(year) ? 366 : 365)) throw unfit(text)
    days = epochDays(year, 1, dayOfYear)
  } else if (numbers.has('weekOfYear')) {
    days = firstWeek(year) + (numbers.get('weekOfYear')! - 1) * 7 + sundayBasedDay(numbers)
  } else {
    const quarter = numbers.get('quarter')
    const month = numbers.get('month') ?? (quarter === undefined ? 1 : quarter * 3 - 2)
    const day = numbers.get('dayOfMonth') ?? 1
    if (month < 1 || month > 12 || day < 1 || day > 31) throw unfit(text)
    days = epochDays(year, month, Math.min(day, monthLength(year, month)))
  }
  const weekday = numbers.get('dayOfWeek')
  if (weekday !== undefined && numbers.has('dayOfMonth') && weekday !== mondayBased(days) + 1)
    throw unfit(text)
  return days
}

function sundayBasedDay(numbers: ReadonlyMap<Field, number>): number {
  const weekday = numbers.get('dayOfWeek')
  return weekday === undefined ? (numbers.get('localDayOfWeek') ?? 1) - 1 : weekday % 7
}

/** Ms of the day; 24:00 is its end. */
function resolveTime({ numbers }: ReadFields, text: string): number {
  const limited = (field: Field, min: number, max: number): number | undefined => {
    const value = numbers.get(field)
    if (value !== undefined && (value < min || value > max)) throw unfit(text)
    return value
  }
  const milliOfDay = limited('milliOfDay', 0, DAY_MS - 1)
  if (milliOfDay !== undefined) return milliOfDay
  const nanoOfDay = limited('nanoOfDay', 0, DAY_MS * 1e6 - 1)
  if (nanoOfDay !== undefined) return Math.floor(nanoOfDay / 1e6)
  const minute = limited('minute', 0, 59) ?? 0
  const half = (numbers.get('halfDay') ?? 0) * 12
  const fromOne = limited('hourFromOne', 1, 24)
  const ofHalf = limited('hourOfHalf', 0, 11)
  const ofHalfFromOne = limited('hourOfHalfFromOne', 1, 12)
  const period = numbers.get('dayPeriod')
  const hourOfPeriod = (): number | undefined => {
    if (period === undefined || numbers.has('halfDay')) return undefined
    const half = ofHalf ?? (ofHalfFromOne === undefined ? null : ofHalfFromOne % 12)
    const inPeriod = minuteInPeriod(period, half, minute)
    if (inPeriod === null) throw unfit(text)
    return Math.floor(inPeriod / 60)
  }
  const hour =
    limited('hour', 0, 24) ??
    (fromOne === undefined ? undefined : fromOne % 24) ??
    hourOfPeriod() ??
    (ofHalf === undefined ? undefined : ofHalf + half) ??
    (ofHalfFromOne === undefined ? undefined : (ofHalfFromOne % 12) + half) ??
    0
  const second = limited('second', 0, 59) ?? 0
  const nano = limited('nano', 0, 999_999_999) ?? 0
  const timeMs = ((hour * 60 + minute) * 60 + second) * 1000 + Math.floor(nano / 1e6)
  if (timeMs > DAY_MS) throw unfit(text)
  return timeMs
}
