-- Per vehicle and minute: what the live view shows.
CREATE TABLE IF NOT EXISTS vehicle_minutes AS
  SELECT vehicle_id,
         COUNT(*) AS readings,
         AVG(speed) AS average_speed,
         MAX(speed) AS top_speed,
         LATEST_BY_OFFSET(engine_temp) AS engine_temp,
         LATEST_BY_OFFSET(fuel_level) AS fuel_level
  FROM telemetry
  WINDOW TUMBLING (SIZE 1 MINUTE, RETENTION 7 DAYS, GRACE PERIOD 1 MINUTE)
  GROUP BY vehicle_id
  EMIT CHANGES;
