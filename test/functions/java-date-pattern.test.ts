import { test as property } from '@fast-check/vitest'
import fc from 'fast-check'
import { DateTime } from 'luxon'
import { describe, expect, test } from 'vitest'
import {
  formatDatePattern,
  formatTimePattern,
  formatTimestampPattern,
  parseTimePattern,
  parseTimestampPattern,
} from '../../src/functions/java-date-pattern.ts'
import { parseLenientDatePattern } from '../../src/functions/lenient-date-pattern.ts'
import { instantOf, timeZone } from '../../src/functions/time-zone.ts'

const instant = Date.UTC(2021, 6, 4, 8, 7, 6, 54)

test.each([
  ['yyyy-MM-dd HH:mm:ss.SSS', 'UTC', '2021-07-04 08:07:06.054'],
  ['yy M d H m s S', 'UTC', '21 7 4 8 7 6 0'],
  ['EEE EEEE EEEEE, MMM MMMM MMMMM', 'UTC', 'Sun Sunday S, Jul July J'],
  ['h:mm a', 'Asia/Tokyo', '5:07 PM'],
  ['K k', 'UTC', '8 8'],
  ['D DDD', 'UTC', '185 185'],
  ['G GGGG', 'UTC', 'AD Anno Domini'],
  ['QQQ q', 'UTC', 'Q3 3'],
  ['Y w W e c F', 'UTC', '2021 28 2 1 1 4'],
  ['X XX XXX x xxx Z ZZZZ O', 'UTC', 'Z Z Z +00 +00:00 +0000 GMT GMT'],
  ['X XX XXX x xxx Z ZZZZ O', 'Asia/Kolkata', '+0530 +0530 +05:30 +0530 +05:30 +0530 GMT+05:30 GMT+5:30'],
  ['VV z zzzz', 'Europe/Berlin', 'Europe/Berlin CEST Central European Summer Time'],
  ['z', 'America/New_York', 'EDT'],
  ["''yyyy 'o''clock'", 'UTC', "'2021 o'clock"],
  ['uuuu[-MM]', 'UTC', '2021-07'],
  ['ppppH|', 'UTC', '   8|'],
  ['A n N', 'UTC', '29226054 54000000 29226054000000'],
  ['SSSSSS', 'UTC', '054000'],
  ['g', 'UTC', '59399'],
  ['h B, BBBBB', 'UTC', '8 in the morning, in the morning'],
  ['B', 'Asia/Tokyo', 'in the afternoon'],
  ['B', 'Pacific/Auckland', 'in the evening'],
  ['B', 'America/New_York', 'at night'],
])('formats %s in %s', (pattern, zone, expected) => {
  expect(formatTimestampPattern(pattern)(instant, zone)).toBe(expected)
})

test.each([
  ['yyyy-MM-dd HH:mm:ss', '2021-07-04 08:07:06', 'UTC', '2021-07-04T08:07:06Z'],
  ['yyyyMMddHHmmss', '20210704080706', 'UTC', '2021-07-04T08:07:06Z'],
  ['yyyyMMddHHmmssSSS', '20210704080706054', 'UTC', '2021-07-04T08:07:06.054Z'],
  ['yy-M-d', '21-7-4', 'UTC', '2021-07-04T00:00:00Z'],
  ['MMM dd, yyyy', 'jUL 04, 2021', 'UTC', '2021-07-04T00:00:00Z'],
  ['dd MMMM uuuu', '04 July 2021', 'UTC', '2021-07-04T00:00:00Z'],
  ['EEE d MMM y', 'sun 4 jul 2021', 'UTC', '2021-07-04T00:00:00Z'],
  ['yyyy-MM-dd hh:mm a', '2021-07-04 12:30 am', 'UTC', '2021-07-04T00:30:00Z'],
  ['yyyy-MM-dd', '2021-07-04', 'Europe/Berlin', '2021-07-03T22:00:00Z'],
  ["yyyy-MM-dd'T'HH:mmX", '2021-07-04T08:00+02', 'Europe/Berlin', '2021-07-04T06:00:00Z'],
  ["yyyy-MM-dd'T'HH:mmXXX", '2021-07-04T08:00-05:30', 'UTC', '2021-07-04T13:30:00Z'],
  ["yyyy-MM-dd'T'HH:mmX", '2021-07-04T08:00Z', 'Europe/Berlin', '2021-07-04T08:00:00Z'],
  ['yyyy-MM-dd HH:mm VV', '2021-07-04 08:00 America/New_York', 'UTC', '2021-07-04T12:00:00Z'],
  ['yyyy-MM-dd HH:mm z', '2021-07-04 08:00 PDT', 'UTC', '2021-07-04T15:00:00Z'],
  ['yyyy-MM-dd HH:mm Z', '2021-07-04 08:00 +0200', 'UTC', '2021-07-04T06:00:00Z'],
  ['yyyy-MM-dd HH:mm O', '2021-07-04 08:00 GMT+2', 'UTC', '2021-07-04T06:00:00Z'],
  ['yyyy-MM-dd[ HH:mm[:ss]]', '2021-07-04 08:07', 'UTC', '2021-07-04T08:07:00Z'],
  ['yyyy-DDD', '2020-366', 'UTC', '2020-12-31T00:00:00Z'],
  ['HH:mm', '08:07', 'UTC', '1970-01-01T08:07:00Z'],
  ['yyyy', '2021', 'UTC', '2021-01-01T00:00:00Z'],
  ['yyyy-MM-dd', '2021-02-31', 'UTC', '2021-02-28T00:00:00Z'],
  ['yyyy-MM-dd HH:mm', '2021-07-04 24:00', 'UTC', '2021-07-05T00:00:00Z'],
  ['g', '59399', 'UTC', '2021-07-04T00:00:00Z'],
  ['yyyy-MM-dd h:mm B', '2021-07-04 11:30 AT NIGHT', 'UTC', '2021-07-04T23:30:00Z'],
  ['yyyy-MM-dd h B', '2021-07-04 12 midnight', 'UTC', '2021-07-04T00:00:00Z'],
  ['yyyy-MM-dd B', '2021-07-04 in the morning', 'UTC', '2021-07-04T09:00:00Z'],
  ['yyyy G', '0044 BC', 'UTC', '-000043-01-01T00:00:00Z'],
])('reads %s: %s in %s', (pattern, text, zone, expected) => {
  expect(parseTimestampPattern(pattern)(text, zone)).toBe(Date.parse(expected))
})

