import { describe, expect, test } from 'vitest'
import { SqlError } from '../../src/base/errors.ts'
import { parseAll, parseStatements } from '../../src/sql/parse.ts'

/** "line:column message | hint" of every error. */
function errorsOf(sql: string): string[] {
  return parseAll(sql).errors.map(
    ({ at, message, hint }) =>
      `${at!.line}:${at!.column} ${message}${hint === undefined ? '' : ` | ${hint}`}`,
  )
}

describe('one mistake, one error with its place and what to do', () => {
  test.each([
    ['SELECT * FORM s;', '1:10 "FORM" cannot stand here. | Did you mean FROM?'],
    ['SELECT * FROM s WHEREE x = 1;', '1:17 "WHEREE" cannot stand here. | Did you mean WHERE?'],
    ['SELECT * FROM s EMIT CHANGE;', '1:22 "CHANGE" cannot stand here. | Did you mean CHANGES?'],
    ['CREAT STREAM s (a INT);', '1:1 "CREAT" cannot stand here. | Did you mean CREATE?'],
    ['CREATE TABLE t (id INT PRIMERY KEY);', '1:24 "PRIMERY" cannot stand here. | Did you mean PRIMARY?'],
    [
      'SELECT size FROM s;',
      '1:8 "size" is a reserved word and cannot be a name as it stands. | Quote it: `SIZE`.',
    ],
    [
      'SELECT a b c FROM s;',
      '1:12 "c" cannot stand here: FROM is expected. | Perhaps "," is missing before "c".',
    ],
    ['SELECT a, FROM s;', '1:9 There is a comma too many before "FROM". | Leave the comma out.'],
    [
      'SELECT (a + b FROM s;',
      '1:15 "FROM" cannot stand here: ")" is expected. | Perhaps ")" is missing before "FROM".',
    ],
    ['SELECT * FROM s', '1:16 The statement has no ";" at its end. | End the statement with ";".'],
    ['SELECT * FROM s WHERE;', '1:22 The statement ends where an expression should follow.'],
    [
      'SELECT * FROM s GROUP x;',
      '1:23 "x" cannot stand here: BY is expected. | Perhaps BY is missing before "x".',
    ],
    [
      'SELECT * FROM s WHERE a = 1 WINDOW TUMBLING (SIZE 5 SECONDS);',
      '1:29 WINDOW comes before WHERE. | The order is FROM, WINDOW, WHERE, GROUP BY, PARTITION BY, HAVING, EMIT, LIMIT.',
    ],
    ['SELECT * FROM s WHERE a WHERE b;', '1:25 WHERE is written twice. | Keep one WHERE.'],
    [
      'SELECT * FROM s WINDOW HOPPING (SIZE 5 SECONDS) GROUP BY a;',
      '1:47 The HOPPING window has no ADVANCE BY. | Write HOPPING (SIZE 30 SECONDS, ADVANCE BY 10 SECONDS), or TUMBLING if windows do not overlap.',
    ],
    [
      "SELECT 'abc FROM s;",
      "1:8 The text has no closing '. | Close the text with '; a ' inside a text is written ''.",
    ],
    [
      "SELECT 'it''s FROM s;",
      "1:8 The text has no closing '. | Close the text with '; a ' inside a text is written ''.",
    ],
    ['/* SELECT', '1:1 The comment has no closing */. | Close the comment with */.'],
    [
      'SELECT * FROM a WHERE b IN (SELECT c FROM d);',
      '1:29 A query cannot stand inside another one. | It can in FROM: SELECT … FROM (SELECT …) AS name. Elsewhere join what it gives.',
    ],
    [
      'SELECT * FROM a UNION SELECT * FROM b;',
      '1:23 There is no UNION without ALL. | UNION ALL keeps every row, also equal ones.',
    ],
    [
      'SELECT COUNT(DISTINCT x) FROM s;',
      '1:14 DISTINCT is not taken by functions. | COUNT_DISTINCT(x) counts distinct values.',
    ],
    [
      'UPDATE s SET x = 1;',
      '1:1 There is no UPDATE statement. | Rows are changed by writing a new row for the key: INSERT INTO … VALUES ….',
    ],
    ['SELECT 1;', '1:9 The query has no FROM. | Every query reads a stream or a table: SELECT … FROM name.'],
    [
      'CREATE STREAM s (a INT) WITH (value_format = JSON);',
      '1:46 "JSON" cannot stand here: a literal is expected. | Texts are written in single quotes: \'JSON\'.',
    ],
    [
      'SELECT a FROM s WHERE a == 1;',
      '1:25 "=" cannot stand here: an expression is expected. | Equality is written with one "=".',
    ],
    [
      'SELECT a FROM s WHERE a = 1 = 2;',
      '1:29 "=" cannot stand here: ";" is expected. | Comparisons do not chain: join them with AND, or use BETWEEN.',
    ],
    ['SELECT a::INT FROM s;', '1:9 The character ":" has no meaning here. | Write CAST(value AS type).'],
    [
      "SELECT DATE '2020-01-01' FROM s;",
      "1:8 DATE cannot stand before a text. | Dates and times have no literals of their own: write the text alone, '2020-01-01'.",
    ],
    [
      'SELECT 9223372036854775808 FROM s;',
      '1:8 The number 9223372036854775808 does not fit BIGINT. | Write 9223372036854775808.0 for a DECIMAL.',
    ],
    ['SELECT 1e400 FROM s;', '1:8 The number 1e400 does not fit DOUBLE.'],
    [
      'SELECT * FROM a JOIN b WITHIN 5 MONTHS ON x = y;',
      '1:33 MONTHS is not a unit of a fixed length. | Use DAYS, HOURS, MINUTES, SECONDS or MILLISECONDS.',
    ],
    [
      'CREATE STREAM s (a INT) AS SELECT * FROM x;',
      '1:17 CREATE STREAM … AS takes its columns from the query. | Leave the column list out, or name the columns with AS in the SELECT list.',
    ],
    [
      'CREATE ALERT a AS SELECT * FROM t EMIT CHANGES;',
      '1:35 The query of an alert has no EMIT. | Leave it out: an alert follows its query for as long as the alert exists.',
    ],
    [
      'CREATE OR REPLACE TYPE a AS INT;',
      '1:1 A type cannot be created with OR REPLACE. | Drop the type first.',
    ],
    [
      'SELECT é FROM s;',
      '1:8 The character "é" has no meaning here. | Names with other letters than A to Z are quoted: `name`.',
    ],
    [
      'PRINT a.b;',
      '1:8 "." cannot stand here: ";" is expected. | Topic names with dots or dashes are quoted: PRINT \'my.topic\';',
    ],
  ])('%s', (sql, error) => {
    expect(errorsOf(sql)).toEqual([error])
  })
})

