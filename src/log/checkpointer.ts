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

/** Makes everything applied so far durable outside the journal, whose older part is then free. */
export class Checkpointer {
  readonly #parts: CheckpointerParts
  readonly #fail: (cause: unknown) => void
  /** Where the journal stood when all its frames were applied: those behind it are on their way. */
  #applied: JournalPosition
  #running: Promise<void> | null = null

  /** @param fail closes the log after a sync or a write that failed */
  constructor(parts: CheckpointerParts, fail: (cause: unknown) => void) {
    this.#parts = parts
    this.#fail = fail
    this.#applied = parts.journal.end
  }

  /** All frames of the journal have been applied. */
  noteApplied(): void {
    this.#applied = this.#parts.journal.end
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
    for (const { parts } of state.topics()) {
      for (const partition of parts) covered.push([partition, partition.nextOffset])
    }
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
    await condition.measure(fileSystem)
  }
}
