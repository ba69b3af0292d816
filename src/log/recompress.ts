import { CODECS, compress, inflate } from './compression.ts'
import {
  AT_ATTRIBUTES,
  AT_BATCH_LENGTH,
  BATCH_HEADER_BYTES,
  CODEC_MASK,
  readI16,
  readI32,
  sealBatch,
  writeI16,
  writeI32,
} from './record-batch.ts'
import { setting } from './topic-config.ts'

/**
 * Whole record batches as a topic with these settings stores them: as they came, unless `compression.type`
 * asks for another codec than theirs.
 */
export function recompressed(batches: Uint8Array, config: Readonly<Record<string, string>>): Uint8Array {
  const type = setting(config, 'compression.type')
  if (type === 'producer') return batches
  const codec = type === 'uncompressed' ? 0 : CODECS.indexOf(type as (typeof CODECS)[number])
  const parts: Uint8Array[] = []
  let changed = false
  for (let at = 0; at < batches.length;) {
    const end = at + 12 + readI32(batches, at + AT_BATCH_LENGTH)
    const batch = batches.subarray(at, end)
    const other = (readI16(batch, AT_ATTRIBUTES) & CODEC_MASK) === codec ? batch : withCodec(batch, codec)
    changed ||= other !== batch
    parts.push(other)
    at = end
  }
  return changed ? Buffer.concat(parts) : batches
}

/** The batch under another codec; itself where compression does not pay. */
function withCodec(batch: Uint8Array, codec: number): Uint8Array {
  const attributes = readI16(batch, AT_ATTRIBUTES)
  const plain = inflate(attributes & CODEC_MASK, batch.subarray(BATCH_HEADER_BYTES))
  const packed = compress(CODECS[codec]!, plain).bytes
  const pays = packed.length < plain.length
  if (!pays && (attributes & CODEC_MASK) === 0) return batch
  const records = pays ? packed : plain
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + records.length)
  bytes.set(batch.subarray(0, BATCH_HEADER_BYTES))
  bytes.set(records, BATCH_HEADER_BYTES)
  writeI32(bytes, AT_BATCH_LENGTH, bytes.length - 12)
  writeI16(bytes, AT_ATTRIBUTES, (attributes & ~CODEC_MASK) | (pays ? codec : 0))
  sealBatch(bytes, 0, bytes.length)
  return bytes
}
