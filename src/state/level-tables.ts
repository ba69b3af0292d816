import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { StorageError } from '../base/errors.ts'
import { readFully } from '../base/file-system.ts'
import { nodeFileSystem } from '../base/node-file-system.ts'
import { CODECS, inflate } from '../log/compression.ts'
import { CodecReader, readVarint } from './codec-bytes.ts'

/*
 * A table file of LevelDB, little-endian:
 *
 *   blocks, back to back, each followed by u8 compression (0 none, 1 snappy) and u32 masked CRC-32C of both
 *   footer of 48 bytes: handle of the metaindex block, handle of the index block, filling, u64 magic number
 *
 * A handle is two varints: position, and size without those 5 bytes. The values of the index block are the handles of
 * the data blocks, those of the metaindex block the handles of filters. Entries of such a block: varints of how many
 * bytes of the key are the last one's, how many follow, and the value's length; key; value. Behind them the places
 * where keys are whole: u32 each, and u32 how many.
 */
const FOOTER_BYTES = 48
const TRAILER_BYTES = 5
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]
const SNAPPY = 1
const MASK_DELTA = 0xa282ead8

interface Handle {
  readonly position: number
  readonly size: number
}

/**
 * Verifies every block of every table file: LevelDB doesn't, takes damaged ones for what they seem to say, and ends the
 * process over some of them.
 *
 * @param directory  of a LevelDB that nobody has open; missing: nothing to verify
 * @throws StorageError `STATE_TABLE_DAMAGED`, with file and byte
 */
export async function verifyTables(directory: string): Promise<void> {
  if (!(await nodeFileSystem.exists(directory))) return
  let buffer = new Uint8Array(0)
  const names = await nodeFileSystem.list(directory)
  if (!names.includes('CURRENT') && names.some((name) => /^MANIFEST-|^\d+\./.test(name))) {
    // LevelDB would begin a new database with what is left of the old one's log.
    throw new StorageError('STATE_TABLE_DAMAGED', {
      message: `In ${directory} the file CURRENT is missing, which says what of the others counts.`,
    })
  }
  for (const name of names) {
    if (!/\.(?:ldb|sst)$/.test(name)) continue
    const path = join(directory, name)
    const file = await nodeFileSystem.open(path, 'read')
    try {
      const size = await file.size()
      if (buffer.length < size) buffer = new Uint8Array(size)
      const bytes = buffer.subarray(0, size)
      await readFully(file, bytes, 0)
      new Table(path, bytes).verify()
    } finally {
      await file.close()
    }
  }
}

class Table {
  readonly #path: string
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(path: string, bytes: Uint8Array) {
    this.#path = path
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  verify(): void {
    const end = this.#bytes.length - FOOTER_BYTES
    // One that was being written when the process died is in no version of the database; of those that are, LevelDB
    // looks at the magic number itself.
    if (end < 0 || MAGIC.some((byte, i) => this.#bytes[end + 40 + i] !== byte)) return
    // The magic number ends four numbers, whatever stands before it.
    const footer = new CodecReader(this.#bytes, end)
    const [metaIndex, index] = [readHandle(footer), readHandle(footer)]
    const handles = [...this.#handlesIn(index), ...this.#handlesIn(metaIndex)]
    for (const handle of handles) this.#block(handle)
    // A handle that lies leaves a hole or an overlap.
    let expected = 0
    for (const { position, size } of [...handles, metaIndex, index].sort((a, b) => a.position - b.position)) {
      if (position !== expected) throw this.#damaged(expected)
      expected = position + size + TRAILER_BYTES
    }
    if (expected !== end) throw this.#damaged(expected)
  }

  /** The content of a block, verified, as it is stored. */
  #block({ position, size }: Handle): Uint8Array {
    const end = position + size
    if (end + TRAILER_BYTES > this.#bytes.length - FOOTER_BYTES) throw this.#damaged(position)
    const masked = this.#view.getUint32(end + 1, true)
    const rotated = (masked - MASK_DELTA) >>> 0
    const crc = ((rotated >>> 17) | (rotated << 15)) >>> 0
    if (crc32c(this.#bytes.subarray(position, end + 1)) !== crc) throw this.#damaged(position)
    return this.#bytes.subarray(position, end)
  }

  #handlesIn(handle: Handle): Handle[] {
    const stored = this.#block(handle)
    const isPacked = this.#bytes[handle.position + handle.size] === SNAPPY
    const block = isPacked ? inflate(CODECS.indexOf('snappy'), stored) : stored
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
    const end = block.length - 4 - 4 * view.getUint32(block.length - 4, true)
    const handles: Handle[] = []
    const entries = new CodecReader(block, 0, end)
    while (entries.at < end) {
      readVarint(entries)
      const keyBytes = readVarint(entries)
      const valueBytes = readVarint(entries)
      entries.at += keyBytes
      const next = entries.at + valueBytes
      handles.push(readHandle(entries))
      entries.at = next
    }
    return handles
  }

  #damaged(position: number): StorageError {
    return new StorageError('STATE_TABLE_DAMAGED', {
      message: `The block at byte ${position} of ${this.#path} is damaged.`,
    })
  }
}

function readHandle(from: CodecReader): Handle {
  return { position: readVarint(from), size: readVarint(from) }
}
