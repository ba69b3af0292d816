import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { functionRegistry } from '../../src/functions/registry.ts'
import { QueryError, RecordError, SqlError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import { casesOf } from '../../src/testing/conformance/case-file.ts'
import { WORDS } from '../../src/sql/tokens.ts'
import { TestDriver } from '../../src/testing/driver.ts'
import { blocksOf } from '../docs/sql-pages.ts'
import type { FuzzOutcome } from './outcome.ts'

const CONFORMANCE = join(import.meta.dirname, '../../../shared/conformance/ksqldb/query')
const EXAMPLES = join(import.meta.dirname, '../../examples/vehicle-telemetry/sql')

const OWN = [
  `CREATE STREAM s (id STRING KEY, v INT, t STRING, a ARRAY<INT>, m MAP<STRING, DOUBLE>, r STRUCT<x INT, y STRING>)
   WITH (kafka_topic='s', value_format='JSON', partitions=2);`,
  `CREATE TABLE d (id STRING PRIMARY KEY, name STRING) WITH (kafka_topic='d', value_format='DELIMITED', partitions=2);`,
  `CREATE STREAM f AS SELECT id, v * 2 AS w, UCASE(t) AS u, CASE WHEN v > 3 THEN 'a' ELSE 'b' END AS c FROM s WHERE v BETWEEN 1 AND 9;`,
  `CREATE TABLE g AS SELECT id, COUNT(*) AS n, SUM(v) AS total, COLLECT_LIST(t) AS ts FROM s WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 10 SECONDS) GROUP BY id HAVING COUNT(*) > 1 EMIT FINAL;`,
  `CREATE STREAM j AS SELECT s.id, s.v, d.name FROM s LEFT JOIN d ON s.id = d.id EMIT CHANGES;`,
  `CREATE STREAM e AS SELECT t, id, EXPLODE(a) AS x, m['k'] AS k, r->x AS rx FROM s PARTITION BY t;`,
  `INSERT INTO s (id, v, t) VALUES ('a', 1, 'b'), ('c', -2147483648, NULL);`,
  `SELECT TRANSFORM(a, x => x + 1), FILTER(m, (k, v) => v > 0.5e-3), CAST('1.5' AS DECIMAL(4, 2)) FROM s EMIT CHANGES LIMIT 2;`,
  `SELECT * FROM g WHERE id IN ('a', 'b') AND windowstart >= '2020-01-01T00:00:00';`,
  `SHOW STREAMS; DESCRIBE s EXTENDED; EXPLAIN SELECT * FROM s; DROP STREAM IF EXISTS f DELETE TOPIC;`,
  `SET 'auto.offset.reset' = 'earliest'; DEFINE x = 'y'; SELECT '\${x}' AS z FROM s; TERMINATE ALL;`,
  `CREATE ALERT al AS SELECT id, v FROM s WHERE v > 5 FOR 10 SECONDS SEVERITY 'critical';`,
  `CREATE TYPE p AS STRUCT<x INT, y ARRAY<MAP<STRING, BIGINT>>>; ALTER STREAM s ADD COLUMN z INT;`,
]

/** Pieces that grammars and checkers trip over. */
const PIECES = [
  '(',
  ')',
  ',',
  ';',
  '.',
  '->',
  '=>',
  "'",
  '"',
  '`',
  '--',
  '/*',
  '*/',
  '${',
  '}',
  '[',
  ']',
  '<',
  '>',
  ':=',
  '||',
  '-',
  '*',
  '/',
  '%',
  'NULL',
  'NOT',
  'SELECT',
  'FROM',
  'WHERE',
  'GROUP BY',
  'HAVING',
  'PARTITION BY',
  'EMIT CHANGES',
  'EMIT FINAL',
  'WINDOW',
  'TUMBLING',
  'SIZE',
  'CASE',
  'WHEN',
  'END',
  'AS',
  'JOIN',
  'WITHIN',
  'CAST(',
  'ARRAY[',
  'MAP(',
  'STRUCT(',
  'COUNT(*)',
  'SUM(',
  'EXPLODE(',
  'LIKE',
  'IN (',
  '0',
  '1e999',
  '-1',
  '9223372036854775808',
  '99999999999999999999999999999999999999999',
  '0.1',
  '1e-400',
  "''",
  "'\\'",
  '\u0000',
  '\uD800',
  '\u{1F600}',
  '__proto__',
  'constructor',
  'toString',
  'ROWTIME',
  'WINDOWSTART',
  'ROWKEY',
  'DECIMAL(99, 98)',
  'DECIMAL(0,0)',
  'INTERVAL',
  '1 MINUTE',
  'x => x',
]

/** Words of a kind, by what they look like. */
const KINDS: readonly (readonly [RegExp, readonly string[]])[] = [
  [
    /^'/,
    [
      "''",
      "'a'",
      "'2020-01-01'",
      "'yyyy-MM-dd'",
      "'$.x[0]'",
      "'['",
      "'JSON'",
      "'AVRO'",
      "'KAFKA'",
      "'99999999999'",
      "'true'",
    ],
  ],
  [/^\d/, ['0', '1', '2147483648', '9223372036854775807', '1e308', '0.5', '10000000000']],
  [
    /^(?:INT|STRING|DOUBLE|BIGINT|DECIMAL)$/,
    [
      'INT',
      'STRING',
      'DOUBLE',
      'BIGINT',
      'BOOLEAN',
      'BYTES',
      'DATE',
      'TIME',
      'TIMESTAMP',
      'DECIMAL(5, 2)',
      'ARRAY<INT>',
      'MAP<STRING, INT>',
      'STRUCT<A INT>',
    ],
  ],
  [new RegExp(`^(?:${functionRegistry.names().join('|')})$`, 'i'), functionRegistry.names()],
  [
    /./,
    [
      'id',
      'v',
      't',
      'a',
      'm',
      'r',
      's',
      'd',
      'g',
      'name',
      'ROWTIME',
      'WINDOWSTART',
      's.id',
      'r->x',
      'a[1]',
      "m['k']",
      'v + 1',
      'NULL',
      'COUNT(*)',
      '`v`',
    ],
  ],
]

/** The SQL of the reference page, block by block. */
function fromDocs(): readonly string[] {
  const page = readFileSync(join(import.meta.dirname, '../../docs/sql.md'), 'utf8')
  return blocksOf(page).flatMap((block) => (block.language === 'sql' ? [block.text] : []))
}

/** Longer texts are mostly the same statement many times. */
const CASE_UNITS_MAX = 2000

/** ksqlDB's own statements, where they are at hand beside the checkout; else none. */
function fromConformance(): readonly string[] {
  if (!existsSync(CONFORMANCE)) return []
  return readdirSync(CONFORMANCE)
    .toSorted()
    .flatMap((name) => casesOf(readFileSync(join(CONFORMANCE, name), 'utf8')) ?? [])
    .map((unread) => unread.read().statements.join('\n'))
    .filter((text) => text.length <= CASE_UNITS_MAX)
}

const base: readonly string[] = [
  ...OWN,
  ...OWN,
  ...readdirSync(EXAMPLES)
    .filter((name) => name.endsWith('.sql'))
    .map((name) => readFileSync(join(EXAMPLES, name), 'utf8')),
  ...fromDocs(),
  ...fromConformance(),
]

/** Literals, types, and names; the words of the grammar itself stay. */
function wordsWithKinds(
  text: string,
): { readonly text: string; readonly index: number; readonly kind: number }[] {
  return [...text.matchAll(/'[^']*'|\b\d+(?:\.\d+)?\b|\b[a-zA-Z_]\w*\b/g)].flatMap((match) => {
    const [word] = match
    const kind = KINDS.findIndex(([pattern]) => pattern.test(word))
    const isGrammar = kind === KINDS.length - 1 && WORDS.has(word.toUpperCase())
    return isGrammar ? [] : [{ text: word, index: match.index, kind }]
  })
}

