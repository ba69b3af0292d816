import type { ArrayMemory } from '../base/array-memory.ts'
import { assert } from '../base/assert.ts'
import type { Column } from '../plan/schema.ts'
import type { SqlType } from '../plan/sql-type.ts'
import { type Row, type SqlValue } from '../plan/sql-value.ts'
import type { ByteWriter } from './byte-writer.ts'
import { nullVector } from './column-vectors.ts'
import type { ColumnDecoder, ColumnEncoder, DecodeFailure, Format } from './format.ts'
import { refusesMapInKey } from './map-in-key.ts'
import type { NumberVector, TextVector, ValueVector, Vector } from './vector.ts'

/** Bytes of a fixed-size type: big-endian two's complement or IEEE 754. */
const SIZES: Partial<Record<SqlType['kind'], number>> = { INTEGER: 4, BIGINT: 8, DOUBLE: 8 }

/**
 * One column as Kafka's own serializers write it: INTEGER in 4 bytes, BIGINT and DOUBLE in 8, big-endian;
 * STRING as UTF-8; BYTES as they are. A null is null bytes.
 */
export const kafka: Format = {
  name: 'KAFKA',
  properties: [],
  supportsKey: true,
  supportsValue: true,
  supportsSeveralColumns: false,
  wrappings: ['unwrapped'],
  refuses(side, columns) {
    const mapInKey = refusesMapInKey(side, columns)
    if (mapInKey !== null) return mapInKey
    if (columns.length > 1) {
      const names = columns.map((c) => `\`${c.name}\``).join(', ')
      return `The 'KAFKA' format only supports a single field. Got: ${names}`
    }
    const bad = columns.find(
      ({ type }) => !(type.kind in SIZES) && type.kind !== 'STRING' && type.kind !== 'BYTES',
    )
    if (bad === undefined) return null
    return `The 'KAFKA' format does not support type '${bad.type.kind}', column: \`${bad.name}\``
  },
  decoder: (_side, columns) => new KafkaDecoder(columns),
  encoder: (_side, columns) => new KafkaEncoder(columns),
}

class KafkaDecoder implements ColumnDecoder {
  readonly #type: SqlType | undefined

  constructor(columns: readonly Column[]) {
    assert(columns.length <= 1, 'the KAFKA format holds at most one column')
    this.#type = columns[0]?.type
  }

  decode(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    wanted: readonly number[],
    failures: DecodeFailure[],
    memory?: ArrayMemory,
  ): (Vector | null)[] {
    const type = this.#type
    if (type === undefined) return []
    const vector = nullVector(type, count, bytes, memory)
    switch (vector.kind) {
      case 'text':
        readText(vector, starts, ends, count)
        break
      case 'number':
        readNumbers(vector, type, bytes, starts, ends, count, failures)
        break
      case 'value':
        readBytes(vector, bytes, starts, ends, count)
        break
      default:
        assert(false, `the KAFKA format has no ${type.kind}`)
    }
    return [wanted.includes(0) ? vector : null]
  }
}

function readText(vector: TextVector, starts: Int32Array, ends: Int32Array, count: number): void {
  vector.starts.set(starts.subarray(0, count))
  vector.ends.set(ends.subarray(0, count))
}

function readBytes(
  vector: ValueVector,
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
): void {
  for (let row = 0; row < count; row++) {
    if (starts[row]! >= 0) vector.values[row] = bytes.slice(starts[row], ends[row])
  }
}

function readNumbers(
  vector: NumberVector,
  type: SqlType,
  bytes: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
  failures: DecodeFailure[],
): void {
  const size = SIZES[type.kind]!
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let row = 0; row < count; row++) {
    const start = starts[row]!
    if (start < 0) continue
    if (ends[row]! - start !== size) {
      failures.push({ row, reason: `${type.kind} takes ${size} bytes, got ${ends[row]! - start}` })
      continue
    }
    vector.nulls[row] = 0
    if (type.kind === 'INTEGER') {
      vector.values[row] = view.getInt32(start)
    } else if (type.kind === 'DOUBLE') {
      vector.values[row] = view.getFloat64(start)
    } else {
      const high = view.getInt32(start)
      if (high >= -0x200000 && high < 0x200000) {
        vector.values[row] = high * 4294967296 + view.getUint32(start + 4)
        // −2^53 is the one value of this range that isn't safe
        if (vector.values[row] === -9007199254740992) vector.setWide(row, -9007199254740992n)
      } else {
        vector.setWide(row, view.getBigInt64(start))
      }
    }
  }
}

class KafkaEncoder implements ColumnEncoder {
  readonly #type: SqlType | undefined

  constructor(columns: readonly Column[]) {
    assert(columns.length <= 1, 'the KAFKA format holds at most one column')
    this.#type = columns[0]?.type
  }

  encode(vectors: readonly Vector[], row: number, into: ByteWriter): boolean {
    if (this.#type === undefined) return false
    const vector = vectors[0]!
    if (vector.kind === 'text') {
      const start = vector.starts[row]!
      if (start < 0) return false
      if (vector.decoded === null || !vector.decoded.has(row)) {
        into.copy(vector.bytes, start, vector.ends[row]!)
        return true
      }
    }
    return this.#write(vector.value(row), into)
  }

  encodeRow(row: Row, into: ByteWriter): boolean {
    return this.#type !== undefined && this.#write(row[0]!, into)
  }

  #write(value: SqlValue, into: ByteWriter): boolean {
    if (value === null) return false
    switch (this.#type!.kind) {
      case 'STRING':
        into.text(value as string)
        return true
      case 'BYTES':
        into.copy(value as Uint8Array, 0, (value as Uint8Array).length)
        return true
      case 'INTEGER':
        writeInt32(value as number, into)
        return true
      case 'BIGINT':
        writeBigint(value as number | bigint, into)
        return true
      default:
        double[0] = value as number
        for (let i = 7; i >= 0; i--) into.byte(doubleBytes[i]!)
        return true
    }
  }
}

const double = new Float64Array(1)
const doubleBytes = new Uint8Array(double.buffer)

function writeInt32(value: number, into: ByteWriter): void {
  into.byte((value >> 24) & 255)
  into.byte((value >> 16) & 255)
  into.byte((value >> 8) & 255)
  into.byte(value & 255)
}

function writeBigint(value: number | bigint, into: ByteWriter): void {
  if (typeof value === 'bigint') {
    writeInt32(Number(BigInt.asIntN(32, value >> 32n)), into)
    writeInt32(Number(BigInt.asIntN(32, value)), into)
  } else {
    const high = Math.floor(value / 4294967296)
    writeInt32(high, into)
    writeInt32((value - high * 4294967296) | 0, into)
  }
}
