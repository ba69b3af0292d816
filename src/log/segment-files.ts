import { dirname, join } from 'node:path'
import { crashPoint } from '../base/crash-points.ts'
import { type FileSystem, writeFully } from '../base/file-system.ts'
import { DirtyPaths } from './dirty-paths.ts'
import type { FilePool } from './file-pool.ts'
import type { AppendEntry } from './journal-entry.ts'
import { type LogState, TOPICS_DIRECTORY } from './log-state.ts'
import type { Segment } from './partition.ts'

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

  constructor(fileSystem: FileSystem, files: FilePool, directory: string, state: LogState) {
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
        await this.#files.use(path, isNew ? 'create' : 'write', async (file) => {
          for (const { bytes, position } of ofSegment) await writeFully(file, bytes!, position)
        })
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

  /** Makes these segments durable, and every directory that has changed. */
  async sync(paths: Iterable<string>): Promise<void> {
    await Promise.all([...paths].map((path) => this.#files.use(path, 'write', (file) => file.sync())))
    await this.#dirtyDirectories.sync((path) => this.#syncDirectory(path))
  }

  /** Makes everything written so far durable. */
  async syncAll(): Promise<void> {
    await this.#dirtySegments.sync(async (path) => {
      try {
        await this.#files.use(path, 'write', (file) => file.sync())
      } catch (cause) {
        if (!this.#isGone(path)) throw cause
      }
    })
    await this.#dirtyDirectories.sync((path) => this.#syncDirectory(path))
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
    const [id, number] = path.slice(join(this.#directory, TOPICS_DIRECTORY).length + 1).split(/[\\/]/)
    if (this.#state.planned(id!) !== undefined) return false
    const partition = this.#state.topicById(id!)?.parts[Number(number)]
    return partition === undefined || partition.mayRemove(path)
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
  async removeSegment({ path }: Segment): Promise<void> {
    const stem = path.slice(0, -'.log'.length)
    await this.#files.forget(path)
    for (const suffix of ['.log', '.index', '.timeindex', '.indexsum']) {
      await this.#fileSystem.removeTree(stem + suffix)
    }
  }
}
