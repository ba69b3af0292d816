import type { FileHandle, FileLock, FileSystem, OpenMode } from '../../src/base/file-system.ts'
import type { Random } from '../../src/base/random.ts'

export interface FileOperation {
  readonly kind:
    | 'open'
    | 'read'
    | 'write'
    | 'sync'
    | 'truncate'
    | 'syncDirectory'
    | 'rename'
    | 'removeFile'
    | 'removeTree'
    | 'makeDirectory'
  readonly path: string
  /** Of a write. */
  readonly length: number
}

/**
 * What becomes of an operation: done, failed with a code, done in part (writes), said to be done and not done
 * (syncs), or the power fails before it.
 */
export type Fate = undefined | { readonly code: string } | { readonly bytes: number } | 'lie' | 'power cut'

const PAGE_BYTES = 4096

/**
 * A disk with a page cache in front of it. Every operation asks {@link fate} first. {@link afterPowerCut}
 * gives the disk as a restarted machine finds it: what was synced, and of the rest whatever the seed keeps,
 * page by page and name by name.
 */
export class SimulatedFileSystem implements FileSystem {
  fate: (operation: FileOperation) => Fate = () => undefined
  #files = new Map<string, SimulatedFile>()
  #directories = new Set<string>(['/'])
  /** As on the disk. */
  #durableFiles = new Map<string, SimulatedFile>()
  #durableDirectories = new Set<string>(['/'])
  #off = false
  readonly #locks = new Set<string>()

