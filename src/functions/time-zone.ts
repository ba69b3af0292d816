import { IANAZone } from 'luxon'

/** A time zone by Java's names: a region, `UTC`, `GMT+2`, `Z` or an offset. */
export interface TimeZone {
  readonly id: string
  /** Milliseconds east of UTC at an instant. */
  offsetMs(epochMs: number): number
  /** Its name at an instant, in English: `PDT`, `Pacific Daylight Time`. */
  name(epochMs: number, length: 'short' | 'long'): string
}

export const UTC: TimeZone = fixedZone('UTC', 0)

/** @throws RangeError there is no such zone */
export function timeZone(id: string): TimeZone {
  const known = zones.get(id)
  if (known !== undefined) return known
  const zone = makeZone(id)
  zones.set(id, zone)
  return zone
}

/* Zones are few and never change within a process. */
const zones = new Map<string, TimeZone>([['UTC', UTC]])

/** The zone of this process, used where ksqlDB uses its server's. */
export function serverZone(): TimeZone {
  return timeZone(Intl.DateTimeFormat().resolvedOptions().timeZone)
}

/**
 * The instant of a local date and time. Of a time that occurs twice the earlier instant; a time that is
 * skipped counts on from before the gap.
 *
 * @param localMs the local time as if it were UTC, in epoch ms
 */
export function instantOf(localMs: number, zone: TimeZone): number {
  const dayMs = 86_400_000
  const before = zone.offsetMs(localMs - dayMs)
  const after = zone.offsetMs(localMs + dayMs)
  if (before === after || zone.offsetMs(localMs - before) === before) return localMs - before
  return zone.offsetMs(localMs - after) === after ? localMs - after : localMs - before
}

/** `+02:00`, `+0200`, `+02`, `+2`, each possibly with seconds; null if it is no offset. In ms. */
export function parseOffset(text: string): number | null {
  const found = /^([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?$/.exec(text)
  if (found === null) return null
  const [, sign, hours, minutes = '0', seconds = '0'] = found
  if (Number(minutes) > 59 || Number(seconds) > 59) return null
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
  return ms > 18 * 3_600_000 ? null : sign === '-' ? -ms : ms
}

/** `+02:00`, or `Z` for none. */
export function offsetText(offsetMs: number): string {
  if (offsetMs === 0) return 'Z'
  const seconds = Math.abs(offsetMs) / 1000
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const used = parts[2] === 0 ? parts.slice(0, 2) : parts
  return (offsetMs < 0 ? '-' : '+') + used.map((part) => String(part).padStart(2, '0')).join(':')
}

function makeZone(id: string): TimeZone {
  if (id === 'Z') return fixedZone('Z', 0)
  const prefixed = /^(UTC|GMT|UT)([+-].*)?$/.exec(id)
  const offset =
    prefixed === null ? parseOffset(id) : prefixed[2] === undefined ? 0 : parseOffset(prefixed[2])
  if (offset !== null) return fixedZone(id, offset)
  if (prefixed !== null || !IANAZone.isValidZone(id)) throw new RangeError(`'${id}' is not a time zone.`)
  return regionZone(id)
}

function fixedZone(id: string, offsetMs: number): TimeZone {
  return { id, offsetMs: () => offsetMs, name: () => id }
}

/* Offsets change on quarters of an hour only. */
const QUARTER_MS = 900_000
const CACHED_QUARTERS_MAX = 10_000

function regionZone(id: string): TimeZone {
  const zone = IANAZone.create(id)
  const offsets = new Map<number, number>()
  return {
    id,
    offsetMs(epochMs) {
      const quarter = Math.floor(epochMs / QUARTER_MS)
      let offset = offsets.get(quarter)
      if (offset === undefined) {
        offset = Math.round(zone.offset(quarter * QUARTER_MS) * 60_000)
        if (offsets.size >= CACHED_QUARTERS_MAX) offsets.clear()
        offsets.set(quarter, offset)
      }
      return offset
    },
    name(epochMs, length) {
      const long = zone.offsetName(epochMs, { format: 'long', locale: 'en-US' }) ?? id
      if (length === 'long') return long
      const short = zone.offsetName(epochMs, { format: 'short', locale: 'en-US' }) ?? id
      return short.startsWith('GMT') && short !== 'GMT' ? abbreviated(long, short) : short
    },
  }
}

/** Java knows abbreviations that the platform's data lacks outside America: mostly the initials. */
function abbreviated(long: string, otherwise: string): string {
  const known: Readonly<Record<string, string>> = {
    'Moscow Standard Time': 'MSK',
    'Singapore Standard Time': 'SGT',
    'Hong Kong Standard Time': 'HKT',
  }
  if (known[long] !== undefined) return known[long]
  if (!/^[A-Z][a-z]+(?: [A-Z][a-z]+)+$/.test(long)) return otherwise
  // Central European Standard Time is CET.
  const words = long.split(' ').filter((word, _, all) => word !== 'Standard' || !all.includes('European'))
  return words.map((word) => word[0]).join('')
}

/** Regions that abbreviations in texts stand for. */
const ABBREVIATIONS: Readonly<Record<string, string>> = {
  EST: 'America/New_York',
  EDT: 'America/New_York',
  CST: 'America/Chicago',
  CDT: 'America/Chicago',
  MST: 'America/Denver',
  MDT: 'America/Denver',
  PST: 'America/Los_Angeles',
  PDT: 'America/Los_Angeles',
  CET: 'Europe/Paris',
  CEST: 'Europe/Paris',
  EET: 'Europe/Athens',
  EEST: 'Europe/Athens',
  WET: 'Europe/Lisbon',
  WEST: 'Europe/Lisbon',
  BST: 'Europe/London',
  MSK: 'Europe/Moscow',
  IST: 'Asia/Kolkata',
  JST: 'Asia/Tokyo',
}

/** A zone as texts name it: also by abbreviation, in any case. null if there is none. */
export function zoneInText(text: string): TimeZone | null {
  const region = ABBREVIATIONS[text.toUpperCase()]
  try {
    return timeZone(region ?? (/^(utc|gmt|ut|z)\b/i.test(text) ? text.toUpperCase() : text))
  } catch {
    // The caller says what was expected instead.
    return null
  }
}
