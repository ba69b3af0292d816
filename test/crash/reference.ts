import { TestDriver } from '../../src/testing/driver.ts'
import { INPUT_TOPICS, PARTITIONS, type InputRecord } from './input.ts'
import { INSERTS, pipeline } from './pipeline.ts'
import { outputRecord, type OutputRecord } from './results.ts'

/** What comes out record at a time, with nothing cached: per topic and key, every value in order. */
export interface Reference {
  /** @param partition  of the output topic; null where rows have changed theirs */
  values(topic: string, partition: number | null): ReadonlyMap<string, readonly (string | null)[]>
}

/**
 * Runs the pipeline in the test driver: over each partition alone, because event time is kept per partition,
 * and over all of them as one, for what changes partition.
 */
export async function recordAtATime(input: readonly InputRecord[]): Promise<Reference> {
  const drivers: TestDriver[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    drivers.push(await run(input.filter((r) => r.partition === partition)))
  }
  const merged = await run(input)
  const cache = new Map<string, ReadonlyMap<string, (string | null)[]>>()
  return {
    values(topic, partition) {
      const name = `${topic}-${partition}`
      const known = cache.get(name)
      if (known !== undefined) return known
      const driver = partition === null ? merged : drivers[partition]!
      const values = new Map<string, (string | null)[]>()
      for (const { key, value, timestampMs } of driver.records(topic)) {
        const record = outputRecord(key, value, timestampMs)
        const list = values.get(record.key)
        if (list === undefined) values.set(record.key, [record.value])
        else list.push(record.value)
      }
      cache.set(name, values)
      return values
    },
  }
}

async function run(input: readonly InputRecord[]): Promise<TestDriver> {
  const driver = new TestDriver()
  for (const topic of INPUT_TOPICS) driver.createTopic(topic)
  await driver.sql(pipeline() + INSERTS.join('\n'))
  for (const { topic, key, value, timestampMs } of inOrderOfTime(input)) {
    await driver.produce(topic, { key, value, timestampMs })
  }
  return driver
}

/** As the engine merges inputs: always the head with the lowest timestamp; what cannot be read waits for nobody. */
function* inOrderOfTime(input: readonly InputRecord[]): Iterable<InputRecord> {
  const queues = new Map<string, InputRecord[]>()
  for (const record of input) {
    const name = `${record.topic}-${record.partition}`
    const queue = queues.get(name)
    if (queue === undefined) queues.set(name, [record])
    else queue.push(record)
  }
  const heads = [...queues.values()].map((records) => ({ records, next: 0 }))
  for (;;) {
    let best: (typeof heads)[number] | null = null
    let bestMs = Infinity
    for (const head of heads) {
      const record = head.records[head.next]
      if (record === undefined) continue
      const atMs = isReadable(record) ? record.timestampMs : -1
      if (best === null || atMs < bestMs) {
        best = head
        bestMs = atMs
      }
    }
    if (best === null) return
    yield best.records[best.next++]!
  }
}

function isReadable({ value }: InputRecord): boolean {
  if (value === null) return true
  const text = Buffer.from(value).toString()
  return text.endsWith('}') && !text.includes('"fast"')
}

export type { OutputRecord }
