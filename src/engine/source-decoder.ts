import type { ArrayMemory } from '../base/array-memory.ts'
import { assert } from '../base/assert.ts'
import type { ColumnDecoder, DecodeFailure, Format } from '../formats/format.ts'
import { ValueVector, type Vector } from '../formats/vector.ts'
import { EVENT_TIME_MS_MAX, timestampReader } from './event-time.ts'
import type { RecordColumns } from '../log/records.ts'
import type { DataSource, FormatName } from '../plan/data-source.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import { Batch, type WindowBounds } from './batch.ts'

/** A record of a source that could not be read. */
export interface UnreadableRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly reason: string
  /** What of it failed. */
  readonly part: 'key' | 'value' | 'timestamp'
  /** The record's bytes of that part; null: null. */
  readonly bytes: Uint8Array | null
}

export interface DecodedRecords {
  readonly batch: Batch
  /** The highest event time of all rows; −1: there are none. */
  readonly latestMs: number
  readonly unreadable: readonly UnreadableRecord[]
}

const NO_ROWS = new Float64Array(0)

/**
 * Turns the records of one source into batches: key and value columns, header columns, event time and,
 * for windowed keys, the window. Decodes only columns in `wanted`.
 *
 * Records that don't decode, or whose event time can't be told or is out of range, are left out of the
 * batch's selection and listed.
 */
export class SourceDecoder {
  readonly #source: DataSource
  readonly #keyDecoder: ColumnDecoder
  readonly #valueDecoder: ColumnDecoder
  readonly #keyColumns: number
  readonly #headerColumns: ReadonlyMap<number, string | null>
  /** Position in the schema → position among the value format's columns. */
  readonly #valuePositions: readonly number[]
  readonly #eventTime: ((value: SqlValue) => number) | null
  readonly #eventTimeColumn: number

