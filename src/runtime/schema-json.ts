import { ByteWriter } from '../formats/byte-writer.ts'
import type { FormatFinder } from '../formats/registry.ts'
import { FRAME_BYTES } from '../formats/schema-format.ts'
import type { RegisteredSchema, SchemaLanguage, SchemaRegistry } from '../formats/schema-registry.ts'
import { SchemaError } from '../formats/wire-type.ts'
import type { FormatName, FormatSpec } from '../plan/data-source.ts'
import type { Column } from '../plan/schema.ts'
import type { Row } from '../plan/sql-value.ts'

const FORMATS: Readonly<Record<SchemaLanguage, FormatName>> = {
  AVRO: 'AVRO',
  PROTOBUF: 'PROTOBUF',
  JSON: 'JSON_SR',
}

/** Turns the bytes of one record of one schema into JSON; null where it is no text. */
type SchemaReader = (bytes: Uint8Array) => string | null

/** Reads bytes that name a registered schema, whichever it is, as JSON. */
export class SchemaJson {
  readonly #registry: SchemaRegistry
  readonly #formatOf: FormatFinder
  readonly #readers = new Map<number, SchemaReader | null>()

  constructor(registry: SchemaRegistry, formatOf: FormatFinder) {
    this.#registry = registry
    this.#formatOf = formatOf
  }

  /** Makes known the schemas that bytes may be written with, where the registry is elsewhere. */
  async load(...parts: readonly (Uint8Array | null)[]): Promise<void> {
    const ids = parts.flatMap((bytes) => schemaIdOf(bytes) ?? []).filter((id) => !this.#readers.has(id))
    if (ids.length > 0) await this.#registry.load({ ids })
  }

  /**
   * @returns the JSON, null where the schema has no types of SQL; null for bytes that name no known schema, or do
   *   not hold what it says
   */
  read(bytes: Uint8Array): { readonly format: FormatName; readonly json: string | null } | null {
    const id = schemaIdOf(bytes)
    const schema = id === null ? undefined : this.#registry.byId(id)
    if (schema === undefined) return null
    let reader = this.#readers.get(schema.id)
    if (reader === undefined) {
      reader = this.#readerFor(schema)
      this.#readers.set(schema.id, reader)
    }
    const format = FORMATS[schema.language]
    try {
      return { format, json: reader === null ? null : reader(bytes) }
    } catch (error) {
      // Bytes that only happen to begin like those of a schema.
      if (error instanceof UnfitBytes) return null
      throw error
    }
  }

  /** null: the schema has no types of SQL. */
  #readerFor(schema: RegisteredSchema): SchemaReader | null {
    const name = FORMATS[schema.language]
    if (name === 'JSON_SR') return (bytes) => plainText(bytes.subarray(FRAME_BYTES))
    const format = this.#formatOf(name)
    if (format?.schemas === undefined) return null
    for (const wrapping of ['wrapped', 'unwrapped'] as const) {
      // With its number the schema's names keep their case.
      const spec: FormatSpec = { name, properties: { schemaId: String(schema.id) }, wrapping }
      try {
        const columns = format.schemas
          .columnsOf(schema, 'value', spec)
          .map((c): Column => ({ ...c, role: 'value' }))
        const decoder = format.decoder('value', columns, spec)
        const json: FormatSpec = {
          name: 'JSON',
          properties: {},
          wrapping: columns.length === 1 ? wrapping : null,
        }
        const encoder = this.#formatOf('JSON')!.encoder('value', columns, json)
        return (bytes) => {
          const failures: { readonly row: number; readonly reason: string }[] = []
          const ends = Int32Array.of(bytes.length)
          const vectors = decoder.decode(bytes, Int32Array.of(0), ends, 1, [...columns.keys()], failures)
          if (failures.length > 0) throw new UnfitBytes(failures[0]!.reason)
          const row: Row = vectors.map((vector) => vector?.value(0) ?? null)
          const into = new ByteWriter(256)
          return encoder.encodeRow(row, into) ? plainText(into.take()) : 'null'
        }
      } catch (error) {
        if (!(error instanceof SchemaError)) throw error
      }
    }
    return null
  }
}

class UnfitBytes extends Error {}

/** The number of the schema that bytes may be written with; null: they don't look so. */
function schemaIdOf(bytes: Uint8Array | null): number | null {
  if (bytes === null || bytes.length < FRAME_BYTES || bytes[0] !== 0) return null
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getInt32(1)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes as text, or null if they are none: no UTF-8, or with control characters. */
export function plainText(bytes: Uint8Array): string | null {
  try {
    const text = utf8.decode(bytes)
    return /(?![\t\n\r])\p{Cc}/u.test(text) ? null : text
  } catch {
    return null // not UTF-8: what it is instead is the caller's question
  }
}
