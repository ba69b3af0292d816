import type { Clock } from '../base/clock.ts'
import { type FileHandle, type FileSystem, writeFully } from '../base/file-system.ts'
import { cleanBatch, deleteHorizonOf, emptyBatch, fillerBatch, type Keep } from './clean-batch.ts'
import type { AbortedRange } from './checkpoint.ts'
import { KeyOffsets } from './key-offsets.ts'
import type { Partition, Segment } from './partition.ts'
import {
  AT_ATTRIBUTES,
  AT_BATCH_LENGTH,
  AT_LAST_OFFSET_DELTA,
  AT_MAX_TIMESTAMP,
  AT_PRODUCER_ID,
  AT_RECORD_COUNT,
  CONTROL,
  readI16,
  readI32,
  readI64,
  TRANSACTIONAL,
} from './record-batch.ts'
import type { SegmentIndex } from './segment-index.ts'
import type { StoredSegment } from './stored.ts'
import { numericSetting } from './topic-config.ts'
import { walkRecords } from './walk-records.ts'

/** Keys of one pass take at most about this much memory; the rest of the log waits for the next pass. */
const KEY_BYTES_MAX = 128 * 1024 * 1024
const WRITE_BYTES = 1024 * 1024
/**
 * Waits so many times as long as it worked: the thread has readers and writers to serve. The more is dirty, the
 * less it waits, so that no load outgrows it.
 */
const REST_PER_WORK = [
  { dirtyBytesMax: 32 * 1024 * 1024, rest: 3 },
  { dirtyBytesMax: 128 * 1024 * 1024, rest: 1 },
  { dirtyBytesMax: Infinity, rest: 0.25 },
] as const
/** A dirty active segment is sealed from this size on, or at this age. */
const ROLL_BYTES_MIN = 1024 * 1024
const ROLL_AGE_MS = 10 * 60 * 1000

/** What may be cleaned of a compacted partition now. */
export interface CleaningState {
  /** The oldest segments, sealed, below the last checkpoint and below open transactions. */
  readonly segments: readonly Segment[]
  /** Whether enough of them is dirty, or dirty for long enough. */
  readonly due: boolean
  /** Whether the active segment should be sealed, so that a later pass can clean it. */
  readonly roll: boolean
  /** Written since the last pass. */
  readonly dirtyBytes: number
  readonly dirtyRatio: number
}

export interface CleaningRules {
  /** Tombstones at and above this offset stay: somebody will restore from there. */
  readonly holdFrom: number
  /** Records below `beforeOffset` whose key, at [start, end) of `bytes`, is gone may be dropped. */
  readonly trim: Trim | null
  readonly keyBytesMax?: number
}

export interface Trim {
  readonly beforeOffset: number
  readonly isGone: (bytes: Uint8Array, start: number, end: number) => boolean
}

/** What a pass wants to put in the place of old segments. The files of the new ones are durable. */
export interface CleaningResult {
  readonly swaps: readonly {
    readonly replaced: readonly Segment[]
    readonly segments: readonly StoredSegment[]
  }[]
  /** Of the new segments, by path. */
  readonly indexes: ReadonlyMap<string, SegmentIndex>
  readonly cleanedTo: number
  readonly dropped: number
}

export function cleaningState(
  partition: Partition,
  config: Readonly<Record<string, string>>,
  nowMs: number,
): CleaningState {
  const { segments, ends, cleanedTo } = partition
  const lagMs = numericSetting(config, 'min.compaction.lag.ms')
  const lagMsMax = numericSetting(config, 'max.compaction.lag.ms')
  const ratioMin = numericSetting(config, 'min.cleanable.dirty.ratio')
  const cleanable: Segment[] = []
  let total = 0
  const dirty = partition.dirtyBytes
  let dirtySinceMs = Infinity
  let open = true
  for (const segment of segments) {
    const end = partition.endOf(segment)
    const active = segment === segments.at(-1)
    open &&=
      !active &&
      end <= partition.checkpointedTo &&
      end <= ends.lastStable &&
      (lagMs === 0 || segment.appendedMs <= nowMs - lagMs)
    if (open) cleanable.push(segment)
    total += segment.bytes
    if (end > cleanedTo && segment.bytes > 0) {
      dirtySinceMs = Math.min(dirtySinceMs, segment.createdMs)
    }
  }
  const reached = dirty > 0 && (dirty / total > ratioMin || nowMs - dirtySinceMs > lagMsMax)
  const lastCleanable = cleanable.at(-1)
  const active = segments.at(-1)
  return {
    dirtyBytes: dirty,
    dirtyRatio: total === 0 ? 0 : dirty / total,
    segments: cleanable,
    due: reached && lastCleanable !== undefined && partition.endOf(lastCleanable) > cleanedTo,
    roll:
      reached &&
      active !== undefined &&
      active.bytes > 0 &&
      (active.bytes >= ROLL_BYTES_MIN || nowMs - active.createdMs >= Math.min(ROLL_AGE_MS, lagMsMax)),
  }
}

