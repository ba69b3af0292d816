import { canonicalBigint } from '../../plan/sql-value.ts'
import { WireMismatch } from '../wire-coercion.ts'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** A text of up to so many bytes is faster put together byte by byte. */
const SHORT = 24

function textAt(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT) return utf8.decode(bytes.subarray(start, end))
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte > 127) return utf8.decode(bytes.subarray(start, end))
    text += String.fromCharCode(byte)
  }
  return text
}

/**
 * Reads Avro's binary encoding. The library's own reader goes on past the end of a damaged record, for as many
 * elements as its bytes claim there are; this one stops there, and gives 64-bit integers exactly.
 */
export class AvroCursor {
  #bytes: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(this.#bytes.buffer)
  #at = 0
  #end = 0

  /**
   * Goes to another record. A new cursor per record would cost more than to read it.
   *
   * @param end  exclusive
   */
  reset(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.#at = start
    this.#end = end
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#end - this.#at
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!
  }

  /** A zigzag varint of up to 64 bits, in canonical form. */
  long(): number | bigint {
    // One byte is the most frequent: branches of unions, small numbers, lengths.
    const first = this.byte()
    if (first < 128) return (first >>> 1) ^ -(first & 1)
    this.#at--
    let value = 0
    let factor = 1
    for (let i = 0; i < 7; i++) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      factor *= 128
    }
    let wide = BigInt(value)
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte()
      wide |= BigInt(byte & 127) << shift
      if (byte < 128) return canonicalBigint((wide >> 1n) ^ -(wide & 1n))
    }
    throw new WireMismatch('A number of the record has more than 64 bits')
  }

  int(): number {
    const value = this.long()
    if (typeof value === 'number' && value === (value | 0)) return value
    throw new WireMismatch(`The record has ${value} where 32 bits are`)
  }

  float(): number {
    return this.#view.getFloat32(this.#take(4), true)
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8), true)
  }

  text(): string {
    const length = this.#length()
    const start = this.#take(length)
    return textAt(this.#bytes, start, start + length)
  }

  /** A copy of so many bytes; by default of as many as the record says. */
  bytes(length = this.#length()): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.slice(start, start + length)
  }

  /** Calls `item` for each element of a list or map, which comes in blocks. */
  blocks(item: () => void): void {
    for (;;) {
      let count = this.long()
      if (count === 0) return
      if (count < 0) {
        count = -count
        this.long() // the block's size in bytes, for those who skip it
      }
      if (typeof count === 'bigint' || count > this.left) {
        throw new WireMismatch(`The record has ${this.left} more bytes, too few for ${count} elements`)
      }
      for (let i = 0; i < count; i++) item()
    }
  }

  #length(): number {
    const length = this.long()
    if (typeof length === 'number' && length >= 0) return length
    throw new WireMismatch(`The record has a text or bytes of length ${length}`)
  }

  #take(length: number): number {
    const start = this.#at
    if (length > this.#end - start) throw new WireMismatch('The record ends before its Avro data does')
    this.#at = start + length
    return start
  }
}
