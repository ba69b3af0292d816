import type { PageSource } from './managed-store.ts'
import type { PageWrite } from './page-table.ts'

/**
 * An ordered key-value storage of bytes as LevelDB is: what the checkpoint is kept in. Keys are binary
 * strings, ordered by their bytes.
 *
 * Nothing here is trusted: after a crash a tail of writes may be missing, or some in the middle, and a
 * write that was refused may be there. Whoever reads verifies.
 */
export interface StateStorage extends PageSource {
  /** All of it or nothing; ordered after earlier writes. Survives the process, not power loss. */
  write(writes: readonly PageWrite[]): Promise<void>
  /** Removes the keys in [from, to), in batches of its own: not atomic, may be repeated. */
  clear(from: string, to: string): Promise<void>
  close(): Promise<void>
}
