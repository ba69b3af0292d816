import { StorageError } from '../base/errors.ts'
import type { FileSystem } from '../base/file-system.ts'
import { describeCause, diskError, hintFor, isDiskFull, isShortage, platformCode } from './disk-error.ts'
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
  /** What a write lacked that may come back: space, or files that may be open. */
  #shortage: LogHealth | null = null
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
          message: `The log in ${this.#directory} closed itself after a failed write: ${describeCause(cause)}`,
          hint: hintFor(rootOf(cause)) ?? 'Free space or repair the disk, then open the log again.',
          cause,
        })
  }

  /** Looks how much space is left. */
  async measure(fileSystem: FileSystem): Promise<void> {
    try {
      const bytes = await fileSystem.freeBytes(this.#directory)
      this.#freeBytesLow =
        bytes < FREE_BYTES_LOW ? `${Math.floor(bytes / 1048576)} MiB are left for ${this.#directory}.` : null
    } catch (cause) {
      this.#freeBytesLow = `How much space is left for ${this.#directory} is unknown: ${describeCause(cause)}`
    }
  }

  /** Whether a write has lacked something since the last that succeeded. */
  get hasShortage(): boolean {
    return this.#shortage !== null
  }

  noteShortage(cause: unknown): void {
    this.#shortage = isDiskFull(cause)
      ? { state: 'disk low', detail: `A write found no space left for ${this.#directory}.` }
      : { state: 'out of files', detail: `A write for ${this.#directory} found too many files open.` }
  }

  noteWritten(): void {
    this.#shortage = null
  }

  /** What to tell whoever wanted to write, when nothing of it was written. */
  refusal(cause: unknown): unknown {
    if (isShortage(cause)) this.noteShortage(cause)
    if (!isDiskFull(cause)) {
      return diskError('LOG_WRITE_FAILED', `Nothing of the group was written to ${this.#directory}`, cause)
    }
    return new StorageError('LOG_DISK_FULL', {
      message: `The disk holding ${this.#directory} is full. Nothing of the group was written.`,
      hint: hintFor(cause),
      cause,
    })
  }

  health(): LogHealth {
    if (this.#failure !== null) {
      return { state: 'closed after I/O error', detail: describeCause(this.#failure) }
    }
    if (this.#closing) return { state: 'closed', detail: 'The log has been closed.' }
    if (this.#shortage !== null) return this.#shortage
    if (this.#freeBytesLow !== null) return { state: 'disk low', detail: this.#freeBytesLow }
    const [problem] = this.problems.values()
    return { state: 'open', detail: problem ?? `The log in ${this.#directory} is open.` }
  }
}

/** What the platform said in the first place. */
function rootOf(cause: unknown): unknown {
  let at = cause
  while (platformCode(at) === null && at instanceof Error && at.cause !== undefined) at = at.cause
  return at
}
