import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import { Millrace } from '../../src/index.ts'
import { sourcesRead } from '../../src/runtime/catalog.ts'
import { parseAll } from '../../src/sql/parse.ts'
import { casesOf, type ConformanceCase } from '../../src/testing/conformance/case-file.ts'
import { encodeSide } from '../../src/testing/conformance/topic-codec.ts'
import { TestDriver, type TopicRecord } from '../../src/testing/driver.ts'

/*
 * The log, the worker's cycle, changelogs and restore against the record-at-a-time driver: the visible
 * cases through both, with a stop and a start from what is committed in the middle, give the same records.
 *
 * Only cases in which the order of processing is the same on both: one query over several topics (fed
 * record by record), or queries that each read one topic.
 */

const directory = join(import.meta.dirname, '../../../shared/conformance/ksqldb/query')

interface Run {
  readonly text: string
  readonly inputs: readonly { readonly topic: string; readonly record: TopicRecord }[]
  readonly driver: TestDriver
  /** Topics of statements with columns, which may be sinks as well. */
  readonly declared: ReadonlySet<string>
  readonly sinks: ReadonlySet<string>
  readonly feedSlowly: boolean
}

/** The case as the driver ran it, or null if it isn't one to compare. */
async function runByDriver(testCase: ConformanceCase): Promise<Run | null> {
  if (testCase.expectedException !== null || testCase.inputs.length === 0) return null
  // Numbers of schemas that are there beforehand are the driver's alone.
  if (testCase.topics.some((t) => t.key !== null || t.value !== null)) return null
  const text = testCase.statements.join('\n')
  if (/UNIX_|INSERT\s+INTO\s+\S+\s+(\(.*\)\s+)?VALUES/i.test(text)) return null // these read the real clock
  const driver = new TestDriver({ settings: testCase.properties, compatibility: true })
  const declared = new Set<string>()
  for (const { name } of testCase.topics) driver.createTopic(name, 1)
  for (const statement of parseAll(text).statements) {
    if (statement.kind !== 'create-source' || statement.columns.length === 0) continue
    const topic = statement.properties.find((p) => p.name === 'KAFKA_TOPIC')?.value
    const name = topic?.kind === 'string' ? topic.value : statement.name.name
    driver.createTopic(name, 1)
    declared.add(name)
  }
  for (const { topic } of testCase.inputs) driver.createTopic(topic, 1)
  try {
    await driver.sql(text)
  } catch {
    return null // another test counts what isn't accepted
  }
  const queries = driver.catalog.queries()
  const sinks = new Set(queries.flatMap((q) => q.plan.sink?.topic ?? []))
  const readOne = queries.every((q) => new Set(sourcesRead(q.plan).map((s) => s.topic)).size === 1)
  if (queries.length !== sinks.size || (queries.length > 1 && !readOne)) return null
  if (testCase.inputs.some((i) => sinks.has(i.topic))) return null
  const inputs = testCase.inputs.map((record) => {
    const source = driver.sourceOf(record.topic)
    const bytesOf = (side: 'key' | 'value'): Uint8Array | null =>
      source === undefined ? null : encodeSide(side, source, record, driver)
    return {
      topic: record.topic,
      record: {
        key: bytesOf('key'),
        value: bytesOf('value'),
        timestampMs: record.timestampMs ?? 0,
        headers: record.headers,
      },
    }
  })
  for (const { topic, record } of inputs) driver.append(topic, record)
  try {
    await driver.feedQueries(inputs)
  } catch {
    return null
  }
  return { text, inputs, driver, declared, sinks, feedSlowly: !readOne }
}

/** Topic by topic, what the same statements and records give through a log that is reopened half-way. */
async function runThroughTheLog(testCase: ConformanceCase, run: Run): Promise<Map<string, string[]>> {
  const options = {
    fileSystem: new MemoryFileSystem(),
    commitIntervalMs: 0,
    settings: {
      ...Object.fromEntries(testCase.properties),
      'cache.max.bytes.buffering': '0',
      'millrace.compatibility': 'true',
    },
  }
  let millrace = await Millrace.open(options)
  try {
    for (const topic of run.driver.topicNames()) {
      if (!run.sinks.has(topic) || run.declared.has(topic))
        await millrace.createTopic(topic, { partitions: 1 })
    }
    await millrace.sql(run.text)
    const half = Math.floor(run.inputs.length / 2)
    for (const [i, { topic, record }] of run.inputs.entries()) {
      await millrace.produce(topic, [{ ...record, partition: 0 }])
      if (run.feedSlowly || i === half) await millrace.untilIdle()
      if (i === half) {
        await millrace.close()
        millrace = await Millrace.open(options)
      }
    }
    await millrace.untilIdle()
    const found = new Map<string, string[]>()
    for (const topic of run.sinks) {
      const records: string[] = []
      for await (const record of millrace.consume(topic, { from: 'beginning' })) records.push(shown(record))
      found.set(topic, records)
    }
    return found
  } finally {
    await millrace.close()
  }
}

function shown({ key, value, timestampMs, headers }: TopicRecord): string {
  const hex = (part: Uint8Array | null): string =>
    part === null ? 'null' : Buffer.from(part).toString('hex')
  const text = value === null ? 'null' : Buffer.from(value).toString()
  return `${hex(key)} = ${text} @ ${timestampMs} ${headers.map((h) => `${h.key}:${hex(h.value)}`).join()}`
}

const files = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith('.json')) : []

test.skipIf(files.length === 0)(
  'reopened half-way, the engine gives what the record-at-a-time driver gives',
  async () => {
    let compared = 0
    for (const file of files) {
      for (const unread of casesOf(readFileSync(join(directory, file), 'utf8')) ?? []) {
        const testCase = unread.read()
        const run = await runByDriver(testCase)
        // A case about topics that exist with other partition counts than statements say.
        if (run === null || /PARTITIONS/i.test(run.text)) continue
        compared++
        const expected = new Map([...run.sinks].map((topic) => [topic, run.driver.records(topic).map(shown)]))
        expect(await runThroughTheLog(testCase, run), testCase.id).toEqual(expected)
      }
    }
    expect(compared).toBeGreaterThan(700)
  },
  240_000,
)
