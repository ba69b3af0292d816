import { closeSync, fstatSync, linkSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { FileHandle, FileSystem, OpenMode } from '../../src/base/file-system.ts'
import { nodeFileSystem } from '../../src/base/node-file-system.ts'

/*
 * What a process does to its files, written down before it is done, so that a power cut can take back what
 * was never synced. The record is made of entries, each
 *
 *   u32  length of the entry as JSON
 *   u32  length of the bytes that follow it: what a write brings, then what it or a truncation replaces
 *
 * and outlives the process, as the page cache does.
 */

export type FileEntry =
  /** `old` bytes are replaced; the file had `size` bytes. Files are known by inode: names change. */
  | {
      readonly kind: 'write'
      readonly inode: number
      readonly position: number
      readonly length: number
      readonly size: number
    }
  | { readonly kind: 'truncate'; readonly inode: number; readonly length: number; readonly size: number }
  /** Writes and truncations of the file up to this number of entries are durable. */
  | { readonly kind: 'synced'; readonly inode: number; readonly through: number }
  | { readonly kind: 'create'; readonly path: string }
  /** What lay at `path` lies at `kept` now, in the folder of the record. */
  | { readonly kind: 'remove'; readonly path: string; readonly kept: string }
  /** `kept`: a second name of what lay at `to`; null: nothing. */
  | { readonly kind: 'rename'; readonly path: string; readonly to: string; readonly kept: string | null }
  | { readonly kind: 'directory-synced'; readonly path: string; readonly through: number }

export const RECORD_FILE = 'record'

/** The machine's files, with a record of what is done to them in `folder`, which lies beside the data directory. */
export class RecordedFileSystem implements FileSystem {
  readonly #folder: string
  readonly #record: number
  /** Entries so far, those of earlier processes included. */
  #count: number
  #keptCount = 0
  readonly #syncsLateByMs: number
  /** Per inode, the entries of changes on their way. */
  readonly #changing = new Map<number, Set<number>>()

  /**
   * @param count  entries the record holds
   * @param syncsLateByMs  of the journal, in a broken build
   */
  constructor(folder: string, count: number, syncsLateByMs = 0) {
    this.#folder = folder
    this.#count = count
    this.#syncsLateByMs = syncsLateByMs
    this.#record = openSync(join(folder, RECORD_FILE), 'a')
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    if (mode === 'create' && !(await nodeFileSystem.exists(path))) this.#note({ kind: 'create', path })
    const file = await nodeFileSystem.open(path, mode)
    if (mode === 'read') return file
    try {
      const reader = openSync(path, 'r')
      const lateByMs = basename(path).startsWith('journal') ? this.#syncsLateByMs : 0
      return new RecordedFile(this, file, reader, fstatSync(reader).ino, lateByMs)
    } catch (cause) {
      // Removed since it was opened.
      await file.close()
      throw cause
    }
  }

  list(path: string): Promise<readonly string[]> {
    return nodeFileSystem.list(path)
  }

  async makeDirectory(path: string): Promise<void> {
    const missing: string[] = []
    for (let at = path; !(await nodeFileSystem.exists(at)); at = dirname(at)) missing.unshift(at)
    for (const created of missing) this.#note({ kind: 'create', path: created })
    await nodeFileSystem.makeDirectory(path)
  }

  async syncDirectory(path: string): Promise<void> {
    const through = this.#count
    await nodeFileSystem.syncDirectory(path)
    this.#note({ kind: 'directory-synced', path, through })
  }

  async rename(from: string, to: string): Promise<void> {
    let kept: string | null = null
    if (await nodeFileSystem.exists(to)) linkSync(to, (kept = this.#keptPath()))
    this.#note({ kind: 'rename', path: from, to, kept })
    await nodeFileSystem.rename(from, to)
  }

  async removeFile(path: string): Promise<void> {
    // One that is missing is the caller's mistake, and refused in its words.
    if (!(await nodeFileSystem.exists(path))) await fs.unlink(path)
    this.#keep(path)
  }

  async removeTree(path: string): Promise<void> {
    if (await nodeFileSystem.exists(path)) this.#keep(path)
  }

  exists(path: string): Promise<boolean> {
    return nodeFileSystem.exists(path)
  }

  lock(path: string): ReturnType<FileSystem['lock']> {
    return nodeFileSystem.lock(path)
  }

  freeBytes(path: string): Promise<number> {
    return nodeFileSystem.freeBytes(path)
  }

  /** Notes a change and makes it. */
  async change<T>(
    entry: FileEntry & { inode: number },
    bytes: Uint8Array[],
    make: () => Promise<T>,
  ): Promise<T> {
    const changing = this.#changing.get(entry.inode) ?? new Set()
    this.#changing.set(entry.inode, changing)
    const number = this.#note(entry, bytes)
    changing.add(number)
    try {
      return await make()
    } finally {
      changing.delete(number)
    }
  }

  async sync(inode: number, sync: () => Promise<void>): Promise<void> {
    // A change that is still being made may be missed.
    const through = Math.min(this.#count, ...(this.#changing.get(inode) ?? []))
    await sync()
    this.#note({ kind: 'synced', inode, through })
  }

  #keep(path: string): void {
    const kept = this.#keptPath()
    this.#note({ kind: 'remove', path, kept })
    renameSync(path, kept)
  }

  #keptPath(): string {
    return join(this.#folder, `kept-${this.#count}-${this.#keptCount++}`)
  }

  /** @returns its number */
  #note(entry: FileEntry, bytes: Uint8Array[] = []): number {
    const json = Buffer.from(JSON.stringify(entry))
    const header = Buffer.alloc(8)
    header.writeUInt32BE(json.length, 0)
    header.writeUInt32BE(
      bytes.reduce((sum, { length }) => sum + length, 0),
      4,
    )
    const all = Buffer.concat([header, json, ...bytes])
    for (let done = 0; done < all.length;) done += writeSync(this.#record, all, done)
    return this.#count++
  }
}

class RecordedFile implements FileHandle {
  readonly #fileSystem: RecordedFileSystem
  readonly #file: FileHandle
  readonly #reader: number
  readonly #inode: number
  readonly #lateByMs: number

  constructor(
    fileSystem: RecordedFileSystem,
    file: FileHandle,
    reader: number,
    inode: number,
    lateByMs: number,
  ) {
    this.#lateByMs = lateByMs
    this.#fileSystem = fileSystem
    this.#file = file
    this.#reader = reader
    this.#inode = inode
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#file.read(into, position)
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    const { size } = fstatSync(this.#reader)
    const entry = { kind: 'write', inode: this.#inode, position, length: bytes.length, size } as const
    const old = this.#bytes(position, Math.min(size, position + bytes.length))
    return this.#fileSystem.change(entry, [bytes, old], () => this.#file.write(bytes, position))
  }

  async sync(): Promise<void> {
    const sync = (): Promise<void> => this.#fileSystem.sync(this.#inode, () => this.#file.sync())
    if (this.#lateByMs === 0) return sync()
    // Nobody waits for it: its file may be closed by then.
    if (this.#lateByMs < Infinity) setTimeout(() => void sync().catch(() => {}), this.#lateByMs).unref()
  }

  truncate(length: number): Promise<void> {
    const { size } = fstatSync(this.#reader)
    const entry = { kind: 'truncate', inode: this.#inode, length, size } as const
    return this.#fileSystem.change(entry, [this.#bytes(length, size)], () => this.#file.truncate(length))
  }

  size(): Promise<number> {
    return this.#file.size()
  }

  async close(): Promise<void> {
    await this.#file.close()
    closeSync(this.#reader)
  }

  #bytes(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, to - from))
    for (let done = 0; done < bytes.length;) {
      const read = readSync(this.#reader, bytes, done, bytes.length - done, from + done)
      if (read === 0) throw new Error('A file is shorter than it was.')
      done += read
    }
    return bytes
  }
}
