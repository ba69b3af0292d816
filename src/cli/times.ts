import { Duration } from 'luxon'
import { SqlError } from '../base/errors.ts'
import { isoTimeMs } from './input-records.ts'

/** @throws SqlError unless it is epoch milliseconds or ISO 8601 */
export function timeMsFrom(text: string): number {
  const timeMs = /^-?\d+$/.test(text) ? Number(text) : isoTimeMs(text)
  if (timeMs !== null) return timeMs
  throw new SqlError('CLI_BAD_TIME', {
    message: `'${text}' is not a time.`,
    hint: 'Give epoch milliseconds or ISO 8601, for example 2026-11-20T12:00:00Z.',
  })
}

/** @throws SqlError unless it is an ISO 8601 duration */
export function durationMsFrom(text: string): number {
  const duration = Duration.fromISO(text)
  if (duration.isValid) return duration.toMillis()
  throw new SqlError('CLI_BAD_TIME', {
    message: `'${text}' is not a duration.`,
    hint: 'Durations are ISO 8601: PT15M, PT2H, P1D.',
  })
}

/** ISO 8601, or the number where no date is so far out. */
export function isoText(timestampMs: number): string {
  const date = new Date(timestampMs)
  return Number.isNaN(date.getTime()) ? String(timestampMs) : date.toISOString()
}