/** A statement that begins as a good one and goes through some edits. */
export function mutatedSql(random: Random): string {
  const pick = <T>(items: readonly T[]): T => items[random.below(items.length)]!
  let text = pick(base)
  if (random.below(2) === 0) {
    // One word for another of its kind, often from the text itself: most of these parse.
    for (let edits = 1 + random.below(2); edits > 0; edits--) {
      const words = wordsWithKinds(text)
      if (words.length === 0) break
      const word = pick(words)
      const ofText = words.filter((other) => other.kind === word.kind)
      const other = random.below(2) === 0 ? pick(ofText).text : pick(KINDS[word.kind]![1])
      text = text.slice(0, word.index) + other + text.slice(word.index + word.text.length)
    }
    return text
  }
  for (let edits = 1 + random.below(4); edits > 0; edits--) {
    const at = random.below(text.length + 1)
    const end = Math.min(text.length, at + 1 + random.below(12))
    switch (random.below(8)) {
      case 0:
        text = text.slice(0, at) + text.slice(end)
        break
      case 1:
      case 2:
        text = `${text.slice(0, at)} ${pick(PIECES)} ${text.slice(at)}`
        break
      case 3: {
        // One word for another.
        const words = [...text.matchAll(/\w+|[^\s\w]/g)]
        if (words.length === 0) break
        const word = pick(words)
        const other = random.below(2) === 0 ? pick(PIECES) : pick(words)[0]
        text = text.slice(0, word.index) + other + text.slice(word.index + word[0].length)
        break
      }
      case 4:
        text = text.slice(0, at) + text.slice(at, end) + text.slice(at)
        break
      case 5: {
        const other = pick(base)
        const from = random.below(other.length)
        text = text.slice(0, at) + other.slice(from, from + random.below(60)) + text.slice(at)
        break
      }
      case 6:
        text = text.slice(0, at) + String.fromCodePoint(random.below(0x3000)) + text.slice(at)
        break
      default: {
        const depth = [3, 20, 300][random.below(3)]!
        const [open, close] = pick([
          ['(', ')'],
          ['ARRAY[', ']'],
          ['NOT ', ''],
          ['-', ''],
          ['CASE WHEN true THEN ', ' END'],
          ['ABS(', ')'],
        ])
        const numbers = [...text.matchAll(/\b\d+\b/g)]
        const number = numbers.length === 0 ? null : pick(numbers)
        if (number === null) break
        const nested = open!.repeat(depth) + number[0] + close!.repeat(depth)
        text = text.slice(0, number.index) + nested + text.slice(number.index + number[0].length)
      }
    }
  }
  return text
}

