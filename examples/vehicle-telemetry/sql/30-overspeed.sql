-- Readings above the limit, as a stream of their own.
CREATE STREAM IF NOT EXISTS overspeed AS
  SELECT vehicle_id, ts, speed, lat, lon
  FROM telemetry
  WHERE speed > 80
  EMIT CHANGES;
