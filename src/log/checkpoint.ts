import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { StorageError } from '../base/errors.ts'
import { type FileHandle, type FileSystem, readFully, writeFully } from '../base/file-system.ts'
import { describeCause, hintFor } from './disk-error.ts'
import type { JournalPosition } from './journal.ts'
import { readI64, readU32, writeI32, writeI64 } from './record-batch.ts'
import type { StoredOffset, StoredSegment } from './stored.ts'

/** The whole state of the log at one place of the journal. Everything it names is durable. */
export interface Checkpoint {
  readonly version: 2
  readonly logId: string
  /** Where replay starts. */
  readonly journal: JournalPosition
  /**
   * The journal files were at least this long for good. Missing before they were recorded; 0 once the log was
   * closed and nothing of them is needed.
   */
  readonly journalBytes?: readonly [number, number]
  readonly topics: readonly CheckpointTopic[]
  readonly groups: readonly { readonly group: string; readonly offsets: readonly StoredOffset[] }[]
  readonly owners: readonly { readonly name: string; readonly epoch: number }[]
  readonly producerIdNext: number
  readonly transactionalIds: readonly CheckpointTransactionalId[]
}

export interface CheckpointTopic {
  readonly id: string
  readonly name: string
  readonly config: Readonly<Record<string, string>>
  /** One entry per partition. */
  readonly partitions: readonly CheckpointPartition[]
}

export interface CheckpointPartition {
  readonly logStart: number
  readonly nextOffset: number
  /** Oldest first; the last one is active. Empty before the first append. */
  readonly segments: readonly StoredSegment[]
  /** Missing in version 1, which had no cleaner. */
  readonly cleanedTo?: number
  readonly producers: readonly CheckpointProducer[]
  readonly aborted: readonly AbortedRange[]
}

/** What a partition remembers of an idempotent producer. */
export interface CheckpointProducer {
  readonly producerId: number
  readonly epoch: number
  /** The last batches, oldest first: first and last sequence, base offset, append time. */
  readonly batches: readonly (readonly [
    firstSequence: number,
    lastSequence: number,
    baseOffset: number,
    atMs: number,
  ])[]
  /** First offset of its open transaction here, or null. */
  readonly openFrom: number | null
}

export interface AbortedRange {
  readonly producerId: number
  readonly firstOffset: number
  /** Of the last record of the transaction, or later; the abort marker is the next offset at most. */
  readonly lastOffset: number
}

export interface CheckpointTransactionalId {
  readonly transactionalId: string
  readonly producerId: number
  readonly epoch: number
  readonly timeoutMs: number
  /** When its open transaction began, or null. */
  readonly openSinceMs: number | null
  /** When it was last heard of; missing in checkpoints of versions that did not say. */
  readonly usedMs?: number
  readonly pendingOffsets: readonly { readonly group: string; readonly offsets: readonly StoredOffset[] }[]
}

/*
 * A slot: u32 magic 'MRC1', u32 length of the body, i64 generation, u32 CRC-32C of bytes 0 … 15 and of the
 * body, body (JSON). The valid slot with the higher generation counts; the other one is written next.
 */
const MAGIC = 0x4d524331
const HEADER_BYTES = 20

export const CHECKPOINT_FILES = ['checkpoint.0', 'checkpoint.1'] as const

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The two slots of a data directory. Owned by one log, which writes one checkpoint at a time. */
export class CheckpointSlots {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  #generation: number
  #next: 0 | 1

