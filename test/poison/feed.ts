import type { Random } from '../../src/base/random.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { CASES, MESSAGE_BYTES_MAX, spoiled, timeOf, type Case, type Fed, type Poison } from './cases.ts'

export const PARTITIONS = 2
/** What becomes of a record is known, or it was spoiled at random: then it comes out or is told of. */
export type Verdict = 'good' | 'bad' | 'odd' | 'spoiled'

export interface Sent extends Fed {
  readonly verdict: Verdict
  /** For messages. */
  readonly name: string
  readonly partition: number
}

export interface FeedOptions {
  /** Good records of each case. */
  readonly good: number
  /** Of each case, besides all that have a name. */
  readonly spoiled: number
  readonly random: Random
}

/** What is sent to each case's topic, in order; `bad` ones and the like lie between good ones. */
export type Feed = ReadonlyMap<string, readonly Sent[]>

export const DECLARATIONS = CASES.map(
  ({ name, columns, properties }) =>
    `CREATE STREAM IF NOT EXISTS ${name} (k STRING KEY, ${columns}) WITH (kafka_topic = '${name}', ${properties});`,
).join('\n')

export async function createTopics(millrace: Millrace): Promise<void> {
  for (const { name } of CASES) {
    await millrace.createTopic(name, {
      partitions: PARTITIONS,
      config: { 'max.message.bytes': String(MESSAGE_BYTES_MAX) },
    })
  }
}

/** Makes the records of all cases: the good ones as INSERT writes them, in a Millrace with {@link DECLARATIONS}. */
export async function newFeed(millrace: Millrace, options: FeedOptions): Promise<Feed> {
  const feed = new Map<string, readonly Sent[]>()
  for (const kase of CASES) feed.set(kase.name, await feedOf(millrace, kase, options))
  return feed
}

async function feedOf(millrace: Millrace, kase: Case, options: FeedOptions): Promise<Sent[]> {
  const { random } = options
  // One that ends earlier than what it is joined with: slices of that are handed over in parts.
  const count = kase.name === 'DELIMITED_S' ? options.good >> 1 : options.good
  const good = await goodRecords(millrace, kase, count)
  const others: ((at: Fed, i: number) => Omit<Sent, 'partition'>)[] = [
    ...kase.poisons.map((poison) => (at: Fed, i: number) => withPoison(at, poison, 'bad', i)),
    ...kase.oddities.map((poison) => (at: Fed, i: number) => withPoison(at, poison, 'odd', i)),
    // Where the event time is in the value, a spoiled one could be any time.
    ...Array.from({ length: kase.properties.includes('timestamp') ? 0 : options.spoiled }, () => {
      return (at: Fed, i: number) => {
        const value = spoiled(Buffer.from(at.value!), random)
        return { ...withPoison(at, { name: 'spoiled', value: () => value }, 'spoiled', i) }
      }
    }),
  ]
  const places = others.map(() => random.below(good.length))
  const sent: Omit<Sent, 'partition'>[] = []
  good.forEach((record, i) => {
    sent.push({ ...record, verdict: 'good', name: 'good' })
    others.forEach((make, n) => {
      if (places[n] === i) sent.push(make(record, n))
    })
  })
  return sent.map((record) => ({ ...record, partition: random.below(PARTITIONS) }))
}

/** Other keys than the good ones have, so that what is made of odd records can be told from the rest. */
function withPoison(at: Fed, poison: Poison, verdict: Verdict, i: number): Omit<Sent, 'partition'> {
  const ownKey = Buffer.from(at.key!).toString().startsWith('"') ? `"odd ${i}"` : `odd ${i}`
  return {
    key: poison.key === undefined ? Buffer.from(ownKey) : poison.key(),
    value: poison.value === undefined ? at.value : poison.value(Buffer.from(at.value!)),
    // Its own, so that what comes out tells what it was made of.
    timestampMs: poison.timestampMs ?? at.timestampMs + 1 + i,
    verdict,
    name: poison.name,
  }
}

async function goodRecords(millrace: Millrace, kase: Case, count: number): Promise<Fed[]> {
  const rows = Array.from(
    { length: count },
    (_, i) => `(${timeOf(i)}, 'good ${i % 7}', ${kase.row(i)})`,
  ).join(', ')
  const names = kase.columns
    .replace(/<[^()]*>+/g, '')
    .split(',')
    .map((column) => column.trim().split(' ')[0])
  await millrace.sql(`INSERT INTO ${kase.name} (ROWTIME, k, ${names.join(', ')}) VALUES ${rows};`)
  const records: Fed[] = []
  for await (const { key, value, timestampMs } of millrace.consume(kase.name, { from: 'beginning' }))
    records.push({ key: Buffer.from(key!), value: Buffer.from(value!), timestampMs })
  return records.toSorted((a, b) => a.timestampMs - b.timestampMs)
}

/** Sends a feed; `only` good records, where asked for. */
export async function send(millrace: Millrace, feed: Feed, only: Verdict | null): Promise<void> {
  for (const [topic, records] of feed) {
    const chosen = records.filter(({ verdict }) => only === null || verdict === only)
    await millrace.produce(
      topic,
      chosen.map(({ key, value, timestampMs, partition }) => ({ key, value, timestampMs, partition })),
    )
  }
}
