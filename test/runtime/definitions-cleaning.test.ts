import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { Millrace } from '../../src/runtime/millrace.ts'

const DAY_MS = 24 * 60 * 60 * 1000

test('what was created and dropped leaves nothing behind, tombstones neither', async () => {
  const clock = new ManualClock(1_000_000)
  // LevelDB does its own files, in a place of the test's own.
  const dataDirectory = mkdtempSync(join(tmpdir(), 'millrace-definitions-'))
  const place = { dataDirectory, fileSystem: new MemoryFileSystem(), clock }
  let db = await Millrace.open(place)
  await db.sql("CREATE STREAM kept (a INT) WITH (kafka_topic='kept', value_format='JSON', partitions=1);")
  for (let i = 0; i < 20; i++) {
    await db.sql(`CREATE STREAM s${i} (a INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);`)
    await db.sql(`DROP STREAM s${i};`)
  }
  const definitions = async (): Promise<string[]> => {
    const keys: string[] = []
    for await (const { key, value } of db.consume('_millrace-definitions', { from: 'beginning' })) {
      keys.push(`${Buffer.from(key!).toString()}${value === null ? ' gone' : ''}`)
    }
    return keys
  }
  expect(await definitions()).toHaveLength(41)
  /** A pass of the cleaner; the definitions of the next one are sealed by then. */
  const clean = async (): Promise<void> => {
    clock.advanceTo(clock.nowMs() + 11 * 60 * 1000)
    await (db.log as EmbeddedLog).maintain()
  }
  await clean()
  expect((await definitions()).filter((key) => !key.endsWith(' gone'))).toHaveLength(1)
  clock.advanceTo(clock.nowMs() + DAY_MS)
  for (let i = 0; i < 20; i++) {
    await db.sql(`CREATE STREAM u${i} (a INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);`)
  }
  await clean()
  expect((await definitions()).filter((key) => key.endsWith(' gone'))).toEqual([])
  await db.close()
  db = await Millrace.open(place)
  expect(await definitions()).toHaveLength(21)
  await db.sql('DESCRIBE kept;')
  await db.close()
  rmSync(dataDirectory, { recursive: true })
})