  constructor(source: DataSource, formatOf: (name: FormatName) => Format | undefined) {
    this.#source = source
    const { columns } = source.schema
    const headers = new Map<number, string | null>()
    for (const h of source.headers)
      headers.set(
        columns.findIndex((c) => c.name === h.column),
        h.header,
      )
    const keys = columns.filter((c) => c.role === 'key')
    const positions: number[] = []
    columns.forEach((c, i) => {
      if (c.role === 'value' && !headers.has(i)) positions.push(i)
    })
    const keyFormat = formatOf(source.keyFormat.name)
    const valueFormat = formatOf(source.valueFormat.name)
    assert(keyFormat && valueFormat, 'formats of a planned source exist')
    this.#keyColumns = keys.length
    this.#headerColumns = headers
    this.#valuePositions = positions
    this.#keyDecoder = keyFormat.decoder('key', keys, source.keyFormat)
    this.#valueDecoder = valueFormat.decoder(
      'value',
      positions.map((i) => columns[i]!),
      source.valueFormat,
    )
    this.#eventTimeColumn =
      source.timestamp === null ? -1 : columns.findIndex((c) => c.name === source.timestamp!.column)
    this.#eventTime =
      source.timestamp === null
        ? null
        : timestampReader(columns[this.#eventTimeColumn]!.type, source.timestamp.pattern)
  }

  /** Makes known the schemas these records were written with, where a registry is elsewhere; null: they are. */
  loadSchemas(records: RecordColumns): Promise<void> | null {
    const { bytes, count } = records
    const key = this.#keyDecoder.loadSchemas?.(bytes, records.keyStarts, records.keyEnds, count) ?? null
    const value =
      this.#valueDecoder.loadSchemas?.(bytes, records.valueStarts, records.valueEnds, count) ?? null
    if (key === null || value === null) return key ?? value
    return Promise.all([key, value]).then(() => {})
  }

  /** @param wanted  positions in the source's schema */
  decode(
    records: RecordColumns,
    partition: number,
    wanted: ReadonlySet<number>,
    memory?: ArrayMemory,
  ): DecodedRecords {
    const { count } = records
    const unreadable: UnreadableRecord[] = []
    const bad = new Set<number>()
    const fail = (row: number, part: UnreadableRecord['part'], reason: string): void => {
      if (bad.has(row)) return
      bad.add(row)
      const [starts, ends] =
        part === 'key' ? [records.keyStarts, records.keyEnds] : [records.valueStarts, records.valueEnds]
      unreadable.push({
        offset: records.offsets[row]!,
        timestampMs: records.timestamps[row]!,
        reason,
        part,
        bytes: starts[row]! < 0 ? null : records.bytes.slice(starts[row], ends[row]),
      })
    }
    const windows = this.#source.windowedKey === null ? null : this.#windows(records, fail)
    const keyEnds = windows === null ? records.keyEnds : windows.keyEnds
    const keyStarts = windows === null ? records.keyStarts : windows.keyStarts

    const wants = (column: number): boolean => wanted.has(column) || column === this.#eventTimeColumn
    const vectors: (Vector | null)[] = this.#source.schema.columns.map(() => null)
    const failures: DecodeFailure[] = []
    const wantedKeys = [...Array(this.#keyColumns).keys()].filter(wants)
    this.#keyDecoder
      .decode(records.bytes, keyStarts, keyEnds, count, wantedKeys, failures, memory)
      .forEach((vector, i) => (vectors[i] = vector))
    for (const f of failures.splice(0)) fail(f.row, 'key', f.reason)

    const wantedValues = this.#valuePositions.flatMap((column, i) => (wants(column) ? [i] : []))
    this.#valueDecoder
      .decode(records.bytes, records.valueStarts, records.valueEnds, count, wantedValues, failures, memory)
      .forEach((vector, i) => (vectors[this.#valuePositions[i]!] = vector))
    for (const f of failures) fail(f.row, 'value', f.reason)
    for (const [column, header] of this.#headerColumns) vectors[column] = headerVector(records, header)

    const { timestamps, latestMs } = this.#timestamps(records, vectors, fail)
    let selection: Int32Array | null = null
    if (bad.size > 0) {
      selection = new Int32Array(count - bad.size)
      for (let row = 0, n = 0; row < count; row++) if (!bad.has(row)) selection[n++] = row
    }
    return {
      unreadable,
      latestMs,
      batch: new Batch({
        schema: this.#source.schema,
        vectors,
        rows: count,
        timestamps,
        selection,
        absent: absentRows(records),
        windows: windows?.bounds ?? null,
        origin: { topic: this.#source.topic, partition, offsets: records.offsets },
        headers: records.headers,
      }),
    }
  }

  #timestamps(
    records: RecordColumns,
    vectors: readonly (Vector | null)[],
    fail: (row: number, part: 'timestamp', reason: string) => void,
  ): { readonly timestamps: Float64Array; readonly latestMs: number } {
    const { count } = records
    let { timestamps } = records
    const column = vectors[this.#eventTimeColumn]
    if (this.#eventTime !== null && column) {
      if (column.kind === 'number' && column.wide === null && this.#source.timestamp!.pattern === null) {
        timestamps = column.values
        for (let row = 0; row < count; row++) {
          if (column.nulls[row] === 1) {
            if (timestamps === column.values) timestamps = column.values.slice()
            timestamps[row] = this.#missingTime(records, row, fail)
          }
        }
      } else {
        timestamps = new Float64Array(count)
        for (let row = 0; row < count; row++) {
          const value = column.value(row)
          if (value === null) {
            timestamps[row] = this.#missingTime(records, row, fail)
            continue
          }
          try {
            timestamps[row] = this.#eventTime(value)
          } catch (error) {
            fail(row, 'timestamp', (error as Error).message)
          }
        }
      }
    }
    let latestMs = -1
    for (let row = 0; row < count; row++) {
      const timestampMs = timestamps[row]!
      if (timestampMs > latestMs) latestMs = timestampMs
      if (timestampMs < 0) fail(row, 'timestamp', `Event time ${timestampMs} is negative.`)
      else if (timestampMs > EVENT_TIME_MS_MAX)
        fail(row, 'timestamp', `Event time ${timestampMs} is out of range.`)
    }
    return { timestamps, latestMs }
  }

  /** A null value has no columns, so its record's own timestamp counts; a null column is an error. */
  #missingTime(
    records: RecordColumns,
    row: number,
    fail: (row: number, part: 'timestamp', reason: string) => void,
  ): number {
    if (records.valueStarts[row]! >= 0)
      fail(row, 'timestamp', `The timestamp column ${this.#source.timestamp!.column} is null.`)
    return records.timestamps[row]!
  }

  /** Takes the window off the end of each key: 8 bytes of start, or for sessions 8 of end and 8 of start. */
  #windows(
    records: RecordColumns,
    fail: (row: number, part: 'key', reason: string) => void,
  ): { keyStarts: Int32Array; keyEnds: Int32Array; bounds: WindowBounds } {
    const { count, bytes } = records
    const { type, sizeMs } = this.#source.windowedKey!
    const suffix = type === 'SESSION' ? 16 : 8
    const keyStarts = records.keyStarts.slice()
    const keyEnds = records.keyEnds.slice()
    const bounds =
      count === 0
        ? { starts: NO_ROWS, ends: NO_ROWS }
        : { starts: new Float64Array(count), ends: new Float64Array(count) }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let row = 0; row < count; row++) {
      if (keyStarts[row]! < 0) continue
      const end = keyEnds[row]! - suffix
      if (end < keyStarts[row]!) {
        fail(
          row,
          'key',
          `A windowed key ends with ${suffix} bytes of window; this key has ${keyEnds[row]! - keyStarts[row]!} bytes.`,
        )
        keyStarts[row] = -1
        continue
      }
      keyEnds[row] = end
      if (type === 'SESSION') {
        bounds.ends[row] = Number(view.getBigInt64(end))
        bounds.starts[row] = Number(view.getBigInt64(end + 8))
      } else {
        bounds.starts[row] = Number(view.getBigInt64(end))
        bounds.ends[row] = bounds.starts[row]! + (sizeMs ?? 0)
      }
    }
    return { keyStarts, keyEnds, bounds }
  }
}

function absentRows(records: RecordColumns): Uint8Array | null {
  const { count, valueStarts } = records
  for (let row = 0; row < count; row++) {
    if (valueStarts[row]! < 0)
      return Uint8Array.from({ length: count }, (_, r) => (valueStarts[r]! < 0 ? 1 : 0))
  }
  return null
}

/** A header column: the last header of a name, or all headers as structs of key and value. */
function headerVector(records: RecordColumns, header: string | null): Vector {
  const values: SqlValue[] = []
  for (let row = 0; row < records.count; row++) {
    const headers = records.headers?.[row] ?? []
    if (header === null) values.push(headers.map((h) => [h.key, h.value]))
    else values.push(headers.findLast((h) => h.key === header)?.value ?? null)
  }
  return new ValueVector(values)
}
