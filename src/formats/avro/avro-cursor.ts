import { canonicalBigint } from '../../plan/sql-value.ts'
import { WireMismatch } from '../wire-coercion.ts'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Reads Avro's binary encoding. The library's own reader goes on past the end of a damaged record, for as many
 * elements as its bytes claim there are; this one stops there, and gives 64-bit integers exactly.
 */
export class AvroCursor {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at: number
  readonly #end: number

  /** @param end  exclusive */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
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
    return utf8.decode(this.#bytes.subarray(start, start + length))
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
