import type { AlertNode } from '../../plan/plan-node.ts'
import { BIGINT, BOOLEAN, STRING, type SqlType } from '../../plan/sql-type.ts'
import type { Row } from '../../plan/sql-value.ts'
import { NEVER } from './operator-time.ts'

/** One key's alert. Plain data: every step gives the next one. */
export interface AlertInstance {
  readonly state: 'inactive' | 'pending' | 'firing'
  /** Event time from which the condition holds; {@link NEVER} while inactive. */
  readonly sinceMs: number
  /** While firing: event time at which the reason to fire ended, {@link NEVER} while it lasts. */
  readonly ceasedMs: number
  /** Event time of the last evaluation by a row. */
  readonly seenMs: number
  /** Event time of the last change of state. */
  readonly changedMs: number
  /** Window of the last evaluation; {@link NEVER} without windows. */
  readonly windowStartMs: number
  readonly windowEndMs: number
  /** Whether what follows from silence has been drawn since the last row. */
  readonly silent: boolean
  /** When the instance's timer goes off: at the time it falls due, or earlier. {@link NEVER}: none is set. */
  readonly timerMs: number
  /** The event's columns of the SELECT list, from the last row seen. */
  readonly values: Row
}

/** What an alert's rules say about time. All in event time. */
export interface AlertRules {
  readonly forMs: number
  readonly keepFiringForMs: number
  readonly noData: AlertNode['noData']
  /** Whether the condition goes on holding between rows: of a table without windows. */
  readonly holdsOn: boolean
  /** How long after its window's end a key without a further row has missed the next window; null: never. */
  readonly missedAfterMs: number | null
}

/** A change that is told. */
export interface AlertChange {
  readonly state: 'pending' | 'firing' | 'resolved'
  readonly sinceMs: number
  readonly atMs: number
}

export interface AlertStep {
  /** null: nothing is left to remember. */
  readonly instance: AlertInstance | null
  readonly change: AlertChange | null
}

/** A key that is met for the first time. */
export function newInstance(values: Row): AlertInstance {
  return {
    state: 'inactive',
    sinceMs: NEVER,
    ceasedMs: NEVER,
    seenMs: NEVER,
    changedMs: NEVER,
    windowStartMs: NEVER,
    windowEndMs: NEVER,
    silent: false,
    timerMs: NEVER,
    values,
  }
}

/** The condition holds at `atMs`, or while firing the reason to fire lasts. */
export function holds(instance: AlertInstance, rules: AlertRules, atMs: number): AlertStep {
  switch (instance.state) {
    case 'inactive': {
      if (rules.forMs === 0) return fire({ ...instance, sinceMs: atMs }, atMs)
      return {
        instance: { ...instance, state: 'pending', sinceMs: atMs, changedMs: atMs },
        change: { state: 'pending', sinceMs: atMs, atMs },
      }
    }
    case 'pending':
      return atMs - instance.sinceMs >= rules.forMs ? fire(instance, atMs) : unchanged(instance)
    case 'firing':
      return unchanged({ ...instance, ceasedMs: NEVER })
  }
}

/** The condition doesn't hold at `atMs`, or while firing the reason to fire is gone. */
export function ceases(instance: AlertInstance, rules: AlertRules, atMs: number): AlertStep {
  switch (instance.state) {
    case 'inactive':
      return unchanged(instance)
    case 'pending':
      return unchanged({ ...instance, state: 'inactive', sinceMs: NEVER, changedMs: atMs })
    case 'firing':
      if (rules.keepFiringForMs === 0) return resolve(instance, atMs)
      return unchanged(instance.ceasedMs === NEVER ? { ...instance, ceasedMs: atMs } : instance)
  }
}

/** When something next follows from time alone, or null. */
export function dueMs(instance: AlertInstance, rules: AlertRules): number | null {
  const times = [
    pendingEndMs(instance, rules),
    keepEndMs(instance, rules),
    missedMs(instance, rules),
    noDataMs(instance, rules),
  ].filter((time) => time !== null)
  return times.length === 0 ? null : Math.min(...times)
}

