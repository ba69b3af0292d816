import type { Schema } from '../plan/schema.ts'
import type { Row } from '../plan/sql-value.ts'
import type { RowStream } from './row-stream.ts'

/** What one statement answered. */
export type StatementResult = MessageResult | RowsResult | TextResult | StreamResult | PrintResult

interface ResultBase {
  /** The statement's text. */
  readonly statement: string
}

/** Something was done (or, with IF NOT EXISTS and its like, there was nothing to do). */
export interface MessageResult extends ResultBase {
  readonly kind: 'message'
  /** A plain sentence. */
  readonly message: string
  /** The persistent query it started or concerned. */
  readonly queryId: string | null
}

/** A pull query's answer, or a list: SHOW, DESCRIBE. */
export interface RowsResult extends ResultBase {
  readonly kind: 'rows'
  readonly schema: Schema
  /** One value per column of `schema`. */
  readonly rows: readonly Row[]
  /** What else there is to say, one sentence a line; empty where nothing. */
  readonly notes: readonly string[]
}

/** A text of several lines, as it should be shown: EXPLAIN. */
export interface TextResult extends ResultBase {
  readonly kind: 'text'
  readonly text: string
}

/** A push query, running until closed or its LIMIT. Nothing is read before somebody consumes `rows`. */
export interface StreamResult extends ResultBase {
  readonly kind: 'stream'
  readonly rows: RowStream
}

/** PRINT: the records of a topic as they come. */
export interface PrintResult extends ResultBase {
  readonly kind: 'print'
  readonly records: AsyncIterable<PrintedRecord>
}

/** A record with its key and value in words. */
export interface PrintedRecord extends ConsumedRecord {
  readonly keyPart: PrintedPart
  readonly valuePart: PrintedPart
}

/** A key or value whose format was found by looking at it. */
export interface PrintedPart {
  /** What it may be, such as `JSON`, `AVRO`, `KAFKA_STRING`, the likeliest first; empty for null. */
  readonly formats: readonly string[]
  /** JSON where it has fields; bytes that are nothing known as `0x…`. */
  readonly text: string | null
}

/** A record as it lies in the log. */
export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
}
