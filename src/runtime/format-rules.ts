import { assert } from '../base/assert.ts'
import { formatOf, formats } from '../formats/registry.ts'
import type { FormatDescription, FormatRules } from '../plan/format-rules.ts'

/** Formats statements may name although this version can neither read nor write them. */
const NAMED_ONLY: ReadonlyMap<string, FormatDescription> = new Map(
  (
    [
      ['AVRO', { properties: ['fullSchemaName', 'schemaId'], infersColumns: true }],
      ['JSON_SR', { properties: ['fullSchemaName', 'schemaId'], infersColumns: true }],
      [
        'PROTOBUF',
        { properties: ['fullSchemaName', 'schemaId', 'nullableRepresentation'], infersColumns: true },
      ],
      ['PROTOBUF_NOSR', { properties: ['nullableRepresentation'], infersColumns: false }],
    ] as const
  )
    .filter(([name]) => formatOf(name) === undefined)
    .map(([name, { properties, infersColumns }]) => [
      name,
      {
        executable: false,
        properties,
        supportsKey: true,
        supportsValue: true,
        infersColumns,
        wrappings: ['wrapped', 'unwrapped'],
      },
    ]),
)

/** What statements may know of the formats. */
export const formatRules: FormatRules = {
  names: () => [...formats.map((f) => f.name), ...NAMED_ONLY.keys()],
  describe(name) {
    const format = formatOf(name)
    if (format === undefined) return NAMED_ONLY.get(name.toUpperCase())
    return {
      executable: true,
      properties: format.properties,
      supportsKey: format.supportsKey,
      supportsValue: format.supportsValue,
      infersColumns: false,
      wrappings: format.wrappings,
    }
  },
  refuses(side, columns, spec) {
    const format = formatOf(spec.name)
    assert(format, 'only executable formats are asked')
    return format.refuses(side, columns, spec)
  },
}
