-- As with the simulator, for vehicles that report every minute or so.
CREATE ALERT IF NOT EXISTS vehicle_silent AS
  SELECT vehicle_id, latitude, longitude
  FROM telemetry
  WHERE speed IS NULL
  NO DATA AFTER 10 MINUTES THEN FIRE
  SEVERITY 'warning';
