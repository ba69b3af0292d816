import type { ArrayMemory } from '../base/array-memory.ts'
import { assert } from '../base/assert.ts'
import { QueryError } from '../base/errors.ts'
import type { FormatName, FormatSpec } from '../plan/data-source.ts'
import type { Column } from '../plan/schema.ts'
import { printType, type SqlType } from '../plan/sql-type.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'
import type { ByteWriter } from './byte-writer.ts'
import { isNullAt, nullVector, setValue } from './column-vectors.ts'
import type { CompiledSchema } from './compiled-schema.ts'
import type { ColumnDecoder, ColumnEncoder, DecodeFailure, Format, SchemaSupport } from './format.ts'
import { refusesMapInKey } from './map-in-key.ts'
import type { RegisteredSchema, SchemaLanguage, SchemaRegistry, SchemaText } from './schema-registry.ts'
import type { Vector } from './vector.ts'
import { readAs, readFields, writeAs, writeFields, WireMismatch } from './wire-coercion.ts'
import { columnsOf, columnTypeOf, SchemaError, structWire, wireTypeOf, type WireType } from './wire-type.ts'

/** What a schema's language brings to {@link schemaFormat}. */
export interface SchemaDialect {
  readonly name: FormatName
  readonly language: SchemaLanguage
  readonly properties: readonly string[]
  readonly wrappings: Format['wrappings']
  /** @param alone  whether it is one column by itself, not a record of columns. @throws SchemaError */
  text(type: WireType, alone: boolean, spec: FormatSpec): SchemaText
  /**
   * @param message  which of a schema's messages, where it has several; null: the first
   * @throws SchemaError
   */
  compile(schema: SchemaText, message: string | null): CompiledSchema
  /** Where bytes after the schema's number say which message they are: reads and writes that. */
  readonly messageHeader: MessageHeader | null
}

export interface MessageHeader {
  /** @returns the message's name (null: the first) and where it starts */
  read(
    schema: SchemaText,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): { readonly message: string | null; readonly next: number }
  /** Appends the bytes that name the message. */
  write(schema: SchemaText, message: string | null, into: number[]): void
}

/** Bytes before the data: a zero and the schema's number, big-endian. */
export const FRAME_BYTES = 5

/** A format whose records carry the number of a registered schema. */
export function schemaFormat(dialect: SchemaDialect, registry: SchemaRegistry): Format {
  const support = schemaSupport(dialect)
  return {
    name: dialect.name,
    properties: dialect.properties,
    supportsKey: true,
    supportsValue: true,
    supportsSeveralColumns: true,
    wrappings: dialect.wrappings,
    schemas: support,
    refuses(side, columns, spec) {
      return refusesMapInKey(side, columns) ?? refusesBySchema(dialect, side, columns, spec)
    },
    decoder: (side, columns, spec) => new SchemaDecoder(dialect, registry, side, columns, spec),
    encoder: (side, columns, spec) => new SchemaEncoder(dialect, registry, side, columns, spec),
  }
}

/** Why no schema can be made for columns, or null. */
export function refusesBySchema(
  dialect: SchemaDialect,
  side: 'key' | 'value',
  columns: readonly Column[],
  spec: FormatSpec,
): string | null {
  const odd = columns.find((c) => hasOtherMapKeys(c.type))
  if (odd !== undefined) {
    return `The format ${dialect.name} only has MAPs with STRING keys, but ${odd.name} is ${printType(odd.type)}.`
  }
  try {
    dialect.compile(schemaSupport(dialect).textFor(side, columns, spec), null)
    return null
  } catch (error) {
    if (error instanceof SchemaError) return error.message
    throw error
  }
}

function hasOtherMapKeys(type: SqlType): boolean {
  switch (type.kind) {
    case 'MAP':
      return type.key.kind !== 'STRING' || hasOtherMapKeys(type.value)
    case 'ARRAY':
      return hasOtherMapKeys(type.element)
    case 'STRUCT':
      return type.fields.some((f) => hasOtherMapKeys(f.type))
    default:
      return false
  }
}

/** Whether the only column stands alone: in keys unless said otherwise, in values only if said so. */
export function standsAlone(
  side: 'key' | 'value',
  count: number,
  spec: FormatSpec,
  wrappings: Format['wrappings'],
): boolean {
  if (count !== 1 || !wrappings.includes('unwrapped')) return false
  return side === 'key' ? spec.wrapping !== 'wrapped' : spec.wrapping === 'unwrapped'
}

