import { assert } from '../base/assert.ts'
import { ByteWriter } from '../formats/byte-writer.ts'
import { isNullAt } from '../formats/column-vectors.ts'
import type { ColumnEncoder, Format } from '../formats/format.ts'
import type { Vector } from '../formats/vector.ts'
import type { GroupAppend } from '../log/log.ts'
import { murmur2, partitionOf } from '../log/murmur2.ts'
import { BATCH_BYTES_TARGET, RECORD_OVERHEAD_BYTES, RecordBatchWriter } from '../log/record-batch.ts'
import type { FormatName } from '../plan/data-source.ts'
import type { SinkSpec } from '../plan/plan-node.ts'
import type { SqlValue } from '../plan/sql-value.ts'
import type { Batch } from './batch.ts'
import type { DropReason } from './operator.ts'
import { EVENT_TIME_MS_MAX, timestampReader } from './event-time.ts'

/**
 * Encodes a query's result into record batches, one writer per partition of the sink's topic; held in
 * memory until the cycle's commit takes them. A row goes to the partition of its key (without its
 * window); a row without key to `homePartition`, so that a replay puts it there again.
 *
 * Where the sink names a TIMESTAMP column, a record has its time; a row without a usable one is dropped.
 */
export class Sink {
  readonly spec: SinkSpec
  readonly #keyEncoder: ColumnEncoder
  readonly #valueEncoder: ColumnEncoder
  readonly #keyColumns: number
  /** Keys are those of the records read: where all their columns are null, the record had none. */
  readonly #keysFromRecords: boolean
  readonly #writers: RecordBatchWriter[]
  readonly #home: number
  readonly #key = new ByteWriter(256)
  readonly #value = new ByteWriter(4096)
  readonly #onDropped: (reason: DropReason, batch: Batch, row: number, detail: string) => void
  readonly #recordBytesMax: () => number
  /** Position of the TIMESTAMP column, or −1. */
  readonly #timeColumn: number
  readonly #timeOf: ((value: SqlValue) => number) | null
  #rows = 0

