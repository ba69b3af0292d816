import { StorageError } from '../base/errors.ts'
import type { SchemaLanguage, SchemaReference } from '../formats/schema-registry.ts'
import type { Log } from '../log/log.ts'
import { RecordBatchWriter } from '../log/record-batch.ts'
import { walkRecords } from '../log/walk-records.ts'
import type { StoredSchema } from './embedded-schema-registry.ts'

/** Where the embedded registry is kept: a compacted topic of one partition; key: subject and version. */
export const SCHEMAS_TOPIC = '_millrace-schemas'

interface StoredKey {
  readonly subject: string
  readonly version: number
}

/** Of the stored form, which is not the version of a subject. */
const FORM = 1

interface StoredValue {
  readonly form: number
  readonly id: number
  readonly language: SchemaLanguage
  readonly schema: string
  readonly references: readonly SchemaReference[]
  readonly deleted: boolean
}

/** Record batches that hold `changes`, for one append to the schemas' topic. */
export function encodeSchemas(changes: readonly StoredSchema[], timestampMs: number): Uint8Array {
  const writer = new RecordBatchWriter()
  for (const { subject, version, schema, deleted } of changes) {
    const key: StoredKey = { subject, version }
    const { id, language, text, references } = schema
    const stored: StoredValue = { form: FORM, id, language, schema: text, references, deleted }
    const keyBytes = Buffer.from(JSON.stringify(key))
    const value = Buffer.from(JSON.stringify(stored))
    writer.append(timestampMs, keyBytes, 0, keyBytes.length, value, 0, value.length, null)
  }
  return writer.finish()
}

/**
 * All schemas that were ever registered and not compacted away, oldest first.
 *
 * @throws StorageError `SCHEMA_UNREADABLE`
 */
export async function readSchemas(log: Log): Promise<readonly StoredSchema[]> {
  const changes: StoredSchema[] = []
  if (log.topic(SCHEMAS_TOPIC) === undefined) return changes
  const ends = log.ends(SCHEMAS_TOPIC, 0)
  for (let offset = ends.logStart; offset < ends.lastStable;) {
    const slice = await log.read(SCHEMAS_TOPIC, 0, offset, 1 << 20)
    const records = walkRecords(slice.bytes, offset, slice.aborted)
    for (let row = 0; row < records.count; row++) {
      const text = (start: number, end: number): string =>
        Buffer.from(records.bytes.subarray(start, end)).toString()
      changes.push(
        restored(
          text(records.keyStarts[row]!, records.keyEnds[row]!),
          text(records.valueStarts[row]!, records.valueEnds[row]!),
        ),
      )
    }
    if (slice.nextOffset <= offset) break
    offset = slice.nextOffset
  }
  return changes
}

function restored(keyText: string, valueText: string): StoredSchema {
  try {
    // Written by `encodeSchemas`; the log's checksums vouch for the bytes.
    const { subject, version } = JSON.parse(keyText) as StoredKey
    const { form, id, language, schema: text, references, deleted } = JSON.parse(valueText) as StoredValue
    if (form !== FORM) throw new Error(`It has form ${form}; this version reads ${FORM}.`)
    return { subject, version, schema: { id, language, text, references }, deleted }
  } catch (cause) {
    throw new StorageError('SCHEMA_UNREADABLE', {
      message: `The stored schema ${keyText} cannot be read: ${(cause as Error).message}`,
      hint: 'Open the directory with the version of Millrace that wrote it.',
      cause,
    })
  }
}
