import { createHash } from 'node:crypto'
import { seededRandom } from '../src/base/random.ts'
import { ByteWriter } from '../src/formats/byte-writer.ts'
import type { Log } from '../src/log/log.ts'
import { murmur2, partitionOf } from '../src/log/murmur2.ts'
import { RecordBatchWriter } from '../src/log/record-batch.ts'

export const START_MS = 1_700_000_000_000
export const PARTITIONS = 4
/** Records per group that is appended to the log. */
const GROUP_RECORDS = 20_000

/** One generated reading, for whoever recomputes results. */
export interface Reading {
  readonly key: string
  readonly ts: number
  readonly region: string
  readonly speed: number
  readonly temp: number
}

export interface GeneratedTopic {
  readonly records: number
  readonly bytes: number
  /** Over keys and values in order of generation. */
  readonly sha256: string
}

/** A reading, and the record it is sent as. */
export interface GeneratedReading {
  readonly key: string
  readonly value: string
  readonly reading: Reading
}

/** The readings of the fixed workloads, one after the other: seed 42, 1 % of them moved back by up to 5 s. */
export class TelemetryReadings {
  readonly #random = seededRandom(42)
  readonly #vehicles: number
  readonly #isLate: boolean

  /** @param moveBack  false: every reading has the time it is asked for */
  constructor(vehicles: number, moveBack = true) {
    this.#vehicles = vehicles
    this.#isLate = moveBack
  }

  /** @param atMs  time of the reading, where it isn't moved back */
  next(atMs: number): GeneratedReading {
    const u = (): number => this.#random.next()
    const key = `V${String(Math.floor(u() * this.#vehicles)).padStart(7, '0')}`
    let ts = atMs
    if (u() < 0.01) {
      const backMs = Math.floor(u() * 5000)
      if (this.#isLate) ts -= backMs
    }
    const region = `R${String(Math.floor(u() * 64)).padStart(2, '0')}`
    const lat = (52 + u()).toFixed(6)
    const lon = (13 + u()).toFixed(6)
    const speed = (180 * u()).toFixed(1)
    const rpm = Math.floor(6000 * u())
    const temp = (70 + 50 * u()).toFixed(1)
    const fuel = (100 * u()).toFixed(1)
    const odometer = Math.floor(300_000 * u())
    const gear = Math.floor(6 * u())
    const brake = u() < 0.1
    const dtc = u() < 0.02 ? '"P0301"' : 'null'
    return {
      key,
      value: `{"ts":${ts},"region":"${region}","lat":${lat},"lon":${lon},"speed_kmh":${speed},"rpm":${rpm},"engine_temp_c":${temp},"fuel_pct":${fuel},"odometer_km":${odometer},"gear":${gear},"brake":${brake},"dtc":${dtc}}`,
      reading: { key, ts, region, speed: Number(speed), temp: Number(temp) },
    }
  }
}

/**
 * Writes the topic `telemetry` of the fixed workloads: `records` readings of `vehicles` vehicles, one
 * millisecond apart, four partitions by murmur2 of the key.
 */
export async function generateTelemetry(
  log: Log,
  options: { readonly records: number; readonly vehicles: number },
  onReading?: (reading: Reading) => void,
): Promise<GeneratedTopic> {
  await log.createTopic('telemetry', { partitions: PARTITIONS })
  const owner = await log.claim('bench-generator')
  const readings = new TelemetryReadings(options.vehicles)
  const writers = Array.from({ length: PARTITIONS }, () => new RecordBatchWriter())
  const hash = createHash('sha256')
  const text = new ByteWriter(512)
  let bytes = 0
  const append = async (): Promise<void> => {
    const appends = writers.flatMap((writer, partition) =>
      writer.recordCount === 0 ? [] : [{ topic: 'telemetry', partition, batches: writer.finish() }],
    )
    const outcome = await log.commit({ owner, appends, offsets: [] })
    if (outcome.kind !== 'committed') throw new Error(`the input could not be written: ${outcome.kind}`)
  }
  for (let i = 0; i < options.records; i++) {
    const { key, value, reading } = readings.next(START_MS + i)
    text.clear()
    text.text(key)
    const keyEnd = text.length
    text.text(value)
    const partition = partitionOf(murmur2(text.bytes, 0, keyEnd), PARTITIONS)
    writers[partition]!.append(START_MS + i, text.bytes, 0, keyEnd, text.bytes, keyEnd, text.length)
    hash.update(text.bytes.subarray(0, text.length))
    bytes += text.length
    onReading?.(reading)
    if ((i + 1) % GROUP_RECORDS === 0) await append()
  }
  await append()
  return { records: options.records, bytes, sha256: hash.digest('hex') }
}
