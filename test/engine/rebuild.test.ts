import { afterEach, expect, test } from 'vitest'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { TestWorker, type QueryChoice } from './worker-harness.ts'

/* State that another version wrote in another shape: here, that of another aggregate under the same name. */

const opened: TestWorker[] = []

async function open(fileSystem: MemoryFileSystem): Promise<TestWorker> {
  const worker = await TestWorker.open({ fileSystem })
  opened.push(worker)
  return worker
}

afterEach(async () => {
  for (const worker of opened.splice(0)) await worker.close()
})

const READINGS = `CREATE STREAM s (id STRING KEY, v INT) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 1);`
const BEFORE = `${READINGS} CREATE TABLE c AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;`
const AFTER = `${READINGS} CREATE TABLE c AS SELECT id, COLLECT_LIST(v) AS n FROM s GROUP BY id;`

const reading = (key: string, v: number): [string, unknown, number] => [key, { V: v }, v]

/** A worker that has run `before`, then one over what it left. */
async function overWhatWasLeft(
  before: string,
  after: string,
  choice: QueryChoice = {},
  between: (worker: TestWorker) => Promise<void> = () => Promise.resolve(),
): Promise<TestWorker> {
  const fileSystem = new MemoryFileSystem()
  const first = await open(fileSystem)
  await first.add(before, [choice])
  await first.produce('s', [reading('a', 1), reading('b', 2), reading('a', 3)])
  await first.worker.untilIdle()
  await between(first)
  opened.splice(0)
  await first.close()
  const second = await open(fileSystem)
  await second.add(after, [choice])
  return second
}

test('is computed from the inputs again, and then kept', async () => {
  const second = await overWhatWasLeft(BEFORE, AFTER)
  await second.produce('s', [reading('a', 4)])
  await second.worker.untilIdle()
  expect((await second.lines('C')).slice(3)).toEqual([
    'a {"N":[1]}',
    'b {"N":[2]}',
    'a {"N":[1,3]}',
    'a {"N":[1,3,4]}',
  ])
  expect(second.worker.status('q0')).toMatchObject({ state: 'RUNNING', lag: 0 })
  expect(second.problems.map((p) => p.problem.kind)).toEqual(['state-rebuilt'])
  expect(second.offsets('q0')).toEqual(['s-0 4'])
})

test('is what it was when the shape is the same', async () => {
  const second = await overWhatWasLeft(BEFORE, BEFORE)
  await second.worker.untilIdle()
  expect(await second.lines('C')).toHaveLength(3)
  expect(second.problems).toEqual([])
})

test.each<[string, string, string, (worker: TestWorker) => Promise<void>, string]>([
  [
    'part of the input is gone',
    BEFORE,
    AFTER,
    async (worker) => void (await worker.log.deleteRecords('s', 0, 2)),
    'of its input s the log holds partition 0 from offset 2 only',
  ],
  [
    'its results would be there twice',
    `${READINGS} CREATE STREAM p AS SELECT id, LAG(v) AS n FROM s;`,
    `${READINGS} CREATE STREAM p AS SELECT id, LAG(id) AS n FROM s;`,
    () => Promise.resolve(),
    'it writes a stream, where its results would be there twice',
  ],
])('is refused for good where %s, and stays as it is', async (_, before, after, between, reason) => {
  const second = await overWhatWasLeft(before, after, {}, between)
  const offsets = second.offsets('q0')
  await second.produce('s', [reading('a', 4)])
  const status = second.worker.status('q0')
  expect(status).toMatchObject({ state: 'ERROR' })
  expect(status?.error).toContain(`can't be rebuilt from its inputs: ${reason}.`)
  expect(second.offsets('q0')).toEqual(offsets)
})
