import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { SqlError } from '../../src/base/errors.ts'
import { tokenize } from '../../src/sql/lexer.ts'
import { parseAll } from '../../src/sql/parse.ts'

/* Whatever is typed, the parser answers with statements or errors that have a place. */

const SEEDS = [
  "CREATE OR REPLACE STREAM s (a INT KEY, b ARRAY<STRUCT<x INT, y MAP<STRING, DOUBLE>>>, h BYTES HEADER('k')) WITH (kafka_topic='t', partitions=3);",
  'CREATE TABLE t AS SELECT a, COUNT(*) c FROM s WINDOW HOPPING (SIZE 1 DAY, ADVANCE BY 1 HOUR, GRACE PERIOD 0 MINUTE) WHERE a > 1 GROUP BY (a, b) HAVING COUNT(*) > 1 EMIT FINAL;',
  "SELECT CASE WHEN a THEN b ELSE -1.5 END x, f(y => y + 1), m['k']->f, CAST(z AS DECIMAL(4, 2)) FROM a l LEFT JOIN b r WITHIN (1 HOUR, 2 DAYS) ON l.x = r.x WHERE q NOT LIKE 'a%' ESCAPE '!' OR w IS NOT DISTINCT FROM v PARTITION BY z EMIT CHANGES LIMIT 5;",
  "CREATE ALERT a AS SELECT id FROM s FOR 1 MINUTE KEEP FIRING FOR 2 MINUTES RESOLVE WHEN temp < 100 NO DATA AFTER 5 MINUTES THEN FIRE SEVERITY 'critical' LABELS (team = 'fleet') NOTIFY ops REPEAT EVERY 4 HOURS;",
  "INSERT INTO s (a, b) VALUES (1, ARRAY['x']); ASSERT NOT EXISTS TOPIC x TIMEOUT 1 SECOND; EXPLAIN SELECT * FROM ${v}; PRINT 'x' FROM BEGINNING;",
]
const WORDS = SEEDS.flatMap((seed) => tokenize(seed).map(({ image }) => image))
const odd = fc.constantFrom(
  ...WORDS,
  "'",
  '`',
  '"',
  '/*',
  '--',
  '(',
  ')',
  ';',
  '\u0000',
  '😀',
  '${v}',
  '\n',
  '1e999',
  '`a``',
  'ℹ',
)

const mutated = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.record({ at: fc.nat(400), remove: fc.nat(3), insert: fc.array(odd, { maxLength: 2 }) }), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([seed, changes]) => {
    const images = tokenize(seed).map(({ image }) => image)
    for (const { at, remove, insert } of changes) images.splice(at % (images.length + 1), remove, ...insert)
    return images.join(' ')
  })

function check(sql: string): void {
  const { errors } = parseAll(sql)
  for (const error of errors) {
    expect(error).toBeInstanceOf(SqlError)
    expect(error.stage).toBe('parse')
    expect(error.message).not.toBe('')
    expect(error.at!.index).toBeGreaterThanOrEqual(0)
    expect(error.at!.index).toBeLessThanOrEqual(sql.length)
    expect(error.at!.line).toBeGreaterThan(0)
    expect(error.at!.column).toBeGreaterThan(0)
  }
}

test.prop([mutated], { numRuns: 1500 })('mutated statements', check)
test.prop([fc.string({ unit: 'binary', maxLength: 60 })], { numRuns: 500 })('any characters', check)
