import { crc32c } from '@node-rs/crc32'
import { type FileSystem, readFully, writeFully } from '../base/file-system.ts'
import { readU32, writeI32 } from './record-batch.ts'
import { type IndexMark, OFFSET_ENTRY_BYTES, SegmentIndex, TIME_ENTRY_BYTES } from './segment-index.ts'

/*
 * Beside a segment: `.index` and `.timeindex` as Kafka has them, and `.indexsum`, big-endian: u32 CRC-32C of the
 * first, u32 CRC-32C of the second, u32 how many bytes of the segment they tell of, u32 length of the first, u32
 * length of the second. Without the lengths, as an older version wrote it, they are the files' own.
 */
const SUM_BYTES = 20
const SUM_BYTES_BEFORE = 12
/** An active segment's files are brought up to date when it has grown by so much. */
const GROWN_BYTES_MIN = 1 << 20
const NOTHING: IndexMark = { offsets: 0, times: 0, coveredTo: 0 }

/**
 * The index files of one segment. They hold a prefix of its index and can be rebuilt, so nothing waits for them to
 * be durable: what doesn't match its checksums counts as missing.
 */
export class IndexFiles {
  readonly #fileSystem: FileSystem
  readonly #stem: string
  /** Whose entries the files hold, and how many. */
  #index: SegmentIndex | null = null
  #written = NOTHING
  #crcs: readonly [number, number] = [0, 0]
  #writing: Promise<void> = Promise.resolve()
  /** The segment is on its way out. */
  #isRetired = false

  /** @param path of the segment */
  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem
    this.#stem = path.slice(0, -'.log'.length)
  }

  /** How far the files are to be brought now; null: it isn't worth it. */
  due(index: SegmentIndex): IndexMark | null {
    const writtenTo = this.#index === index ? this.#written.coveredTo : 0
    return index.coveredTo - writtenTo < GROWN_BYTES_MIN ? null : index.mark()
  }

  /**
   * Brings the files up to a mark of the index. Neither a full nor a read-only disk stops anybody: without them the
   * next opening scans the segment.
   */
  write(index: SegmentIndex, to: IndexMark): Promise<void> {
    const written = this.#writing.then(async () => {
      if (index.isDamaged || this.#isRetired) return
      try {
        await this.#write(index, to)
      } catch {
        // Files that do not match their checksums count as missing.
      }
    })
    this.#writing = written
    return written
  }

  async #write(index: SegmentIndex, to: IndexMark): Promise<void> {
    const goesOn = this.#index === index
    const from = goesOn ? this.#written : NOTHING
    if (goesOn && to.coveredTo <= from.coveredTo) return
    const { index: offsets, timeIndex: times } = index.encode(from, to)
    const [offsetsCrc, timesCrc] = goesOn ? this.#crcs : [0, 0]
    this.#crcs = [crc32c(offsets, offsetsCrc), crc32c(times, timesCrc)]
    // Until all are written the files are nobody's.
    this.#index = null
    await this.#put('.index', offsets, from.offsets * OFFSET_ENTRY_BYTES)
    await this.#put('.timeindex', times, from.times * TIME_ENTRY_BYTES)
    const sum = new Uint8Array(SUM_BYTES)
    writeI32(sum, 0, this.#crcs[0])
    writeI32(sum, 4, this.#crcs[1])
    writeI32(sum, 8, to.coveredTo)
    writeI32(sum, 12, to.offsets * OFFSET_ENTRY_BYTES)
    writeI32(sum, 16, to.times * TIME_ENTRY_BYTES)
    await this.#put('.indexsum', sum, 0)
    this.#index = index
    this.#written = to
  }

  /**
   * The index of a prefix of the segment, for the caller alone; null if there is none that matches its checksums,
   * or it tells of more than the segment has.
   */
  async read(segmentBytes: number, intervalBytes: number): Promise<SegmentIndex | null> {
    await this.#writing
    const sum = await this.#get('.indexsum')
    const offsets = await this.#get('.index')
    const times = await this.#get('.timeindex')
    if (sum === null || offsets === null || times === null) return null
    if (sum.length !== SUM_BYTES && sum.length !== SUM_BYTES_BEFORE) return null
    const isOld = sum.length === SUM_BYTES_BEFORE
    const index = isOld ? offsets : offsets.subarray(0, readU32(sum, 12))
    const timeIndex = isOld ? times : times.subarray(0, readU32(sum, 16))
    const coveredTo = readU32(sum, 8)
    if (readU32(sum, 0) !== crc32c(index) || readU32(sum, 4) !== crc32c(timeIndex)) return null
    if (coveredTo > segmentBytes) return null
    const decoded = SegmentIndex.decode(index, timeIndex, coveredTo, intervalBytes)
    this.#index = decoded
    this.#written = decoded.mark()
    this.#crcs = [readU32(sum, 0), readU32(sum, 4)]
    return decoded
  }

  /** Removes them, for good. */
  async remove(): Promise<void> {
    this.#isRetired = true
    await this.#writing
    for (const suffix of ['.index', '.timeindex', '.indexsum']) {
      await this.#fileSystem.removeTree(this.#stem + suffix)
    }
  }

  /** The segment has been cut to `segmentBytes`: an index of what was behind would not notice what comes there. */
  async forgetBehind(segmentBytes: number): Promise<void> {
    const sum = await this.#get('.indexsum')
    if (sum === null || (sum.length >= SUM_BYTES_BEFORE && readU32(sum, 8) <= segmentBytes)) return
    await this.#fileSystem.removeFile(`${this.#stem}.indexsum`)
  }

  async #get(suffix: string): Promise<Uint8Array | null> {
    const path = this.#stem + suffix
    if (!(await this.#fileSystem.exists(path))) return null
    const file = await this.#fileSystem.open(path, 'read')
    try {
      const bytes = new Uint8Array(await file.size())
      return bytes.subarray(0, await readFully(file, bytes, 0))
    } finally {
      await file.close()
    }
  }

  async #put(suffix: string, bytes: Uint8Array, position: number): Promise<void> {
    const file = await this.#fileSystem.open(this.#stem + suffix, 'create')
    try {
      await writeFully(file, bytes, position)
      await file.truncate(position + bytes.length)
    } finally {
      await file.close()
    }
  }
}
