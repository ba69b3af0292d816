import { assert } from '../base/assert.ts'
import { formatOf, formats } from '../formats/registry.ts'
import type { FormatDescription, FormatRules } from '../plan/format-rules.ts'

const BOTH = ['wrapped', 'unwrapped'] as const

/** Formats statements may name although this version can neither read nor write them. */
const NAMED_ONLY: ReadonlyMap<string, FormatDescription> = new Map(
  (
    [
      ['AVRO', { properties: ['fullSchemaName', 'schemaId'], infersColumns: true, wrappings: BOTH }],
      ['JSON_SR', { properties: ['schemaId'], infersColumns: true, wrappings: BOTH }],
      [
        'PROTOBUF',
        {
          properties: ['fullSchemaName', 'schemaId', 'nullableRepresentation'],
          infersColumns: true,
          wrappings: ['wrapped'],
        },
      ],
      [
        'PROTOBUF_NOSR',
        { properties: ['nullableRepresentation'], infersColumns: false, wrappings: ['wrapped'] },
      ],
    ] as const
  )
    .filter(([name]) => formatOf(name) === undefined)
    .map(([name, { properties, infersColumns, wrappings }]) => [
      name,
      {
        executable: false,
        properties,
        supportsKey: true,
        supportsValue: true,
        infersColumns,
        wrappings,
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
