import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { offsetsGroup } from '../../src/engine/query-spec.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { PROCESSING_LOG_TOPIC } from '../../src/runtime/processing-log.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import { compareBags, type Difference } from './compare.ts'
import type { FleetInput, Reading } from './fleet-input.ts'
import { HOP_SIZE_MS, READINGS, RETENTION_MS, TRIPS, VEHICLES, WINDOW_MS } from './fleet-pipeline.ts'
import {
  type Aggregates,
  alertLines,
  fastLines,
  type Group,
  hoppingGroups,
  lastOf,
  line,
  namedLines,
  sessions,
  tripLines,
  tumblingGroups,
  valueGroups,
  vehicleGroups,
} from './fleet-recomputation.ts'
import { NOW_MS } from './input.ts'

/** In what a directory whose input was worked off differs from the recomputation. */
export async function checkFleet(
  directory: string,
  input: FleetInput,
  acknowledgements: Acknowledgements,
): Promise<Difference[]> {
  const open = (): Promise<Millrace> =>
    Millrace.open({
      dataDirectory: directory,
      durability: 'os',
      clock: { ...systemClock, nowMs: () => NOW_MS },
    })
  const differences: Difference[] = []
  const millrace = await open()
  let tables: Map<string, string[]>
  try {
    await millrace.untilIdle()
    const check = new Check(millrace, input, differences)
    await check.topics()
    check.offsets()
    differences.push(...(await acknowledgements.check(millrace.log)))
    tables = await check.tables()
    check.rows(tables)
  } finally {
    await millrace.close()
  }
  // The same once more from the changelogs alone.
  await rm(join(directory, 'state'), { recursive: true, force: true })
  const restored = await open()
  try {
    await restored.untilIdle()
    for (const [name, rows] of await new Check(restored, input, differences).tables()) {
      differences.push(...compareBags(`${name} restored from its changelog`, rows, tables.get(name)!))
    }
  } finally {
    await restored.close()
  }
  return differences
}

interface Found {
  /** As text; windows follow in brackets. */
  readonly key: string
  readonly value: Readonly<Record<string, unknown>> | null
  readonly timestampMs: number
}

type Windows = 'none' | 'time' | 'session'

/** What the recomputation says of one topic. */
interface Expected {
  readonly windows: Windows
  /** Per partition; of those that have crossed partitions all in one. */
  readonly partitions: 'apart' | 'together'
  /** How keys are written; `text` if absent. */
  readonly keys?: 'text' | 'json'
}

class Check {
  readonly #millrace: Millrace
  readonly #input: FleetInput
  readonly #differences: Difference[]

  constructor(millrace: Millrace, input: FleetInput, differences: Difference[]) {
    this.#millrace = millrace
    this.#input = input
    this.#differences = differences
  }

