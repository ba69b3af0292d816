import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { StorageError } from '../base/errors.ts'

export type CompressionName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** By the number in a batch's attributes. */
export const CODECS: readonly CompressionName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Records of one batch never inflate past this: a small batch must not take all memory. */
export const INFLATED_BYTES_MAX = 256 * 1024 * 1024

type WasmCodecs = typeof import('@platformatic/wasm-utils')

/** Loaded at the first batch that needs it: compiling the WebAssembly takes some 20 ms. */
let wasm: WasmCodecs | undefined
function wasmCodecs(): WasmCodecs {
  wasm ??= process.getBuiltinModule('node:module').createRequire(import.meta.url)(
    '@platformatic/wasm-utils',
  ) as WasmCodecs
  return wasm
}

/** Compresses the records of a batch, framed as Kafka frames them; `codec` is the number for its attributes. */
export function compress(name: CompressionName, records: Uint8Array): { bytes: Uint8Array; codec: number } {
  const codec = CODECS.indexOf(name)
  switch (name) {
    case 'none':
      return { bytes: records, codec }
    case 'gzip':
      return { bytes: gzipSync(records), codec }
    case 'snappy':
      return { bytes: wasmCodecs().snappyCompress(asBuffer(records)), codec }
    case 'lz4':
      return { bytes: wasmCodecs().lz4Compress(asBuffer(records)), codec }
    case 'zstd':
      return { bytes: zstdCompressSync(records), codec }
  }
}

/**
 * Inflates the records of a batch.
 *
 * @throws StorageError `LOG_CORRUPT` if the bytes are not what `codec` writes, or inflate past the limit
 */
export function inflate(codec: number, packed: Uint8Array): Uint8Array {
  const name = CODECS[codec]
  try {
    switch (name) {
      case 'none':
        return packed
      case 'gzip':
        return gunzipSync(packed, { maxOutputLength: INFLATED_BYTES_MAX })
      case 'snappy':
        return inflateSnappy(packed)
      case 'lz4':
        return wasmCodecs().lz4Decompress(asBuffer(packed))
      case 'zstd':
        return zstdDecompressSync(packed, { maxOutputLength: INFLATED_BYTES_MAX })
      case undefined:
        throw new Error(`There is no codec ${codec}.`)
    }
  } catch (cause) {
    throw new StorageError('LOG_CORRUPT', {
      message: `The records of a batch do not inflate with codec ${name ?? codec}.`,
      cause,
    })
  }
}

const XERIAL_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]

/** Java writes blocks behind a 16-byte header (xerial), others one bare block. */
function inflateSnappy(packed: Uint8Array): Uint8Array {
  if (!XERIAL_MAGIC.every((byte, i) => packed[i] === byte)) return inflateBareSnappy(packed)
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const blocks: Uint8Array[] = []
  let size = 0
  for (let at = 16; at < packed.length;) {
    if (at + 4 > packed.length) throw new Error('A snappy block is cut off.')
    const length = view.getInt32(at)
    at += 4
    if (length < 0 || at + length > packed.length) throw new Error('A snappy block is cut off.')
    const block = inflateBareSnappy(packed.subarray(at, at + length))
    size += block.length
    if (size > INFLATED_BYTES_MAX) throw new Error('The records inflate past the limit.')
    blocks.push(block)
    at += length
  }
  const whole = new Uint8Array(size)
  let to = 0
  for (const block of blocks) {
    whole.set(block, to)
    to += block.length
  }
  return whole
}

function inflateBareSnappy(packed: Uint8Array): Uint8Array {
  // The uncompressed length leads, as a plain varint: check it before giving it memory.
  let size = 0
  for (let at = 0, shift = 1; at < 5; at++, shift *= 128) {
    const byte = packed[at] ?? 0
    size += (byte & 0x7f) * shift
    if (byte < 0x80) break
  }
  if (size > INFLATED_BYTES_MAX) throw new Error('The records inflate past the limit.')
  if (size === 0) return new Uint8Array(0)
  return wasmCodecs().snappyDecompress(asBuffer(packed))
}

/** The codecs' types ask for a Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