test.each([
  ['yyyy-MM-dd', '2021-07-04x'],
  ['yyyy-MM-dd', '2021-7-04'],
  ['yyyy-MM-dd', '2021-13-04'],
  ['yyyy-MM-dd', '2021-07-32'],
  ['DDD', '366'],
  ['HH:mm', '24:01'],
  ['h B', '7 in the afternoon'],
  ['EEE d MMM y', 'mon 4 jul 2021'],
  ['yyyy yyyy', '2021 2022'],
  ['yyyy-MM-dd VV', '2021-07-04 Nowhere/Land'],
])('%s does not take %s', (pattern, text) => {
  expect(() => parseTimestampPattern(pattern)(text, 'UTC')).toThrow('does not fit')
})

test.each(['foo', 'yyyy-MM-dd HH:mm:ss.SSSSSSSSSS', 'ddd', "yyyy 'x", 'yyyy]', '{', 'V', 'pp'])(
  'the pattern %s is refused',
  (pattern) => {
    expect(() => parseTimestampPattern(pattern)).toThrow(RangeError)
  },
)

describe('fields a value does not have', () => {
  test('fail', () => {
    expect(() => formatDatePattern('yyyy HH')(0)).toThrow('does not have')
    expect(() => formatTimePattern('HH dd')(0)).toThrow('does not have')
    expect(() => formatDatePattern('yyyy z')(0)).toThrow('does not have')
    expect(() => parseTimePattern('HH dd')('01 02')).toThrow('a field of a date')
  })

  test('leave out the optional part that asks for them', () => {
    expect(formatDatePattern('yyyy[ HH:mm]')(0)).toBe('1970')
  })
})

test('the end of the day is its midnight', () => {
  expect(parseTimePattern('HH:mm')('24:00')).toBe(0)
})

test('local times in gaps and overlaps', () => {
  const berlin = timeZone('Europe/Berlin')
  // 02:30 does not exist on 2021-03-28 and occurs twice on 2021-10-31.
  expect(new Date(instantOf(Date.UTC(2021, 2, 28, 2, 30), berlin)).toISOString()).toBe(
    '2021-03-28T01:30:00.000Z',
  )
  expect(new Date(instantOf(Date.UTC(2021, 9, 31, 2, 30), berlin)).toISOString()).toBe(
    '2021-10-31T00:30:00.000Z',
  )
})

test('zones by all their names', () => {
  const offsets = ['Z', 'UTC', 'GMT', '+2', '+02', '+0230', '-02:30', 'GMT+3', 'UTC-05:00'].map(
    (id) => timeZone(id).offsetMs(0) / 60_000,
  )
  expect(offsets).toEqual([0, 0, 0, 120, 120, 150, -150, 180, -300])
  for (const id of ['', 'Nowhere', '+25:00', 'GMT+x']) expect(() => timeZone(id)).toThrow('not a time zone')
})

const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
)
const instants = fc.integer({ min: Date.UTC(1971, 0, 1), max: Date.UTC(2037, 0, 1) })

property.prop([instants, zones])('what is formatted is read again, and Luxon agrees', (epochMs, zone) => {
  const pattern = "uuuu-MM-dd'T'HH:mm:ss.SSSXXX"
  const text = formatTimestampPattern(pattern)(epochMs, zone)
  expect(parseTimestampPattern(pattern)(text, 'UTC')).toBe(epochMs)
  expect(text.replace('Z', '+00:00')).toBe(
    DateTime.fromMillis(epochMs, { zone }).toFormat("yyyy-MM-dd'T'HH:mm:ss.SSSZZ"),
  )
})

property.prop([instants, zones])('a local time without offset is read as Luxon reads it', (epochMs, zone) => {
  const local = formatTimestampPattern('uuuu-MM-dd HH:mm:ss.SSS')(epochMs, zone)
  const read = parseTimestampPattern('uuuu-MM-dd HH:mm:ss.SSS')(local, zone)
  // An ambiguous time is the earlier one here.
  expect([epochMs, epochMs - 3_600_000, epochMs - 1_800_000]).toContain(read)
})

test.each([
  ['yyyy-MM-dd', '2018-05-11 and more', 17662],
  ['dd-MMM-yy', '01-jan-22', 18993],
  ['yyyyMMdd', '20220101', 18993],
  ['yyyy-MM-dd', '2021-14-01', 19024],
  ['yyyy-MM-dd HH:mm', '2022-01-01 00:00', 18993],
  ['yyyy D', '2022 1', 18993],
])('lenient %s takes %s', (pattern, text, days) => {
  expect(parseLenientDatePattern(pattern)(text)).toBe(days)
})

test('a lenient date may not have a time of day', () => {
  expect(() => parseLenientDatePattern('yyyy-MM-dd HH:mm')('2022-01-01 01:00')).toThrow('time of day')
  expect(() => parseLenientDatePattern('yyyy-MM-dd')('x')).toThrow('does not fit')
})
