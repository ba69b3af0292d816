import type { CheckedAppend } from './append.ts'
import type { AppendEntry, JournalEntry } from './journal-entry.ts'
import type { CommittedOffset, GroupMember } from './log.ts'
import type { Topic } from './log-state.ts'
import type { StoredOffset } from './stored.ts'

/** A change that waits for its turn at the journal. */
export interface Request {
  /** Roughly how many bytes it brings. */
  readonly bytes: () => number
  /**
   * `after`: those that follow must see its effect before they are planned. `alone`: it must also see the
   * effect of those before.
   */
  readonly barrier: 'none' | 'after' | 'alone'
  /** Whether it has to wait for those planned before it in this round. */
  readonly waits?: () => boolean
  /**
   * Checks the change against the state and turns it into entries, all or nothing: throws a StorageError if
   * it is refused. No entries: nothing to write, {@link done} follows in order.
   */
  readonly plan: () => JournalEntry[]
  /** The frame is with the operating system. */
  readonly written?: () => void
  /** Durable and published. */
  readonly done: () => void
  /** Refused, or the disk was full before anything was written: nothing of it will ever be there. */
  readonly refused: (error: unknown) => void
  /** A write or a sync failed: it may be there after a restart, or not. */
  readonly unknown: (cause: unknown) => void
}

/** The log as its producers see it from inside. */
export interface LogCore {
  enqueue(request: Request): void
  /** Enqueues a change without records; resolves once it is durable and published. */
  submit(plan: () => JournalEntry[], barrier?: Request['barrier']): Promise<void>
  /** @throws StorageError `LOG_UNKNOWN_TOPIC` */
  topicOf(name: string): Topic
  /** Gives checked batches their place and their base offsets. Only while planning a request. */
  reserve(append: CheckedAppend): AppendEntry
  /** @throws StorageError if the member may not commit these */
  checkCommit(group: string, member: GroupMember | null, offsets: readonly CommittedOffset[]): void
  storedOffsets(given: readonly CommittedOffset[]): StoredOffset[]
}
