import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { CODECS } from '../../src/log/compression.ts'
import type { RecordHeader } from '../../src/log/log.ts'
import { murmur2, partitionOf } from '../../src/log/murmur2.ts'
import {
  AT_BATCH_LENGTH,
  AT_CRC,
  AT_RECORD_COUNT,
  batchCrcHolds,
  readI32,
  readI64,
  readU32,
  RecordBatchWriter,
  writeI64,
} from '../../src/log/record-batch.ts'
import { walkRecords } from '../../src/log/walk-records.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface Record {
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

function write(writer: RecordBatchWriter, records: readonly Record[]): Uint8Array {
  for (const { timestampMs, key, value, headers } of records) {
    writer.append(timestampMs, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers)
  }
  return writer.finish()
}

function read(batches: Uint8Array, fromOffset = 0): Record[] {
  const columns = walkRecords(batches, fromOffset)
  return Array.from({ length: columns.count }, (_, i) => ({
    timestampMs: columns.timestamps[i]!,
    key: columns.keyStarts[i]! < 0 ? null : columns.bytes.slice(columns.keyStarts[i], columns.keyEnds[i]),
    value:
      columns.valueStarts[i]! < 0 ? null : columns.bytes.slice(columns.valueStarts[i], columns.valueEnds[i]),
    headers: columns.headers?.[i] ?? [],
  }))
}

describe('murmur2', () => {
  test.each([
    ['', 275646681, 3, 9],
    ['a', -1563381124, 4, 4],
    ['21', -973932308, 0, 0],
    ['abc', 479470107, 3, 3],
    ['foobar', -790332482, 0, 6],
    ['V001', -1337276401, 1, 7],
    ['user-123', -1468255980, 2, 8],
    ['a-little-bit-long-string', -985981536, 2, 8],
    ['é', 186971271, 3, 3],
  ])('%j hashes and partitions as in Kafka', (key, hash, of6, of12) => {
    expect(murmur2(utf8(key))).toBe(hash)
    expect(partitionOf(hash, 6)).toBe(of6)
    expect(partitionOf(hash, 12)).toBe(of12)
    expect(murmur2(utf8(`x${key}yy`), 1, 1 + utf8(key).length)).toBe(hash)
  })
})

