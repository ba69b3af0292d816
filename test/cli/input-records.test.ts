import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { readRecords, timestampFrom, type InputOptions } from '../../src/cli/input-records.ts'
import type { NewRecord } from '../../src/runtime/millrace.ts'

async function read(text: string, options: InputOptions): Promise<NewRecord[]> {
  const records: NewRecord[] = []
  for await (const record of readRecords(Readable.from([Buffer.from(text)]), options)) records.push(record)
  return records
}

describe('CSV', () => {
  test('cells become numbers digit for digit, null, or text', async () => {
    const text = '\uFEFFid,n,text\r\nV1,1.50,"a ""b"",\nc"\r\nV2,,007\r\nV3,1e5,-0\r\nV4,+1,0x1\r\n'
    expect((await read(text, { format: 'csv' })).map((record) => record.value)).toEqual([
      '{"id":"V1","n":1.50,"text":"a \\"b\\",\\nc"}',
      '{"id":"V2","n":null,"text":"007"}',
      '{"id":"V3","n":1e5,"text":-0}',
      '{"id":"V4","n":"+1","text":"0x1"}',
    ])
  })

  test('a column gives the key, another the time', async () => {
    const text = 'id,at\nV1,2015-09-06T01:16:07-05:00\n,1000\n'
    expect(await read(text, { format: 'csv', key: 'id', timestamp: 'at' })).toMatchObject([
      { key: 'V1', timestampMs: Date.UTC(2015, 8, 6, 6, 16, 7) },
      { key: null, timestampMs: 1000 },
    ])
  })

  test.each([
    ['a,b\n1,2\n', { key: 'c' }, 'The file has no column "c".'],
    ['a,a\n1,2\n', {}, 'The header names the column "a" twice.'],
    ['a,b\n1\n', {}, /The file is not CSV: .*line 2/],
    ['a,b\n1,soon\n', { timestamp: 'b' }, 'Line 2: the column "b" holds "soon", which is no time.'],
  ])('%j is refused', async (text, options, message) => {
    await expect(read(text, { format: 'csv', ...options })).rejects.toThrow(message)
  })
})

describe('NDJSON', () => {
  test('lines are values as they stand', async () => {
    const text = '{"id":"V1","n":1.50}\n\n{"id":7,"at":"2020-01-01"}\r\n"text"'
    const records = await read(text, { format: 'ndjson' })
    expect(records.map((record) => record.value)).toEqual([
      '{"id":"V1","n":1.50}',
      '{"id":7,"at":"2020-01-01"}',
      '"text"',
    ])
  })

  test('members give key and time', async () => {
    const text = '{"id":"V1","at":5}\n{"id":7,"at":"1970-01-01T00:00:01Z"}\n{"at":0}\n'
    expect(await read(text, { format: 'ndjson', key: 'id', timestamp: 'at' })).toMatchObject([
      { key: 'V1', timestampMs: 5 },
      { key: '7', timestampMs: 1000 },
      { key: null, timestampMs: 0 },
    ])
  })

  test.each([
    ['{"a":1}\n{oops\n', {}, 'Line 2 is not JSON'],
    ['[1]\n', { key: 'a' }, 'Line 1 is no JSON object, so it has no "a".'],
    ['{"a":1}\n', { timestamp: 'b' }, 'Line 1: the column "b" holds "", which is no time.'],
  ])('%j is refused', async (text, options, message) => {
    await expect(read(text, { format: 'ndjson', ...options })).rejects.toThrow(message)
  })
})

test.each([
  ['1441520167000', 1441520167000],
  ['-1', -1],
  ['1970-01-02', 86_400_000],
  ['1970-01-01 00:00:01', 1000],
  ['1970-01-01T00:01', 60_000],
  ['1970-01-01T01:00:00.5+01:00', 500],
  ['1970-01-01T00:30:00-0030', 3_600_000],
  ['1970-01-01T01:00:00+01', 0],
])('%s is a time', (text, ms) => {
  expect(timestampFrom(text, 'at', 'Line 1')).toBe(ms)
})
