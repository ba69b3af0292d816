import { BIGINT, DATE, INTEGER, STRING, TIME, TIMESTAMP } from '../../plan/sql-type.ts'
import { parseDatePattern, parseTimePattern, parseTimestampPattern } from '../java-date-pattern.ts'
import { parseLenientDatePattern } from '../lenient-date-pattern.ts'
import { rememberLast } from '../memo.ts'
import { scalarFunction } from '../scalar-function.ts'
import { serverZone } from '../time-zone.ts'
import { optional } from '../type-pattern.ts'

export const parseDate = scalarFunction({
  name: 'PARSE_DATE',
  category: 'date and time',
  summary: 'A date read by a lenient Java date pattern.',
  args: { text: STRING, pattern: STRING },
  returns: DATE,
  bind() {
    const compile = rememberLast(parseLenientDatePattern)
    return (text: string, pattern: string) => compile(pattern)(text)
  },
  examples: [
    ["PARSE_DATE('2018-05-11Lit', 'yyyy-MM-dd''Lit''')", 17662],
    ["PARSE_DATE('01-JAN-2022', 'dd-MMM-yyyy')", 18993],
    ["PARSE_DATE('JAN-2022', 'MMM-yyyy')", 18993],
    ["PARSE_DATE('20220101', 'yyyyMMdd')", 18993],
    ["PARSE_DATE('2021-13-01', 'yyyy-MM-dd')", 18993],
  ],
})

export const parseTime = scalarFunction({
  name: 'PARSE_TIME',
  category: 'date and time',
  summary: 'A time of the day read by a Java date pattern.',
  args: { text: STRING, pattern: STRING },
  returns: TIME,
  bind() {
    const compile = rememberLast(parseTimePattern)
    return (text: string, pattern: string) => compile(pattern)(text)
  },
  examples: [
    ["PARSE_TIME('00:01:05Lit', 'HH:mm:ss''Lit''')", 65000],
    ["PARSE_TIME('01:00:00 Pm', 'hh:mm:ss a')", 46800000],
    ["PARSE_TIME('12:30 AM', 'hh:mm a')", 1800000],
  ],
})

export const parseTimestamp = scalarFunction({
  name: 'PARSE_TIMESTAMP',
  category: 'date and time',
  summary:
    'A timestamp read by a Java date pattern, in a time zone (by default UTC) where the text has none.',
  args: { text: STRING, pattern: STRING, zone: optional(STRING) },
  returns: TIMESTAMP,
  bind() {
    const compile = rememberLast(parseTimestampPattern)
    return (text: string, pattern: string, zone = 'GMT') => compile(pattern)(text, zone)
  },
  examples: [
    ["PARSE_TIMESTAMP('2018-05-11 21:58:33', 'yyyy-MM-dd HH:mm:ss')", 1526075913000],
    ["PARSE_TIMESTAMP('2018-05-11 23:58:33', 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')", 1526075913000],
    ["PARSE_TIMESTAMP('2019-08-27T13:31:09.2+0000', 'yyyy-MM-dd''T''HH:mm:ss.SX')", 1566912669200],
    ["PARSE_TIMESTAMP('20180511215833123', 'yyyyMMddHHmmssSSS')", 1526075913123],
    ["PARSE_TIMESTAMP('05', 'MM')", 10368000000],
    ["PARSE_TIMESTAMP('2018-05-11', 'yyyy-MM-dd[ HH:mm]')", 1525996800000],
  ],
})

export const stringToDate = scalarFunction({
  name: 'STRINGTODATE',
  category: 'date and time',
  summary: 'Deprecated: days since 1970-01-01 of a date read by a Java date pattern. Use PARSE_DATE.',
  args: { text: STRING, pattern: STRING },
  returns: INTEGER,
  nulls: 'reject',
  bind() {
    const compile = rememberLast(parseDatePattern)
    return (text: string, pattern: string) => compile(pattern)(text)
  },
  examples: [["STRINGTODATE('2018-05-11', 'yyyy-MM-dd')", 17662]],
})

export const stringToTimestamp = scalarFunction({
  name: 'STRINGTOTIMESTAMP',
  category: 'date and time',
  summary:
    "Deprecated: epoch milliseconds read by a Java date pattern, by default in the server's zone. Use PARSE_TIMESTAMP.",
  args: { text: STRING, pattern: STRING, zone: optional(STRING) },
  returns: BIGINT,
  nulls: 'reject',
  bind() {
    const compile = rememberLast(parseTimestampPattern)
    return (text: string, pattern: string, zone = serverZone().id) => compile(pattern)(text, zone)
  },
  examples: [["STRINGTOTIMESTAMP('10-04-19 12:00:17Z', 'yy-MM-dd HH:mm:ssX')", 1271678417000]],
})
