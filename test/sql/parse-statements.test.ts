import { describe, expect, test } from 'vitest'
import { StatementGrammar } from '../../src/sql/grammar-statement.ts'
import { splitStatements } from '../../src/sql/lexer.ts'
import { parseAll, parseStatements } from '../../src/sql/parse.ts'
import { printStatement } from '../../src/sql/print-statement.ts'

/** Reads one statement and prints it in the canonical form. */
function canonical(sql: string): string {
  const statements = parseStatements(sql)
  expect(statements).toHaveLength(1)
  return printStatement(statements[0]!)
}

test('the grammar has no ambiguity, left recursion or twice-used index', () => {
  expect(() => new StatementGrammar(true)).not.toThrow()
})

describe('every statement is read', () => {
  test.each([
    [
      "create stream s (a int key, b array<struct<x int, y map<string, double>>>) with (kafka_topic='t', partitions=3);",
      "CREATE STREAM S (A INT KEY, B ARRAY<STRUCT<X INT, Y MAP<STRING, DOUBLE>>>) WITH (kafka_topic = 't', partitions = 3);",
    ],
    [
      "CREATE OR REPLACE SOURCE TABLE IF NOT EXISTS t (id VARCHAR(STRING) PRIMARY KEY, d DECIMAL(4, 2), h BYTES HEADER('k'), hs ARRAY<STRUCT<KEY STRING, VALUE BYTES>> HEADERS);",
      undefined,
    ],
    [
      'CREATE STREAM s (a INT ARRAY, b STRUCT<>, c STRUCT< >);',
      'CREATE STREAM S (A ARRAY<INT>, B STRUCT<>, C STRUCT<>);',
    ],
    [
      "CREATE TABLE t WITH (KAFKA_TOPIC='x', VALUE_FORMAT='json', WRAP_SINGLE_VALUE=false, RETENTION_MS=-1);",
      "CREATE TABLE T WITH (KAFKA_TOPIC = 'x', VALUE_FORMAT = 'json', WRAP_SINGLE_VALUE = FALSE, RETENTION_MS = -1);",
    ],
    ['CREATE STREAM s;', 'CREATE STREAM S;'],
    [
      'CREATE STREAM IF NOT EXISTS s WITH (partitions=1) AS SELECT * FROM x PARTITION BY a EMIT CHANGES;',
      'CREATE STREAM IF NOT EXISTS S WITH (partitions = 1) AS SELECT * FROM X PARTITION BY A EMIT CHANGES;',
    ],
    [
      'CREATE OR REPLACE TABLE t AS SELECT a, COUNT(*) c FROM s WINDOW w HOPPING (SIZE 1 DAY, ADVANCE BY 1 HOUR, RETENTION 7 DAYS, GRACE PERIOD 0 MINUTE) GROUP BY (a, b) HAVING COUNT(*) > 1 EMIT FINAL;',
      'CREATE OR REPLACE TABLE T AS SELECT A, COUNT(*) AS C FROM S WINDOW W HOPPING (SIZE 1 DAYS, ADVANCE BY 1 HOURS, RETENTION 7 DAYS, GRACE PERIOD 0 MINUTES) GROUP BY A, B HAVING COUNT(*) > 1 EMIT FINAL;',
    ],
    [
      "INSERT INTO s WITH (QUERY_ID='q') SELECT * FROM a;",
      "INSERT INTO S WITH (QUERY_ID = 'q') SELECT * FROM A;",
    ],
    [
      "INSERT INTO s (a, `b`) VALUES (1 + 2, ARRAY['x'], -5);",
      "INSERT INTO S (A, `b`) VALUES (1 + 2, ARRAY['x'], -5);",
    ],
    [
      'SELECT a FROM s order ORDER BY order.a desc nulls first, b + 1 LIMIT 3 OFFSET 4;',
      'SELECT A FROM S AS ORDER ORDER BY ORDER.A DESC NULLS FIRST, B + 1 LIMIT 3 OFFSET 4;',
    ],
    ['SELECT a FROM s WHERE b = ? AND c IN (:x, :Y);', 'SELECT A FROM S WHERE B = ? AND C IN (:x, :Y);'],
    [
      'SELECT * FROM (SELECT a FROM s UNION ALL SELECT b FROM t) x JOIN (SELECT c FROM u) AS y ON x.a = y.c EMIT CHANGES;',
      'SELECT * FROM (SELECT A FROM S UNION ALL SELECT B FROM T) AS X INNER JOIN (SELECT C FROM U) AS Y ON X.A = Y.C EMIT CHANGES;',
    ],
    [
      'INSERT INTO o WITH x AS (SELECT a FROM s), y AS (SELECT a FROM x) SELECT a FROM y UNION ALL SELECT a FROM x z;',
      'INSERT INTO O SELECT A FROM (SELECT A FROM (SELECT A FROM S) AS X) AS Y UNION ALL SELECT A FROM (SELECT A FROM S) AS Z;',
    ],
    ['SELECT a FROM s union EMIT CHANGES;', 'SELECT A FROM S AS UNION EMIT CHANGES;'],
    ['INSERT INTO s VALUES ();', 'INSERT INTO S VALUES ();'],
    ["INSERT INTO s (a) VALUES (1), ('x') , (NULL);", "INSERT INTO S (A) VALUES (1), ('x'), (NULL);"],
    ['DROP STREAM IF EXISTS s DELETE TOPIC;', undefined],
    ['DROP TABLE "t-1";', 'DROP TABLE `t-1`;'],
    [
      'ALTER STREAM s ADD a INT, ADD COLUMN b STRING, ADD COLUMN COLUMN INT;',
      'ALTER STREAM S ADD COLUMN A INT, ADD COLUMN B STRING, ADD COLUMN `COLUMN` INT;',
    ],
    ['CREATE TYPE IF NOT EXISTS address AS STRUCT<street STRING, `no` INT>;', undefined],
    ['DROP TYPE IF EXISTS address;', undefined],
    ["CREATE SINK CONNECTOR IF NOT EXISTS c WITH ('connector.class' = 'X', size2 = '3');", undefined],
    ['CREATE SOURCE CONNECTOR c WITH ("a"=\'b\');', "CREATE SOURCE CONNECTOR C WITH (a = 'b');"],
    ['DROP CONNECTOR IF EXISTS c;', undefined],
    ['SELECT * FROM s;', undefined],
    [
      'SELECT s.*, t->*, a AS b, c d FROM s EMIT CHANGES LIMIT 3;',
      'SELECT S.*, T->*, A AS B, C AS D FROM S EMIT CHANGES LIMIT 3;',
    ],
    ['TERMINATE q_1;', undefined],
    ['TERMINATE ALL;', undefined],
    ['PAUSE q;', undefined],
    ['RESUME ALL;', undefined],
    ['EXPLAIN q;', undefined],
    ['EXPLAIN SELECT * FROM s EMIT CHANGES;', undefined],
    ['EXPLAIN EXPLAIN SHOW;', undefined],
    ['LIST ALL TOPICS EXTENDED;', 'SHOW ALL TOPICS EXTENDED;'],
    ['SHOW STREAMS;', undefined],
    ['SHOW TABLES EXTENDED;', undefined],
    ['SHOW QUERIES EXTENDED;', undefined],
    ['SHOW FUNCTIONS;', undefined],
    ['SHOW TYPES;', undefined],
    ['SHOW PROPERTIES;', undefined],
    ['SHOW VARIABLES;', undefined],
    ['SHOW CONNECTORS;', undefined],
    ['SHOW SOURCE CONNECTORS;', undefined],
    ['SHOW SINK CONNECTORS;', undefined],
    ['SHOW CONNECTOR PLUGINS;', undefined],
    ['SHOW ALERTS;', undefined],
    ['DESCRIBE s EXTENDED;', undefined],
    ['DESCRIBE STREAMS EXTENDED;', undefined],
    ['DESCRIBE TABLES;', undefined],
    ['DESCRIBE FUNCTION lcase;', undefined],
    ['DESCRIBE FUNCTION;', undefined],
    ['DESCRIBE CONNECTOR c;', undefined],
    ["PRINT 'my.topic' FROM BEGINNING INTERVAL 2 LIMIT 3;", undefined],
    ['PRINT Topic_1 SAMPLE 5;', "PRINT 'Topic_1' INTERVAL 5;"],
    ["SET 'a' = 'b';", undefined],
    ["UNSET 'a';", undefined],
    ["ALTER SYSTEM 'a' = 'b';", undefined],
    ["DEFINE v = 'it''s';", undefined],
    ['UNDEFINE v;', undefined],
    [
      'ASSERT NOT EXISTS TOPIC T1 WITH (PARTITIONS = 2) TIMEOUT 10 SECONDS;',
      "ASSERT NOT EXISTS TOPIC 'T1' WITH (PARTITIONS = 2) TIMEOUT 10 SECONDS;",
    ],
    [
      "ASSERT SCHEMA SUBJECT 'Abc' ID 3 TIMEOUT 1 MINUTE;",
      "ASSERT SCHEMA SUBJECT 'Abc' ID 3 TIMEOUT 1 MINUTES;",
    ],
    ['ASSERT VALUES s (id, v) VALUES (1, 2);', undefined],
    ['ASSERT NULL VALUES t (id) KEY (1);', undefined],
    ["ASSERT STREAM s (id INT KEY) WITH (kafka_topic = 't');", undefined],
    ['ASSERT TABLE t;', undefined],
    ["RUN SCRIPT 'a.sql';", undefined],
    [
      "CREATE OR REPLACE ALERT IF NOT EXISTS a AS SELECT id, AVG(temp) AS temp FROM s WINDOW TUMBLING (SIZE 30 SECONDS) GROUP BY id HAVING AVG(temp) > 110 FOR 1 MINUTE KEEP FIRING FOR 2 MINUTES RESOLVE WHEN temp < 100 NO DATA AFTER 5 MINUTES THEN FIRE SEVERITY 'critical' LABELS (team = 'fleet', `Two` = 'x') ANNOTATIONS (summary = '{id} at {temp} °C') NOTIFY ops, pager REPEAT EVERY 4 HOURS;",
      "CREATE OR REPLACE ALERT IF NOT EXISTS A AS SELECT ID, AVG(TEMP) AS TEMP FROM S WINDOW TUMBLING (SIZE 30 SECONDS) GROUP BY ID HAVING AVG(TEMP) > 110 FOR 1 MINUTES KEEP FIRING FOR 2 MINUTES RESOLVE WHEN TEMP < 100 NO DATA AFTER 5 MINUTES THEN FIRE SEVERITY 'critical' LABELS (team = 'fleet', `Two` = 'x') ANNOTATIONS (summary = '{id} at {temp} °C') NOTIFY OPS, PAGER REPEAT EVERY 4 HOURS;",
    ],
    [
      'CREATE ALERT a AS SELECT * FROM t NO DATA AFTER 1 HOUR THEN KEEP;',
      'CREATE ALERT A AS SELECT * FROM T NO DATA AFTER 1 HOURS THEN KEEP;',
    ],
    [
      'CREATE ALERT a AS SELECT * FROM t RESOLVE WHEN x NOTIFY ops;',
      'CREATE ALERT A AS SELECT * FROM T RESOLVE WHEN X NOTIFY OPS;',
    ],
    ['DROP ALERT IF EXISTS a;', undefined],
  ])('%s', (sql, printed) => {
    const once = canonical(sql)
    expect(once).toBe(printed ?? upperOutsideQuotes(sql))
    expect(canonical(once)).toBe(once)
  })
})

