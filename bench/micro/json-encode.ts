/**
 * How long writing one row as JSON takes, from vectors and from values, against JSON.stringify.
 *
 *   node bench/micro/json-encode.ts [rows in thousands, default 2000]
 */
import { strict as assert } from 'node:assert'
import { seededRandom } from '../../src/base/random.ts'
import { ByteWriter } from '../../src/formats/byte-writer.ts'
import { json } from '../../src/formats/json.ts'
import { kafka } from '../../src/formats/kafka.ts'
import { NumberVector, TextVector, type Vector } from '../../src/formats/vector.ts'
import type { FormatSpec } from '../../src/plan/data-source.ts'
import type { Column } from '../../src/plan/schema.ts'
import { BIGINT, DOUBLE, STRING } from '../../src/plan/sql-type.ts'
import type { Row } from '../../src/plan/sql-value.ts'

const ROWS = 10_000
const rounds = Math.ceil((Number(process.argv[2] ?? 2000) * 1000) / ROWS)
const random = seededRandom(42)

const columns: readonly Column[] = [
  { name: 'TS', type: BIGINT, role: 'value' },
  { name: 'SPEED_KMH', type: DOUBLE, role: 'value' },
  { name: 'ENGINE_TEMP_C', type: DOUBLE, role: 'value' },
  { name: 'REGION', type: STRING, role: 'value' },
]

function vectorsOf(speed: () => number): Vector[] {
  const ts = new NumberVector(ROWS)
  const speeds = new NumberVector(ROWS)
  const temperatures = new NumberVector(ROWS)
  const writer = new ByteWriter()
  const starts = new Int32Array(ROWS)
  const ends = new Int32Array(ROWS)
  for (let row = 0; row < ROWS; row++) {
    ts.values[row] = 1_700_000_000_000 + row
    speeds.values[row] = speed()
    temperatures.values[row] = Math.round(700 + 500 * random.next()) / 10
    starts[row] = writer.length
    writer.text(`R${String(random.below(64)).padStart(2, '0')}`)
    ends[row] = writer.length
  }
  return [ts, speeds, temperatures, new TextVector(writer.take(), starts, ends)]
}

/** @returns bytes written per round */
function measure(name: string, round: (into: ByteWriter) => void): number {
  const into = new ByteWriter(1 << 20)
  // the best round: other work on the machine comes in bursts
  let best = Infinity
  for (let done = 0; done < rounds; done++) {
    into.clear()
    const started = process.hrtime.bigint()
    round(into)
    best = Math.min(best, Number(process.hrtime.bigint() - started) / ROWS)
  }
  console.log(`${name.padEnd(44)} ${best.toFixed(1).padStart(8)} ns/row`)
  return into.length
}

const decimals = vectorsOf(() => Math.round(1800 * random.next()) / 10)
const averages = vectorsOf(() => Math.round(1800 * random.next()) / 10 / (1 + random.below(60)))
const spec: FormatSpec = { name: 'JSON', properties: {}, wrapping: null }
const encoder = json.encoder('value', columns, spec)
const rowsOf = (vectors: readonly Vector[]): Row[] =>
  Array.from({ length: ROWS }, (_, row) => vectors.map((vector) => vector.value(row)))

console.log(`${rounds * ROWS} rows of 4 columns, ${process.version}`)
for (const [what, vectors] of [
  ['one-digit decimals', decimals],
  ['an average', averages],
] as const) {
  const rows = rowsOf(vectors)
  const fromVectors = measure(`JSON from vectors, ${what}`, (into) => {
    for (let row = 0; row < ROWS; row++) encoder.encode(vectors, row, into)
  })
  const fromValues = measure(`JSON from values, ${what}`, (into) => {
    for (let row = 0; row < ROWS; row++) encoder.encodeRow(rows[row]!, into)
  })
  assert.equal(fromValues, fromVectors)
}
const objects = rowsOf(averages).map(([ts, speed, temperature, region]) => ({
  TS: ts,
  SPEED_KMH: speed,
  ENGINE_TEMP_C: temperature,
  REGION: region,
}))
measure('JSON.stringify to bytes, an average', (into) => {
  for (const object of objects) into.text(JSON.stringify(object))
})
const keys = kafka.encoder('key', [{ name: 'K', type: STRING, role: 'key' }], { ...spec, name: 'KAFKA' })
const keyVectors = [decimals[3]!]
measure('KAFKA STRING key from text', (into) => {
  for (let row = 0; row < ROWS; row++) keys.encode(keyVectors, row, into)
})
