import type { FileHandle, FileLock, FileSystem, OpenMode } from './file-system.ts'

/** Files grow in chunks of this size, so that appending to a large one never copies what is already there. */
const CHUNK_BYTES = 256 * 1024
/** The first chunk starts small and doubles: most files of a test are tiny. */
const FIRST_CHUNK_BYTES = 1024

/** Files held in this process's memory: data directories named 'memory', and tests. Gone with the object. */
export class MemoryFileSystem implements FileSystem {
  readonly #files = new Map<string, MemoryFile>()
  readonly #directories = new Set<string>()
  readonly #locks = new Set<string>()

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    const name = normalized(path)
    let file = this.#files.get(name)
    if (file === undefined) {
      if (mode !== 'create') throw failure('ENOENT', path)
      if (!this.#directories.has(parentOf(name))) throw failure('ENOENT', path)
      file = new MemoryFile()
      this.#files.set(name, file)
    }
    return new MemoryHandle(file, mode !== 'read')
  }

  async list(path: string): Promise<readonly string[]> {
    const name = normalized(path)
    if (!this.#directories.has(name)) throw failure('ENOENT', path)
    const prefix = name === '/' ? '/' : `${name}/`
    const names = new Set<string>()
    for (const entry of [...this.#files.keys(), ...this.#directories]) {
      if (entry.startsWith(prefix) && entry !== name) names.add(entry.slice(prefix.length).split('/')[0]!)
    }
    return [...names].sort()
  }

  async makeDirectory(path: string): Promise<void> {
    for (let name = normalized(path); ; name = parentOf(name)) {
      this.#directories.add(name)
      if (name === '/') return
    }
  }

  async syncDirectory(path: string): Promise<void> {
    if (!this.#directories.has(normalized(path))) throw failure('ENOENT', path)
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.#files.get(normalized(from))
    if (file === undefined) throw failure('ENOENT', from)
    this.#files.delete(normalized(from))
    this.#files.set(normalized(to), file)
  }

  async removeFile(path: string): Promise<void> {
    if (!this.#files.delete(normalized(path))) throw failure('ENOENT', path)
  }

  async removeTree(path: string): Promise<void> {
    const name = normalized(path)
    for (const entry of this.#files.keys()) {
      if (entry === name || entry.startsWith(`${name}/`)) this.#files.delete(entry)
    }
    for (const entry of this.#directories) {
      if (entry === name || entry.startsWith(`${name}/`)) this.#directories.delete(entry)
    }
  }

  async exists(path: string): Promise<boolean> {
    const name = normalized(path)
    return this.#files.has(name) || this.#directories.has(name)
  }

  async lock(path: string): Promise<FileLock | null> {
    const name = normalized(path)
    if (this.#locks.has(name)) return null
    await this.makeDirectory(parentOf(name))
    this.#locks.add(name)
    return {
      release: async () => {
        this.#locks.delete(name)
      },
    }
  }

  async freeBytes(): Promise<number> {
    return Number.MAX_SAFE_INTEGER
  }
}

class MemoryFile {
  readonly chunks: Uint8Array[] = []
  length = 0

  read(into: Uint8Array, position: number): number {
    const end = Math.min(position + into.length, this.length)
    for (let at = position; at < end;) {
      const within = at % CHUNK_BYTES
      const count = Math.min(CHUNK_BYTES - within, end - at)
      const chunk = this.chunks[(at - within) / CHUNK_BYTES]!
      into.set(chunk.subarray(within, within + count), at - position)
      at += count
    }
    return Math.max(0, end - position)
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    this.#grow(end)
    for (let at = position; at < end;) {
      const within = at % CHUNK_BYTES
      const count = Math.min(CHUNK_BYTES - within, end - at)
      const from = at - position
      this.chunks[(at - within) / CHUNK_BYTES]!.set(bytes.subarray(from, from + count), within)
      at += count
    }
    this.length = Math.max(this.length, end)
  }

  truncate(length: number): void {
    if (length < this.length) {
      this.chunks.length = Math.ceil(length / CHUNK_BYTES)
      // What is cut must read as zeros if the file grows again.
      if (length % CHUNK_BYTES > 0) this.chunks.at(-1)!.fill(0, length % CHUNK_BYTES)
    } else {
      this.#grow(length)
    }
    this.length = length
  }

  #grow(length: number): void {
    const first = this.chunks[0]
    if (first === undefined || (first.length < length && first.length < CHUNK_BYTES)) {
      let size = first?.length ?? FIRST_CHUNK_BYTES
      while (size < length && size < CHUNK_BYTES) size *= 2
      const grown = new Uint8Array(size)
      if (first !== undefined) grown.set(first)
      this.chunks[0] = grown
    }
    while (this.chunks.length * CHUNK_BYTES < length) this.chunks.push(new Uint8Array(CHUNK_BYTES))
  }
}

class MemoryHandle implements FileHandle {
  readonly #file: MemoryFile
  readonly #writable: boolean
  #open = true

  constructor(file: MemoryFile, writable: boolean) {
    this.#file = file
    this.#writable = writable
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#assertOpen()
    return this.#file.read(into, position)
  }

  async write(bytes: Uint8Array, position: number): Promise<number> {
    this.#assertOpen()
    if (!this.#writable) throw failure('EBADF', 'a file opened for reading')
    this.#file.write(bytes, position)
    return bytes.length
  }

  async sync(): Promise<void> {
    this.#assertOpen()
  }

  async truncate(length: number): Promise<void> {
    this.#assertOpen()
    this.#file.truncate(length)
  }

  async size(): Promise<number> {
    this.#assertOpen()
    return this.#file.length
  }

  async close(): Promise<void> {
    this.#open = false
  }

  #assertOpen(): void {
    if (!this.#open) throw failure('EBADF', 'a closed file')
  }
}

function normalized(path: string): string {
  return `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`
}

function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/')) || '/'
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
