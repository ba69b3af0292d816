import { describe, expect, test } from 'vitest'

import { NotSupportedError, SqlError } from '../../../src/base/errors.ts'
import { session } from './memory-catalog.ts'

const SOURCES = `
  CREATE STREAM s (id STRING KEY, n INT, tags ARRAY<STRING>, m MAP<STRING, INT>) WITH (kafka_topic='s', format='JSON');
  CREATE STREAM s2 (id STRING KEY, n INT) WITH (kafka_topic='s2', format='JSON');
  CREATE TABLE t (id STRING PRIMARY KEY, n INT) WITH (kafka_topic='t', format='JSON');
  CREATE TABLE w (id STRING PRIMARY KEY, n INT) WITH (kafka_topic='w', format='JSON', window_type='SESSION');
  CREATE TABLE g AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;
  CREATE ALERT al AS SELECT id, n FROM s WHERE n > 3;
`

function refusal(statement: string): SqlError {
  const fresh = session()
  fresh.run(SOURCES)
  try {
    fresh.run(statement)
  } catch (error) {
    if (error instanceof SqlError) return error
    throw error
  }
  throw new Error(`accepted: ${statement}`)
}

/** Code, and the words of the statement the error points to. */
const REFUSED: readonly (readonly [code: string, at: string, statement: string])[] = [
  ['SQL_UNKNOWN_SOURCE', 'x', 'SELECT * FROM x EMIT CHANGES;'],
  ['SQL_UNKNOWN_COLUMN', 'x', 'SELECT x FROM s EMIT CHANGES;'],
  ['SQL_UNKNOWN_ALIAS', 'x', 'SELECT x.n FROM s EMIT CHANGES;'],
  ['SQL_UNKNOWN_FUNCTION', 'foo', 'SELECT foo(n) FROM s EMIT CHANGES;'],
  ['SQL_UNKNOWN_FIELD', 'b', 'SELECT STRUCT(a := n)->b FROM s EMIT CHANGES;'],
  ['SQL_AMBIGUOUS_COLUMN', 'n', 'CREATE STREAM o AS SELECT s.id, n FROM s JOIN t ON s.id = t.id;'],
  ['SQL_TYPE_MISMATCH', 'n + tags', 'SELECT n + tags FROM s EMIT CHANGES;'],
  ['SQL_NULL_OPERAND', 'n + NULL', 'SELECT n + NULL FROM s EMIT CHANGES;'],
  ['SQL_NOT_COMPARABLE', 'tags > tags', 'SELECT tags > tags FROM s EMIT CHANGES;'],
  ['SQL_COMPARISON_WITH_NULL', 'n = NULL', 'SELECT * FROM s WHERE n = NULL EMIT CHANGES;'],
  ['SQL_NOT_A_CONDITION', 'n', 'SELECT * FROM s WHERE n EMIT CHANGES;'],
  ['SQL_INVALID_CAST', 'CAST(n AS DATE)', 'SELECT CAST(n AS DATE) FROM s EMIT CHANGES;'],
  [
    'SQL_CASE_TYPES',
    "CASE WHEN TRUE THEN 1 ELSE 'a' END",
    "SELECT CASE WHEN TRUE THEN 1 ELSE 'a' END FROM s EMIT CHANGES;",
  ],
  ['SQL_PARAMETER_IS_COLUMN', 'n', 'SELECT TRANSFORM(tags, n => n) FROM s EMIT CHANGES;'],
  ['SQL_MISPLACED_AGGREGATE', 'SUM(n)', 'SELECT * FROM s WHERE SUM(n) > 1 EMIT CHANGES;'],
  ['SQL_NESTED_AGGREGATE', 'COUNT(*)', 'CREATE TABLE o AS SELECT id, SUM(COUNT(*)) FROM s GROUP BY id;'],
  ['SQL_NOT_GROUPED', 'n', 'CREATE TABLE o AS SELECT id, n, COUNT(*) FROM s GROUP BY id;'],
  ['SQL_DUPLICATE_GROUP_BY', 's.id', 'CREATE TABLE o AS SELECT id, COUNT(*) FROM s GROUP BY id, s.id;'],
  ['SQL_GROUP_BY_WITHOUT_AGGREGATE', 'GROUP BY id', 'CREATE TABLE o AS SELECT id FROM s GROUP BY id;'],
  ['SQL_AGGREGATE_WITHOUT_GROUP_BY', 'COUNT(*)', 'CREATE TABLE o AS SELECT COUNT(*) FROM s;'],
  ['SQL_AGGREGATE_ON_TABLE', 'MAX(n)', 'CREATE TABLE o AS SELECT id, MAX(n) FROM t GROUP BY id;'],
  ['SQL_MAP_KEY', 'm', 'CREATE TABLE o AS SELECT m, COUNT(*) FROM s GROUP BY m;'],
  [
    'SQL_TABLE_FUNCTION_AND_GROUP_BY',
    'EXPLODE(tags)',
    'CREATE TABLE o AS SELECT id, EXPLODE(tags), COUNT(*) FROM s GROUP BY id;',
  ],
  [
    'SQL_MISPLACED_TABLE_FUNCTION',
    'EXPLODE(tags)',
    "SELECT * FROM s WHERE EXPLODE(tags) = 'a' EMIT CHANGES;",
  ],
  [
    'SQL_GROUP_AND_PARTITION',
    'PARTITION BY n',
    'CREATE TABLE o AS SELECT id, COUNT(*) FROM s GROUP BY id PARTITION BY n;',
  ],
  ['SQL_PARTITION_BY_TABLE', 'PARTITION BY n', 'CREATE TABLE o AS SELECT * FROM t PARTITION BY n;'],
  [
    'SQL_WINDOW_ON_TABLE',
    'WINDOW TUMBLING (SIZE 1 DAY)',
    'CREATE TABLE o AS SELECT id, COUNT(*) FROM t WINDOW TUMBLING (SIZE 1 DAY) GROUP BY id;',
  ],
  [
    'SQL_WINDOW_ADVANCE',
    '2 DAYS',
    'CREATE TABLE o AS SELECT id, COUNT(*) FROM s WINDOW HOPPING (SIZE 1 DAY, ADVANCE BY 2 DAYS) GROUP BY id;',
  ],
  [
    'SQL_WINDOW_RETENTION',
    '1 HOUR',
    'CREATE TABLE o AS SELECT id, COUNT(*) FROM s WINDOW TUMBLING (SIZE 1 DAY, RETENTION 1 HOUR) GROUP BY id;',
  ],
  [
    'SQL_WINDOW_WITHOUT_GROUP_BY',
    'WINDOW TUMBLING (SIZE 1 DAY)',
    'CREATE STREAM o AS SELECT * FROM s WINDOW TUMBLING (SIZE 1 DAY);',
  ],
  ['SQL_EMIT_FINAL', 'EMIT FINAL', 'CREATE TABLE o AS SELECT id, COUNT(*) FROM s GROUP BY id EMIT FINAL;'],
  ['SQL_LIMIT_NOT_POSSIBLE', 'LIMIT 1', 'CREATE STREAM o AS SELECT * FROM s EMIT CHANGES LIMIT 1;'],
  ['SQL_RESULT_KIND', '', 'CREATE TABLE o AS SELECT * FROM s;'],
  ['SQL_RESULT_KIND', '', 'CREATE STREAM o AS SELECT * FROM t;'],
  ['SQL_WINDOWED_TABLE', 'w', 'CREATE ALERT o AS SELECT * FROM w;'],
  ['SQL_KEY_NOT_SELECTED', '', 'CREATE STREAM o AS SELECT n FROM s;'],
  ['SQL_KEY_TWICE', 'id AS b', 'CREATE STREAM o AS SELECT id AS a, id AS b, n FROM s;'],
  ['SQL_NO_VALUE_COLUMNS', '', 'CREATE STREAM o AS SELECT id FROM s;'],
  ['SQL_DUPLICATE_COLUMN', 'id AS n', 'CREATE STREAM o AS SELECT n, id AS n FROM s;'],
  ['SQL_RESERVED_COLUMN', 'rowtime', 'CREATE STREAM o AS SELECT id, n AS rowtime FROM s;'],
  ['SQL_RESERVED_COLUMN', 'rowtime', 'CREATE STREAM o AS SELECT id, rowtime FROM s;'],
  ['SQL_DUPLICATE_ALIAS', 's', 'CREATE STREAM o AS SELECT * FROM s JOIN s WITHIN 1 DAY ON s.id = s.id;'],
  [
    'SQL_WITHIN_MISSING',
    'JOIN s2 ON s.id = s2.id',
    'CREATE STREAM o AS SELECT * FROM s JOIN s2 ON s.id = s2.id;',
  ],
  [
    'SQL_WITHIN_NOT_POSSIBLE',
    'WITHIN 1 DAY',
    'CREATE STREAM o AS SELECT * FROM s JOIN t WITHIN 1 DAY ON s.id = t.id;',
  ],
  [
    'SQL_JOIN_TYPES',
    's.n = s2.id',
    'CREATE STREAM o AS SELECT * FROM s JOIN s2 WITHIN 1 DAY ON s.n = s2.id;',
  ],
  ['SQL_JOIN_NOT_ON_KEY', 's.n = t.n', 'CREATE STREAM o AS SELECT * FROM s JOIN t ON s.n = t.n;'],
  ['SQL_JOIN_ORDER', 'JOIN s ON t.id = s.id', 'CREATE STREAM o AS SELECT * FROM t JOIN s ON t.id = s.id;'],
  [
    'SQL_JOIN_TYPE',
    'FULL JOIN t ON s.id = t.id',
    'CREATE STREAM o AS SELECT * FROM s FULL JOIN t ON s.id = t.id;',
  ],
  [
    'SQL_JOIN_CONDITION',
    's.id = t.id OR s.n = t.n',
    'CREATE STREAM o AS SELECT * FROM s JOIN t ON s.id = t.id OR s.n = t.n;',
  ],
  ['SQL_SOURCE_EXISTS', 's', "CREATE STREAM s (id INT) WITH (kafka_topic='s', format='JSON');"],
  ['SQL_KEY_WORD', 'KEY', "CREATE TABLE x (id INT KEY, v INT) WITH (kafka_topic='x', format='JSON');"],
  ['SQL_MISSING_KEY', 'x', "CREATE TABLE x (v INT) WITH (kafka_topic='x', format='JSON');"],
  ['SQL_DUPLICATE_COLUMN', 'A', "CREATE STREAM x (a INT, A INT) WITH (kafka_topic='x', format='JSON');"],
  ['SQL_UNKNOWN_TYPE', 'STRNG', "CREATE STREAM x (a STRNG) WITH (kafka_topic='x', format='JSON');"],
  ['SQL_UNKNOWN_PROPERTY', 'kafka_topc', "CREATE STREAM x (a INT) WITH (kafka_topc='x', format='JSON');"],
  ['SQL_UNKNOWN_FORMAT', 'format', "CREATE STREAM x (a INT) WITH (kafka_topic='x', format='JSN');"],
  [
    'SQL_INVALID_PROPERTY',
    "'two'",
    "CREATE STREAM x (a INT) WITH (kafka_topic='x', format='JSON', partitions='two');",
  ],
  [
    'SQL_PARTITIONS_DIFFER',
    'partitions',
    "CREATE STREAM x (a INT) WITH (kafka_topic='x', format='JSON', partitions=7);",
  ],
  [
    'SQL_TIMESTAMP_FORMAT',
    "'yyyy foo'",
    "CREATE STREAM x (a STRING) WITH (kafka_topic='x', format='JSON', timestamp='a', timestamp_format='yyyy foo');",
  ],
  ['SQL_TYPE_MISMATCH', "'DAYS'", "SELECT DATEADD('DAYS', 1, FROM_DAYS(n)) FROM s EMIT CHANGES;"],
  ['SQL_TYPE_MISMATCH', 'id', 'SELECT TIMESTAMPSUB(id, 1, FROM_UNIXTIME(n)) FROM s EMIT CHANGES;'],
  ['SQL_TYPE_MISMATCH', 'DAYS', 'SELECT LEN(DAYS) FROM s EMIT CHANGES;'],
  ['SQL_INSERT_COUNT', '', "INSERT INTO s (id, n) VALUES ('a');"],
  ['SQL_TYPE_MISMATCH', 'TRUE', "INSERT INTO s (id, n) VALUES ('a', TRUE);"],
  ['SQL_INSERT_COLUMN_REFERENCE', 'b', 'INSERT INTO s (id, n) VALUES (b, 1);'],
  ['SQL_INSERT_WITHOUT_KEY', '', 'INSERT INTO t (n) VALUES (1);'],
  ['SQL_INSERT_INTO_TABLE', 't', 'INSERT INTO t SELECT * FROM s2;'],
  ['SQL_INSERT_SCHEMA', '', 'INSERT INTO s SELECT * FROM s2;'],
  ['SQL_TABLE_NOT_QUERYABLE', 't', "SELECT * FROM t WHERE id = 'a';"],
  ['SQL_PULL_CLAUSE', 'PARTITION BY n', 'SELECT n FROM g PARTITION BY n;'],
  ['SQL_PULL_CLAUSE', 'ROWOFFSET', 'SELECT ROWOFFSET FROM g;'],
  ['SQL_WRONG_KIND', 't', 'DROP STREAM t;'],
  ['SQL_ALTER_DERIVED', 'g', 'ALTER TABLE g ADD COLUMN x INT;'],
  ['SQL_UNKNOWN_COLUMN', 'm', 'CREATE ALERT a AS SELECT id, n FROM s RESOLVE WHEN m > 1;'],
  ['SQL_DUPLICATE_COLUMN', '', 'CREATE ALERT a AS SELECT id, n AS state FROM s;'],
  ['SQL_UNKNOWN_ALERT', 's', 'DROP ALERT s;'],
  ['SQL_WRONG_KIND', 'al', 'DROP STREAM al;'],
  ['SQL_REPLACE_KIND', 's', 'CREATE OR REPLACE ALERT s AS SELECT id, n FROM s2;'],
  ['SQL_RUN_SCRIPT', "'x'", "RUN SCRIPT 'x';"],
]

