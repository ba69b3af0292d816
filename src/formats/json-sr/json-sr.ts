import type { ArrayMemory } from '../../base/array-memory.ts'
import type { FormatSpec } from '../../plan/data-source.ts'
import type { Column } from '../../plan/schema.ts'
import type { SqlType } from '../../plan/sql-type.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import { QueryError } from '../../base/errors.ts'
import type { ByteWriter } from '../byte-writer.ts'
import { isNullAt, setValue } from '../column-vectors.ts'
import type { CompiledSchema } from '../compiled-schema.ts'
import type { ColumnDecoder, ColumnEncoder, DecodeFailure, Format } from '../format.ts'
import { coerceJson, isObject, JsonMismatch, memberFinder, type JsonPath } from '../json-coercion.ts'
import { JsonDecoder } from '../json-decoder.ts'
import { JsonEncoder } from '../json-encoder.ts'
import { isJsonArray, parseJson, printJsonValue, type JsonNode } from '../json-text.ts'
import { refusesMapInKey } from '../map-in-key.ts'
import {
  FRAME_BYTES,
  frame,
  frameOf,
  loadMissingSchemas,
  reasonOf,
  refusesBySchema,
  rowReader,
  rowWriter,
  schemaSupport,
  schemaToWrite,
  standsAlone,
  type SchemaDialect,
} from '../schema-format.ts'
import type { SchemaRegistry } from '../schema-registry.ts'
import type { Vector } from '../vector.ts'
import { sqlTypeOf, type WireType } from '../wire-type.ts'
import { jsonSchemaText, readJsonSchema } from './json-schema.ts'

const dialect: SchemaDialect = {
  name: 'JSON_SR',
  language: 'JSON',
  properties: ['fullSchemaName', 'schemaId'],
  wrappings: ['wrapped', 'unwrapped'],
  text: (type, alone) => ({ language: 'JSON', text: jsonSchemaText(type, alone), references: [] }),
  compile: (schema) => new CompiledJson(readJsonSchema(schema.text).type),
  messageHeader: null,
}

/**
 * JSON text after the number of a registered JSON Schema. Reading goes by the names and values in the text, as
 * for plain JSON; what is in the registry says what columns there are and how they are written.
 */
export function jsonSr(registry: SchemaRegistry): Format {
  return {
    name: dialect.name,
    properties: dialect.properties,
    supportsKey: true,
    supportsValue: true,
    supportsSeveralColumns: true,
    wrappings: dialect.wrappings,
    schemas: schemaSupport(dialect),
    refuses: (side, columns, spec) =>
      refusesMapInKey(side, columns) ?? refusesBySchema(dialect, side, columns, spec),
    decoder: (side, columns, spec) =>
      new JsonSrDecoder(registry, columns, standsAlone(side, columns.length, spec, dialect.wrappings)),
    encoder: (side, columns, spec) => new JsonSrEncoder(registry, side, columns, spec),
  }
}

class CompiledJson implements CompiledSchema {
  readonly type: WireType
  readonly #sqlType: SqlType

  constructor(type: WireType) {
    this.type = type
    this.#sqlType = sqlTypeOf(type)
  }

  decode(bytes: Uint8Array, start: number, end: number): SqlValue {
    return readJson(parseJson(strictUtf8.decode(bytes.subarray(start, end))), this.type, [])
  }