function upperOutsideQuotes(sql: string): string {
  return sql
    .replaceAll(/'[^']*'|`[^`]*`|[^'`]+/g, (part) => (/^['`]/.test(part) ? part : part.toUpperCase()))
    .replaceAll(/(?<=\()SIZE2/g, 'size2')
    .replaceAll('SIZE2', 'size2')
    .replaceAll('KAFKA_TOPIC', 'kafka_topic')
}

describe('joins', () => {
  test.each([
    ['a JOIN b ON a.x = b.x', 'A INNER JOIN B ON A.X = B.X'],
    [
      'a AS l LEFT JOIN b r WITHIN 5 SECONDS ON l.x = r.x',
      'A AS L LEFT JOIN B AS R WITHIN 5 SECONDS ON L.X = R.X',
    ],
    [
      'a RIGHT OUTER JOIN b WITHIN (1 HOUR, 2 DAYS) GRACE PERIOD 3 MINUTES ON x = y',
      'A RIGHT JOIN B WITHIN (1 HOURS, 2 DAYS) GRACE PERIOD 3 MINUTES ON X = Y',
    ],
    ['a FULL OUTER JOIN b ON x = y INNER JOIN c ON z = x', 'A FULL JOIN B ON X = Y INNER JOIN C ON Z = X'],
  ])('%s', (from, printed) => {
    expect(canonical(`SELECT * FROM ${from};`)).toBe(`SELECT * FROM ${printed};`)
  })
})

