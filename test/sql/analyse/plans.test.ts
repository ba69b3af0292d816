import { expect, test } from 'vitest'

import { printPlan } from '../../../src/plan/print.ts'
import { session } from './memory-catalog.ts'

const SOURCES = `
  CREATE STREAM s (id STRING KEY, speed DOUBLE, place STRING, tags ARRAY<STRING>) WITH (kafka_topic='s', format='JSON');
  CREATE STREAM l (a INT KEY, b INT, c INT) WITH (kafka_topic='l', format='JSON');
  CREATE STREAM r (a INT KEY, b INT, d INT) WITH (kafka_topic='r', format='JSON');
  CREATE TABLE t (id INT PRIMARY KEY, name STRING, fk INT) WITH (kafka_topic='t', format='JSON');
  CREATE TABLE u (id INT PRIMARY KEY, other STRING) WITH (kafka_topic='u', format='JSON');
`

/** The plan of a statement over the sources above. */
function plan(statement: string): string {
  const fresh = session()
  fresh.run(SOURCES)
  const command = fresh.run(statement)
  return 'plan' in command ? printPlan(command.plan) : ''
}

test('a filter runs before the re-key, which carries what is selected', () => {
  expect(plan('CREATE STREAM o AS SELECT * FROM s WHERE speed > 120 PARTITION BY place;'))
    .toMatchInlineSnapshot(`
    "sink stream O
      project PLACE KEY, SPEED, TAGS, ID
        repartition PLACE keep nulls with SPEED, TAGS, ID
          filter SPEED > 120.0
            source S"
  `)
  expect(plan('CREATE STREAM o AS SELECT id, ABS(speed) AS k FROM s PARTITION BY ABS(speed);'))
    .toMatchInlineSnapshot(`
    "sink stream O
      project K KEY, ID
        repartition ABS(SPEED) AS K keep nulls with ID
          source S"
  `)
  expect(plan('CREATE STREAM o AS SELECT id, place FROM s PARTITION BY null;')).toMatchInlineSnapshot(`
    "sink stream O
      project ID, PLACE
        repartition by nothing with PLACE, ID
          source S"
  `)
})

test('partitioning by the key moves nothing', () => {
  expect(plan('CREATE STREAM o AS SELECT * FROM s PARTITION BY id;')).toMatchInlineSnapshot(`
    "sink stream O
      project ID KEY, SPEED, PLACE, TAGS
        source S"
  `)
})

test('groups by the key need no re-key, others carry only what aggregates read', () => {
  expect(plan('CREATE TABLE o AS SELECT id, MAX(speed) AS m FROM s GROUP BY id;')).toMatchInlineSnapshot(`
    "sink table O
      project ID KEY, MAX(SPEED) AS M
        aggregate by ID: MAX(SPEED)
          source S"
  `)
  expect(
    plan(`CREATE TABLE o AS SELECT place, COUNT(*) AS n, AVG(speed) * 2 AS x, windowstart AS ws FROM s
          WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 5 MINUTES) WHERE speed > 10 GROUP BY place HAVING COUNT(*) > 3;`),
  ).toMatchInlineSnapshot(`
    "sink table O
      project PLACE KEY, COUNT(*) AS N, AVG(SPEED) * 2.0 AS X, WINDOWSTART AS WS
        filter COUNT(*) > 3
          aggregate by PLACE: COUNT(*), AVG(SPEED) hopping 3600000 ms by 300000 ms grace 82800000 ms retention 86400000 ms
            repartition PLACE with SPEED
              filter SPEED > 10.0
                source S"
  `)
  expect(plan('CREATE TABLE o AS SELECT UCASE(place) AS p, COUNT(*) AS n FROM s GROUP BY UCASE(place);'))
    .toMatchInlineSnapshot(`
      "sink table O
        project P KEY, COUNT(*) AS N
          aggregate by P: COUNT(*)
            repartition UCASE(PLACE) AS P
              source S"
    `)
})

test('a window that emits finals has no grace unless it is given', () => {
  expect(
    plan(
      'CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM s WINDOW SESSION (30 SECONDS) GROUP BY id EMIT FINAL;',
    ),
  ).toMatchInlineSnapshot(`
    "sink table O
      project ID KEY, COUNT(*) AS N
        aggregate by ID: COUNT(*) session 30000 ms grace 0 ms retention 30000 ms final
          source S"
  `)
})

test('a table is grouped by old and new rows', () => {
  expect(plan('CREATE TABLE o AS SELECT name, COUNT(*) AS n FROM t GROUP BY name;')).toMatchInlineSnapshot(`
    "sink table O
      project NAME KEY, COUNT(*) AS N
        table aggregate by NAME: COUNT(*)
          table T"
  `)
})

