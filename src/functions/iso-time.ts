/*
 * ISO 8601 text of dates and times. TIMESTAMP is epoch ms, DATE epoch days, TIME ms of the day; all on the
 * proleptic Gregorian calendar, UTC.
 */

import { isInt32, isTimestamp } from '../plan/sql-value.ts'

export const DAY_MS = 86_400_000

/**
 * Reads a date-time, whole or partial (`2020`, `2020-05`, `2020-05-26T10`, …), with an optional offset or Z.
 * What is missing is filled up with the start of the period.
 *
 * @returns epoch ms
 * @throws RangeError it isn't one
 */
export function parseTimestamp(text: string): number {
  const found = TIMESTAMP_TEXT.exec(text)
  if (found === null) throw badTimestamp(text)
  const [, year, month, day, hour, minute, second, fraction, zone] = found
  const days = dayOf(Number(year), Number(month ?? 1), Number(day ?? 1))
  const timeMs = timeOf(Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0), fraction)
  if (days === null || timeMs === null) throw badTimestamp(text)
  return days * DAY_MS + timeMs - offsetMsOf(zone)
}

const TIMESTAMP_TEXT =
  /^([+-]?\d{4,9})(?:-(\d{1,2})(?:-(\d{1,2})(?:T(?:(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?)?)?$/

function badTimestamp(text: string): RangeError {
  return new RangeError(
    `'${text}' is not a timestamp: expected yyyy-MM-dd'T'HH:mm:ss.SSS or a part of it from the left, and an optional numeric offset.`,
  )
}

/** Reads `yyyy`, `yyyy-MM` or `yyyy-MM-dd`. @returns epoch days @throws RangeError it isn't one */
export function parseDate(text: string): number {
  const found = /^([+-]?\d{4,9})(?:-(\d{1,2})(?:-(\d{1,2}))?)?$/.exec(text)
  const days = found && dayOf(Number(found[1]), Number(found[2] ?? 1), Number(found[3] ?? 1))
  if (days === null)
    throw new RangeError(`'${text}' is not a date: expected yyyy-MM-dd or a part of it from the left.`)
  return days
}

/** Reads `HH:mm[:ss[.fraction]]`, cut to ms. @returns ms of the day @throws RangeError it isn't one */
export function parseTime(text: string): number {
  const found = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?$/.exec(text)
  const timeMs = found && timeOf(Number(found[1]), Number(found[2]), Number(found[3] ?? 0), found[4])
  if (timeMs === null) throw new RangeError(`'${text}' is not a time: expected HH:mm:ss.SSS or HH:mm.`)
  return timeMs
}

/** `yyyy-MM-ddTHH:mm:ss.SSS` */
export function timestampText(epochMs: number): string {
  const days = Math.floor(epochMs / DAY_MS)
  const timeMs = epochMs - days * DAY_MS
  return `${dateText(days)}T${clockText(timeMs, true)}.${pad(timeMs % 1000, 3)}`
}

/** `yyyy-MM-dd` */
export function dateText(epochDays: number): string {
  const { year, month, day } = calendarDate(epochDays)
  const sign = year < 0 ? '-' : year > 9999 ? '+' : ''
  return `${sign}${pad(Math.abs(year), 4)}-${pad(month, 2)}-${pad(day, 2)}`
}

/** `HH:mm`, or `HH:mm:ss` when there are seconds; fractions are dropped. */
export function timeText(timeMs: number): string {
  return clockText(timeMs, Math.floor(timeMs / 1000) % 60 !== 0)
}

/** `HH:mm:ss` */
export function clockText(timeMs: number, withSeconds: boolean): string {
  const seconds = Math.floor(timeMs / 1000)
  const minutes = Math.floor(seconds / 60)
  const clock = `${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`
  return withSeconds ? `${clock}:${pad(seconds % 60, 2)}` : clock
}

export interface CalendarDate {
  /** Proleptic: 0 is 1 BC. */
  readonly year: number
  /** 1–12. */
  readonly month: number
  /** 1–31. */
  readonly day: number
}

/* Years are counted from March, so that the leap day comes last; 400 years are 146097 days. */

export function calendarDate(epochDays: number): CalendarDate {
  const shifted = epochDays + 719468
  const era = Math.floor(shifted / 146097)
  const dayOfEra = shifted - era * 146097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

/** The day's number from the epoch. Months and days beyond their range roll over. */
export function epochDays(year: number, month: number, day: number): number {
  const years = year + Math.floor((month - 1) / 12)
  const monthOfYear = ((((month - 1) % 12) + 12) % 12) + 1
  const fromMarch = monthOfYear > 2 ? years : years - 1
  const era = Math.floor(fromMarch / 400)
  const yearOfEra = fromMarch - era * 400
  const dayOfYear = Math.floor((153 * (monthOfYear + (monthOfYear > 2 ? -3 : 9)) + 2) / 5)
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146097 + dayOfEra - 719468 + (day - 1)
}

/** @throws RangeError there is no such TIMESTAMP */
export function checkedTimestamp(epochMs: number | bigint): number {
  if (isTimestamp(epochMs)) return epochMs
  throw new RangeError(`${epochMs} is out of the range of TIMESTAMP.`)
}

/** @throws RangeError there is no such DATE */
export function checkedDate(epochDays: number | bigint): number {
  if (isInt32(epochDays)) return epochDays
  throw new RangeError(`${epochDays} is out of the range of DATE.`)
}

export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

export function monthLength(year: number, month: number): number {
  return month === 2 ? (isLeapYear(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
}

function dayOf(year: number, month: number, day: number): number | null {
  if (month < 1 || month > 12 || day < 1 || day > monthLength(year, month)) return null
  return epochDays(year, month, day)
}

function timeOf(hour: number, minute: number, second: number, fraction: string | undefined): number | null {
  if (hour > 23 || minute > 59 || second > 59) return null
  const millis = fraction === undefined ? 0 : Number(fraction.padEnd(3, '0').slice(0, 3))
  return ((hour * 60 + minute) * 60 + second) * 1000 + millis
}

/** Milliseconds east of UTC of `Z`, `±HH`, `±HHmm` or `±HH:mm`; 0 without one. */
function offsetMsOf(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0
  const digits = zone.slice(1).replace(':', '')
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0)
  return (zone[0] === '-' ? -minutes : minutes) * 60_000
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0')
}
