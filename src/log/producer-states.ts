import { StorageError } from '../base/errors.ts'
import type { AbortedRange, CheckpointProducer } from './checkpoint.ts'
import {
  AT_ATTRIBUTES,
  AT_BASE_SEQUENCE,
  AT_PRODUCER_EPOCH,
  AT_PRODUCER_ID,
  AT_RECORD_COUNT,
  BATCH_HEADER_BYTES,
  CONTROL,
  readI16,
  readI32,
  readI64,
  TRANSACTIONAL,
} from './record-batch.ts'
import { readControlType } from './control-batch.ts'

/** Batches remembered per producer: as many as a Kafka client keeps in flight. */
const BATCHES_REMEMBERED = 5

interface ProducerState {
  epoch: number
  batches: CheckpointProducer['batches'][number][]
}

/**
 * What one partition knows of idempotent and transactional producers: their last sequences, the first
 * offsets of their open transactions, and the aborted ranges readers must skip.
 *
 * Derived from the batches alone, so replaying the journal rebuilds it.
 */
export class ProducerStates {
  readonly #producers = new Map<number, ProducerState>()
  /** Producer id → first offset of its open transaction here. */
  readonly #open = new Map<number, number>()
  /** Last sequences of batches that are on their way to the journal. */
  #planned = new Map<number, { readonly epoch: number; readonly last: number }>()
  /** In order of their markers. */
  readonly #aborted: AbortedRange[]

  constructor(producers: readonly CheckpointProducer[], aborted: readonly AbortedRange[]) {
    for (const { producerId, epoch, batches, openFrom } of producers) {
      this.#producers.set(producerId, { epoch, batches: [...batches] })
      if (openFrom !== null) this.#open.set(producerId, openFrom)
    }
    this.#aborted = [...aborted]
  }

