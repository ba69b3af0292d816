import Big from 'big.js'
import { assert, unreachable } from '../base/assert.ts'
import { printType, type SqlType } from '../plan/sql-type.ts'
import { canonicalBigint, type Row, type SqlValue } from '../plan/sql-value.ts'
import {
  CodecReader,
  readBytes,
  readDouble,
  readSignedVarint,
  readText,
  readVarint,
  writeByte,
  writeBytes,
  writeDouble,
  writeSignedVarint,
  writeText,
  writeVarint,
} from './codec-bytes.ts'
import type { CodecWriter, ValueCodec } from './store.ts'

/**
 * How one part of a value lies in bytes. Shapes say nothing about themselves in the bytes: what was written
 * with one is read with the same. `fingerprint` changes whenever the bytes of some value change.
 */
export interface Shape<V> {
  readonly fingerprint: string
  write(value: V, into: CodecWriter): void
  read(from: CodecReader): V
}

/** The codec of a store whose values have this shape. */
export function codecOf<V>(shape: Shape<V>): ValueCodec<V> {
  const reader = new CodecReader(new Uint8Array(0))
  return {
    fingerprint: `value1(${shape.fingerprint})`,
    encode: (value, into) => shape.write(value, into),
    decode(bytes, start, end) {
      const value = shape.read(reader.reset(bytes, start, end))
      assert(reader.at === end, 'an encoded value ends where its shape ends')
      return value
    },
  }
}

/** Rows with nullable columns: a null bitmap, then the values that are there. */
export function rowCodec(types: readonly SqlType[]): ValueCodec<Row> {
  return codecOf(rowOf(types))
}

/** A value of this SQL type, or null. */
export function sqlValueCodec(type: SqlType): ValueCodec<SqlValue> {
  return codecOf(nullable(sqlValueOf(type)))
}

export function rowOf(types: readonly SqlType[]): Shape<Row> {
  const columns = types.map(sqlValueOf)
  const bitmapBytes = (types.length + 7) >> 3
  return {
    fingerprint: `row(${types.map(printType).join(', ')})`,
    write(row, into) {
      assert(row.length === columns.length, 'a row has one value per column')
      into.reserve(bitmapBytes)
      const bitmapAt = into.length
      into.bytes.fill(0, bitmapAt, bitmapAt + bitmapBytes)
      into.length += bitmapBytes
      for (let i = 0; i < columns.length; i++) {
        const value = row[i]
        if (value === null || value === undefined) into.bytes[bitmapAt + (i >> 3)]! |= 1 << (i & 7)
        else columns[i]!.write(value, into)
      }
    },
    read(from) {
      const bitmapAt = from.at
      from.at += bitmapBytes
      const row: SqlValue[] = []
      for (let i = 0; i < columns.length; i++) {
        const isNull = (from.bytes[bitmapAt + (i >> 3)]! >> (i & 7)) & 1
        row.push(isNull === 1 ? null : columns[i]!.read(from))
      }
      return row
    },
  }
}

/** A value of this type that is not null; what lies within it (elements, fields, map values) may be. */
export function sqlValueOf(type: SqlType): Shape<SqlValue> {
  return sqlShape(type) as Shape<SqlValue>
}

/** A null, or a value of the shape: one byte more. */
export function nullable<V>(shape: Shape<V>): Shape<V | null> {
  return {
    fingerprint: `${shape.fingerprint}?`,
    write(value, into) {
      writeByte(into, value === null ? 0 : 1)
      if (value !== null) shape.write(value, into)
    },
    read: (from) => (from.byte() === 0 ? null : shape.read(from)),
  }
}

export function listOf<V>(element: Shape<V>): Shape<readonly V[]> {
  return {
    fingerprint: `list(${element.fingerprint})`,
    write(list, into) {
      writeVarint(into, list.length)
      for (const value of list) element.write(value, into)
    },
    read(from) {
      const count = readVarint(from)
      const list: V[] = []
      for (let i = 0; i < count; i++) list.push(element.read(from))
      return list
    },
  }
}

/** In insertion order. */
function mapShape<K, V>(key: Shape<K>, value: Shape<V>): Shape<ReadonlyMap<K, V>> {
  return {
    fingerprint: `map(${key.fingerprint}, ${value.fingerprint})`,
    write(map, into) {
      writeVarint(into, map.size)
      for (const [k, v] of map) {
        key.write(k, into)
        value.write(v, into)
      }
    },
    read(from) {
      const count = readVarint(from)
      const map = new Map<K, V>()
      for (let i = 0; i < count; i++) {
        const k = key.read(from)
        map.set(k, value.read(from))
      }
      return map
    },
  }
}

