import { seededRandom } from '../../src/base/random.ts'
import { BIGINT, BOOLEAN, DOUBLE, INTEGER, STRING } from '../../src/plan/sql-type.ts'
import type { Column } from '../../src/plan/schema.ts'

/** The value columns of the benchmarks' `telemetry` stream. */
export const telemetryColumns: readonly Column[] = [
  { name: 'TS', type: BIGINT, role: 'value' },
  { name: 'REGION', type: STRING, role: 'value' },
  { name: 'LAT', type: DOUBLE, role: 'value' },
  { name: 'LON', type: DOUBLE, role: 'value' },
  { name: 'SPEED_KMH', type: DOUBLE, role: 'value' },
  { name: 'RPM', type: INTEGER, role: 'value' },
  { name: 'ENGINE_TEMP_C', type: DOUBLE, role: 'value' },
  { name: 'FUEL_PCT', type: DOUBLE, role: 'value' },
  { name: 'ODOMETER_KM', type: BIGINT, role: 'value' },
  { name: 'GEAR', type: INTEGER, role: 'value' },
  { name: 'BRAKE', type: BOOLEAN, role: 'value' },
  { name: 'DTC', type: STRING, role: 'value' },
]

/** `count` telemetry records, one after the other in one buffer. */
export function telemetryRecords(
  count: number,
  seed = 42,
): { readonly bytes: Uint8Array; readonly starts: Int32Array; readonly ends: Int32Array } {
  const random = seededRandom(seed)
  const u = (): number => random.next()
  const starts = new Int32Array(count)
  const ends = new Int32Array(count)
  const texts: string[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    const text =
      `{"ts":${1_700_000_000_000 + i},"region":"R${String(Math.floor(u() * 64)).padStart(2, '0')}",` +
      `"lat":${(52 + u()).toFixed(6)},"lon":${(13 + u()).toFixed(6)},"speed_kmh":${(180 * u()).toFixed(1)},` +
      `"rpm":${Math.floor(6000 * u())},"engine_temp_c":${(70 + 50 * u()).toFixed(1)},` +
      `"fuel_pct":${(100 * u()).toFixed(1)},"odometer_km":${Math.floor(300_000 * u())},` +
      `"gear":${Math.floor(6 * u())},"brake":${u() < 0.1},"dtc":${u() < 0.02 ? '"P0301"' : 'null'}}`
    starts[i] = at
    at += text.length
    ends[i] = at
    texts.push(text)
  }
  return { bytes: new Uint8Array(new TextEncoder().encode(texts.join(''))), starts, ends }
}
