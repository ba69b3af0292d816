import type { RecordPlace } from '../base/errors.ts'
import type { Batch } from './batch.ts'

/** Where a batch's row came from in the log; null: it was made by a join or an aggregation. */
export function placeOf(batch: Batch, row: number): RecordPlace | null {
  const { origin } = batch
  return origin === null
    ? null
    : { topic: origin.topic, partition: origin.partition, offset: origin.offsets[row]! }
}

/** For a message: `the record at topic t, partition 0, offset 7`, or as much as is known of the row. */
export function placeText(place: RecordPlace | null, timestampMs: number): string {
  return place === null
    ? `the row of event time ${timestampMs}`
    : `the record at topic ${place.topic}, partition ${place.partition}, offset ${place.offset}`
}