  afterPowerCut(random: Random): SimulatedFileSystem {
    const disk = new SimulatedFileSystem()
    const names = new Set(this.#durableDirectories)
    for (const name of this.#directories) {
      if (!names.has(name) && random.below(2) === 0) names.add(name)
    }
    const reachable = (name: string): boolean => {
      for (let at = parentOf(name); ; at = parentOf(at)) {
        if (!names.has(at)) return false
        if (at === '/') return true
      }
    }
    for (const name of names) {
      if (name === '/' || reachable(name)) {
        disk.#directories.add(name)
        disk.#durableDirectories.add(name)
      }
    }
    const entries = new Map(this.#durableFiles)
    for (const [name, file] of this.#files) {
      if (entries.get(name) !== file && random.below(2) === 0) entries.set(name, file)
    }
    for (const [name, file] of this.#durableFiles) {
      if (this.#files.get(name) !== file && random.below(2) === 0) entries.delete(name)
    }
    const kept = new Map<SimulatedFile, SimulatedFile>()
    for (const [name, file] of entries) {
      if (!reachable(name)) continue
      const copy = kept.get(file) ?? file.afterPowerCut(random)
      kept.set(file, copy)
      disk.#files.set(name, copy)
      disk.#durableFiles.set(name, copy)
    }
    return disk
  }

  /** Forgets the page cache: after a failed sync it holds what is not on disk. */
  dropCaches(): void {
    for (const file of this.#files.values()) file.dropCache()
  }

  /** The same files, all durable: for damaging a copy. */
  clone(): SimulatedFileSystem {
    const copy = new SimulatedFileSystem()
    copy.#directories = new Set(this.#directories)
    copy.#durableDirectories = new Set(this.#directories)
    for (const [name, file] of this.#files) {
      const twin = file.durableTwin()
      copy.#files.set(name, twin)
      copy.#durableFiles.set(name, twin)
    }
    return copy
  }

  /** The bytes of a file, to look at and to damage. */
  bytesOf(path: string): Uint8Array {
    return this.#files.get(path)!.bytes
  }

  /** Puts other bytes, all durable, in the place of a file's, or takes it away. */
  async replaceFile(path: string, bytes: Uint8Array | null): Promise<void> {
    if (bytes === null) await this.removeFile(path)
    else {
      const file = await this.open(path, 'create')
      await file.truncate(0)
      await file.write(bytes, 0)
      await file.sync()
    }
    await this.syncDirectory(parentOf(path))
  }

  paths(): string[] {
    return [...this.#files.keys()].sort()
  }

  check(kind: FileOperation['kind'], path: string, length = 0): number {
    if (this.#off) throw failure('EIO', path)
    const fate = this.fate({ kind, path, length })
    if (fate === 'power cut') {
      this.#off = true
      throw failure('EIO', path)
    }
    if (fate === undefined) return length
    if (fate === 'lie') return -1
    if ('code' in fate) throw failure(fate.code, path)
    return Math.min(length, fate.bytes)
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    this.check('open', path)
    let file = this.#files.get(path)
    if (file === undefined) {
      if (mode !== 'create' || !this.#directories.has(parentOf(path))) throw failure('ENOENT', path)
      file = new SimulatedFile()
      this.#files.set(path, file)
    }
    return new SimulatedHandle(this, path, file)
  }

  async list(path: string): Promise<readonly string[]> {
    if (!this.#directories.has(path)) throw failure('ENOENT', path)
    return [...this.#files.keys(), ...this.#directories]
      .filter((name) => name !== '/' && parentOf(name) === path)
      .map((name) => name.slice(name.lastIndexOf('/') + 1))
      .sort()
  }

  async makeDirectory(path: string): Promise<void> {
    this.check('makeDirectory', path)
    for (let name = path; name !== '/'; name = parentOf(name)) this.#directories.add(name)
  }

  async syncDirectory(path: string): Promise<void> {
    if (this.check('syncDirectory', path) < 0) return
    if (!this.#directories.has(path)) throw failure('ENOENT', path)
    for (const name of this.#directories) if (parentOf(name) === path) this.#durableDirectories.add(name)
    for (const name of this.#durableDirectories) {
      if (name !== '/' && parentOf(name) === path && !this.#directories.has(name)) {
        this.#durableDirectories.delete(name)
      }
    }
    for (const [name, file] of this.#files) if (parentOf(name) === path) this.#durableFiles.set(name, file)
    for (const name of this.#durableFiles.keys()) {
      if (parentOf(name) === path && !this.#files.has(name)) this.#durableFiles.delete(name)
    }
  }

  async rename(from: string, to: string): Promise<void> {
    this.check('rename', from)
    const file = this.#files.get(from)
    if (file === undefined) throw failure('ENOENT', from)
    this.#files.delete(from)
    this.#files.set(to, file)
  }

  async removeFile(path: string): Promise<void> {
    this.check('removeFile', path)
    if (!this.#files.delete(path)) throw failure('ENOENT', path)
  }

  async removeTree(path: string): Promise<void> {
    this.check('removeTree', path)
    for (const name of this.#files.keys()) {
      if (name === path || name.startsWith(`${path}/`)) this.#files.delete(name)
    }
    for (const name of this.#directories) {
      if (name === path || name.startsWith(`${path}/`)) this.#directories.delete(name)
    }
  }

  async exists(path: string): Promise<boolean> {
    return this.#files.has(path) || this.#directories.has(path)
  }

  async lock(path: string): Promise<FileLock | null> {
    if (this.#locks.has(path)) return null
    this.#locks.add(path)
    return {
      release: async () => {
        this.#locks.delete(path)
      },
    }
  }

  async freeBytes(): Promise<number> {
    return Number.MAX_SAFE_INTEGER
  }
}

class SimulatedFile {
  length = 0
  #bytes = new Uint8Array(0)
  #durable = new Uint8Array(0)
  /** The arrays are another file's too: whoever changes them copies first. */
  #shared = false
  /** Pages changed since the last sync. */
  readonly #dirty = new Set<number>()

  /** Of its own, to look at and to change. */
  get bytes(): Uint8Array<ArrayBuffer> {
    this.#unshare()
    return this.#bytes
  }

  content(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length)
  }

  read(into: Uint8Array, position: number): number {
    const end = Math.min(position + into.length, this.length)
    if (end <= position) return 0
    into.set(this.#bytes.subarray(position, end))
    return end - position
  }

  /** Another file of the same content, all of it durable. */
  durableTwin(): SimulatedFile {
    const twin = new SimulatedFile()
    const isSynced = this.#dirty.size === 0 && this.#durable.length === this.length
    twin.length = this.length
    twin.#bytes = this.#bytes
    twin.#durable = isSynced ? this.#durable : this.content()
    this.#shared = twin.#shared = true
    return twin
  }

  write(from: Uint8Array, position: number): void {
    const end = position + from.length
    this.#unshare()
    this.#grow(end)
    this.#bytes.set(from, position)
    this.#touch(Math.min(position, this.length), end)
    this.length = Math.max(this.length, end)
  }

  truncate(length: number): void {
    this.#unshare()
    this.#grow(length)
    const from = Math.min(length, this.length)
    this.#bytes.fill(0, from)
    this.#touch(from, Math.max(length, this.length))
    this.length = length
  }

  sync(): void {
    this.#unshare()
    if (this.#durable.length !== this.length) {
      const resized = new Uint8Array(this.length)
      resized.set(this.#durable.subarray(0, this.length))
      this.#durable = resized
    }
    for (const page of this.#dirty) {
      const start = page * PAGE_BYTES
      // It may have been cut off since.
      if (start >= this.length) continue
      this.#durable.set(this.#bytes.subarray(start, Math.min(start + PAGE_BYTES, this.length)), start)
    }
    this.#dirty.clear()
  }

  /** As on Linux: pages that could not be written count as written from now on, and can be read. */
  syncFailed(): void {
    this.#dirty.clear()
  }

  /** Pages that count as written are read from the disk again. */
  dropCache(): void {
    this.#unshare()
    for (let start = 0; start < this.length; start += PAGE_BYTES) {
      if (this.#dirty.has(start / PAGE_BYTES)) continue
      const end = Math.min(start + PAGE_BYTES, this.length)
      this.#bytes.fill(0, start, end)
      this.#bytes.set(this.#durable.subarray(start, end), start)
    }
  }

  #touch(from: number, to: number): void {
    for (let page = Math.floor(from / PAGE_BYTES); page * PAGE_BYTES < to; page++) this.#dirty.add(page)
  }

  afterPowerCut(random: Random): SimulatedFile {
    const disk = new SimulatedFile()
    // The length is metadata: it may have reached the disk before the pages, or not at all.
    const length = random.below(2) === 0 ? this.length : this.#durable.length
    const content = new Uint8Array(length)
    content.set(this.#durable.subarray(0, length))
    const all = random.below(4)
    for (const page of this.#dirty) {
      const keep = all === 0 ? 0 : all === 1 ? PAGE_BYTES : random.below(2) * PAGE_BYTES
      const start = page * PAGE_BYTES
      if (start >= length) continue
      // A page may also be torn, on the border of a sector.
      const size = keep === 0 ? random.below(9) * 512 * random.below(2) : keep
      content.set(this.#bytes.subarray(start, Math.min(start + size, length)), start)
    }
    disk.write(content, 0)
    disk.sync()
    return disk
  }

  #unshare(): void {
    if (!this.#shared) return
    this.#shared = false
    this.#bytes = this.#bytes.slice()
    this.#durable = this.#durable.slice()
  }

  #grow(length: number): void {
    if (length <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
  }
}

class SimulatedHandle implements FileHandle {
  readonly #system: SimulatedFileSystem
  readonly #path: string
  readonly #file: SimulatedFile

  constructor(system: SimulatedFileSystem, path: string, file: SimulatedFile) {
    this.#system = system
    this.#path = path
    this.#file = file
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#system.check('read', this.#path, into.length)
    return this.#file.read(into, position)
  }

  async write(bytes: Uint8Array, position: number): Promise<number> {
    const length = this.#system.check('write', this.#path, bytes.length)
    this.#file.write(bytes.subarray(0, length), position)
    return length
  }

  async sync(): Promise<void> {
    let isDone: boolean
    try {
      isDone = this.#system.check('sync', this.#path) >= 0
    } catch (cause) {
      this.#file.syncFailed()
      throw cause
    }
    if (isDone) this.#file.sync()
  }

  async truncate(length: number): Promise<void> {
    this.#system.check('truncate', this.#path)
    this.#file.truncate(length)
  }

  async size(): Promise<number> {
    return this.#file.length
  }

  async close(): Promise<void> {}
}

function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/')) || '/'
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
