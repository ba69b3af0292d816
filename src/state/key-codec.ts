import Big from 'big.js'
import { assert, unreachable } from '../base/assert.ts'
import { canonicalBigint, type Row, type SqlValue } from '../plan/sql-value.ts'
import { printType, type SqlType } from '../plan/sql-type.ts'
import { readBinary } from './codec-bytes.ts'
import type { StoreKey } from './store.ts'

/*
 * Keys as bytes whose order is the order of the rows, column by column, nulls first.
 *
 *   one STRING column         its UTF-8 bytes as they are; null: FF, which UTF-8 never contains (so it
 *                             sorts last: the one exception)
 *   one fixed-size column     its bytes; null: no bytes
 *   anything else             per column 00 (null) or 01 and its bytes
 *
 *   BOOLEAN                   00, 01
 *   INTEGER, BIGINT, DATE,    8 bytes, two's complement, big-endian, sign bit flipped
 *   TIME, TIMESTAMP
 *   DOUBLE                    8 bytes, big-endian; positive: sign bit flipped, negative: all bits
 *   STRING, BYTES             00 as 00 FF, ended by 00 00
 *   DECIMAL                   80 ± length of the magnitude, magnitude of the unscaled number (negative: complemented)
 *   ARRAY                     per element 01 and the element as a column, ended by 00
 *   STRUCT                    its fields as columns
 *   MAP                       an array of key and value, ordered by the keys' bytes
 */

/** Rows of key columns ↔ store keys. Both directions are exact; equal rows, and only those, have equal keys. */
export class KeyCodec {
  readonly types: readonly SqlType[]
  /** Changes whenever the encoding of some row changes. */
  readonly fingerprint: string
  readonly #form: 'text' | 'fixed' | 'columns'

  constructor(types: readonly SqlType[]) {
    this.types = types
    this.fingerprint = `key1(${types.map(printType).join(', ')})`
    const only = types.length === 1 ? types[0]!.kind : null
    this.#form = only === 'STRING' ? 'text' : only !== null && isFixedSize(only) ? 'fixed' : 'columns'
  }

