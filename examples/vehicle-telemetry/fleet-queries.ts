/** One query of the checked day, and the same question to SQLite. */
export interface FleetQuery {
  /** What it tries, for the report. */
  readonly name: string
  /** The stream or table it makes; its topic has this name too. */
  readonly sink: string
  /**
   * `stream`: all rows count. `table`: the last row of each key and window counts. `final`: a row for each key
   * and window, and exactly one.
   */
  readonly form: 'stream' | 'table' | 'final'
  readonly window: 'none' | 'time' | 'session'
  readonly statement: string
  /** Value columns that are compared, in the order in which `oracle` gives them. */
  readonly columns: readonly string[]
  /** Over tables `readings` and `vehicles`: columns key, start (of streams the event time), end, then `columns`. */
  readonly oracle: string
}

const MINUTE_MS = 60_000

/** What the queries read. */
export const SOURCES = `
  CREATE STREAM readings (
    vehicle_id STRING KEY, speed DOUBLE, route_id STRING, latitude DOUBLE, longitude DOUBLE
  ) WITH (KAFKA_TOPIC = 'fleet.readings', VALUE_FORMAT = 'JSON');
  CREATE TABLE vehicles (
    vehicle_id STRING PRIMARY KEY, home_route STRING
  ) WITH (KAFKA_TOPIC = 'fleet.vehicles', VALUE_FORMAT = 'JSON');`

