import type { Clock, Timer } from '../base/clock.ts'
import { StorageError } from '../base/errors.ts'
import { Queue } from '../base/queue.ts'
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
import type { ProducerCoordinator } from './producer-coordinator.ts'
import { ProducerTarget } from './producer-target.ts'
import { ProducerTransaction } from './producer-transaction.ts'
import { RecordBatchWriter } from './record-batch.ts'
import type { LogCore } from './request.ts'
import { setting } from './topic-config.ts'

interface Waiting {
  readonly timestampMs: number
  readonly resolve: (delivery: Delivery) => void
  readonly reject: (error: unknown) => void
}

/** Records for one partition that are answered together. */
interface Collected {
  readonly waiting: Waiting[]
  /** About how much memory they take. */
  bytes: number
  /** When the first of them was sent, by the monotonic clock. */
  readonly sinceMs: number
  answered: boolean
  /** Told when they are in the log, or never will be. Null: they are. */
  flushing: (() => void)[] | null
}

/** Where records for one partition collect. */
interface Accumulator {
  readonly topic: Topic
  readonly partition: number
  readonly writer: RecordBatchWriter
  /** Null: nothing waits here. */
  collected: Collected | null
}

interface Taken {
  readonly topic: Topic
  readonly partition: number
  readonly batches: Uint8Array
  readonly collected: Collected
}

/** Records handed to the log. */
interface Sent {
  readonly append: CheckedAppend
  readonly collected: Collected
  baseOffset: number
  /** When they were appended, where that is the records' time; else null. */
  appendedMs: number | null
}

/** A record that found no room in the buffer. */
interface Blocked extends Omit<Waiting, 'timestampMs'> {
  readonly record: ProducerRecord
  readonly sinceMs: number
}

const BUFFER_BYTES_MAX = 32 * 1024 * 1024
const BLOCK_MS_MAX = 60_000
const IN_FLIGHT_MAX = 5
const DELIVERY_TIMEOUT_MS = 120_000

/**
 * Collects records per partition and hands them to the log, all that wait in one request. While a request is
 * on its way the next one collects, so under load batches grow by themselves; `lingerMs` makes them grow
 * when there is little load too.
 */
