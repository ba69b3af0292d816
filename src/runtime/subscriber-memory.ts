/** Where rows wait for one slow consumer at most, however much memory there is: more would not make it faster. */
const QUEUE_BYTES_MAX = 4 << 20
/** Below this the queue would cost more than it saves. */
const QUEUE_BYTES_MIN = 64 << 10

/**
 * What the queues of all push queries may hold together: each gets an equal share. A queue that is full when
 * shares become smaller is not cut; it takes no more until it is below its share.
 */
export class SubscriberMemory {
  readonly #bytesMax: number
  #queues = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Of one queue. */
  get shareBytes(): number {
    const share = Math.floor(this.#bytesMax / Math.max(1, this.#queues))
    return Math.min(QUEUE_BYTES_MAX, Math.max(QUEUE_BYTES_MIN, share))
  }

  opened(): void {
    this.#queues++
  }

  closed(): void {
    this.#queues--
  }
}