export function schemaSupport(dialect: SchemaDialect): SchemaSupport {
  return {
    language: dialect.language,
    textFor(side, columns, spec) {
      const alone = standsAlone(side, columns.length, spec, dialect.wrappings)
      return dialect.text(alone ? wireTypeOf(columns[0]!.type) : structWire(columns), alone, spec)
    },
    columnsOf(schema, side, spec) {
      const type = dialect.compile(schema, spec.properties['fullSchemaName'] ?? null).type
      const keepsCase = spec.properties['schemaId'] !== undefined
      const name = (text: string): string => (keepsCase ? text : text.toUpperCase())
      const alone =
        dialect.wrappings.includes('unwrapped') &&
        (side === 'key' ? spec.wrapping !== 'wrapped' : spec.wrapping === 'unwrapped')
      if (alone) {
        const only = columnTypeOf(type, name)
        if (only === null) throw new SchemaError('The registered schema is of a value that has no SQL type.')
        return [{ name: side === 'key' ? 'ROWKEY' : 'ROWVAL', type: only }]
      }
      if (type.kind !== 'struct') {
        throw new SchemaError(
          'The registered schema is of a value without fields. To use it as one column, give WRAP_SINGLE_VALUE = false.',
        )
      }
      return columnsOf(type.fields, name)
    },
    compile: (schema, message) => dialect.compile(schema, message),
    messageHeader: dialect.messageHeader,
  }
}

/** Reads the values of the declared columns from records of one schema. */
type RowReader = (bytes: Uint8Array, start: number, end: number) => Row

class SchemaDecoder implements ColumnDecoder {
  readonly #dialect: SchemaDialect
  readonly #registry: SchemaRegistry
  readonly #columns: readonly Column[]
  readonly #alone: boolean
  /** By schema number; messages other than the first by number and name. */
  readonly #readers = new Map<number | string, RowReader>()

