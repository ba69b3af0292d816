import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { assert } from '../base/assert.ts'
import { StorageError } from '../base/errors.ts'
import { type FileHandle, type FileSystem, readFully, writeFully } from '../base/file-system.ts'
import type { EncodedEntry } from './journal-entry.ts'
import { readI64, readU32, writeI32, writeI64 } from './record-batch.ts'

/*
 * Journal frame, big-endian, in one of two alternating files.
 *
 *    0  u32  magic 'MRJ1'
 *    4  u32  length of the body
 *    8  i64  epoch: new at every recovery
 *   16  i64  sequence, ascending by one through epochs
 *   24  i64  syncedThrough: the highest sequence known durable when this frame was written
 *   32  u32  CRC of the previous frame
 *   36  u32  zero
 *   40  u32  CRC-32C of bytes 0 … 39 and of the body
 *   44       body
 *
 * Frames written together follow each other without a gap; each such group starts on a 4 KiB block, so that
 * writing one never touches a block that a finished sync has covered.
 */
export const FRAME_HEADER_BYTES = 44
export const BLOCK_BYTES = 4096
const MAGIC = 0x4d524a31
const AT_CRC = 40

/** Zeros are written ahead in pieces of this size: holes would make every sync write file-system metadata. */
const PREALLOCATE_BYTES = 1024 * 1024

export const JOURNAL_FILES = ['journal.0', 'journal.1'] as const

/** A place between two frames. */
export interface JournalPosition {
  readonly file: 0 | 1
  /** A multiple of 4 KiB. */
  readonly position: number
  readonly epoch: number
  /** Of the last frame before this place. */
  readonly sequence: number
  readonly crc: number
}

/**
 * The writing end of the journal. Owned by one log, which never writes two groups at once.
 *
 * Invariant: `#start` (from the last durable checkpoint) and everything after it is never overwritten.
 */
export class Journal {
  readonly #files: readonly [FileHandle, FileHandle]
  readonly #fileBytesMax: number
  readonly #allocated: [number, number]
  #active: 0 | 1
  #position: number
  #epoch: number
  #sequence: number
  #crc: number
  #syncedThrough: number
  #start: JournalPosition
  /** Bytes each file keeps whatever happens. */
  readonly #durableBytes: [number, number] = [0, 0]
  #staging = new Uint8Array(256 * 1024)

  private constructor(
    files: readonly [FileHandle, FileHandle],
    allocated: [number, number],
    fileBytesMax: number,
    start: JournalPosition,
  ) {
    this.#files = files
    this.#allocated = allocated
    this.#fileBytesMax = fileBytesMax
    this.#start = start
    this.#active = start.file
    this.#position = start.position
    this.#epoch = start.epoch
    this.#sequence = start.sequence
    this.#crc = start.crc
    this.#syncedThrough = start.sequence
  }

  /** Empties both files, creating them if need be, to write from `start` on: the beginning of one of them. */
  static async create(
    fileSystem: FileSystem,
    directory: string,
    fileBytesMax: number,
    start: JournalPosition,
  ): Promise<Journal> {
    const first = await fileSystem.open(join(directory, JOURNAL_FILES[0]), 'create')
    const second = await fileSystem.open(join(directory, JOURNAL_FILES[1]), 'create')
    await first.truncate(0)
    await second.truncate(0)
    const allocated: [number, number] = [0, 0]
    const journal = new Journal([first, second], allocated, fileBytesMax, start)
    // So that a file that is cut short later can be told from one that never grew.
    await journal.prepare(BLOCK_BYTES).catch((cause: unknown) => {
      if ((cause as { code?: unknown } | null)?.code !== 'ENOSPC') throw cause
    })
    await first.sync()
    await second.sync()
    journal.#durableBytes[0] = allocated[0]
    journal.#durableBytes[1] = allocated[1]
    return journal
  }

