import type { FleetInput, Reading } from './fleet-input.ts'
import {
  FAST_SPEED,
  GRACE_MS,
  HOP_ADVANCE_MS,
  HOP_SIZE_MS,
  HOT_FOR_MS,
  HOT_KEEP_MS,
  HOT_TEMP,
  JOIN_GRACE_MS,
  JOIN_MS,
  NAMED_SPEED,
  RETENTION_MS,
  SESSION_GAP_MS,
  WINDOW_MS,
} from './fleet-pipeline.ts'

/*
 * The results of the fleet pipeline, from its input alone: plain loops and maps, nothing of the engine. What
 * the loops follow is the definition of each query: docs/sql.md and the comments of the operators.
 */

/** A result as a line: key, value as JSON, timestamp. */
export function line(key: string, value: object | null, timestampMs: number): string {
  return `${key} ${JSON.stringify(value)} @${timestampMs}`
}

/** A reading that has what an aggregation needs. */
type Usable = Reading & { readonly key: string; readonly values: NonNullable<Reading['values']> }

function isUsable(reading: Reading): reading is Usable {
  return reading.key !== null && reading.values !== null
}

export function fastLines(readings: readonly Reading[]): string[] {
  return readings.flatMap(({ key, values, timestampMs }) =>
    values !== null && values.speed > FAST_SPEED
      ? [line(key ?? '', { SPEED: values.speed, STOP: values.stop }, timestampMs)]
      : [],
  )
}

/** The table is whole before the first reading is joined. */
export function namedLines(readings: readonly Reading[], models: FleetInput['models']): string[] {
  return readings.flatMap(({ key, values, timestampMs }) =>
    values !== null && values.speed > NAMED_SPEED
      ? [
          line(
            key ?? '',
            { SPEED: values.speed, MODEL: key === null ? null : (models.get(key) ?? null) },
            timestampMs,
          ),
        ]
      : [],
  )
}

/** What an aggregation of the first so many rows of a group gives. */
export interface Aggregates {
  readonly n: number
  readonly speed: number
  readonly topSpeed: number
  readonly hottest: number
  readonly boarded: number
  /** Highest event time. */
  readonly timeMs: number
}

const NO_ROWS: Aggregates = {
  n: 0,
  speed: 0,
  topSpeed: -Infinity,
  hottest: -Infinity,
  boarded: 0,
  timeMs: -Infinity,
}

/** After each row of a group, in order: what comes out while it grows. */
export type Group = Aggregates[]

export function lastOf(group: Group): Aggregates {
  return group.at(-1)!
}

function addTo(groups: Map<string, Group>, name: string, { values, timestampMs }: Reading): void {
  let group = groups.get(name)
  if (group === undefined) groups.set(name, (group = []))
  const before = group.at(-1) ?? NO_ROWS
  group.push({
    n: before.n + 1,
    speed: before.speed + values!.speed,
    topSpeed: Math.max(before.topSpeed, values!.speed),
    hottest: Math.max(before.hottest, values!.engine_temp),
    boarded: before.boarded + values!.boarded,
    timeMs: Math.max(before.timeMs, timestampMs),
  })
}

/** Windows of `sizeMs` each `advanceMs`, by `key[start]`: a row counts in those whose end and grace time has not reached. */
export function windowGroups(
  readings: readonly Reading[],
  sizeMs: number,
  advanceMs: number,
): Map<string, Group> {
  const groups = new Map<string, Group>()
  let streamTimeMs = -Infinity
  for (const reading of readings) {
    if (!isUsable(reading)) continue
    streamTimeMs = Math.max(streamTimeMs, reading.timestampMs)
    const newest = Math.floor(reading.timestampMs / advanceMs) * advanceMs
    for (let start = newest; start > reading.timestampMs - sizeMs; start -= advanceMs) {
      if (start + sizeMs + GRACE_MS <= streamTimeMs) continue
      addTo(groups, `${reading.key}[${start}]`, reading)
    }
  }
  return groups
}

export const tumblingGroups = (readings: readonly Reading[]): Map<string, Group> =>
  windowGroups(readings, WINDOW_MS, WINDOW_MS)