  constructor(
    dialect: SchemaDialect,
    registry: SchemaRegistry,
    side: 'key' | 'value',
    columns: readonly Column[],
    spec: FormatSpec,
  ) {
    this.#dialect = dialect
    this.#registry = registry
    this.#columns = columns
    this.#alone = standsAlone(side, columns.length, spec, dialect.wrappings)
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
    const vectors: (Vector | null)[] = this.#columns.map(() => null)
    for (const column of wanted)
      vectors[column] = nullVector(this.#columns[column]!.type, count, bytes, memory)
    for (let row = 0; row < count; row++) {
      const start = starts[row]!
      if (start < 0) continue
      let values: Row
      try {
        values = this.#read(bytes, start, ends[row]!)
      } catch (error) {
        failures.push({ row, reason: reasonOf(error) })
        continue
      }
      for (const column of wanted) setValue(vectors[column]!, row, values[column]!)
    }
    return vectors
  }

  loadSchemas(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number): Promise<void> | null {
    return loadMissingSchemas(this.#registry, bytes, starts, ends, count)
  }

  #read(bytes: Uint8Array, start: number, end: number): Row {
    const id = frameOf(bytes, start, end)
    const header = this.#dialect.messageHeader
    if (header === null)
      return (this.#readers.get(id) ?? this.#prepare(id, id, null))(bytes, start + FRAME_BYTES, end)
    const schema = this.#schema(id)
    const { message, next } = header.read(schema, bytes, start + FRAME_BYTES, end)
    const key = message === null ? id : `${id}/${message}`
    return (this.#readers.get(key) ?? this.#prepare(key, id, message))(bytes, next, end)
  }

  #schema(id: number): RegisteredSchema {
    const schema = this.#registry.byId(id)
    if (schema === undefined)
      throw new WireMismatch(`The record was written with schema ${id}, which is not registered`)
    if (schema.language !== this.#dialect.language) {
      throw new WireMismatch(
        `The record was written with schema ${id}, which is ${schema.language}, not ${this.#dialect.language}`,
      )
    }
    return schema
  }

  #prepare(key: number | string, id: number, message: string | null): RowReader {
    const reader = rowReader(this.#dialect.compile(this.#schema(id), message), this.#columns, this.#alone)
    this.#readers.set(key, reader)
    return reader
  }
}

/** @throws SchemaError when the schema has other types than the columns */
export function rowReader(compiled: CompiledSchema, columns: readonly Column[], alone: boolean): RowReader {
  const nothing = columns.map(() => null)
  if (alone) {
    const convert = readAs(compiled.type, columns[0]!.type, '$')
    return (bytes, start, end) => [convert(compiled.decode(bytes, start, end))]
  }
  if (compiled.type.kind !== 'struct') {
    throw new SchemaError(`The schema is of a ${compiled.type.kind}, not of an object with fields`)
  }
  const fields = readFields(compiled.type.fields, columns, '$')
  return (bytes, start, end) => {
    const value = compiled.decode(bytes, start, end) as Row | null
    if (value === null) return nothing
    return fields.map((field) => (field === null ? null : field.convert(value[field.index]!)))
  }
}

class SchemaEncoder implements ColumnEncoder {
  readonly #alone: boolean
  readonly #noColumns: boolean
  readonly #convert: (row: Row) => SqlValue
  readonly #compiled: CompiledSchema
  readonly #frame: Uint8Array
  readonly #row: SqlValue[]

  constructor(
    dialect: SchemaDialect,
    registry: SchemaRegistry,
    side: 'key' | 'value',
    columns: readonly Column[],
    spec: FormatSpec,
  ) {
    this.#alone = standsAlone(side, columns.length, spec, dialect.wrappings)
    this.#noColumns = columns.length === 0
    this.#row = new Array<SqlValue>(columns.length).fill(null)
    const { schema, message } = schemaToWrite(dialect, registry, side, columns, spec)
    this.#frame = frame(schema, message, dialect.messageHeader)
    try {
      this.#compiled = dialect.compile(schema, message)
      this.#convert = rowWriter(this.#compiled.type, columns, this.#alone)
    } catch (cause) {
      if (!(cause instanceof SchemaError)) throw cause
      throw new QueryError('QUERY_SCHEMA_UNUSABLE', {
        message: `The ${side} can't be written with schema ${schema.id}: ${cause.message}`,
        cause,
      })
    }
  }

  encode(vectors: readonly Vector[], row: number, into: ByteWriter): boolean {
    if (this.#alone && isNullAt(vectors[0]!, row)) return false
    const values = this.#row
    for (let column = 0; column < values.length; column++) values[column] = vectors[column]!.value(row)
    return this.encodeRow(values, into)
  }

  encodeRow(row: Row, into: ByteWriter): boolean {
    if (this.#noColumns || (this.#alone && row[0] === null)) return false
    into.copy(this.#frame, 0, this.#frame.length)
    try {
      this.#compiled.encode(this.#convert(row), into)
    } catch (cause) {
      if (cause instanceof QueryError) throw cause
      throw new QueryError('QUERY_UNWRITABLE_VALUE', {
        message: `A row can't be written with its schema: ${reasonOf(cause)}.`,
        cause,
      })
    }
    return true
  }
}

/** What one row of columns becomes on the wire. */
export function rowWriter(
  type: WireType,
  columns: readonly Column[],
  alone: boolean,
): (row: Row) => SqlValue {
  if (alone) {
    const convert = writeAs(columns[0]!.type, type, '$')
    return (row) => convert(row[0]!)
  }
  if (type.kind !== 'struct') throw new SchemaError(`it is of a ${type.kind}, not of an object with fields.`)
  return writeFields(columns, type.fields, '$')
}

/**
 * The schema a side is written with: the one whose number the statement gives, else the one made from the
 * columns. That is registered by the statement that declared it; where rows only pass between tasks it may not
 * be, and then counts as number 0.
 */
export function schemaToWrite(
  dialect: SchemaDialect,
  registry: SchemaRegistry,
  side: 'key' | 'value',
  columns: readonly Column[],
  spec: FormatSpec,
): { readonly schema: RegisteredSchema; readonly message: string | null } {
  const { schemaId, fullSchemaName } = spec.properties
  if (schemaId !== undefined) {
    const schema = registry.byId(Number(schemaId))
    assert(schema, 'a statement with the id of no schema is refused')
    return { schema, message: dialect.messageHeader === null ? null : (fullSchemaName ?? null) }
  }
  const text = schemaSupport(dialect).textFor(side, columns, spec)
  return { schema: { ...text, id: registry.idOf(text) ?? 0 }, message: null }
}

export function frame(
  schema: RegisteredSchema,
  message: string | null,
  header: MessageHeader | null,
): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES)
  new DataView(bytes.buffer).setInt32(1, schema.id)
  if (header === null) return bytes
  const into: number[] = [...bytes]
  header.write(schema, message, into)
  return Uint8Array.from(into)
}

/** @see ColumnDecoder.loadSchemas */
export function loadMissingSchemas(
  registry: SchemaRegistry,
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
): Promise<void> | null {
  const missing = new Set<number>()
  let known = -1 // the last one seen: mostly all are of one schema
  for (let row = 0; row < count; row++) {
    const start = starts[row]!
    if (start < 0 || ends[row]! - start < FRAME_BYTES || bytes[start] !== 0) continue
    const id = schemaIdAt(bytes, start)
    if (id === known || missing.has(id)) continue
    if (registry.byId(id) === undefined) missing.add(id)
    else known = id
  }
  return missing.size === 0 ? null : registry.load({ ids: [...missing] })
}

/** @throws WireMismatch when the bytes don't start with a schema's number */
export function frameOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < FRAME_BYTES || bytes[start] !== 0) {
    throw new WireMismatch('The record does not start with the number of a schema')
  }
  return schemaIdAt(bytes, start)
}

function schemaIdAt(bytes: Uint8Array, start: number): number {
  return (bytes[start + 1]! << 24) | (bytes[start + 2]! << 16) | (bytes[start + 3]! << 8) | bytes[start + 4]!
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : String(error)
}
