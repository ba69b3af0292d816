import { murmur2, partitionOf } from '../../src/log/murmur2.ts'
import type { Random } from '../../src/base/random.ts'
import type { NewRecord } from './clients.ts'
import { EPOCH_MS } from './scheduler.ts'

/** Event time begins here. */
const START_MS = EPOCH_MS - 3_600_000

/** Keys that a partitioner sends to a partition. */
function keysOf(partition: number, partitions: number): string[] {
  const keys: string[] = []
  for (let n = 0; keys.length < 3; n++) {
    if (partitionOf(murmur2(Buffer.from(`k${n}`)), partitions) === partition) keys.push(`k${n}`)
  }
  return keys
}

const ZONES = ['north', 'south', 'east']

/** Readings per partition, in order: some late, within grace and beyond, some that cannot be read. */
export function newReadings(partitions: number, random: Random): NewRecord[][] {
  let n = 0
  return Array.from({ length: partitions }, (_, partition) => {
    let nowMs = START_MS
    const keys = keysOf(partition, partitions)
    return Array.from({ length: 3 + random.below(Math.ceil(28 / partitions)) }, (): NewRecord => {
      nowMs += random.below(10) === 0 ? 12_000 : random.below(3_000)
      const lateMs = random.below(6) === 0 ? random.below(20_000) : 0
      const reading = { n: n++, v: random.below(100), zone: ZONES[random.below(ZONES.length)] }
      const isPoison = random.below(14) === 0
      return {
        topic: 'readings',
        partition,
        key: keys[random.below(3)]!,
        value: isPoison ? `{ bad ${reading.n}` : JSON.stringify(reading),
        timestampMs: Math.max(START_MS, nowMs - lateMs),
      }
    })
  })
}

/** Records of several topics in the order of their time, no two of one time: so they are joined in one way only. */
export function newOrdered(topics: readonly string[], partitions: number, random: Random): NewRecord[] {
  let nowMs = START_MS
  return Array.from({ length: 6 + random.below(22) }, (_, n): NewRecord => {
    nowMs += 1 + (random.below(8) === 0 ? random.below(12_000) : random.below(2_500))
    const topic = topics[random.below(topics.length)]!
    const partition = random.below(partitions)
    const isDeletion = topic === 'users' && random.below(5) === 0
    return {
      topic,
      partition,
      key: keysOf(partition, partitions)[random.below(3)]!,
      value: isDeletion ? null : JSON.stringify({ n, v: random.below(100) }),
      timestampMs: nowMs,
    }
  })
}

/** Records of transactions, over all partitions. */
export function newTransactions(partitions: number, random: Random): NewRecord[][] {
  let n = 0
  return Array.from({ length: 2 + random.below(5) }, () =>
    Array.from({ length: 1 + random.below(4) }, (): NewRecord => {
      const partition = random.below(partitions)
      const value = JSON.stringify({ n })
      return {
        topic: 'moves',
        partition,
        key: keysOf(partition, partitions)[random.below(3)]!,
        value,
        timestampMs: START_MS + n++ * 100,
      }
    }),
  )
}
