import { crashPoint } from '../../src/base/crash-points.ts'
import { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { CommitGroup, CommitOutcome } from '../../src/log/log.ts'
import { decodeRecord, encodeRecord, taskKey, type TaskRecord } from '../../src/state/checkpoint-record.ts'
import { LevelStorage } from '../../src/state/level-storage.ts'

/**
 * Ways to break the build, to show that the crash test notices. Commits of the engine:
 * - `skip-changelog`: changes of state are not written,
 * - `offsets-first`: input offsets are committed before what came of the input,
 * - `offsets-last`: and after it.
 *
 * Of a commit in two halves, the first one passes `cycle-after-commit`, too. What only a power cut shows:
 * - `skip-sync`: the journal is never synced,
 * - `late-sync`: it is synced after everybody was answered,
 * - `state-ahead`: the same, and state that is ahead of its changelog is taken for good.
 */
export const BREAKAGES = [
  'skip-changelog',
  'offsets-first',
  'offsets-last',
  'skip-sync',
  'late-sync',
  'state-ahead',
] as const

export type Breakage = (typeof BREAKAGES)[number]

/** How long after everybody was answered the journal is synced, in ms: Infinity is never, 0 as it should be. */
export function syncsLateByMs(breakage: Breakage | null): number {
  switch (breakage) {
    case 'skip-sync':
      return Infinity
    case 'late-sync':
      return 50
    case 'state-ahead':
      return 500
    default:
      return 0
  }
}

/** Breaks this process, but for {@link syncsLateByMs}. */
export function breakBuild(breakage: Breakage): void {
  if (breakage === 'state-ahead') trustState()
  else breakCommits(breakage)
}

/** A checkpoint of state says how far its changelog must have come. Now it says nothing. */
function trustState(): void {
  const getMany: (this: LevelStorage, keys: readonly string[]) => ReturnType<LevelStorage['getMany']> =
    Reflect.get(LevelStorage.prototype, 'getMany')
  LevelStorage.prototype.getMany = async function (keys) {
    const values = await getMany.call(this, keys)
    return values.map((value, i) => {
      const key = keys[i]!
      if (value === undefined || !key.startsWith(taskKey('').charAt(0))) return value
      const record = decodeRecord<TaskRecord>(key, value)!
      const stores = Object.entries(record.stores).map(([name, store]) => [name, { ...store, upTo: 0 }])
      return encodeRecord(key, { ...record, stores: Object.fromEntries(stores) as TaskRecord['stores'] })
    })
  }
}

/** Breaks the commits of all logs of this process. */
function breakCommits(breakage: Breakage): void {
  const commit: (this: EmbeddedLog, group: CommitGroup) => Promise<CommitOutcome> = Reflect.get(
    EmbeddedLog.prototype,
    'commit',
  )
  EmbeddedLog.prototype.commit = async function (group: CommitGroup): Promise<CommitOutcome> {
    if (group.owner.name !== 'worker') return commit.call(this, group)
    switch (breakage) {
      case 'skip-changelog': {
        const kept = group.appends.filter(({ topic }) => !topic.endsWith('-changelog'))
        const outcome = await commit.call(this, { ...group, appends: kept })
        if (outcome.kind !== 'committed') return outcome
        const baseOffsets = [...outcome.baseOffsets]
        return {
          ...outcome,
          baseOffsets: group.appends.map((append) => (kept.includes(append) ? baseOffsets.shift()! : 0)),
        }
      }
      case 'offsets-first': {
        const outcome = await commit.call(this, { ...group, appends: [] })
        if (outcome.kind !== 'committed') return outcome
        crashPoint('cycle-after-commit')
        return commit.call(this, { ...group, offsets: [] })
      }
      case 'offsets-last': {
        const outcome = await commit.call(this, { ...group, offsets: [] })
        if (outcome.kind !== 'committed') return outcome
        crashPoint('cycle-after-commit')
        await commit.call(this, { ...group, appends: [] })
        return outcome
      }
      default:
        return commit.call(this, group)
    }
  }
}