describe('what is refused, and where it points', () => {
  test.each(REFUSED)('%s at "%s": %s', (code, at, statement) => {
    const error = refusal(statement)
    expect(error).not.toBeInstanceOf(NotSupportedError)
    expect([error.code, error.message]).toEqual([code, error.message])
    const place = error.at!
    const text = statement.slice(place.index, place.index + place.length)
    if (at !== '') expect(text).toBe(at)
  })
})

test('a name that is nearly right comes back as a hint', () => {
  expect(refusal('SELECT tgas FROM s EMIT CHANGES;').hint).toBe('Did you mean TAGS?')
  expect(refusal('SELECT ucse(id) FROM s EMIT CHANGES;').hint).toBe('Did you mean UCASE?')
  expect(refusal('SELECT * FROM "s" EMIT CHANGES;').hint).toBe(
    'Did you mean S? Names in quotes keep their case: remove the quotes.',
  )
})

test('what is valid but not built is named as such', () => {
  for (const statement of [
    "CREATE ALERT a AS SELECT id, n FROM s LABELS (team = 'x');",
    "CREATE ALERT a AS SELECT id, n FROM s ANNOTATIONS (team = 'x');",
    'CREATE ALERT a AS SELECT id, n FROM s NOTIFY ops;',
  ]) {
    expect(refusal(statement)).toBeInstanceOf(NotSupportedError)
  }
})

