import { StorageError } from '../base/errors.ts'
import type { CommittedOffset, GroupMember, ProducerOptions } from './log.ts'
import type { ProducerCoordinator, ProducerIdentity } from './producer-coordinator.ts'

/** The transactions of one producer, one after the other. */
export class ProducerTransaction {
  readonly #coordinator: ProducerCoordinator
  readonly #options: ProducerOptions
  /** From the first transaction on. */
  #identity: ProducerIdentity | null = null
  #state: 'none' | 'open' | 'failed' = 'none'

  constructor(coordinator: ProducerCoordinator, options: ProducerOptions) {
    this.#coordinator = coordinator
    this.#options = options
  }

  /** Null: the producer's records are not transactional. */
  get identity(): ProducerIdentity | null {
    return this.#identity
  }

  /** @throws StorageError `LOG_TRANSACTION_STATE` where records need a transaction and none is open */
  assertMaySend(): void {
    if (this.#options.transactionalId !== undefined) this.#assertBegun()
  }

  /** @throws StorageError `LOG_PRODUCER_FENCED` */
  assertCurrent(): void {
    if (this.#identity !== null) this.#coordinator.assertCurrent(this.#identity)
  }

  /** A record was not written: all that is left is to abort. */
  fail(): void {
    if (this.#state === 'open') this.#state = 'failed'
  }

  async begin(): Promise<void> {
    const { transactionalId, transactionTimeoutMs = 60_000 } = this.#options
    if (transactionalId === undefined) {
      throw new StorageError('LOG_NOT_TRANSACTIONAL', {
        message: 'The producer has no transactional id, so it cannot begin a transaction.',
      })
    }
    if (this.#state !== 'none') {
      throw new StorageError('LOG_TRANSACTION_STATE', { message: 'A transaction is open already.' })
    }
    this.#identity ??= await this.#coordinator.initialise(transactionalId, transactionTimeoutMs)
    this.assertCurrent()
    this.#state = 'open'
  }

  async sendOffsets(group: string, offsets: readonly CommittedOffset[], member?: GroupMember): Promise<void> {
    this.#assertBegun()
    await this.#coordinator.addOffsets(this.#identity!, group, offsets, member)
  }

  /** @param flush brings all records of the transaction to the log */
  async end(committed: boolean, flush: () => Promise<void>): Promise<void> {
    this.#assertBegun()
    await flush()
    if (committed && this.#state === 'failed') {
      throw new StorageError('LOG_TRANSACTION_FAILED', {
        message: 'A record of the transaction was not written, so it cannot commit.',
        hint: 'Abort the transaction and start it again.',
      })
    }
    await this.#coordinator.end(this.#identity!, committed)
    this.#state = 'none'
  }

  #assertBegun(): void {
    if (this.#state === 'none') {
      throw new StorageError('LOG_TRANSACTION_STATE', {
        message: 'No transaction is open.',
        hint: 'Call beginTransaction first.',
      })
    }
  }
}
