-- What the vehicles send: one JSON object a reading, keyed by vehicle. Speeds in km/h, temperatures in °C,
-- fuel in percent. The event time of a reading is its ts (epoch ms).
CREATE STREAM IF NOT EXISTS telemetry (
  vehicle_id STRING KEY,
  ts BIGINT,
  speed DOUBLE,
  engine_temp DOUBLE,
  fuel_level DOUBLE,
  lat DOUBLE,
  lon DOUBLE
) WITH (
  KAFKA_TOPIC = 'vehicle.telemetry',
  VALUE_FORMAT = 'JSON',
  PARTITIONS = 4,
  TIMESTAMP = 'ts'
);