describe('words that are not reserved are names', () => {
  test.each([
    'SELECT ID, KEY, DATE, TYPE, EMIT, CHANGES, PARTITION, SOURCE, ALERT, FOR, KEEP, NO, DATA FROM LABELS;',
    'SELECT SEVERITY AS RESOLVE FROM NOTIFY AS FIRING EMIT CHANGES;',
    'CREATE STREAM ALERTS (FOR INT KEY, REPEAT STRING, EVERY DOUBLE, ANNOTATIONS MAP<STRING, STRING>);',
    'SELECT * FROM S AS EMIT EMIT CHANGES;',
    'SELECT * FROM S AS PARTITION PARTITION BY PARTITION;',
    'SELECT DATE(X), YEAR(Y), REPLACE(A, B) FROM IF;',
    'DROP STREAM IF;',
    "SELECT AT, S.AT AS AT, AT AT TIME ZONE 'UTC' AS X FROM S AS AT WHERE AT > 1;",
    'INSERT INTO S (AT) VALUES (1);',
  ])('%s', (sql) => {
    expect(canonical(sql)).toBe(sql)
  })
})

test('the order of clauses of the same name is told from an alias by what follows', () => {
  const query = parseStatements('SELECT * FROM s emit EMIT FINAL;')[0]!
  expect(query).toMatchObject({ query: { from: { alias: { name: 'EMIT' } }, emit: { mode: 'final' } } })
})

