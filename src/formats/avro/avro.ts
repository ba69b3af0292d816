import type { SchemaDialect } from '../schema-format.ts'
import { AVRO_VALUE_NAME, avroText } from './avro-text.ts'
import { compileAvro } from './avro-schema.ts'

/** Avro's binary encoding: a record with a field per column, or the bare value of a single column. */
export const avro: SchemaDialect = {
  name: 'AVRO',
  language: 'AVRO',
  properties: ['fullSchemaName', 'schemaId'],
  wrappings: ['wrapped', 'unwrapped'],
  text: (type, _alone, spec) => ({
    language: 'AVRO',
    text: avroText(type, spec.properties['fullSchemaName'] ?? AVRO_VALUE_NAME),
    references: [],
  }),
  compile: (schema) => compileAvro(schema.text),
  messageHeader: null,
}
