/** Commands of the shell itself: everything else typed there is SQL. */
export const SHELL_HELP: readonly (readonly [command: string, meaning: string])[] = [
  ['\\d', 'streams and tables'],
  ['\\d NAME', 'columns of a stream or table'],
  ['\\ds  \\dt  \\dT', 'streams, tables, topics'],
  ['\\dq  \\da  \\df', 'queries, alerts, functions'],
  ['\\x', 'rows one below the other, on or off'],
  ['\\timing', 'how long statements take, on or off'],
  ['\\watch [SECONDS]', 'the last query again and again'],
  ['\\i FILE', 'run the statements of a file'],
  ['\\?', 'this list'],
  ['help', 'this list and some SQL to begin with'],
  ['history', 'what was typed'],
  ['clear', 'an empty screen'],
  ['exit, \\q, Ctrl-D', 'end'],
  ['Ctrl-C', 'ends the running query, or drops what is typed'],
]

/** For completion. */
export const BACKSLASH_COMMANDS: readonly string[] = [
  '\\?',
  '\\d',
  '\\da',
  '\\df',
  '\\dq',
  '\\ds',
  '\\dt',
  '\\dT',
  '\\i',
  '\\q',
  '\\timing',
  '\\watch',
  '\\x',
]

/** Lists that are SQL in short. */
export const SHORTHANDS: Readonly<Record<string, readonly string[]>> = {
  '\\d': ['SHOW STREAMS;', 'SHOW TABLES;'],
  '\\ds': ['SHOW STREAMS;'],
  '\\dt': ['SHOW TABLES;'],
  '\\dT': ['SHOW TOPICS;'],
  '\\dq': ['SHOW QUERIES;'],
  '\\da': ['SHOW ALERTS;'],
  '\\df': ['SHOW FUNCTIONS;'],
}

export const FIRST_STEPS = `Statements end with ";" and may go over several lines. To begin with:

  CREATE STREAM s (id STRING KEY, n INT) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);
  INSERT INTO s (id, n) VALUES ('a', 1);
  SET 'auto.offset.reset' = 'earliest';
  SELECT * FROM s EMIT CHANGES LIMIT 1;
`
