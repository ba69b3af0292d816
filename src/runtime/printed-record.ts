import type { FormatFinder } from '../formats/registry.ts'
import type { SchemaRegistry } from '../formats/schema-registry.ts'
import type { WindowedKey } from '../plan/data-source.ts'
import { plainText, SchemaJson } from './schema-json.ts'
import type { ConsumedRecord, PrintedPart, PrintedRecord } from './statement-result.ts'

/**
 * Reads records without being told their formats: bytes that name a registered schema are read by it, others
 * are text, numbers or just bytes. What is not certain is said to be so.
 */
export class RecordPrinter {
  readonly #schemas: SchemaJson
  readonly #window: WindowedKey | null

  /** @param window  of keys of this topic, where a stream or table over it says that they have one */
  constructor(registry: SchemaRegistry, formatOf: FormatFinder, window: WindowedKey | null) {
    this.#schemas = new SchemaJson(registry, formatOf)
    this.#window = window
  }

  async printed(record: ConsumedRecord): Promise<PrintedRecord> {
    await this.#schemas.load(record.key, record.value)
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
    const found = this.#schemas.read(bytes)
    return found === null ? plainPart(bytes) : { formats: [found.format], text: found.json ?? hex(bytes) }
  }
}

/** What bytes without a schema are: text where they can be, since numbers rarely look like it. */
function plainPart(bytes: Uint8Array): PrintedPart {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = plainText(bytes)
  const numbers =
    bytes.length === 4 ? ['KAFKA_INT'] : bytes.length === 8 ? ['KAFKA_BIGINT', 'KAFKA_DOUBLE'] : []
  if (text !== null) return { formats: [...(isJson(text) ? ['JSON'] : []), ...numbers, 'KAFKA_STRING'], text }
  if (bytes.length === 4) return { formats: numbers, text: String(view.getInt32(0)) }
  if (bytes.length === 8) return { formats: numbers, text: String(view.getBigInt64(0)) }
  return { formats: ['BYTES'], text: hex(bytes) }
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