describe('record batch', () => {
  test('two records encode to the bytes other Kafka clients write', () => {
    const writer = new RecordBatchWriter()
    const bytes = write(writer, [
      {
        timestampMs: 1_700_000_000_000,
        key: utf8('k'),
        value: utf8('v'),
        headers: [{ key: 'h', value: utf8('1') }],
      },
      { timestampMs: 1_700_000_000_005, key: null, value: null, headers: [] },
    ])
    expect(hex(bytes)).toBe(
      '000000000000000000000045ffffffff02c6ba3d880000000000010000018bcfe568000000018bcfe56805ffffffffffffffffffffffffffff0000000218000000026b027602026802310c000a02010100',
    )
    expect(read(bytes)).toEqual([
      {
        timestampMs: 1_700_000_000_000,
        key: utf8('k'),
        value: utf8('v'),
        headers: [{ key: 'h', value: utf8('1') }],
      },
      { timestampMs: 1_700_000_000_005, key: null, value: null, headers: [] },
    ])
  })

  test('a commit marker is valid and never shown', () => {
    const marker = Uint8Array.from(
      Buffer.from(
        '000000000000002a0000004200000000025c0115bb0030000000000000018bcfe568000000018bcfe5680000000000000012670003ffffffff000000012000000008000000010c00000000000700',
        'hex',
      ),
    )
    expect(batchCrcHolds(marker, 0, marker.length)).toBe(true)
    expect(walkRecords(marker, 0).count).toBe(0)
  })

  const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 400 }), { nil: null })
  const records = fc.array(
    fc.record({
      timestampMs: fc.oneof(fc.integer(), fc.integer({ min: -1, max: 2 ** 50 })),
      key: bytesOrNull,
      value: bytesOrNull,
      headers: fc.array(
        fc.record({ key: fc.string(), value: fc.option(fc.uint8Array({ maxLength: 8 }), { nil: null }) }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 30 },
  )

  test.prop([records, fc.constantFrom(...CODECS), fc.constantFrom(200, 1000, 1_000_000)])(
    'what is written is read back, whatever the codec and the batch size',
    (given, compression, batchBytesTarget) => {
      const writer = new RecordBatchWriter({ compression, batchBytesTarget })
      const bytes = write(writer, given)
      expect(writer.recordCount).toBe(0)
      expect(read(bytes)).toEqual(given)
      const from = Math.floor(given.length / 2)
      expect(read(bytes, from)).toEqual(given.slice(from))
      for (let at = 0, offset = 0; at < bytes.length; at += 12 + readI32(bytes, at + AT_BATCH_LENGTH)) {
        expect(readI64(bytes, at)).toBe(offset)
        expect(batchCrcHolds(bytes, at, at + 12 + readI32(bytes, at + AT_BATCH_LENGTH))).toBe(true)
        offset += readI32(bytes, at + AT_RECORD_COUNT)
      }
    },
  )

  test.prop([records.filter((r) => r.length > 0), fc.nat(), fc.integer({ min: 1, max: 255 })])(
    'a flipped byte either fails the CRC or, past it, never reads outside the batch',
    (given, place, flip) => {
      const bytes = write(new RecordBatchWriter(), given)
      const at = 61 + (place % (bytes.length - 61))
      bytes[at] = bytes[at]! ^ flip
      expect(batchCrcHolds(bytes, 0, bytes.length)).toBe(false)
      let columns
      try {
        columns = walkRecords(bytes, 0)
      } catch (error) {
        expect(error).toMatchObject({ code: 'LOG_CORRUPT' })
        return
      }
      for (let i = 0; i < columns.count; i++) {
        expect(columns.keyEnds[i]).toBeLessThanOrEqual(bytes.length)
        expect(columns.valueEnds[i]).toBeLessThanOrEqual(bytes.length)
      }
    },
  )

  test.prop([fc.array(fc.maxSafeInteger(), { minLength: 1, maxLength: 8 })])(
    'times as far apart as may be are read back as they were',
    (times) => {
      const written = times.map((timestampMs) => ({ timestampMs, key: null, value: utf8('x'), headers: [] }))
      expect(read(write(new RecordBatchWriter(), written)).map((r) => r.timestampMs)).toEqual(times)
    },
  )

  test('batches of an aborted transaction are left out', () => {
    const producer = { id: 7, epoch: 0, baseSequence: 0, transactional: true }
    const one: Record = { timestampMs: 1, key: null, value: utf8('x'), headers: [] }
    const first = write(new RecordBatchWriter({ producer }), [one, one])
    const second = write(new RecordBatchWriter({ producer }), [one])
    writeI64(second, 0, 2)
    const both = new Uint8Array([...first, ...second])
    expect(walkRecords(both, 0, [{ producerId: 7, firstOffset: 0, lastOffset: 1 }]).count).toBe(1)
    expect(walkRecords(both, 0, [{ producerId: 8, firstOffset: 0, lastOffset: 1 }]).count).toBe(3)
    expect(readU32(both, AT_CRC)).not.toBe(0)
  })

  test('Java’s block-wise snappy is read', async () => {
    const { inflate } = await import('../../src/log/compression.ts')
    const { snappyCompress } = await import('@platformatic/wasm-utils')
    const block = (text: string): Uint8Array[] => {
      const packed = snappyCompress(Buffer.from(text))
      const length = Buffer.alloc(4)
      length.writeInt32BE(packed.length)
      return [length, packed]
    }
    const header = Buffer.from('82534e41505059000000000100000001', 'hex')
    const xerial = Buffer.concat([header, ...block('hello '.repeat(20)), ...block('world')])
    expect(Buffer.from(inflate(2, xerial)).toString()).toBe(`${'hello '.repeat(20)}world`)
  })
})
