import { SqlError } from '../base/errors.ts'
import { formatFinder, formatsOver } from '../formats/registry.ts'
import type { SchemaRegistry } from '../formats/schema-registry.ts'
import { SchemaJson } from '../runtime/schema-json.ts'
import type { DataFormat } from './choices.ts'
import { dataJson, dataLine } from './record-text.ts'

/** Turns the bytes of keys, or of values, into text. */
export class DataReader {
  readonly #format: DataFormat
  readonly #schemas: SchemaJson

  constructor(format: DataFormat, registry: SchemaRegistry) {
    this.#format = format
    this.#schemas = new SchemaJson(registry, formatFinder(formatsOver(registry)))
  }

  /** For people. */
  async line(bytes: Uint8Array | null): Promise<string> {
    if (bytes === null) return 'null'
    const json = await this.#json(bytes)
    return json ?? dataLine(bytes)
  }

  /** As JSON. */
  async json(bytes: Uint8Array | null): Promise<string> {
    if (bytes === null) return 'null'
    return (await this.#json(bytes)) ?? JSON.stringify(dataJson(bytes))
  }

  /** The bytes as JSON where their format says how; null: they are just bytes. */
  async #json(bytes: Uint8Array): Promise<string | null> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    switch (this.#format) {
      case 'text':
        return null
      case 'hex':
        return JSON.stringify(Buffer.from(bytes).toString('hex'))
      case 'base64':
        return JSON.stringify(Buffer.from(bytes).toString('base64'))
      case 'int':
        return ofLength(bytes, 4) ? String(view.getInt32(0)) : null
      case 'bigint':
        return ofLength(bytes, 8) ? String(view.getBigInt64(0)) : null
      case 'double':
        return ofLength(bytes, 8) ? JSON.stringify(view.getFloat64(0)) : null
      case 'json':
        return validJson(bytes)
      case 'auto':
        return (await this.#bySchema(bytes))?.json ?? null
      case 'avro':
      case 'protobuf':
      case 'json_sr': {
        const wanted = this.#format.toUpperCase()
        const found = await this.#bySchema(bytes)
        if (found?.format === wanted) return found.json
        const begin = Buffer.from(bytes.subarray(0, 5)).toString('hex')
        throw new SqlError('CLI_UNREADABLE_DATA', {
          message: `Bytes that begin with ${begin} are not of format ${wanted}: ${found === null ? 'they name no registered schema, or do not hold what it says' : `they are of ${found.format}`}.`,
          hint: 'Use auto or hex for --key-format or --value-format.',
        })
      }
    }
  }

  async #bySchema(bytes: Uint8Array): Promise<ReturnType<SchemaJson['read']>> {
    await this.#schemas.load(bytes)
    return this.#schemas.read(bytes)
  }
}

function ofLength(bytes: Uint8Array, length: number): boolean {
  return bytes.length === length
}

/** The text, if it is JSON: every digit stays. */
function validJson(bytes: Uint8Array): string | null {
  const text = Buffer.from(bytes).toString()
  try {
    JSON.parse(text)
    return text
  } catch {
    return null // not JSON: shown as bytes or text
  }
}
