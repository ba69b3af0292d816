import type {
  CommitGroup,
  CommitOutcome,
  CommitOwner,
  Log,
  LogSlice,
  PartitionEnds,
  TopicDescription,
  TopicSpec,
} from '../../src/log/log.ts'
import {
  AT_BATCH_LENGTH,
  AT_LAST_OFFSET_DELTA,
  readI32,
  readI64,
  writeI64,
} from '../../src/log/record-batch.ts'
import type { TaskState } from '../../src/state/task-state.ts'

/** As much of a log as state needs: topics, commits, reads. Batches of a partition lie in memory. */
export class MemoryLog implements Pick<
  Log,
  'id' | 'topic' | 'createTopic' | 'commit' | 'read' | 'ends' | 'holdFrom' | 'trim'
> {
  readonly id: string
  readonly #topics = new Map<string, { description: TopicDescription; partitions: Uint8Array[][] }>()
  #created = 0

  constructor(id = 'log-1') {
    this.id = id
  }

  /** As the Log that state asks for. */
  get log(): Log {
    return this as unknown as Log
  }

  topic(name: string): TopicDescription | undefined {
    return this.#topics.get(name)?.description
  }

  async createTopic(name: string, spec: TopicSpec): Promise<TopicDescription> {
    const description = {
      name,
      id: `topic-${++this.#created}`,
      partitions: spec.partitions,
      config: {},
      internal: true,
    }
    this.#topics.set(name, { description, partitions: Array.from({ length: spec.partitions }, () => []) })
    return description
  }

  holdFrom(): void {}

  trim(): void {}

  async commit(group: CommitGroup): Promise<CommitOutcome> {
    const baseOffsets: number[] = []
    for (const { topic, partition, batches } of group.appends) {
      if (!this.#topics.has(topic)) await this.createTopic(topic, { partitions: 4 })
      const list = this.#topics.get(topic)!.partitions[partition]!
      let next = this.ends(topic, partition).highWatermark
      baseOffsets.push(next)
      for (const batch of batchesOf(batches)) {
        writeI64(batch, 0, next)
        next = endOf(batch)
        list.push(batch)
      }
    }
    return { kind: 'committed', baseOffsets }
  }

  async read(topic: string, partition: number, fromOffset: number, bytesMax: number): Promise<LogSlice> {
    const taken: Uint8Array[] = []
    let bytes = 0
    let nextOffset = fromOffset
    for (const batch of this.#topics.get(topic)!.partitions[partition]!) {
      if (endOf(batch) <= fromOffset) continue
      if (taken.length > 0 && bytes + batch.length > bytesMax) break
      taken.push(batch)
      bytes += batch.length
      nextOffset = endOf(batch)
    }
    return { bytes: Uint8Array.from(Buffer.concat(taken)), nextOffset, aborted: [] }
  }

  ends(topic: string, partition: number): PartitionEnds {
    const last = this.#topics.get(topic)!.partitions[partition]!.at(-1)
    const end = last === undefined ? 0 : endOf(last)
    return { logStart: 0, highWatermark: end, lastStable: end }
  }

  /** Forgets the last batches of every partition: another past of the same log. */
  rollBack(keep: number): void {
    for (const { partitions } of this.#topics.values()) for (const list of partitions) list.splice(keep)
  }

  get recordCount(): number {
    let count = 0
    for (const [topic, { partitions }] of this.#topics) {
      partitions.forEach((_, p) => (count += this.ends(topic, p).highWatermark))
    }
    return count
  }
}

export const owner: CommitOwner = { name: 'worker', epoch: 1 }

function endOf(batch: Uint8Array): number {
  return readI64(batch, 0) + readI32(batch, AT_LAST_OFFSET_DELTA) + 1
}

function batchesOf(bytes: Uint8Array): Uint8Array[] {
  const batches: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 12 + readI32(bytes, at + AT_BATCH_LENGTH)
    batches.push(bytes.slice(at, end))
    at = end
  }
  return batches
}

/** Ends the open cycle of a task, and commits it. */
export async function commitCycle(log: Pick<Log, 'commit'>, task: TaskState, by = owner): Promise<void> {
  const outcome = await log.commit({ owner: by, appends: task.flush(), offsets: [] })
  if (outcome.kind !== 'committed') throw new Error(outcome.kind)
  task.committed(outcome.baseOffsets)
}
