import type { Millrace } from '../../src/index.ts'

/** Where each partition of a topic ends: the next offset; empty where there is no such topic. */
export function endsOf(millrace: Millrace, topic: string): number[] {
  const partitions = millrace.log.topic(topic)?.partitions ?? 0
  return Array.from({ length: partitions }, (_, p) => millrace.log.ends(topic, p).lastStable)
}

/** Records of a topic that nothing is ever removed from. */
export function recordCount(millrace: Millrace, topic: string): number {
  return sum(endsOf(millrace, topic))
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