/** Runs a text against declared sources, with records for what it made. Refusals are typed and say where. */
export async function fuzzSql(text: string): Promise<FuzzOutcome> {
  const driver = new TestDriver()
  await driver.sql(OWN[0]! + OWN[1]!)
  // So that what is declared over a topic gets as far as its columns.
  for (const [, topic] of text.matchAll(/kafka_topic\s*=\s*'([\w.-]+)'/gi)) driver.createTopic(topic!, 2)
  try {
    await driver.sql(text)
  } catch (error) {
    return refused(error, text)
  }
  try {
    await driver.produce('s', {
      key: 'k',
      value: { V: 5, T: 'x', A: [1, 2], M: { k: 1.5 }, R: { X: 1, Y: 'y' } },
      timestampMs: 1000,
    })
    await driver.produce('s', { key: 'k', value: { V: null }, timestampMs: 90_000 })
  } catch (error) {
    if (error instanceof SqlError || error instanceof QueryError || error instanceof RecordError) {
      return { kind: 'refused', detail: error.code }
    }
    return { kind: 'wrong', detail: `running threw ${described(error)}` }
  }
  return { kind: 'accepted', detail: '' }
}

function refused(error: unknown, text: string): FuzzOutcome {
  if (error instanceof QueryError) return { kind: 'refused', detail: error.code }
  if (!(error instanceof SqlError)) return { kind: 'wrong', detail: `threw ${described(error)}` }
  if (error.message === '' || error.message.includes('[object') || error.message.includes('undefined')) {
    return { kind: 'wrong', detail: `${error.code} says “${error.message}”` }
  }
  const { at } = error
  if (at === undefined) return { kind: 'wrong', detail: `${error.code} names no place: ${error.message}` }
  const lines = text.slice(0, at.index).split('\n')
  if (at.index < 0 || at.index + at.length > text.length + 1 || at.length < 1 || lines.length !== at.line) {
    return { kind: 'wrong', detail: `${error.code} at a place that is none: ${JSON.stringify(at)}` }
  }
  return { kind: 'refused', detail: error.code }
}

function described(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
