import { assert } from '../base/assert.ts'
import { ByteWriter } from '../formats/byte-writer.ts'
import type { ColumnEncoder, Format } from '../formats/format.ts'
import type { Vector } from '../formats/vector.ts'
import { murmur2, partitionOf } from '../log/murmur2.ts'
import type { FormatName, FormatSpec } from '../plan/data-source.ts'
import type { Schema } from '../plan/schema.ts'
import type { Batch } from './batch.ts'
import { gather } from './gather.ts'

/**
 * Sends rows to the partition of their key, in memory, within one cycle. The partition is that of the key
 * encoded as the topics on the other side encode theirs, so that rows to be joined meet. Rows without
 * key stay in the partition they came from.
 */
export class Exchange {
  readonly #encoder: ColumnEncoder
  readonly #keyColumns: number
  readonly #partitions: number
  readonly #deliver: (partition: number, fromPartition: number, batch: Batch) => void
  readonly #key = new ByteWriter(256)

  constructor(
    schema: Schema,
    keyFormat: FormatSpec,
    partitions: number,
    formatOf: (name: FormatName) => Format | undefined,
    deliver: (partition: number, fromPartition: number, batch: Batch) => void,
  ) {
    const keys = schema.columns.filter((c) => c.role === 'key')
    const format = formatOf(keyFormat.name)
    assert(format, 'the key format of an exchange exists')
    this.#encoder = format.encoder('key', keys, keyFormat)
    this.#keyColumns = keys.length
    this.#partitions = partitions
    this.#deliver = deliver
  }

  route(fromPartition: number, batch: Batch): void {
    if (batch.size === 0) return
    if (this.#partitions === 1) {
      this.#deliver(0, fromPartition, batch)
      return
    }
    const vectors = batch.vectors.slice(0, this.#keyColumns) as Vector[]
    const rowsOf: number[][] = Array.from({ length: this.#partitions }, () => [])
    for (let n = 0; n < batch.size; n++) {
      const row = batch.position(n)
      this.#key.length = 0
      const partition = this.#encoder.encode(vectors, row, this.#key)
        ? partitionOf(murmur2(this.#key.bytes, 0, this.#key.length), this.#partitions)
        : fromPartition % this.#partitions
      rowsOf[partition]!.push(row)
    }
    rowsOf.forEach((rows, partition) => {
      if (rows.length > 0) this.#deliver(partition, fromPartition, gather(batch, Int32Array.from(rows)))
    })
  }
}
