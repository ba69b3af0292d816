import { DATE, INTEGER, STRING, TIME, TIMESTAMP, type SqlType } from '../../plan/sql-type.ts'
import { checkedDate, checkedTimestamp, DAY_MS } from '../iso-time.ts'
import { scalarFunction, type Example, type ScalarFunction } from '../scalar-function.ts'

/** Milliseconds of the unit keywords. */
const UNIT_MS: Readonly<Record<string, number>> = {
  DAY: DAY_MS,
  HOUR: 3_600_000,
  MINUTE: 60_000,
  SECOND: 1000,
  MILLISECOND: 1,
}

function unitMs(unit: string): number {
  const ms = UNIT_MS[unit.toUpperCase().replace(/S$/, '')]
  if (ms === undefined) throw new RangeError(`'${unit}' is not a unit of time.`)
  return ms
}

function adding(
  name: string,
  type: SqlType,
  sign: 1 | -1,
  add: (value: number, ms: number) => number,
  examples: readonly Example[],
): ScalarFunction {
  return scalarFunction({
    name,
    category: 'date and time',
    summary: `A ${type.kind} some days, hours, minutes, seconds or milliseconds ${sign > 0 ? 'later' : 'earlier'}.`,
    // The unit is a keyword; it arrives as its text.
    args: { unit: STRING, amount: INTEGER, value: type },
    returns: type,
    body: (unit: string, amount: number, value: number) => add(value, sign * amount * unitMs(unit)),
    examples,
  })
}

/* Cut toward the epoch. */
function addToDate(days: number, ms: number): number {
  return checkedDate(Math.trunc((days * DAY_MS + ms) / DAY_MS) + 0)
}

function addToTime(timeMs: number, ms: number): number {
  return (((timeMs + ms) % DAY_MS) + DAY_MS) % DAY_MS
}

const addToTimestamp = (epochMs: number, ms: number): number => checkedTimestamp(epochMs + ms)

export const dateAdd = adding('DATEADD', DATE, 1, addToDate, [
  ["DATEADD(DAYS, 10, CAST('1970-01-11' AS DATE))", 20],
  ["DATEADD(HOURS, 25, '1970-01-11')", 11],
  ["DATEADD(DAY, NULL, '1970-01-11')", null],
])

export const dateSub = adding('DATESUB', DATE, -1, addToDate, [
  ["DATESUB(DAYS, 10, '1970-01-06')", -5],
  ["DATESUB(HOURS, 1, '1970-01-01')", 0],
])

export const timeAdd = adding('TIMEADD', TIME, 1, addToTime, [
  ["TIMEADD(MILLISECONDS, 10, '23:59:59.995')", 5],
  ["TIMEADD(HOURS, -1, '00:30')", 84600000],
])

export const timeSub = adding('TIMESUB', TIME, -1, addToTime, [
  ["TIMESUB(MILLISECONDS, 10, '00:00:00.005')", 86399995],
])

export const timestampAdd = adding('TIMESTAMPADD', TIMESTAMP, 1, addToTimestamp, [
  ["TIMESTAMPADD(MINUTES, 2, '1970-01-01T00:01')", 180000],
])

export const timestampSub = adding('TIMESTAMPSUB', TIMESTAMP, -1, addToTimestamp, [
  ["TIMESTAMPSUB(MILLISECONDS, 5, '1970-01-01')", -5],
])