  /** @param row one value per key column */
  encode(row: Row): StoreKey {
    assert(row.length === this.types.length, 'a key has one value per key column')
    switch (this.#form) {
      case 'text':
        return row[0] === null ? '\xff' : textToBinary(row[0] as string)
      case 'fixed':
        return row[0] === null ? '' : encodeValue(this.types[0]!, row[0]!)
      case 'columns':
        return encodeColumns(this.types, row)
      default:
        return unreachable(this.#form)
    }
  }

  decode(key: StoreKey): Row {
    switch (this.#form) {
      case 'text':
        return [key === '\xff' ? null : binaryToText(key)]
      case 'fixed':
        return [key === '' ? null : decodeValue(this.types[0]!, { key, at: 0 })]
      case 'columns': {
        const from = { key, at: 0 }
        const row = this.types.map((type) => decodeColumn(type, from))
        assert(from.at === key.length, 'a key ends after its last column')
        return row
      }
      default:
        return unreachable(this.#form)
    }
  }

  toBytes(key: StoreKey): Uint8Array {
    return Uint8Array.from(Buffer.from(key, 'latin1'))
  }

  fromBytes(bytes: Uint8Array, start = 0, end = bytes.length): StoreKey {
    return readBinary(bytes, start, end)
  }
}

/** The first key that doesn't start with `prefix`, or null if there is none: an open end. */
export function afterPrefix(prefix: StoreKey): StoreKey | null {
  let length = prefix.length
  while (length > 0 && prefix.charCodeAt(length - 1) === 255) length--
  if (length === 0) return null
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1)
}

/** The first key after `key`: the exclusive end of a range that includes it. */
export function afterKey(key: StoreKey): StoreKey {
  return `${key}\0`
}

/** A whole number, |value| ≤ 2^53, as 8 bytes in numeric order. Times of windows and sessions use it. */
export function encodeWhole(value: number): string {
  const high = Math.floor(value / 0x100000000)
  return word((high ^ 0x80000000) >>> 0) + word(value - high * 0x100000000)
}

export function decodeWhole(key: string, at = 0): number {
  return ((readWord(key, at) ^ 0x80000000) | 0) * 0x100000000 + readWord(key, at + 4)
}

/** `text` so that no other escaped text is its prefix, in the order of the plain ones. */
export function escapeBinary(text: string): string {
  return `${text.includes('\0') ? text.replaceAll('\0', '\0\xff') : text}\0\0`
}

interface KeyReader {
  readonly key: string
  at: number
}

function isFixedSize(kind: SqlType['kind']): boolean {
  return (
    kind === 'BOOLEAN' ||
    kind === 'INTEGER' ||
    kind === 'BIGINT' ||
    kind === 'DOUBLE' ||
    kind === 'DATE' ||
    kind === 'TIME' ||
    kind === 'TIMESTAMP'
  )
}

function encodeColumns(types: readonly SqlType[], row: Row): string {
  let key = ''
  for (let i = 0; i < types.length; i++) key += encodeColumn(types[i]!, row[i]!)
  return key
}

function encodeColumn(type: SqlType, value: SqlValue): string {
  return value === null ? '\x00' : `\x01${encodeValue(type, value)}`
}

function decodeColumn(type: SqlType, from: KeyReader): SqlValue {
  return from.key.charCodeAt(from.at++) === 0 ? null : decodeValue(type, from)
}

function encodeValue(type: SqlType, value: Exclude<SqlValue, null>): string {
  switch (type.kind) {
    case 'BOOLEAN':
      return value === true ? '\x01' : '\x00'
    case 'INTEGER':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
      return encodeWhole(value as number)
    case 'BIGINT':
      return typeof value === 'bigint' ? encodeLong(value) : encodeWhole(value as number)
    case 'DOUBLE':
      return encodeDouble(value as number)
    case 'STRING':
      return escapeBinary(textToBinary(value as string))
    case 'BYTES': {
      const bytes = value as Uint8Array
      return escapeBinary(readBinary(bytes, 0, bytes.length))
    }
    case 'DECIMAL':
      return encodeDecimal(value as Big, type.scale)
    case 'ARRAY':
      return `${(value as readonly SqlValue[]).map((e) => `\x01${encodeColumn(type.element, e)}`).join('')}\0`
    case 'STRUCT':
      return encodeColumns(
        type.fields.map((f) => f.type),
        value as Row,
      )
    case 'MAP':
      return `${[...(value as ReadonlyMap<SqlValue, SqlValue>)]
        .map(([k, v]) => `\x01${encodeColumn(type.key, k)}${encodeColumn(type.value, v)}`)
        .sort((a, b) => (a < b ? -1 : 1))
        .join('')}\0`
    default:
      return unreachable(type)
  }
}

function decodeValue(type: SqlType, from: KeyReader): SqlValue {
  switch (type.kind) {
    case 'BOOLEAN':
      return from.key.charCodeAt(from.at++) === 1
    case 'INTEGER':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
      from.at += 8
      return decodeWhole(from.key, from.at - 8)
    case 'BIGINT':
      from.at += 8
      return decodeLong(from.key, from.at - 8)
    case 'DOUBLE':
      from.at += 8
      return decodeDouble(from.key, from.at - 8)
    case 'STRING':
      return binaryToText(unescapeBinary(from))
    case 'BYTES':
      return Uint8Array.from(Buffer.from(unescapeBinary(from), 'latin1'))
    case 'DECIMAL':
      return decodeDecimal(from, type.scale)
    case 'ARRAY': {
      const elements: SqlValue[] = []
      while (from.key.charCodeAt(from.at++) === 1) elements.push(decodeColumn(type.element, from))
      return elements
    }
    case 'STRUCT':
      return type.fields.map((f) => decodeColumn(f.type, from))
    case 'MAP': {
      const map = new Map<SqlValue, SqlValue>()
      while (from.key.charCodeAt(from.at++) === 1) {
        const key = decodeColumn(type.key, from)
        map.set(key, decodeColumn(type.value, from))
      }
      return map
    }
    default:
      return unreachable(type)
  }
}

/** The UTF-8 bytes of `text` as a binary string: ASCII is itself. */
function textToBinary(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 127) return Buffer.from(text, 'utf8').toString('latin1')
  }
  return text
}

