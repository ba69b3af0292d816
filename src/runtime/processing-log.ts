import type { RecordPlace } from '../base/errors.ts'
import type { RowProblems } from '../engine/running-query.ts'
import type { GroupAppend } from '../log/log.ts'
import { RecordBatchWriter } from '../log/record-batch.ts'
import type { DataSource } from '../plan/data-source.ts'
import { BIGINT, INTEGER, STRING } from '../plan/sql-type.ts'
import type { QueryDefinition } from './catalog.ts'

/** Where records and rows that queries could not use are told of: one JSON object each. */
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

/** Longer reasons quote something of the record's; an entry must fit where the record itself may not have. */
const REASON_LENGTH_MAX = 1_000

/**
 * Entries for what went wrong with a query's rows, to be appended in the commit that passes over them: of
 * each record that could not be read, and samples of failed expressions (PART `expression`).
 */
export function processingLogEntries(
  queryId: string,
  nowMs: number,
  { unreadable, failures }: RowProblems,
): readonly GroupAppend[] {
  if (unreadable.length === 0 && failures.length === 0) return []
  const writer = new RecordBatchWriter()
  const key = Buffer.from(queryId)
  const add = (place: RecordPlace | null, part: string, reason: string, timestampMs: number): void => {
    const value = Buffer.from(
      JSON.stringify({
        SOURCE_TOPIC: place?.topic ?? null,
        SOURCE_PARTITION: place?.partition ?? null,
        SOURCE_OFFSET: place?.offset ?? null,
        PART: part,
        REASON: reason.length > REASON_LENGTH_MAX ? `${reason.slice(0, REASON_LENGTH_MAX)}…` : reason,
        RECORD_TIME: timestampMs,
      }),
    )
    // Entries carry the record's own time, so that a repeated run writes the same bytes; but not one that
    // would make the entry itself a record nobody can read.
    const isPast = timestampMs >= 0 && timestampMs <= nowMs
    writer.append(isPast ? timestampMs : nowMs, key, 0, key.length, value, 0, value.length, null)
  }
  for (const record of unreadable) add(record, record.part, record.reason, record.timestampMs)
  for (const { place, message, timestampMs } of failures) add(place, 'expression', message, timestampMs)
  return [{ topic: PROCESSING_LOG_TOPIC, partition: 0, batches: writer.finish() }]
}

/**
 * Whether a query reads the processing log, itself or through others. Its own failures are only counted: told
 * of there, they would come back to it for ever.
 */
export function readsProcessingLog(id: string, queries: readonly QueryDefinition[]): boolean {
  const seen = new Set<string>()
  const reads = (query: QueryDefinition): boolean => {
    if (seen.has(query.id)) return false
    seen.add(query.id)
    return query.reads.some(
      (name) =>
        name === PROCESSING_LOG.name || queries.some((other) => other.writes === name && reads(other)),
    )
  }
  return queries.some((query) => query.id === id && reads(query))
}