/** An object with exactly these properties, written in the order given here. */
export function recordOf<T extends object>(parts: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> {
  const names = Object.keys(parts) as (keyof T & string)[]
  const shapes = names.map((name) => parts[name] as Shape<unknown>)
  return {
    fingerprint: `record(${names.map((name, i) => `${name}: ${shapes[i]!.fingerprint}`).join(', ')})`,
    write(record, into) {
      for (let i = 0; i < names.length; i++) shapes[i]!.write(record[names[i]!], into)
    },
    read(from) {
      const record: Record<string, unknown> = {}
      for (let i = 0; i < names.length; i++) record[names[i]!] = shapes[i]!.read(from)
      return record as T
    },
  }
}

export const booleanShape: Shape<boolean> = {
  fingerprint: 'boolean',
  write: (value, into) => writeByte(into, value ? 1 : 0),
  read: (from) => from.byte() === 1,
}

/** Any number, 8 bytes. */
export const doubleShape: Shape<number> = {
  fingerprint: 'double',
  write: flip(writeDouble),
  read: readDouble,
}

/** A whole number below 2^52 in size: times, counts. Small ones are short. */
export const wholeShape: Shape<number> = {
  fingerprint: 'whole',
  write: flip(writeSignedVarint),
  read: readSignedVarint,
}

/** A whole number of any size as BIGINT holds it: a number while safe, else a bigint. */
export const bigintShape: Shape<number | bigint> = {
  fingerprint: 'bigint',
  write: writeBigint,
  read: readBigint,
}

export const textShape: Shape<string> = { fingerprint: 'text', write: flip(writeText), read: readText }

export const bytesShape: Shape<Uint8Array> = {
  fingerprint: 'bytes',
  write: flip(writeBytes),
  read: readBytes,
}

/** Any Big, exactly: sign, exponent, two digits per byte. */
export const decimalShape: Shape<Big> = {
  fingerprint: 'decimal',
  write(value, into) {
    const digits = value.c
    writeByte(into, value.s < 0 ? 1 : 0)
    writeSignedVarint(into, value.e)
    writeVarint(into, digits.length)
    into.reserve((digits.length + 1) >> 1)
    for (let i = 0; i < digits.length; i += 2) {
      into.bytes[into.length++] = digits[i]! * 16 + (digits[i + 1] ?? 0)
    }
  },
  read(from) {
    const value = new Big(0)
    value.s = from.byte() === 1 ? -1 : 1
    value.e = readSignedVarint(from)
    const count = readVarint(from)
    const digits: number[] = []
    for (let i = 0; i < count; i += 2) {
      const pair = from.byte()
      digits.push(pair >> 4)
      if (i + 1 < count) digits.push(pair & 15)
    }
    value.c = digits
    return value
  },
}

function sqlShape(type: SqlType): unknown {
  switch (type.kind) {
    case 'BOOLEAN':
      return booleanShape
    case 'INTEGER':
    case 'DATE':
    case 'TIME':
      return wholeShape
    case 'BIGINT':
    case 'TIMESTAMP':
      return bigintShape
    case 'DOUBLE':
      return doubleShape
    case 'DECIMAL':
      return decimalShape
    case 'STRING':
      return textShape
    case 'BYTES':
      return bytesShape
    case 'ARRAY':
      return listOf(nullable(sqlValueOf(type.element)))
    case 'MAP':
      return mapShape(nullable(sqlValueOf(type.key)), nullable(sqlValueOf(type.value)))
    case 'STRUCT':
      return rowOf(type.fields.map((f) => f.type))
    default:
      return unreachable(type)
  }
}

function flip<V>(write: (into: CodecWriter, value: V) => void): Shape<V>['write'] {
  return (value, into) => write(into, value)
}

const LARGE = 1
/** First varint: bit 0 clear: the sign-folded number is the rest; set: 8 bytes of two's complement follow. */
function writeBigint(value: number | bigint, into: CodecWriter): void {
  if (typeof value === 'number' && value > -0x4000000000000 && value < 0x4000000000000) {
    writeVarint(into, (value < 0 ? -2 * value - 1 : 2 * value) * 2)
    return
  }
  writeByte(into, LARGE)
  const bits = BigInt.asUintN(64, BigInt(value))
  into.reserve(8)
  for (let shift = 0n; shift < 64n; shift += 8n) into.bytes[into.length++] = Number((bits >> shift) & 255n)
}

function readBigint(from: CodecReader): number | bigint {
  const first = readVarint(from)
  if (first !== LARGE) {
    const folded = first / 2
    return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2
  }
  let bits = 0n
  for (let shift = 0n; shift < 64n; shift += 8n) bits |= BigInt(from.byte()) << shift
  return canonicalBigint(bits)
}
