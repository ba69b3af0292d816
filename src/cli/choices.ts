/** What options may be given, apart from what does it: help is shown without loading the program. */

/** Of `produce`. `records`: as `consume --json` writes them. */
export const INPUT_FORMATS = ['csv', 'ndjson', 'text', 'records'] as const

/**
 * How bytes of keys and values are shown. `auto`: by their registered schema where they carry the number of one,
 * else as text.
 */
export const DATA_FORMATS = [
  'auto',
  'text',
  'json',
  'hex',
  'base64',
  'int',
  'bigint',
  'double',
  'avro',
  'protobuf',
  'json_sr',
] as const

export type DataFormat = (typeof DATA_FORMATS)[number]

/** Of a record, as `consume --print` names them. */
export const FIELDS = ['partition', 'offset', 'timestamp', 'headers', 'key', 'value'] as const

export type Field = (typeof FIELDS)[number]