export class LogProducer implements Producer {
  readonly #log: LogCore
  readonly #state: LogState
  readonly #transaction: ProducerTransaction
  readonly #clock: Clock
  readonly #random: Random
  readonly #options: ProducerOptions
  readonly #acks: 0 | 1 | 'all'
  readonly #lingerMs: number
  readonly #bufferBytesMax: number
  readonly #blockMsMax: number
  readonly #inFlightMax: number
  readonly #deliveryTimeoutMs: number
  /** By topic name. */
  readonly #targets = new Map<string, ProducerTarget>()
  /** By topic id; one entry per partition that has had records. They keep the sequences. */
  readonly #accumulators = new Map<string, (Accumulator | undefined)[]>()
  #ready: Accumulator[] = []
  #lingering: Timer | null = null
  /** Whether a request waits for its turn; it takes all that has been collected by then. */
  #requested = false
  #inFlight = 0
  /** Of each request on its way. */
  #sent: (readonly Sent[])[] = []
  #buffered = 0
  readonly #blocked = new Queue<Blocked>()
  #waitingForRoom: (() => void)[] = []
  #expiry: Timer | null = null
  #expiryMs = Infinity
  #closed = false

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
    this.#transaction = new ProducerTransaction(coordinator, options)
    this.#clock = clock
    this.#random = random
    this.#options = options
    this.#acks = options.acks ?? 'all'
    this.#lingerMs = options.lingerMs ?? 0
    this.#bufferBytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX
    this.#blockMsMax = options.maxBlockMs ?? BLOCK_MS_MAX
    this.#inFlightMax = Math.max(1, options.maxInFlight ?? IN_FLIGHT_MAX)
    this.#deliveryTimeoutMs = options.deliveryTimeoutMs ?? DELIVERY_TIMEOUT_MS
    if (this.#deliveryTimeoutMs < this.#lingerMs) {
      throw new TypeError('A producer whose lingerMs is above its deliveryTimeoutMs could deliver nothing.')
    }
  }

  send(record: ProducerRecord): Promise<Delivery> {
    return new Promise((resolve, reject) => {
      try {
        if (this.#closed)
          throw new StorageError('LOG_PRODUCER_CLOSED', { message: 'The producer is closed.' })
        if (this.#blocked.length === 0 && this.#hasRoom()) {
          this.#accept(record, resolve, reject)
        } else {
          const sinceMs = this.#clock.monotonicMs()
          this.#blocked.push({ record, resolve, reject, sinceMs })
          this.#watchTime(sinceMs + this.#blockMsMax)
        }
      } catch (error) {
        reject(error as Error)
      }
    })
  }

  async ready(): Promise<void> {
    if (this.#blocked.length === 0 && this.#hasRoom()) return
    await new Promise<void>((resolve) => this.#waitingForRoom.push(resolve))
  }

  #hasRoom(): boolean {
    return this.#buffered < this.#bufferBytesMax
  }

  #accept(record: ProducerRecord, resolve: Waiting['resolve'], reject: Waiting['reject']): void {
    this.#transaction.assertMaySend()
    const target = this.#target(record.topic)
    const { topic, partitioner, batchBytesTarget } = target
    const { key, value, headers = null } = record
    const nowMs = this.#clock.nowMs()
    const timestampMs = record.timestampMs ?? nowMs
    const size = target.check(record, timestampMs, nowMs)
    const partition = record.partition ?? partitioner.partitionFor(topic.name, key, size)
    const accumulator = this.#accumulator(target, partition)
    const { writer } = accumulator
    let { collected } = accumulator
    if (collected === null) {
      collected = { waiting: [], bytes: 0, sinceMs: this.#clock.monotonicMs(), answered: false, flushing: [] }
      accumulator.collected = collected
      this.#ready.push(accumulator)
      this.#watchTime(collected.sinceMs + this.#deliveryTimeoutMs)
    }
    writer.append(timestampMs, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers)
    collected.bytes += size
    this.#buffered += size
    if (this.#acks === 0) {
      resolve({ topic: topic.name, partition, offset: -1, timestampMs })
      collected.waiting.push(UNHEARD)
    } else {
      collected.waiting.push({ timestampMs, resolve, reject })
    }
    const full = writer.byteLength >= batchBytesTarget
    if (full) partitioner.batchDone(partition)
    if (this.#lingerMs === 0 || full || !this.#hasRoom()) this.#request()
    else this.#lingering ??= this.#clock.after(this.#lingerMs, () => this.#request())
  }

  #target(name: string): ProducerTarget {
    const known = this.#targets.get(name)
    const topic = this.#log.topicOf(name)
    if (known?.topic === topic) return known
    const target = new ProducerTarget(topic, this.#options, this.#random)
    this.#targets.set(name, target)
    // Of the same topic, altered: what has been collected and the sequences go on.
    for (const accumulator of this.#accumulators.get(topic.id) ?? []) {
      accumulator?.writer.adapt(target.batchBytesTarget, target.compression)
    }
    if (known !== undefined && known.topic.id !== topic.id) this.#accumulators.delete(known.topic.id)
    return target
  }

  #accumulator({ topic, batchBytesTarget, compression }: ProducerTarget, partition: number): Accumulator {
    let ofTopic = this.#accumulators.get(topic.id)
    if (ofTopic === undefined) {
      ofTopic = []
      this.#accumulators.set(topic.id, ofTopic)
    }
    let accumulator = ofTopic[partition]
    if (accumulator === undefined) {
      partitionIn(topic, partition)
      const { identity } = this.#transaction
      const writer = new RecordBatchWriter({
        batchBytesTarget,
        compression,
        ...(identity === null
          ? {}
          : {
              producer: {
                id: identity.producerId,
                epoch: identity.epoch,
                baseSequence: 0,
                transactional: true,
              },
            }),
      })
      accumulator = { topic, partition, writer, collected: null }
      ofTopic[partition] = accumulator
    }
    return accumulator
  }

  /** Asks the log to take what has been collected, when its turn comes. */
  #request(): void {
    this.#lingering?.cancel()
    this.#lingering = null
    if (this.#requested || this.#ready.length === 0 || this.#inFlight >= this.#inFlightMax) return
    this.#requested = true
    this.#inFlight++
    let taken: Sent[] | null = null
    const ended = (): void => {
      this.#inFlight--
      this.#sent = this.#sent.filter((one) => one !== taken)
      for (const { collected } of taken ?? []) finished(collected)
      if (this.#lingering === null) this.#request()
      this.#settled()
    }
    const fail = (error: unknown): void => {
      // Refused before it was planned: what has been collected goes with it.
      if (taken === null) this.#requested = false
      for (const { collected } of taken ?? this.#takeReady()) this.#refuse(collected, error)
      ended()
    }
    const deliver = (): void => {
      for (const sent of taken ?? []) this.#deliver(sent)
    }
    this.#log.enqueue({
      bytes: () => this.#ready.reduce((sum, { writer }) => sum + writer.byteLength, 0),
      barrier: 'none',
      plan: () => {
        this.#requested = false
        taken = this.#checked(this.#takeReady())
        const entries: JournalEntry[] = []
        for (const sent of taken) {
          const entry = this.#log.reserve(sent.append)
          sent.baseOffset = entry.baseOffset
          if (setting(sent.append.topic.config, 'message.timestamp.type') === 'LogAppendTime') {
            sent.appendedMs = entry.atMs
          }
          entries.push(entry)
        }
        this.#sent.push(taken)
        return entries
      },
      written: () => {
        if (this.#acks === 1) deliver()
      },
      done: () => {
        deliver()
        ended()
      },
      refused: fail,
      unknown: fail,
    })
  }

  #takeReady(): Taken[] {
    const ready = this.#ready
    this.#ready = []
    return ready.map((accumulator) => {
      const { topic, partition, writer } = accumulator
      const collected = accumulator.collected!
      accumulator.collected = null
      this.#targets.get(topic.name)?.partitioner.batchDone(partition)
      return { topic, partition, batches: writer.finish(), collected }
    })
  }

  /** What of it may be appended; the rest is refused. */
  #checked(ready: readonly Taken[]): Sent[] {
    const taken: Sent[] = []
    for (const { topic: collectedFor, partition, batches, collected } of ready) {
      try {
        this.#transaction.assertCurrent()
        // Its settings may have changed since.
        const topic = this.#state.topicById(collectedFor.id)
        if (topic === undefined) {
          throw new StorageError('LOG_UNKNOWN_TOPIC', {
            message: `Topic ${collectedFor.name} was deleted before the record was written.`,
          })
        }
        const append = checkAppend(partitionIn(topic, partition), topic, batches)
        taken.push({ append, collected, baseOffset: -1, appendedMs: null })
      } catch (error) {
        this.#refuse(collected, error)
      }
    }
    return taken
  }

  #deliver({ append, collected, baseOffset, appendedMs }: Sent): void {
    if (!this.#answer(collected)) return
    const { topic, partition } = append
    collected.waiting.forEach(({ resolve, timestampMs }, i) => {
      resolve({
        topic: topic.name,
        partition: partition.number,
        offset: baseOffset + i,
        timestampMs: appendedMs ?? timestampMs,
      })
    })
  }

  #refuse(collected: Collected, error: unknown): void {
    if (!this.#answer(collected)) return
    this.#transaction.fail()
    for (const { reject } of collected.waiting) reject(error)
    finished(collected)
  }

  /** @returns whether nobody has answered them before */
  #answer(collected: Collected): boolean {
    if (collected.answered) return false
    collected.answered = true
    this.#buffered -= collected.bytes
    return true
  }

  /** Goes on with what waited for answers. */
  #settled(): void {
    while (this.#blocked.length > 0 && this.#hasRoom()) {
      const { record, resolve, reject } = this.#blocked.shift()!
      try {
        this.#accept(record, resolve, reject)
      } catch (error) {
        reject(error)
      }
    }
    if (this.#blocked.length > 0) return
    if (this.#hasRoom()) for (const resolve of this.#waitingForRoom.splice(0)) resolve()
  }

  /** Sees to it that nobody waits for longer than was agreed. */
  #watchTime(dueMs: number): void {
    if (dueMs >= this.#expiryMs) return
    this.#expiry?.cancel()
    this.#expiryMs = dueMs
    this.#expiry = this.#clock.after(Math.max(1, Math.ceil(dueMs - this.#clock.monotonicMs())), () => {
      this.#expiryMs = Infinity
      this.#expire()
    })
  }

  *#unanswered(): Iterable<Collected> {
    for (const { collected } of this.#ready) if (collected !== null) yield collected
    for (const { collected } of this.#sent.flat()) yield collected
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs()
    const isLate = ({ sinceMs }: Collected): boolean => sinceMs + this.#deliveryTimeoutMs <= nowMs
    for (const { collected } of this.#sent.flat()) {
      if (isLate(collected)) this.#refuse(collected, this.#timedOut('It may still be written.'))
    }
    this.#ready = this.#ready.filter((accumulator) => {
      const collected = accumulator.collected!
      if (!isLate(collected)) return true
      accumulator.writer.clear()
      accumulator.collected = null
      this.#refuse(collected, this.#timedOut('It was not written.'))
      return false
    })
    while (this.#blocked.length > 0 && this.#blocked.first!.sinceMs + this.#blockMsMax <= nowMs) {
      this.#blocked.shift()!.reject(
        new StorageError('LOG_PRODUCER_BUFFER_FULL', {
          message: `The producer's buffer (${this.#bufferBytesMax} bytes) was full for ${this.#blockMsMax} ms. The record was not written.`,
          hint: 'Await ready() before sending, or raise bufferBytesMax.',
        }),
      )
    }
    for (const { sinceMs, answered } of this.#unanswered()) {
      if (!answered) this.#watchTime(sinceMs + this.#deliveryTimeoutMs)
    }
    if (this.#blocked.length > 0) this.#watchTime(this.#blocked.first!.sinceMs + this.#blockMsMax)
    this.#settled()
  }

  #timedOut(outcome: string): StorageError {
    return new StorageError('LOG_DELIVERY_TIMEOUT', {
      message: `A record was not acknowledged within ${this.#deliveryTimeoutMs} ms. ${outcome}`,
      hint: 'The state of the log tells why: the disk may be full or very slow.',
    })
  }

  async flush(): Promise<void> {
    while (this.#blocked.length > 0) await this.ready()
    this.#request()
    const unanswered = [...this.#unanswered()]
    await Promise.all(
      unanswered.map(
        ({ flushing }) =>
          new Promise<void>((resolve) => {
            if (flushing === null) resolve()
            else flushing.push(resolve)
          }),
      ),
    )
  }

  async beginTransaction(): Promise<void> {
    await this.#transaction.begin()
  }

  async sendOffsets(group: string, offsets: readonly CommittedOffset[], member?: GroupMember): Promise<void> {
    await this.#transaction.sendOffsets(group, offsets, member)
  }

  async commitTransaction(): Promise<void> {
    await this.#transaction.end(true, () => this.flush())
  }

  async abortTransaction(): Promise<void> {
    await this.#transaction.end(false, () => this.flush())
  }

  async close(): Promise<void> {
    if (this.#closed) return
    // Sends from now on are refused; those before it are waited for.
    this.#closed = true
    await this.flush()
    this.#expiry?.cancel()
  }
}

function finished(collected: Collected): void {
  for (const resolve of collected.flushing ?? []) resolve()
  collected.flushing = null
}

const UNHEARD: Waiting = { timestampMs: 0, resolve: () => undefined, reject: () => undefined }
