import type { ConsumedRecord } from '../src/log/log.ts'
import { murmur2, partitionOf } from '../src/log/murmur2.ts'
import { PARTITIONS, START_MS, TelemetryReadings, type Reading } from './telemetry.ts'
import type { Workload } from './workloads.ts'

const WINDOW_MS = 60_000
const KEY_BYTES = 8

/**
 * The records of an open loop, made before its clock starts, and which of them a row of the output answers
 * for, without work that the engine would have to wait for: the n-th row of a partition of a stream that
 * passes everything for the n-th record of that partition, a row of a table for all records of its key and
 * window up to the number it counts.
 */
export class LoadPlan {
  readonly #workload: Workload
  readonly #total: number
  readonly #rate: number
  readonly #bytes: Buffer
  /** Record i has its key at [ends[i − 1], + 8) and its value up to ends[i]. */
  readonly #ends: Uint32Array
  /** Records by partition, in order. */
  readonly #byPartition: readonly number[][] = Array.from({ length: PARTITIONS }, () => [])
  /** By window and key: the first record not answered for, or −1, and how many are. */
  readonly #first: Int32Array
  readonly #answered: Int32Array
  /** The next record of the same key and window, or −1. */
  readonly #next: Int32Array

  constructor(workload: Workload, total: number, rate: number) {
    this.#workload = workload
    this.#total = total
    this.#rate = rate
    this.#bytes = Buffer.allocUnsafe(total * 210)
    this.#ends = new Uint32Array(total)
    const windows = Math.ceil(((total / rate) * 1000) / WINDOW_MS) + 1
    this.#first = new Int32Array(windows * workload.vehicles).fill(-1)
    this.#answered = new Int32Array(this.#first.length)
    this.#next = new Int32Array(total).fill(-1)
    const last = new Int32Array(this.#first.length).fill(-1)
    const readings = new TelemetryReadings(workload.vehicles, false)
    let length = 0
    for (let i = 0; i < total; i++) {
      const { key, value } = readings.next(this.timeMs(i))
      const start = length
      length += this.#bytes.write(key, length, 'latin1')
      length += this.#bytes.write(value, length, 'latin1')
      this.#ends[i] = length
      this.#byPartition[partitionOf(murmur2(this.#bytes, start, start + KEY_BYTES), PARTITIONS)]!.push(i)
      const group = this.#group(this.timeMs(i), Number(key.slice(1)))
      if (last[group] === -1) this.#first[group] = i
      else this.#next[last[group]!] = i
      last[group] = i
    }
  }

  timeMs(record: number): number {
    return START_MS + Math.floor((record / this.#rate) * 1000)
  }

  key(record: number): Uint8Array {
    const start = this.#start(record)
    return this.#bytes.subarray(start, start + KEY_BYTES)
  }

  value(record: number): Uint8Array {
    return this.#bytes.subarray(this.#start(record) + KEY_BYTES, this.#ends[record]!)
  }

  /** Calls `answer` for each record that a row of the output is the first to answer for. */
  received(row: ConsumedRecord, answer: (record: number) => void): void {
    if (this.#workload.kind === 'stream') {
      answer(this.#byPartition[row.partition]![row.offset]!)
      return
    }
    const key = Buffer.from(row.key!.buffer, row.key!.byteOffset, row.key!.length)
    const group = this.#group(
      Number(key.readBigInt64BE(KEY_BYTES)),
      Number(key.toString('latin1', 1, KEY_BYTES)),
    )
    const count = countIn(row.value!)
    while (this.#answered[group]! < count) {
      const record = this.#first[group]!
      this.#first[group] = this.#next[record]!
      this.#answered[group]!++
      answer(record)
    }
  }

  /** Once more, for the oracle. */
  *readings(): Iterable<Reading> {
    const readings = new TelemetryReadings(this.#workload.vehicles, false)
    for (let i = 0; i < this.#total; i++) yield readings.next(this.timeMs(i)).reading
  }

  #start(record: number): number {
    return record === 0 ? 0 : this.#ends[record - 1]!
  }

  /** @param timeMs  of a reading or of a window's start */
  #group(timeMs: number, vehicle: number): number {
    const window = Math.floor(timeMs / WINDOW_MS) - Math.floor(START_MS / WINDOW_MS)
    return window * this.#workload.vehicles + vehicle
  }
}

/** The number in `{"N":12,…`. */
function countIn(value: Uint8Array): number {
  let count = 0
  for (let at = 5; value[at]! >= 0x30 && value[at]! <= 0x39; at++) count = count * 10 + value[at]! - 0x30
  return count
}
