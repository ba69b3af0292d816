import { expect, test } from 'vitest'
import {
  avg,
  bigint,
  call,
  count,
  double,
  hopping,
  integer,
  session,
  stream,
  string,
  struct,
  table,
  tumbling,
  type Definition,
} from '../../src/dsl/index.ts'
import { printPlan } from '../../src/plan/print.ts'
import { TestDriver } from '../../src/testing/index.ts'

const telemetry = stream('TELEMETRY', {
  topic: 'vehicle.telemetry',
  key: { VEHICLE_ID: string() },
  columns: { TS: bigint(), SPEED: double(), FUEL: integer(), AT: struct({ LAT: double() }) },
  timestamp: 'TS',
  partitions: 4,
})
const TELEMETRY =
  `CREATE STREAM telemetry (vehicle_id STRING KEY, ts BIGINT, speed DOUBLE, fuel INTEGER, at STRUCT<lat DOUBLE>)
  WITH (KAFKA_TOPIC='vehicle.telemetry', VALUE_FORMAT='JSON', PARTITIONS=4, TIMESTAMP='TS');`.replaceAll(
    ' at ',
    ' `AT` ',
  )

async function plansOf(text: string): Promise<string[]> {
  const driver = new TestDriver()
  await driver.sql(text)
  return driver.plans.map(printPlan)
}

function textOf(definition: Definition<unknown>): string {
  return [...definition.needs.map(textOf), definition.statement].join('\n')
}

test.each([
  [
    'a window of aggregates',
    telemetry
      .filter((t) => t.SPEED.gt(0))
      .groupBy('VEHICLE_ID')
      .window(tumbling({ minutes: 1 }, { grace: { seconds: 10 } }))
      .aggregate((t) => ({ N: count(), AVG_SPEED: avg(t.SPEED) }))
      .to('PER_MINUTE'),
    `CREATE TABLE per_minute AS SELECT vehicle_id, COUNT(*) AS n, AVG(speed) AS avg_speed FROM telemetry
       WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 10 SECONDS) WHERE speed > 0 GROUP BY vehicle_id EMIT CHANGES;`,
  ],
  [
    'final results of hopping windows',
    telemetry
      .groupBy('VEHICLE_ID')
      .window(hopping({ minutes: 2 }, { minutes: 1 }, { grace: {} }))
      .aggregate({ N: count() })
      .final()
      .to('HOPS', { topic: 'hops' }),
    `CREATE TABLE hops WITH (KAFKA_TOPIC='hops') AS SELECT vehicle_id, COUNT(*) AS n FROM telemetry
       WINDOW HOPPING (SIZE 2 MINUTES, ADVANCE BY 1 MINUTE, GRACE PERIOD 0 SECONDS) GROUP BY vehicle_id EMIT FINAL;`,
  ],
  [
    'sessions by another column',
    telemetry
      .groupBy('FUEL')
      .window(session({ seconds: 30 }))
      .aggregate({ N: count() })
      .to('S'),
    `CREATE TABLE s AS SELECT fuel, COUNT(*) AS n FROM telemetry WINDOW SESSION (30 SECONDS) GROUP BY fuel;`,
  ],
  [
    'a filter and a projection',
    telemetry
      .filter((t) => t.SPEED.gt(120).and(t.VEHICLE_ID.ne("it's")))
      .filter((t) => t.FUEL.isNotNull().or(t.SPEED.le(1.5)))
      .select((t) => ({
        VEHICLE_ID: t.VEHICLE_ID,
        KMH: t.SPEED.times(3.6),
        NAME: call<string>('ucase', t.VEHICLE_ID),
      }))
      .to('FAST'),
    `CREATE STREAM fast AS SELECT vehicle_id, speed * 3.6E0 AS kmh, UCASE(vehicle_id) AS name FROM telemetry
       WHERE (speed > 120 AND vehicle_id <> 'it''s') AND (fuel IS NOT NULL OR speed <= 1.5E0);`,
  ],
])('%s: the same plan as SQL', async (_, definition, sql) => {
  expect(await plansOf(textOf(definition))).toEqual(await plansOf(`${TELEMETRY}\n${sql}`))
})

test('a table, filtered', async () => {
  const vehicles = table('VEHICLES', {
    topic: 'v',
    key: { ID: string() },
    columns: { KIND: string() },
    partitions: 1,
  })
  const vans = vehicles.filter((v) => v.KIND.like('van%')).to('VANS')
  expect(vans.kind).toBe('table')
  expect(await plansOf(textOf(vans))).toEqual(
    await plansOf(`CREATE TABLE vehicles (id STRING PRIMARY KEY, kind STRING) WITH (KAFKA_TOPIC='v', VALUE_FORMAT='JSON', PARTITIONS=1);
      CREATE TABLE vans AS SELECT * FROM vehicles WHERE kind LIKE 'van%';`),
  )
})

test('names and constants cannot leave their place', async () => {
  const odd = stream('odd`; DROP', { topic: "t'; x", columns: { 'a`b': string() } })
  expect(odd.statement).toContain('`odd``; DROP`')
  expect(odd.statement).toContain("'t''; x'")
  expect(() => call('UCASE(x); DROP')).toThrow(TypeError)
  expect(() => telemetry.filter((t) => t.SPEED.gt(NaN))).toThrow(TypeError)
})
