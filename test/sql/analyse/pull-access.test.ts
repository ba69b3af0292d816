import { expect, test } from 'vitest'

import { session } from './memory-catalog.ts'

function access(where: string, settings: Record<string, string> = {}): unknown {
  const fresh = session({ settings })
  fresh.run(`
    CREATE STREAM s (id STRING KEY, n INT) WITH (kafka_topic='s', format='JSON');
    CREATE TABLE g AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;
    CREATE TABLE i AS SELECT n, id, COUNT(*) AS c FROM s GROUP BY n, id;
    CREATE TABLE w AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY id;
  `)
  const command = fresh.run(`SELECT * FROM ${where};`)
  return command.kind === 'pull-query' ? command.access : null
}

test('equalities on the whole key are look-ups', () => {
  expect(access("g WHERE id = 'a'")).toEqual({ kind: 'keys', keys: [['a']], window: null })
  expect(access("g WHERE 'a' = id AND n > 3")).toEqual({ kind: 'keys', keys: [['a']], window: null })
  expect(access("g WHERE id IN ('a', 'b') OR id = 'b'")).toEqual({
    kind: 'keys',
    keys: [['a'], ['b']],
    window: null,
  })
  expect(access("g WHERE id = UCASE('a')")).toEqual({ kind: 'keys', keys: [['A']], window: null })
  expect(access("i WHERE n = 1 + 1 AND id IN ('a', 'b')")).toEqual({
    kind: 'keys',
    keys: [
      [2, 'a'],
      [2, 'b'],
    ],
    window: null,
  })
})

test('a comparison of the only STRING key is a range', () => {
  expect(access("g WHERE id >= 'a' AND id < 'c'")).toEqual({
    kind: 'range',
    from: 'a',
    fromInclusive: true,
    to: 'c',
    toInclusive: false,
  })
  expect(access("g WHERE id >= 'a'", { 'ksql.query.pull.range.scan.enabled': 'false' })).toEqual({
    kind: 'scan',
    window: null,
  })
})

test('anything that leaves the key open is a scan', () => {
  expect(access('g')).toEqual({ kind: 'scan', window: null })
  expect(access("g WHERE id <> 'a'")).toEqual({ kind: 'scan', window: null })
  expect(access("g WHERE id = 'a' OR n = 1")).toEqual({ kind: 'scan', window: null })
  expect(access("i WHERE id = 'a'")).toEqual({ kind: 'scan', window: null })
  expect(access('s WHERE n = 1')).toEqual({ kind: 'scan', window: null })
})

test('bounds of windows narrow what is read, wide enough for every alternative', () => {
  expect(access("w WHERE id = 'a' AND WINDOWSTART >= 60000 AND WINDOWEND < '1970-01-01T00:05'")).toEqual({
    kind: 'keys',
    keys: [['a']],
    window: { startFromMs: 60000, startToMs: null, endFromMs: null, endToMs: 299999 },
  })
  expect(access("w WHERE (id = 'a' AND WINDOWSTART = 60000) OR (id = 'b' AND WINDOWSTART = 120000)")).toEqual(
    {
      kind: 'keys',
      keys: [['a'], ['b']],
      window: { startFromMs: 60000, startToMs: 120000, endFromMs: null, endToMs: null },
    },
  )
})

test('with scans switched off the key must be pinned', () => {
  const off = { 'ksql.query.pull.table.scan.enabled': 'false' }
  expect(access("g WHERE id = 'a'", off)).toMatchObject({ kind: 'keys' })
  expect(() => access('g WHERE n = 1', off)).toThrow(
    expect.objectContaining({ code: 'SQL_TABLE_SCAN_DISABLED' }),
  )
})