test('reading goes on after an error, within a statement and after it', () => {
  const text = 'CREATE STREAM s (size INT, topic STRING);\nSHOW STREMS;\nSHOW TABLES;\nDROP TABEL x;'
  expect(errorsOf(text)).toEqual([
    '1:18 "size" is a reserved word and cannot be a name as it stands. | Quote it: `SIZE`.',
    '1:28 "topic" is a reserved word and cannot be a name as it stands. | Quote it: `TOPIC`.',
    '2:6 "STREMS" cannot stand here. | Did you mean STREAMS?',
    '4:6 "TABEL" cannot stand here. | Did you mean TABLE?',
  ])
  expect(parseAll(text).statements).toMatchObject([{ kind: 'show', what: 'tables' }])
})

test('a forgotten ";" is found where the next statement begins', () => {
  const { statements, errors } = parseAll('SELECT * FROM s\nSELECT * FROM t;\nSHOW TYPES;')
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatchObject({ hint: 'Put ";" before SELECT.', at: { line: 1, column: 16 } })
  expect(statements).toHaveLength(2)
})

test('parseStatements throws the first error', () => {
  expect(() => parseStatements('SHOW STREMS; SELECT;')).toThrow(SqlError)
  expect(() => parseStatements('SHOW STREMS; SELECT;')).toThrow('"STREMS" cannot stand here.')
  expect(parseAll('SHOW STREMS;').errors[0]).toMatchObject({ stage: 'parse', code: 'SQL_SYNTAX' })
})

test('nesting has an end, not a crash', () => {
  const deep = `SELECT ${'('.repeat(5000)}1${')'.repeat(5000)} FROM s;`
  expect(parseAll(deep).errors).toMatchObject([{ code: 'SQL_TOO_DEEP' }])
  const long = `SELECT ${Array.from({ length: 5000 }, () => 'a').join(' + ')} FROM s;`
  expect(parseAll(long).errors).toMatchObject([{ code: 'SQL_TOO_DEEP' }])
  const list = `SELECT * FROM s WHERE a IN (${Array.from({ length: 5000 }, (_, i) => i).join(', ')});`
  expect(parseAll(list).errors).toEqual([])
})
