import { Level } from 'level'
import { StorageError } from '../base/errors.ts'
import { verifyTables } from './level-tables.ts'
import type { PageWrite } from './page-table.ts'
import type { StateStorage } from './state-storage.ts'

/** Bytes LevelDB collects in memory before it writes a table. */
export const WRITE_BUFFER_BYTES = 4 << 20

/** Pages are about 2.6 KB; a block should hold several. */
const BLOCK_BYTES = 16384

/** A range without keys: compacting it only moves what LevelDB has in memory, and in its log, into tables. */
const NOWHERE = Buffer.of(0xff, 0xff)

/** What `level` has under Node and its types, which are also those of a browser, leave out. */
type Database = Level<Buffer, Uint8Array> & { compactRange(from: Buffer, to: Buffer): Promise<void> }

/** LevelDB as the checkpoint's storage. */
export class LevelStorage implements StateStorage {
  readonly #db: Database

  private constructor(db: Database) {
    this.#db = db
  }

  /**
   * @param directory made if missing
   * @throws StorageError `STATE_OPEN_FAILED`: locked by another process, damaged, or not accessible;
   *   `STATE_TABLE_DAMAGED`
   */
  static async open(directory: string, cacheBytes: number): Promise<LevelStorage> {
    await verifyTables(directory)
    const options = {
      keyEncoding: 'buffer',
      valueEncoding: 'view',
      writeBufferSize: WRITE_BUFFER_BYTES,
      cacheSize: cacheBytes,
      blockSize: BLOCK_BYTES,
    } as const
    const db = new Level<Buffer, Uint8Array>(directory, options) as Database
    try {
      await db.open()
    } catch (error) {
      throw new StorageError('STATE_OPEN_FAILED', {
        message: `The state folder ${directory} could not be opened.`,
        cause: error,
      })
    }
    return new LevelStorage(db)
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#db.getMany(keys.map(toBuffer))
  }

  iterate(from: string, to: string): AsyncIterable<readonly [string, Uint8Array]> {
    // The iterator's snapshot is taken here, not when it is first read.
    const iterator = this.#db.iterator({ gte: toBuffer(from), lt: toBuffer(to) })
    return readAll(iterator)
  }

  async write(writes: readonly PageWrite[]): Promise<void> {
    await this.#db.batch(
      writes.map(({ key, value }) =>
        value === null
          ? { type: 'del' as const, key: toBuffer(key) }
          : { type: 'put' as const, key: toBuffer(key), value },
      ),
    )
    if (bytesOf(writes) < WRITE_BUFFER_BYTES) return
    // The next batch would begin with it: done now, an opening has no log of LevelDB's to replay.
    await this.#db.compactRange(NOWHERE, NOWHERE)
  }

  async clear(from: string, to: string): Promise<void> {
    await this.#db.clear({ gte: toBuffer(from), lt: toBuffer(to) })
  }

  async close(): Promise<void> {
    await this.#db.close()
  }
}

function bytesOf(writes: readonly PageWrite[]): number {
  return writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
}

interface PageIterator {
  nextv(size: number): Promise<[Buffer, Uint8Array][]>
  close(): Promise<void>
}

async function* readAll(iterator: PageIterator): AsyncIterable<readonly [string, Uint8Array]> {
  try {
    for (;;) {
      const entries = await iterator.nextv(256)
      if (entries.length === 0) return
      for (const [key, value] of entries) yield [key.toString('latin1'), value]
    }
  } finally {
    await iterator.close()
  }
}

function toBuffer(key: string): Buffer {
  return Buffer.from(key, 'latin1')
}