function binaryToText(binary: string): string {
  for (let i = 0; i < binary.length; i++) {
    if (binary.charCodeAt(i) > 127) return Buffer.from(binary, 'latin1').toString('utf8')
  }
  return binary
}

function unescapeBinary(from: KeyReader): string {
  const { key } = from
  let binary = ''
  for (;;) {
    const zero = key.indexOf('\0', from.at)
    assert(zero >= 0, 'a text of a key is terminated')
    binary += key.slice(from.at, zero)
    from.at = zero + 2
    if (key.charCodeAt(zero + 1) === 0) return binary
    binary += '\0'
  }
}

function word(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

function readWord(key: string, at: number): number {
  return (
    ((key.charCodeAt(at) << 24) |
      (key.charCodeAt(at + 1) << 16) |
      (key.charCodeAt(at + 2) << 8) |
      key.charCodeAt(at + 3)) >>>
    0
  )
}

function encodeLong(value: bigint): string {
  const bits = BigInt.asUintN(64, value) ^ (1n << 63n)
  return word(Number(bits >> 32n)) + word(Number(bits & 0xffffffffn))
}

function decodeLong(key: string, at: number): number | bigint {
  const high = (readWord(key, at) ^ 0x80000000) | 0
  const low = readWord(key, at + 4)
  const value = high * 0x100000000 + low
  if (Number.isSafeInteger(value)) return value
  return canonicalBigint((BigInt(high) << 32n) | BigInt(low))
}

const float64 = new Float64Array(1)
const float64Words = new Uint32Array(float64.buffer)
/** Index of the word that holds the sign. */
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0

function encodeDouble(value: number): string {
  float64[0] = value
  const high = float64Words[HIGH]!
  const low = float64Words[1 - HIGH]!
  return high >>> 31 === 1 && !Number.isNaN(value)
    ? word(~high >>> 0) + word(~low >>> 0)
    : word((high | 0x80000000) >>> 0) + word(low)
}

function decodeDouble(key: string, at: number): number {
  const high = readWord(key, at)
  const low = readWord(key, at + 4)
  const positive = high >>> 31 === 1
  float64Words[HIGH] = positive ? high & 0x7fffffff : ~high
  float64Words[1 - HIGH] = positive ? low : ~low
  return float64[0]!
}

function encodeDecimal(value: Big, scale: number): string {
  const unscaled = BigInt(value.times(new Big(10).pow(scale)).toFixed(0))
  if (unscaled === 0n) return '\x80'
  let hex = (unscaled < 0n ? -unscaled : unscaled).toString(16)
  if (hex.length % 2 === 1) hex = `0${hex}`
  const magnitude = Buffer.from(hex, 'hex')
  if (unscaled > 0n) return String.fromCharCode(0x80 + magnitude.length) + magnitude.toString('latin1')
  for (let i = 0; i < magnitude.length; i++) magnitude[i] = 255 - magnitude[i]!
  return String.fromCharCode(0x80 - magnitude.length) + magnitude.toString('latin1')
}

function decodeDecimal(from: KeyReader, scale: number): Big {
  const length = from.key.charCodeAt(from.at++) - 0x80
  if (length === 0) return new Big(0)
  const end = from.at + Math.abs(length)
  const magnitude = Buffer.from(from.key.slice(from.at, end), 'latin1')
  from.at = end
  if (length < 0) for (let i = 0; i < magnitude.length; i++) magnitude[i] = 255 - magnitude[i]!
  const unscaled = BigInt(`0x${magnitude.toString('hex')}`)
  return new Big((length < 0 ? -unscaled : unscaled).toString()).div(new Big(10).pow(scale))
}
