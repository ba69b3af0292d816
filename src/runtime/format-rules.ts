import { assert } from '../base/assert.ts'
import { formatFinder, formatsOver } from '../formats/registry.ts'
import { subjectOf, type SchemaRegistry } from '../formats/schema-registry.ts'
import { SchemaError } from '../formats/wire-type.ts'
import type { FormatRules, RegisteredColumns } from '../plan/format-rules.ts'

/** What statements may know of the formats, and of the schemas in a registry. */
export function formatRulesOver(registry: SchemaRegistry): FormatRules {
  const formats = formatsOver(registry)
  const formatOf = formatFinder(formats)
  return {
    names: () => formats.map((f) => f.name),
    describe(name) {
      const format = formatOf(name)
      if (format === undefined) return undefined
      return {
        executable: true,
        properties: format.properties,
        supportsKey: format.supportsKey,
        supportsValue: format.supportsValue,
        infersColumns: format.schemas !== undefined,
        wrappings: format.wrappings,
      }
    },
    refuses(side, columns, spec) {
      const format = formatOf(spec.name)
      assert(format, 'only executable formats are asked')
      return format.refuses(side, columns, spec)
    },
    registeredColumns(side, topic, spec): RegisteredColumns {
      const schemas = formatOf(spec.name)?.schemas
      assert(schemas, 'only formats that infer columns are asked')
      const { schemaId } = spec.properties
      const schema =
        schemaId === undefined ? registry.latest(subjectOf(topic, side)) : registry.byId(Number(schemaId))
      if (schema === undefined) return { kind: 'missing' }
      if (schema.language !== schemas.language) {
        return {
          kind: 'unusable',
          reason: `The schema is ${schema.language}, but the format is ${spec.name}.`,
        }
      }
      try {
        return { kind: 'columns', columns: schemas.columnsOf(schema, side, spec) }
      } catch (error) {
        if (error instanceof SchemaError) return { kind: 'unusable', reason: error.message }
        throw error
      }
    },
  }
}
