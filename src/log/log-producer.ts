import type { Clock, Timer } from '../base/clock.ts'
import { StorageError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { type CheckedAppend, checkAppend, partitionIn } from './append.ts'
import type { JournalEntry } from './journal-entry.ts'
import type {
  CommittedOffset,
  Delivery,
  GroupMember,
  Producer,
  ProducerOptions,
  ProducerRecord,
} from './log.ts'
import type { LogState, Topic } from './log-state.ts'
import type { ProducerCoordinator, ProducerIdentity } from './producer-coordinator.ts'
import type { CompressionName } from './compression.ts'
import { murmur2, partitionOf } from './murmur2.ts'
import { BATCH_BYTES_TARGET, RecordBatchWriter } from './record-batch.ts'
import type { LogCore } from './request.ts'
import { numericSetting, setting } from './topic-config.ts'

interface Waiting {
  readonly timestampMs: number
  readonly resolve: (delivery: Delivery) => void
  readonly reject: (error: unknown) => void
}

/** Records for one partition that have not been handed to the log. */
interface Accumulator {
  readonly topic: Topic
  readonly partition: number
  readonly writer: RecordBatchWriter
  waiting: Waiting[]
}

/** A topic records are sent to, with what each of them needs to know of it. */
interface Target {
  readonly topic: Topic
  readonly recordBytesMax: number
  readonly compacted: boolean
  /** How far before and after now a record's timestamp may lie; not asked under LogAppendTime. */
  readonly beforeMsMax: number
  readonly afterMsMax: number
  /** One entry per partition that has had records. */
  readonly accumulators: (Accumulator | undefined)[]
  /** Where records without a key go for now; the next partition of round-robin; −1: not chosen. */
  sticky: number
}

/**
 * Collects records per partition and hands them to the log, all that wait in one request. While a request is
 * on its way the next one collects, so under load batches grow by themselves; `lingerMs` makes them grow
 * when there is little load too.
 */
export class LogProducer implements Producer {
  readonly #log: LogCore
  readonly #state: LogState
  readonly #coordinator: ProducerCoordinator
  readonly #clock: Clock
  readonly #random: Random
  readonly #options: ProducerOptions
  readonly #acks: 0 | 1 | 'all'
  readonly #lingerMs: number
  readonly #batchBytesMax: number
  /** By topic name. */
  readonly #targets = new Map<string, Target>()
  #ready: Accumulator[] = []
  #lingering: Timer | null = null
  #requested = false
  /** Requests not answered yet, and who waits for them. */
  #inFlight = 0
  #flushing: (() => void)[] = []
  #closed = false
  /** Of a transactional producer, from its first transaction on. */
  #identity: ProducerIdentity | null = null
  #transaction: 'none' | 'open' | 'failed' = 'none'

  constructor(
    log: LogCore,
    state: LogState,
    coordinator: ProducerCoordinator,
    clock: Clock,
    random: Random,
    options: ProducerOptions,
  ) {
    this.#log = log
    this.#state = state
    this.#coordinator = coordinator
    this.#clock = clock
    this.#random = random
    this.#options = options
    this.#acks = options.acks ?? 'all'
    this.#lingerMs = options.lingerMs ?? 0
    this.#batchBytesMax = Math.min(options.batchBytesMax ?? BATCH_BYTES_TARGET, BATCH_BYTES_TARGET)
  }

  send(record: ProducerRecord): Promise<Delivery> {
    return new Promise((resolve, reject) => {
      try {
        this.#accept(record, resolve, reject)
      } catch (error) {
        reject(error as Error)
      }
    })
  }

  #accept(record: ProducerRecord, resolve: Waiting['resolve'], reject: Waiting['reject']): void {
    if (this.#closed) throw new StorageError('LOG_PRODUCER_CLOSED', { message: 'The producer is closed.' })
    if (this.#options.transactionalId !== undefined && this.#transaction === 'none') throw noTransaction()
    const target = this.#target(record.topic)
    const { topic } = target
    const { key, value, headers = null } = record
    const size = (key?.length ?? 0) + (value?.length ?? 0) + 100
    if (size > target.recordBytesMax) {
      throw new StorageError('LOG_RECORD_TOO_LARGE', {
        message: `A record of about ${size} bytes is larger than topic ${topic.name} takes (max.message.bytes is ${target.recordBytesMax}).`,
      })
    }
    if (key === null && target.compacted) {
      throw new StorageError('LOG_KEY_MISSING', {
        message: `Topic ${topic.name} is compacted: its records need a key.`,
      })
    }
    const nowMs = this.#clock.nowMs()
    const timestampMs = record.timestampMs ?? nowMs
    if (timestampMs < nowMs - target.beforeMsMax || timestampMs > nowMs + target.afterMsMax) {
      throw new StorageError('LOG_INVALID_TIMESTAMP', {
        message: `A record's timestamp ${timestampMs} is too far from now (${nowMs}) for topic ${topic.name}.`,
        hint: 'The limits are message.timestamp.before.max.ms and message.timestamp.after.max.ms.',
      })
    }
    const accumulator = this.#accumulator(target, record.partition ?? this.#partitionFor(target, key))
    const { writer } = accumulator
    if (writer.recordCount === 0) this.#ready.push(accumulator)
    writer.append(timestampMs, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers)
    if (this.#acks === 0) {
      resolve({ topic: topic.name, partition: accumulator.partition, offset: -1, timestampMs })
      accumulator.waiting.push(UNHEARD)
    } else {
      accumulator.waiting.push({ timestampMs, resolve, reject })
    }
    const full = writer.byteLength >= this.#batchBytesMax
    if (full && this.#options.partitioner !== 'round-robin') target.sticky = -1
    if (this.#lingerMs === 0 || full) this.#request()
    else this.#lingering ??= this.#clock.after(this.#lingerMs, () => this.#request())
  }

  #target(name: string): Target {
    const known = this.#targets.get(name)
    const topic = this.#log.topicOf(name)
    if (known?.topic === topic) return known
    const { config } = topic
    const appendTime = setting(config, 'message.timestamp.type') === 'LogAppendTime'
    const target: Target = {
      topic,
      recordBytesMax: numericSetting(config, 'max.message.bytes'),
      compacted: setting(config, 'cleanup.policy').includes('compact'),
      beforeMsMax: appendTime ? Infinity : numericSetting(config, 'message.timestamp.before.max.ms'),
      afterMsMax: appendTime ? Infinity : numericSetting(config, 'message.timestamp.after.max.ms'),
      // Of the same topic, altered: what has been collected and the sequences go on.
      accumulators: known?.topic.id === topic.id ? known.accumulators : [],
      sticky: -1,
    }
    this.#targets.set(name, target)
    return target
  }

  #accumulator({ topic, accumulators }: Target, partition: number): Accumulator {
    let accumulator = accumulators[partition]
    if (accumulator === undefined) {
      partitionIn(topic, partition)
      const own = setting(topic.config, 'compression.type')
      const asked = own === 'producer' ? (this.#options.compression ?? 'none') : own
      const writer = new RecordBatchWriter({
        batchBytesTarget: Math.min(this.#batchBytesMax, numericSetting(topic.config, 'max.message.bytes')),
        compression: asked === 'uncompressed' ? 'none' : (asked as CompressionName),
        ...(this.#identity === null
          ? {}
          : {
              producer: {
                id: this.#identity.producerId,
                epoch: this.#identity.epoch,
                baseSequence: 0,
                transactional: true,
              },
            }),
      })
      accumulator = { topic, partition, writer, waiting: [] }
      accumulators[partition] = accumulator
    }
    return accumulator
  }

  #partitionFor(target: Target, key: Uint8Array | null): number {
    const { partitions } = target.topic
    const roundRobin = this.#options.partitioner === 'round-robin'
    if (key !== null && !roundRobin) return partitionOf(murmur2(key), partitions)
    if (target.sticky < 0) target.sticky = this.#random.below(partitions)
    const chosen = target.sticky
    if (roundRobin) target.sticky = (chosen + 1) % partitions
    return chosen
  }

  /** Asks the log to take what has been collected, when its turn comes. */
  #request(): void {
    this.#lingering?.cancel()
    this.#lingering = null
    if (this.#requested || this.#ready.length === 0) return
    this.#requested = true
    this.#inFlight++
    let taken: {
      readonly append: CheckedAppend
      readonly waiting: Waiting[]
      baseOffset: number
      /** When they were appended, where that is the records' time; else null. */
      appendedMs: number | null
    }[] = []
    const fail = (error: unknown): void => {
      if (this.#transaction === 'open') this.#transaction = 'failed'
      if (this.#requested) {
        // Refused before it was planned: what has been collected goes with it.
        this.#requested = false
        for (const { waiting } of this.#takeReady()) for (const one of waiting) one.reject(error)
      }
      for (const { waiting } of taken) for (const one of waiting) one.reject(error)
      this.#settled()
    }
    const deliver = (): void => {
      for (const { append, waiting, baseOffset, appendedMs } of taken) {
        const { topic, partition } = append
        for (let i = 0; i < waiting.length; i++) {
          const { resolve } = waiting[i]!
          const timestampMs = appendedMs ?? waiting[i]!.timestampMs
          resolve({ topic: topic.name, partition: partition.number, offset: baseOffset + i, timestampMs })
        }
      }
    }
    this.#log.enqueue({
      bytes: () => this.#ready.reduce((sum, { writer }) => sum + writer.byteLength, 0),
      barrier: 'none',
      plan: () => {
        this.#requested = false
        taken = []
        const entries: JournalEntry[] = []
        const ready = this.#takeReady()
        if (this.#identity !== null) {
          try {
            this.#coordinator.assertCurrent(this.#identity)
          } catch (error) {
            for (const { waiting } of ready) for (const one of waiting) one.reject(error)
            throw error
          }
        }
        for (const { topic: collectedFor, partition, batches, waiting } of ready) {
          // Its settings may have changed since.
          const topic = this.#state.topicById(collectedFor.id)
          if (topic === undefined) {
            const error = new StorageError('LOG_UNKNOWN_TOPIC', {
              message: `Topic ${collectedFor.name} was deleted before the record was written.`,
            })
            for (const one of waiting) one.reject(error)
            continue
          }
          taken.push({
            append: checkAppend(partitionIn(topic, partition), topic, batches),
            waiting,
            baseOffset: -1,
            appendedMs: null,
          })
        }
        for (const one of taken) {
          const entry = this.#log.reserve(one.append)
          one.baseOffset = entry.baseOffset
          if (setting(one.append.topic.config, 'message.timestamp.type') === 'LogAppendTime') {
            one.appendedMs = entry.atMs
          }
          entries.push(entry)
        }
        return entries
      },
      written: () => {
        if (this.#acks === 1) deliver()
      },
      done: () => {
        if (this.#acks === 'all') deliver()
        this.#settled()
      },
      refused: fail,
      unknown: fail,
    })
  }

  #takeReady(): { topic: Topic; partition: number; batches: Uint8Array; waiting: Waiting[] }[] {
    const ready = this.#ready
    this.#ready = []
    return ready.map((accumulator) => {
      const { topic, partition, writer, waiting } = accumulator
      accumulator.waiting = []
      return { topic, partition, batches: writer.finish(), waiting }
    })
  }

  #settled(): void {
    this.#inFlight--
    if (this.#inFlight > 0 || this.#ready.length > 0) return
    const flushing = this.#flushing
    this.#flushing = []
    for (const resolve of flushing) resolve()
  }

  async flush(): Promise<void> {
    this.#request()
    if (this.#inFlight === 0) return
    await new Promise<void>((resolve) => this.#flushing.push(resolve))
  }

  async beginTransaction(): Promise<void> {
    const { transactionalId, transactionTimeoutMs = 60_000 } = this.#options
    if (transactionalId === undefined) {
      throw new StorageError('LOG_NOT_TRANSACTIONAL', {
        message: 'The producer has no transactional id, so it cannot begin a transaction.',
      })
    }
    if (this.#transaction !== 'none') {
      throw new StorageError('LOG_TRANSACTION_STATE', { message: 'A transaction is open already.' })
    }
    if (this.#identity === null) {
      this.#identity = await this.#coordinator.initialise(transactionalId, transactionTimeoutMs)
    } else {
      this.#coordinator.assertCurrent(this.#identity)
    }
    this.#transaction = 'open'
  }

  async sendOffsets(group: string, offsets: readonly CommittedOffset[], member?: GroupMember): Promise<void> {
    if (this.#transaction === 'none') throw noTransaction()
    await this.#coordinator.addOffsets(this.#identity!, group, offsets, member)
  }

  async commitTransaction(): Promise<void> {
    if (this.#transaction === 'none') throw noTransaction()
    await this.flush()
    if (this.#transaction === 'failed') {
      throw new StorageError('LOG_TRANSACTION_FAILED', {
        message: 'A record of the transaction was not written, so it cannot commit.',
        hint: 'Abort the transaction and start it again.',
      })
    }
    await this.#coordinator.end(this.#identity!, true)
    this.#transaction = 'none'
  }

  async abortTransaction(): Promise<void> {
    if (this.#transaction === 'none') throw noTransaction()
    await this.flush()
    await this.#coordinator.end(this.#identity!, false)
    this.#transaction = 'none'
  }

  async close(): Promise<void> {
    if (this.#closed) return
    await this.flush()
    this.#closed = true
  }
}

function noTransaction(): StorageError {
  return new StorageError('LOG_TRANSACTION_STATE', { message: 'No transaction is open.' })
}

const UNHEARD: Waiting = { timestampMs: 0, resolve: () => undefined, reject: () => undefined }
