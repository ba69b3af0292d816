-- Readings above the limit. The fleet file has its speeds in metres per second: 25 m/s is 90 km/h.
CREATE STREAM IF NOT EXISTS overspeed AS
  SELECT vehicle_id, speed, latitude, longitude
  FROM telemetry
  WHERE speed > 25
  EMIT CHANGES;
