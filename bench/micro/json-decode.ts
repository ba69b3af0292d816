/**
 * How long reading one JSON record takes: some columns of the benchmarks' telemetry, against JSON.parse.
 *
 *   node bench/micro/json-decode.ts [records in thousands, default 4000]
 */
import { strict as assert } from 'node:assert'
import type { DecodeFailure } from '../../src/formats/format.ts'
import { json } from '../../src/formats/json.ts'
import { telemetryColumns, telemetryRecords } from './telemetry.ts'

const SLICE = 5_000
const ROUNDS_OF = 40 // slices made once and read again

const thousands = Number(process.argv[2] ?? 4000)
const slices = Array.from({ length: ROUNDS_OF }, (_, i) => telemetryRecords(SLICE, 42 + i))
const records = Math.ceil((thousands * 1000) / (SLICE * ROUNDS_OF)) * SLICE * ROUNDS_OF
const bytesPerRecord = slices.reduce((sum, s) => sum + s.bytes.length, 0) / (SLICE * ROUNDS_OF)
const speed = telemetryColumns.findIndex((c) => c.name === 'SPEED_KMH')
const temperature = telemetryColumns.findIndex((c) => c.name === 'ENGINE_TEMP_C')

interface Sums {
  speed: number
  temperature: number
}

function measure(
  name: string,
  read: (slice: (typeof slices)[number], sums: Sums) => void,
  expected: Sums | null,
): Sums {
  const once: Sums = { speed: 0, temperature: 0 }
  for (const slice of slices) read(slice, once)
  if (expected !== null) assert.deepEqual(once, expected)
  // the best of each slice: other work on the machine comes in bursts
  const best = new Float64Array(ROUNDS_OF).fill(Infinity)
  for (let done = 0; done < records; done += SLICE * ROUNDS_OF) {
    for (const [i, slice] of slices.entries()) {
      const started = process.hrtime.bigint()
      read(slice, { speed: 0, temperature: 0 })
      best[i] = Math.min(best[i]!, Number(process.hrtime.bigint() - started) / SLICE)
    }
  }
  const mean = best.reduce((sum, ns) => sum + ns) / ROUNDS_OF
  console.log(`${name.padEnd(34)} ${mean.toFixed(1).padStart(8)} ns/record`)
  return once
}

function decoding(columns: readonly number[]): (slice: (typeof slices)[number], sums: Sums) => void {
  const decoder = json.decoder('value', telemetryColumns, { name: 'JSON', properties: {}, wrapping: null })
  return (slice, sums) => {
    const failures: DecodeFailure[] = []
    const vectors = decoder.decode(slice.bytes, slice.starts, slice.ends, SLICE, columns, failures)
    assert.equal(failures.length, 0)
    const speeds = vectors[speed]!
    const temperatures = vectors[temperature]!
    assert(speeds.kind === 'number' && temperatures.kind === 'number')
    for (let row = 0; row < SLICE; row++) {
      sums.speed += speeds.values[row]!
      sums.temperature += temperatures.values[row]!
    }
  }
}

console.log(`${records} records of ${bytesPerRecord.toFixed(1)} bytes, ${process.version}`)
const utf8 = new TextDecoder()
const expected = measure(
  'JSON.parse, 2 columns',
  (slice, sums) => {
    for (let row = 0; row < SLICE; row++) {
      const value = JSON.parse(utf8.decode(slice.bytes.subarray(slice.starts[row], slice.ends[row])))
      sums.speed += value.speed_kmh
      sums.temperature += value.engine_temp_c
    }
  },
  null,
)
measure('2 of 12 columns', decoding([speed, temperature]), expected)
measure('3 of 12 columns (with ts)', decoding([0, speed, temperature]), expected)
measure('4 of 12 columns (with ts, region)', decoding([0, 1, speed, temperature]), expected)
measure('all 12 columns', decoding(telemetryColumns.map((_, i) => i)), expected)
