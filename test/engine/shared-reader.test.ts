import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { seededRandom } from '../../src/base/random.ts'
import { SharedReader, type ReadSlice } from '../../src/engine/shared-reader.ts'
import { formatFinder, formatsOver } from '../../src/formats/registry.ts'
import { EmbeddedSchemaRegistry } from '../../src/runtime/embedded-schema-registry.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { DataSource } from '../../src/plan/data-source.ts'
import { INTEGER, STRING } from '../../src/plan/sql-type.ts'

const formatOf = formatFinder(formatsOver(new EmbeddedSchemaRegistry()))

const SOURCE: DataSource = {
  name: 'S',
  kind: 'stream',
  topic: 's',
  schema: {
    columns: [
      { name: 'K', type: STRING, role: 'key' },
      { name: 'N', type: INTEGER, role: 'value' },
    ],
  },
  keyFormat: { name: 'KAFKA', properties: {}, wrapping: null },
  valueFormat: { name: 'JSON', properties: {}, wrapping: null },
  windowedKey: null,
  timestamp: null,
  headers: [],
  readOnly: false,
  statement: '',
  createdBy: null,
}

test('a slice keeps its rows while somebody holds it, and its memory serves again afterwards', async () => {
  const log = await openLog({
    directory: '/log',
    fileSystem: new MemoryFileSystem(),
    clock: new ManualClock(),
    random: seededRandom(1),
  })
  await log.createTopic('s', { partitions: 1 })
  const producer = log.producer({ batchBytesMax: 1 })
  for (let n = 0; n < 6; n++) {
    await producer.send({ topic: 's', key: Buffer.from(`key-${n}`), value: Buffer.from(`{"N":${n}}`) })
  }
  const reader = new SharedReader(log, formatOf)
  reader.register(SOURCE, new Set([0, 1]))
  const rowsOf = (slice: ReadSlice): unknown[] => {
    const { batch } = slice.decoded
    return Array.from({ length: batch.size }, (_, n) => batch.slice(batch.position(n), 0, 2))
  }
  const expected = (from: number): unknown[] =>
    Array.from({ length: 6 - from }, (_, i) => [`key-${from + i}`, from + i])

  const held = (await reader.read(SOURCE, 0, 0))!
  const again = (await reader.read(SOURCE, 0, 0))!
  expect(again).toBe(held)
  again.release()
  // Others read on from elsewhere: the reader forgets the held slice, its holder doesn't.
  for (let from = 1; from < 6; from++) {
    const other = (await reader.read(SOURCE, 0, from))!
    expect(rowsOf(other)).toEqual(expected(from))
    other.release()
  }
  expect(rowsOf(held)).toEqual(expected(0))
  held.release()
  expect(() => held.release()).toThrow('a slice is released by those who hold it')
  expect(await reader.read(SOURCE, 0, 6)).toBeNull()
  await producer.close()
  await log.close()
})
