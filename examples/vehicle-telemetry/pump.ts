import type { Clock, Millrace, NewRecord } from '../../src/index.ts'

/** A record that knows its event time. */
export interface TimedRecord extends NewRecord {
  readonly timestampMs: number
}

export interface PumpOptions {
  /** Seconds of event time per second; null: as fast as it goes. */
  readonly rate: number | null
  readonly clock: Clock
  readonly stop: AbortSignal
  /** Told after each append, when it is durable. */
  readonly onProduced: (count: number) => void
}

const BATCH_RECORDS_MAX = 5_000
const TICK_MS = 50

/**
 * Appends records to a topic at the pace of their timestamps, which ascend.
 *
 * @returns whether all of them were appended; false: it was stopped before
 */
export async function pump(
  millrace: Millrace,
  topic: string,
  records: Iterable<TimedRecord>,
  { rate, clock, stop, onProduced }: PumpOptions,
): Promise<boolean> {
  const source = records[Symbol.iterator]()
  let next = source.next()
  if (next.done === true) return true
  const startedMs = clock.monotonicMs()
  const firstMs = next.value.timestampMs
  while (!stop.aborted) {
    const dueMs = rate === null ? Infinity : firstMs + (clock.monotonicMs() - startedMs) * rate
    const batch: NewRecord[] = []
    while (next.done !== true && next.value.timestampMs <= dueMs && batch.length < BATCH_RECORDS_MAX) {
      batch.push(next.value)
      next = source.next()
    }
    if (batch.length > 0) {
      await millrace.produce(topic, batch)
      onProduced(batch.length)
    }
    if (next.done === true) return true
    if (batch.length < BATCH_RECORDS_MAX) await pause(clock, TICK_MS, stop)
  }
  return false
}

/** Waits; ends early when stopped. */
export function pause(clock: Clock, ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve()
    const done = (): void => {
      timer.cancel()
      stop.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(ms, done)
    stop.addEventListener('abort', done, { once: true })
  })
}
