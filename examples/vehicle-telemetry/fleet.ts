import type { Clock, Millrace, RowObject, RowStream } from '../../src/index.ts'
import { pause } from './pump.ts'
import { recordCount } from './topic-ends.ts'

/** One vehicle in its newest minute. */
export interface VehicleRow {
  readonly id: string
  readonly windowStartMs: number
  readonly readings: number
  readonly averageSpeed: number | null
  readonly topSpeed: number | null
  readonly engineTemp: number | null
  readonly fuelLevel: number | null
}

export interface AlertLine {
  readonly alert: string
  readonly severity: string | null
  readonly state: 'pending' | 'firing' | 'resolved'
  readonly vehicle: string
  /** Event time from which the reason to fire holds. */
  readonly sinceMs: number
  readonly atMs: number
  /** What the alert's own columns say, such as `temp 112.4`. */
  readonly detail: string
}

export type VehicleState = 'ok' | 'fast' | 'hot' | 'overheating' | 'silent'

/** Shown for so long after a reading above the limit, in event time. */
const FAST_FOR_MS = 5_000
const ALERTS_KEPT = 200
/** The summary counts what is in the log; the view need not wait longer than this for it. */
const ARRIVAL_MS_MAX = 2_000

/**
 * What the views show, gathered from running queries: push queries over the table of minutes, the stream of
 * overspeed readings and the alerts. It changes as their commits come; {@link close} ends the queries.
 */
export class Fleet {
  readonly #millrace: Millrace
  readonly #clock: Clock
  readonly #vehicles = new Map<string, VehicleRow>()
  readonly #fastAtMs = new Map<string, number>()
  /** Per vehicle and alert: the newest state that isn't over. */
  readonly #open = new Map<string, AlertLine>()
  readonly #alerts: AlertLine[] = []
  readonly #streams: RowStream[] = []
  readonly #running: Promise<void>[] = []
  /** Topics of alerts: how many events were there at first, and how many have come since. */
  readonly #followed: { readonly topic: string; readonly from: number; seen: number }[] = []
  readonly #onAlert: (line: AlertLine) => void
  #eventTimeMs = -1
  #produced = 0
  readonly #marks: { readonly ms: number; readonly produced: number }[] = []

  constructor(millrace: Millrace, clock: Clock, onAlert: (line: AlertLine) => void = () => {}) {
    this.#millrace = millrace
    this.#clock = clock
    this.#onAlert = onAlert
  }

