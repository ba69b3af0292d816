import { BIGINT, DATE, INTEGER, STRING, TIME, TIMESTAMP } from '../../plan/sql-type.ts'
import { formatDatePattern, formatTimePattern, formatTimestampPattern } from '../java-date-pattern.ts'
import { rememberLast } from '../memo.ts'
import { scalarFunction } from '../scalar-function.ts'
import { serverZone } from '../time-zone.ts'
import { optional } from '../type-pattern.ts'

export const formatDate = scalarFunction({
  name: 'FORMAT_DATE',
  category: 'date and time',
  summary: 'A date as text by a Java date pattern.',
  args: { date: DATE, pattern: STRING },
  returns: STRING,
  bind() {
    const compile = rememberLast(formatDatePattern)
    return (days: number, pattern: string) => compile(pattern)(days)
  },
  examples: [
    ["FORMAT_DATE('2022-01-01', 'dd-MMM-yyyy')", '01-Jan-2022'],
    ["FORMAT_DATE(FROM_DAYS(-1), 'dd-MM-yyyy''Sophia''')", '31-12-1969Sophia'],
    ["FORMAT_DATE('2024-12-31', 'EEEE, MMMM d, uuuu (D)')", 'Tuesday, December 31, 2024 (366)'],
  ],
})

export const formatTime = scalarFunction({
  name: 'FORMAT_TIME',
  category: 'date and time',
  summary: 'A time of the day as text by a Java date pattern.',
  args: { time: TIME, pattern: STRING },
  returns: STRING,
  bind() {
    const compile = rememberLast(formatTimePattern)
    return (timeMs: number, pattern: string) => compile(pattern)(timeMs)
  },
  examples: [
    ["FORMAT_TIME('00:01:05', 'HH_mm_ss_SSS')", '00_01_05_000'],
    ["FORMAT_TIME('13:05', 'h:mm a')", '1:05 PM'],
  ],
})

export const formatTimestamp = scalarFunction({
  name: 'FORMAT_TIMESTAMP',
  category: 'date and time',
  summary: 'A timestamp as text by a Java date pattern, in a time zone (by default UTC).',
  args: { timestamp: TIMESTAMP, pattern: STRING, zone: optional(STRING) },
  returns: STRING,
  bind() {
    const compile = rememberLast(formatTimestampPattern)
    return (epochMs: number, pattern: string, zone = 'GMT') => compile(pattern)(epochMs, zone)
  },
  examples: [
    ["FORMAT_TIMESTAMP('2018-05-11T21:58:33', 'yyyy-MM-dd HH:mm:ss')", '2018-05-11 21:58:33'],
    [
      "FORMAT_TIMESTAMP('2018-05-11T21:58:33', 'yyyy-MM-dd HH:mm:ss zzz', 'America/Los_Angeles')",
      '2018-05-11 14:58:33 PDT',
    ],
    [
      "FORMAT_TIMESTAMP('2018-05-11T21:58:33', 'HH:mm:ss.SSSXXX VV', 'Europe/Berlin')",
      '23:58:33.000+02:00 Europe/Berlin',
    ],
  ],
})

export const dateToString = scalarFunction({
  name: 'DATETOSTRING',
  category: 'date and time',
  summary: 'Deprecated: days since 1970-01-01 as text. Use FORMAT_DATE.',
  args: { epochDays: INTEGER, pattern: STRING },
  returns: STRING,
  nulls: { epochDays: 'reject' },
  bind() {
    const compile = rememberLast(formatDatePattern)
    return (days: number, pattern: string) => compile(pattern)(days)
  },
  examples: [["DATETOSTRING(17662, 'yyyy-MM-dd')", '2018-05-11']],
})

export const timestampToString = scalarFunction({
  name: 'TIMESTAMPTOSTRING',
  category: 'date and time',
  summary: "Deprecated: epoch milliseconds as text, by default in the server's zone. Use FORMAT_TIMESTAMP.",
  args: { epochMs: BIGINT, pattern: STRING, zone: optional(STRING) },
  returns: STRING,
  nulls: { epochMs: 'reject' },
  bind() {
    const compile = rememberLast(formatTimestampPattern)
    return (epochMs: number | bigint, pattern: string, zone = serverZone().id) =>
      compile(pattern)(Number(epochMs), zone)
  },
  examples: [
    [
      "TIMESTAMPTOSTRING(1526075913000, 'yyyy-MM-dd HH:mm:ss zzz', 'America/Los_Angeles')",
      '2018-05-11 14:58:33 PDT',
    ],
  ],
})