test('a list of groups may be in parentheses, and so may its items', () => {
  const groups = (sql: string): number | undefined => {
    const [statement] = parseStatements(`SELECT * FROM s GROUP BY ${sql};`)
    return statement!.kind === 'query-statement' ? statement.query.groupBy?.items.length : undefined
  }
  expect(groups('(a, b)')).toBe(2)
  expect(groups('(a + b) * 2, c')).toBe(2)
  expect(groups('(a IS NULL)')).toBe(1)
  expect(groups('()')).toBe(0)
  expect(groups('(a)')).toBe(1)
})

test('positions and texts point into the text', () => {
  const text = "-- first\nSHOW STREAMS;\n  SELECT a /* here */ , 'x\ny' FROM s -- end\n ;\n"
  const [first, second] = parseStatements(text)
  expect(first).toMatchObject({ text: 'SHOW STREAMS;', at: { line: 2, column: 1, index: 9, length: 13 } })
  expect(second!.text).toBe("SELECT a /* here */ , 'x\ny' FROM s -- end\n ;")
  expect(second).toMatchObject({
    at: { line: 3, column: 3 },
    query: {
      items: [{ at: { line: 3, column: 10, length: 1 } }, { at: { line: 3, column: 25, length: 5 } }],
      from: { at: { line: 4, column: 9, length: 1 } },
    },
  })
})

test('the text of an explained statement is its own', () => {
  expect(parseStatements('EXPLAIN  SELECT 1 FROM s;')[0]).toMatchObject({
    target: { text: 'SELECT 1 FROM s' },
  })
})

describe('numbers keep their text and kind', () => {
  test.each([
    ['1', 'integer'],
    ['-9223372036854775808', 'integer'],
    ['1.', 'decimal'],
    ['.50', 'decimal'],
    ['-0.0', 'decimal'],
    ['1e5', 'double'],
    ['1.5E-3', 'double'],
    ['.5e+3', 'double'],
  ])('%s', (text, kind) => {
    const [statement] = parseStatements(`SELECT ${text} FROM s;`)
    expect(statement).toMatchObject({ query: { items: [{ expression: { kind, text } }] } })
  })

  test('a minus belongs to the number only where an operand is expected', () => {
    expect(parseStatements('SELECT a -1, - 1, -a, - -1 FROM s;')[0]).toMatchObject({
      query: {
        items: [
          { expression: { kind: 'arithmetic', op: '-', right: { kind: 'integer', text: '1' } } },
          { expression: { kind: 'integer', text: '-1' } },
          { expression: { kind: 'unary', operand: { kind: 'column' } } },
          { expression: { kind: 'unary', operand: { kind: 'integer', text: '-1' } } },
        ],
      },
    })
  })

  test('a name may begin with digits', () => {
    expect(parseStatements('SELECT 1st, 2e FROM s;')[0]).toMatchObject({
      query: { items: [{ expression: { name: { name: '1ST' } } }, { expression: { name: { name: '2E' } } }] },
    })
  })
})

describe('splitting what was typed', () => {
  test.each([
    ['SELECT 1', [], 'SELECT 1'],
    ["a; b ';' -- ;\n; c", ['a;', "b ';' -- ;\n;"], 'c'],
    ['a; -- done', ['a;'], ''],
    ["a; 'open;", ['a;'], "'open;"],
    ['', [], ''],
  ])('%s', (text, statements, rest) => {
    expect(splitStatements(text)).toEqual({ statements, rest })
  })
})

test('empty statements are passed over', () => {
  expect(parseAll(';; SHOW TYPES;;')).toMatchObject({ statements: [{ kind: 'show' }], errors: [] })
})
