import type { Clock, Timer } from '../base/clock.ts'
import { StorageError } from '../base/errors.ts'
import { checkAppend, partitionIn } from './append.ts'
import { encodeMarker } from './control-batch.ts'
import type { JournalEntry } from './journal-entry.ts'
import type { CommittedOffset, GroupMember, TransactionDescription } from './log.ts'
import type { LogState, Topic, TransactionalId } from './log-state.ts'
import {
  AT_ATTRIBUTES,
  AT_BASE_SEQUENCE,
  AT_BATCH_LENGTH,
  AT_LAST_OFFSET_DELTA,
  AT_MAGIC,
  AT_PRODUCER_EPOCH,
  AT_PRODUCER_ID,
  AT_RECORD_COUNT,
  BATCH_HEADER_BYTES,
  batchCrcHolds,
  CONTROL,
  readI16,
  readI32,
  readI64,
  TRANSACTIONAL,
} from './record-batch.ts'
import type { RecordColumns } from './records.ts'
import { recompressed } from './recompress.ts'
import type { LogCore } from './request.ts'
import { numericSetting, setting } from './topic-config.ts'
import { walkRecords } from './walk-records.ts'

/** Of an idempotent or transactional producer. A higher epoch replaces every lower one. */
export interface ProducerIdentity {
  readonly producerId: number
  readonly epoch: number
}

/** The last epoch of a producer id; the next producer of its transactional id gets a new one. */
const EPOCH_MAX = 32766
const TIMEOUT_MS_MAX = 15 * 60 * 1000

/**
 * Idempotent and transactional producers, as Kafka's transaction coordinator has them. The decision, the
 * markers of all partitions and the offsets of a transaction are one frame of the journal, so a transaction
 * is never half ended.
 */
export class ProducerCoordinator {
  readonly #log: LogCore
  readonly #state: LogState
  readonly #clock: Clock
  #timer: Timer | null = null
  #closed = false

  constructor(log: LogCore, state: LogState, clock: Clock) {
    this.#log = log
    this.#state = state
    this.#clock = clock
  }

