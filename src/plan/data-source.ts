import type { Schema } from './schema.ts'
import type { SqlType } from './sql-type.ts'

export type SourceKind = 'stream' | 'table'

export type FormatName =
  | 'NONE'
  | 'KAFKA'
  | 'DELIMITED'
  | 'JSON'
  | 'JSON_SR'
  | 'AVRO'
  | 'PROTOBUF'
  | 'PROTOBUF_NOSR'

/** How one side (key or value) of a topic's records is encoded. */
export interface FormatSpec {
  readonly name: FormatName
  /** Format properties: `delimiter`, `fullSchemaName`, `nullableRepresentation`, `schemaId`. */
  readonly properties: Readonly<Record<string, string>>
  /**
   * Whether a single column stands alone (`unwrapped`) or inside an object or record (`wrapped`).
   * null: several columns, or the format's own way.
   */
  readonly wrapping: 'wrapped' | 'unwrapped' | null
}

/** How the key of a windowed topic carries its window. */
export interface WindowedKey {
  readonly type: 'TUMBLING' | 'HOPPING' | 'SESSION'
  /** null for sessions, whose bounds are both in the key. */
  readonly sizeMs: number | null
}

/** Which column holds event time; absent: the record's timestamp. */
export interface TimestampColumn {
  readonly column: string
  /** A Java date-time pattern for a STRING column; null for BIGINT and TIMESTAMP columns. */
  readonly pattern: string | null
}

/** A column filled from the record's headers. `header` null: all of them as ARRAY<STRUCT<KEY, VALUE>>. */
export interface HeaderColumn {
  readonly column: string
  readonly header: string | null
}

/** A stream or table of the catalog. */
export interface DataSource {
  readonly name: string
  readonly kind: SourceKind
  readonly topic: string
  readonly schema: Schema
  readonly keyFormat: FormatSpec
  readonly valueFormat: FormatSpec
  readonly windowedKey: WindowedKey | null
  readonly timestamp: TimestampColumn | null
  readonly headers: readonly HeaderColumn[]
  /** Silence of a stream for this long counts as time passing; absent: never. */
  readonly idleMs?: number
  /** Declared with SOURCE: read-only. */
  readonly readOnly: boolean
  /** The text that made it. */
  readonly statement: string
  /** The persistent query that fills it, for CREATE … AS; null when declared. */
  readonly createdBy: string | null
}

/** What analysis may ask of the catalog. Implemented by `runtime`. */
export interface SourceCatalog {
  source(name: string): DataSource | undefined
  sourceNames(): readonly string[]
  type(name: string): SqlType | undefined
  typeNames(): readonly string[]
  /** Number of partitions of a topic, or undefined if there is no such topic. */
  partitions(topic: string): number | undefined
  /** Names of topics that statements may be about, for hints. */
  topicNames(): readonly string[]
  /** Whether a topic is Millrace's own: statements may read it, and neither write nor delete it. */
  isOwnTopic(topic: string): boolean
  /** Ids of persistent queries, for TERMINATE and its like. */
  queryIds(): readonly string[]
  /** A name's number for the next query: CTAS_X_<n>. */
  nextQueryNumber(): number
}
