-- A recorded file, one JSON object a row. What a file doesn't have is null and does no harm. The event time of
-- a reading is the record's own, taken from the column named with --timestamp.
CREATE STREAM IF NOT EXISTS telemetry (
  vehicle_id STRING KEY,
  speed DOUBLE,
  engine_temp DOUBLE,
  fuel_level DOUBLE,
  latitude DOUBLE,
  longitude DOUBLE
) WITH (
  KAFKA_TOPIC = 'vehicle.telemetry',
  VALUE_FORMAT = 'JSON',
  PARTITIONS = 4
);