  private constructor(fileSystem: FileSystem, directory: string, generation: number, next: 0 | 1) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#generation = generation
    this.#next = next
  }

  /**
   * Reads both slots; `newest` is null if neither holds a checkpoint, and `problems` says why. The newest is
   * durable from here on: it may have been read from the page cache after its sync failed, and the next one is
   * written over the other slot, the only one on disk then.
   */
  static async open(
    fileSystem: FileSystem,
    directory: string,
  ): Promise<{ slots: CheckpointSlots; newest: Checkpoint | null; problems: string[] }> {
    let newest: Slot | null = null
    let next: 0 | 1 = 0
    const problems: string[] = []
    for (const slot of [0, 1] as const) {
      const found = await readSlot(fileSystem, join(directory, CHECKPOINT_FILES[slot]))
      if (typeof found === 'string') {
        problems.push(found)
      } else if (newest === null || found.generation > newest.generation) {
        newest = found
        next = slot === 0 ? 1 : 0
      }
    }
    const slots = new CheckpointSlots(fileSystem, directory, newest?.generation ?? 0, next)
    if (newest !== null) await slots.#put(newest.path, newest.bytes)
    return { slots, newest: newest?.checkpoint ?? null, problems }
  }

  /** Durable once resolved. After a rejection the older checkpoint still counts. */
  async write(checkpoint: Checkpoint): Promise<void> {
    const body = encoder.encode(JSON.stringify(checkpoint))
    const bytes = new Uint8Array(HEADER_BYTES + body.length)
    writeI32(bytes, 0, MAGIC)
    writeI32(bytes, 4, body.length)
    writeI64(bytes, 8, this.#generation + 1)
    bytes.set(body, HEADER_BYTES)
    writeI32(bytes, 16, crc32c(body, crc32c(bytes.subarray(0, 16))))
    await this.#put(join(this.#directory, CHECKPOINT_FILES[this.#next]), bytes)
    this.#generation++
    this.#next = this.#next === 0 ? 1 : 0
  }

  /** Durable once resolved. */
  async #put(path: string, bytes: Uint8Array): Promise<void> {
    const isNew = !(await this.#fileSystem.exists(path))
    const file = await this.#fileSystem.open(path, 'create')
    try {
      await writeFully(file, bytes, 0)
      await file.sync().catch((cause: unknown) => {
        // Never mistaken for a write that found the disk full.
        throw new StorageError('LOG_SYNC_FAILED', {
          message: `The checkpoint ${path} was not synced: ${describeCause(cause)}.`,
          hint: hintFor(cause) ?? 'Look at the disk, then open the data directory again.',
          cause,
        })
      })
    } finally {
      await file.close()
    }
    if (isNew) await this.#fileSystem.syncDirectory(this.#directory)
  }
}

interface Slot {
  readonly path: string
  readonly generation: number
  /** Of the whole file, without what an older and longer checkpoint has left behind it. */
  readonly bytes: Uint8Array
  readonly checkpoint: Checkpoint
}

/** What a slot holds, or why it holds nothing. */
async function readSlot(fileSystem: FileSystem, path: string): Promise<Slot | string> {
  if (!(await fileSystem.exists(path))) return `byte 0 of ${path} is missing with the whole file`
  const file = await fileSystem.open(path, 'read')
  let bytes: Uint8Array
  try {
    bytes = await readWhole(file)
  } finally {
    await file.close()
  }
  if (bytes.length < HEADER_BYTES || readU32(bytes, 0) !== MAGIC)
    return `byte 0 of ${path} begins no checkpoint`
  const length = readU32(bytes, 4)
  const end = HEADER_BYTES + length
  if (end > bytes.length) return `byte ${bytes.length} of ${path} is its end, and should be byte ${end}`
  const body = bytes.subarray(HEADER_BYTES, end)
  if (crc32c(body, crc32c(bytes.subarray(0, 16))) !== readU32(bytes, 16)) {
    return `byte 0 of ${path} begins ${end} bytes that do not match their checksum`
  }
  const checkpoint = JSON.parse(decoder.decode(body)) as { version: number }
  // Version 1 lacks fields that have defaults.
  if (checkpoint.version !== 1 && checkpoint.version !== 2) {
    throw new StorageError('LOG_NEWER_VERSION', {
      message: `${path} has version ${checkpoint.version}; this version of Millrace reads 1 and 2.`,
      hint: 'Open the directory with the version that wrote it.',
    })
  }
  return {
    path,
    generation: readI64(bytes, 8),
    bytes: bytes.subarray(0, end),
    checkpoint: { ...(checkpoint as Checkpoint), version: 2 },
  }
}

async function readWhole(file: FileHandle): Promise<Uint8Array> {
  const bytes = new Uint8Array(await file.size())
  return bytes.subarray(0, await readFully(file, bytes, 0))
}
