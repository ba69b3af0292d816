import type { Log } from '../../src/log/log.ts'
import { RecordBatchWriter } from '../../src/log/record-batch.ts'
import { walkRecords } from '../../src/log/walk-records.ts'

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** One batch of records without keys, at time 1000. */
export function batchOf(...values: string[]): Uint8Array {
  const writer = new RecordBatchWriter()
  for (const value of values) {
    const bytes = utf8(value)
    writer.append(1000, null, 0, 0, bytes, 0, bytes.length)
  }
  return writer.finish()
}

/** All values of a partition from `from` on, read in slices of `bytesMax`. */
export async function values(
  log: Log,
  topic: string,
  partition = 0,
  from = 0,
  bytesMax = 1 << 20,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_committed',
): Promise<string[]> {
  const found: string[] = []
  for (let offset = from; ;) {
    const slice = await log.read(topic, partition, offset, bytesMax, isolation)
    if (slice.bytes.length === 0) return found
    const columns = walkRecords(slice.bytes, offset, slice.aborted)
    for (let i = 0; i < columns.count; i++) {
      found.push(text(columns.bytes.subarray(columns.valueStarts[i], columns.valueEnds[i])))
    }
    offset = slice.nextOffset
  }
}
