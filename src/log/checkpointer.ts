import { crashPoint } from '../base/crash-points.ts'
import type { FileSystem } from '../base/file-system.ts'
import type { CheckpointSlots } from './checkpoint.ts'
import { isFileShortage, isShortage } from './disk-error.ts'
import type { Journal, JournalPosition } from './journal.ts'
import type { LogCondition } from './log-condition.ts'
import type { LogState } from './log-state.ts'
import type { Partition } from './partition.ts'
import type { SegmentFiles } from './segment-files.ts'

interface CheckpointerParts {
  readonly fileSystem: FileSystem
  readonly journal: Journal
  readonly slots: CheckpointSlots
  readonly state: LogState
  readonly segmentFiles: SegmentFiles
  readonly condition: LogCondition
}

/** A checkpoint is due when the journal refers to so many bytes in segments: recovery verifies them. */
const BULK_BYTES_MAX = 64 << 20

/** Makes everything applied so far durable outside the journal, whose older part is then free. */
export class Checkpointer {
  readonly #parts: CheckpointerParts
  readonly #fail: (cause: unknown) => void
  /** Where the journal stood when all its frames were applied: those behind it are on their way. */
  #applied: JournalPosition
  /** Referred to since the last checkpoint. */
  #bulkBytes = 0
  #running: Promise<void> | null = null

  /** @param fail closes the log after a sync or a write that failed */
  constructor(parts: CheckpointerParts, fail: (cause: unknown) => void) {
    this.#parts = parts
    this.#fail = fail
    this.#applied = parts.journal.end
  }

  /**
   * All frames of the journal have been applied.
   *
   * @param bulkBytes  that the last of them refer to: a restart reads them again
   */
  noteApplied(bulkBytes: number): void {
    this.#applied = this.#parts.journal.end
    this.#bulkBytes += bulkBytes
  }

  /** Whether a restart would have much to replay. */
  get isDue(): boolean {
    const { journal } = this.#parts
    return journal.bytesToReplay > journal.frameBytesMax || this.#bulkBytes > BULK_BYTES_MAX
  }

  get isRunning(): boolean {
    return this.#running !== null
  }

  /** Writes a checkpoint, or waits for the one on its way: it covers what was applied when it began. */
  run(isLast = false): Promise<void> {
    this.#running ??= this.#write(isLast).finally(() => {
      this.#running = null
    })
    return this.#running
  }

  /** Writes a checkpoint that covers all that is applied now. */
  async runAnew(isLast = false): Promise<void> {
    while (this.#running !== null) await this.#running
    await this.run(isLast)
  }

  async #write(isLast: boolean): Promise<void> {
    const { journal, slots, state, segmentFiles, condition, fileSystem } = this.#parts
    // One place of the journal: nothing may be applied between these lines. Frames that are on their way, written
    // and not applied, stay to be replayed.
    const checkpoint = state.checkpoint(this.#applied, isLast ? [0, 0] : journal.durableBytes)
    const covered: [Partition, number][] = []
    const indexes: (() => Promise<void>)[] = []
    for (const { parts } of state.topics()) {
      for (const partition of parts) {
        covered.push([partition, partition.nextOffset])
        const due = partition.dueIndexFiles()
        if (due !== null) indexes.push(due)
      }
    }
    this.#bulkBytes = 0
    try {
      try {
        await segmentFiles.syncAll()
      } catch (cause) {
        // After a failed sync nobody knows what is on disk.
        if (!isFileShortage(cause)) this.#fail(cause)
        throw cause
      }
      crashPoint('checkpoint-before-write')
      await slots.write(checkpoint)
    } catch (cause) {
      // Without space for a new checkpoint the last one still counts; the next try writes it whole.
      if (isShortage(cause)) condition.noteShortage(cause)
      else this.#fail(cause)
      throw cause
    }
    crashPoint('checkpoint-after-write')
    journal.release(checkpoint.journal)
    for (const [partition, offset] of covered) partition.checkpointedTo = offset
    for (const write of indexes) await write()
    await condition.measure(fileSystem)
  }
}
