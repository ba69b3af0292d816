import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const EXAMPLE = join(import.meta.dirname, '../../examples/vehicle-telemetry/sql')

/** One of each kind of query, over the example's topic. */
const STATEMENTS = `
CREATE STREAM IF NOT EXISTS readings (vehicle_id STRING KEY, speed DOUBLE, engine_temp DOUBLE, zone STRING)
  WITH (kafka_topic = 'vehicle.telemetry', value_format = 'JSON');
CREATE STREAM IF NOT EXISTS trips (vehicle_id STRING KEY, trip STRING, passengers INT)
  WITH (kafka_topic = 'trips', value_format = 'JSON');
CREATE TABLE IF NOT EXISTS fleet (vehicle_id STRING PRIMARY KEY, model STRING, depot STRING, seats INT)
  WITH (kafka_topic = 'vehicles', value_format = 'JSON');
CREATE TABLE IF NOT EXISTS crew (vehicle_id STRING PRIMARY KEY, driver STRING)
  WITH (kafka_topic = 'drivers', value_format = 'JSON');

CREATE TABLE IF NOT EXISTS depot_cities (depot STRING PRIMARY KEY, city STRING)
  WITH (kafka_topic = 'depots', value_format = 'JSON');

CREATE STREAM IF NOT EXISTS fast AS SELECT * FROM readings WHERE speed > 100;
CREATE STREAM IF NOT EXISTS by_zone AS SELECT * FROM readings PARTITION BY zone;

CREATE TABLE IF NOT EXISTS minute_speeds AS
  SELECT vehicle_id, COUNT(*) AS n, AVG(speed) AS mean, MAX(speed) AS top
  FROM readings WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id;
CREATE TABLE IF NOT EXISTS minute_finals AS
  SELECT vehicle_id, COUNT(*) AS n, SUM(speed) AS total
  FROM readings WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id EMIT FINAL;
CREATE TABLE IF NOT EXISTS lists AS
  SELECT vehicle_id, COLLECT_LIST(zone) AS zones, LATEST_BY_OFFSET(speed) AS latest
  FROM readings WINDOW TUMBLING (SIZE 40 SECONDS, GRACE PERIOD 10 SECONDS) GROUP BY vehicle_id;
CREATE TABLE IF NOT EXISTS hop_counts AS
  SELECT vehicle_id, COUNT(*) AS n, MAX(engine_temp) AS hottest
  FROM readings WINDOW HOPPING (SIZE 1 MINUTE, ADVANCE BY 20 SECONDS, GRACE PERIOD 20 SECONDS)
  GROUP BY vehicle_id;
CREATE TABLE IF NOT EXISTS hop_finals AS
  SELECT vehicle_id, COUNT(*) AS n
  FROM readings WINDOW HOPPING (SIZE 1 MINUTE, ADVANCE BY 20 SECONDS, GRACE PERIOD 20 SECONDS)
  GROUP BY vehicle_id EMIT FINAL;
CREATE TABLE IF NOT EXISTS sessions AS
  SELECT vehicle_id, COUNT(*) AS n, SUM(speed) AS total
  FROM readings WINDOW SESSION (12 SECONDS, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id;
CREATE TABLE IF NOT EXISTS session_finals AS
  SELECT vehicle_id, COUNT(*) AS n
  FROM readings WINDOW SESSION (12 SECONDS, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id EMIT FINAL;
CREATE TABLE IF NOT EXISTS totals AS
  SELECT vehicle_id, COUNT(*) AS n, SUM(speed) AS total FROM readings WHERE speed > 60
  GROUP BY vehicle_id HAVING COUNT(*) > 10;
CREATE TABLE IF NOT EXISTS zones AS
  SELECT zone, COUNT(*) AS n, SUM(speed) AS total FROM readings GROUP BY zone;
CREATE TABLE IF NOT EXISTS zone_finals AS
  SELECT zone, COUNT(*) AS n
  FROM readings WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 20 SECONDS) GROUP BY zone EMIT FINAL;
CREATE TABLE IF NOT EXISTS fast_finals AS
  SELECT vehicle_id, COUNT(*) AS n
  FROM fast WINDOW TUMBLING (SIZE 2 MINUTES, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id EMIT FINAL;
CREATE TABLE IF NOT EXISTS depots AS SELECT depot, COUNT(*) AS n, SUM(seats) AS seats FROM fleet GROUP BY depot;

CREATE STREAM IF NOT EXISTS described AS
  SELECT r.vehicle_id, r.speed, f.model FROM readings r LEFT JOIN fleet f ON r.vehicle_id = f.vehicle_id;
CREATE STREAM IF NOT EXISTS trip_readings AS
  SELECT t.vehicle_id AS vehicle_id, t.trip, r.speed FROM trips t LEFT JOIN readings r
  WITHIN 4 SECONDS GRACE PERIOD 10 SECONDS ON t.vehicle_id = r.vehicle_id;
CREATE TABLE IF NOT EXISTS crewed AS
  SELECT f.vehicle_id AS vehicle_id, f.model, c.driver FROM fleet f LEFT JOIN crew c ON f.vehicle_id = c.vehicle_id;

CREATE TABLE IF NOT EXISTS vehicle_cities AS
  SELECT f.vehicle_id AS vehicle_id, f.model, d.city FROM fleet f JOIN depot_cities d ON f.depot = d.depot;
CREATE STREAM IF NOT EXISTS letters AS
  SELECT vehicle_id, EXPLODE(SPLIT(zone, '-')) AS part FROM readings WHERE speed > 110;
CREATE STREAM IF NOT EXISTS seen (vehicle_id STRING KEY, what STRING)
  WITH (kafka_topic = 'seen', value_format = 'JSON', partitions = 4);

CREATE ALERT IF NOT EXISTS hot AS
  SELECT vehicle_id, AVG(engine_temp) AS temp FROM readings
  WINDOW TUMBLING (SIZE 20 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY vehicle_id HAVING AVG(engine_temp) > 110
  FOR 40 SECONDS KEEP FIRING FOR 30 SECONDS SEVERITY 'critical';
CREATE ALERT IF NOT EXISTS silent AS
  SELECT vehicle_id, speed FROM readings WHERE speed > 126 NO DATA AFTER 60 SECONDS THEN FIRE SEVERITY 'warning';
`

/** Statements that would make a second query each time they run. */
export const INSERTS = [
  'INSERT INTO seen SELECT vehicle_id, zone AS what FROM readings WHERE speed > 115;',
  'INSERT INTO seen SELECT vehicle_id, trip AS what FROM trips WHERE passengers > 2;',
]

/** These roll their segments during a run. */
export const OUTPUT_TOPICS_IN_SMALL_SEGMENTS = ['FAST', 'MINUTE_SPEEDS', 'DESCRIBED', 'ZONES']

/** The statements of a run: the example's own, then {@link STATEMENTS}. Safe to run again. */
export function pipeline(): string {
  const example = existsSync(EXAMPLE)
    ? readdirSync(EXAMPLE)
        .filter((name) => name.endsWith('.sql'))
        .toSorted()
        .map((name) => readFileSync(join(EXAMPLE, name), 'utf8'))
    : []
  return [...example, STATEMENTS].join('\n')
}