/**
 * Cleans the segments of compacted partitions: of all records of a key only the one with the highest offset
 * stays. Reads and writes files; what it made counts once the log has journalled the swap.
 */
export class Cleaner {
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  /** Whether to give up, asked between pieces of work. */
  readonly #stopped: () => boolean
  #wake: (() => void) | null = null

  constructor(fileSystem: FileSystem, clock: Clock, stopped: () => boolean) {
    this.#fileSystem = fileSystem
    this.#clock = clock
    this.#stopped = stopped
  }

  /** Ends a rest that is being taken: timers keep no process alive, and whoever closes the log waits for it. */
  wakeUp(): void {
    this.#wake?.()
  }

  /** @returns null if it was stopped */
  async clean(
    partition: Partition,
    segments: readonly Segment[],
    config: Readonly<Record<string, string>>,
    rules: CleaningRules,
  ): Promise<CleaningResult | null> {
    const nowMs = this.#clock.nowMs()
    const aborted = partition.producers.abortedBetween(0, Infinity)
    const keys = new KeyOffsets(rules.keyBytesMax ?? KEY_BYTES_MAX)
    const mappedTo = await this.#collectKeys(partition, segments, aborted, keys)
    if (mappedTo === null) return null

    const pass = new Pass(
      keys,
      mappedTo,
      aborted,
      partition,
      rules,
      nowMs,
      numericSetting(config, 'delete.retention.ms'),
    )
    const touched = segments.filter(({ base }) => base < mappedTo)
    const groups = grouped(partition, touched, numericSetting(config, 'segment.bytes'))
    const swaps: { replaced: readonly Segment[]; segments: readonly StoredSegment[] }[] = []
    const indexes = new Map<string, SegmentIndex>()
    const written: string[] = []
    try {
      for (const group of groups) {
        const made = await this.#copy(partition, group, pass, written)
        if (made === null) {
          await this.#remove(written)
          return null
        }
        if (group.length === 1 && !made.changed) {
          await this.#remove([made.path])
          continue
        }
        indexes.set(made.path, made.index)
        swaps.push({ replaced: group, segments: [made.stored] })
      }
      if (indexes.size > 0) await this.#fileSystem.syncDirectory(partition.directory)
    } catch (cause) {
      await this.#remove(written)
      throw cause
    }
    return { swaps, indexes, cleanedTo: mappedTo, dropped: pass.dropped }
  }

  /** Removes the files a pass has made, when they will not be used. */
  async discard(result: CleaningResult): Promise<void> {
    await this.#remove([...result.indexes.keys()])
  }