  /** Starts to follow; what is firing from an earlier run is known when it resolves. */
  async open(): Promise<void> {
    this.#follow('SELECT * FROM vehicle_minutes EMIT CHANGES;', (row) => this.#minute(row))
    this.#follow('SELECT vehicle_id, ROWTIME AS at_ms FROM overspeed EMIT CHANGES;', (row) =>
      this.#fastAtMs.set(row['VEHICLE_ID'] as string, row['AT_MS'] as number),
    )
    for (const { writes: alert, topic, kind } of this.#millrace.queries()) {
      if (kind !== 'alert' || alert === null || topic === null) continue
      const [open] = await this.#millrace.sql(`SELECT * FROM ${alert}_state;`)
      if (open?.kind === 'rows') {
        for (const row of open.rows)
          this.#note(Object.fromEntries(open.schema.columns.map((c, i) => [c.name, row[i]])) as RowObject)
      }
      const followed = { topic, from: recordCount(this.#millrace, topic), seen: 0 }
      this.#followed.push(followed)
      this.#follow(`SELECT * FROM ${alert} EMIT CHANGES;`, (row) => {
        followed.seen++
        this.#onAlert(this.#note(row))
      })
    }
  }

  /** In order of their ids. */
  get vehicles(): readonly VehicleRow[] {
    return [...this.#vehicles.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Firing and resolved, newest last. */
  get alerts(): readonly AlertLine[] {
    return this.#alerts
  }

  get firing(): number {
    return [...this.#open.values()].filter((line) => line.state === 'firing').length
  }

  /** The newest event time that was produced; −1: none yet. */
  get eventTimeMs(): number {
    return this.#eventTimeMs
  }

  get produced(): number {
    return this.#produced
  }

  /** Over the last seconds. */
  get recordsPerSecond(): number {
    const first = this.#marks[0]
    if (first === undefined) return 0
    const seconds = (this.#clock.monotonicMs() - first.ms) / 1_000
    return seconds < 0.5 ? 0 : (this.#produced - first.produced) / seconds
  }

  /** Records were appended, the newest of this event time. */
  noteProduced(count: number, eventTimeMs: number): void {
    const ms = this.#clock.monotonicMs()
    this.#marks.push({ ms, produced: this.#produced })
    while (this.#marks.length > 1 && this.#marks[0]!.ms < ms - 3_000) this.#marks.shift()
    this.#produced += count
    this.#eventTimeMs = Math.max(this.#eventTimeMs, eventTimeMs)
  }

  stateOf(vehicle: string): VehicleState {
    const state = (alert: string): AlertLine['state'] | undefined =>
      this.#open.get(`${alert} ${vehicle}`)?.state
    if (state('VEHICLE_SILENT') === 'firing') return 'silent'
    const heat = state('ENGINE_OVERHEATING')
    if (heat === 'firing') return 'overheating'
    if (heat === 'pending') return 'hot'
    return (this.#fastAtMs.get(vehicle) ?? -Infinity) > this.#eventTimeMs - FAST_FOR_MS ? 'fast' : 'ok'
  }

  /** Lets the alerts that are committed arrive, then ends the queries. @throws what a query failed with */
  async close(): Promise<void> {
    const startedMs = this.#clock.monotonicMs()
    const isBehind = (): boolean =>
      this.#followed.some(({ topic, from, seen }) => seen < recordCount(this.#millrace, topic) - from)
    while (isBehind() && this.#clock.monotonicMs() < startedMs + ARRIVAL_MS_MAX)
      await pause(this.#clock, 20, new AbortController().signal)
    for (const stream of this.#streams) await stream.close()
    await Promise.all(this.#running)
  }

  #follow(sql: string, onRow: (row: RowObject) => void): void {
    const stream = this.#millrace.query(sql)
    this.#streams.push(stream)
    const run = async (): Promise<void> => {
      for await (const row of stream) onRow(row)
    }
    const running = run()
    running.catch(() => {}) // reported by close()
    this.#running.push(running)
  }

  #minute(row: RowObject): void {
    const id = row['VEHICLE_ID'] as string
    const windowStartMs = row['WINDOWSTART'] as number
    if (windowStartMs < (this.#vehicles.get(id)?.windowStartMs ?? 0)) return
    this.#vehicles.set(id, {
      id,
      windowStartMs,
      readings: row['READINGS'] as number,
      averageSpeed: row['AVERAGE_SPEED'] as number | null,
      topSpeed: row['TOP_SPEED'] as number | null,
      engineTemp: row['ENGINE_TEMP'] as number | null,
      fuelLevel: row['FUEL_LEVEL'] as number | null,
    })
  }

  #note(row: RowObject): AlertLine {
    const line: AlertLine = {
      alert: row['ALERT'] as string,
      severity: row['SEVERITY'] as string | null,
      state: row['STATE'] as AlertLine['state'],
      vehicle: row['VEHICLE_ID'] as string,
      sinceMs: row['SINCE'] as number,
      atMs: row['AT'] as number,
      detail: detailOf(row),
    }
    const key = `${line.alert} ${line.vehicle}`
    if (line.state === 'resolved') this.#open.delete(key)
    else this.#open.set(key, line)
    if (line.state !== 'pending') {
      this.#alerts.push(line)
      if (this.#alerts.length > ALERTS_KEPT) this.#alerts.shift()
    }
    return line
  }
}

const EVENT_COLUMNS = new Set(
  ['VEHICLE_ID', 'ALERT', 'SEVERITY', 'STATE', 'SINCE', 'AT', 'WINDOW_START', 'WINDOW_END'].concat([
    'WINDOWSTART',
    'WINDOWEND',
  ]),
)

function detailOf(row: RowObject): string {
  return Object.entries(row)
    .filter(([name, value]) => !EVENT_COLUMNS.has(name) && typeof value === 'number')
    .map(([name, value]) => `${name.toLowerCase()} ${rounded(value as number)}`)
    .join(', ')
}

function rounded(value: number): string {
  return String(Number(value.toFixed(Math.abs(value) < 1_000 && !Number.isInteger(value) ? 2 : 0)))
}
