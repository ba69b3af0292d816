import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { PROCESSING_LOG_TOPIC } from '../../src/runtime/processing-log.ts'
import { TestWorker, type QueryChoice, type TestWorkerOptions } from './worker-harness.ts'

const NOON = Date.UTC(2026, 0, 15, 12)
const SECOND = 1_000
const DAY = 86_400_000
const YEAR = 365 * DAY

const opened: TestWorker[] = []

async function open(options: Partial<TestWorkerOptions> = {}): Promise<TestWorker> {
  const worker = await TestWorker.open({
    fileSystem: new MemoryFileSystem(),
    clock: new ManualClock(NOON),
    ...options,
  })
  opened.push(worker)
  return worker
}

afterEach(async () => {
  for (const worker of opened.splice(0)) await worker.close()
})

const READINGS = `CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);`
const FINALS = `CREATE TABLE f AS SELECT id, COUNT(*) AS n FROM s
  WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 0 SECONDS) GROUP BY id EMIT FINAL;`
const COPY = `CREATE STREAM p AS SELECT id, v FROM s;`

const reading = (key: string, v: number, t: number): [string, unknown, number] => [key, { V: v }, t]
const withSetting = (name: string, value: string): QueryChoice => ({ settings: new Map([[name, value]]) })

describe('a record from a clock that is far ahead', () => {
  test('closes no window, and is told of once; all others count', async () => {
    const t = await open()
    await t.add(`${READINGS} ${FINALS}`)
    await t.produce('s', [
      reading('a', 1, NOON),
      reading('wrong', 1, NOON + YEAR),
      reading('a', 1, NOON + 9 * SECOND),
    ])
    await t.worker.untilIdle()
    expect(await t.lines('F')).toEqual([])
    await t.produce('s', [reading('a', 1, NOON + 5 * SECOND), reading('b', 1, NOON + 10 * SECOND)])
    await t.worker.untilIdle()
    expect(await t.lines('F')).toEqual(['a {"N":3}'])
    const entries = await t.lines(PROCESSING_LOG_TOPIC)
    expect(entries).toHaveLength(1)
    expect(entries[0]).toContain(
      `"SOURCE_TOPIC":"s","SOURCE_PARTITION":0,"SOURCE_OFFSET":1,"PART":"timestamp","REASON":"Event time ${NOON + YEAR} is ${YEAR} ms ahead of the clock`,
    )
    expect(t.worker.status('q0')).toMatchObject({ rowsIn: 4, unreadable: 1, eventTimeMs: NOON + 10 * SECOND })
  })

  test('counts up to the limit, which is a day unless the query says otherwise', async () => {
    const t = await open()
    await t.add(
      `${READINGS} ${COPY} ${COPY.replace('p', 'q')} ${COPY.replace('p', 'r')} ${COPY.replace('p', 'u')}`,
      [
        {},
        withSetting('millrace.timestamp.after.max.ms', '1000'),
        withSetting('millrace.timestamp.after.max.ms', '-1'),
        withSetting('millrace.compatibility', 'true'),
      ],
    )
    // The last one no date has, whatever the limit.
    const ahead = [SECOND, SECOND + 1, DAY, DAY + 1, 100 * YEAR, 8_640_000_000_000_001 - NOON]
    await t.produce(
      's',
      ahead.map((ms, i) => reading('a', i, NOON + ms)),
    )
    await t.worker.untilIdle()
    const numbers = async (topic: string): Promise<number[]> =>
      (await t.lines(topic)).map((line) => Number(/\d+/.exec(line.slice(1))![0]))
    expect(await numbers('P')).toEqual([0, 1, 2])
    expect(await numbers('Q')).toEqual([0])
    expect(await numbers('R')).toEqual([0, 1, 2, 3, 4])
    expect(await numbers('U')).toEqual([0, 1, 2, 3, 4])
  })

  test('changes a table all the same, and what a stream finds in it', async () => {
    const t = await open()
    await t.add(`${READINGS}
      CREATE TABLE names (id STRING PRIMARY KEY, name STRING) WITH (kafka_topic = 'names', value_format = 'JSON', partitions = 1);
      CREATE STREAM j AS SELECT s.id AS id, v, name FROM s LEFT JOIN names n ON s.id = n.id;`)
    await t.produce('names', [['a', { NAME: 'ann' }, NOON + YEAR]])
    await t.produce('s', [reading('a', 1, NOON)])
    await t.worker.untilIdle()
    expect(await t.lines('J')).toEqual(['a {"V":1,"NAME":"ann"}'])
  })
})

