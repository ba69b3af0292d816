import { BIGINT, DATE, INTEGER, STRING, TIMESTAMP } from '../../plan/sql-type.ts'
import { checkedTimestamp, DAY_MS } from '../iso-time.ts'
import { scalarFunction } from '../scalar-function.ts'
import { serverZone, timeZone } from '../time-zone.ts'

export const convertTz = scalarFunction({
  name: 'CONVERT_TZ',
  category: 'date and time',
  summary: 'A timestamp moved by the difference between two time zones at that instant.',
  args: { timestamp: TIMESTAMP, from: STRING, to: STRING },
  returns: TIMESTAMP,
  body: (epochMs: number, from: string, to: string) =>
    checkedTimestamp(epochMs + timeZone(to).offsetMs(epochMs) - timeZone(from).offsetMs(epochMs)),
  examples: [
    ["CONVERT_TZ('1970-01-01', '+0200', '+0500')", 10800000],
    ["CONVERT_TZ('2020-05-11', 'America/Los_Angeles', 'America/New_York')", 1589166000000],
  ],
})

export const fromDays = scalarFunction({
  name: 'FROM_DAYS',
  category: 'date and time',
  summary: 'The date some days after 1970-01-01.',
  args: { days: INTEGER },
  returns: DATE,
  nulls: 'reject',
  body: (days: number) => days,
  examples: [['FROM_DAYS(-10)', -10]],
})

export const fromUnixtime = scalarFunction({
  name: 'FROM_UNIXTIME',
  category: 'date and time',
  summary: 'The timestamp some milliseconds after 1970-01-01T00:00.',
  args: { epochMs: BIGINT },
  returns: TIMESTAMP,
  body: checkedTimestamp,
  examples: [['FROM_UNIXTIME(1589234313000)', 1589234313000]],
})

export const unixDate = scalarFunction({
  name: 'UNIX_DATE',
  category: 'date and time',
  summary: "Days from 1970-01-01 to a date, or to today in the server's zone.",
  overloads: [
    {
      args: {},
      returns: INTEGER,
      bind:
        (_args, _returns, { clock }) =>
        () => {
          const nowMs = clock.nowMs()
          return Math.floor((nowMs + serverZone().offsetMs(nowMs)) / DAY_MS)
        },
    },
    { args: { date: DATE }, returns: INTEGER, body: (days: number) => days },
  ],
  examples: [["UNIX_DATE(CAST('1970-01-11' AS DATE))", 10]],
})

export const unixTimestamp = scalarFunction({
  name: 'UNIX_TIMESTAMP',
  category: 'date and time',
  summary: 'Milliseconds from 1970-01-01T00:00 to a timestamp, or to now.',
  overloads: [
    {
      args: {},
      returns: BIGINT,
      bind:
        (_args, _returns, { clock }) =>
        () =>
          clock.nowMs(),
    },
    { args: { timestamp: TIMESTAMP }, returns: BIGINT, body: (epochMs: number) => epochMs },
  ],
  examples: [
    ["UNIX_TIMESTAMP(CAST('1970-01-01T00:00:01' AS TIMESTAMP))", 1000],
    ['UNIX_TIMESTAMP()', 1770091506000],
  ],
})
