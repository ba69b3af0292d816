/*
 * Names that people bring from other dialects, and what says the same here. Only hints are made of them: a
 * name of ours that is spelled almost the same is a better guess for anything else.
 */

const CASE = 'CASE WHEN condition THEN … ELSE … END'

const FUNCTIONS: Readonly<Record<string, string>> = {
  UPPER: 'UCASE(text)',
  LOWER: 'LCASE(text)',
  LENGTH: 'LEN(text), or ARRAY_LENGTH(array)',
  CHAR_LENGTH: 'LEN(text)',
  SIZE: 'ARRAY_LENGTH(array)',
  CARDINALITY: 'ARRAY_LENGTH(array)',
  NOW: 'UNIX_TIMESTAMP(), or the column ROWTIME for the time of the row',
  CURRENT_TIMESTAMP: 'FROM_UNIXTIME(UNIX_TIMESTAMP())',
  GETDATE: 'FROM_UNIXTIME(UNIX_TIMESTAMP())',
  CURRENT_DATE: 'FROM_DAYS(UNIX_DATE())',
  IF: CASE,
  IIF: CASE,
  DECODE: CASE,
  NVL: 'IFNULL(value, otherwise)',
  ISNULL: 'IFNULL(value, otherwise), or value IS NULL',
  STDDEV: 'STDDEV_SAMP(value)',
  ARRAY_AGG: 'COLLECT_LIST(value)',
  STRING_AGG: "ARRAY_JOIN(COLLECT_LIST(text), ',')",
  GROUP_CONCAT: "ARRAY_JOIN(COLLECT_LIST(text), ',')",
  LISTAGG: "ARRAY_JOIN(COLLECT_LIST(text), ',')",
  FIRST: 'EARLIEST_BY_OFFSET(value)',
  FIRST_VALUE: 'EARLIEST_BY_OFFSET(value)',
  LAST: 'LATEST_BY_OFFSET(value)',
  LAST_VALUE: 'LATEST_BY_OFFSET(value)',
  ANY_VALUE: 'LATEST_BY_OFFSET(value)',
  UNNEST: 'EXPLODE(array)',
  FLATTEN: 'EXPLODE(array)',
  POSITION: 'INSTR(text, part)',
  STRPOS: 'INSTR(text, part)',
  CHARINDEX: 'INSTR(text, part)',
  CONTAINS: 'INSTR(text, part) > 0, or ARRAY_CONTAINS(array, value)',
  SPLIT_PART: "SPLIT(text, ',')[1]",
  TO_CHAR: "FORMAT_TIMESTAMP(timestamp, 'yyyy-MM-dd')",
  DATE_FORMAT: "FORMAT_TIMESTAMP(timestamp, 'yyyy-MM-dd')",
  TO_DATE: "PARSE_DATE(text, 'yyyy-MM-dd')",
  TO_TIMESTAMP: "PARSE_TIMESTAMP(text, 'yyyy-MM-dd HH:mm:ss')",
  DATE_ADD: 'DATEADD(DAYS, 1, date)',
  DATE_SUB: 'DATESUB(DAYS, 1, date)',
  REGEXP_LIKE: "REGEXP_EXTRACT('pattern', text) IS NOT NULL",
  REGEXP_MATCHES: "REGEXP_EXTRACT_ALL('pattern', text)",
  JSON_VALUE: "EXTRACTJSONFIELD(text, '$.field')",
  JSON_EXTRACT: "EXTRACTJSONFIELD(text, '$.field')",
  GET_JSON_OBJECT: "EXTRACTJSONFIELD(text, '$.field')",
  TO_JSON: 'TO_JSON_STRING(value)',
  POW: 'POWER(base, exponent)',
  CEILING: 'CEIL(number)',
  SUBSTR: 'SUBSTRING(text, position, length)',
  MOD: 'a % b',
  APPROX_COUNT_DISTINCT: 'COUNT_DISTINCT(value)',
  BASE64_ENCODE: "FROM_BYTES(bytes, 'base64')",
  ROW_NUMBER: 'TOPK(value, n) for the greatest values of a group',
  RANK: 'TOPK(value, n) for the greatest values of a group',
}

/** A hint for a function that has another name here. */
export function functionElsewhere(name: string): string | undefined {
  const ours = FUNCTIONS[name.toUpperCase()]
  return ours === undefined ? undefined : `Write ${ours}.`
}

const TYPES: Readonly<Record<string, string>> = {
  FLOAT: 'DOUBLE',
  REAL: 'DOUBLE',
  LONG: 'BIGINT',
  INT64: 'BIGINT',
  INT32: 'INTEGER',
  SMALLINT: 'INTEGER',
  TINYINT: 'INTEGER',
  SHORT: 'INTEGER',
  NUMERIC: 'DECIMAL(precision, scale)',
  NUMBER: 'DECIMAL(precision, scale), or DOUBLE',
  MONEY: 'DECIMAL(precision, scale)',
  DECIMAL: 'DECIMAL(precision, scale)',
  TEXT: 'STRING',
  CHAR: 'STRING',
  NVARCHAR: 'STRING',
  CLOB: 'STRING',
  UUID: 'STRING',
  ENUM: 'STRING',
  JSON: 'STRUCT<name type, …> where the fields are known, else STRING',
  OBJECT: 'STRUCT<name type, …>',
  BOOL: 'BOOLEAN',
  BIT: 'BOOLEAN',
  BLOB: 'BYTES',
  BINARY: 'BYTES',
  VARBINARY: 'BYTES',
  BYTEA: 'BYTES',
  DATETIME: 'TIMESTAMP',
  TIMESTAMPTZ: 'TIMESTAMP',
  ARRAY: 'ARRAY<type>',
  LIST: 'ARRAY<type>',
  MAP: 'MAP<STRING, type>',
  STRUCT: 'STRUCT<name type, …>',
  ROW: 'STRUCT<name type, …>',
}

/** A hint for a type that has another name here. */
export function typeElsewhere(name: string): string | undefined {
  const ours = TYPES[name.toUpperCase()]
  return ours === undefined ? undefined : `Write ${ours}.`
}
