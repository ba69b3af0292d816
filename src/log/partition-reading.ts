import type { TopicPartition } from './assignors.ts'
import type { ConsumedRecord, Isolation, Log } from './log.ts'
import { walkRecords } from './walk-records.ts'

/** A partition as one consumer reads it. */
export class PartitionReading {
  readonly at: TopicPartition
  /** Next offset to hand out; null until it is known. */
  position: number | null = null
  paused = false
  /** Read and not yet handed out; the first one is at `position` or behind it. */
  #buffered: ConsumedRecord[] = []
  /** Where reading goes on behind what is buffered. */
  #readOffset = 0

  constructor(at: TopicPartition) {
    this.at = at
  }

  get isEmpty(): boolean {
    return this.#buffered.length === 0
  }

  seek(offset: number): void {
    this.position = offset
    this.#readOffset = offset
    this.#buffered = []
  }

  /** Hands out what is buffered, `count` records at most. */
  take(count: number): ConsumedRecord[] {
    const taken = this.#buffered.splice(0, count)
    const [next] = this.#buffered
    if (taken.length > 0 || next === undefined) this.position = next?.offset ?? this.#readOffset
    return taken
  }

  /**
   * Reads what comes next, from `from`, which is the position, into the buffer.
   *
   * @returns how many bytes
   * @throws StorageError as {@link Log.read}
   */
  async fill(log: Log, from: number, bytesMax: number, isolation: Isolation): Promise<number> {
    const { topic, partition } = this.at
    const slice = await log.read(topic, partition, from, bytesMax, isolation)
    if (this.position !== from) return 0 // Sought meanwhile.
    const { bytes, count, keyStarts, keyEnds, valueStarts, valueEnds, timestamps, offsets, headers } =
      walkRecords(slice.bytes, from, slice.aborted)
    const part = (start: number, end: number): Uint8Array | null =>
      start < 0 ? null : bytes.subarray(start, end)
    for (let i = 0; i < count; i++) {
      this.#buffered.push({
        topic,
        partition,
        offset: offsets[i]!,
        timestampMs: timestamps[i]!,
        key: part(keyStarts[i]!, keyEnds[i]!),
        value: part(valueStarts[i]!, valueEnds[i]!),
        headers: headers?.[i] ?? [],
      })
    }
    this.#readOffset = slice.nextOffset
    return slice.bytes.length
  }
}
