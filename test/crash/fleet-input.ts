import { seededRandom } from '../../src/base/random.ts'
import { murmur2, partitionOf } from '../../src/log/murmur2.ts'
import { openLog } from '../../src/log/open-log.ts'
import { createAcknowledgedTopics } from './acknowledgements.ts'
import {
  CLEANED_OUTPUTS,
  FLEET_PARTITIONS,
  READINGS,
  ROLLED_OUTPUTS,
  TRIPS,
  VEHICLES,
} from './fleet-pipeline.ts'

const START_MS = Date.UTC(2026, 1, 1)
/** From one reading to the next, of all vehicles. */
const STEP_MS = 80
const POISON = '{"speed": 61.5, "engine_'

/** A reading as it was sent. Without values: what was sent is no JSON, or nothing. */
export interface Reading {
  readonly key: string | null
  readonly timestampMs: number
  readonly values: {
    readonly speed: number
    readonly engine_temp: number
    readonly stop: string
    readonly zone: string
    readonly boarded: number
  } | null
  readonly isPoison: boolean
}

export interface Trip {
  readonly key: string
  readonly timestampMs: number
  readonly trip: string
}

/** All that is sent to the fleet pipeline, per partition in the order of offsets. */
export interface FleetInput {
  readonly readings: readonly (readonly Reading[])[]
  readonly trips: readonly (readonly Trip[])[]
  /** Model by vehicle, as the table ends; how many records each partition of its topic has. */
  readonly models: ReadonlyMap<string, string>
  readonly vehicleRecords: readonly number[]
}

interface Sent {
  readonly topic: string
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
  readonly timestampMs: number
}

/**
 * Makes a data directory that holds readings of a fleet, and nothing else. Among the readings: ones that are
 * late, within grace and beyond, undecodable ones, ones without key or value; vehicles that overheat for a
 * while.
 */
export async function writeFleetInput(
  directory: string,
  seed: number,
  readings: number,
): Promise<FleetInput> {
  const log = await openLog({ directory, durability: 'os', journalBytesMax: 1 << 24 })
  const inputs = { partitions: FLEET_PARTITIONS, config: { 'segment.bytes': String(8 << 20) } }
  const cleaned = {
    'cleanup.policy': 'compact',
    'segment.bytes': '60000',
    'min.cleanable.dirty.ratio': '0.3',
  }
  try {
    for (const topic of [READINGS, TRIPS, VEHICLES]) await log.createTopic(topic, inputs)
    for (const topic of CLEANED_OUTPUTS) {
      await log.createTopic(topic, { partitions: FLEET_PARTITIONS, config: cleaned })
    }
    await createAcknowledgedTopics(log)
    for (const topic of ROLLED_OUTPUTS) {
      await log.createTopic(topic, { partitions: FLEET_PARTITIONS, config: { 'segment.bytes': '60000' } })
    }
    const producer = log.producer({ batchBytesMax: 2_000 })
    const input = newFleetInput(seed, readings)
    let pending: Promise<unknown>[] = []
    for (const { key, value, ...rest } of input.records) {
      const sent = producer.send({
        ...rest,
        key: key === null ? null : Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
      })
      if (pending.push(sent) < 20_000) continue
      await producer.flush()
      await Promise.all(pending)
      pending = []
    }
    await producer.flush()
    await Promise.all(pending)
    await producer.close()
    return input.input
  } finally {
    await log.close()
  }
}

/** How many vehicles send so many readings: enough for several to a window, many for an aggregate without. */
function vehicleCount(readings: number): number {
  return Math.min(1000, Math.max(40, Math.round(readings / 200)))
}

function newFleetInput(seed: number, count: number): { input: FleetInput; records: Iterable<Sent> } {
  const random = seededRandom(seed)
  const perPartition = <T>(): T[][] => Array.from({ length: FLEET_PARTITIONS }, () => [])
  const readings = perPartition<Reading>()
  const trips = perPartition<Trip>()
  const models = new Map<string, string>()
  const vehicleRecords = Array.from({ length: FLEET_PARTITIONS }, () => 0)
  const vehicles = vehicleCount(count)
  // Fewer vehicles send less often.
  const stepMs = (STEP_MS * 1000) / vehicles
  const idOf = (n: number): string => `V${String(n).padStart(4, '0')}`

  function* records(): Iterable<Sent> {
    for (let i = 0; i < vehicles * 3; i++) {
      const key = idOf(random.below(vehicles))
      const partition = partitionFor(key)
      const model = random.below(8) === 0 ? null : `model-${random.below(30)}`
      vehicleRecords[partition]!++
      if (model === null) models.delete(key)
      else models.set(key, model)
      const value = model === null ? null : JSON.stringify({ model })
      yield { topic: VEHICLES, partition, key, value, timestampMs: START_MS - 600_000 + i }
    }
    for (let i = 0; i < count; i++) {
      const nowMs = START_MS + i * stepMs
      const n = random.below(vehicles)
      const lateMs = random.below(20) === 0 ? random.below(20) * 15_000 : 0
      const timestampMs = Math.floor(nowMs - lateMs)
      const isHot = n % 16 === Math.floor(nowMs / 120_000) % 16
      const poison = random.below(300)
      const isPoison = poison === 0
      const reading: Reading = {
        key: poison === 1 ? null : idOf(n),
        timestampMs,
        values:
          poison === 0 || poison === 2
            ? null
            : {
                speed: Math.round(400 + random.next() * 900) / 10,
                engine_temp: Math.round((isHot ? 1085 : 850) + random.next() * 200) / 10,
                stop: `stop-${random.below(vehicles * 5)}`,
                zone: `zone-${random.below(30)}`,
                boarded: random.below(9),
              },
        isPoison,
      }
      const partition = reading.key === null ? i % FLEET_PARTITIONS : partitionFor(reading.key)
      readings[partition]!.push(reading)
      const value = isPoison ? POISON : reading.values === null ? null : JSON.stringify(reading.values)
      yield { topic: READINGS, partition, key: reading.key, value, timestampMs }
      if (random.below(10) > 0) continue
      const key = idOf(random.below(3) === 0 ? random.below(vehicles) : n)
      const trip: Trip = {
        key,
        timestampMs: Math.floor(nowMs + random.below(40_000) - 20_000),
        trip: `t${i}`,
      }
      trips[partitionFor(key)]!.push(trip)
      yield {
        topic: TRIPS,
        partition: partitionFor(key),
        key,
        value: JSON.stringify({ trip: trip.trip }),
        timestampMs: trip.timestampMs,
      }
    }
  }
  return { input: { readings, trips, models, vehicleRecords }, records: records() }
}

function partitionFor(key: string): number {
  const bytes = Buffer.from(key)
  return partitionOf(murmur2(bytes), FLEET_PARTITIONS)
}
