-- Every vehicle ever heard of. The simulator finds its own place here when it starts again.
CREATE TABLE IF NOT EXISTS vehicles AS
  SELECT vehicle_id,
         COUNT(*) AS readings,
         EARLIEST_BY_OFFSET(ts) AS first_ts,
         MAX(ts) AS last_ts
  FROM telemetry
  GROUP BY vehicle_id
  EMIT CHANGES;
