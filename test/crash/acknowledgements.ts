import type { Log } from '../../src/log/log.ts'
import { walkRecords } from '../../src/log/walk-records.ts'
import type { Difference } from './compare.ts'

/*
 * A producer that goes on beside the pipeline: whatever it was told is durable has to be there in the end,
 * where it was said to be, once. Each record is sent to three topics: one that keeps everything, one that
 * keeps little, one that is cleaned.
 */
export const KEPT_TOPIC = 'acknowledged.kept'
export const EXPIRING_TOPIC = 'acknowledged.expiring'
export const CLEANED_TOPIC = 'acknowledged.cleaned'
const TOPICS = [KEPT_TOPIC, EXPIRING_TOPIC, CLEANED_TOPIC]
const KEYS = 50
const PARTITIONS = 2

export async function createAcknowledgedTopics(log: Log): Promise<void> {
  const small = { 'segment.bytes': '12000' }
  await log.createTopic(KEPT_TOPIC, { partitions: PARTITIONS, config: { 'segment.bytes': '200000' } })
  await log.createTopic(EXPIRING_TOPIC, {
    partitions: PARTITIONS,
    config: { ...small, 'retention.bytes': '30000' },
  })
  await log.createTopic(CLEANED_TOPIC, {
    partitions: PARTITIONS,
    config: { ...small, 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.3' },
  })
}

/** Sends until it is stopped. @param life  makes its records differ from those of other lives */
export async function sendAndTell(
  log: Log,
  life: number,
  tell: (line: string) => void,
  isStopped: () => boolean,
  everyMs: number,
): Promise<void> {
  const producer = log.producer()
  for (let n = 0; !isStopped(); n++) {
    const record = { key: Buffer.from(`key-${n % KEYS}`), value: Buffer.from(`${life}:${n}`) }
    await Promise.all(
      TOPICS.map(async (topic) => {
        const { partition, offset } = await producer.send({ ...record, topic })
        tell(`${topic} ${partition} ${offset} ${life}:${n}`)
      }),
    )
    await new Promise<void>((resolve) => setTimeout(resolve, everyMs))
  }
  await producer.close()
}

/** What was acknowledged to the producers of all lives. */
export class Acknowledgements {
  /** Per topic and partition, values by offset. */
  readonly #values = new Map<string, Map<number, string>>()
  /** Places that were given twice: what stood there first was lost in between. */
  readonly #lost: Difference[] = []
  #count = 0

  get count(): number {
    return this.#count
  }

  /** @param told  a line that {@link sendAndTell} told */
  add(told: string): void {
    const [topic, partition, offset, value] = told.split(' ') as [string, string, string, string]
    const place = `${topic}-${partition}`
    let values = this.#values.get(place)
    if (values === undefined) this.#values.set(place, (values = new Map()))
    const before = values.get(Number(offset))
    if (before !== undefined) {
      this.#lost.push({
        kind: 'lost',
        detail: `${place} offset ${offset}: ${before} was acknowledged, and ${value} was later`,
      })
    }
    values.set(Number(offset), value)
    this.#count++
  }

  /** In what a log differs from what its producers were told. */
  async check(log: Log): Promise<Difference[]> {
    const differences = [...this.#lost]
    for (const topic of TOPICS) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const place = `${topic}-${partition}`
        differences.push(
          ...(await this.#checkPartition(log, topic, partition, this.#values.get(place) ?? new Map())),
        )
      }
    }
    return differences
  }

  async #checkPartition(
    log: Log,
    topic: string,
    partition: number,
    acknowledged: ReadonlyMap<number, string>,
  ): Promise<Difference[]> {
    const place = `${topic}-${partition}`
    const found = new Map<number, { key: string; value: string }>()
    const seen = new Set<string>()
    const last = new Map<string, number>()
    const differences: Difference[] = []
    const { logStart, lastStable } = log.ends(topic, partition)
    for (let offset = logStart; offset < lastStable;) {
      const slice = await log.read(topic, partition, offset, 1 << 20)
      const columns = walkRecords(slice.bytes, offset, slice.aborted)
      const text = (from: number, to: number): string =>
        Buffer.from(columns.bytes.subarray(from, to)).toString()
      for (let row = 0; row < columns.count; row++) {
        const key = text(columns.keyStarts[row]!, columns.keyEnds[row]!)
        const value = text(columns.valueStarts[row]!, columns.valueEnds[row]!)
        if (seen.has(value)) differences.push({ kind: 'doubled', detail: `${place}: ${value}` })
        seen.add(value)
        found.set(columns.offsets[row]!, { key, value })
        last.set(key, columns.offsets[row]!)
      }
      offset = slice.nextOffset
    }
    for (const [offset, value] of acknowledged) {
      const there = found.get(offset)?.value
      if (there === value) continue
      const key = `key-${Number(value.split(':')[1]) % KEYS}`
      // Expired, or cleaned away for a later one of its key.
      if (there === undefined && offset < logStart && topic === EXPIRING_TOPIC) continue
      if (there === undefined && topic === CLEANED_TOPIC && (last.get(key) ?? -1) > offset) continue
      differences.push(
        there === undefined
          ? { kind: 'lost', detail: `${place} offset ${offset}: ${value} was acknowledged and is missing` }
          : {
              kind: 'wrong',
              detail: `${place} offset ${offset}: ${there} stands where ${value} was acknowledged`,
            },
      )
    }
    return differences
  }
}
