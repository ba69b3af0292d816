import { dirname, join } from 'node:path'
import { crashPoint } from '../base/crash-points.ts'
import { type FileSystem, writeFully } from '../base/file-system.ts'
import { describeCause, isFileShortage } from './disk-error.ts'
import { DirtyPaths } from './dirty-paths.ts'
import type { FilePool } from './file-pool.ts'
import type { AppendEntry } from './journal-entry.ts'
import type { LogCondition } from './log-condition.ts'
import { type LogState, TOPICS_DIRECTORY } from './log-state.ts'
import type { Partition, Segment } from './partition.ts'

/**
 * The files of all segments, as the log writes them: batches into their places, directories for new ones,
 * and what of it has to be synced before the journal may forget it.
 */
export class SegmentFiles {
  readonly #fileSystem: FileSystem
  readonly #files: FilePool
  readonly #directory: string
  readonly #state: LogState
  /** Segments and directories changed since they were last synced. */
  readonly #dirtySegments = new DirtyPaths()
  readonly #dirtyDirectories = new DirtyPaths()
  readonly #knownDirectories = new Set<string>()
  /** By path: what happens to a segment's file now, or happened last in the round under way. */
  #writing = new Map<string, Promise<void>>()
  readonly #syncing = new Map<string, Promise<void>>()
  readonly #rebuilding = new Map<string, Promise<void>>()
  /** By path: batches written in the round under way. */
  #unpublished = new Map<string, ReadonlySet<AppendEntry>>()
  readonly #condition: LogCondition

  constructor(
    fileSystem: FileSystem,
    files: FilePool,
    directory: string,
    state: LogState,
    condition: LogCondition,
  ) {
    this.#condition = condition
    this.#fileSystem = fileSystem
    this.#files = files
    this.#directory = directory
    this.#state = state
  }

