import { fdatasync, writeSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { FileHandle, FileLock, FileSystem, OpenMode } from './file-system.ts'

/** Writes up to this size are made in place: copying to the page cache is cheaper than a trip to another thread. */
const SYNCHRONOUS_WRITE_BYTES_MAX = 128 * 1024

/** The machine's own files. */
export const nodeFileSystem: FileSystem = {
  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    if (mode === 'create') {
      try {
        return new NodeFile(await fs.open(path, 'r+'), path)
      } catch (cause) {
        if (codeOf(cause) !== 'ENOENT') throw cause
      }
      try {
        return new NodeFile(await fs.open(path, 'wx+'), path)
      } catch (cause) {
        if (codeOf(cause) !== 'EEXIST') throw cause
      }
    }
    return new NodeFile(await fs.open(path, mode === 'read' ? 'r' : 'r+'), path)
  },

  async list(path) {
    return (await fs.readdir(path)).sort()
  },

  async makeDirectory(path) {
    await fs.mkdir(path, { recursive: true })
  },

  async syncDirectory(path) {
    // Windows keeps no handle on directories to sync; its journal orders their entries.
    if (process.platform === 'win32') return
    const directory = await fs.open(path, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },

  rename: (from, to) => fs.rename(from, to),
  removeFile: (path) => fs.unlink(path),
  removeTree: (path) => fs.rm(path, { recursive: true, force: true }),

  async exists(path) {
    try {
      await fs.access(path)
      return true
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return false
      throw cause
    }
  },

  /*
   * Node has no file locks. SQLite takes the platform's (fcntl, LockFileEx) on its database file, they end
   * with the process however it dies, and two connections of one process exclude each other as well.
   */
  async lock(path): Promise<FileLock | null> {
    await fs.mkdir(dirname(path), { recursive: true })
    let database: DatabaseSync | 'damaged' | null
    try {
      database = openLock(path)
      if (database === 'damaged') {
        // Whoever held it would have kept its content from being read. It needs none.
        await fs.truncate(path)
        database = openLock(path)
      }
    } catch (cause) {
      throw await lockError(cause, path)
    }
    if (database === null) return null
    if (database === 'damaged') throw new Error(`${path} cannot be made a lock.`)
    const taken = database
    let held = true
    return {
      release: async () => {
        if (held) taken.close()
        held = false
      },
    }
  },

  async freeBytes(path) {
    const { bavail, bsize } = await fs.statfs(path)
    return bavail * bsize
  },
}

/** The locked database, null if another holds it. */
function openLock(path: string): DatabaseSync | 'damaged' | null {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return database
  } catch (cause) {
    database.close()
    if (/locked|busy/i.test(String(cause))) return null
    if (/not a database|malformed/i.test(String(cause))) return 'damaged'
    throw cause
  }
}

const CODES_OF_SQLITE: Readonly<Record<number, string>> = { 8: 'EROFS', 13: 'ENOSPC', 14: 'EACCES' }

/** What the platform would have said; SQLite only says that it could not. */
async function lockError(cause: unknown, path: string): Promise<unknown> {
  const number = (cause as { errcode?: unknown } | null)?.errcode
  if (typeof number !== 'number') return cause
  try {
    const directory = dirname(path)
    await fs.access(directory, fs.constants.R_OK | fs.constants.W_OK)
    // Not of the lock's own file: closing that would give up a lock this process holds.
    await (await fs.open(directory, 'r')).close()
    if (await nodeFileSystem.exists(path)) await fs.access(path, fs.constants.R_OK | fs.constants.W_OK)
  } catch (reason) {
    return reason
  }
  const code = CODES_OF_SQLITE[number & 0xff] ?? 'EIO'
  return Object.assign(new Error(`${code}: ${String(cause)}, lock '${path}'`, { cause }), { code, path })
}

/** Errors of an open file name no path by themselves. */
class NodeFile implements FileHandle {
  readonly #file: fs.FileHandle
  readonly #path: string

  constructor(file: fs.FileHandle, path: string) {
    this.#file = file
    this.#path = path
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    try {
      return (await this.#file.read(into, 0, into.length, position)).bytesRead
    } catch (cause) {
      throw this.#named(cause)
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<number> {
    try {
      if (bytes.length <= SYNCHRONOUS_WRITE_BYTES_MAX) {
        return writeSync(this.#file.fd, bytes, 0, bytes.length, position)
      }
      return (await this.#file.write(bytes, 0, bytes.length, position)).bytesWritten
    } catch (cause) {
      throw this.#named(cause)
    }
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#file.fd, (error) => (error === null ? resolve() : reject(this.#named(error))))
    })
  }

  async truncate(length: number): Promise<void> {
    try {
      await this.#file.truncate(length)
    } catch (cause) {
      throw this.#named(cause)
    }
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  #named(cause: unknown): unknown {
    if (cause instanceof Error && !('path' in cause)) {
      cause.message += ` '${this.#path}'`
      Object.assign(cause, { path: this.#path })
    }
    return cause
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code
}