export const hoppingGroups = (readings: readonly Reading[]): Map<string, Group> =>
  windowGroups(readings, HOP_SIZE_MS, HOP_ADVANCE_MS)

export function vehicleGroups(readings: readonly Reading[]): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const reading of readings) if (isUsable(reading)) addTo(groups, reading.key, reading)
  return groups
}

/** Groups by what is in the value: rows of all partitions, also those without a key. None is late. */
export function valueGroups(
  partitions: FleetInput['readings'],
  by: (values: Usable['values'], timestampMs: number) => string,
): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const readings of partitions) {
    for (const reading of readings) {
      const { values, timestampMs } = reading
      if (values !== null) addTo(groups, by(values, timestampMs), reading)
    }
  }
  return groups
}

export interface SessionResult {
  readonly startMs: number
  readonly endMs: number
  readonly n: number
  readonly boarded: number
}

/**
 * Sessions by key.
 *
 * @param final  what is closed was told and takes nothing more; else it does until it is forgotten
 */
export function sessions(readings: readonly Reading[], final: boolean): Map<string, SessionResult[]> {
  const live = new Map<string, SessionResult[]>()
  const done = new Map<string, SessionResult[]>()
  let streamTimeMs = -Infinity
  for (const reading of readings) {
    if (!isUsable(reading)) continue
    const { key, timestampMs } = reading
    const goneBeforeMs = streamTimeMs - SESSION_GAP_MS - GRACE_MS
    streamTimeMs = Math.max(streamTimeMs, timestampMs)
    const openFromMs = streamTimeMs - SESSION_GAP_MS - GRACE_MS
    const forgottenBeforeMs = final ? goneBeforeMs : streamTimeMs - RETENTION_MS
    const open: SessionResult[] = []
    const met: SessionResult[] = []
    for (const session of live.get(key) ?? []) {
      if (session.endMs < forgottenBeforeMs) push(done, key, session)
      else if (
        session.endMs >= timestampMs - SESSION_GAP_MS &&
        session.startMs <= timestampMs + SESSION_GAP_MS
      ) {
        met.push(session)
      } else open.push(session)
    }
    const startMs = Math.min(timestampMs, ...met.map((s) => s.startMs))
    const endMs = Math.max(timestampMs, ...met.map((s) => s.endMs))
    if (endMs < openFromMs) open.push(...met)
    else {
      const n = met.reduce((total, s) => total + s.n, 1)
      const boarded = met.reduce((total, s) => total + s.boarded, reading.values.boarded)
      open.push({ startMs, endMs, n, boarded })
    }
    live.set(key, open)
  }
  for (const [key, open] of live) for (const session of open) push(done, key, session)
  return done
}

/** Each trip with the readings around it; those without any, alone. */
export function tripLines(readings: readonly Reading[], trips: FleetInput['trips'][number]): string[] {
  interface Left {
    readonly timestampMs: number
    readonly trip: string
    matched: boolean
  }
  interface Right {
    readonly timestampMs: number
    readonly speed: number
  }
  const lefts = new Map<string, Left[]>()
  const rights = new Map<string, Right[]>()
  const all: { readonly key: string; readonly left: Left }[] = []
  const lines: string[] = []
  let streamTimeMs = -Infinity
  const isKept = ({ timestampMs }: { timestampMs: number }): boolean =>
    timestampMs >= streamTimeMs - JOIN_MS - JOIN_GRACE_MS
  const match = (key: string, left: Left, right: Right): void => {
    left.matched = true
    const atMs = Math.max(left.timestampMs, right.timestampMs)
    lines.push(line(key, { TRIP: left.trip, SPEED: right.speed }, atMs))
  }
  const isNear = (a: { timestampMs: number }, b: { timestampMs: number }): boolean =>
    Math.abs(a.timestampMs - b.timestampMs) <= JOIN_MS
  for (const row of inOrder(
    trips,
    readings.filter((r) => !r.isPoison),
  )) {
    if ('trip' in row) {
      streamTimeMs = Math.max(streamTimeMs, row.timestampMs)
      const left: Left = { timestampMs: row.timestampMs, trip: row.trip, matched: false }
      all.push({ key: row.key, left })
      for (const right of prune(rights, row.key, isKept)) if (isNear(left, right)) match(row.key, left, right)
      if (isKept(left)) push(lefts, row.key, left)
    } else if (isUsable(row)) {
      streamTimeMs = Math.max(streamTimeMs, row.timestampMs)
      const right: Right = { timestampMs: row.timestampMs, speed: row.values.speed }
      for (const left of prune(lefts, row.key, isKept)) if (isNear(left, right)) match(row.key, left, right)
      if (isKept(right)) push(rights, row.key, right)
    }
  }
  for (const { key, left } of all) {
    if (!left.matched) lines.push(line(key, { TRIP: left.trip, SPEED: null }, left.timestampMs))
  }
  return lines
}

