import type { UnreadableAt } from '../engine/input-feed.ts'
import type { GroupAppend } from '../log/log.ts'
import { RecordBatchWriter } from '../log/record-batch.ts'
import type { DataSource } from '../plan/data-source.ts'
import { BIGINT, INTEGER, STRING } from '../plan/sql-type.ts'

/** Where records that no query could use are told of: one JSON object each. */
export const PROCESSING_LOG_TOPIC = 'millrace_processing_log'

/** The stream over {@link PROCESSING_LOG_TOPIC}; always there, read-only. */
export const PROCESSING_LOG: DataSource = {
  name: 'PROCESSING_LOG',
  kind: 'stream',
  topic: PROCESSING_LOG_TOPIC,
  schema: {
    columns: [
      { name: 'QUERY_ID', type: STRING, role: 'key' },
      { name: 'SOURCE_TOPIC', type: STRING, role: 'value' },
      { name: 'SOURCE_PARTITION', type: INTEGER, role: 'value' },
      { name: 'SOURCE_OFFSET', type: BIGINT, role: 'value' },
      { name: 'PART', type: STRING, role: 'value' },
      { name: 'REASON', type: STRING, role: 'value' },
      { name: 'RECORD_TIME', type: BIGINT, role: 'value' },
    ],
  },
  keyFormat: { name: 'KAFKA', properties: {}, wrapping: null },
  valueFormat: { name: 'JSON', properties: {}, wrapping: null },
  windowedKey: null,
  timestamp: null,
  headers: [],
  readOnly: true,
  statement: 'Made by Millrace.',
  createdBy: null,
}

/** Entries for records that a query could not read, to be appended in the commit that passes over them. */
export function processingLogEntries(
  queryId: string,
  unreadable: readonly UnreadableAt[],
): readonly GroupAppend[] {
  if (unreadable.length === 0) return []
  const writer = new RecordBatchWriter()
  const key = Buffer.from(queryId)
  for (const { topic, partition, offset, part, reason, timestampMs } of unreadable) {
    const value = Buffer.from(
      JSON.stringify({
        SOURCE_TOPIC: topic,
        SOURCE_PARTITION: partition,
        SOURCE_OFFSET: offset,
        PART: part,
        REASON: reason,
        RECORD_TIME: timestampMs,
      }),
    )
    // Entries carry the record's own time, so that a repeated run writes the same bytes.
    writer.append(Math.max(0, timestampMs), key, 0, key.length, value, 0, value.length, null)
  }
  return [{ topic: PROCESSING_LOG_TOPIC, partition: 0, batches: writer.finish() }]
}