/** Draws what follows from time alone at `atMs`, the instance's {@link dueMs}. One consequence at a time. */
export function falls(instance: AlertInstance, rules: AlertRules, atMs: number): AlertStep {
  if (pendingEndMs(instance, rules) === atMs) return fire(instance, atMs)
  if (keepEndMs(instance, rules) === atMs) return resolve(instance, atMs)
  const silent = { ...instance, silent: true }
  if (missedMs(instance, rules) === atMs) return ceases(silent, rules, atMs)
  switch (rules.noData!.then) {
    case 'KEEP':
      return unchanged(silent)
    case 'FIRE':
      // Silence itself is the reason: it began with the last row.
      if (instance.state === 'firing') return unchanged({ ...silent, ceasedMs: NEVER })
      return fire({ ...silent, sinceMs: instance.seenMs }, atMs)
    case 'RESOLVE':
      if (instance.state === 'firing') return resolve(silent, atMs)
      return ceases(silent, rules, atMs)
  }
}

/** Whether nothing would be different if the instance had never been. */
export function isForgettable(instance: AlertInstance, rules: AlertRules): boolean {
  if (instance.state !== 'inactive' || rules.noData !== null) return false
  // Until the next window is over, rows of older windows are known for what they are.
  return rules.missedAfterMs === null || instance.silent
}

function pendingEndMs(instance: AlertInstance, rules: AlertRules): number | null {
  return instance.state === 'pending' && rules.holdsOn ? instance.sinceMs + rules.forMs : null
}

function keepEndMs(instance: AlertInstance, rules: AlertRules): number | null {
  return instance.state === 'firing' && instance.ceasedMs !== NEVER
    ? instance.ceasedMs + rules.keepFiringForMs
    : null
}

function missedMs(instance: AlertInstance, rules: AlertRules): number | null {
  if (rules.missedAfterMs === null || rules.noData !== null || instance.silent) return null
  return instance.windowStartMs === NEVER ? null : instance.windowEndMs + rules.missedAfterMs
}

function noDataMs(instance: AlertInstance, rules: AlertRules): number | null {
  return rules.noData === null || instance.silent ? null : instance.seenMs + rules.noData.afterMs
}

function fire(instance: AlertInstance, atMs: number): AlertStep {
  return {
    instance: { ...instance, state: 'firing', ceasedMs: NEVER, changedMs: atMs },
    change: { state: 'firing', sinceMs: instance.sinceMs, atMs },
  }
}

function resolve(instance: AlertInstance, atMs: number): AlertStep {
  return {
    instance: { ...instance, state: 'inactive', sinceMs: NEVER, ceasedMs: NEVER, changedMs: atMs },
    change: { state: 'resolved', sinceMs: instance.sinceMs, atMs },
  }
}

function unchanged(instance: AlertInstance): AlertStep {
  return { instance, change: null }
}

const FIXED_COLUMNS = 9

/** Columns of an instance in its store. */
export function instanceTypes(values: readonly SqlType[]): readonly SqlType[] {
  return [STRING, BIGINT, BIGINT, BIGINT, BIGINT, BIGINT, BIGINT, BOOLEAN, BIGINT, ...values]
}

export function instanceToRow(instance: AlertInstance): Row {
  return [
    instance.state,
    instance.sinceMs,
    instance.ceasedMs,
    instance.seenMs,
    instance.changedMs,
    instance.windowStartMs,
    instance.windowEndMs,
    instance.silent,
    instance.timerMs,
    ...instance.values,
  ]
}

export function instanceFromRow(row: Row): AlertInstance {
  return {
    state: row[0] as AlertInstance['state'],
    sinceMs: row[1] as number,
    ceasedMs: row[2] as number,
    seenMs: row[3] as number,
    changedMs: row[4] as number,
    windowStartMs: row[5] as number,
    windowEndMs: row[6] as number,
    silent: row[7] as boolean,
    timerMs: row[8] as number,
    values: row.slice(FIXED_COLUMNS),
  }
}
