import type { SqlValue } from '../plan/sql-value.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { WireType } from './wire-type.ts'

/** A schema made ready: reads and writes what stands after a record's schema number. */
export interface CompiledSchema {
  readonly type: WireType
  /**
   * @param end  exclusive
   * @returns a value of {@link type}
   * @throws Error of any kind where the bytes aren't of the schema
   */
  decode(bytes: Uint8Array, start: number, end: number): SqlValue
  /** @throws WireMismatch for a value the schema has no bytes for */
  encode(value: SqlValue, into: ByteWriter): void
}
