import type { GroupCoordinator } from './group-coordinator.ts'
import type { JournalEntry } from './journal-entry.ts'
import type { LogState } from './log-state.ts'
import { isInternalName } from './topic-config.ts'

/** A group has this long after an opening to come back: members live in a process, which may have been down. */
const RETURN_MS = 60 * 60 * 1000
/** Kafka's `producer.id.expiration.ms` and `transactional.id.expiration.ms`. */
const PRODUCER_IDLE_MS_MAX = 24 * 60 * 60 * 1000
const TRANSACTIONAL_ID_IDLE_MS_MAX = 7 * 24 * 60 * 60 * 1000

/**
 * What nobody has used for long and can be forgotten: offsets of groups without members, counted from the last
 * commit or from when the last member went, whichever is later, and transactional ids. Groups of queries stay.
 *
 * @param offsetsRetentionMs negative: offsets never expire
 */
export function idleEntries(
  state: LogState,
  coordinator: GroupCoordinator,
  offsetsRetentionMs: number,
  openedMs: number,
  nowMs: number,
): JournalEntry[] {
  const entries: JournalEntry[] = []
  const pending = new Set<string>()
  for (const { transactionalId, openSinceMs, usedMs, pendingOffsets } of state.transactionalIds()) {
    for (const { group } of pendingOffsets) pending.add(group)
    const idleMs = nowMs - (usedMs === 0 ? openedMs : usedMs)
    if (openSinceMs === null && idleMs > TRANSACTIONAL_ID_IDLE_MS_MAX) {
      entries.push({ kind: 'delete-transactional-id', transactionalId })
    }
  }
  if (offsetsRetentionMs < 0 || nowMs - openedMs <= Math.min(RETURN_MS, offsetsRetentionMs)) return entries
  for (const group of state.groups()) {
    if (isInternalName(group) || pending.has(group)) continue
    let lastMs = coordinator.emptySinceMs(group)
    for (const { atMs = openedMs } of state.group(group)) lastMs = Math.max(lastMs, atMs)
    if (nowMs - lastMs > offsetsRetentionMs) entries.push({ kind: 'delete-group', group })
  }
  return entries
}

/** Forgets the sequences of producers that are gone. They come back by themselves if one of them is not. */
export function forgetIdleProducers(state: LogState, nowMs: number): void {
  for (const { parts } of state.topics()) {
    for (const { producers } of parts) producers.expire(nowMs - PRODUCER_IDLE_MS_MAX)
  }
}
