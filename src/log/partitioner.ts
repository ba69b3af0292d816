import type { Random } from '../base/random.ts'
import type { ProducerOptions } from './log.ts'
import { murmur2, partitionOf } from './murmur2.ts'

/** So many bytes go to a partition before records without a key move on, as in Kafka (`batch.size`). */
const STICKY_BYTES_MIN = 16 * 1024

/**
 * Chooses the partitions of one topic's records.
 *
 * `murmur2`: by the key's hash, as Kafka's Java client; without a key, sticky. `sticky`: keys do not count.
 * One partition, picked at random, takes records until a batch of it has gone with at least 16 KiB since it
 * was picked: spreading records over batches that are hardly filled costs everybody.
 */
export class Partitioner {
  readonly #partitions: number
  readonly #random: Random
  readonly #kind: Exclude<ProducerOptions['partitioner'], undefined>
  /** Where records without a key go for now; the next partition of round-robin; −1: not chosen. */
  #current = -1
  #bytes = 0

  constructor(partitions: number, random: Random, kind: ProducerOptions['partitioner'] = 'murmur2') {
    this.#partitions = partitions
    this.#random = random
    this.#kind = kind
  }

  /** @param bytes about how many the record has */
  partitionFor(topic: string, key: Uint8Array | null, bytes: number): number {
    const kind = this.#kind
    if (typeof kind === 'function') return kind({ topic, key, partitions: this.#partitions })
    // An empty key is a key.
    if (kind === 'murmur2' && key !== null) return partitionOf(murmur2(key), this.#partitions)
    if (this.#current < 0) this.#current = this.#random.below(this.#partitions)
    const chosen = this.#current
    if (kind === 'round-robin') this.#current = (chosen + 1) % this.#partitions
    else this.#bytes += bytes
    return chosen
  }

  /** A batch of the partition has gone, or is full. */
  batchDone(partition: number): void {
    if (this.#kind === 'round-robin' || partition !== this.#current || this.#bytes < STICKY_BYTES_MIN) return
    this.#current = -1
    this.#bytes = 0
  }
}
