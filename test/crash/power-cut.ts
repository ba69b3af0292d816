import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Random } from '../../src/base/random.ts'
import { type FileEntry, RECORD_FILE } from './recorded-file-system.ts'

/** What a disk writes whole. */
const SECTOR_BYTES = 512
/** What the page cache holds of LevelDB's log, which is never synced. */
const PAGE_BYTES = 4096

interface NumberedEntry {
  readonly entry: FileEntry
  readonly number: number
  /** Where its bytes begin in the record, and how many. */
  readonly bytesAt: number
  readonly bytes: number
}

type Change = Extract<FileEntry, { inode: number }> & { kind: 'write' | 'truncate' }
type NameChange = Extract<FileEntry, { kind: 'create' | 'remove' | 'rename' }>

/** The record of a {@link RecordedFileSystem} over one process after the other, up to the next power cut. */
export class FileRecord {
  readonly folder: string
  readonly #path: string
  #entries: NumberedEntry[] = []
  #bytes = 0

  constructor(folder: string) {
    this.folder = folder
    this.#path = join(folder, RECORD_FILE)
    mkdirSync(folder, { recursive: true })
    writeFileSync(this.#path, '')
  }

  get count(): number {
    return this.#entries.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes in what a process that has ended has left; an entry it did not finish is of a change it did not begin. */
  takeIn(): void {
    const file = openSync(this.#path, 'r+')
    try {
      const { size } = fstatSync(file)
      while (this.#bytes + 8 <= size) {
        const header = readAt(file, this.#bytes, 8)
        const jsonBytes = header.readUInt32BE(0)
        const bytes = header.readUInt32BE(4)
        const bytesAt = this.#bytes + 8 + jsonBytes
        if (bytesAt + bytes > size) break
        const entry = JSON.parse(readAt(file, this.#bytes + 8, jsonBytes).toString()) as FileEntry
        this.#entries.push({ entry, number: this.#entries.length, bytesAt, bytes })
        this.#bytes = bytesAt + bytes
      }
      ftruncateSync(file, this.#bytes)
    } finally {
      closeSync(file)
    }
  }

  /**
   * Leaves of `directory` what a disk may hold after its power went: each change that was not synced since is
   * there, gone or torn; created, renamed and removed files are back as they were, from some change of their
   * directory on that was not synced.
   *
   * @param onlySyncedStays  all of them are gone, and what LevelDB wrote by itself stays
   * @returns how many changes are gone
   */
  cutPower(directory: string, random: Random, onlySyncedStays = false): number {
    const record = openSync(this.#path, 'r')
    try {
      const keptShare = onlySyncedStays ? 0 : [0, 0, 0.5, 0.9][random.below(4)]!
      const gone = this.#cutNames(random) + this.#cutFiles(directory, record, random, keptShare)
      return onlySyncedStays ? gone : gone + cutLevelDb(join(directory, 'state'), random)
    } finally {
      closeSync(record)
      this.clear()
    }
  }

  clear(): void {
    rmSync(this.folder, { recursive: true })
    mkdirSync(this.folder)
    writeFileSync(this.#path, '')
    this.#entries = []
    this.#bytes = 0
  }

  #cutNames(random: Random): number {
    const synced = new Map<string, number>()
    const open = new Map<string, { entry: NameChange; number: number }[]>()
    for (const { entry, number } of this.#entries) {
      if (entry.kind === 'directory-synced') {
        synced.set(entry.path, Math.max(synced.get(entry.path) ?? 0, entry.through))
      } else if (entry.kind === 'create' || entry.kind === 'remove' || entry.kind === 'rename') {
        const list = open.get(dirname(entry.path)) ?? []
        open.set(dirname(entry.path), list)
        list.push({ entry, number })
      }
    }
    const undone = [...open].flatMap(([directory, changes]) => {
      const unsynced = changes.filter(({ number }) => number >= (synced.get(directory) ?? 0))
      return unsynced.slice(random.below(unsynced.length + 1))
    })
    for (const { entry } of undone.toSorted((a, b) => b.number - a.number)) undoName(entry)
    return undone.length
  }

  #cutFiles(directory: string, record: number, random: Random, keptShare: number): number {
    const synced = new Map<number, number>()
    for (const { entry } of this.#entries) {
      if (entry.kind === 'synced') {
        synced.set(entry.inode, Math.max(synced.get(entry.inode) ?? 0, entry.through))
      }
    }
    const open = new Map<number, (NumberedEntry & { entry: Change })[]>()
    for (const numbered of this.#entries) {
      const { entry, number } = numbered
      if (entry.kind !== 'write' && entry.kind !== 'truncate') continue
      if (number < (synced.get(entry.inode) ?? 0)) continue
      const list = open.get(entry.inode) ?? []
      open.set(entry.inode, list)
      list.push({ ...numbered, entry })
    }
    const paths = pathsByInode(directory)
    let gone = 0
    for (const [inode, changes] of open) {
      const path = paths.get(inode)
      if (path === undefined) continue
      const file = openSync(path, 'r+')
      try {
        for (const { entry, bytesAt, bytes } of changes.toReversed()) {
          const all = readAt(record, bytesAt, bytes)
          const [at, old] =
            entry.kind === 'write' ? [entry.position, all.subarray(entry.length)] : [entry.length, all]
          ftruncateSync(file, entry.size)
          writeAt(file, old, at)
        }
        for (const { entry, bytesAt, bytes } of changes) {
          if (random.next() >= keptShare) {
            gone++
            continue
          }
          if (entry.kind === 'truncate') ftruncateSync(file, entry.length)
          else {
            const brought = readAt(record, bytesAt, bytes).subarray(0, entry.length)
            if (random.below(4) > 0) writeAt(file, brought, entry.position)
            else if (writeSomeSectors(file, brought, entry.position, random)) gone++
          }
        }
      } finally {
        closeSync(file)
      }
    }
    return gone
  }
}

function undoName(entry: NameChange): void {
  switch (entry.kind) {
    case 'create':
      rmSync(entry.path, { recursive: true, force: true })
      return
    case 'remove':
      // LevelDB's folder may have been made anew meanwhile, by LevelDB itself.
      if (existsSync(entry.kept) && !existsSync(entry.path) && existsSync(dirname(entry.path))) {
        renameSync(entry.kept, entry.path)
      }
      return
    case 'rename':
      if (existsSync(entry.path) || !existsSync(entry.to)) return
      renameSync(entry.to, entry.path)
      if (entry.kept !== null) linkSync(entry.kept, entry.to)
  }
}

/**
 * LevelDB writes by itself and never syncs its log: of that, anything may be missing.
 *
 * @returns how many places
 */
function cutLevelDb(directory: string, random: Random): number {
  if (!existsSync(directory)) return 0
  let gone = 0
  for (const name of readdirSync(directory).filter((n) => n.endsWith('.log'))) {
    const path = join(directory, name)
    const { size } = lstatSync(path)
    if (size === 0) continue
    const kind = random.below(4)
    if (kind === 0) continue
    gone++
    if (kind === 1) truncateSync(path, random.below(size))
    else if (kind === 2) truncateSync(path, Math.max(0, size - random.below(2 * PAGE_BYTES)))
    else {
      const pages = Math.ceil(size / PAGE_BYTES)
      const bytes = readFileSync(path)
      const at = random.below(pages) * PAGE_BYTES
      bytes.fill(0, at, Math.min(size, at + PAGE_BYTES))
      writeFileSync(path, bytes)
    }
  }
  return gone
}

function pathsByInode(directory: string): Map<number, string> {
  const paths = new Map<number, string>()
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    paths.set(lstatSync(path).ino, path)
  }
  return paths
}

/** @returns whether a sector was left out */
function writeSomeSectors(file: number, bytes: Buffer, position: number, random: Random): boolean {
  let isTorn = false
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES))
    if (random.below(2) === 0) writeAt(file, bytes.subarray(at, end), position + at)
    else isTorn = true
    at = end
  }
  return isTorn
}

function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let done = 0; done < length;) {
    const read = readSync(file, bytes, done, length - done, position + done)
    if (read === 0) throw new Error('The record is shorter than its entries say.')
    done += read
  }
  return bytes
}

function writeAt(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done, bytes.length - done, position + done)
  }
}
