import { avro } from './avro/avro.ts'
import { delimited } from './delimited.ts'
import type { Format } from './format.ts'
import { jsonSr } from './json-sr/json-sr.ts'
import { json } from './json.ts'
import { kafka } from './kafka.ts'
import { none } from './none.ts'
import { protobuf, protobufNoSr } from './protobuf/protobuf.ts'
import { schemaFormat } from './schema-format.ts'
import type { SchemaRegistry } from './schema-registry.ts'

/** Finds a format by its name, in any case; undefined if there is none of this name. */
export type FormatFinder = (name: string) => Format | undefined

/** Every format a statement may name, over the registry that keeps their schemas. */
export function formatsOver(registry: SchemaRegistry): readonly Format[] {
  return [
    none,
    kafka,
    delimited,
    json,
    jsonSr(registry),
    schemaFormat(avro, registry),
    schemaFormat(protobuf, registry),
    protobufNoSr,
  ]
}

export function formatFinder(formats: readonly Format[]): FormatFinder {
  const byName: ReadonlyMap<string, Format> = new Map(formats.map((format) => [format.name, format]))
  return (name) => byName.get(name.toUpperCase())
}