  async #remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.#fileSystem.removeTree(path)
  }

  /** Fills `keys` from the dirty part. @returns the offset up to which it knows all keys, or null if stopped */
  async #collectKeys(
    partition: Partition,
    segments: readonly Segment[],
    aborted: readonly AbortedRange[],
    keys: KeyOffsets,
  ): Promise<number | null> {
    const from = partition.cleanedTo
    for (const segment of segments) {
      if (partition.endOf(segment) <= from) continue
      let startedMs = this.#clock.monotonicMs()
      for await (const slice of partition.scan(segment)) {
        const columns = walkRecords(slice, from, aborted)
        for (let i = 0; i < columns.count; i++) {
          const start = columns.keyStarts[i]!
          if (start >= 0) keys.set(columns.bytes, start, columns.keyEnds[i]!, columns.offsets[i]!)
        }
        if (keys.full) return nextOffsetAfter(slice)
        startedMs = await this.#rest(startedMs, partition)
        if (this.#stopped()) return null
      }
    }
    return partition.endOf(segments.at(-1)!)
  }

  /** Copies what is kept of neighbouring segments into one new file, and syncs it. Null if stopped. */
  async #copy(
    partition: Partition,
    group: readonly Segment[],
    pass: Pass,
    written: string[],
  ): Promise<{ path: string; stored: StoredSegment; index: SegmentIndex; changed: boolean } | null> {
    const { base, createdMs } = group[0]!
    const generation = Math.max(...group.map((segment) => segment.generation)) + 1
    const path = partition.segmentPath(base, generation)
    const index = partition.newIndex()
    written.push(path)
    const file = await this.#fileSystem.open(path, 'create')
    const out = new BatchOutput(file, index, base)
    let changed = group.some(({ hasGaps }) => hasGaps)
    try {
      // One of a pass that never got to its swap may lie there.
      await file.truncate(0)
      for (const segment of group) {
        let startedMs = this.#clock.monotonicMs()
        for await (const slice of partition.scan(segment)) {
          for (let at = 0; at < slice.length;) {
            const end = at + 12 + readI32(slice, at + AT_BATCH_LENGTH)
            const kept = pass.batch(slice, at, end)
            if (kept !== null) await out.put(kept)
            const isSame = kept !== null && kept.length === end - at && kept.buffer === slice.buffer
            // What has no records already is filled in again where nothing needs it.
            if (!isSame && readI32(slice, at + AT_RECORD_COUNT) > 0) changed = true
            at = end
          }
          startedMs = await this.#rest(startedMs, partition)
          if (this.#stopped()) return null
        }
      }
      await out.fill(partition.endOf(group.at(-1)!))
      await out.flush()
      await file.sync()
    } finally {
      await file.close()
    }
    const appendedMs = Math.max(...group.map((segment) => segment.appendedMs))
    const stored = { base, generation, dense: true, bytes: out.length, createdMs, appendedMs }
    return { path, stored, index, changed }
  }

  /** Lets others have the thread for a while. @returns when work goes on */
  async #rest(startedMs: number, partition: Partition): Promise<number> {
    const { rest } = REST_PER_WORK.find(({ dirtyBytesMax }) => partition.dirtyBytes <= dirtyBytesMax)!
    const restMs = Math.min(100, (this.#clock.monotonicMs() - startedMs) * rest)
    if (restMs >= 1 && !this.#stopped()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#clock.after(restMs, resolve)
      })
      this.#wake = null
    }
    return this.#clock.monotonicMs()
  }
}

/** The decisions of one pass over a partition, batch by batch in the order of offsets. */
class Pass {
  dropped = 0
  readonly #keys: KeyOffsets
  readonly #mappedTo: number
  readonly #aborted: readonly AbortedRange[]
  readonly #rules: CleaningRules
  readonly #nowMs: number
  readonly #horizonMs: number
  /** Batches with the last sequence of a producer. */
  readonly #lastOfProducers: ReadonlySet<number>
  /** Producers of a transaction that has records left, up to its marker. */
  readonly #withRecords = new Set<number>()
  #horizonPassed = false

  constructor(
    keys: KeyOffsets,
    mappedTo: number,
    aborted: readonly AbortedRange[],
    partition: Partition,
    rules: CleaningRules,
    nowMs: number,
    deleteRetentionMs: number,
  ) {
    this.#keys = keys
    this.#mappedTo = mappedTo
    this.#aborted = aborted
    this.#rules = rules
    this.#nowMs = nowMs
    this.#horizonMs = nowMs + deleteRetentionMs
    this.#lastOfProducers = partition.producers.lastBatches()
  }

