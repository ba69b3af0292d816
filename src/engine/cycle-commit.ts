import type { CommitOutcome, CommitOwner, CommittedOffset, GroupAppend, Log } from '../log/log.ts'
import { append, type EarlyAppends } from './early-appends.ts'
import { offsetsGroup } from './query-spec.ts'
import type { RunningQuery } from './running-query.ts'

/** What one query has to commit of a cycle. */
export interface TakenQuery {
  readonly query: RunningQuery
  readonly appends: readonly GroupAppend[]
  /** How many of the appends are changelogs; they come first. */
  readonly changelogs: number
  readonly offsets: readonly CommittedOffset[]
  /** At least once: the appends of the cycle that went before. Null: exactly once. */
  readonly early: EarlyAppends | null
}

/** `refused`: nothing was written (a deleted output topic, a full disk). */
export type CycleOutcome = CommitOutcome | { readonly kind: 'refused'; readonly error: unknown }

/**
 * The end of a cycle on its way into the log, while the next one works: of all queries that run exactly once
 * as one group, or of one that runs at least once, its offsets after everything else.
 */
export class CycleCommit {
  readonly taken: readonly TakenQuery[]
  /** Never rejects. */
  readonly outcome: Promise<CycleOutcome>
  #isDecided = false

  constructor(log: Log, owner: CommitOwner, taken: readonly TakenQuery[]) {
    this.taken = taken
    const { early } = taken[0]!
    const outcome =
      early === null ? commitGroup(log, owner, taken) : offsetsLast(log, owner, taken[0]!, early)
    this.outcome = outcome.then((decided) => {
      this.#isDecided = true
      return decided
    })
  }

  /** A cycle as the commits it takes. */
  static allOf(log: Log, owner: CommitOwner, taken: readonly TakenQuery[]): CycleCommit[] {
    const exact = taken.filter(({ early }) => early === null)
    const others = taken.filter(({ early }) => early !== null).map((one) => [one])
    return [exact, ...others]
      .filter((part) => part.length > 0)
      .map((part) => new CycleCommit(log, owner, part))
  }

  get isDecided(): boolean {
    return this.#isDecided
  }
}

async function commitGroup(
  log: Log,
  owner: CommitOwner,
  taken: readonly TakenQuery[],
): Promise<CycleOutcome> {
  try {
    return await log.commit({
      owner,
      appends: taken.flatMap(({ appends }) => appends),
      offsets: taken.map(({ query, offsets }) => ({ group: offsetsGroup(query.spec.id), offsets })),
    })
  } catch (error) {
    return { kind: 'refused', error }
  }
}

/** Whoever is stopped in between reads the same input again: its results come twice, none is missing. */
async function offsetsLast(
  log: Log,
  owner: CommitOwner,
  { query, appends, offsets }: TakenQuery,
  early: EarlyAppends,
): Promise<CycleOutcome> {
  const appending = append(log, owner, appends)
  const problem = await early.settled()
  const appended = await appending
  if (problem !== null) return problem
  if (appended.kind !== 'committed') return appended
  try {
    const outcome = await log.commit({
      owner,
      appends: [],
      offsets: [{ group: offsetsGroup(query.spec.id), offsets }],
    })
    return outcome.kind === 'committed' ? appended : outcome
  } catch (error) {
    return { kind: 'refused', error }
  }
}
