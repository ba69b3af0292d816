import { ownArrays, type ArrayMemory } from '../base/array-memory.ts'
import { canonicalBigint, type SqlValue } from '../plan/sql-value.ts'

/**
 * One column of a batch. Rows are addressed by position; what lies at a null row is undefined.
 *
 * The kind follows from the SQL type and who made it: numbers and times as `number`, BOOLEAN as
 * `boolean`, STRING read from a record as `text` (bytes, decoded when asked), all else as `value`.
 * Any type may come as `value`.
 */
export type Vector = NumberVector | BooleanVector | TextVector | ValueVector

/** INTEGER, BIGINT, DOUBLE, TIMESTAMP, DATE, TIME. */
export class NumberVector {
  readonly kind = 'number'
  readonly values: Float64Array
  /** 1: null. */
  readonly nulls: Uint8Array
  /** BIGINTs beyond the safe integers, by row; the row's entry in `values` is then its nearest double. */
  wide: Map<number, bigint> | null = null

  constructor(rows: number, memory: ArrayMemory = ownArrays) {
    this.values = memory.float64(rows)
    this.nulls = memory.uint8(rows)
  }

  value(row: number): SqlValue {
    if (this.nulls[row] === 1) return null
    if (this.wide !== null) {
      const wide = this.wide.get(row)
      if (wide !== undefined) return wide
    }
    return this.values[row]!
  }

  setWide(row: number, value: bigint): void {
    const canonical = canonicalBigint(value)
    this.values[row] = Number(canonical)
    if (typeof canonical === 'bigint') {
      this.wide ??= new Map()
      this.wide.set(row, canonical)
    }
  }
}

export class BooleanVector {
  readonly kind = 'boolean'
  /** 0 or 1. */
  readonly values: Uint8Array
  readonly nulls: Uint8Array

  constructor(rows: number, memory: ArrayMemory = ownArrays) {
    this.values = memory.uint8(rows)
    this.nulls = memory.uint8(rows)
  }

  value(row: number): SqlValue {
    return this.nulls[row] === 1 ? null : this.values[row] === 1
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** STRING as UTF-8 ranges of `bytes`, turned into JavaScript strings only when asked for. */
export class TextVector {
  readonly kind = 'text'
  readonly bytes: Uint8Array
  /** −1: null. */
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** Rows whose text isn't its bytes (escapes, converted numbers), by row; wins over the range. */
  decoded: Map<number, string> | null = null

  constructor(bytes: Uint8Array, starts: Int32Array, ends: Int32Array) {
    this.bytes = bytes
    this.starts = starts
    this.ends = ends
  }

  isNull(row: number): boolean {
    return this.starts[row]! < 0
  }

  value(row: number): string | null {
    const start = this.starts[row]!
    if (start < 0) return null
    if (this.decoded !== null) {
      const text = this.decoded.get(row)
      if (text !== undefined) return text
    }
    const end = this.ends[row]!
    if (end - start > 24) return utf8.decode(this.bytes.subarray(start, end))
    let text = ''
    for (let at = start; at < end; at++) {
      const byte = this.bytes[at]!
      if (byte > 127) return utf8.decode(this.bytes.subarray(start, end))
      text += String.fromCharCode(byte)
    }
    return text
  }

  setDecoded(row: number, text: string): void {
    this.starts[row] = 0
    this.ends[row] = 0
    this.decoded ??= new Map()
    this.decoded.set(row, text)
  }
}

/** Any type, as values. */
export class ValueVector {
  readonly kind = 'value'
  readonly values: SqlValue[]

  constructor(values: SqlValue[]) {
    this.values = values
  }

  value(row: number): SqlValue {
    return this.values[row]!
  }
}