describe('CREATE OR REPLACE … AS', () => {
  test.each([
    'CREATE OR REPLACE STREAM o AS SELECT id, n + 1 AS n FROM s WHERE n > 3;',
    'CREATE OR REPLACE STREAM o AS SELECT id, n, tags FROM s;',
  ])('goes on with another filter or further columns: %s', (statement) => {
    const fresh = session()
    fresh.run(SOURCES)
    fresh.run('CREATE STREAM o AS SELECT id, n FROM s;')
    expect(fresh.run(statement)).toMatchObject({ kind: 'create-query', orReplace: true, queryId: 'CSAS_O_2' })
  })

  test.each([
    [
      'another source',
      'CREATE STREAM o AS SELECT id, n FROM s;',
      'CREATE OR REPLACE STREAM o AS SELECT id, n FROM s2;',
    ],
    [
      'fewer columns',
      'CREATE STREAM o AS SELECT id, n, tags FROM s;',
      'CREATE OR REPLACE STREAM o AS SELECT id, n FROM s;',
    ],
    [
      'other aggregates',
      'CREATE TABLE o AS SELECT id, SUM(n) AS x FROM s GROUP BY id;',
      'CREATE OR REPLACE TABLE o AS SELECT id, MAX(n) AS x FROM s GROUP BY id;',
    ],
    [
      'another HAVING',
      'CREATE TABLE o AS SELECT id, SUM(n) AS x FROM s GROUP BY id;',
      'CREATE OR REPLACE TABLE o AS SELECT id, SUM(n) AS x FROM s GROUP BY id HAVING SUM(n) > 1;',
    ],
  ])('refuses %s', (_, first, second) => {
    const fresh = session()
    fresh.run(SOURCES)
    fresh.run(first)
    expect(() => fresh.run(second)).toThrow(expect.objectContaining({ code: 'SQL_REPLACE_DIFFERS' }))
  })
})
