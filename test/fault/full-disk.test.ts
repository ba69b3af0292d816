import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { mountSmallDisk } from '../base/small-disk.ts'

/* A real file system of 12 MB, where this process may mount one. */

const directory = mkdtempSync(join(tmpdir(), 'millrace-full-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const mounted = mountSmallDisk(directory, 12)

const open = (): Promise<Millrace> =>
  Millrace.open({ dataDirectory: join(directory, 'data'), commitIntervalMs: 5 })

test.skipIf(!mounted)(
  'a full disk refuses records, says so, keeps what was acknowledged, and goes on with space',
  { timeout: 60_000 },
  async () => {
    let millrace = await open()
    await millrace.sql(
      `CREATE STREAM s (id STRING KEY, v INT, pad STRING) WITH (kafka_topic='s', value_format='JSON', partitions=1);
       CREATE TABLE totals AS SELECT id, SUM(v) AS total FROM s GROUP BY id;`,
    )
    writeFileSync(join(directory, 'ballast'), new Uint8Array(3_000_000))
    const pad = 'x'.repeat(30_000)
    let acknowledged = 0
    let refused: unknown = null
    for (let i = 0; i < 400 && refused === null; i++) {
      try {
        // Whether a record that was not acknowledged is there nobody can say: it counts for nothing.
        await Promise.race([
          millrace.produce('s', [{ key: 'k', value: { V: 1, PAD: pad } }]),
          new Promise((_, reject) => setTimeout(() => reject(new Error('waits for space')), 2_000)),
        ])
        acknowledged++
      } catch (error) {
        refused = error
      }
    }
    expect(refused).not.toBeNull()
    expect(acknowledged).toBeGreaterThan(50)
    expect(millrace.log.health().state).not.toBe('open')
    rmSync(join(directory, 'ballast'))
    if (millrace.log.health().state.startsWith('closed')) {
      await millrace.close().catch(() => {})
      millrace = await open()
    }
    await millrace.produce('s', [{ key: 'k', value: { V: 1000, PAD: '' } }])
    await millrace.untilIdle()
    const total = async (): Promise<number> => {
      const [result] = await millrace.sql(`SELECT total FROM totals WHERE id = 'k';`)
      return result?.kind === 'rows' ? Number(result.rows[0]![0]) : -1
    }
    const found = await total()
    expect(found).toBe(millrace.log.ends('s', 0).highWatermark - 1 + 1000)
    expect(found).toBeGreaterThanOrEqual(acknowledged + 1000)
    expect(found).toBeLessThanOrEqual(acknowledged + 1001)
    await millrace.close()
    millrace = await open()
    expect(await total()).toBe(found)
    await millrace.close()
  },
)