test('joined sides carry prefixed columns; a side that is not keyed by the join is re-keyed', () => {
  expect(
    plan(
      'CREATE STREAM o AS SELECT * FROM l LEFT JOIN r WITHIN 10 SECONDS GRACE PERIOD 1 SECOND ON l.b = r.a WHERE r.d > 5;',
    ),
  ).toMatchInlineSnapshot(`
    "sink stream O
      project ROWKEY AS L_B KEY, L_A, L_C, R_A, R_B, R_D
        filter R_D > 5
          stream-stream left join within 10000 ms before, 10000 ms after grace 1000 ms
            repartition L_B AS ROWKEY keep nulls into 1 with L_A, L_B, L_C
              project A KEY, A AS L_A, B AS L_B, C AS L_C
                source L
            project A KEY, A AS R_A, B AS R_B, D AS R_D
              source R"
  `)
  expect(plan('CREATE STREAM o AS SELECT l.a, t.name, l.rowtime AS lt FROM l JOIN t ON l.a = t.id;'))
    .toMatchInlineSnapshot(`
    "sink stream O
      project ROWKEY AS A KEY, T_NAME AS NAME, L_ROWTIME AS LT
        stream-table inner join
          project A KEY, A AS L_A, ROWTIME AS L_ROWTIME
            source L
          project ID KEY, ID AS T_ID, NAME AS T_NAME
            table T"
  `)
  expect(plan('CREATE TABLE o AS SELECT ROWKEY AS k, t.id, u.id, name FROM t FULL JOIN u ON t.id = u.id;'))
    .toMatchInlineSnapshot(`
    "sink table O
      project ROWKEY AS K KEY, T_ID, U_ID, T_NAME AS NAME
        table-table full join
          project ID KEY, ID AS T_ID, NAME AS T_NAME
            table T
          project ID KEY, ID AS U_ID
            table U"
  `)
  expect(plan('CREATE TABLE o AS SELECT t.id, name, other FROM t JOIN u ON t.fk = u.id;'))
    .toMatchInlineSnapshot(`
    "sink table O
      project ID AS T_ID KEY, T_NAME AS NAME, U_OTHER AS OTHER
        foreign-key inner join on T_FK
          project ID KEY, ID AS T_ID, NAME AS T_NAME, FK AS T_FK
            table T
          project ID KEY, ID AS U_ID, OTHER AS U_OTHER
            table U"
  `)
})

test('a chain of joins on one key re-keys nothing', () => {
  expect(
    plan(
      'CREATE STREAM o AS SELECT l.a, t.name, u.other FROM l JOIN t ON l.a = t.id LEFT JOIN u ON l.a = u.id;',
    ),
  ).toMatchInlineSnapshot(`
    "sink stream O
      project ROWKEY AS A KEY, T_NAME AS NAME, U_OTHER AS OTHER
        stream-table left join
          stream-table inner join
            project A KEY, A AS L_A
              source L
            project ID KEY, ID AS T_ID, NAME AS T_NAME
              table T
          project ID KEY, ID AS U_ID, OTHER AS U_OTHER
            table U"
  `)
})

test('table functions expand rows before the projection', () => {
  expect(plan('CREATE STREAM o AS SELECT id, UCASE(EXPLODE(tags)) AS tag FROM s;')).toMatchInlineSnapshot(`
    "sink stream O
      project ID KEY, UCASE(EXPLODE(TAGS)) AS TAG
        flat-map EXPLODE(TAGS)
          source S"
  `)
})

test('a push query keeps the key columns that were not selected', () => {
  expect(plan('SELECT name FROM t EMIT CHANGES LIMIT 3;')).toMatchInlineSnapshot(`
    "limit 3
      project ID KEY, NAME
        table T"
  `)
  expect(plan('SELECT COUNT(*) FROM s EMIT CHANGES;')).toMatchInlineSnapshot(`
    "project ROWKEY KEY, COUNT(*) AS KSQL_COL_0
      aggregate by ROWKEY: COUNT(*)
        repartition 0 AS ROWKEY
          source S"
  `)
})

test('the other planner keeps the key columns that are selected, in that order', () => {
  const fresh = session({ settings: { 'ksql.new.query.planner.enabled': 'true' } })
  fresh.run("CREATE STREAM k (a INT KEY, b INT KEY, c INT) WITH (kafka_topic='k', format='JSON');")
  const reordered = fresh.run('CREATE STREAM o1 AS SELECT b, c, a FROM k;')
  expect(reordered.kind === 'create-query' && printPlan(reordered.plan)).toMatchInlineSnapshot(`
    "sink stream O1
      project B KEY, A KEY, C
        source K"
  `)
  const partial = fresh.run('CREATE STREAM o2 AS SELECT c, b FROM k;')
  expect(partial.kind === 'create-query' && printPlan(partial.plan)).toMatchInlineSnapshot(`
    "sink stream O2
      repartition B keep nulls with C
        source K"
  `)
})

