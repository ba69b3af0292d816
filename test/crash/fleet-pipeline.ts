/** Input topics of the fleet pipeline, all with {@link FLEET_PARTITIONS}. */
export const READINGS = 'fleet.readings'
export const TRIPS = 'fleet.trips'
export const VEHICLES = 'fleet.vehicles'
export const FLEET_PARTITIONS = 4

/** What the statements below say, for whoever recomputes them. */
export const FAST_SPEED = 110
export const NAMED_SPEED = 100
export const HOT_TEMP = 110
export const HOT_FOR_MS = 30_000
export const HOT_KEEP_MS = 20_000
export const MINUTE_MS = 60_000
export const WINDOW_MS = 5 * MINUTE_MS
export const HOP_SIZE_MS = 10 * MINUTE_MS
export const HOP_ADVANCE_MS = 5 * MINUTE_MS
export const SESSION_GAP_MS = MINUTE_MS
export const GRACE_MS = 20_000
export const RETENTION_MS = 2 * 60 * MINUTE_MS
export const JOIN_MS = 10_000
export const JOIN_GRACE_MS = 10_000
/** Longer than any reading is late, so that across partitions nothing depends on who is ahead. */
export const ZONE_GRACE_MS = 10 * MINUTE_MS

/**
 * One of each kind of query whose results {@link FleetRecomputation} knows without the engine: filter,
 * windows of all kinds, joins of a stream with a table and with a stream, an alert, aggregates without
 * windows over many keys, by the input's key and over an exchange between partitions.
 */
export const FLEET_PIPELINE = `
CREATE STREAM IF NOT EXISTS readings (vehicle_id STRING KEY, speed DOUBLE, engine_temp DOUBLE, stop STRING, zone STRING, boarded INT)
  WITH (kafka_topic = '${READINGS}', value_format = 'JSON');
CREATE STREAM IF NOT EXISTS trips (vehicle_id STRING KEY, trip STRING)
  WITH (kafka_topic = '${TRIPS}', value_format = 'JSON');
CREATE TABLE IF NOT EXISTS vehicles (vehicle_id STRING PRIMARY KEY, model STRING)
  WITH (kafka_topic = '${VEHICLES}', value_format = 'JSON');

CREATE STREAM IF NOT EXISTS fast AS SELECT vehicle_id, speed, stop FROM readings WHERE speed > ${FAST_SPEED};
CREATE STREAM IF NOT EXISTS named AS
  SELECT r.vehicle_id, r.speed, v.model FROM readings r LEFT JOIN vehicles v ON r.vehicle_id = v.vehicle_id
  WHERE r.speed > ${NAMED_SPEED};
CREATE STREAM IF NOT EXISTS trip_readings AS
  SELECT t.vehicle_id AS vehicle_id, t.trip, r.speed FROM trips t LEFT JOIN readings r
  WITHIN 10 SECONDS GRACE PERIOD 10 SECONDS ON t.vehicle_id = r.vehicle_id;

CREATE TABLE IF NOT EXISTS speeds AS
  SELECT vehicle_id, COUNT(*) AS n, AVG(speed) AS mean, MAX(speed) AS top
  FROM readings WINDOW TUMBLING (SIZE 5 MINUTES, RETENTION 2 HOURS, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id;
CREATE TABLE IF NOT EXISTS speed_finals AS
  SELECT vehicle_id, COUNT(*) AS n, SUM(speed) AS total
  FROM readings WINDOW TUMBLING (SIZE 5 MINUTES, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id EMIT FINAL;
CREATE TABLE IF NOT EXISTS hops AS
  SELECT vehicle_id, COUNT(*) AS n, MAX(engine_temp) AS hottest
  FROM readings WINDOW HOPPING (SIZE 10 MINUTES, ADVANCE BY 5 MINUTES, RETENTION 2 HOURS, GRACE PERIOD 20 SECONDS)
  GROUP BY vehicle_id;
CREATE TABLE IF NOT EXISTS sessions AS
  SELECT vehicle_id, COUNT(*) AS n, SUM(boarded) AS boarded
  FROM readings WINDOW SESSION (1 MINUTE, RETENTION 2 HOURS, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id;
CREATE TABLE IF NOT EXISTS session_finals AS
  SELECT vehicle_id, COUNT(*) AS n
  FROM readings WINDOW SESSION (1 MINUTE, GRACE PERIOD 20 SECONDS) GROUP BY vehicle_id EMIT FINAL;

CREATE TABLE IF NOT EXISTS totals AS
  SELECT vehicle_id, COUNT(*) AS n, SUM(speed) AS total FROM readings GROUP BY vehicle_id;
CREATE TABLE IF NOT EXISTS stops AS
  SELECT stop, COUNT(*) AS n, SUM(boarded) AS boarded FROM readings GROUP BY stop;
CREATE TABLE IF NOT EXISTS zone_finals AS
  SELECT zone, COUNT(*) AS n, SUM(boarded) AS boarded
  FROM readings WINDOW TUMBLING (SIZE 5 MINUTES, GRACE PERIOD 10 MINUTES) GROUP BY zone EMIT FINAL;

CREATE ALERT IF NOT EXISTS hot AS
  SELECT vehicle_id, engine_temp FROM readings WHERE engine_temp > ${HOT_TEMP}
  FOR 30 SECONDS KEEP FIRING FOR 20 SECONDS SEVERITY 'critical';
`

/** How many queries these are; all of them read the readings. */
export const FLEET_QUERIES = 12

/** Topics of tables that are cleaned: they are there before the pipeline, compacted and in small segments. */
export const CLEANED_OUTPUTS = ['TOTALS', 'STOPS', 'SPEEDS', 'SESSIONS']
/** These roll their segments often, and keep everything. */
export const ROLLED_OUTPUTS = ['FAST', 'NAMED', 'HOPS']
