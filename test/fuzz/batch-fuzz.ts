import { StorageError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import { openLog } from '../../src/log/open-log.ts'
import { batchCrcHolds, RecordBatchWriter, sealBatch } from '../../src/log/record-batch.ts'
import { walkRecords } from '../../src/log/walk-records.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import type { FuzzOutcome } from './outcome.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** A batch with mutated bytes, its CRC good or not, handed to the reader and, as an append, to the log. */
export async function fuzzBatch(random: Random): Promise<FuzzOutcome> {
  const writer = new RecordBatchWriter({ compression: CODECS[random.below(CODECS.length)]! })
  const count = 1 + random.below(8)
  for (let i = 0; i < count; i++) {
    const value = Buffer.from(`value ${i} `.repeat(1 + random.below(20)))
    writer.append(1000 + i, value, 0, random.below(value.length), value, 0, value.length)
  }
  const bytes = writer.finish()
  for (let edits = 1 + random.below(4); edits > 0; edits--)
    bytes[random.below(bytes.length)] = random.below(256)
  const cut = random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes
  // What is sealed again gets past the CRC: only the reader's own checks are left.
  if (cut.length > 61 && random.below(2) === 0) sealBatch(cut, 0, cut.length)
  let outcome: FuzzOutcome = { kind: 'accepted', detail: '' }
  try {
    const columns = walkRecords(cut, 0)
    for (let row = 0; row < columns.count; row++) {
      const inside = (start: number, end: number): boolean =>
        start === -1 || (start >= 0 && start <= end && end <= columns.bytes.length)
      if (
        !inside(columns.keyStarts[row]!, columns.keyEnds[row]!) ||
        !inside(columns.valueStarts[row]!, columns.valueEnds[row]!)
      ) {
        return { kind: 'wrong', detail: `record ${row} lies outside its batch` }
      }
    }
  } catch (error) {
    if (!(error instanceof StorageError)) return thrown('walkRecords', error)
    outcome = { kind: 'refused', detail: error.code }
  }
  // Committers are of this house and seal what they hand over; the log does not compute their CRCs again.
  const length = cut.length > 12 ? 12 + new DataView(cut.buffer, cut.byteOffset).getInt32(8) : 0
  if (length !== cut.length || length < 61 || !batchCrcHolds(cut, 0, length)) return outcome
  const log = await openLog({
    directory: '/data',
    fileSystem: new MemoryFileSystem(),
    journalBytesMax: 1 << 20,
  })
  try {
    await log.createTopic('t', { partitions: 1 })
    const owner = await log.claim('w')
    const answer = await log.commit({
      owner,
      appends: [{ topic: 't', partition: 0, batches: cut }],
      offsets: [],
    })
    // What the log took, it can read again.
    if (answer.kind === 'committed') {
      const end = log.ends('t', 0).lastStable
      for (let offset = 0; offset < end;) {
        const slice = await log.read('t', 0, offset, 1 << 16)
        if (slice.nextOffset <= offset)
          return { kind: 'wrong', detail: `nothing comes at offset ${offset} of ${end}` }
        offset = slice.nextOffset
      }
    }
  } catch (error) {
    if (!(error instanceof StorageError)) return thrown('the log', error)
    if (log.health().state !== 'open') return { kind: 'wrong', detail: `the log is ${log.health().state}` }
    if (error.code === 'LOG_CORRUPT')
      return { kind: 'wrong', detail: `taken and not readable: ${error.message}` }
    outcome = { kind: 'refused', detail: error.code }
  } finally {
    await log.close()
  }
  return outcome
}

function thrown(where: string, error: unknown): FuzzOutcome {
  return {
    kind: 'wrong',
    detail: `${where} threw ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
  }
}
