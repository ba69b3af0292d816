import type { Millrace, NewRecord } from '../../src/runtime/millrace.ts'
import { CASES } from './cases.ts'
import { DECLARATIONS, type Feed } from './feed.ts'

const OUT = `WITH (key_format = 'KAFKA', value_format = 'JSON')`

/** A query over one or two cases' streams. */
interface Reader {
  readonly writes: string
  readonly sources: readonly string[]
  readonly statement: string
}

function readersOf(source: string): Reader[] {
  const reader = (name: string, create: string, select: string): Reader => ({
    writes: `${source}_${name}`,
    sources: [source],
    statement: `CREATE ${create} IF NOT EXISTS ${source}_${name} ${OUT} AS ${select};`,
  })
  const copy = reader('COPY', 'STREAM', `SELECT k, v FROM ${source}`)
  // Values in format KAFKA can't be grouped or joined.
  if (source === 'KAFKA_S') return [copy]
  return [
    copy,
    reader(
      'WINDOWS',
      'TABLE',
      `SELECT k, COUNT(*) AS n, SUM(v) AS total FROM ${source}
       WINDOW TUMBLING (SIZE 7 SECONDS, GRACE PERIOD 10 SECONDS) GROUP BY k EMIT FINAL`,
    ),
    reader(
      'JOINED',
      'STREAM',
      `SELECT s.k AS k, s.v AS v, n.label AS label FROM ${source} s LEFT JOIN names n ON s.k = n.k`,
    ),
  ]
}

const READERS: readonly Reader[] = [
  ...CASES.flatMap(({ name }) => readersOf(name)),
  {
    writes: 'MET',
    sources: ['JSON_S', 'DELIMITED_S'],
    statement: `CREATE STREAM IF NOT EXISTS met ${OUT} AS
      SELECT j.k AS k, j.v AS v, d.v AS w FROM json_s j JOIN delimited_s d
      WITHIN 300 MILLISECONDS GRACE PERIOD 10 SECONDS ON j.k = d.k;`,
  },
]

/** What is joined; one of them can't be read. */
export const NAMES: readonly NewRecord[] = [
  { key: 'good 1', value: { LABEL: 'one' } },
  { key: 'good 2', value: '{bad' },
  { key: 'good 3', value: { LABEL: 'three' } },
]

export const PIPELINE = `${DECLARATIONS}
CREATE TABLE IF NOT EXISTS names (k STRING PRIMARY KEY, label STRING)
  WITH (kafka_topic = 'names', value_format = 'JSON');
${READERS.map(({ statement }) => statement).join('\n')}`

/** Runs statements over what is there, to its end. */
export async function runPipeline(millrace: Millrace, statements: string): Promise<void> {
  await millrace.sql(statements)
  await millrace.untilIdle()
  await millrace.endOfInput()
  await millrace.untilIdle()
}

/** By the name of what a query writes. */
export function queryIds(millrace: Millrace): ReadonlyMap<string, string> {
  return new Map(millrace.queries().map((query) => [query.writes!, query.id]))
}

/** What came out, as far as it is of good records, and what was told of, by query. */
export interface Outcome {
  /** Per topic: the records of good keys, partition by partition. */
  readonly good: ReadonlyMap<string, readonly string[]>
  /** Per case: how often the record of each time came out of its copy. */
  readonly copied: ReadonlyMap<string, ReadonlyMap<number, number>>
  /** Per query: how often each record was told of, `topic/partition/offset`. */
  readonly told: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly reasonLengthMax: number
}

export async function readOutcome(millrace: Millrace): Promise<Outcome> {
  const good = new Map<string, string[]>()
  const copied = new Map<string, Map<number, number>>()
  for (const { writes, sources } of READERS) {
    const lines: string[] = []
    const times = new Map<number, number>()
    good.set(writes, lines)
    if (writes.endsWith('_COPY')) copied.set(sources[0]!, times)
    for await (const record of millrace.consume(writes, { from: 'beginning' })) {
      count(times, record.timestampMs)
      const key = Buffer.from(record.key ?? []).toString('latin1')
      if (!key.startsWith('good')) continue
      const value = Buffer.from(record.value!).toString()
      lines.push(`${record.partition} ${key} ${value} @${record.timestampMs}`)
    }
    lines.sort()
  }
  const told = new Map<string, Map<string, number>>()
  let reasonLengthMax = 0
  for await (const { key, value } of millrace.consume('millrace_processing_log', { from: 'beginning' })) {
    const entry = JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>
    reasonLengthMax = Math.max(reasonLengthMax, String(entry['REASON']).length)
    const query = Buffer.from(key!).toString()
    const places = told.get(query) ?? new Map<string, number>()
    told.set(query, places)
    count(
      places,
      `${String(entry['SOURCE_TOPIC'])}/${String(entry['SOURCE_PARTITION'])}/${String(entry['SOURCE_OFFSET'])}`,
    )
  }
  return { good, copied, told, reasonLengthMax }
}

export interface Verdicts {
  lost: number
  doubled: number
  wrong: number
  kept: number
  told: number
  readonly details: string[]
}

/** Holds an outcome against what was sent and what comes out where only the good records are. */
export function judge(
  feed: Feed,
  outcome: Outcome,
  undisturbed: Outcome,
  queryIds: ReadonlyMap<string, string>,
): Verdicts {
  const verdicts: Verdicts = { lost: 0, doubled: 0, wrong: 0, kept: 0, told: 0, details: [] }
  const fault = (kind: 'lost' | 'doubled' | 'wrong', detail: string): void => {
    verdicts[kind]++
    if (verdicts.details.length < 20) verdicts.details.push(`${kind}: ${detail}`)
  }
  for (const [topic, lines] of outcome.good) {
    const expected = undisturbed.good.get(topic)!
    if (expected.length === 0) fault('wrong', `${topic} is empty`)
    if (lines.length < expected.length) fault('lost', `${topic}: ${lines.length} of ${expected.length}`)
    else if (lines.length > expected.length)
      fault('doubled', `${topic}: ${lines.length} for ${expected.length}`)
    else {
      const at = lines.findIndex((line, i) => line !== expected[i])
      if (at >= 0) fault('wrong', `${topic}: ${lines[at]} instead of ${expected[at]}`)
    }
  }
  for (const [topic, records] of feed) {
    const offsets = [0, 0]
    const copied = outcome.copied.get(topic)!
    for (const { verdict, name, partition, timestampMs } of records) {
      const place = `${partition}/${offsets[partition]!++}`
      const out = copied.get(timestampMs) ?? 0
      for (const { writes } of READERS.filter(({ sources }) => sources.includes(topic))) {
        const told = outcome.told.get(queryIds.get(writes)!)?.get(`${topic}/${place}`) ?? 0
        const where = `${topic}/${place} (${name}): came out ${out} times, told of ${told} times by ${writes}`
        if (out + told === 0) fault('lost', where)
        else if (out + told > 1) fault('doubled', where)
        else if (verdict === 'bad' ? told !== 1 : verdict !== 'spoiled' && out !== 1) fault('wrong', where)
        else if (told === 1) verdicts.told++
        else verdicts.kept++
      }
    }
  }
  if (outcome.reasonLengthMax > 1_001) fault('wrong', `a reason of ${outcome.reasonLengthMax} characters`)
  return verdicts
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
