import { assert } from '../base/assert.ts'
import type { CodecWriter } from './store.ts'

/** A growing buffer for codecs. `bytes` may be another array after {@link reserve}. */
export class CodecBuffer implements CodecWriter {
  bytes: Uint8Array
  length = 0

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity)
  }

  reserve(extra: number): void {
    if (this.length + extra <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + extra))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  clear(): void {
    this.length = 0
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }
}

/** A place in encoded bytes that moves on as shapes read. Reading past `end` is damage the checksum missed: our bug. */
export class CodecReader {
  bytes: Uint8Array
  at: number
  end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  /** Makes this reader one of other bytes: a codec keeps one reader for all its values. */
  reset(bytes: Uint8Array, start: number, end: number): this {
    this.bytes = bytes
    this.at = start
    this.end = end
    return this
  }

  byte(): number {
    assert(this.at < this.end, 'an encoded value ends where its shape ends')
    return this.bytes[this.at++]!
  }
}

const float64 = new Float64Array(1)
const float64Bytes = new Uint8Array(float64.buffer)

export function writeByte(into: CodecWriter, value: number): void {
  into.reserve(1)
  into.bytes[into.length++] = value
}

/** IEEE 754, little-endian. */
export function writeDouble(into: CodecWriter, value: number): void {
  into.reserve(8)
  float64[0] = value
  const { bytes } = into
  const at = into.length
  for (let i = 0; i < 8; i++) bytes[at + i] = float64Bytes[i]!
  into.length = at + 8
}

export function readDouble(from: CodecReader): number {
  assert(from.at + 8 <= from.end, 'an encoded value ends where its shape ends')
  const { bytes, at } = from
  for (let i = 0; i < 8; i++) float64Bytes[i] = bytes[at + i]!
  from.at = at + 8
  return float64[0]!
}

/** Base-128, low groups first; `value` is a whole number from 0 to 2^53 − 1. */
export function writeVarint(into: CodecWriter, value: number): void {
  into.reserve(8)
  const { bytes } = into
  let at = into.length
  let rest = value
  while (rest > 0x7fffffff) {
    bytes[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest > 127) {
    bytes[at++] = (rest & 127) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  into.length = at
}

export function readVarint(from: CodecReader): number {
  let byte = from.byte()
  if (byte < 128) return byte
  let value = byte & 127
  let factor = 128
  do {
    byte = from.byte()
    value += (byte & 127) * factor
    factor *= 128
  } while (byte > 127)
  return value
}

/** A whole number of either sign, |value| < 2^52: small ones take one byte. */
export function writeSignedVarint(into: CodecWriter, value: number): void {
  writeVarint(into, value < 0 ? -2 * value - 1 : 2 * value)
}

export function readSignedVarint(from: CodecReader): number {
  const folded = readVarint(from)
  return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2
}

const textEncoder = new TextEncoder()
const textDecoder = new TextDecoder()

/** Byte length, then UTF-8; unpaired surrogates become U+FFFD. */
export function writeText(into: CodecWriter, text: string): void {
  const units = text.length
  if (units < 64) {
    into.reserve(units + 1)
    const { bytes } = into
    const at = into.length + 1
    let i = 0
    for (; i < units; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 127) break
      bytes[at + i] = unit
    }
    if (i === units) {
      bytes[at - 1] = units
      into.length = at + units
      return
    }
  }
  const encoded = textEncoder.encode(text)
  writeVarint(into, encoded.length)
  into.reserve(encoded.length)
  into.bytes.set(encoded, into.length)
  into.length += encoded.length
}

export function readText(from: CodecReader): string {
  const length = readVarint(from)
  const start = from.at
  const end = start + length
  assert(end <= from.end, 'an encoded value ends where its shape ends')
  from.at = end
  const { bytes } = from
  if (length < 24) {
    let text = ''
    let at = start
    for (; at < end; at++) {
      const byte = bytes[at]!
      if (byte > 127) break
      text += String.fromCharCode(byte)
    }
    if (at === end) return text
  }
  return textDecoder.decode(bytes.subarray(start, end))
}

/** Length, then the bytes. */
export function writeBytes(into: CodecWriter, value: Uint8Array): void {
  writeVarint(into, value.length)
  into.reserve(value.length)
  into.bytes.set(value, into.length)
  into.length += value.length
}

export function readBytes(from: CodecReader): Uint8Array {
  const length = readVarint(from)
  const start = from.at
  assert(start + length <= from.end, 'an encoded value ends where its shape ends')
  from.at = start + length
  return from.bytes.slice(start, start + length)
}

/** The bytes of a binary string (one unit, one byte), without its length. */
export function writeBinary(into: CodecWriter, binary: string): void {
  const { length } = binary
  into.reserve(length)
  const { bytes } = into
  const at = into.length
  for (let i = 0; i < length; i++) bytes[at + i] = binary.charCodeAt(i)
  into.length = at + length
}

/** The binary string of bytes: what {@link writeBinary} wrote. */
export function readBinary(bytes: Uint8Array, start: number, end: number): string {
  if (end - start < 24) {
    let binary = ''
    for (let at = start; at < end; at++) binary += String.fromCharCode(bytes[at]!)
    return binary
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
