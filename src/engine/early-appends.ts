import type { CommitOwner, GroupAppend, Log } from '../log/log.ts'
import type { CycleOutcome } from './cycle-commit.ts'

/** How many arrays of a sink may be on their way or being filled: an early append, a commit's, and the next. */
export const ARRAYS_IN_USE_MAX = 3

/**
 * At least once: what a query puts out goes into the log before its cycle ends, without offsets, one append
 * after the other. Appends keep their order in the log; whatever goes wrong shows when the cycle ends.
 */
export class EarlyAppends {
  readonly #log: Log
  readonly #owner: CommitOwner
  #onItsWay: Promise<void> | null = null
  #problem: CycleOutcome | null = null

  constructor(log: Log, owner: CommitOwner) {
    this.#log = log
    this.#owner = owner
  }

  /** Whether nothing is on its way, and nothing went wrong. */
  get isFree(): boolean {
    return this.#onItsWay === null && this.#problem === null
  }

  send(appends: readonly GroupAppend[]): void {
    this.#onItsWay = append(this.#log, this.#owner, appends).then((outcome) => {
      this.#onItsWay = null
      if (outcome.kind !== 'committed') this.#problem ??= outcome
    })
  }

  /** Everything sent is durable (null), or what came of the first that isn't; told once. */
  async settled(): Promise<CycleOutcome | null> {
    await this.#onItsWay
    const problem = this.#problem
    this.#problem = null
    return problem
  }
}

/** Appends without offsets. Never rejects. */
export async function append(
  log: Log,
  owner: CommitOwner,
  appends: readonly GroupAppend[],
): Promise<CycleOutcome> {
  try {
    return await log.commit({ owner, appends, offsets: [] })
  } catch (error) {
    return { kind: 'refused', error }
  }
}