/** @param graceDays  more than the recording spans, so that nothing is late in whatever order it comes */
export function fleetQueries(graceDays: number): FleetQuery[] {
  const keep = `RETENTION ${graceDays + 2} DAYS, GRACE PERIOD ${graceDays} DAYS`
  return [
    {
      name: 'filter',
      sink: 'FAST',
      form: 'stream',
      window: 'none',
      statement: `CREATE STREAM fast AS
        SELECT vehicle_id, speed, latitude, longitude, route_id FROM readings
        WHERE speed > 15 AND longitude IS NOT NULL EMIT CHANGES;`,
      columns: ['SPEED', 'LATITUDE', 'LONGITUDE', 'ROUTE_ID'],
      oracle: `SELECT vehicle_id, ts, NULL, speed, latitude, longitude, route_id FROM readings
        WHERE speed > 15 AND longitude IS NOT NULL`,
    },
    {
      name: 'stream-table join',
      sink: 'ON_ROUTE',
      form: 'stream',
      window: 'none',
      statement: `CREATE STREAM on_route AS
        SELECT r.vehicle_id, r.speed AS speed, v.home_route AS home_route
        FROM readings r JOIN vehicles v ON r.vehicle_id = v.vehicle_id EMIT CHANGES;`,
      columns: ['SPEED', 'HOME_ROUTE'],
      oracle: `SELECT r.vehicle_id, r.ts, NULL, r.speed, v.home_route FROM readings r JOIN vehicles v USING (vehicle_id)`,
    },
    {
      name: 'stream-table left join',
      sink: 'AWAY',
      form: 'stream',
      window: 'none',
      statement: `CREATE STREAM away AS
        SELECT r.vehicle_id, r.route_id AS route_id, v.home_route AS home_route
        FROM readings r LEFT JOIN vehicles v ON r.vehicle_id = v.vehicle_id
        WHERE r.route_id <> COALESCE(v.home_route, 'none') EMIT CHANGES;`,
      columns: ['ROUTE_ID', 'HOME_ROUTE'],
      oracle: `SELECT r.vehicle_id, r.ts, NULL, r.route_id, v.home_route
        FROM readings r LEFT JOIN vehicles v USING (vehicle_id) WHERE r.route_id <> COALESCE(v.home_route, 'none')`,
    },
    ...bothForms({
      name: 'tumbling',
      sink: 'FIVE_MINUTES',
      window: 'time',
      select: `SELECT vehicle_id, COUNT(*) AS readings, AVG(speed) AS average, MIN(speed) AS slowest, MAX(speed) AS fastest
        FROM readings WINDOW TUMBLING (SIZE 5 MINUTES, ${keep}) WHERE speed IS NOT NULL GROUP BY vehicle_id`,
      columns: ['READINGS', 'AVERAGE', 'SLOWEST', 'FASTEST'],
      oracle: `SELECT vehicle_id, ts - ts % ${5 * MINUTE_MS} AS start, NULL, COUNT(*), AVG(speed), MIN(speed), MAX(speed)
        FROM readings WHERE speed IS NOT NULL GROUP BY vehicle_id, start`,
    }),
    ...bothForms({
      name: 'hopping',
      sink: 'QUARTER_HOURS',
      window: 'time',
      select: `SELECT vehicle_id, COUNT(*) AS readings, SUM(speed) AS total, MAX(latitude) AS north
        FROM readings WINDOW HOPPING (SIZE 15 MINUTES, ADVANCE BY 5 MINUTES, ${keep})
        WHERE speed IS NOT NULL GROUP BY vehicle_id`,
      columns: ['READINGS', 'TOTAL', 'NORTH'],
      oracle: `SELECT vehicle_id, ts - ts % ${5 * MINUTE_MS} - hop * ${5 * MINUTE_MS} AS start, NULL,
          COUNT(*), SUM(speed), MAX(latitude)
        FROM readings, (SELECT 0 AS hop UNION ALL SELECT 1 UNION ALL SELECT 2)
        WHERE speed IS NOT NULL GROUP BY vehicle_id, start`,
    }),
    ...bothForms({
      name: 'session',
      sink: 'TRIPS',
      window: 'session',
      select: `SELECT vehicle_id, COUNT(*) AS readings, MAX(speed) AS fastest, COUNT_DISTINCT(route_id) AS routes
        FROM readings WINDOW SESSION (10 MINUTES, ${keep}) WHERE speed IS NOT NULL GROUP BY vehicle_id`,
      columns: ['READINGS', 'FASTEST', 'ROUTES'],
      oracle: `WITH gaps AS (
          SELECT *, ts - LAG(ts) OVER (PARTITION BY vehicle_id ORDER BY ts) > ${10 * MINUTE_MS} AS is_new
          FROM readings WHERE speed IS NOT NULL
        ), numbered AS (
          SELECT *, SUM(COALESCE(is_new, 0)) OVER (PARTITION BY vehicle_id ORDER BY ts) AS session FROM gaps
        )
        SELECT vehicle_id, MIN(ts), MAX(ts), COUNT(*), MAX(speed), COUNT(DISTINCT route_id)
        FROM numbered GROUP BY vehicle_id, session`,
    }),
    ...bothForms({
      name: 'join, by route, tumbling',
      sink: 'ROUTE_HOURS',
      window: 'time',
      select: `SELECT v.home_route AS home_route, COUNT(*) AS readings, SUM(r.speed) AS total, MAX(r.speed) AS fastest
        FROM readings r JOIN vehicles v ON r.vehicle_id = v.vehicle_id
        WINDOW TUMBLING (SIZE 1 HOUR, ${keep}) WHERE r.speed IS NOT NULL GROUP BY v.home_route`,
      columns: ['READINGS', 'TOTAL', 'FASTEST'],
      oracle: `SELECT home_route, ts - ts % ${60 * MINUTE_MS} AS start, NULL, COUNT(*), SUM(speed), MAX(speed)
        FROM readings JOIN vehicles USING (vehicle_id) WHERE speed IS NOT NULL GROUP BY home_route, start`,
    }),
  ]
}

/** A windowed table with its changes, and the same with final results only. */
function bothForms(query: {
  readonly name: string
  readonly sink: string
  readonly window: FleetQuery['window']
  readonly select: string
  readonly columns: readonly string[]
  readonly oracle: string
}): FleetQuery[] {
  const { select, sink, ...rest } = query
  return [
    { ...rest, sink, form: 'table', statement: `CREATE TABLE ${sink} AS ${select} EMIT CHANGES;` },
    {
      ...rest,
      sink: `${sink}_FINAL`,
      form: 'final',
      statement: `CREATE TABLE ${sink}_final AS ${select} EMIT FINAL;`,
    },
  ]
}