  /** Writes batches to their places; resolves to the segments' paths. */
  async write(appends: readonly AppendEntry[]): Promise<Set<string>> {
    const bySegment = new Map<string, { readonly isNew: boolean; readonly appends: AppendEntry[] }>()
    for (const append of appends) {
      const topic = this.#state.topicById(append.topicId) ?? this.#state.planned(append.topicId)!
      const partition = topic.parts[append.partition]!
      const path = partition.segmentPath(append.segmentBase)
      const known = bySegment.get(path)
      if (known !== undefined) {
        known.appends.push(append)
      } else {
        // Not by position: bulk appends are written before smaller ones that lie in front of them.
        const active = partition.segments.at(-1)
        const isNew = active?.base !== append.segmentBase || active.bytes === 0
        bySegment.set(path, { isNew, appends: [append] })
      }
    }
    await Promise.all(
      [...bySegment].map(async ([path, { isNew, appends: ofSegment }]) => {
        if (isNew) {
          crashPoint('segment-before-roll')
          await this.#makeDirectory(dirname(path))
        }
        while (this.#rebuilding.has(path)) await this.#rebuilding.get(path)
        this.#unpublished.set(path, new Set([...(this.#unpublished.get(path) ?? []), ...ofSegment]))
        const writing = this.#files.use(path, isNew ? 'create' : 'write', async (file) => {
          for (const { bytes, position } of ofSegment) await writeFully(file, bytes!, position)
        })
        this.#writing.set(path, writing)
        await writing
        // Only now: a checkpoint that runs meanwhile neither needs it nor may take it off the list.
        this.#dirtySegments.add(path)
        if (isNew) {
          this.#dirtyDirectories.add(dirname(path))
          crashPoint('segment-after-roll')
        }
      }),
    )
    return new Set(bySegment.keys())
  }

  async #makeDirectory(partitionDirectory: string): Promise<void> {
    if (this.#knownDirectories.has(partitionDirectory)) return
    await this.#fileSystem.makeDirectory(partitionDirectory)
    this.#knownDirectories.add(partitionDirectory)
    const directory = this.#directory
    for (const parent of [dirname(partitionDirectory), join(directory, TOPICS_DIRECTORY), directory]) {
      this.#dirtyDirectories.add(parent)
    }
  }

  /** What was written so far is published, or given back. */
  published(): void {
    // New ones, see decision 0010.
    this.#unpublished = new Map()
    this.#writing = new Map()
  }

  /** Makes these segments durable, and every directory that has changed. */
  async sync(paths: Iterable<string>): Promise<void> {
    await Promise.all(
      [...paths].map(async (path) => {
        await this.#syncSegment(path)
        // Of two syncs at a time only one may hear that pages were lost.
        await this.#syncing.get(path)
      }),
    )
    await this.#dirtyDirectories.sync((path) => this.#syncDirectory(path))
  }

  /** Makes everything written so far durable. */
  async syncAll(): Promise<void> {
    await this.#dirtySegments.sync(async (path) => {
      const syncing = this.#syncSegment(path).finally(() => this.#syncing.delete(path))
      this.#syncing.set(path, syncing)
      await syncing
    })
    await this.#dirtyDirectories.sync((path) => this.#syncDirectory(path))
  }

  /** After a failed sync pages may count as written that are not: the segment is written anew. */
  async #syncSegment(path: string): Promise<void> {
    try {
      await this.#files.use(path, 'write', (file) => file.sync())
    } catch (cause) {
      if (this.#isGone(path)) return
      // It was not even opened.
      if (isFileShortage(cause)) throw cause
      let rebuilding = this.#rebuilding.get(path)
      if (rebuilding === undefined) {
        rebuilding = this.#rebuild(path)
          .catch((second: unknown) => {
            const message = `${describeCause(cause)}; and ${path} could not be written anew: ${describeCause(second)}`
            throw new AggregateError([cause, second], message)
          })
          .finally(() => this.#rebuilding.delete(path))
        this.#rebuilding.set(path, rebuilding)
      }
      await rebuilding
      this.#condition.problems.set(
        path,
        `A sync of ${path} failed (${describeCause(cause)}); it was written anew, and nothing is lost.`,
      )
    }
  }

  /**
   * Writes a segment into a new file, from what can be read of it and matches its checksums, and from memory
   * where it is not published yet; then puts that in its place. Nobody writes to it meanwhile. The journal keeps
   * what it holds of it: no checkpoint is written before.
   *
   * @throws StorageError `LOG_CORRUPT`: something is not there any more; the next opening takes it from the journal
   */
  async #rebuild(path: string): Promise<void> {
    await this.#writing.get(path)?.catch(() => {})
    const fresh = `${path}.rebuilt`
    const file = await this.#fileSystem.open(fresh, 'create')
    try {
      await file.truncate(0)
      const partition = this.#partitionOf(path)
      const segment = partition?.segments.find((one) => one.path === path)
      let end = 0
      // What is published meanwhile belongs to it.
      while (partition !== undefined && segment !== undefined && end < segment.bytes) {
        for await (const slice of partition.scan(segment, end)) {
          await writeFully(file, slice, end)
          end += slice.length
        }
      }
      for (const { bytes, position } of this.#unpublished.get(path) ?? []) {
        if (position >= end) await writeFully(file, bytes!, position)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await this.#fileSystem.rename(fresh, path)
    await this.#files.forget(path)
    await this.#fileSystem.syncDirectory(dirname(path))
  }

  async #syncDirectory(path: string): Promise<void> {
    try {
      await this.#fileSystem.syncDirectory(path)
    } catch (cause) {
      // That of a deleted topic may have gone.
      if (await this.#fileSystem.exists(path)) throw cause
    }
  }

  /** Whether a segment's file belongs to nobody any more: it is on its way out. */
  #isGone(path: string): boolean {
    if (this.#state.planned(this.#placeOf(path).id) !== undefined) return false
    const partition = this.#partitionOf(path)
    return partition === undefined || partition.mayRemove(path)
  }

  #partitionOf(path: string): Partition | undefined {
    const { id, number } = this.#placeOf(path)
    return this.#state.topicById(id)?.parts[number]
  }

  #placeOf(path: string): { readonly id: string; readonly number: number } {
    const [id, number] = path.slice(join(this.#directory, TOPICS_DIRECTORY).length + 1).split(/[\\/]/)
    return { id: id!, number: Number(number) }
  }

  /** Cuts back what bulk appends have written that will never be published. */
  async cutBack(appends: readonly AppendEntry[]): Promise<void> {
    for (const append of appends) {
      const partition = this.#state.topicById(append.topicId)?.parts[append.partition]
      if (partition === undefined || append.bulkCrc === null) continue
      const path = partition.segmentPath(append.segmentBase)
      if (!(await this.#fileSystem.exists(path))) continue
      const published = partition.segments.find(({ base }) => base === append.segmentBase)?.bytes ?? 0
      await this.#files.use(path, 'write', (file) => file.truncate(published))
    }
  }

  /** Removes the files of a deleted topic. */
  async removeTopic(topicDirectory: string): Promise<void> {
    await this.#files.forget(topicDirectory)
    await this.#fileSystem.removeTree(topicDirectory)
  }

  /** Removes a segment and the index files beside it. */
  async removeSegment({ path, indexFiles }: Segment): Promise<void> {
    await this.#files.forget(path)
    await this.#fileSystem.removeTree(path)
    await indexFiles.remove()
  }
}