describe('the clock of the machine', () => {
  test('set back by a year, records stay in time', async () => {
    const t = await open()
    await t.add(`${READINGS} ${COPY}`)
    await t.produce('s', [reading('a', 1, NOON)])
    await t.worker.untilIdle()
    t.clock.jumpBy(-YEAR)
    await t.produce('s', [reading('a', 2, NOON + SECOND)])
    await t.worker.untilIdle()
    expect(await t.lines('P')).toHaveLength(2)
  })

  test('found at 1970 after a restart, records go on from where they were', async () => {
    const fileSystem = new MemoryFileSystem()
    const first = await open({ fileSystem })
    await first.add(`${READINGS} ${COPY}`)
    await first.produce('s', [reading('a', 1, NOON)])
    await first.worker.untilIdle()
    opened.splice(0)
    await first.close()
    const second = await open({ fileSystem, clock: new ManualClock(5 * SECOND) })
    await second.add(`${READINGS} ${COPY}`)
    await second.produce('s', [reading('a', 2, NOON + SECOND), reading('a', 3, NOON + YEAR)])
    await second.worker.untilIdle()
    expect(await second.lines('P')).toEqual(['a {"V":1}', 'a {"V":2}'])
  })

  /** Lets real time pass for the worker, in steps as it looks. */
  async function pass(t: TestWorker, ms: number): Promise<void> {
    for (let step = 0; step < ms; step += 500) {
      t.clock.advanceTo(t.clock.nowMs() + 500)
      await t.worker.untilIdle()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await t.worker.untilIdle()
  }

  async function silent(): Promise<TestWorker> {
    const t = await open()
    await t.add(`${READINGS} ${FINALS}`, [{ idleMs: SECOND }])
    await t.produce('s', [reading('a', 1, NOON + 4 * SECOND)])
    await t.worker.untilIdle()
    return t
  }

  test('set forward by a year, no more silence has passed than before', async () => {
    const t = await silent()
    t.clock.jumpBy(YEAR)
    await pass(t, 3 * SECOND)
    expect(await t.lines('F')).toEqual([])
    await pass(t, 4 * SECOND)
    expect(await t.lines('F')).toEqual(['a {"N":1}'])
  })

  test('set back by a year, silence is counted from there', async () => {
    const t = await silent()
    await pass(t, 3 * SECOND)
    t.clock.jumpBy(-YEAR)
    await pass(t, 4 * SECOND)
    expect(await t.lines('F')).toEqual([])
    await pass(t, 4 * SECOND)
    expect(await t.lines('F')).toEqual(['a {"N":1}'])
  })
})

test('windows of a day begin at midnight UTC, also where clocks change and the year has a day more', async () => {
  const t = await open({ clock: new ManualClock(Date.UTC(2024, 11, 31)) })
  await t.add(`${READINGS} CREATE TABLE d AS
    SELECT id, COUNT(*) AS n, FORMAT_TIMESTAMP(FROM_UNIXTIME(WINDOWSTART), 'yyyy-MM-dd HH:mm XXX', 'Europe/Berlin') AS since
    FROM s WINDOW TUMBLING (SIZE 1 DAYS, GRACE PERIOD 0 SECONDS) GROUP BY id EMIT FINAL;`)
  const times = [
    Date.UTC(2024, 1, 29, 12),
    Date.UTC(2024, 2, 30, 23, 59),
    Date.UTC(2024, 2, 31, 0, 0),
    Date.UTC(2024, 2, 31, 23, 59),
    Date.UTC(2024, 9, 27, 0, 30),
    Date.UTC(2024, 9, 27, 1, 30),
    Date.UTC(2024, 11, 30),
  ]
  await t.produce(
    's',
    times.map((ms) => reading('a', 1, ms)),
  )
  await t.worker.untilIdle()
  expect(await t.lines('D')).toEqual([
    'a {"N":1,"SINCE":"2024-02-29 01:00 +01:00"}',
    'a {"N":1,"SINCE":"2024-03-30 01:00 +01:00"}',
    'a {"N":2,"SINCE":"2024-03-31 01:00 +01:00"}',
    'a {"N":2,"SINCE":"2024-10-27 02:00 +02:00"}',
  ])
})
