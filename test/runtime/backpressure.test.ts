import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Millrace, type RowStream } from '../../src/index.ts'

const KIB = 1024
const MIB = 1024 * KIB
const READINGS = `CREATE STREAM readings (k STRING KEY, n INT, t STRING)
  WITH (kafka_topic = 'readings', value_format = 'JSON', partitions = 1);`
const EARLIEST = { settings: { 'auto.offset.reset': 'earliest' } }
const ROWS = 20_000
const TEXT = 'x'.repeat(200)

async function withReadings(options: { readonly memoryBytesMax: number }): Promise<Millrace> {
  const millrace = await Millrace.open({ commitIntervalMs: 10, ...options })
  await millrace.sql(READINGS)
  await millrace.produce(
    'readings',
    Array.from({ length: ROWS }, (_, n) => ({ key: `k${n % 10}`, value: { N: n, T: TEXT } })),
  )
  return millrace
}

const subscribe = (millrace: Millrace): RowStream<{ readonly N: number }> =>
  millrace.query<{ readonly N: number }>('SELECT n, t FROM readings EMIT CHANGES;', EARLIEST)

/** Lets readers go on until the queues stand still. */
async function untilFull(millrace: Millrace): Promise<number> {
  const queued = (): number => millrace.pushQueries().reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)
  for (let before = -1; before !== queued();) {
    before = queued()
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  return queued()
}

test('a subscriber that reads one row in a hundred loses nothing, and holds up no query', async () => {
  const millrace = await withReadings({ memoryBytesMax: 8 * MIB })
  const slow = subscribe(millrace)[Symbol.asyncIterator]()
  expect((await slow.next()).value).toMatchObject({ N: 0 })

  await millrace.sql('CREATE TABLE counts AS SELECT k, COUNT(*) AS c FROM readings GROUP BY k;')
  let seen = 1
  let queuedMax = 0
  const isDone = millrace.untilIdle().then(() => true)
  while (!(await Promise.race([isDone, new Promise((resolve) => setTimeout(resolve, 20, false))]))) {
    expect((await slow.next()).value).toMatchObject({ N: seen++ })
    queuedMax = Math.max(queuedMax, millrace.pushQueries()[0]!.queuedBytes)
  }
  expect(seen).toBeLessThan(ROWS / 10)
  queuedMax = Math.max(queuedMax, await untilFull(millrace))
  const counts: unknown[] = []
  for await (const row of millrace.query('SELECT c FROM counts;')) counts.push(row)
  expect(counts).toEqual(Array.from({ length: 10 }, () => ({ C: ROWS / 10 })))

  for (; seen < ROWS; seen++) {
    const { value } = (await slow.next()) as { readonly value: { readonly N: number } }
    if (value.N !== seen) expect(value.N).toBe(seen)
    queuedMax = Math.max(queuedMax, millrace.pushQueries()[0]!.queuedBytes)
  }
  // An eighth of the budget; the last row may go over it.
  expect(queuedMax).toBeGreaterThan(512 * KIB)
  expect(queuedMax).toBeLessThanOrEqual(MIB + KIB)
  await millrace.close()
})

test('sixty-four subscribers that stand still share one budget; one that reads gets everything', async () => {
  const millrace = await withReadings({ memoryBytesMax: 64 * MIB })
  const stalled = Array.from({ length: 64 }, () => subscribe(millrace)[Symbol.asyncIterator]())
  await Promise.all(stalled.map((rows) => rows.next()))
  const queued = await untilFull(millrace)
  expect(queued).toBeGreaterThan(4 * MIB)
  expect(queued).toBeLessThanOrEqual(8 * MIB + 64 * KIB)

  let next = 0
  for await (const { N } of subscribe(millrace)) {
    expect(N).toBe(next++)
    if (next === ROWS) break
  }
  // Those that stood still go on where they stood.
  for (let n = 1; n < 200; n++) expect((await stalled[17]!.next()).value).toMatchObject({ N: n })
  for (const rows of stalled) await rows.return?.()
  expect(millrace.pushQueries()).toEqual([])
  await millrace.close()
})

test('a reader of a topic that stands still holds nothing, and finds everything later', async () => {
  const millrace = await withReadings({ memoryBytesMax: 64 * MIB })
  const records = millrace.consume('readings', { from: 'beginning', follow: true })[Symbol.asyncIterator]()
  await records.next()
  await millrace.produce('readings', [{ key: 'last', value: { N: ROWS, T: '' } }])
  for (let offset = 1; offset <= ROWS; offset++) {
    const { value } = (await records.next()) as { readonly value: { readonly offset: number } }
    if (value.offset !== offset) expect(value.offset).toBe(offset)
  }
  await records.return?.()
  await millrace.close()
})

test('a process with sixty-four subscribers that stand still stays small', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-backpressure-'))
  try {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--expose-gc', join(import.meta.dirname, 'backpressure-child.ts'), directory],
      { encoding: 'utf8' },
    )
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const { grewBytes, topicBytes } = JSON.parse(stdout) as {
      readonly grewBytes: number
      readonly topicBytes: number
    }
    // Each queue holding all rows would take several times 64 times the topic.
    expect(topicBytes).toBeGreaterThan(10 * MIB)
    expect(grewBytes).toBeLessThan(512 * MIB)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