test('a push query names its columns in the order of the SELECT list', () => {
  const fresh = session()
  fresh.run(SOURCES)
  const command = fresh.run('SELECT speed, id AS key, ROWTIME FROM s EMIT CHANGES;')
  expect(command.kind === 'push-query' && command.columns).toEqual(['SPEED', 'KEY', 'ROWTIME'])
})

test('a group by the key of a join re-keys nothing', () => {
  expect(
    plan('CREATE TABLE o AS SELECT l.a, SUM(r.d) AS x FROM l JOIN r WITHIN 1 DAY ON l.a = r.a GROUP BY l.a;'),
  ).toMatchInlineSnapshot(`
    "sink table O
      project L_A KEY, SUM(R_D) AS X
        aggregate by L_A: SUM(R_D)
          project ROWKEY AS L_A KEY, R_D
            stream-stream inner join within 86400000 ms before, 86400000 ms after
              project A KEY, A AS L_A
                source L
              project A KEY, A AS R_A, D AS R_D
                source R"
  `)
})

test('an alert sees rows its condition does not hold for', () => {
  expect(plan("CREATE ALERT a AS SELECT id, speed FROM s WHERE speed > 100 AND place = 'x';"))
    .toMatchInlineSnapshot(`
    "sink stream A
      alert A when (SPEED > 100.0) AND (PLACE = 'x')
        project ID KEY, SPEED, PLACE
          source S"
  `)
  expect(
    plan(`CREATE ALERT a AS SELECT id, MAX(speed) AS top FROM s WINDOW TUMBLING (SIZE 1 MINUTE) WHERE speed > 0 GROUP BY id
          HAVING AVG(speed) > 100 FOR 5 MINUTES RESOLVE WHEN top < 80 SEVERITY 'high';`),
  ).toMatchInlineSnapshot(`
    "sink stream A
      alert A when AVG(SPEED) > 100.0, for 300000 ms, resolve when TOP < 80.0, severity high
        project ID KEY, MAX(SPEED) AS TOP, AVG(SPEED)
          aggregate by ID: MAX(SPEED), AVG(SPEED) tumbling 60000 ms grace 0 ms retention 60000 ms final
            filter SPEED > 0.0
              source S"
  `)
})

test('operators, conversions and lambdas are written out', () => {
  expect(
    plan(`CREATE STREAM x AS SELECT id, CASE WHEN speed > 1 THEN 'a' END AS c, speed BETWEEN 1 AND 2 AS b, speed IN (1, '2.5') AS i,
          ROWTIME > '2020-01' AS later, REDUCE(tags, '', (acc, e) => acc + e) AS joined, place LIKE 'a%' ESCAPE '!' AS k,
          CAST(speed AS INT) + 1 AS n, -speed AS m, ARRAY[1, 2.50] AS arr, MAP('a' := speed) AS mp, STRUCT(f := place) AS st,
          tags[1] AS t1, NOT (place IS NULL) AS nn FROM s;`),
  ).toMatchInlineSnapshot(`
    "sink stream X
      project ID KEY, CASE WHEN (SPEED > 1.0) THEN 'a' END AS C, (SPEED >= 1.0) AND (SPEED <= 2.0) AS B, SPEED IN (1.0, 2.5) AS I, ROWTIME > 1577836800000 AS LATER, REDUCE(TAGS, '', (ACC, E) => (ACC + E)) AS JOINED, PLACE LIKE 'a%' ESCAPE '!' AS K, CAST(SPEED AS INTEGER) + 1 AS N, -SPEED AS M, ARRAY[1.00, 2.50] AS ARR, MAP('a':=SPEED) AS MP, STRUCT(F:=PLACE) AS ST, TAGS[1] AS T1, NOT (PLACE IS NULL) AS NN
        source S"
  `)
})

test('INSERT INTO converts values to the types of the target', () => {
  const fresh = session()
  fresh.run("CREATE STREAM big (a INT KEY, b BIGINT) WITH (kafka_topic='b', format='JSON');")
  fresh.run(SOURCES)
  const command = fresh.run('INSERT INTO big SELECT a, b FROM l;')
  expect(command.kind === 'insert-select' && printPlan(command.plan)).toMatchInlineSnapshot(`
    "sink stream \`b\`
      project A KEY, CAST(B AS BIGINT) AS B
        project A KEY, B
          source L"
  `)
})
