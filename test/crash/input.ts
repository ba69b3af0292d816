import { seededRandom } from '../../src/base/random.ts'
import { openLog } from '../../src/log/open-log.ts'
import { walkRecords } from '../../src/log/walk-records.ts'
import { OUTPUT_TOPICS_IN_SMALL_SEGMENTS } from './pipeline.ts'

/** The clock of every process of a crash test stands here. */
export const NOW_MS = Date.UTC(2026, 2, 1, 12)
const START_MS = Date.UTC(2026, 2, 1, 8)
export const PARTITIONS = 4
export const INPUT_TOPICS = ['vehicle.telemetry', 'trips', 'vehicles', 'drivers', 'depots'] as const

/** A record as it lies in an input topic. */
export interface InputRecord {
  readonly topic: string
  readonly partition: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestampMs: number
}

interface NewRecord {
  readonly topic: (typeof INPUT_TOPICS)[number]
  readonly key: string | null
  readonly value: string | null
  readonly timestampMs: number
}

/**
 * Readings of 16 vehicles and what belongs to them, in the order of their production. Timestamps are never
 * equal. Among the readings: some undecodable, of a wrong type, without key or value, and late ones, within
 * grace and far beyond; vehicles that overheat for a while or fall silent.
 */
export function newInput(seed: number, readings: number): NewRecord[] {
  const random = seededRandom(seed)
  const records: NewRecord[] = []
  const taken = new Set<number>()
  const at = (wantedMs: number): number => {
    let ms = Math.round(wantedMs)
    while (taken.has(ms)) ms++
    taken.add(ms)
    return ms
  }
  const vehicle = (): number => 1 + random.below(16)
  const idOf = (n: number): string => `V${String(n).padStart(3, '0')}`
  const zone = (): string => `zone-${random.below(6)}`
  const vehicleRow = (n: number, timeMs: number): NewRecord => ({
    topic: 'vehicles',
    key: idOf(n),
    value:
      random.below(12) === 0
        ? null
        : JSON.stringify({ model: `model-${random.below(5)}`, depot: zone(), seats: random.below(60) }),
    timestampMs: at(timeMs),
  })
  // Enough that a table takes several steps to load before a stream that joins it.
  for (let i = 0; i < 400; i++) records.push(vehicleRow(1 + (i % 16), START_MS - 600_000 + i * 1_000))
  let nowMs = START_MS
  for (let i = 0; i < readings; i++) {
    nowMs += 300 + random.below(600)
    const minute = (nowMs - START_MS) / 60_000
    const n = vehicle()
    if ((n === 7 && minute > 4 && minute < 9) || (n === 11 && minute > 6)) continue
    const isHot = n === 3 && minute > 2 && minute < 6
    const lateMs = random.below(25) === 0 ? random.below(8) * 15_000 : 0
    const timestampMs = at(nowMs - lateMs)
    const reading = {
      vehicle_id: idOf(n),
      ts: timestampMs,
      speed: Math.round(400 + random.next() * 900) / 10,
      engine_temp: Math.round((isHot ? 1180 : 850) + random.next() * 150) / 10,
      fuel_level: Math.round(1000 - (i * 600) / readings) / 10,
      lat: 30 + random.below(1000) / 1000,
      lon: -97 - random.below(1000) / 1000,
      zone: random.below(40) === 0 ? null : zone(),
    }
    const text = JSON.stringify(reading)
    const poison = random.below(60)
    records.push({
      topic: 'vehicle.telemetry',
      key: poison === 3 ? null : reading.vehicle_id,
      value:
        poison === 0
          ? text.slice(0, 30)
          : poison === 1
            ? JSON.stringify({ ...reading, speed: 'fast' })
            : poison === 2
              ? null
              : text,
      timestampMs,
    })
    if (random.below(4) === 0) {
      records.push({
        topic: 'trips',
        key: idOf(n),
        value: JSON.stringify({ trip: `t${i}`, passengers: random.below(5) }),
        timestampMs: at(nowMs + random.below(12_000) - 6_000),
      })
    }
    if (random.below(16) === 0) records.push(vehicleRow(vehicle(), nowMs))
    if (random.below(20) === 0) {
      records.push({
        topic: 'depots',
        key: zone(),
        value: random.below(6) === 0 ? null : JSON.stringify({ city: `city-${random.below(20)}` }),
        timestampMs: at(nowMs + 2),
      })
    }
    if (random.below(10) === 0) {
      records.push({
        topic: 'drivers',
        key: idOf(vehicle()),
        value: random.below(6) === 0 ? null : JSON.stringify({ driver: `d${random.below(30)}` }),
        timestampMs: at(nowMs + 1),
      })
    }
  }
  return records
}

/** Makes a data directory that holds the input, in small batches, and nothing else. */
export async function writeInput(directory: string, records: readonly NewRecord[]): Promise<void> {
  const log = await openLog({ directory, durability: 'os', journalBytesMax: 1 << 20 })
  try {
    for (const topic of INPUT_TOPICS) await log.createTopic(topic, { partitions: PARTITIONS })
    for (const topic of OUTPUT_TOPICS_IN_SMALL_SEGMENTS) {
      await log.createTopic(topic, { partitions: PARTITIONS, config: { 'segment.bytes': '12000' } })
    }
    const producer = log.producer({ batchBytesMax: 1_500 })
    let unkeyed = 0
    const sent = records.map(({ topic, key, value, timestampMs }) =>
      producer.send({
        topic,
        key: key === null ? null : Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
        timestampMs,
        ...(key === null ? { partition: unkeyed++ % PARTITIONS } : {}),
      }),
    )
    await producer.flush()
    await Promise.all(sent)
    await producer.close()
  } finally {
    await log.close()
  }
}

/** The input as it lies in the topics: per topic and partition in order. */
export async function readInput(directory: string): Promise<InputRecord[]> {
  const log = await openLog({ directory, durability: 'os', journalBytesMax: 1 << 20 })
  const found: InputRecord[] = []
  try {
    for (const topic of INPUT_TOPICS) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const end = log.ends(topic, partition).lastStable
        for (let offset = 0; offset < end;) {
          const slice = await log.read(topic, partition, offset, 1 << 20)
          const columns = walkRecords(slice.bytes, offset, slice.aborted)
          for (let row = 0; row < columns.count; row++) {
            const part = (from: number, to: number): Uint8Array | null =>
              from < 0 ? null : columns.bytes.slice(from, to)
            found.push({
              topic,
              partition,
              key: part(columns.keyStarts[row]!, columns.keyEnds[row]!),
              value: part(columns.valueStarts[row]!, columns.valueEnds[row]!),
              timestampMs: columns.timestamps[row]!,
            })
          }
          offset = slice.nextOffset
        }
      }
    }
  } finally {
    await log.close()
  }
  return found
}
