import { systemClock, type Clock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { EmbeddedLog } from '../../src/log/embedded-log.ts'
import { Millrace } from '../../src/runtime/millrace.ts'

/*
 * What a golden directory holds, and how it is read. Later versions run this over the directories of earlier ones:
 * what is here may be added to, and then belongs to the next golden directory, but not changed.
 */

/** When everything happens. */
const NOW = Date.UTC(2026, 10, 21, 12)
const SECOND = 1_000
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** The wall clock stands still, so that silence is none and timestamps are the same each time. */
const clock: Clock = { ...systemClock, nowMs: () => NOW }

export function openGolden(dataDirectory: string, onFailure: (text: string) => void): Promise<Millrace> {
  return Millrace.open({
    dataDirectory,
    clock,
    random: seededRandom(7),
    commitIntervalMs: 5,
    onProblem: ({ kind, queryId, detail }) => {
      if (kind === 'query-failed') onFailure(`${queryId}: ${detail}`)
    },
  })
}

const STATEMENTS = `
CREATE TYPE place AS STRUCT<lat DOUBLE, lon DOUBLE>;
CREATE STREAM readings (id STRING KEY, v INT, d DECIMAL(10, 2), s STRING)
  WITH (kafka_topic = 'readings', value_format = 'JSON', partitions = 2);
CREATE STREAM trips (id STRING KEY, trip STRING) WITH (kafka_topic = 'trips', value_format = 'JSON', partitions = 2);
CREATE TABLE names (id STRING PRIMARY KEY, name STRING, team STRING)
  WITH (kafka_topic = 'names', value_format = 'JSON', partitions = 2);
CREATE STREAM avro_copy WITH (value_format = 'AVRO', key_format = 'KAFKA') AS SELECT id, v, d, s FROM readings;
CREATE STREAM proto_copy WITH (value_format = 'PROTOBUF') AS SELECT id, v, s FROM readings WHERE v > 2;
CREATE STREAM by_text AS SELECT s, id, v FROM readings PARTITION BY s;
CREATE TABLE totals AS SELECT id, COUNT(*) AS n, SUM(v) AS total, MAX(v) AS top FROM readings GROUP BY id;
CREATE TABLE lists AS SELECT id, COLLECT_LIST(s) AS texts, LATEST_BY_OFFSET(d) AS latest FROM readings GROUP BY id;
CREATE TABLE spans AS SELECT id, COUNT(*) AS n, AVG(v) AS mean FROM readings
  WINDOW TUMBLING (SIZE 10 SECONDS, RETENTION 1 DAYS, GRACE PERIOD 5 SECONDS) GROUP BY id;
CREATE TABLE finals AS SELECT id, COUNT(*) AS n, SUM(v) AS total FROM readings
  WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY id EMIT FINAL;
CREATE TABLE hops AS SELECT id, COUNT(*) AS n FROM readings
  WINDOW HOPPING (SIZE 20 SECONDS, ADVANCE BY 10 SECONDS, RETENTION 1 DAYS, GRACE PERIOD 5 SECONDS) GROUP BY id;
CREATE TABLE sessions AS SELECT id, COUNT(*) AS n, COLLECT_LIST(v) AS vs FROM readings
  WINDOW SESSION (6 SECONDS, RETENTION 1 DAYS, GRACE PERIOD 5 SECONDS) GROUP BY id;
CREATE STREAM named AS SELECT r.id AS id, r.v AS v, n.name AS name FROM readings r LEFT JOIN names n ON r.id = n.id;
CREATE STREAM met AS SELECT r.id AS id, r.v AS v, t.trip AS trip FROM readings r LEFT JOIN trips t
  WITHIN 8 SECONDS GRACE PERIOD 4 SECONDS ON r.id = t.id;
CREATE TABLE teams AS SELECT team, COUNT(*) AS n FROM names GROUP BY team;
CREATE TABLE both_tables AS SELECT t.id AS id, t.total, n.name FROM totals t JOIN names n ON t.id = n.id;
CREATE ALERT hot AS SELECT id, v FROM readings WHERE v > 7 FOR 5 SECONDS KEEP FIRING FOR 5 SECONDS SEVERITY 'critical';
`

/** Topics whose records don't depend on how cycles cut the input. */
const TOPICS = [
  ...CODECS.map((codec) => `codec.${codec}`),
  'compacted',
  'transactions',
  'readings',
  'trips',
  'names',
  'AVRO_COPY',
  'PROTO_COPY',
  'BY_TEXT',
  'FINALS',
  'NAMED',
  'MET',
  'HOT',
  'millrace_processing_log',
]
const TABLES = ['TOTALS', 'LISTS', 'SPANS', 'HOPS', 'SESSIONS', 'TEAMS', 'BOTH_TABLES']

const text = (value: string): Uint8Array => Buffer.from(value)

/** Input of both halves: the second is what a later version goes on with. */
async function feed(millrace: Millrace, half: 0 | 1): Promise<void> {
  const from = half * 40
  await millrace.produce('names', [
    {
      key: 'a',
      value: { NAME: `ann ${half}`, TEAM: half === 0 ? 'red' : 'blue' },
      timestampMs: NOW - 600 * SECOND,
    },
    { key: 'b', value: { NAME: 'bob', TEAM: 'red' }, timestampMs: NOW - 600 * SECOND },
    { key: half === 0 ? 'c' : 'b', value: null, timestampMs: NOW - 600 * SECOND },
  ])
  await millrace.untilIdle()
  const timeOf = (i: number): number => NOW - 400 * SECOND + i * 900
  for (let i = from; i < from + 40; i++) {
    const id = 'abc'[i % 3]!
    const partition = i % 3 === 1 ? 1 : 0
    const timestampMs = timeOf(i)
    const value = i % 11 === 5 ? 'no JSON' : { V: i % 10, D: i / 4, S: i % 4 === 0 ? null : `text ${i % 5}` }
    await millrace.produce('readings', [{ key: id, value, timestampMs, partition }])
    if (i % 5 === 0)
      await millrace.produce('trips', [{ key: id, value: { TRIP: `trip ${i}` }, timestampMs, partition }])
    // One order of the two inputs, in every run.
    await millrace.untilIdle()
  }
}

async function feedLog(millrace: Millrace): Promise<void> {
  const { log } = millrace
  for (const codec of CODECS) {
    await log.createTopic(`codec.${codec}`, { partitions: 1 })
    const producer = log.producer({ compression: codec, lingerMs: 5 })
    for (let i = 0; i < 60; i++) {
      void producer.send({
        topic: `codec.${codec}`,
        partition: 0,
        key: i % 7 === 0 ? null : text(`key ${i % 5}`),
        value: i % 13 === 0 ? null : text(`value ${i} `.repeat(20)),
        timestampMs: NOW - i,
        headers:
          i % 9 === 0
            ? [
                { key: 'h', value: text('x') },
                { key: 'none', value: null },
              ]
            : [],
      })
    }
    await producer.close()
  }
  await log.createTopic('compacted', {
    partitions: 1,
    config: { 'cleanup.policy': 'compact', 'segment.bytes': '2000', 'min.cleanable.dirty.ratio': '0.01' },
  })
  const compacted = log.producer()
  for (let i = 0; i < 60; i++) {
    await compacted.send({
      topic: 'compacted',
      partition: 0,
      key: text(`key ${i % 6}`),
      value: i % 17 === 0 ? null : text(`value ${i}`),
      timestampMs: NOW - 100 + i,
    })
  }
  await compacted.close()
  await (log as EmbeddedLog).maintain()
  await log.createTopic('transactions', { partitions: 2 })
  const transactional = log.producer({ transactionalId: 'golden', transactionTimeoutMs: 600_000 })
  const sendTwo = async (what: string): Promise<void> => {
    for (const partition of [0, 1])
      await transactional.send({
        topic: 'transactions',
        partition,
        key: text(what),
        value: text(`${what} ${partition}`),
        timestampMs: NOW,
      })
  }
  for (const what of ['first', 'aborted', 'second']) {
    await transactional.beginTransaction()
    await sendTwo(what)
    if (what === 'first')
      await transactional.sendOffsets('readers', [
        { topic: 'codec.none', partition: 0, offset: 17, metadata: 'here' },
      ])
    await (what === 'aborted' ? transactional.abortTransaction() : transactional.commitTransaction())
  }
  // One that is open while the directory is closed, and while it is opened by another version.
  await transactional.beginTransaction()
  await sendTwo('open')
  await transactional.flush()
  await log.commitOffsets('others', [{ topic: 'codec.gzip', partition: 0, offset: 3 }])
}

/** Fills a new directory. */
export async function fill(millrace: Millrace): Promise<void> {
  await feedLog(millrace)
  await millrace.sql(STATEMENTS)
  await feed(millrace, 0)
  await millrace.sql("PAUSE CSAS_BY_TEXT_2; DEFINE x = '1';")
}

/** What a later version does to it: the queries go on, and the open transaction is replaced. */
export async function goOn(millrace: Millrace): Promise<void> {
  await millrace.sql('RESUME CSAS_BY_TEXT_2;')
  await feed(millrace, 1)
  const transactional = millrace.log.producer({ transactionalId: 'golden' })
  await transactional.beginTransaction()
  await transactional.send({
    topic: 'transactions',
    partition: 0,
    key: null,
    value: text('after'),
    timestampMs: NOW,
  })
  await transactional.commitTransaction()
  await transactional.close()
}

export interface Snapshot {
  readonly topics: Readonly<Record<string, readonly string[]>>
  readonly tables: Readonly<Record<string, readonly string[]>>
  readonly queries: readonly string[]
  readonly sources: readonly string[]
  readonly offsets: readonly string[]
  readonly settings: Readonly<Record<string, unknown>>
  readonly subjects: readonly string[]
}

/** Everything a user can read of a directory. */
export async function snapshotOf(millrace: Millrace): Promise<Snapshot> {
  const { log } = millrace
  const topics: Record<string, string[]> = {}
  for (const topic of TOPICS) {
    const lines: string[] = []
    for await (const record of millrace.consume(topic, { from: 'beginning' })) {
      const { partition, offset, key, value, timestampMs, headers } = record
      const shown = (bytes: Uint8Array | null): string | null =>
        bytes === null ? null : Buffer.from(bytes).toString('latin1')
      lines.push(
        JSON.stringify([
          partition,
          offset,
          shown(key),
          shown(value),
          timestampMs,
          headers.map((h) => [h.key, shown(h.value)]),
        ]),
      )
    }
    // Between partitions there is no order, and in partitions there is.
    topics[topic] = lines.toSorted((a, b) => Number(a[1]) - Number(b[1]))
  }
  const tables: Record<string, string[]> = {}
  for (const table of TABLES) {
    const rows: string[] = []
    for await (const row of millrace.query(`SELECT * FROM ${table};`)) {
      rows.push(
        JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
      )
    }
    tables[table] = rows.toSorted()
  }
  const offsets = ['readers', 'others'].flatMap((group) =>
    log
      .committedOffsets(group)
      .map((o) => `${group} ${o.topic}-${o.partition} ${o.offset} ${o.metadata ?? ''}`),
  )
  return {
    topics,
    tables,
    queries: millrace.queries().map(({ id, state, statement }) => `${id} ${state} ${statement}`),
    sources: millrace.catalog.sourceNames().toSorted(),
    offsets: offsets.toSorted(),
    settings: log.topic('compacted')!.config,
    subjects: ['AVRO_COPY-value', 'PROTO_COPY-value'].map(
      (subject) => `${subject} ${millrace.schemas.latest(subject)?.text ?? 'none'}`,
    ),
  }
}
