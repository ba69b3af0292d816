import { DatabaseSync } from 'node:sqlite'
import { Millrace } from '../../src/index.ts'
import { fleetQueries, SOURCES, type FleetQuery } from './fleet-queries.ts'
import { inEventTimeOrder, type RecordedReading } from './recording.ts'

/** What became of one query. */
export interface QueryCheck {
  readonly query: FleetQuery
  /** Whether its topic was read, or its table asked by a pull query. */
  readonly read: 'topic' | 'pull query'
  /** Results SQLite gives. */
  readonly results: number
  /** Results that differ from SQLite's, are missing, or too many: written in file order, in order of time. */
  readonly differentInFileOrder: number
  readonly differentInTimeOrder: number
  /** Results that differ between the two. */
  readonly differentBetween: number
  /** One difference in words; null: there is none. */
  readonly sample: string | null
}

export interface FleetCheck {
  readonly checks: readonly QueryCheck[]
  /** Single comparisons made. */
  readonly compared: number
  readonly different: number
  /** Rows that queries left out, which none should, in words. */
  readonly dropped: readonly string[]
}

export type Value = number | string | null
/** By key, window start (of streams: event time) and end. A table has one row each. */
export type Results = Map<string, Value[][]>

const PARTITIONS = 4
const DAY_MS = 86_400_000

/**
 * Checks a recorded day: produced once in the order of the file and once in order of time, it must give the
 * same final results in every query, equal to what SQLite gives for the same rows.
 *
 * @param readings  in the order of the file, with the columns of the fleet file
 */
export async function checkFleet(
  readings: readonly RecordedReading[],
  onCheck: (check: QueryCheck) => void = () => {},
): Promise<FleetCheck> {
  const days = spanDays(readings)
  const queries = fleetQueries(days + 1)
  const vehicles = homeRoutes(readings)
  using oracle = new Oracle(readings, vehicles)
  const inFileOrder = await runMillrace(queries, readings, vehicles)
  const inTimeOrder = await runMillrace(queries, inEventTimeOrder(readings), vehicles)
  const checks: QueryCheck[] = []
  let compared = 0
  for (const query of queries) {
    const expected = oracle.answer(query)
    for (const read of ['topic', 'pull query'] as const) {
      const first = inFileOrder[read].get(query)
      const second = inTimeOrder[read].get(query)
      if (first === undefined || second === undefined) continue
      const fromFirst = differences(expected, first)
      const fromSecond = differences(expected, second)
      const between = differences(first, second)
      compared += 3 * countOf(expected)
      const check = {
        query,
        read,
        results: countOf(expected),
        differentInFileOrder: fromFirst.count,
        differentInTimeOrder: fromSecond.count,
        differentBetween: between.count,
        sample: fromFirst.sample ?? fromSecond.sample ?? between.sample,
      }
      checks.push(check)
      onCheck(check)
    }
  }
  return {
    checks,
    compared,
    different: checks.reduce(
      (sum, c) => sum + c.differentInFileOrder + c.differentInTimeOrder + c.differentBetween,
      0,
    ),
    dropped: [...inFileOrder.dropped, ...inTimeOrder.dropped],
  }
}

function spanDays(readings: readonly RecordedReading[]): number {
  let first = Infinity
  let last = -Infinity
  for (const { timestampMs } of readings) {
    first = Math.min(first, timestampMs)
    last = Math.max(last, timestampMs)
  }
  return readings.length === 0 ? 0 : Math.ceil((last - first) / DAY_MS)
}

/**
 * The route of each vehicle's first reading: a small table made of the file itself. Every fifth vehicle is
 * left out, so that joins have something to miss.
 */
function homeRoutes(readings: readonly RecordedReading[]): ReadonlyMap<string, string | null> {
  const routes = new Map<string, string | null>()
  for (const reading of inEventTimeOrder(readings)) {
    if (reading.key !== null && !routes.has(reading.key)) routes.set(reading.key, columnsOf(reading).routeId)
  }
  const kept = [...routes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([, route], i) => i % 5 !== 0 && route !== null)
  return new Map(kept)
}

interface ReadingColumns {
  readonly speed: number | null
  readonly routeId: string | null
  readonly latitude: number | null
  readonly longitude: number | null
}

function columnsOf(reading: RecordedReading): ReadingColumns {
  const row = JSON.parse(reading.value) as Record<string, Value | undefined>
  const number = (value: Value | undefined): number | null => (typeof value === 'number' ? value : null)
  const route = row['route_id'] ?? null
  return {
    speed: number(row['speed']),
    routeId: route === null ? null : String(route),
    latitude: number(row['latitude']),
    longitude: number(row['longitude']),
  }
}

/** The recomputation, by an engine unrelated to ours. */
class Oracle implements Disposable {
  readonly #database = new DatabaseSync(':memory:')

