import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { StorageError } from '../base/errors.ts'
import { type FileHandle, type FileSystem, readFully, writeFully } from '../base/file-system.ts'
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

  /** Reads both slots; `newest` is null if neither holds a checkpoint. */
  static async open(
    fileSystem: FileSystem,
    directory: string,
  ): Promise<{ slots: CheckpointSlots; newest: Checkpoint | null }> {
    let generation = 0
    let next: 0 | 1 = 0
    let newest: Checkpoint | null = null
    for (const slot of [0, 1] as const) {
      const found = await readSlot(fileSystem, join(directory, CHECKPOINT_FILES[slot]))
      if (found === null || found.generation <= generation) continue
      generation = found.generation
      next = slot === 0 ? 1 : 0
      newest = found.checkpoint
    }
    return { slots: new CheckpointSlots(fileSystem, directory, generation, next), newest }
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
    const path = join(this.#directory, CHECKPOINT_FILES[this.#next])
    const isNew = !(await this.#fileSystem.exists(path))
    const file = await this.#fileSystem.open(path, 'create')
    try {
      await writeFully(file, bytes, 0)
      await file.sync().catch((cause: unknown) => {
        // Never mistaken for a write that found the disk full.
        throw new StorageError('LOG_SYNC_FAILED', {
          message: `The checkpoint ${path} was not synced.`,
          cause,
        })
      })
    } finally {
      await file.close()
    }
    if (isNew) await this.#fileSystem.syncDirectory(this.#directory)
    this.#generation++
    this.#next = this.#next === 0 ? 1 : 0
  }
}

async function readSlot(
  fileSystem: FileSystem,
  path: string,
): Promise<{ generation: number; checkpoint: Checkpoint } | null> {
  if (!(await fileSystem.exists(path))) return null
  const file = await fileSystem.open(path, 'read')
  let bytes: Uint8Array
  try {
    bytes = await readWhole(file)
  } finally {
    await file.close()
  }
  if (bytes.length < HEADER_BYTES || readU32(bytes, 0) !== MAGIC) return null
  const length = readU32(bytes, 4)
  if (HEADER_BYTES + length > bytes.length) return null
  const body = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)
  if (crc32c(body, crc32c(bytes.subarray(0, 16))) !== readU32(bytes, 16)) return null
  const checkpoint = JSON.parse(decoder.decode(body)) as { version: number }
  // Version 1 lacks fields that have defaults.
  if (checkpoint.version !== 1 && checkpoint.version !== 2) {
    throw new StorageError('LOG_NEWER_VERSION', {
      message: `The data directory was written by a newer Millrace (checkpoint version ${checkpoint.version}).`,
    })
  }
  return { generation: readI64(bytes, 8), checkpoint: { ...(checkpoint as Checkpoint), version: 2 } }
}

async function readWhole(file: FileHandle): Promise<Uint8Array> {
  const bytes = new Uint8Array(await file.size())
  return bytes.subarray(0, await readFully(file, bytes, 0))
}
