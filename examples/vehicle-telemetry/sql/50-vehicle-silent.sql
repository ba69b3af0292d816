-- A vehicle that sends readings without a speed, or none at all. The event shows where it was last.
CREATE ALERT IF NOT EXISTS vehicle_silent AS
  SELECT vehicle_id, lat, lon
  FROM telemetry
  WHERE speed IS NULL
  NO DATA AFTER 10 SECONDS THEN FIRE
  SEVERITY 'warning';
