import type { Clock, Timer } from '../base/clock.ts'
import { StorageError } from '../base/errors.ts'
import type { TopicPartition } from './assignors.ts'
import type { GroupCoordinator, Reconciliation } from './group-coordinator.ts'
import type { ConsumerOptions, GroupMember } from './log.ts'

const SESSION_TIMEOUT_MS = 45_000
const POLL_INTERVAL_MS_MAX = 300_000

/** A consumer's place in its group: it joins, tells that it lives, and leaves when nobody polls it. */
export class ConsumerMembership {
  readonly #coordinator: GroupCoordinator
  readonly #clock: Clock
  readonly #options: ConsumerOptions
  /** What it subscribes to now. */
  readonly #topics: () => readonly string[]
  readonly #sessionTimeoutMs: number
  #memberId: string | null = null
  #generation = -1
  #lastPollMs: number
  #heartbeat: Timer | null = null

  constructor(
    coordinator: GroupCoordinator,
    clock: Clock,
    options: ConsumerOptions,
    topics: () => readonly string[],
  ) {
    this.#coordinator = coordinator
    this.#clock = clock
    this.#options = options
    this.#topics = topics
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS
    this.#lastPollMs = clock.monotonicMs()
  }

  get member(): GroupMember | null {
    if (this.#memberId === null) return null
    const { instanceId } = this.#options
    return {
      memberId: this.#memberId,
      generation: this.#generation,
      ...(instanceId === undefined ? {} : { instanceId }),
    }
  }

  /** Somebody asks for its records. */
  polled(): void {
    this.#lastPollMs = this.#clock.monotonicMs()
  }

  /** Joins the group, or tells it of another subscription. */
  subscribed(): void {
    this.polled()
    if (this.#memberId === null) this.#join()
    else this.#coordinator.subscribed(this.#options.group!, this.#memberId)
  }

  #join(): void {
    const { group, instanceId = null, clientId = 'consumer', assignor = 'range' } = this.#options
    this.#memberId = this.#coordinator.join({
      group: group!,
      instanceId,
      clientId,
      topics: this.#topics,
      assignor,
      sessionTimeoutMs: this.#sessionTimeoutMs,
    })
    this.#generation = -1
    this.#beat()
  }

  /** Tells the coordinator now and then that this consumer lives, whether it is polled or not. */
  #beat(): void {
    const { group, instanceId = null, maxPollIntervalMs = POLL_INTERVAL_MS_MAX } = this.#options
    this.#heartbeat?.cancel()
    this.#heartbeat = this.#clock.after(Math.max(1, Math.floor(this.#sessionTimeoutMs / 3)), () => {
      if (this.#memberId === null) return
      if (this.#clock.monotonicMs() - this.#lastPollMs > maxPollIntervalMs) {
        // Nobody asks for its records: others shall have them.
        this.#coordinator.leave(group!, this.#memberId)
        return
      }
      try {
        this.#coordinator.heartbeat(group!, this.#memberId, instanceId)
        this.#beat()
      } catch (error) {
        // The next poll learns it.
        if (!(error instanceof StorageError)) throw error
      }
    })
  }

  /**
   * Where it stands in its group.
   *
   * @param kept what it owns by its own account
   * @returns null: it was taken for dead and has joined again, so nothing of what it kept is its own any more
   * @throws StorageError `LOG_FENCED_INSTANCE`
   */
  reconcile(kept: readonly TopicPartition[]): Reconciliation | null {
    const { group, instanceId = null } = this.#options
    try {
      const standing = this.#coordinator.reconcile(group!, this.#memberId!, kept, instanceId)
      this.#generation = standing.generation
      return standing
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'LOG_UNKNOWN_MEMBER') throw error
      this.#memberId = null
      return null
    }
  }

  leave(): void {
    this.#heartbeat?.cancel()
    if (this.#memberId !== null) this.#coordinator.leave(this.#options.group!, this.#memberId)
    this.#memberId = null
  }

  /** A static member is expected back, until its session times out. */
  close(): void {
    this.#heartbeat?.cancel()
    if (this.#options.instanceId === undefined) this.leave()
  }
}
