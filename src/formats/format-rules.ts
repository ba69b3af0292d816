import type { FormatDescription, FormatRules } from '../plan/format-rules.ts'
import { formatOf, formats } from './registry.ts'

/** Formats the dialect has beside those this version reads and writes: known, so that statements can be judged. */
const REGISTRY_FORMATS: ReadonlyMap<string, FormatDescription> = new Map([
  ['JSON_SR', registryFormat(['schemaId'], ['wrapped', 'unwrapped'])],
  ['AVRO', registryFormat(['fullSchemaName', 'schemaId'], ['wrapped', 'unwrapped'])],
  ['PROTOBUF', registryFormat(['fullSchemaName', 'schemaId', 'nullableRepresentation'], ['wrapped'])],
  ['PROTOBUF_NOSR', { ...registryFormat(['nullableRepresentation'], ['wrapped']), infersColumns: false }],
])

function registryFormat(
  properties: readonly string[],
  wrappings: FormatDescription['wrappings'],
): FormatDescription {
  return {
    executable: false,
    properties,
    supportsKey: true,
    supportsValue: true,
    infersColumns: true,
    wrappings,
  }
}

/** The formats as statements see them. */
export const formatRules: FormatRules = {
  names: () => [...new Set([...formats.map((f) => f.name), ...REGISTRY_FORMATS.keys()])],

  describe(name) {
    const format = formatOf(name)
    if (format === undefined) return REGISTRY_FORMATS.get(name)
    return {
      executable: true,
      properties: format.properties,
      supportsKey: format.supportsKey,
      supportsValue: format.supportsValue,
      infersColumns: REGISTRY_FORMATS.get(name)?.infersColumns ?? false,
      wrappings: format.wrappings,
    }
  },

  refuses: (side, columns, spec) => formatOf(spec.name)?.refuses(side, columns, spec) ?? null,
}
