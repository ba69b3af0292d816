import type { ArrayMemory } from '../base/array-memory.ts'
import type { FormatName, FormatSpec } from '../plan/data-source.ts'
import type { Column } from '../plan/schema.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { Row } from '../plan/sql-value.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { CompiledSchema } from './compiled-schema.ts'
import type { MessageHeader } from './schema-format.ts'
import type { SchemaLanguage, SchemaText } from './schema-registry.ts'
import type { Vector } from './vector.ts'

/**
 * Bytes to columns and back, for one side (key or value) of a topic. One declaration per format; the
 * list in `formats/registry.ts` is what statements may name.
 */
export interface Format {
  readonly name: FormatName
  /** What {@link FormatSpec.properties} it knows. */
  readonly properties: readonly string[]
  readonly supportsKey: boolean
  readonly supportsValue: boolean
  readonly supportsSeveralColumns: boolean
  /** Which forms a single column may have; the first is the default. */
  readonly wrappings: readonly ('wrapped' | 'unwrapped')[]
  /** Why columns can't be held in this format, as a sentence, or null if they can. */
  refuses(side: 'key' | 'value', columns: readonly Column[], spec: FormatSpec): string | null
  decoder(side: 'key' | 'value', columns: readonly Column[], spec: FormatSpec): ColumnDecoder
  encoder(side: 'key' | 'value', columns: readonly Column[], spec: FormatSpec): ColumnEncoder
  /** For formats whose schemas are registered. */
  readonly schemas?: SchemaSupport
}

/** What a format with registered schemas knows of them. */
export interface SchemaSupport {
  readonly language: SchemaLanguage
  /** The schema that corresponds to columns. @throws SchemaError where it has no such types or names */
  textFor(side: 'key' | 'value', columns: readonly Column[], spec: FormatSpec): SchemaText
  /**
   * The columns that correspond to a schema: names upper-cased, unless the spec gives the schema's number.
   *
   * @throws SchemaError
   */
  columnsOf(
    schema: SchemaText,
    side: 'key' | 'value',
    spec: FormatSpec,
  ): readonly { readonly name: string; readonly type: SqlType }[]
  /** @param message  which of the schema's messages; null: the first. @throws SchemaError */
  compile(schema: SchemaText, message: string | null): CompiledSchema
  readonly messageHeader: MessageHeader | null
}

/** A row that could not be decoded. */
export interface DecodeFailure {
  /** Position among the rows handed to the decoder. */
  readonly row: number
  /** What was wrong, with a path into the value where there is one (`$.A.B[2]`). */
  readonly reason: string
}

export interface ColumnDecoder {
  /**
   * Decodes `count` ranges of `bytes`.
   *
   * @param starts  one entry per row; −1 is a null (all columns null)
   * @param wanted  which columns (positions in the declared list) to materialise; others are only validated
   * @param failures  receives rows that don't decode; their columns are null
   * @param memory  where the vectors' arrays may come from
   * @returns one vector per declared column; null for those not wanted
   */
  decode(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    wanted: readonly number[],
    failures: DecodeFailure[],
    memory?: ArrayMemory,
  ): (Vector | null)[]
  /**
   * Makes known the schemas that {@link decode} needs for these ranges, where the registry is elsewhere.
   *
   * @returns null when all are known
   */
  loadSchemas?(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number): Promise<void> | null
}

export interface ColumnEncoder {
  /**
   * Appends the bytes of one row to `into`.
   *
   * @param vectors  one per declared column
   * @returns false for null bytes (a key whose only column is null, format NONE)
   * @throws QueryError when a value cannot be written in this format
   */
  encode(vectors: readonly Vector[], row: number, into: ByteWriter): boolean
  /** The same for a row of values. */
  encodeRow(row: Row, into: ByteWriter): boolean
}
