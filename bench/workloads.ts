/** A fixed workload: its statements, its data, and how its result is recomputed. */
export interface Workload {
  readonly name: string
  readonly vehicles: number
  readonly statement: string
  readonly output: string
  /** Table: last value per key and window. Stream: multiset of rows. */
  readonly kind: 'table' | 'stream'
  /**
   * The whole result by SQLite over `telemetry(key, ts, speed, temp)`: key, window start (or null), then
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
    vehicles,
    statement: W2_STATEMENT,
    output: 'SPEED_1M',
    kind: 'table',
    oracle: W2_ORACLE,
    columns: ['N', 'AVG_SPEED', 'MAX_TEMP'],
  }
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'W1',
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
]
