import type { FormatSpec } from '../../src/plan/data-source.ts'
import type { Column } from '../../src/plan/schema.ts'
import type { SqlType } from '../../src/plan/sql-type.ts'
import type { Row, SqlValue } from '../../src/plan/sql-value.ts'
import { ByteWriter } from '../../src/formats/byte-writer.ts'
import type { ColumnDecoder, DecodeFailure, Format } from '../../src/formats/format.ts'

export function specOf(format: Format, parts: Partial<FormatSpec> = {}): FormatSpec {
  return { name: format.name, properties: {}, wrapping: null, ...parts }
}

export function columnsOf(types: Readonly<Record<string, SqlType>>): readonly Column[] {
  return Object.entries(types).map(([name, type]) => ({ name, type, role: 'value' }))
}

/** Records laid one after the other, as in a slice of the log. */
export function layOut(
  records: readonly (string | Uint8Array | null)[],
  between = '#',
): {
  readonly bytes: Uint8Array
  readonly starts: Int32Array
  readonly ends: Int32Array
} {
  const writer = new ByteWriter()
  const starts = new Int32Array(records.length)
  const ends = new Int32Array(records.length)
  writer.text(between)
  for (const [row, record] of records.entries()) {
    if (record === null) {
      starts[row] = -1
      continue
    }
    starts[row] = writer.length
    if (typeof record === 'string') writer.text(record)
    else writer.copy(record, 0, record.length)
    ends[row] = writer.length
    writer.text(between)
  }
  return { bytes: writer.take(), starts, ends }
}

/** The decoded rows, and per failed row its reason. Columns that aren't wanted read as undefined. */
export function decodeRows(
  decoder: ColumnDecoder,
  columns: number,
  records: readonly (string | Uint8Array | null)[],
  wanted: readonly number[] = [...new Array(columns).keys()],
): { readonly rows: (SqlValue | undefined)[][]; readonly failures: DecodeFailure[] } {
  const { bytes, starts, ends } = layOut(records)
  const failures: DecodeFailure[] = []
  const vectors = decoder.decode(bytes, starts, ends, records.length, wanted, failures)
  const rows = records.map((_, row) =>
    vectors.map((vector) => (vector === null ? undefined : vector.value(row))),
  )
  return { rows, failures }
}

/** Decodes one record that must be good. */
export function decodeOne(
  format: Format,
  types: Readonly<Record<string, SqlType>>,
  record: string | Uint8Array | null,
  spec: Partial<FormatSpec> = {},
  side: 'key' | 'value' = 'value',
): (SqlValue | undefined)[] {
  const columns = columnsOf(types)
  const decoder = format.decoder(side, columns, specOf(format, spec))
  const { rows, failures } = decodeRows(decoder, columns.length, [record])
  if (failures.length > 0) throw new Error(failures[0]!.reason)
  return rows[0]!
}

/** Encodes one row, from values; null for null bytes. */
export function encodeOne(
  format: Format,
  types: Readonly<Record<string, SqlType>>,
  row: Row,
  spec: Partial<FormatSpec> = {},
  side: 'key' | 'value' = 'value',
): Uint8Array | null {
  const into = new ByteWriter(4)
  return format.encoder(side, columnsOf(types), specOf(format, spec)).encodeRow(row, into)
    ? into.take()
    : null
}

export function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes)
}