  /** Bytes each file is sure to have after a crash. */
  get durableBytes(): readonly [number, number] {
    return [this.#durableBytes[0], this.#durableBytes[1]]
  }

  /** Where the next group will stand. */
  get end(): JournalPosition {
    return {
      file: this.#active,
      position: this.#position,
      epoch: this.#epoch,
      sequence: this.#sequence,
      crc: this.#crc,
    }
  }

  /** Bytes between the last checkpoint and the end, roughly: what a restart would replay. */
  get bytesToReplay(): number {
    return this.#active === this.#start.file
      ? this.#position - this.#start.position
      : this.#fileBytesMax - this.#start.position + this.#position
  }

  /** The largest frame this journal takes. */
  get frameBytesMax(): number {
    return this.#fileBytesMax / 2
  }

  get sealed(): boolean {
    return this.#syncedThrough === this.#sequence
  }

  /** Whether a group of `bytes` can be written now; else a checkpoint has to free the other file first. */
  hasRoomFor(bytes: number): boolean {
    return this.#position + bytes <= this.#fileBytesMax || this.#start.file === this.#active
  }

  /**
   * Makes sure the blocks of the next `bytes` exist. Fails without harm when the disk is full: nothing has
   * been written to the journal yet.
   */
  async prepare(bytes: number): Promise<void> {
    assert(this.hasRoomFor(bytes), 'the journal has room for the group')
    assert(bytes <= this.#fileBytesMax, 'a group fits into a journal file')
    let file = this.#active
    let end = this.#position + bytes
    if (end > this.#fileBytesMax) {
      file = file === 0 ? 1 : 0
      end = bytes
    }
    if (end <= this.#allocated[file]) return
    const to = Math.min(
      this.#fileBytesMax,
      Math.ceil(Math.max(end, this.#allocated[file] + PREALLOCATE_BYTES) / BLOCK_BYTES) * BLOCK_BYTES,
    )
    const zeros = new Uint8Array(Math.min(PREALLOCATE_BYTES, to - this.#allocated[file]))
    for (let at = this.#allocated[file]; at < to;) {
      const piece = zeros.subarray(0, Math.min(zeros.length, to - at))
      await writeFully(this.#files[file], piece, at)
      at += piece.length
      this.#allocated[file] = at
    }
  }

  /** Writes one frame per element of `groups`, together. After a rejection the journal must not be used. */
  async write(groups: readonly (readonly EncodedEntry[])[]): Promise<void> {
    const total = groupBytes(groups)
    await this.prepare(total)
    if (this.#position + total > this.#fileBytesMax) {
      this.#active = this.#active === 0 ? 1 : 0
      this.#position = 0
    }
    if (this.#staging.length < total) this.#staging = new Uint8Array(total)
    const bytes = this.#staging
    let at = 0
    for (const entries of groups) {
      const start = at
      at += FRAME_HEADER_BYTES
      for (const { head, body } of entries) {
        bytes.set(head, at)
        at += head.length
        if (body !== null) {
          bytes.set(body, at)
          at += body.length
        }
      }
      this.#sequence++
      writeI32(bytes, start, MAGIC)
      writeI32(bytes, start + 4, at - start - FRAME_HEADER_BYTES)
      writeI64(bytes, start + 8, this.#epoch)
      writeI64(bytes, start + 16, this.#sequence)
      writeI64(bytes, start + 24, this.#syncedThrough)
      writeI32(bytes, start + 32, this.#crc)
      writeI32(bytes, start + 36, 0)
      this.#crc = frameCrc(bytes, start, at)
      writeI32(bytes, start + AT_CRC, this.#crc)
    }
    // The rest of the last block is cleared, so that no old frame shows behind this group.
    const end = Math.ceil(at / BLOCK_BYTES) * BLOCK_BYTES
    bytes.fill(0, at, Math.min(end, bytes.length))
    await writeFully(this.#files[this.#active], bytes.subarray(0, end), this.#position)
    this.#position += end
  }

  async sync(): Promise<void> {
    const through = this.#sequence
    const active = this.#active
    const bytes = this.#allocated[active]
    await this.#files[active].sync()
    this.#durableBytes[active] = bytes
    this.#syncedThrough = through
  }

  /** A checkpoint that starts at `start` is durable: everything before it may be overwritten. */
  release(start: JournalPosition): void {
    this.#start = start
    if (start.sequence > this.#syncedThrough) this.#syncedThrough = start.sequence
  }

  async close(): Promise<void> {
    await this.#files[1].close()
    await this.#files[0].close()
  }
}

/** Bytes a group of frames takes in the journal, up to the next block. */
export function groupBytes(groups: readonly (readonly EncodedEntry[])[]): number {
  let total = 0
  for (const entries of groups) total += frameBytes(entries)
  return Math.ceil(total / BLOCK_BYTES) * BLOCK_BYTES
}

export function frameBytes(entries: readonly EncodedEntry[]): number {
  let total = FRAME_HEADER_BYTES
  for (const { head, body } of entries) total += head.length + (body?.length ?? 0)
  return total
}

function frameCrc(bytes: Uint8Array, start: number, end: number): number {
  const head = crc32c(bytes.subarray(start, start + AT_CRC))
  return crc32c(bytes.subarray(start + FRAME_HEADER_BYTES, end), head)
}

/** A frame found by recovery. */
export interface Frame {
  readonly epoch: number
  readonly sequence: number
  readonly syncedThrough: number
  readonly previousCrc: number
  readonly crc: number
  readonly body: Uint8Array
}

export interface JournalReplay {
  /** Sequence of the last good frame, or that of the start. */
  readonly lastSequence: number
}

/**
 * Replays the unbroken chain of frames that follows `start`, in order.
 *
 * @throws StorageError `LOG_DAMAGED` if the chain breaks below what a later frame knows to be durable:
 *   acknowledged data is lost, and opening would hide it
 */
export async function replayJournal(
  fileSystem: FileSystem,
  directory: string,
  start: JournalPosition,
  accept: (frame: Frame) => Promise<void>,
): Promise<JournalReplay> {
  const readers = await openReaders(fileSystem, directory)
  try {
    let file = start.file
    let position = start.position
    let sequence = start.sequence
    let crc = start.crc
    const follows = (frame: Frame | null): frame is Frame =>
      frame !== null &&
      frame.epoch === start.epoch &&
      frame.sequence === sequence + 1 &&
      frame.previousCrc === crc
    for (;;) {
      // Next in the same group, else at the next block, else at the start of the other file.
      let at = position
      let frame = await readers[file]!.frameAt(at)
      if (!follows(frame)) {
        at = Math.ceil(position / BLOCK_BYTES) * BLOCK_BYTES
        if (at !== position) frame = await readers[file]!.frameAt(at)
      }
      if (!follows(frame)) {
        const other: 0 | 1 = file === 0 ? 1 : 0
        const switched = await readers[other]!.frameAt(0)
        if (!follows(switched)) {
          await refuseDamage(readers, start.epoch, sequence, file, at)
          return { lastSequence: sequence }
        }
        file = other
        at = 0
        frame = switched
      }
      await accept(frame)
      sequence = frame.sequence
      crc = frame.crc
      position = at + FRAME_HEADER_BYTES + frame.body.length
    }
  } finally {
    for (const reader of readers) await reader.close()
  }
}

/** Whether any frame stands in the journal files: then a missing checkpoint is damage, not a new directory. */
export async function journalHoldsFrames(fileSystem: FileSystem, directory: string): Promise<boolean> {
  const readers = await openReaders(fileSystem, directory)
  try {
    for (const reader of readers) if ((await reader.frameAt(0)) !== null) return true
    return false
  } finally {
    for (const reader of readers) await reader.close()
  }
}

/** Looks ahead of a broken chain: a later frame that knows the missing one durable turns a tear into damage. */
async function refuseDamage(
  readers: readonly JournalReader[],
  epoch: number,
  lastSequence: number,
  file: 0 | 1,
  position: number,
): Promise<void> {
  for (const reader of readers) {
    for (let at = 0; at < reader.size; at += BLOCK_BYTES) {
      const frame = await reader.frameAt(at)
      if (frame === null) continue
      const later = frame.epoch > epoch || (frame.epoch === epoch && frame.sequence > lastSequence + 1)
      if (later && (frame.epoch > epoch || frame.syncedThrough > lastSequence)) {
        throw new StorageError('LOG_DAMAGED', {
          message:
            `The journal is damaged: frame ${lastSequence + 1}, at byte ${position} of ${JOURNAL_FILES[file]} ` +
            `or at the start of the other file, was acknowledged and cannot be read (frame ${frame.sequence} at byte ` +
            `${at} of ${reader.name} comes after it).`,
          hint: 'Restore the data directory from a copy; opening it would lose acknowledged records.',
        })
      }
    }
  }
}

async function openReaders(fileSystem: FileSystem, directory: string): Promise<JournalReader[]> {
  const readers: JournalReader[] = []
  for (const name of JOURNAL_FILES) {
    const path = join(directory, name)
    readers.push(
      (await fileSystem.exists(path))
        ? await JournalReader.open(name, await fileSystem.open(path, 'read'))
        : new JournalReader(name, null, 0),
    )
  }
  return readers
}

/** Reads frames through a window, so that many small ones cost few reads. */
class JournalReader {
  readonly name: string
  readonly size: number
  readonly #file: FileHandle | null
  #window = new Uint8Array(0)
  #windowStart = 0

  constructor(name: string, file: FileHandle | null, size: number) {
    this.name = name
    this.#file = file
    this.size = size
  }

  static async open(name: string, file: FileHandle): Promise<JournalReader> {
    return new JournalReader(name, file, await file.size())
  }

  /** The frame at `position`, or null if there is none whose CRC holds. */
  async frameAt(position: number): Promise<Frame | null> {
    if (position + FRAME_HEADER_BYTES > this.size) return null
    let bytes = await this.#range(position, FRAME_HEADER_BYTES)
    if (bytes.length < FRAME_HEADER_BYTES || readU32(bytes, 0) !== MAGIC) return null
    const length = readU32(bytes, 4)
    if (position + FRAME_HEADER_BYTES + length > this.size) return null
    bytes = await this.#range(position, FRAME_HEADER_BYTES + length)
    if (bytes.length < FRAME_HEADER_BYTES + length) return null
    const crc = readU32(bytes, AT_CRC)
    if (frameCrc(bytes, 0, bytes.length) !== crc) return null
    return {
      epoch: readI64(bytes, 8),
      sequence: readI64(bytes, 16),
      syncedThrough: readI64(bytes, 24),
      previousCrc: readU32(bytes, 32),
      crc,
      body: bytes.slice(FRAME_HEADER_BYTES),
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }

  async #range(position: number, length: number): Promise<Uint8Array> {
    if (position < this.#windowStart || position + length > this.#windowStart + this.#window.length) {
      const window = new Uint8Array(Math.min(this.size - position, Math.max(length, 1024 * 1024)))
      const read = await readFully(this.#file!, window, position)
      this.#window = window.subarray(0, read)
      this.#windowStart = position
    }
    const at = position - this.#windowStart
    return this.#window.subarray(at, at + length)
  }
}
