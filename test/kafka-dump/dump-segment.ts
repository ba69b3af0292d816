import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { CODECS } from '../../src/log/compression.ts'
import { readControlType } from '../../src/log/control-batch.ts'
import {
  AT_ATTRIBUTES,
  AT_BASE_SEQUENCE,
  AT_BASE_TIMESTAMP,
  AT_BATCH_LENGTH,
  AT_CRC,
  AT_LAST_OFFSET_DELTA,
  AT_LEADER_EPOCH,
  AT_MAX_TIMESTAMP,
  AT_PRODUCER_EPOCH,
  AT_PRODUCER_ID,
  AT_RECORD_COUNT,
  BATCH_HEADER_BYTES,
  batchCrcHolds,
  CODEC_MASK,
  CONTROL,
  DELETE_HORIZON,
  LOG_APPEND_TIME,
  readI16,
  readI32,
  readI64,
  readU32,
  TRANSACTIONAL,
} from '../../src/log/record-batch.ts'
import { walkRecords } from '../../src/log/walk-records.ts'

/** What Kafka's `DumpLogSegments --deep-iteration --print-data-log` says of a file, by our own readers. */
export async function dumpFile(path: string): Promise<string[]> {
  const bytes = new Uint8Array(await readFile(path))
  const base = parseInt(basename(path), 10)
  if (path.endsWith('.log')) return [`Log starting offset: ${base}`, ...dumpSegment(bytes)]
  const lines: string[] = []
  if (path.endsWith('.timeindex')) {
    for (let at = 0; at < bytes.length; at += 12) {
      lines.push(`timestamp: ${readI64(bytes, at)} offset: ${base + readI32(bytes, at + 8)}`)
    }
  } else {
    for (let at = 0; at < bytes.length; at += 8) {
      lines.push(`offset: ${base + readI32(bytes, at)} position: ${readI32(bytes, at + 4)}`)
    }
  }
  return lines.length === 0 ? [`${path} is empty.`] : lines
}

function dumpSegment(bytes: Uint8Array): string[] {
  const lines: string[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 12 + readI32(bytes, at + AT_BATCH_LENGTH)
    const attributes = readI16(bytes, at + AT_ATTRIBUTES)
    const base = readI64(bytes, at)
    const baseSequence = readI32(bytes, at + AT_BASE_SEQUENCE)
    const lastDelta = readI32(bytes, at + AT_LAST_OFFSET_DELTA)
    const control = (attributes & CONTROL) !== 0
    const time = (attributes & LOG_APPEND_TIME) === 0 ? 'CreateTime' : 'LogAppendTime'
    const horizon =
      (attributes & DELETE_HORIZON) === 0 ? '.empty' : `[${readI64(bytes, at + AT_BASE_TIMESTAMP)}]`
    lines.push(
      `baseOffset: ${base} lastOffset: ${base + lastDelta} count: ${readI32(bytes, at + AT_RECORD_COUNT)} ` +
        `baseSequence: ${baseSequence} lastSequence: ${baseSequence < 0 ? -1 : baseSequence + lastDelta} ` +
        `producerId: ${readI64(bytes, at + AT_PRODUCER_ID)} producerEpoch: ${readI16(bytes, at + AT_PRODUCER_EPOCH)} ` +
        `partitionLeaderEpoch: ${readI32(bytes, at + AT_LEADER_EPOCH)} ` +
        `isTransactional: ${(attributes & TRANSACTIONAL) !== 0} isControl: ${control} ` +
        `deleteHorizonMs: OptionalLong${horizon} position: ${at} ${time}: ${readI64(bytes, at + AT_MAX_TIMESTAMP)} ` +
        `size: ${end - at} magic: 2 compresscodec: ${CODECS[attributes & CODEC_MASK]} ` +
        `crc: ${readU32(bytes, at + AT_CRC)} isvalid: ${batchCrcHolds(bytes, at, end)}`,
    )
    if (control) {
      const type = readControlType(bytes, at + BATCH_HEADER_BYTES)
      // The coordinator's epoch ends the value, which a zero header count follows.
      lines.push(
        `| offset: ${base} ${time}: ${readI64(bytes, at + AT_MAX_TIMESTAMP)} keySize: 4 valueSize: 6 ` +
          `sequence: -1 headerKeys: [] endTxnMarker: ${String(type).toUpperCase()} coordinatorEpoch: ${readI32(bytes, end - 5)}`,
      )
    }
    const records = walkRecords(bytes.subarray(at, end), 0)
    const part = (start: number, stop: number): string =>
      Buffer.from(records.bytes.subarray(start, stop)).toString()
    for (let i = 0; i < records.count; i++) {
      const [keyStart, keyEnd] = [records.keyStarts[i]!, records.keyEnds[i]!]
      const [valueStart, valueEnd] = [records.valueStarts[i]!, records.valueEnds[i]!]
      const offset = records.offsets[i]!
      const headers = (records.headers?.[i] ?? []).map(({ key }) => key).join(',')
      lines.push(
        `| offset: ${offset} ${time}: ${records.timestamps[i]} keySize: ${keyStart < 0 ? -1 : keyEnd - keyStart} ` +
          `valueSize: ${valueStart < 0 ? -1 : valueEnd - valueStart} ` +
          `sequence: ${baseSequence < 0 ? -1 : baseSequence + offset - base} headerKeys: [${headers}]` +
          (keyStart < 0 ? '' : ` key: ${part(keyStart, keyEnd)}`) +
          (valueStart < 0 ? '' : ` payload: ${part(valueStart, valueEnd)}`),
      )
    }
    at = end
  }
  return lines
}
