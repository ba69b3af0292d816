import type { JournalEntry } from './journal-entry.ts'
import type { Topic } from './log-state.ts'
import type { Partition, Segment } from './partition.ts'
import { numericSetting, setting } from './topic-config.ts'

/**
 * How far the log start may move because records have expired, by age or by size; null if it may not.
 *
 * Age counts from the append of a segment's last record, or from the largest record timestamp in it where
 * the topic asks for Kafka's rule. Internal topics do not expire by the clock.
 */
export async function expiredTo(topic: Topic, partition: Partition, nowMs: number): Promise<number | null> {
  let to: number | null = null
  let bytesLeft = partition.segments.reduce((sum, { bytes }) => sum + bytes, 0)
  const segments = [...partition.segments]
  for (const segment of segments.slice(0, -1)) {
    const end = partition.endOf(segment)
    if (end > partition.checkpointedTo || end > partition.ends.lastStable) break
    bytesLeft -= segment.bytes
    const goes =
      end <= partition.ends.logStart ||
      isTooMuch(topic, bytesLeft) ||
      (await isTooOld(topic, partition, segment, nowMs))
    if (!goes) break
    to = end
  }
  return to
}

/** Whether all of a partition has expired, the active segment too, which has to be sealed for it. */
export async function activeExpired(topic: Topic, partition: Partition, nowMs: number): Promise<boolean> {
  if ((partition.segments.at(-1)?.bytes ?? 0) === 0) return false
  for (const segment of [...partition.segments].reverse()) {
    if (!(await isTooOld(topic, partition, segment, nowMs))) return false
  }
  return true
}

function isTooMuch({ config, internal }: Topic, bytesLeft: number): boolean {
  const bytesMax = numericSetting(config, 'retention.bytes')
  return bytesMax >= 0 && !internal && isDeleted(config) && bytesLeft >= bytesMax
}

async function isTooOld(
  topic: Topic,
  partition: Partition,
  segment: Segment,
  nowMs: number,
): Promise<boolean> {
  const { config } = topic
  const keptMs = numericSetting(config, 'retention.ms')
  if (keptMs < 0 || topic.internal || !isDeleted(config)) return false
  let newestMs = segment.appendedMs
  if (setting(config, 'retention.counts.from') === 'timestamp') {
    const timestampMs = await partition.maxTimestampMs(segment)
    if (timestampMs >= 0) newestMs = timestampMs
  }
  return nowMs - newestMs > keptMs
}

function isDeleted(config: Readonly<Record<string, string>>): boolean {
  return setting(config, 'cleanup.policy').includes('delete')
}

/** The oldest segments that lie wholly below `logStart` and below the last checkpoint. */
export function expendable(partition: Partition, logStart: number): Segment[] {
  const removed: Segment[] = []
  for (const segment of partition.segments.slice(0, -1)) {
    const end = partition.endOf(segment)
    if (end > logStart || end > partition.checkpointedTo || end > partition.ends.lastStable) break
    removed.push(segment)
  }
  return removed
}

export function logStartEntry(
  topic: Topic,
  partition: Partition,
  offset: number,
  removed: readonly Segment[],
): JournalEntry {
  return {
    kind: 'log-start',
    topicId: topic.id,
    partition: partition.number,
    offset,
    removed: removed.map(({ base }) => base),
  }
}