  stored(): { readonly producers: readonly CheckpointProducer[]; readonly aborted: readonly AbortedRange[] } {
    return {
      producers: [...this.#producers].map(([producerId, { epoch, batches }]) => ({
        producerId,
        epoch,
        batches: [...batches],
        openFrom: this.#open.get(producerId) ?? null,
      })),
      aborted: [...this.#aborted],
    }
  }

  /** The first offset of the earliest open transaction, or null if none is open. */
  firstOpenOffset(): number | null {
    let first: number | null = null
    for (const offset of this.#open.values()) if (first === null || offset < first) first = offset
    return first
  }

  isOpen(producerId: number): boolean {
    return this.#open.has(producerId)
  }

  /** The first offset of a producer's open transaction. */
  openFrom(producerId: number): number | null {
    return this.#open.get(producerId) ?? null
  }

  openProducerIds(): IterableIterator<number> {
    return this.#open.keys()
  }

  /** Aborted ranges that touch offsets [first, end). */
  abortedBetween(first: number, end: number): AbortedRange[] {
    if (this.#aborted.length === 0) return []
    // In order of their last offsets, which are those of the markers.
    let low = 0
    for (let high = this.#aborted.length; low < high;) {
      const middle = (low + high) >>> 1
      if (this.#aborted[middle]!.lastOffset < first) low = middle + 1
      else high = middle
    }
    return this.#aborted.slice(low).filter(({ firstOffset }) => firstOffset < end)
  }

  /** Readers cannot get there any more. */
  forgetAbortedBelow(offset: number): void {
    const kept = this.#aborted.filter(({ lastOffset }) => lastOffset >= offset)
    this.#aborted.splice(0, this.#aborted.length, ...kept)
  }

  /** Forgets producers that have written nothing since `beforeMs`, and have nothing open. */
  expire(beforeMs: number): void {
    for (const [producerId, { batches }] of this.#producers) {
      const last = batches.at(-1)
      if (this.#open.has(producerId) || this.#planned.has(producerId)) continue
      if (last !== undefined && last[3] < beforeMs) this.#producers.delete(producerId)
    }
  }

  /** Base offsets of the last batches of all producers: they hold sequences that must not be forgotten. */
  lastBatches(): Set<number> {
    const bases = new Set<number>()
    for (const { batches } of this.#producers.values()) {
      const last = batches.at(-1)
      if (last !== undefined) bases.add(last[2])
    }
    return bases
  }

  /**
   * Checks the sequence of a batch a client wants to append at [at, …) of `bytes`.
   *
   * @returns the base offset of the original if it is a duplicate, else null
   * @throws StorageError `LOG_INVALID_PRODUCER_EPOCH`, `LOG_OUT_OF_ORDER_SEQUENCE`
   */
  check(bytes: Uint8Array, at: number): number | null {
    const producerId = readI64(bytes, at + AT_PRODUCER_ID)
    const known = producerId < 0 ? undefined : this.#producers.get(producerId)
    // An unknown producer may start anywhere: its state may have gone with the records.
    if (known === undefined) return null
    const epoch = readI16(bytes, at + AT_PRODUCER_EPOCH)
    const first = readI32(bytes, at + AT_BASE_SEQUENCE)
    const last = lastSequence(first, readI32(bytes, at + AT_RECORD_COUNT))
    if (epoch < known.epoch) {
      throw new StorageError('LOG_INVALID_PRODUCER_EPOCH', {
        message: `Producer ${producerId} has been replaced: its epoch ${epoch} is older than ${known.epoch}.`,
      })
    }
    const planned = this.#planned.get(producerId)
    if (planned !== undefined && planned.epoch === epoch && first === lastSequence(planned.last, 2))
      return null
    const previous = known.batches.at(-1)
    if (epoch === known.epoch && previous !== undefined) {
      const original = known.batches.find((batch) => batch[0] === first && batch[1] === last)
      if (original !== undefined) return original[2]
      if (first === lastSequence(previous[1], 2)) return null
    } else if (first === 0) {
      return null
    }
    throw new StorageError('LOG_OUT_OF_ORDER_SEQUENCE', {
      message:
        `Producer ${producerId} sent sequence ${first}` +
        (previous === undefined ? '.' : ` after ${previous[1]} (epoch ${known.epoch}).`),
    })
  }

  /** Whether a batch can only be judged once those planned before it are in the log. */
  mustWait(bytes: Uint8Array, at: number): boolean {
    const planned = this.#planned.get(readI64(bytes, at + AT_PRODUCER_ID))
    if (planned === undefined) return false
    const follows =
      planned.epoch === readI16(bytes, at + AT_PRODUCER_EPOCH) &&
      readI32(bytes, at + AT_BASE_SEQUENCE) === lastSequence(planned.last, 2)
    return !follows
  }

  /** Takes note of a checked batch that is now on its way. */
  plan(bytes: Uint8Array, at: number): void {
    const producerId = readI64(bytes, at + AT_PRODUCER_ID)
    if (producerId < 0) return
    const first = readI32(bytes, at + AT_BASE_SEQUENCE)
    this.#planned.set(producerId, {
      epoch: readI16(bytes, at + AT_PRODUCER_EPOCH),
      last: lastSequence(first, readI32(bytes, at + AT_RECORD_COUNT)),
    })
  }

  /** Nothing is on its way any more. */
  forgetPlans(): void {
    if (this.#planned.size > 0) this.#planned = new Map()
  }

  /** Takes note of an appended batch. */
  observe(bytes: Uint8Array, at: number, atMs: number): void {
    const producerId = readI64(bytes, at + AT_PRODUCER_ID)
    if (producerId < 0) return
    const attributes = readI16(bytes, at + AT_ATTRIBUTES)
    const epoch = readI16(bytes, at + AT_PRODUCER_EPOCH)
    const base = readI64(bytes, at)
    let state = this.#producers.get(producerId)
    if (state === undefined) {
      state = { epoch, batches: [] }
      this.#producers.set(producerId, state)
    }
    if (epoch !== state.epoch) {
      state.epoch = epoch
      state.batches = []
    }
    if ((attributes & CONTROL) !== 0) {
      const type = readControlType(bytes, at + BATCH_HEADER_BYTES)
      const openFrom = this.#open.get(producerId)
      if (type === 'abort' && openFrom !== undefined) {
        this.#aborted.push({ producerId, firstOffset: openFrom, lastOffset: base })
      }
      if (type !== null) this.#open.delete(producerId)
      return
    }
    const first = readI32(bytes, at + AT_BASE_SEQUENCE)
    state.batches.push([first, lastSequence(first, readI32(bytes, at + AT_RECORD_COUNT)), base, atMs])
    if (state.batches.length > BATCHES_REMEMBERED) state.batches.shift()
    if ((attributes & TRANSACTIONAL) !== 0 && !this.#open.has(producerId)) this.#open.set(producerId, base)
  }
}

/** Sequences wrap from 2147483647 to 0. */
function lastSequence(first: number, count: number): number {
  return (first + count - 1) % 2147483648
}
