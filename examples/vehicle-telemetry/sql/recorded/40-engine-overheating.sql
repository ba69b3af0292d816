-- As with the simulator, for readings a minute or so apart.
CREATE ALERT IF NOT EXISTS engine_overheating AS
  SELECT vehicle_id, AVG(engine_temp) AS temp
  FROM telemetry
  WINDOW TUMBLING (SIZE 5 MINUTES)
  GROUP BY vehicle_id
  HAVING AVG(engine_temp) > 110
  FOR 5 MINUTES
  KEEP FIRING FOR 5 MINUTES
  RESOLVE WHEN temp < 100
  SEVERITY 'critical';