  /**
   * Gives out a producer id; for a transactional id also fences older producers of it and aborts what they
   * left open.
   */
  async initialise(transactionalId: string | null, timeoutMs: number): Promise<ProducerIdentity> {
    if (!(timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX)) {
      throw new StorageError('LOG_INVALID_TRANSACTION_TIMEOUT', {
        message: `A transaction cannot time out after ${timeoutMs} ms: the limit is ${TIMEOUT_MS_MAX}.`,
      })
    }
    let identity: ProducerIdentity = { producerId: -1, epoch: 0 }
    await this.#log.submit(() => {
      const known = transactionalId === null ? undefined : this.#state.transactionalId(transactionalId)
      const entries: JournalEntry[] = known === undefined ? [] : this.#abort(known)
      const next = this.#state.producerIdNext
      if (known !== undefined && known.epoch < EPOCH_MAX) {
        identity = { producerId: known.producerId, epoch: known.epoch + 1 }
      } else {
        identity = { producerId: next, epoch: 0 }
        entries.push({ kind: 'producer-ids', next: next + 1 })
      }
      if (transactionalId !== null) {
        const atMs = this.#clock.nowMs()
        entries.push({ kind: 'transactional-id', transactionalId, ...identity, timeoutMs, atMs })
      }
      return entries
    }, 'alone')
    return identity
  }

  /**
   * Appends one batch of a client as it came, after the checks a Kafka broker makes.
   *
   * @returns the base offset; for a duplicate that of the original, which is durable by then
   * @throws StorageError `LOG_INVALID_BATCH`, `LOG_RECORD_TOO_LARGE`, `LOG_OUT_OF_ORDER_SEQUENCE`,
   *   `LOG_INVALID_PRODUCER_EPOCH`, `LOG_PRODUCER_FENCED`, `LOG_TRANSACTION_STATE`
   */
  produce(topicName: string, partitionNumber: number, batch: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const topic = this.#log.topicOf(topicName)
      const partition = partitionIn(topic, partitionNumber)
      checkClientBatch(topic, batch, this.#clock.nowMs())
      const checked = checkAppend(partition, topic, recompressed(batch, topic.config))
      let baseOffset = -1
      this.#log.enqueue({
        bytes: () => batch.length,
        barrier: 'none',
        waits: () => partition.producers.mustWait(batch, 0),
        plan: () => {
          this.#log.topicOf(topicName)
          if ((readI16(batch, AT_ATTRIBUTES) & TRANSACTIONAL) !== 0) {
            this.assertCurrent({
              producerId: readI64(batch, AT_PRODUCER_ID),
              epoch: readI16(batch, AT_PRODUCER_EPOCH),
            })
          }
          const original = partition.producers.check(batch, 0)
          if (original !== null) {
            baseOffset = original
            return []
          }
          const entry = this.#log.reserve(checked)
          partition.producers.plan(batch, 0)
          baseOffset = entry.baseOffset
          return [entry]
        },
        done: () => resolve(baseOffset),
        refused: reject,
        unknown: reject,
      })
    })
  }

  /** Offsets that are committed with the open transaction. */
  async addOffsets(
    identity: ProducerIdentity,
    group: string,
    offsets: readonly CommittedOffset[],
    member?: GroupMember,
  ): Promise<void> {
    await this.#log.submit(() => {
      this.assertCurrent(identity)
      this.#log.checkCommit(group, member ?? null, offsets)
      const stored = this.#log.storedOffsets(offsets)
      const { producerId } = identity
      return [{ kind: 'pending-offsets', producerId, group, offsets: stored, atMs: this.#clock.nowMs() }]
    })
  }

  /** Commits or aborts the open transaction; without one, nothing happens. */
  async end(identity: ProducerIdentity, committed: boolean): Promise<void> {
    await this.#log.submit(() => {
      const known = this.assertCurrent(identity)
      return known.openSinceMs === null ? [] : this.#endEntries(known, known.epoch, committed)
    }, 'alone')
  }

  /** @see Log.transactions */
  describe(): TransactionDescription[] {
    return [...this.#state.transactionalIds()].map(
      ({ transactionalId, producerId, epoch, timeoutMs, openSinceMs, pendingOffsets }) => ({
        transactionalId,
        producerId,
        epoch,
        timeoutMs,
        openSinceMs,
        partitions: this.#state.openPartitions(producerId).map(({ topic, partition }) => ({
          topic: topic.name,
          partition: partition.number,
          firstOffset: partition.producers.openFrom(producerId)!,
        })),
        offsets: pendingOffsets.flatMap(({ group, offsets }) =>
          offsets.flatMap(({ topicId, partition, offset }) => {
            const topic = this.#state.topicById(topicId)
            return topic === undefined ? [] : [{ group, topic: topic.name, partition, offset }]
          }),
        ),
      }),
    )
  }

  /** @see Log.abortTransaction */
  async abort(transactionalId: string): Promise<void> {
    await this.#log.submit(() => {
      const known = this.#state.transactionalId(transactionalId)
      if (known === undefined) {
        throw new StorageError('LOG_UNKNOWN_TRANSACTIONAL_ID', {
          message: `There is no transactional id '${transactionalId}'.`,
        })
      }
      return known.openSinceMs === null ? [] : this.#abortAndFence(known)
    }, 'alone')
  }

  /** @throws StorageError `LOG_PRODUCER_FENCED` unless the producer is the newest of its transactional id */
  assertCurrent({ producerId, epoch }: ProducerIdentity): TransactionalId {
    const known = this.#state.byProducerId(producerId)
    if (known === undefined || known.epoch !== epoch) {
      throw new StorageError('LOG_PRODUCER_FENCED', {
        message:
          known === undefined
            ? `Producer ${producerId} belongs to no transactional id any more.`
            : `Another producer has taken over transactional id '${known.transactionalId}', or its transaction timed out.`,
      })
    }
    return known
  }

  /** Sees to it that open transactions end when their time is up. Cheap when nothing is open. */
  watchTimeouts(): void {
    if (this.#timer !== null || this.#closed) return
    let earliestMs = Infinity
    const nowMs = this.#clock.nowMs()
    for (const known of this.#state.transactionalIds()) {
      if (known.openSinceMs === null) continue
      // The clock was set back: its time must come all the same.
      known.openSinceMs = Math.min(known.openSinceMs, nowMs)
      earliestMs = Math.min(earliestMs, known.openSinceMs + known.timeoutMs)
    }
    if (earliestMs === Infinity) return
    this.#timer = this.#clock.after(Math.max(1, earliestMs - nowMs), () => {
      this.#timer = null
      void this.#abortExpired().finally(() => this.watchTimeouts())
    })
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  async #abortExpired(): Promise<void> {
    for (const known of this.#state.transactionalIds()) {
      const expired = (): boolean =>
        known.openSinceMs !== null && known.openSinceMs + known.timeoutMs <= this.#clock.nowMs()
      if (!expired()) continue
      await this.#log
        .submit(() => (expired() ? this.#abortAndFence(known) : []), 'alone')
        // A closed log refuses it; the transaction times out again after the next opening.
        .catch((error: unknown) => {
          if (!(error instanceof StorageError)) throw error
        })
    }
  }

  #abortAndFence(known: TransactionalId): JournalEntry[] {
    const { transactionalId, producerId, epoch, timeoutMs, usedMs: atMs } = known
    return [
      ...this.#abort(known),
      { kind: 'transactional-id', transactionalId, producerId, epoch: epoch + 1, timeoutMs, atMs },
    ]
  }

  /** Aborts what is open, under the next epoch, so that late batches of the old one are refused. */
  #abort(known: TransactionalId): JournalEntry[] {
    return known.openSinceMs === null ? [] : this.#endEntries(known, known.epoch + 1, false)
  }

  #endEntries({ producerId }: TransactionalId, epoch: number, committed: boolean): JournalEntry[] {
    const markers = this.#state.openPartitions(producerId).map(({ topic, partition }) => {
      const batches = encodeMarker(committed, producerId, epoch, this.#clock.nowMs())
      return this.#log.reserve({ topic, partition, batches, offsets: 1 })
    })
    return [...markers, { kind: 'end-transaction', producerId, committed }]
  }
}

