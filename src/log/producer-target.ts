import { StorageError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { CompressionName } from './compression.ts'
import type { ProducerOptions, ProducerRecord } from './log.ts'
import type { Topic } from './log-state.ts'
import { Partitioner } from './partitioner.ts'
import { BATCH_BYTES_TARGET, RECORD_OVERHEAD_BYTES } from './record-batch.ts'
import { numericSetting, setting } from './topic-config.ts'

/** A topic records are sent to, with what each of them needs to know of it. */
export class ProducerTarget {
  readonly topic: Topic
  readonly partitioner: Partitioner
  readonly batchBytesTarget: number
  readonly compression: CompressionName
  readonly #recordBytesMax: number
  readonly #compacted: boolean
  /** How far before and after now a record's timestamp may lie; not asked under LogAppendTime. */
  readonly #beforeMsMax: number
  readonly #afterMsMax: number

  constructor(topic: Topic, options: ProducerOptions, random: Random) {
    const { config } = topic
    const appendTime = setting(config, 'message.timestamp.type') === 'LogAppendTime'
    this.topic = topic
    this.partitioner = new Partitioner(topic.partitions, random, options.partitioner)
    this.#recordBytesMax = numericSetting(config, 'max.message.bytes')
    this.batchBytesTarget = Math.min(
      options.batchBytesMax ?? BATCH_BYTES_TARGET,
      BATCH_BYTES_TARGET,
      this.#recordBytesMax,
    )
    this.compression = compressionOf(config, options.compression)
    this.#compacted = setting(config, 'cleanup.policy').includes('compact')
    this.#beforeMsMax = appendTime ? Infinity : numericSetting(config, 'message.timestamp.before.max.ms')
    this.#afterMsMax = appendTime ? Infinity : numericSetting(config, 'message.timestamp.after.max.ms')
  }

  /**
   * Whether the topic takes a record.
   *
   * @returns about how many bytes it has
   * @throws StorageError `LOG_RECORD_TOO_LARGE`, `LOG_KEY_MISSING`, `LOG_INVALID_TIMESTAMP`
   */
  check(record: ProducerRecord, timestampMs: number, nowMs: number): number {
    const { key, value, headers } = record
    const { name } = this.topic
    checkBytes(key, 'key')
    checkBytes(value, 'value')
    let size = (key?.length ?? 0) + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES
    for (const header of headers ?? []) {
      checkBytes(header.value, 'header')
      // Up to three bytes of UTF-8 per character of the name.
      size += header.key.length * 3 + (header.value?.length ?? 0) + 10
    }
    if (size > this.#recordBytesMax) {
      throw new StorageError('LOG_RECORD_TOO_LARGE', {
        message: `A record of about ${size} bytes is larger than topic ${name} takes (max.message.bytes is ${this.#recordBytesMax}).`,
        hint: 'Raise max.message.bytes of the topic, or make the record smaller.',
      })
    }
    if (key === null && this.#compacted) {
      throw new StorageError('LOG_KEY_MISSING', {
        message: `Topic ${name} is compacted: its records need a key.`,
      })
    }
    if (!Number.isSafeInteger(timestampMs) || timestampMs < 0) {
      throw new StorageError('LOG_INVALID_TIMESTAMP', {
        message: `A record for topic ${name} has the timestamp ${timestampMs}, which is none.`,
        hint: 'Timestamps are whole epoch milliseconds from 0 on.',
      })
    }
    if (timestampMs < nowMs - this.#beforeMsMax || timestampMs > nowMs + this.#afterMsMax) {
      throw new StorageError('LOG_INVALID_TIMESTAMP', {
        message: `A record's timestamp ${timestampMs} is too far from now (${nowMs}) for topic ${name}.`,
        hint: 'The limits are message.timestamp.before.max.ms and message.timestamp.after.max.ms.',
      })
    }
    return size
  }
}

/** How a topic's records are to be compressed, by whoever has no batches yet. */
export function compressionOf(
  config: Readonly<Record<string, string>>,
  producers: CompressionName = 'none',
): CompressionName {
  const own = setting(config, 'compression.type')
  if (own === 'producer') return producers
  return own === 'uncompressed' ? 'none' : (own as CompressionName)
}

function checkBytes(data: unknown, what: string): void {
  if (data === null || data instanceof Uint8Array) return
  throw new TypeError(`The ${what} of a record is a Uint8Array or null, not ${typeof data}.`)
}
