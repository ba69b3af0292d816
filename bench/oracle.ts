import { DatabaseSync } from 'node:sqlite'
import type { Log } from '../src/log/log.ts'
import { walkRecords } from '../src/log/walk-records.ts'
import type { Reading } from './telemetry.ts'
import type { Workload } from './workloads.ts'

type Value = number | string | null

/**
 * Recomputes a workload's result from the generated readings in SQLite, an engine unrelated to ours, and
 * compares every row: tables by last value per key and window, streams as multisets, doubles to 1e-9.
 */
export class Oracle {
  readonly #database = new DatabaseSync(':memory:')
  readonly #insert

  constructor() {
    this.#database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;')
    this.#database.exec('CREATE TABLE telemetry (key TEXT, ts INTEGER, region TEXT, speed REAL, temp REAL)')
    this.#database.exec('BEGIN')
    this.#insert = this.#database.prepare('INSERT INTO telemetry VALUES (?, ?, ?, ?, ?)')
  }

  add(reading: Reading): void {
    this.#insert.run(reading.key, reading.ts, reading.region, reading.speed, reading.temp)
  }

  ready(): void {
    this.#database.exec('COMMIT')
  }

  close(): void {
    this.#database.close()
  }

  /** @returns null when every row agrees, else a sentence about the first that does not */
  async compare(workload: Workload, log: Log): Promise<string | null> {
    const actual = await readOutput(workload, log)
    let expectedRows = 0
    for (const row of this.#database.prepare(workload.oracle).iterate()) {
      expectedRows++
      const key = `${row['key'] as string}@${(row['start'] as number | null) ?? ''}`
      const values = workload.columns.map((c) => row[c] as Value)
      const found = actual.get(key)
      if (found === undefined) return `no row for ${key}, expected ${JSON.stringify(values)}`
      const at = found.findIndex((candidate) => candidate.every((v, i) => same(v, values[i]!)))
      if (at < 0) return `${key}: expected ${JSON.stringify(values)}, found ${JSON.stringify(found[0])}`
      if (found.length === 1) actual.delete(key)
      else found.splice(at, 1)
    }
    if (expectedRows === 0) return 'nothing was expected: the oracle has no input'
    const surplus = actual.keys().next()
    return surplus.done === true ? null : `${actual.size} rows too many, such as ${surplus.value}`
  }
}

function same(actual: Value, expected: Value): boolean {
  if (typeof actual !== 'number' || typeof expected !== 'number') return actual === expected
  return Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected))
}

/** Rows of the output topic by key and window start; of a table the last one each. */
async function readOutput(workload: Workload, log: Log): Promise<Map<string, Value[][]>> {
  const rows = new Map<string, Value[][]>()
  const { partitions } = log.topic(workload.output)!
  const decoder = new TextDecoder()
  for (let partition = 0; partition < partitions; partition++) {
    for (let offset = 0; offset < log.ends(workload.output, partition).lastStable;) {
      const slice = await log.read(workload.output, partition, offset, 4 << 20)
      const records = walkRecords(slice.bytes, offset)
      const view = new DataView(records.bytes.buffer, records.bytes.byteOffset)
      for (let i = 0; i < records.count; i++) {
        let keyEnd = records.keyEnds[i]!
        let start = ''
        if (workload.kind === 'windowed-table') {
          keyEnd -= 8
          start = String(view.getBigInt64(keyEnd))
        }
        const key = `${decoder.decode(records.bytes.subarray(records.keyStarts[i]!, keyEnd))}@${start}`
        const value = JSON.parse(
          decoder.decode(records.bytes.subarray(records.valueStarts[i]!, records.valueEnds[i]!)),
        ) as Record<string, Value>
        const columns = workload.columns.map((c) => value[c] ?? null)
        const known = rows.get(key)
        if (known === undefined || workload.kind !== 'stream') rows.set(key, [columns])
        else known.push(columns)
      }
      offset = slice.nextOffset
    }
  }
  return rows
}