  encode(value: SqlValue, into: ByteWriter): void {
    into.text(printJsonValue(value, this.#sqlType))
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** As {@link coerceJson}, but a map may also be a list of entries with `key` and `value`. */
function readJson(node: JsonNode, type: WireType, path: JsonPath): SqlValue {
  if (node === null) return null
  const inside = (inner: JsonNode, innerType: WireType, step: string | number): SqlValue => {
    path.push(step)
    const value = readJson(inner, innerType, path)
    path.pop()
    return value
  }
  if (type.kind === 'map' && isJsonArray(node)) {
    return new Map(
      node.map((entry, i) => {
        if (!isObject(entry)) throw new JsonMismatch(`An entry of a map is no object, at $[${i}]`)
        return [
          inside(entry.get('key') ?? null, type.key, 'key'),
          inside(entry.get('value') ?? null, type.value, 'value'),
        ]
      }),
    )
  }
  if (type.kind === 'map' && isObject(node)) {
    return new Map([...node].map(([name, member]) => [name, inside(member, type.value, name)]))
  }
  if (type.kind === 'array' && isJsonArray(node)) return node.map((item, i) => inside(item, type.element, i))
  if (type.kind === 'struct' && isObject(node)) {
    const find = memberFinder(node)
    return type.fields.map((field) => inside(find(field.name), field.type, field.name))
  }
  return coerceJson(node, sqlTypeOf(type), path)
}

class JsonSrDecoder implements ColumnDecoder {
  readonly #registry: SchemaRegistry
  readonly #columns: readonly Column[]
  readonly #alone: boolean
  readonly #json: JsonDecoder
  /** Readers of schemas with maps as lists of entries, which plain JSON has not; null for all others. */
  readonly #readers = new Map<number, ReturnType<typeof rowReader> | null>()

  constructor(registry: SchemaRegistry, columns: readonly Column[], alone: boolean) {
    this.#registry = registry
    this.#columns = columns
    this.#alone = alone
    this.#json = new JsonDecoder(columns, alone)
  }

  decode(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    wanted: readonly number[],
    failures: DecodeFailure[],
    memory?: ArrayMemory,
  ): (Vector | null)[] {
    const textStarts = new Int32Array(count).fill(-1)
    const others: { readonly row: number; readonly values: Row }[] = []
    for (let row = 0; row < count; row++) {
      const start = starts[row]!
      if (start < 0) continue
      try {
        const reader = this.#reader(frameOf(bytes, start, ends[row]!))
        if (reader === null) textStarts[row] = start + FRAME_BYTES
        else others.push({ row, values: reader(bytes, start + FRAME_BYTES, ends[row]!) })
      } catch (error) {
        failures.push({ row, reason: reasonOf(error) })
      }
    }
    const vectors = this.#json.decode(bytes, textStarts, ends, count, wanted, failures, memory)
    for (const { row, values } of others) {
      for (const column of wanted) setValue(vectors[column]!, row, values[column]!)
    }
    return vectors
  }

  loadSchemas(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number): Promise<void> | null {
    return loadMissingSchemas(this.#registry, bytes, starts, ends, count)
  }

  #reader(id: number): ReturnType<typeof rowReader> | null {
    const known = this.#readers.get(id)
    if (known !== undefined) return known
    // The text says all there is to know: a schema that isn't there is no reason not to read it.
    const schema = this.#registry.byId(id)
    const { type, hasEntryMaps } =
      schema?.language === 'JSON' ? readJsonSchema(schema.text) : { type: null, hasEntryMaps: false }
    const reader =
      hasEntryMaps && type !== null ? rowReader(new CompiledJson(type), this.#columns, this.#alone) : null
    this.#readers.set(id, reader)
    return reader
  }
}

class JsonSrEncoder implements ColumnEncoder {
  readonly #alone: boolean
  readonly #frame: Uint8Array
  readonly #json: JsonEncoder
  /** What rows become where a given schema has other fields than the columns; null: they are as they are. */
  readonly #convert: ((row: Row) => Row) | null
  readonly #row: SqlValue[]

  constructor(registry: SchemaRegistry, side: 'key' | 'value', columns: readonly Column[], spec: FormatSpec) {
    this.#alone = standsAlone(side, columns.length, spec, dialect.wrappings)
    const { schema } = schemaToWrite(dialect, registry, side, columns, spec)
    this.#frame = frame(schema, null, null)
    this.#row = new Array<SqlValue>(columns.length).fill(null)
    if (spec.properties['schemaId'] === undefined) {
      this.#convert = null
      this.#json = new JsonEncoder(columns, this.#alone, side)
      return
    }
    const { type } = readJsonSchema(schema.text)
    const write = rowWriter(type, columns, this.#alone)
    this.#convert = this.#alone ? (row) => [write(row)] : (row) => write(row) as Row
    const fields = !this.#alone && type.kind === 'struct' ? type.fields : [{ name: columns[0]!.name, type }]
    this.#json = new JsonEncoder(
      fields.map((field) => ({ name: field.name, type: sqlTypeOf(field.type), role: side })),
      this.#alone,
      side,
    )
  }

  encode(vectors: readonly Vector[], row: number, into: ByteWriter): boolean {
    if (this.#convert === null) {
      if (this.#alone && isNullAt(vectors[0]!, row)) return false
      const before = into.length
      into.copy(this.#frame, 0, FRAME_BYTES)
      if (this.#json.encode(vectors, row, into)) return true
      into.length = before
      return false
    }
    const values = this.#row
    for (let column = 0; column < values.length; column++) values[column] = vectors[column]!.value(row)
    return this.encodeRow(values, into)
  }

  encodeRow(row: Row, into: ByteWriter): boolean {
    if (this.#alone && row[0] === null) return false
    const before = into.length
    into.copy(this.#frame, 0, FRAME_BYTES)
    if (this.#json.encodeRow(this.#converted(row), into)) return true
    into.length = before
    return false
  }

  #converted(row: Row): Row {
    if (this.#convert === null) return row
    try {
      return this.#convert(row)
    } catch (cause) {
      throw new QueryError('QUERY_UNWRITABLE_VALUE', {
        message: `A row can't be written with its schema: ${reasonOf(cause)}.`,
        cause,
      })
    }
  }
}