  async topics(): Promise<void> {
    const { readings, trips, models } = this.#input
    const apart = { windows: 'none', partitions: 'apart' } as const
    await this.#exact('FAST', apart, (p) => fastLines(readings[p]!), true)
    await this.#exact('NAMED', apart, (p) => namedLines(readings[p]!, models), true)
    await this.#exact('TRIP_READINGS', apart, (p) => tripLines(readings[p]!, trips[p]!))
    // Keys written in another format lie in other partitions.
    await this.#exact('HOT', { windows: 'none', partitions: 'together', keys: 'json' }, () =>
      readings.flatMap(alertLines),
    )
    await this.#exact('SPEED_FINALS', { ...apart, windows: 'time' }, (p) =>
      [...tumblingGroups(readings[p]!)].map(([key, group]) =>
        line(key, totalsRow(lastOf(group)), lastOf(group).timeMs),
      ),
    )
    await this.#exact('SESSION_FINALS', { ...apart, windows: 'session' }, (p) =>
      [...sessions(readings[p]!, true)].flatMap(([key, list]) =>
        list.map(({ startMs, endMs, n }) => line(`${key}[${startMs},${endMs}]`, { N: n }, endMs)),
      ),
    )
    await this.#exact('ZONE_FINALS', { windows: 'time', partitions: 'together' }, () =>
      [...valueGroups(readings, zoneWindow)].map(([key, group]) =>
        line(key, stopsRow(lastOf(group)), lastOf(group).timeMs),
      ),
    )
    await this.#growing(
      'SPEEDS',
      { ...apart, windows: 'time' },
      (p) => tumblingGroups(readings[p]!),
      speedsRow,
    )
    await this.#growing('HOPS', { ...apart, windows: 'time' }, (p) => hoppingGroups(readings[p]!), hopsRow)
    await this.#growing('TOTALS', apart, (p) => vehicleGroups(readings[p]!), totalsRow)
    await this.#growing(
      'STOPS',
      { windows: 'none', partitions: 'together' },
      () => stopGroups(readings),
      stopsRow,
    )
    await this.#sessions()
    await this.#processingLog()
  }

  /** Every query has read every input to its end, and says so. */
  offsets(): void {
    const { readings, trips, vehicleRecords } = this.#input
    const ends: Record<string, readonly number[]> = {
      [READINGS]: readings.map((r) => r.length),
      [TRIPS]: trips.map((t) => t.length),
      [VEHICLES]: vehicleRecords,
    }
    for (const { id } of this.#millrace.queries()) {
      const found = this.#millrace.log.committedOffsets(offsetsGroup(id))
      const topics = new Set([READINGS, ...found.map(({ topic }) => topic)])
      if (id.includes('NAMED')) topics.add(VEHICLES)
      if (id.includes('TRIP')) topics.add(TRIPS)
      for (const topic of topics) {
        ends[topic]?.forEach((end, partition) => {
          const offset = found.find((o) => o.topic === topic && o.partition === partition)?.offset
          if (offset !== end) {
            this.#add('wrong', `${id} has committed ${offset} of ${topic}-${partition}, which ends at ${end}`)
          }
        })
        if (ends[topic] === undefined) this.#add('wrong', `${id} has committed an offset of ${topic}`)
      }
    }
  }

  /** All rows of each table, as text, sorted. */
  async tables(): Promise<Map<string, string[]>> {
    const tables = new Map<string, string[]>()
    for (const name of ['SPEEDS', 'HOPS', 'SESSIONS', 'TOTALS', 'STOPS']) {
      const [result] = await this.#millrace.sql(`SELECT * FROM ${name};`)
      if (result?.kind !== 'rows') throw new Error(`The table ${name} gave no rows.`)
      tables.set(name, result.rows.map((row) => JSON.stringify(row)).toSorted())
    }
    return tables
  }

  /** State is what the input makes it, but for windows that are older than their retention. */
  rows(tables: ReadonlyMap<string, readonly string[]>): void {
    const { readings } = this.#input
    const keptFromMs = readings.map((r) => streamTimeMs(r) - RETENTION_MS)
    const rowOf = (key: string, values: object): string => {
      const [, id, start, end] = /^([^[]*)(?:\[(\d+)(?:,(\d+))?\])?$/.exec(key)!
      const window = start === undefined ? [] : [Number(start), Number(end)]
      return JSON.stringify([id, ...window, ...Object.values(values)])
    }
    const compare = (
      name: string,
      expected: Iterable<{ readonly row: string; readonly timeMs: number; readonly partition: number }>,
    ): void => {
      const found = new Set(tables.get(name)!)
      if (found.size < tables.get(name)!.length) this.#add('doubled', `rows of ${name}`)
      for (const { row, timeMs, partition } of expected) {
        if (found.delete(row)) continue
        if (timeMs >= keptFromMs[partition]!) this.#add('lost', `rows of ${name}: ${row} is missing`)
      }
      for (const row of found) this.#add('wrong', `rows of ${name}: ${row} is one too many`)
    }
    const windowed = (groupsOf: (p: number) => Map<string, Group>, sizeMs: number, of: RowOf) =>
      readings.flatMap((_, partition) =>
        [...groupsOf(partition)].map(([key, group]) => {
          const startMs = Number(/\[(\d+)\]/.exec(key)![1])
          const row = rowOf(key.replace(']', `,${startMs + sizeMs}]`), of(lastOf(group)))
          return { row, timeMs: startMs, partition }
        }),
      )
    compare(
      'SPEEDS',
      windowed((p) => tumblingGroups(readings[p]!), WINDOW_MS, speedsRow),
    )
    compare(
      'HOPS',
      windowed((p) => hoppingGroups(readings[p]!), HOP_SIZE_MS, hopsRow),
    )
    const endless = { timeMs: Infinity, partition: 0 }
    compare(
      'TOTALS',
      readings.flatMap((r) =>
        [...vehicleGroups(r)].map(([key, group]) => ({
          row: rowOf(key, totalsRow(lastOf(group))),
          ...endless,
        })),
      ),
    )
    compare(
      'STOPS',
      [...stopGroups(readings)].map(([key, group]) => ({
        row: rowOf(key, stopsRow(lastOf(group))),
        ...endless,
      })),
    )
    compare(
      'SESSIONS',
      readings.flatMap((r, partition) =>
        [...sessions(r, false)].flatMap(([key, list]) =>
          list.map(({ startMs, endMs, n, boarded }) => ({
            row: rowOf(`${key}[${startMs},${endMs}]`, { N: n, BOARDED: boarded }),
            timeMs: endMs,
            partition,
          })),
        ),
      ),
    )
  }

  /** Each record counts, once. @param ordered  and in its place */
  async #exact(
    topic: string,
    expected: Expected,
    linesOf: (partition: number) => string[],
    ordered = false,
  ): Promise<void> {
    let total = 0
    for await (const { place, partition, records } of this.#read(topic, expected)) {
      const found = records.map(({ key, value, timestampMs }) => line(key, value, timestampMs))
      const wanted = linesOf(partition)
      total += wanted.length
      const differences = compareBags(place, found, wanted)
      this.#differences.push(...differences)
      if (!ordered || differences.length > 0) continue
      const at = found.findIndex((text, i) => text !== wanted[i])
      if (at >= 0) this.#add('wrong', `${place}: ${found[at]} stands where ${wanted[at]} belongs`)
    }
    if (total === 0) this.#add('wrong', `nothing is expected of ${topic}: the input is too short`)
  }

  /**
   * A table of aggregates: what comes out for a key are states of it in the order of its rows, each at most once, and
   * the last one last. Of rows that have crossed partitions nothing is said of the order.
   */
  async #growing(
    topic: string,
    expected: Expected,
    groupsOf: (partition: number) => Map<string, Group>,
    rowOf: RowOf,
  ): Promise<void> {
    for await (const { place, partition, records } of this.#read(topic, expected)) {
      const groups = groupsOf(partition)
      const counts = new Map<string, number>()
      for (const { key, value, timestampMs } of records) {
        const group = groups.get(key)
        const text = line(key, value, timestampMs)
        const n = Number(value?.['N'])
        const aggregates = group?.[n - 1]
        if (group === undefined || aggregates === undefined) {
          this.#add('wrong', `${place}: ${text} never comes of the input`)
          continue
        }
        const before = counts.get(key) ?? 0
        counts.set(key, n)
        if (n <= before) this.#add('doubled', `${place}: ${text} comes after count ${before}`)
        if (expected.partitions === 'together' && n < group.length) continue
        const wanted = line(key, rowOf(aggregates), aggregates.timeMs)
        if (text !== wanted) this.#add('wrong', `${place}: ${text} instead of ${wanted}`)
      }
      for (const [key, { length }] of groups) {
        const n = counts.get(key) ?? 0
        if (n < length) this.#add('lost', `${place}: ${key} ends at count ${n}, not ${length}`)
      }
      if (groups.size === 0) this.#add('wrong', `nothing is expected of ${place}: the input is too short`)
    }
  }

  async #sessions(): Promise<void> {
    for await (const { place, partition, records } of this.#read('SESSIONS', {
      windows: 'session',
      partitions: 'apart',
    })) {
      const last = new Map<string, string>()
      for (const { key, value, timestampMs } of records) {
        if (value === null) last.delete(key)
        else last.set(key, line(key, value, timestampMs))
      }
      const wanted = [...sessions(this.#input.readings[partition]!, false)].flatMap(([key, list]) =>
        list.map(({ startMs, endMs, n, boarded }) =>
          line(`${key}[${startMs},${endMs}]`, { N: n, BOARDED: boarded }, endMs),
        ),
      )
      this.#differences.push(...compareBags(place, [...last.values()], wanted))
    }
  }

  /** Each undecodable record is told of once by each query that reads it. */
  async #processingLog(): Promise<void> {
    const found: string[] = []
    for await (const { key, value } of this.#millrace.consume(PROCESSING_LOG_TOPIC, { from: 'beginning' })) {
      const entry = JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>
      const text = Buffer.from(key!).toString()
      found.push(
        `${text} ${String(entry['SOURCE_TOPIC'])}-${Number(entry['SOURCE_PARTITION'])} offset ${Number(entry['SOURCE_OFFSET'])}`,
      )
    }
    const poisoned = this.#input.readings.flatMap((readings, partition) =>
      readings.flatMap((reading, offset) =>
        reading.isPoison ? [`${READINGS}-${partition} offset ${offset}`] : [],
      ),
    )
    const wanted = this.#millrace.queries().flatMap(({ id }) => poisoned.map((place) => `${id} ${place}`))
    this.#differences.push(...compareBags('processing log', found, wanted))
  }

  /** The records of a topic, one partition after the other, or all at once. */
  async *#read(
    topic: string,
    { windows, partitions, keys = 'text' }: Expected,
  ): AsyncIterable<{ place: string; partition: number; records: Found[] }> {
    const { partitions: count } = this.#millrace.log.topic(topic)!
    const lists: Found[][] = Array.from({ length: partitions === 'apart' ? count : 1 }, () => [])
    for await (const { partition, key, value, timestampMs } of this.#millrace.consume(topic, {
      from: 'beginning',
    })) {
      // Where everything is cleaned away, an empty key stays out.
      lists[partitions === 'apart' ? partition : 0]!.push({
        key: keys === 'json' ? (JSON.parse(Buffer.from(key!).toString()) as string) : keyText(key, windows),
        value: value === null ? null : (JSON.parse(Buffer.from(value).toString()) as Found['value']),
        timestampMs,
      })
    }
    for (const [partition, records] of lists.entries()) {
      yield { place: partitions === 'apart' ? `${topic}-${partition}` : topic, partition, records }
    }
  }

  #add(kind: Difference['kind'], detail: string): void {
    this.#differences.push({ kind, detail })
  }
}

