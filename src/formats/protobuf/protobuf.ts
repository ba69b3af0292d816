import { QueryError } from '../../base/errors.ts'
import type { ArrayMemory } from '../../base/array-memory.ts'
import type { FormatSpec } from '../../plan/data-source.ts'
import type { Column } from '../../plan/schema.ts'
import type { Row, SqlValue } from '../../plan/sql-value.ts'
import type { ByteWriter } from '../byte-writer.ts'
import { nullVector, setValue } from '../column-vectors.ts'
import type { CompiledSchema } from '../compiled-schema.ts'
import type { ColumnDecoder, ColumnEncoder, DecodeFailure, Format } from '../format.ts'
import { refusesMapInKey } from '../map-in-key.ts'
import {
  reasonOf,
  refusesBySchema,
  rowReader,
  rowWriter,
  schemaSupport,
  type SchemaDialect,
} from '../schema-format.ts'
import type { Vector } from '../vector.ts'
import { messageOf, protoFile, readMessageIndexes, writeMessageIndexes } from './proto-file.ts'
import { compileMessage } from './protobuf-schema.ts'
import { protobufText, type NullableRepresentation } from './protobuf-text.ts'

/** A message with a field per column, after the number of its schema and its place in it. */
export const protobuf: SchemaDialect = {
  name: 'PROTOBUF',
  language: 'PROTOBUF',
  properties: ['fullSchemaName', 'schemaId', 'nullableRepresentation'],
  wrappings: ['wrapped'],
  text: (type, _alone, spec) => ({
    language: 'PROTOBUF',
    text: protobufText(type, spec.properties['fullSchemaName'] ?? null, nullableOf(spec)),
    references: [],
  }),
  compile: (schema, message) => compileMessage(messageOf(protoFile(schema), message)),
  messageHeader: { read: readMessageIndexes, write: writeMessageIndexes },
}

function nullableOf(spec: FormatSpec): NullableRepresentation {
  const representation = spec.properties['nullableRepresentation']
  return representation === 'OPTIONAL' || representation === 'WRAPPER' ? representation : null
}

const bare: SchemaDialect = {
  ...protobuf,
  name: 'PROTOBUF_NOSR',
  properties: ['nullableRepresentation'],
  messageHeader: null,
}

/** A bare message with a field per column, numbered from 1 in their order; no registry takes part. */
export const protobufNoSr: Format = {
  name: bare.name,
  properties: bare.properties,
  supportsKey: true,
  supportsValue: true,
  supportsSeveralColumns: true,
  wrappings: bare.wrappings,
  refuses: (side, columns, spec) =>
    refusesMapInKey(side, columns) ?? refusesBySchema(bare, side, columns, spec),
  decoder: (side, columns, spec) => new BareDecoder(columns, bareMessage(side, columns, spec)),
  encoder: (side, columns, spec) => new BareEncoder(columns, bareMessage(side, columns, spec)),
}

/** The message that columns make in PROTOBUF_NOSR. */
export function bareMessage(
  side: 'key' | 'value',
  columns: readonly Column[],
  spec: FormatSpec,
): CompiledSchema {
  return bare.compile(schemaSupport(bare).textFor(side, columns, spec), null)
}

class BareDecoder implements ColumnDecoder {
  readonly #columns: readonly Column[]
  readonly #read: ReturnType<typeof rowReader>

  constructor(columns: readonly Column[], message: CompiledSchema) {
    this.#columns = columns
    this.#read = rowReader(message, columns, false)
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
      if (starts[row]! < 0) continue
      try {
        const values = this.#read(bytes, starts[row]!, ends[row]!)
        for (const column of wanted) setValue(vectors[column]!, row, values[column]!)
      } catch (error) {
        failures.push({ row, reason: reasonOf(error) })
      }
    }
    return vectors
  }
}

class BareEncoder implements ColumnEncoder {
  readonly #message: CompiledSchema
  readonly #convert: (row: Row) => SqlValue
  readonly #row: SqlValue[]

  constructor(columns: readonly Column[], message: CompiledSchema) {
    this.#message = message
    this.#convert = rowWriter(message.type, columns, false)
    this.#row = new Array<SqlValue>(columns.length).fill(null)
  }

  encode(vectors: readonly Vector[], row: number, into: ByteWriter): boolean {
    const values = this.#row
    for (let column = 0; column < values.length; column++) values[column] = vectors[column]!.value(row)
    return this.encodeRow(values, into)
  }

  encodeRow(row: Row, into: ByteWriter): boolean {
    try {
      this.#message.encode(this.#convert(row), into)
    } catch (cause) {
      throw new QueryError('QUERY_UNWRITABLE_VALUE', {
        message: `A row can't be written as Protobuf: ${reasonOf(cause)}.`,
        cause,
      })
    }
    return true
  }
}