/** Events of the alert, per key in order. */
export function alertLines(readings: readonly Reading[]): string[] {
  interface Instance {
    readonly key: string
    readonly sinceMs: number
    firing: boolean
    ceasedMs: number | null
    seenMs: number
    temp: number
  }
  const instances = new Map<string, Instance>()
  /** Those that resolve unless they heat up again. */
  const ceased = new Set<Instance>()
  const lines: string[] = []
  let streamTimeMs = -Infinity
  const tell = ({ key, sinceMs, temp }: Instance, state: string, atMs: number): void => {
    const event = {
      ALERT: 'HOT',
      SEVERITY: 'critical',
      STATE: state,
      SINCE: sinceMs,
      AT: atMs,
      WINDOW_START: null,
      WINDOW_END: null,
      ENGINE_TEMP: temp,
    }
    lines.push(line(key, event, atMs))
  }
  const resolveDue = (): void => {
    for (const instance of ceased) {
      const atMs = instance.ceasedMs! + HOT_KEEP_MS
      if (atMs > streamTimeMs) continue
      tell(instance, 'resolved', atMs)
      ceased.delete(instance)
      instances.delete(instance.key)
    }
  }
  for (const reading of readings) {
    if (!isUsable(reading)) continue
    const { key, timestampMs } = reading
    const temp = reading.values.engine_temp
    if (timestampMs > streamTimeMs) {
      streamTimeMs = timestampMs
      resolveDue()
    }
    const isHot = temp > HOT_TEMP
    const known = instances.get(key)
    if (known === undefined) {
      if (!isHot) continue
      const sinceMs = timestampMs
      const instance = { key, sinceMs, firing: false, ceasedMs: null, seenMs: timestampMs, temp }
      instances.set(key, instance)
      tell(instance, 'pending', timestampMs)
      continue
    }
    if (timestampMs < known.seenMs) continue
    known.seenMs = timestampMs
    known.temp = temp
    if (!known.firing) {
      if (!isHot) instances.delete(key)
      else if (timestampMs - known.sinceMs >= HOT_FOR_MS) {
        known.firing = true
        tell(known, 'firing', timestampMs)
      }
    } else if (isHot) {
      known.ceasedMs = null
      ceased.delete(known)
    } else {
      known.ceasedMs ??= timestampMs
      ceased.add(known)
      // Stream time may be ahead of the reading.
      resolveDue()
    }
  }
  streamTimeMs = Infinity
  resolveDue()
  return lines
}

/** Two inputs of one partition in step: by the highest time each has reached, the first one first, then by offset. */
function* inOrder<A extends { timestampMs: number }, B extends { timestampMs: number }>(
  first: readonly A[],
  second: readonly B[],
): Iterable<A | B> {
  let a = 0
  let b = 0
  let reachedA = first[0]?.timestampMs ?? Infinity
  let reachedB = second[0]?.timestampMs ?? Infinity
  while (a < first.length || b < second.length) {
    if (b === second.length || (a < first.length && reachedA <= reachedB)) {
      yield first[a++]!
      reachedA = Math.max(reachedA, first[a]?.timestampMs ?? -Infinity)
    } else {
      yield second[b++]!
      reachedB = Math.max(reachedB, second[b]?.timestampMs ?? -Infinity)
    }
  }
}

/** The list of a key without what is not kept. */
function prune<T>(lists: Map<string, T[]>, key: string, isKept: (item: T) => boolean): readonly T[] {
  const list = lists.get(key)
  if (list === undefined) return []
  const kept = list.filter(isKept)
  lists.set(key, kept)
  return kept
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}
