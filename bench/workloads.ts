/** A fixed workload: its statements, its data, and how its result is recomputed. */
export interface Workload {
  readonly name: string
  readonly summary: string
  readonly vehicles: number
  readonly statement: string
  readonly output: string
  /** Table: last value per key, or per key and window. Stream: multiset of rows. */
  readonly kind: 'table' | 'windowed-table' | 'stream'
  /**
   * The whole result by SQLite over `telemetry(key, ts, region, speed, temp)`: key, window start (or null), then
   * the value columns in the order of `columns`.
   */
  readonly oracle: string
  readonly columns: readonly string[]
}

export const TELEMETRY = `CREATE STREAM telemetry (vehicle_id VARCHAR KEY, ts BIGINT, region VARCHAR, lat DOUBLE, lon DOUBLE,
  speed_kmh DOUBLE, rpm INT, engine_temp_c DOUBLE, fuel_pct DOUBLE, odometer_km BIGINT, gear INT,
  brake BOOLEAN, dtc VARCHAR)
  WITH (KAFKA_TOPIC='telemetry', PARTITIONS=4, VALUE_FORMAT='JSON', TIMESTAMP='ts');`

const W2_STATEMENT = `CREATE TABLE speed_1m AS SELECT vehicle_id, COUNT(*) AS n, AVG(speed_kmh) AS avg_speed, MAX(engine_temp_c) AS max_temp
  FROM telemetry WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 10 SECONDS) GROUP BY vehicle_id EMIT CHANGES;`

const W2_ORACLE = `SELECT key, ts - ts % 60000 AS start, COUNT(*) AS N, AVG(speed) AS AVG_SPEED, MAX(temp) AS MAX_TEMP
  FROM telemetry GROUP BY key, start`

function tumbling(name: string, vehicles: number): Workload {
  return {
    name,
    summary: `tumbling minute per vehicle, ${vehicles.toLocaleString('en')} vehicles`,
    vehicles,
    statement: W2_STATEMENT,
    output: 'SPEED_1M',
    kind: 'windowed-table',
    oracle: W2_ORACLE,
    columns: ['N', 'AVG_SPEED', 'MAX_TEMP'],
  }
}

/** Five minutes each half minute; SQLite adds up panes of half a minute, ten to a window. */
function hopping(name: string, groupBy: string, column: string): Workload {
  return {
    name,
    summary: `five minutes each 30 s per ${groupBy}, 10,000 vehicles`,
    vehicles: 10_000,
    statement: `CREATE TABLE speed_5m AS SELECT ${groupBy}, COUNT(*) AS n, AVG(speed_kmh) AS avg_speed FROM telemetry
  WINDOW HOPPING (SIZE 5 MINUTES, ADVANCE BY 30 SECONDS, GRACE PERIOD 10 SECONDS) GROUP BY ${groupBy} EMIT CHANGES;`,
    output: 'SPEED_5M',
    kind: 'windowed-table',
    oracle: `WITH panes AS (
    SELECT ${column} AS key, ts - ts % 30000 AS pane, COUNT(*) AS n, SUM(speed) AS total FROM telemetry GROUP BY 1, 2),
  hops(back) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))
  SELECT key, pane - back * 30000 AS start, SUM(n) AS N, SUM(total) / SUM(n) AS AVG_SPEED
  FROM panes, hops GROUP BY 1, 2`,
    columns: ['N', 'AVG_SPEED'],
  }
}

/** Without a window: the state of the recovery and memory figures. */
export function totals(name: string, vehicles: number): Workload {
  return {
    name,
    summary: `totals per vehicle, ${vehicles.toLocaleString('en')} vehicles`,
    vehicles,
    statement: `CREATE TABLE totals AS SELECT vehicle_id, COUNT(*) AS n, AVG(speed_kmh) AS avg_speed
  FROM telemetry GROUP BY vehicle_id EMIT CHANGES;`,
    output: 'TOTALS',
    kind: 'table',
    oracle: `SELECT key, NULL AS start, COUNT(*) AS N, AVG(speed) AS AVG_SPEED FROM telemetry GROUP BY key`,
    columns: ['N', 'AVG_SPEED'],
  }
}

/** Those measured by throughput alone. */
export const WORKLOADS: readonly Workload[] = [
  {
    name: 'W1',
    summary: 'filter and project, 6.7 % of the readings pass',
    vehicles: 10_000,
    statement: `CREATE STREAM overheat AS SELECT vehicle_id, ts, speed_kmh, engine_temp_c FROM telemetry
  WHERE speed_kmh > 120 AND engine_temp_c > 110 EMIT CHANGES;`,
    output: 'OVERHEAT',
    kind: 'stream',
    oracle: `SELECT key, NULL AS start, ts AS TS, speed AS SPEED_KMH, temp AS ENGINE_TEMP_C FROM telemetry WHERE speed > 120 AND temp > 110`,
    columns: ['TS', 'SPEED_KMH', 'ENGINE_TEMP_C'],
  },
  tumbling('W2a', 10),
  tumbling('W2b', 10_000),
  tumbling('W2c', 1_000_000),
  hopping('W3a', 'vehicle_id', 'key'),
  hopping('W3b', 'region', 'region'),
]

export const W2D = totals('W2d', 1_000_000)
/** W2d with next to no state: what of its memory is the engine's own. */
export const W2D_FEW_KEYS = totals('W2d-10', 10)

/** For latency: every reading comes out. */
export const PASS_ALL: Workload = {
  name: 'pass-all',
  summary: 'filter and project, every reading passes',
  vehicles: 10_000,
  statement: `CREATE STREAM passed AS SELECT vehicle_id, ts, speed_kmh, engine_temp_c, odometer_km FROM telemetry
  WHERE speed_kmh >= 0 EMIT CHANGES;`,
  output: 'PASSED',
  kind: 'stream',
  oracle: `SELECT key, NULL AS start, ts AS TS, speed AS SPEED_KMH, temp AS ENGINE_TEMP_C FROM telemetry`,
  columns: ['TS', 'SPEED_KMH', 'ENGINE_TEMP_C'],
}

/** @throws Error if there is no workload of this name */
export function workloadNamed(name: string): Workload {
  const found = [...WORKLOADS, W2D, W2D_FEW_KEYS, PASS_ALL].find((w) => w.name === name)
  if (found === undefined) throw new Error(`There is no workload ${name}.`)
  return found
}
