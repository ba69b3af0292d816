-- Too hot for longer than a moment. It resolves when the engine has cooled down well below the limit and
-- stayed there, so that it doesn't flap.
CREATE ALERT IF NOT EXISTS engine_overheating AS
  SELECT vehicle_id, AVG(engine_temp) AS temp
  FROM telemetry
  WINDOW TUMBLING (SIZE 5 SECONDS)
  GROUP BY vehicle_id
  HAVING AVG(engine_temp) > 110
  FOR 5 SECONDS
  KEEP FIRING FOR 5 SECONDS
  RESOLVE WHEN temp < 100
  SEVERITY 'critical';
