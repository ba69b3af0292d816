import type { Batch } from '../engine/batch.ts'
import { readRecords } from '../engine/shared-reader.ts'
import { SourceDecoder } from '../engine/source-decoder.ts'
import type { Format } from '../formats/format.ts'
import type { Log } from '../log/log.ts'
import type { RecordColumns } from '../log/records.ts'
import type { DataSource, FormatName } from '../plan/data-source.ts'
import type { ConsumedRecord } from './statement-result.ts'

/** All rows of a stream up to its end at the moment of the call, partition by partition. */
export async function* rowsUpToEnd(
  log: Log,
  source: DataSource,
  formatOf: (name: FormatName) => Format | undefined,
): AsyncIterable<Batch> {
  const all = new Set(source.schema.columns.keys())
  const decoder = new SourceDecoder(source, formatOf)
  const partitions = log.topic(source.topic)?.partitions ?? 0
  const ends = Array.from({ length: partitions }, (_, p) => log.ends(source.topic, p))
  for (const [partition, { logStart, lastStable }] of ends.entries()) {
    for (let offset = logStart; offset < lastStable;) {
      const read = await readRecords(log, source.topic, partition, offset)
      if (read === null) break
      await decoder.loadSchemas(read.records)
      const { batch } = decoder.decode(read.records, partition, all)
      // What was appended after the call is not part of the answer.
      yield read.nextOffset <= lastStable
        ? batch
        : decoder.decode(headOf(read.records, lastStable), partition, all).batch
      offset = read.nextOffset
    }
  }
}

export interface ConsumeOptions {
  /** Default 'end'. */
  readonly from?: 'beginning' | 'end'
  /** Go on waiting for records when the end is reached. Default false. */
  readonly follow?: boolean
  readonly limit?: number
  readonly signal?: AbortSignal
}

/** The records of a topic, within a partition in order. */
export async function* consumeTopic(
  log: Log,
  topic: string,
  options: ConsumeOptions,
): AsyncIterable<ConsumedRecord> {
  const partitions = log.topic(topic)?.partitions ?? 0
  const next = Array.from({ length: partitions }, (_, p) => {
    const { logStart, lastStable } = log.ends(topic, p)
    return options.from === 'beginning' ? logStart : lastStable
  })
  const end = Array.from({ length: partitions }, (_, p) => log.ends(topic, p).lastStable)
  const { follow = false, signal } = options
  const isStopped = (): boolean => signal?.aborted === true
  let left = options.limit ?? Infinity
  let wake: (() => void) | null = null
  let moved = false
  const onMove = (): void => {
    moved = true
    wake?.()
  }
  const unsubscribe = log.onEndsMoved(onMove)
  signal?.addEventListener('abort', onMove)
  try {
    while (left > 0 && !isStopped()) {
      moved = false
      let worked = false
      for (let partition = 0; partition < partitions; partition++) {
        if (!follow && next[partition]! >= end[partition]!) continue
        const read = await readRecords(log, topic, partition, next[partition]!)
        if (read === null) continue
        worked = true
        next[partition] = read.nextOffset
        for (let row = 0; row < read.records.count; row++) {
          if (!follow && read.records.offsets[row]! >= end[partition]!) break
          yield consumedRecord(topic, partition, read.records, row)
          if (--left <= 0 || isStopped()) return
        }
      }
      if (worked) continue
      if (!follow) return
      if (!moved) {
        await new Promise<void>((resolve) => (wake = resolve))
        wake = null
      }
    }
  } finally {
    unsubscribe()
    signal?.removeEventListener('abort', onMove)
  }
}

function consumedRecord(
  topic: string,
  partition: number,
  records: RecordColumns,
  row: number,
): ConsumedRecord {
  const part = (start: number, end: number): Uint8Array | null =>
    start < 0 ? null : records.bytes.slice(start, end)
  return {
    topic,
    partition,
    offset: records.offsets[row]!,
    timestampMs: records.timestamps[row]!,
    key: part(records.keyStarts[row]!, records.keyEnds[row]!),
    value: part(records.valueStarts[row]!, records.valueEnds[row]!),
    headers: records.headers?.[row] ?? [],
  }
}

/** The records below an offset. */
function headOf(records: RecordColumns, offset: number): RecordColumns {
  let count = 0
  while (count < records.count && records.offsets[count]! < offset) count++
  return { ...records, count }
}
