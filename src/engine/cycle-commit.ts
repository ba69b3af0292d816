import type { CommitOutcome, CommitOwner, CommittedOffset, GroupAppend, Log } from '../log/log.ts'
import { offsetsGroup } from './query-spec.ts'
import type { RunningQuery } from './running-query.ts'

/** What one query has to commit of a cycle. */
export interface TakenQuery {
  readonly query: RunningQuery
  readonly appends: readonly GroupAppend[]
  /** How many of the appends are changelogs; they come first. */
  readonly changelogs: number
  readonly offsets: readonly CommittedOffset[]
}

/** `refused`: nothing was written (a deleted output topic, a full disk). */
export type CycleOutcome = CommitOutcome | { readonly kind: 'refused'; readonly error: unknown }

/** The end of a cycle on its way into the log, as one group, while the next cycle works. */
export class CycleCommit {
  readonly taken: readonly TakenQuery[]
  readonly #outcome: Promise<CycleOutcome>
  #isDecided = false

  constructor(log: Log, owner: CommitOwner, taken: readonly TakenQuery[]) {
    this.taken = taken
    this.#outcome = commitGroup(log, owner, taken).then((outcome) => {
      this.#isDecided = true
      return outcome
    })
  }

  get isDecided(): boolean {
    return this.#isDecided
  }

  /** Never rejects. */
  get outcome(): Promise<CycleOutcome> {
    return this.#outcome
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