/** What a Kafka broker checks of a batch that a client has sent. */
function checkClientBatch({ name, config }: Topic, batch: Uint8Array, nowMs: number): void {
  const refuse = (reason: string): never => {
    throw new StorageError('LOG_INVALID_BATCH', {
      message: `A record batch for topic ${name} is refused: ${reason}.`,
    })
  }
  for (const limit of ['max.message.bytes', 'segment.bytes']) {
    if (batch.length <= numericSetting(config, limit)) continue
    throw new StorageError('LOG_RECORD_TOO_LARGE', {
      message: `A record batch of ${batch.length} bytes is larger than topic ${name} takes (${limit} is ${numericSetting(config, limit)}).`,
    })
  }
  if (batch.length < BATCH_HEADER_BYTES || 12 + readI32(batch, AT_BATCH_LENGTH) !== batch.length)
    refuse('there is not exactly one')
  if (batch[AT_MAGIC] !== 2) refuse('it is not in format 2')
  if (!batchCrcHolds(batch, 0, batch.length)) refuse('its CRC does not hold')
  if ((readI16(batch, AT_ATTRIBUTES) & CONTROL) !== 0) refuse('clients write no control batches')
  const count = readI32(batch, AT_RECORD_COUNT)
  if (count <= 0 || readI32(batch, AT_LAST_OFFSET_DELTA) !== count - 1) refuse('its offsets are not dense')
  if (readI64(batch, AT_PRODUCER_ID) >= 0 && readI32(batch, AT_BASE_SEQUENCE) < 0)
    refuse('it has no sequence')
  let records: RecordColumns
  try {
    records = walkRecords(batch, 0)
  } catch (cause) {
    if (!(cause instanceof StorageError)) throw cause
    return refuse(`its records cannot be read (${cause.message})`)
  }
  const base = readI64(batch, 0)
  if (records.count !== count || records.offsets.some((offset, i) => i < count && offset !== base + i))
    refuse('its offsets are not dense')
  const compacted = setting(config, 'cleanup.policy').includes('compact')
  const appendTime = setting(config, 'message.timestamp.type') === 'LogAppendTime'
  const fromMs = appendTime ? -Infinity : nowMs - numericSetting(config, 'message.timestamp.before.max.ms')
  const toMs = appendTime ? Infinity : nowMs + numericSetting(config, 'message.timestamp.after.max.ms')
  for (let i = 0; i < count; i++) {
    if (compacted && records.keyStarts[i]! < 0) {
      throw new StorageError('LOG_KEY_MISSING', {
        message: `Topic ${name} is compacted: its records need a key, and record ${i} of a batch has none.`,
      })
    }
    const timestampMs = records.timestamps[i]!
    if (timestampMs < fromMs || timestampMs > toMs) {
      throw new StorageError('LOG_INVALID_TIMESTAMP', {
        message: `Record ${i} of a batch has the timestamp ${timestampMs}, which is too far from now (${nowMs}) for topic ${name}.`,
        hint: 'The limits are message.timestamp.before.max.ms and message.timestamp.after.max.ms.',
      })
    }
  }
}
