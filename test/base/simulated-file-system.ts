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
const SECTOR_BYTES = 512

/** Runs an operation's effect, now or later, and answers later. */
export type Schedule = <T>(operation: FileOperation, effect: () => T) => Promise<T>

/**
 * A disk with a page cache in front of it. Every operation asks {@link fate} first. {@link afterPowerCut}
 * gives the disk as a restarted machine finds it: what was synced, and of the rest whatever the seed keeps,
 * sector by sector and name by name.
 */
export class SimulatedFileSystem implements FileSystem {
  fate: (operation: FileOperation) => Fate = () => undefined
  /** Who comes first among operations on their way. By default all are done at once. */
  schedule: Schedule = async (_operation, effect) => effect()
  #files = new Map<string, SimulatedFile>()
  #directories = new Set<string>(['/'])
  /** As on the disk. */
  #durableFiles = new Map<string, SimulatedFile>()
  #durableDirectories = new Set<string>(['/'])
  /** Names whose file another has taken the place of, by a rename that is not on the disk: one of them is there. */
  readonly #replaced = new Set<string>()
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
      if (this.#replaced.has(name)) continue
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

  /** The process that held the locks is gone; what it wrote stays. */
  afterKill(): void {
    this.#locks.clear()
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

  /** @param effect  given how many bytes of a write go through; −1: only say that it is done */
  perform<T>(
    kind: FileOperation['kind'],
    path: string,
    length: number,
    effect: (length: number) => T,
    onFailure?: () => void,
  ): Promise<T> {
    const operation = { kind, path, length }
    return this.schedule(operation, () => {
      let allowed: number
      try {
        allowed = this.#check(operation)
      } catch (error) {
        onFailure?.()
        throw error
      }
      return effect(allowed)
    })
  }

  #check(operation: FileOperation): number {
    const { path, length } = operation
    if (this.#off) throw failure('EIO', path)
    const fate = this.fate(operation)
    if (fate === 'power cut') {
      this.#off = true
      throw failure('EIO', path)
    }
    if (fate === undefined) return length
    if (fate === 'lie') return -1
    if ('code' in fate) throw failure(fate.code, path)
    return Math.min(length, fate.bytes)
  }

  open(path: string, mode: OpenMode): Promise<FileHandle> {
    return this.perform('open', path, 0, () => {
      let file = this.#files.get(path)
      if (file === undefined) {
        if (mode !== 'create' || !this.#directories.has(parentOf(path))) throw failure('ENOENT', path)
        file = new SimulatedFile()
        this.#files.set(path, file)
      }
      return new SimulatedHandle(this, path, file)
    })
  }

  async list(path: string): Promise<readonly string[]> {
    if (!this.#directories.has(path)) throw failure('ENOENT', path)
    return [...this.#files.keys(), ...this.#directories]
      .filter((name) => name !== '/' && parentOf(name) === path)
      .map((name) => name.slice(name.lastIndexOf('/') + 1))
      .sort()
  }

  makeDirectory(path: string): Promise<void> {
    return this.perform('makeDirectory', path, 0, () => {
      for (let name = path; name !== '/'; name = parentOf(name)) this.#directories.add(name)
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.perform('syncDirectory', path, 0, (done) => {
      if (done >= 0) this.#syncDirectory(path)
    })
  }

  #syncDirectory(path: string): void {
    if (!this.#directories.has(path)) throw failure('ENOENT', path)
    for (const name of this.#directories) if (parentOf(name) === path) this.#durableDirectories.add(name)
    for (const name of this.#durableDirectories) {
      if (name !== '/' && parentOf(name) === path && !this.#directories.has(name)) {
        this.#durableDirectories.delete(name)
      }
    }
    for (const [name, file] of this.#files) {
      if (parentOf(name) !== path) continue
      this.#durableFiles.set(name, file)
      this.#replaced.delete(name)
    }
    for (const name of this.#durableFiles.keys()) {
      if (parentOf(name) === path && !this.#files.has(name)) this.#durableFiles.delete(name)
    }
  }

  rename(from: string, to: string): Promise<void> {
    return this.perform('rename', from, 0, () => {
      const file = this.#files.get(from)
      if (file === undefined) throw failure('ENOENT', from)
      const before = this.#files.get(to)
      if (before !== undefined && this.#durableFiles.get(to) === before) this.#replaced.add(to)
      this.#files.delete(from)
      this.#files.set(to, file)
    })
  }

  removeFile(path: string): Promise<void> {
    return this.perform('removeFile', path, 0, () => {
      if (!this.#files.delete(path)) throw failure('ENOENT', path)
      this.#replaced.delete(path)
    })
  }

  removeTree(path: string): Promise<void> {
    return this.perform('removeTree', path, 0, () => {
      for (const name of this.#files.keys()) {
        if (name !== path && !name.startsWith(`${path}/`)) continue
        this.#files.delete(name)
        this.#replaced.delete(name)
      }
      for (const name of this.#directories) {
        if (name === path || name.startsWith(`${path}/`)) this.#directories.delete(name)
      }
    })
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
  /** Pages that a failed sync has left behind: no later one writes them, unless they are changed again. */
  readonly #forgotten = new Set<number>()
  /** The lowest length it was cut to since the last sync. */
  #cutTo = Infinity

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
    const isSynced = this.#dirty.size + this.#forgotten.size === 0 && this.#durable.length === this.length
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
    if (length < this.length) this.#cutTo = Math.min(this.#cutTo, length)
    this.length = length
  }

  sync(): void {
    this.#unshare()
    if (this.#cutTo < Infinity || this.#durable.length !== this.length) {
      this.#durable = this.#resized(this.#cutTo, this.length)
    }
    for (const page of this.#dirty) this.#copyPage(page, PAGE_BYTES, this.#durable)
    this.#dirty.clear()
    this.#cutTo = Infinity
  }

  /** As on Linux: pages that could not be written count as written from now on, and can be read. */
  syncFailed(): void {
    for (const page of this.#dirty) this.#forgotten.add(page)
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
    this.#forgotten.clear()
  }

  afterPowerCut(random: Random): SimulatedFile {
    const disk = new SimulatedFile()
    // Length and cuts are metadata: they may have reached the disk before the pages, or not at all.
    const isMetadataNew = random.below(2) === 0
    const content = isMetadataNew ? this.#resized(this.#cutTo, this.length) : this.#durable.slice()
    const all = random.below(5)
    for (const page of [...this.#dirty, ...this.#forgotten].sort((a, b) => a - b)) {
      // What was written where a cut is not on the disk lies elsewhere on it.
      if (!isMetadataNew && (page + 1) * PAGE_BYTES > this.#cutTo) continue
      if (all === 0) continue
      const kept = all === 1 ? PAGE_BYTES : random.below(2) * PAGE_BYTES
      // A page may also be torn, on the border of a sector, or sector by sector.
      if (kept === 0 && all === 2) this.#copySectors(page, random, content)
      else this.#copyPage(page, kept === 0 ? random.below(9) * SECTOR_BYTES * random.below(2) : kept, content)
    }
    disk.write(content, 0)
    disk.sync()
    return disk
  }

  #touch(from: number, to: number): void {
    for (let page = Math.floor(from / PAGE_BYTES); page * PAGE_BYTES < to; page++) {
      this.#dirty.add(page)
      this.#forgotten.delete(page)
    }
  }

  #copySectors(page: number, random: Random, to: Uint8Array): void {
    const end = Math.min((page + 1) * PAGE_BYTES, to.length, this.length)
    for (let at = page * PAGE_BYTES; at < end; at += SECTOR_BYTES) {
      if (random.below(2) === 0) to.set(this.#bytes.subarray(at, Math.min(at + SECTOR_BYTES, end)), at)
    }
  }

  #copyPage(page: number, size: number, to: Uint8Array): void {
    const start = page * PAGE_BYTES
    const end = Math.min(start + size, to.length, this.length)
    if (start < end) to.set(this.#bytes.subarray(start, end), start)
  }

  /** What is durable, cut and then grown with zeros. */
  #resized(cutTo: number, length: number): Uint8Array<ArrayBuffer> {
    const resized = new Uint8Array(length)
    resized.set(this.#durable.subarray(0, Math.min(cutTo, length)))
    return resized
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

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#system.perform('read', this.#path, into.length, () => {
      return this.#file.read(into, position)
    })
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return this.#system.perform('write', this.#path, bytes.length, (length) => {
      this.#file.write(bytes.subarray(0, length), position)
      return length
    })
  }

  sync(): Promise<void> {
    const sync = (done: number): void => {
      if (done >= 0) this.#file.sync()
    }
    return this.#system.perform('sync', this.#path, 0, sync, () => this.#file.syncFailed())
  }

  truncate(length: number): Promise<void> {
    return this.#system.perform('truncate', this.#path, 0, () => this.#file.truncate(length))
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
