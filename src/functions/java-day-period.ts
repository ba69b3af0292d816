/** A part of the day by its English name: from a minute of the day up to another, over midnight where that is smaller. */
interface DayPeriod {
  readonly names: { readonly short: string; readonly long: string; readonly narrow: string }
  readonly from: number
  readonly to: number
}

const named = (name: string, narrow = name): DayPeriod['names'] => ({ short: name, long: name, narrow })

/* Points in time go before the periods around them. */
const PERIODS: readonly DayPeriod[] = [
  { names: named('midnight', 'mi'), from: 0, to: 1 },
  { names: named('noon', 'n'), from: 12 * 60, to: 12 * 60 + 1 },
  { names: named('in the morning'), from: 6 * 60, to: 12 * 60 },
  { names: named('in the afternoon'), from: 12 * 60, to: 18 * 60 },
  { names: named('in the evening'), from: 18 * 60, to: 21 * 60 },
  { names: named('at night'), from: 21 * 60, to: 6 * 60 },
]

/** Names in the order of the numbers that stand for them. */
export const DAY_PERIODS = {
  short: PERIODS.map((p) => p.names.short),
  long: PERIODS.map((p) => p.names.long),
  narrow: PERIODS.map((p) => p.names.narrow),
}

/** The number of the period a minute of the day lies in. */
export function dayPeriodAt(minute: number): number {
  return PERIODS.findIndex((period) => includes(period, minute))
}

/**
 * The hour of the day where a text gives an hour of a half day (or none) with a period.
 *
 * @param hour  0 to 11; null: the middle of the period
 * @returns minute of the day, or null: the period has no such hour
 */
export function minuteInPeriod(period: number, hour: number | null, minute: number): number | null {
  const { from, to } = PERIODS[period]!
  if (hour === null) return (from + Math.floor(((to - from + 24 * 60) % (24 * 60)) / 2)) % (24 * 60)
  const candidates = [hour * 60 + minute, (hour + 12) * 60 + minute]
  return candidates.find((m) => includes(PERIODS[period]!, m)) ?? null
}

function includes({ from, to }: DayPeriod, minute: number): boolean {
  return from < to ? minute >= from && minute < to : minute >= from || minute < to
}
