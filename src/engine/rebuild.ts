import type { Log } from '../log/log.ts'
import { setting } from '../log/topic-config.ts'
import type { DataSource } from '../plan/data-source.ts'
import { inputsOf, type PlanNode, type QueryPlan } from '../plan/plan-node.ts'

/**
 * Why the state of a query can't be computed from its inputs once more, as the end of a sentence; null: it can.
 *
 * Results are then written again. In a table they take the place of the equal ones that are there.
 */
export function whyNotRebuilt(plan: QueryPlan, log: Log, reset: 'earliest' | 'latest'): string | null {
  if (plan.sink?.kind === 'stream') return 'it writes a stream, where its results would be there twice'
  const sources = sourcesOf(plan.root)
  if (reset === 'latest' && sources.some((source) => source.kind === 'stream'))
    return 'it began at the end of its inputs, wherever that was'
  for (const { topic, kind } of sources) {
    const description = log.topic(topic)
    if (description === undefined) return `its input ${topic} is gone`
    for (let partition = 0; partition < description.partitions; partition++) {
      const { logStart } = log.ends(topic, partition)
      if (logStart > 0)
        return `of its input ${topic} the log holds partition ${partition} from offset ${logStart} only`
    }
    // What is left of a compacted table is the table; of a stream it is not the stream.
    if (kind === 'stream' && setting(description.config, 'cleanup.policy').includes('compact'))
      return `its input ${topic} is compacted`
  }
  return null
}

function sourcesOf(node: PlanNode): readonly DataSource[] {
  return node.kind === 'source' ? [node.source] : inputsOf(node).flatMap(sourcesOf)
}