/** What the aggregations of a partition take for now, in the end. */
function streamTimeMs(readings: readonly Reading[]): number {
  let ms = -Infinity
  for (const { key, values, timestampMs } of readings) {
    if (key !== null && values !== null && timestampMs > ms) ms = timestampMs
  }
  return ms
}

type RowOf = (aggregates: Aggregates) => object

const speedsRow: RowOf = ({ n, speed, topSpeed }) => ({ N: n, MEAN: speed / n, TOP: topSpeed })
const hopsRow: RowOf = ({ n, hottest }) => ({ N: n, HOTTEST: hottest })
const totalsRow: RowOf = ({ n, speed }) => ({ N: n, TOTAL: speed })
const stopsRow: RowOf = ({ n, boarded }) => ({ N: n, BOARDED: boarded })

const stopGroups = (readings: FleetInput['readings']): Map<string, Group> =>
  valueGroups(readings, ({ stop }) => stop)
const zoneWindow = ({ zone }: { readonly zone: string }, timestampMs: number): string =>
  `${zone}[${Math.floor(timestampMs / WINDOW_MS) * WINDOW_MS}]`

/** Windows follow the key's bytes: the start, of sessions the end and then the start. */
function keyText(bytes: Uint8Array | null, windows: Windows): string {
  if (bytes === null) return ''
  const key = Buffer.from(bytes)
  if (windows === 'none') return key.toString()
  const startMs = key.readBigInt64BE(key.length - 8)
  if (windows === 'time') return `${key.toString('utf8', 0, key.length - 8)}[${startMs}]`
  const endMs = key.readBigInt64BE(key.length - 16)
  return `${key.toString('utf8', 0, key.length - 16)}[${startMs},${endMs}]`
}
