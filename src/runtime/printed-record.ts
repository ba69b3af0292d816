import type { FormatFinder } from '../formats/registry.ts'
import { FRAME_BYTES } from '../formats/schema-format.ts'
import type { RegisteredSchema, SchemaLanguage, SchemaRegistry } from '../formats/schema-registry.ts'
import { SchemaError } from '../formats/wire-type.ts'
import { ByteWriter } from '../formats/byte-writer.ts'
import type { FormatName, FormatSpec, WindowedKey } from '../plan/data-source.ts'
import type { Column } from '../plan/schema.ts'
import type { Row } from '../plan/sql-value.ts'
import type { ConsumedRecord, PrintedPart, PrintedRecord } from './statement-result.ts'

const FORMATS: Readonly<Record<SchemaLanguage, FormatName>> = {
  AVRO: 'AVRO',
  PROTOBUF: 'PROTOBUF',
  JSON: 'JSON_SR',
}

/** Turns the bytes of one record of one schema into JSON. */
type SchemaReader = (bytes: Uint8Array) => string

/**
 * Reads records without being told their formats: bytes that name a registered schema are read by it, others
 * are text, numbers or just bytes. What is not certain is said to be so.
 */
export class RecordPrinter {
  readonly #registry: SchemaRegistry
  readonly #formatOf: FormatFinder
  readonly #window: WindowedKey | null
  readonly #readers = new Map<number, SchemaReader | null>()

  /** @param window  of keys of this topic, where a stream or table over it says that they have one */
  constructor(registry: SchemaRegistry, formatOf: FormatFinder, window: WindowedKey | null) {
    this.#registry = registry
    this.#formatOf = formatOf
    this.#window = window
  }

  async printed(record: ConsumedRecord): Promise<PrintedRecord> {
    const ids = [record.key, record.value].flatMap((bytes) => schemaIdOf(bytes) ?? [])
    const unknown = ids.filter((id) => !this.#readers.has(id))
    if (unknown.length > 0) await this.#registry.load({ ids: unknown })
    return { ...record, keyPart: this.#key(record.key), valuePart: this.#part(record.value) }
  }

  #key(bytes: Uint8Array | null): PrintedPart {
    const suffixBytes = this.#window === null ? 0 : this.#window.type === 'SESSION' ? 16 : 8
    if (bytes === null || suffixBytes === 0 || bytes.length < suffixBytes) return this.#part(bytes)
    const { formats, text } = this.#part(bytes.subarray(0, bytes.length - suffixBytes))
    const { type, sizeMs } = this.#window!
    const view = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - suffixBytes, suffixBytes)
    const last = Number(view.getBigInt64(0))
    // Sessions end with their end and start, other windows with their start.
    const [start, end] = type === 'SESSION' ? [Number(view.getBigInt64(8)), last] : [last, last + sizeMs!]
    return { formats: formats.map((format) => `${type}(${format})`), text: `[${text}@${start}/${end}]` }
  }

  #part(bytes: Uint8Array | null): PrintedPart {
    if (bytes === null) return { formats: [], text: null }
    return this.#bySchema(bytes) ?? plainPart(bytes)
  }

  #bySchema(bytes: Uint8Array): PrintedPart | null {
    const id = schemaIdOf(bytes)
    const schema = id === null ? undefined : this.#registry.byId(id)
    if (schema === undefined) return null
    let reader = this.#readers.get(schema.id)
    if (reader === undefined) {
      reader = this.#readerFor(schema)
      this.#readers.set(schema.id, reader)
    }
    const formats = [FORMATS[schema.language]]
    try {
      return { formats, text: reader === null ? hex(bytes) : reader(bytes) }
    } catch (error) {
      // Bytes that only happen to begin like those of a schema.
      if (error instanceof UnfitBytes) return null
      throw error
    }
  }

  /** null: the schema has no types of SQL. */
  #readerFor(schema: RegisteredSchema): SchemaReader | null {
    const name = FORMATS[schema.language]
    if (name === 'JSON_SR') return (bytes) => textOf(bytes.subarray(FRAME_BYTES)) ?? hex(bytes)
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
          return encoder.encodeRow(row, into) ? (textOf(into.take()) ?? hex(bytes)) : 'null'
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

/** What bytes without a schema are: text where they can be, since numbers rarely look like it. */
function plainPart(bytes: Uint8Array): PrintedPart {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = textOf(bytes)
  const numbers =
    bytes.length === 4 ? ['KAFKA_INT'] : bytes.length === 8 ? ['KAFKA_BIGINT', 'KAFKA_DOUBLE'] : []
  if (text !== null) return { formats: [...(isJson(text) ? ['JSON'] : []), ...numbers, 'KAFKA_STRING'], text }
  if (bytes.length === 4) return { formats: numbers, text: String(view.getInt32(0)) }
  if (bytes.length === 8) return { formats: numbers, text: String(view.getBigInt64(0)) }
  return { formats: ['BYTES'], text: hex(bytes) }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes as text, or null if they are none: no UTF-8, or with control characters. */
function textOf(bytes: Uint8Array): string | null {
  try {
    const text = utf8.decode(bytes)
    return /(?![\t\n\r])\p{Cc}/u.test(text) ? null : text
  } catch {
    return null // not UTF-8: what it is instead is the caller's question
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // the answer is all that is asked for
  }
}

function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`
}
