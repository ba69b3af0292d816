import type { Column } from '../plan/schema.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { ColumnEncoder } from './format.ts'
import { printJsonValue, quoteJson } from './json-text.ts'
import type { Vector } from './vector.ts'

export class JsonEncoder implements ColumnEncoder {
  readonly #columns: readonly Column[]
  readonly #unwrapped: boolean
  readonly #side: 'key' | 'value'

  constructor(columns: readonly Column[], unwrapped: boolean, side: 'key' | 'value') {
    this.#columns = columns
    this.#unwrapped = unwrapped
    this.#side = side
  }

  encode(vectors: readonly Vector[], row: number, into: ByteWriter): boolean {
    return this.#write((column) => vectors[column]!.value(row), into)
  }

  encodeRow(row: Row, into: ByteWriter): boolean {
    return this.#write((column) => row[column]!, into)
  }

  #write(valueOf: (column: number) => SqlValue, into: ByteWriter): boolean {
    const columns = this.#columns
    if (this.#unwrapped) {
      const value = valueOf(0)
      if (value === null) return false
      into.text(printJsonValue(value, columns[0]!.type))
      return true
    }
    if (columns.length === 0 && this.#side === 'key') return false
    const members = columns.map(
      ({ name, type }, i) => `${quoteJson(name)}:${printJsonValue(valueOf(i), type)}`,
    )
    into.text(`{${members.join(',')}}`)
    return true
  }
}
