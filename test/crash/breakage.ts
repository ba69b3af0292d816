import { crashPoint } from '../../src/base/crash-points.ts'
import { EmbeddedLog } from '../../src/log/embedded-log.ts'
import type { CommitGroup, CommitOutcome } from '../../src/log/log.ts'

/**
 * Ways to break commits of the engine, to show that the crash test notices:
 * - `skip-changelog`: changes of state are not written,
 * - `offsets-first`: input offsets are committed before what came of the input,
 * - `offsets-last`: and after it.
 *
 * Of a commit in two halves, the first one passes `cycle-after-commit`, too.
 */
export const BREAKAGES = ['skip-changelog', 'offsets-first', 'offsets-last'] as const

export type Breakage = (typeof BREAKAGES)[number]

/** Breaks the commits of all logs of this process. */
export function breakCommits(breakage: Breakage): void {
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
    }
  }
}
