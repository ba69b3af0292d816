import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { InputError, readRecords } from '../../src/cli/input-records.ts'
import type { ConsumedRecord, NewRecord } from '../../src/index.ts'

/** A reading of a recorded file, ready to be produced. */
export interface RecordedReading extends NewRecord {
  readonly key: string | null
  readonly value: string
  readonly timestampMs: number
}

/**
 * All rows of a CSV file as records, in the order of the file. The file is held in memory: it has to be
 * seen whole before it can be put in order of time.
 *
 * @param options.key        column that becomes the record's key
 * @param options.timestamp  column that holds the time: epoch ms or ISO 8601
 * @throws InputError for a missing file or column, or a row that cannot be read
 */
export async function readRecording(
  file: string,
  options: { readonly key: string; readonly timestamp: string },
): Promise<RecordedReading[]> {
  const found = await stat(file).catch(() => null)
  if (found === null) throw new InputError('INPUT_MISSING', { message: `There is no file ${file}.` })
  if (!found.isFile()) throw new InputError('INPUT_MISSING', { message: `${file} is not a file.` })
  const readings: RecordedReading[] = []
  for await (const record of readRecords(createReadStream(file), { format: 'csv', ...options })) {
    readings.push(record as RecordedReading) // with key and timestamp given, CSV records are of this shape
  }
  return readings
}

/** In order of event time; rows of the same time stay in the order of the file. */
export function inEventTimeOrder(readings: readonly RecordedReading[]): RecordedReading[] {
  return readings.toSorted((a, b) => a.timestampMs - b.timestampMs)
}

/**
 * What of a recording is not in its topic yet. An interrupted replay has written, of each key, the first
 * so many records (those of a key are written in order), so the rest of each key is still to come.
 *
 * @param readings  in the order they are written
 * @param written   all records of the topic, within a key in order
 * @throws InputError `INPUT_OTHER_RECORDING` when the topic holds something else
 */
export async function notYetWritten(
  readings: readonly RecordedReading[],
  written: AsyncIterable<Pick<ConsumedRecord, 'key' | 'value' | 'timestampMs'>>,
): Promise<RecordedReading[]> {
  const there = new Map<string | null, Digest>()
  for await (const { key, value, timestampMs } of written) {
    const name = key === null ? null : Buffer.from(key).toString()
    digestOf(there, name).add(timestampMs, value ?? new Uint8Array())
  }
  if (there.size === 0) return [...readings]
  const again = new Map<string | null, Digest>()
  const left: RecordedReading[] = []
  for (const reading of readings) {
    const known = there.get(reading.key)
    const mine = digestOf(again, reading.key)
    // Records without a key go to any partition, so that nobody can tell in which order they were written.
    if (known === undefined || mine.count === known.count) left.push(reading)
    else mine.add(reading.timestampMs, reading.key === null ? new Uint8Array() : reading.value)
  }
  for (const [key, known] of there) {
    const mine = again.get(key)
    if (mine?.count === known.count && (key === null || mine.text() === known.text())) continue
    throw new InputError('INPUT_OTHER_RECORDING', {
      message: 'The data directory holds another recording than this file.',
      hint: 'Name another one with --data-dir, or empty it with --fresh.',
    })
  }
  return left
}

/** How many records, and which. */
class Digest {
  count = 0
  readonly #hash: Hash = createHash('sha1')

  add(timestampMs: number, value: Uint8Array | string): void {
    this.count++
    this.#hash.update(`${timestampMs} `).update(value).update('\n')
  }

  text(): string {
    return this.#hash.copy().digest('hex')
  }
}

function digestOf(digests: Map<string | null, Digest>, key: string | null): Digest {
  let digest = digests.get(key)
  if (digest === undefined) digests.set(key, (digest = new Digest()))
  return digest
}
