import { StorageError } from '../base/errors.ts'
import type { LogHealth } from './log.ts'

/** Below this the log reports a disk that is getting full. */
const FREE_BYTES_LOW = 64 * 1024 * 1024

/**
 * How the log is: open, short of space, failed, closing or closed; with the errors that say so.
 *
 * A failure is for good: the log works again once it is reopened.
 */
export class LogCondition {
  readonly #directory: string
  #failure: unknown = null
  #closing = false
  #closed = false
  #freeBytesLow: string | null = null
  /** Why cleaner or retention could not do its work in the last round, by path. */
  readonly problems = new Map<string, string>()

  constructor(directory: string) {
    this.#directory = directory
  }

  get hasFailed(): boolean {
    return this.#failure !== null
  }

  get isClosing(): boolean {
    return this.#closing
  }

  /** Whether new work may begin. */
  get isUsable(): boolean {
    return this.#failure === null && !this.#closing
  }

  /** The first failure counts. */
  fail(cause: unknown): void {
    this.#failure ??= cause
  }

  beginClosing(): void {
    this.#closing = true
  }

  closed(): void {
    this.#closed = true
  }

  assertOpen(): void {
    if (this.#failure !== null || this.#closed) throw this.closedError()
  }

  closedError(cause: unknown = this.#failure): StorageError {
    return cause === null
      ? new StorageError('LOG_CLOSED', { message: 'The log is closed.' })
      : new StorageError('LOG_CLOSED_AFTER_ERROR', {
          message: `The log closed itself after a failed write: ${describeCause(cause)}`,
          hint: 'Free space or repair the disk, then open the log again.',
          cause,
        })
  }

  noteFreeBytes(bytes: number): void {
    this.#freeBytesLow =
      bytes < FREE_BYTES_LOW ? `${Math.floor(bytes / 1048576)} MiB are left for ${this.#directory}.` : null
  }

  noteDiskFull(): void {
    this.#freeBytesLow = `A write found no space left for ${this.#directory}.`
  }

  /** What to tell whoever wanted to write, when nothing of it was written. */
  diskError(cause: unknown): unknown {
    if (!isDiskFull(cause)) return cause
    this.noteDiskFull()
    return new StorageError('LOG_DISK_FULL', {
      message: `The disk holding ${this.#directory} is full. Nothing of the group was written.`,
      cause,
    })
  }

  health(): LogHealth {
    if (this.#failure !== null) {
      return { state: 'closed after I/O error', detail: describeCause(this.#failure) }
    }
    if (this.#closing) return { state: 'closed', detail: 'The log has been closed.' }
    if (this.#freeBytesLow !== null) return { state: 'disk low', detail: this.#freeBytesLow }
    const [problem] = this.problems.values()
    return { state: 'open', detail: problem ?? `The log in ${this.#directory} is open.` }
  }
}

export function isDiskFull(cause: unknown): boolean {
  return (cause as { code?: unknown } | null)?.code === 'ENOSPC'
}

export function describeCause(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
