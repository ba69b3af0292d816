import Big from 'big.js'

import { StorageError } from '../base/errors.ts'
import type { QueryPlan } from './plan-node.ts'

/** Bumped when a stored plan of the earlier shape could no longer be run. */
const PLAN_VERSION = 1

/**
 * A plan as JSON text, to be stored with its query: a restart runs the stored plan, never a new reading
 * of the statement. Values JSON lacks are tagged objects with one member: `$bigint`, `$decimal`,
 * `$bytes` (base64), `$map` (list of pairs), `$number` (NaN and the infinities).
 */
export function planToJson(plan: QueryPlan): string {
  return JSON.stringify(tag(plan))
}

/** @throws StorageError `PLAN_UNREADABLE` for text that is no plan, or one of another version */
export function planFromJson(text: string): QueryPlan {
  let parsed: unknown
  try {
    parsed = untag(JSON.parse(text))
  } catch (cause) {
    throw new StorageError('PLAN_UNREADABLE', { message: 'A stored query plan is not valid JSON.', cause })
  }
  const version =
    typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : undefined
  if (version !== PLAN_VERSION) {
    throw new StorageError('PLAN_UNREADABLE', {
      message: `A stored query plan has version ${String(version)}; this version reads ${PLAN_VERSION}.`,
      hint: 'Recreate the query, or go back to the version that stored it.',
    })
  }
  // Written by planToJson of the same version; what is checked is the version.
  return parsed as QueryPlan
}

function tag(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: value.toString() }
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { $number: Object.is(value, -0) ? '-0' : String(value) }
  }
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (value instanceof Big) return { $decimal: value.toFixed() }
  if (value instanceof Map) return { $map: [...value].map(([k, v]) => [tag(k), tag(v)]) }
  if (Array.isArray(value)) return value.map(tag)
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, tag(member)]))
}

function untag(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(untag)
  const entries = Object.entries(value)
  if (entries.length === 1) {
    const [name, member]: [string, unknown] = entries[0]!
    if (name === '$bigint') return BigInt(String(member))
    if (name === '$number') return Number(member)
    if (name === '$decimal') return new Big(String(member))
    if (name === '$bytes') return new Uint8Array(Buffer.from(String(member), 'base64'))
    if (name === '$map' && Array.isArray(member)) {
      return new Map(member.map((pair: readonly unknown[]) => [untag(pair[0]), untag(pair[1])] as const))
    }
  }
  return Object.fromEntries(entries.map(([name, member]) => [name, untag(member)]))
}