  constructor(
    spec: SinkSpec,
    partitions: number,
    homePartition: number,
    formatOf: (name: FormatName) => Format | undefined,
    onDropped: (reason: DropReason, batch: Batch, row: number, detail: string) => void,
    options: {
      readonly keysFromRecords: boolean
      /** Of {@link take}, how many results are in use at most, the one that is being written included. */
      readonly arrays: number
      /** `max.message.bytes` of the topic now. */
      readonly recordBytesMax: () => number
    },
  ) {
    this.spec = spec
    this.#keysFromRecords = options.keysFromRecords
    this.#onDropped = onDropped
    this.#recordBytesMax = options.recordBytesMax
    const { timestamp } = spec
    this.#timeColumn = spec.schema.columns.findIndex((c) => c.name === timestamp?.column)
    this.#timeOf =
      timestamp === null
        ? null
        : timestampReader(spec.schema.columns[this.#timeColumn]!.type, timestamp.pattern)
    const keys = spec.schema.columns.filter((c) => c.role === 'key')
    const values = spec.schema.columns.filter((c) => c.role === 'value')
    const keyFormat = formatOf(spec.keyFormat.name)
    const valueFormat = formatOf(spec.valueFormat.name)
    assert(keyFormat && valueFormat, 'formats of a planned sink exist')
    this.#keyColumns = keys.length
    this.#keyEncoder = keyFormat.encoder('key', keys, spec.keyFormat)
    this.#valueEncoder = valueFormat.encoder('value', values, spec.valueFormat)
    this.#writers = Array.from(
      { length: partitions },
      () => new RecordBatchWriter({ arrays: options.arrays }),
    )
    this.#home = homePartition % partitions
  }

  /** Rows written since the start. */
  get rows(): number {
    return this.#rows
  }

  /** Bytes waiting for a commit. */
  get pendingBytes(): number {
    let bytes = 0
    for (const writer of this.#writers) bytes += writer.byteLength
    return bytes
  }

  write(batch: Batch): void {
    const vectors = batch.vectors as readonly Vector[]
    const keyVectors = vectors.slice(0, this.#keyColumns)
    const valueVectors = vectors.slice(this.#keyColumns)
    const key = this.#key
    const value = this.#value
    const { windows } = batch
    const session = this.spec.windowedKey?.type === 'SESSION'
    const size = batch.size
    const recordBytesMax = this.#recordBytesMax()
    const batchBytes = Math.min(recordBytesMax, BATCH_BYTES_TARGET)
    for (const writer of this.#writers) writer.adapt(batchBytes, 'none')
    for (let n = 0; n < size; n++) {
      const row = batch.position(n)
      const timestampMs = this.#timeOf === null ? batch.timestamps[row]! : this.#timestampOf(batch, row)
      if (timestampMs < 0) continue
      key.length = 0
      const hasKey =
        this.#keyColumns > 0 &&
        !(this.#keysFromRecords && keyVectors.every((v) => isNullAt(v, row))) &&
        this.#keyEncoder.encode(keyVectors, row, key)
      let partition = this.#home
      if (hasKey) {
        partition =
          this.#writers.length === 1
            ? 0
            : partitionOf(murmur2(key.bytes, 0, key.length), this.#writers.length)
        if (windows !== null) {
          if (session) putI64(key, windows.ends[row]!)
          putI64(key, windows.starts[row]!)
        }
      }
      let valueBytes: Uint8Array | null = null
      value.length = 0
      if (!batch.isAbsent(row) && this.#valueEncoder.encode(valueVectors, row, value))
        valueBytes = value.bytes
      const bytes = key.length + value.length + RECORD_OVERHEAD_BYTES
      if (bytes > recordBytesMax) {
        this.#onDropped('too-large', batch, row, `about ${bytes} bytes for topic ${this.spec.topic}`)
        continue
      }
      this.#writers[partition]!.append(
        timestampMs,
        hasKey ? key.bytes : null,
        0,
        key.length,
        valueBytes,
        0,
        value.length,
        batch.headers === null ? null : batch.headers[row]!,
      )
    }
    this.#rows += size
  }

  /** The row's time by the TIMESTAMP column; −1: it has none, and was reported. */
  #timestampOf(batch: Batch, row: number): number {
    // A deletion has no columns, so its own time counts.
    if (batch.isAbsent(row)) return batch.timestamps[row]!
    const value = batch.value(this.#timeColumn, row)
    try {
      const timestampMs = value === null ? -1 : this.#timeOf!(value)
      if (timestampMs >= 0 && timestampMs <= EVENT_TIME_MS_MAX) return timestampMs
      this.#onDropped('bad-timestamp', batch, row, `the TIMESTAMP column holds ${String(value as number)}`)
      return -1
    } catch (error) {
      this.#onDropped('bad-timestamp', batch, row, (error as Error).message)
      return -1
    }
  }

  /** The batches written since the last call, one append per partition that has any. */
  take(): GroupAppend[] {
    const appends: GroupAppend[] = []
    this.#writers.forEach((writer, partition) => {
      if (writer.recordCount > 0)
        appends.push({ topic: this.spec.topic, partition, batches: writer.finish() })
    })
    return appends
  }

  /** Forgets what no commit took. */
  discard(): void {
    for (const writer of this.#writers) writer.clear()
  }
}

function putI64(into: ByteWriter, value: number): void {
  into.reserve(8)
  const high = Math.floor(value / 4294967296)
  const low = value - high * 4294967296
  const { bytes, length } = into
  bytes[length] = high >> 24
  bytes[length + 1] = high >> 16
  bytes[length + 2] = high >> 8
  bytes[length + 3] = high
  bytes[length + 4] = low >>> 24
  bytes[length + 5] = low >>> 16
  bytes[length + 6] = low >>> 8
  bytes[length + 7] = low
  into.length += 8
}