  /** What stays of the batch at [at, end), or null. */
  batch(bytes: Uint8Array, at: number, end: number): Uint8Array | null {
    const attributes = readI16(bytes, at + AT_ATTRIBUTES)
    const base = readI64(bytes, at)
    const producerId = readI64(bytes, at + AT_PRODUCER_ID)
    const horizon = deleteHorizonOf(bytes, at)
    this.#horizonPassed = horizon !== null && horizon <= this.#nowMs
    let keep: (...record: Parameters<typeof this.record>) => Keep
    if (base >= this.#mappedTo) {
      keep = () => 'keep'
    } else if ((attributes & CONTROL) !== 0) {
      const needed = this.#withRecords.delete(producerId)
      keep = () => (needed ? 'keep' : this.#horizonPassed ? 'drop' : 'until-horizon')
    } else if (this.#isAborted(producerId, base, attributes)) {
      keep = () => 'drop'
    } else {
      keep = (...record) => this.record(...record)
    }
    if (readI32(bytes, at + AT_RECORD_COUNT) === 0) {
      return this.#lastOfProducers.has(base) || base >= this.#mappedTo ? bytes.subarray(at, end) : null
    }
    const cleaned = cleanBatch(bytes, at, end, keep, this.#horizonMs)
    this.dropped += cleaned.dropped
    if (cleaned.bytes !== null) {
      const transactional = (attributes & (TRANSACTIONAL | CONTROL)) === TRANSACTIONAL
      if (transactional) this.#withRecords.add(producerId)
      return cleaned.bytes
    }
    return this.#lastOfProducers.has(base) ? emptyBatch(bytes, at) : null
  }

  record(offset: number, data: Uint8Array, keyStart: number, keyEnd: number, isTombstone: boolean): Keep {
    if (offset >= this.#mappedTo) return 'keep'
    if (keyStart < 0 || this.#keys.get(data, keyStart, keyEnd) > offset) return 'drop'
    const { trim, holdFrom } = this.#rules
    if (trim !== null && offset < trim.beforeOffset && trim.isGone(data, keyStart, keyEnd)) return 'drop'
    if (!isTombstone) return 'keep'
    return this.#horizonPassed && offset < holdFrom ? 'drop' : 'until-horizon'
  }

  #isAborted(producerId: number, base: number, attributes: number): boolean {
    if ((attributes & TRANSACTIONAL) === 0) return false
    return this.#aborted.some(
      (range) => range.producerId === producerId && base >= range.firstOffset && base <= range.lastOffset,
    )
  }
}

/** Batches on their way into a new segment. Where offsets are missing, a header without records covers them. */
class BatchOutput {
  readonly #file: FileHandle
  readonly #index: SegmentIndex
  readonly #base: number
  /** First offset that is not covered yet. */
  #next: number
  #buffer: Uint8Array[] = []
  #buffered = 0
  #written = 0

  constructor(file: FileHandle, index: SegmentIndex, base: number) {
    this.#file = file
    this.#index = index
    this.#base = base
    this.#next = base
  }

  get length(): number {
    return this.#written + this.#buffered
  }

  async put(batch: Uint8Array): Promise<void> {
    await this.fill(readI64(batch, 0))
    await this.#append(batch)
  }

  /** Covers what is missing before `offset`. */
  async fill(offset: number): Promise<void> {
    if (this.#next < offset) await this.#append(fillerBatch(this.#next, offset))
  }

  async #append(batch: Uint8Array): Promise<void> {
    const last = readI64(batch, 0) + readI32(batch, AT_LAST_OFFSET_DELTA)
    this.#index.observe(last - this.#base, readI64(batch, AT_MAX_TIMESTAMP), this.length, batch.length)
    this.#next = last + 1
    this.#buffer.push(batch)
    this.#buffered += batch.length
    if (this.#buffered >= WRITE_BYTES) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#buffered === 0) return
    const bytes = Buffer.concat(this.#buffer, this.#buffered)
    await writeFully(this.#file, bytes, this.#written)
    this.#written += bytes.length
    this.#buffer = []
    this.#buffered = 0
  }
}

/** Neighbouring segments that fit into one. */
function grouped(partition: Partition, segments: readonly Segment[], bytesMax: number): Segment[][] {
  const groups: Segment[][] = []
  let bytes = 0
  for (const segment of segments) {
    const group = groups.at(-1)
    const fits =
      group !== undefined &&
      bytes + segment.bytes <= bytesMax &&
      partition.endOf(segment) - group[0]!.base <= 2147483647
    if (fits) {
      group.push(segment)
      bytes += segment.bytes
    } else {
      groups.push([segment])
      bytes = segment.bytes
    }
  }
  return groups
}

function nextOffsetAfter(slice: Uint8Array): number {
  let next = 0
  for (let at = 0; at < slice.length; at += 12 + readI32(slice, at + AT_BATCH_LENGTH)) {
    next = readI64(slice, at) + readI32(slice, at + AT_LAST_OFFSET_DELTA) + 1
  }
  return next
}