  constructor(readings: readonly RecordedReading[], vehicles: ReadonlyMap<string, string | null>) {
    this.#database.exec(`
      CREATE TABLE readings (vehicle_id TEXT, ts INTEGER, speed REAL, route_id TEXT, latitude REAL, longitude REAL);
      CREATE TABLE vehicles (vehicle_id TEXT PRIMARY KEY, home_route TEXT);
      BEGIN`)
    const reading = this.#database.prepare('INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)')
    for (const r of readings) {
      if (r.key === null) continue // counts for nothing in grouping and joining
      const { speed, routeId, latitude, longitude } = columnsOf(r)
      reading.run(r.key, r.timestampMs, speed, routeId, latitude, longitude)
    }
    const vehicle = this.#database.prepare('INSERT INTO vehicles VALUES (?, ?)')
    for (const [id, route] of vehicles) vehicle.run(id, route)
    this.#database.exec('COMMIT')
  }

  answer(query: FleetQuery): Results {
    const results: Results = new Map()
    const statement = this.#database.prepare(query.oracle)
    statement.setReturnArrays(true)
    for (const row of statement.iterate() as unknown as Iterable<Value[]>) {
      const [key, start, end, ...values] = row
      add(results, idOf(key as string, start as number, end as number | null), values)
    }
    return results
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}

interface RunResults {
  readonly topic: ReadonlyMap<FleetQuery, Results>
  /** Of tables with changes only. */
  readonly 'pull query': ReadonlyMap<FleetQuery, Results>
  readonly dropped: readonly string[]
}

/** Runs all queries over the readings in their order, in memory, to the end of input. */
async function runMillrace(
  queries: readonly FleetQuery[],
  readings: readonly RecordedReading[],
  vehicles: ReadonlyMap<string, string | null>,
): Promise<RunResults> {
  const millrace = await Millrace.open()
  try {
    await millrace.createTopic('fleet.readings', { partitions: PARTITIONS })
    await millrace.createTopic('fleet.vehicles', { partitions: PARTITIONS })
    const timestampMs = readings.reduce((first, r) => Math.min(first, r.timestampMs), Infinity)
    await millrace.produce(
      'fleet.vehicles',
      [...vehicles].map(([key, route]) => ({ key, value: { home_route: route }, timestampMs })),
    )
    await millrace.sql(SOURCES)
    for (const query of queries) await millrace.sql(query.statement)
    await millrace.produce(
      'fleet.readings',
      readings.filter((reading) => reading.key !== null),
    )
    await millrace.untilIdle()
    await millrace.endOfInput()
    const topic = new Map<FleetQuery, Results>()
    const pulled = new Map<FleetQuery, Results>()
    for (const query of queries) {
      topic.set(query, await topicResults(millrace, query))
      if (query.form === 'table') pulled.set(query, await pulledResults(millrace, query))
    }
    const dropped = millrace.queries().flatMap(({ writes, counters }) => {
      const counts = Object.entries(counters.dropped).filter(([, count]) => count > 0)
      if (counters.expressionErrors > 0) counts.push(['failed expressions', counters.expressionErrors])
      return counts.map(([reason, count]) => `${writes}: ${count} ${reason}`)
    })
    return { topic, 'pull query': pulled, dropped }
  } finally {
    await millrace.close()
  }
}

/** What somebody who reads the topic has in the end. */
async function topicResults(millrace: Millrace, query: FleetQuery): Promise<Results> {
  const results: Results = new Map()
  for await (const record of millrace.consume(query.sink, { from: 'beginning' })) {
    const bytes = Buffer.from(record.key ?? [])
    // Behind the key itself: of sessions the end, of all windows the start.
    const suffix = query.window === 'session' ? 16 : query.window === 'time' ? 8 : 0
    const at = bytes.length - suffix
    const start = suffix === 0 ? record.timestampMs : Number(bytes.readBigInt64BE(bytes.length - 8))
    const end = suffix === 16 ? Number(bytes.readBigInt64BE(at)) : null
    const id = idOf(bytes.toString('utf8', 0, at), start, end)
    if (record.value === null) {
      results.delete(id)
      continue
    }
    const value = JSON.parse(Buffer.from(record.value).toString()) as Record<string, Value>
    if (query.form === 'table') results.delete(id)
    add(
      results,
      id,
      query.columns.map((column) => value[column] ?? null),
    )
  }
  return results
}

/** What the table itself answers. */
async function pulledResults(millrace: Millrace, query: FleetQuery): Promise<Results> {
  const [answer] = await millrace.sql(`SELECT * FROM ${query.sink};`)
  const results: Results = new Map()
  if (answer?.kind !== 'rows') return results
  const at = new Map(answer.schema.columns.map((column, i) => [column.name, i]))
  for (const row of answer.rows) {
    const value = (name: string): Value => row[at.get(name)!] as Value
    const end = query.window === 'session' ? (value('WINDOWEND') as number) : null
    add(results, idOf(row[0] as string, value('WINDOWSTART') as number, end), query.columns.map(value))
  }
  return results
}

function idOf(key: string, start: number, end: number | null): string {
  return `${key}@${start}${end === null ? '' : `-${end}`}`
}

function add(results: Results, id: string, values: Value[]): void {
  const known = results.get(id)
  if (known === undefined) results.set(id, [values])
  else known.push(values)
}

function countOf(results: Results): number {
  let count = 0
  for (const rows of results.values()) count += rows.length
  return count
}

/** Rows of either side that have no equal on the other one; a changed row counts once. */
export function differences(
  expected: Results,
  found: Results,
): { readonly count: number; readonly sample: string | null } {
  let count = 0
  let sample: string | null = null
  for (const [id, rows] of expected) {
    const left = [...(found.get(id) ?? [])]
    const missing = rows.filter((row) => {
      const at = left.findIndex((candidate) => row.every((value, i) => same(value, candidate[i]!)))
      if (at < 0) return true
      left.splice(at, 1)
      return false
    })
    const different = Math.max(missing.length, left.length)
    if (different === 0) continue
    count += different
    sample ??= `${id}: expected ${JSON.stringify(missing)}, found ${JSON.stringify(left)}`
  }
  for (const [id, rows] of found) {
    if (expected.has(id)) continue
    count += rows.length
    sample ??= `${id}: expected nothing, found ${JSON.stringify(rows)}`
  }
  return { count, sample }
}

/** Doubles may differ by the order in which they were added. */
function same(a: Value, b: Value): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return a === b
  return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b))
}
