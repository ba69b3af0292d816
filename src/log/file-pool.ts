import type { FileHandle, FileSystem } from '../base/file-system.ts'
import { isFileShortage } from './disk-error.ts'

interface Pooled {
  readonly handle: Promise<FileHandle>
  users: number
  /** Number of the last use among all uses. */
  lastUse: number
  /** Not in the pool any more: whoever uses it last closes it. */
  forgotten: boolean
}

/** Open files of many partitions, within a bound: the least recently used idle one is closed first. */
export class FilePool {
  readonly #fileSystem: FileSystem
  readonly #filesMax: number
  readonly #files = new Map<string, Pooled>()
  #uses = 0

  constructor(fileSystem: FileSystem, filesMax = 512) {
    this.#fileSystem = fileSystem
    this.#filesMax = filesMax
  }

  /** Runs `use` with the file open; `create` makes it if it is missing, `write` does not. */
  async use<T>(path: string, mode: 'write' | 'create', use: (file: FileHandle) => Promise<T>): Promise<T> {
    let pooled = this.#files.get(path)
    if (pooled === undefined) {
      pooled = { handle: this.#open(path, mode), users: 0, lastUse: 0, forgotten: false }
      this.#files.set(path, pooled)
    }
    pooled.users++
    pooled.lastUse = ++this.#uses
    try {
      let handle: FileHandle
      try {
        handle = await pooled.handle
      } catch (cause) {
        if (this.#files.get(path) === pooled) this.#files.delete(path)
        throw cause
      }
      return await use(handle)
    } finally {
      pooled.users--
      if (pooled.forgotten && pooled.users === 0) await (await pooled.handle).close()
      if (this.#files.size > this.#filesMax) await this.#closeOldest()
    }
  }

  /** Closes the files whose path starts with `prefix`: idle ones now, others after their use. */
  async forget(prefix: string): Promise<void> {
    for (const [path, pooled] of this.#files) {
      if (!path.startsWith(prefix)) continue
      this.#files.delete(path)
      pooled.forgotten = true
      if (pooled.users === 0) await (await pooled.handle).close()
    }
  }

  async close(): Promise<void> {
    await this.forget('')
  }

  /** Where too many files are open, idle ones make room. */
  async #open(path: string, mode: 'write' | 'create'): Promise<FileHandle> {
    for (;;) {
      try {
        return await this.#fileSystem.open(path, mode)
      } catch (cause) {
        if (!isFileShortage(cause) || !(await this.#closeOldest())) throw cause
      }
    }
  }

  /** @returns false if all are in use */
  async #closeOldest(): Promise<boolean> {
    let oldest: [path: string, Pooled] | null = null
    for (const entry of this.#files) {
      const { users, lastUse } = entry[1]
      if (users === 0 && (oldest === null || lastUse < oldest[1].lastUse)) oldest = entry
    }
    if (oldest === null) return false
    const [path, pooled] = oldest
    this.#files.delete(path)
    await (await pooled.handle).close()
    return true
  }
}
