import { expect, test } from 'vitest'
import { evaluate } from './evaluate.ts'

/*
 * Zones whose clocks change, and the ends of the calendar, as java.time has them: a time that a zone leaves out is
 * moved on by what is left out, one that comes twice is the first.
 */

const utc = (text: string): number => Date.parse(`${text}Z`)

test.each([
  // Berlin leaves out 02:00 to 03:00 on 2024-03-31 …
  [
    "PARSE_TIMESTAMP('2024-03-31 01:59:59', 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')",
    utc('2024-03-31T00:59:59'),
  ],
  [
    "PARSE_TIMESTAMP('2024-03-31 02:30:00', 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')",
    utc('2024-03-31T01:30:00'),
  ],
  [
    "PARSE_TIMESTAMP('2024-03-31 03:00:00', 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')",
    utc('2024-03-31T01:00:00'),
  ],
  // … and has it twice on 2024-10-27.
  [
    "PARSE_TIMESTAMP('2024-10-27 01:59:59', 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')",
    utc('2024-10-26T23:59:59'),
  ],
  [
    "PARSE_TIMESTAMP('2024-10-27 02:30:00', 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')",
    utc('2024-10-27T00:30:00'),
  ],
  [
    "PARSE_TIMESTAMP('2024-10-27 03:00:00', 'yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')",
    utc('2024-10-27T02:00:00'),
  ],
  // The text says which of the two.
  ["PARSE_TIMESTAMP('2024-10-27 02:30:00 +01:00', 'yyyy-MM-dd HH:mm:ss XXX')", utc('2024-10-27T01:30:00')],
  // Half an hour on Lord Howe Island.
  [
    "PARSE_TIMESTAMP('2024-10-06 02:15:00', 'yyyy-MM-dd HH:mm:ss', 'Australia/Lord_Howe')",
    utc('2024-10-05T15:45:00'),
  ],
  // Samoa left out the 30th of December 2011.
  [
    "PARSE_TIMESTAMP('2011-12-30 12:00:00', 'yyyy-MM-dd HH:mm:ss', 'Pacific/Apia')",
    utc('2011-12-30T22:00:00'),
  ],
  // Leap days.
  ["PARSE_TIMESTAMP('2024-02-29', 'yyyy-MM-dd')", utc('2024-02-29T00:00:00')],
  ["PARSE_TIMESTAMP('2000-02-29', 'yyyy-MM-dd')", utc('2000-02-29T00:00:00')],
  ["PARSE_TIMESTAMP('2024-366', 'yyyy-DDD')", utc('2024-12-31T00:00:00')],
  // The ends.
  ["PARSE_TIMESTAMP('9999-12-31 23:59:59.999', 'yyyy-MM-dd HH:mm:ss.SSS')", utc('9999-12-31T23:59:59.999')],
  ["PARSE_TIMESTAMP('1969-12-31 23:59:59.999', 'yyyy-MM-dd HH:mm:ss.SSS')", -1],
  ["PARSE_TIMESTAMP('0001-01-01', 'yyyy-MM-dd')", utc('0001-01-01T00:00:00')],
])('%s', (expression, expected) => {
  expect(evaluate(expression)).toBe(expected)
})

test.each([
  [
    "FORMAT_TIMESTAMP(FROM_UNIXTIME(1711846799000), 'yyyy-MM-dd HH:mm:ss XXX', 'Europe/Berlin')",
    '2024-03-31 01:59:59 +01:00',
  ],
  [
    "FORMAT_TIMESTAMP(FROM_UNIXTIME(1711846800000), 'yyyy-MM-dd HH:mm:ss XXX', 'Europe/Berlin')",
    '2024-03-31 03:00:00 +02:00',
  ],
  [
    "FORMAT_TIMESTAMP(FROM_UNIXTIME(1729989000000), 'yyyy-MM-dd HH:mm:ss XXX', 'Europe/Berlin')",
    '2024-10-27 02:30:00 +02:00',
  ],
  [
    "FORMAT_TIMESTAMP(FROM_UNIXTIME(1729992600000), 'yyyy-MM-dd HH:mm:ss XXX', 'Europe/Berlin')",
    '2024-10-27 02:30:00 +01:00',
  ],
  ["FORMAT_TIMESTAMP(FROM_UNIXTIME(253402300799999), 'yyyy-MM-dd HH:mm:ss.SSS')", '9999-12-31 23:59:59.999'],
  ["FORMAT_TIMESTAMP(FROM_UNIXTIME(-1), 'yyyy-MM-dd HH:mm:ss.SSS')", '1969-12-31 23:59:59.999'],
])('%s', (expression, expected) => {
  expect(evaluate(expression)).toBe(expected)
})

test.each([
  // The difference of the zones at that instant: an hour less for three weeks a year.
  ["CONVERT_TZ('2024-03-09T12:00:00', 'America/New_York', 'Europe/Berlin')", utc('2024-03-09T18:00:00')],
  ["CONVERT_TZ('2024-03-11T12:00:00', 'America/New_York', 'Europe/Berlin')", utc('2024-03-11T17:00:00')],
  ["CONVERT_TZ('2024-03-31T00:59:59', 'UTC', 'Europe/Berlin')", utc('2024-03-31T01:59:59')],
  ["CONVERT_TZ('2024-03-31T01:00:00', 'UTC', 'Europe/Berlin')", utc('2024-03-31T03:00:00')],
  ["CONVERT_TZ('2024-10-27T00:59:59', 'UTC', 'Europe/Berlin')", utc('2024-10-27T02:59:59')],
  ["CONVERT_TZ('2024-10-27T01:00:00', 'UTC', 'Europe/Berlin')", utc('2024-10-27T02:00:00')],
])('%s', (expression, expected) => {
  expect(evaluate(expression)).toBe(expected)
})

test.each([
  ["DATEADD(DAYS, 1, '2024-02-28')", 19782],
  ["DATEADD(DAYS, 1, '2023-02-28')", 19417],
  ["DATEADD(DAYS, 1, '9999-12-31')", 2932897],
])('%s', (expression, expected) => {
  expect(evaluate(expression)).toBe(expected)
})

test.each([
  "PARSE_TIMESTAMP('2023-02-29 00', 'uuuu-MM-dd HH')",
  "PARSE_TIMESTAMP('2100-366', 'yyyy-DDD')",
  "PARSE_TIMESTAMP('2024-10-27 24:30', 'yyyy-MM-dd HH:mm')",
])('refused, or the last day of the month: %s', (expression) => {
  let result: unknown
  try {
    result = evaluate(expression)
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError)
    return
  }
  expect(result).toBe(utc('2023-02-28T00:00:00'))
})
