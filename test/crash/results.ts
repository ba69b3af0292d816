import { systemClock } from '../../src/base/clock.ts'
import { isExchange } from '../../src/engine/graph.ts'
import { offsetsGroup } from '../../src/engine/query-spec.ts'
import { inputsOf, type PlanNode, type QueryPlan } from '../../src/plan/plan-node.ts'
import { Catalog, sourcesRead } from '../../src/runtime/catalog.ts'
import { readDefinitions } from '../../src/runtime/definitions.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { PROCESSING_LOG_TOPIC } from '../../src/runtime/processing-log.ts'
import { NOW_MS } from './input.ts'

/** A record of an output topic, as text. */
export interface OutputRecord {
  /** The key's bytes, as latin1. */
  readonly key: string
  /** Value and timestamp; null: a deletion. */
  readonly value: string | null
}

export interface OutputTopic {
  readonly topic: string
  /** `exact`: each record counts, once (streams, finals, alert events, processing log). `table`: the last one of each key. */
  readonly kind: 'exact' | 'table'
  /** Whether its rows have changed their partition on the way. */
  readonly exchanged: boolean
  /** Per partition, in order. */
  readonly partitions: readonly (readonly OutputRecord[])[]
}

/** What a run leaves behind once all input is worked off. */
export interface Results {
  readonly topics: readonly OutputTopic[]
  /** Rows of each table that can be asked for, as text, sorted. */
  readonly tables: ReadonlyMap<string, readonly string[]>
  /** Committed offsets as lines of text; those in topics of tables count from the topic's end. */
  readonly offsets: readonly string[]
}

export async function readResults(directory: string): Promise<Results> {
  const millrace = await Millrace.open({
    dataDirectory: directory,
    durability: 'os',
    clock: { ...systemClock, nowMs: () => NOW_MS },
  })
  try {
    await millrace.untilIdle()
    const catalog = new Catalog((topic) => millrace.log.topic(topic)?.partitions)
    catalog.apply(await readDefinitions(millrace.log))
    const kinds = outputKinds(catalog)
    const topics: OutputTopic[] = []
    for (const [topic, { kind, exchanged }] of kinds) {
      const partitions: OutputRecord[][] = Array.from(
        { length: millrace.log.topic(topic)!.partitions },
        () => [],
      )
      for await (const { partition, key, value, timestampMs } of millrace.consume(topic, {
        from: 'beginning',
      })) {
        partitions[partition]!.push(outputRecord(key, value, timestampMs))
      }
      topics.push({ topic, kind, exchanged, partitions })
    }
    const tables = new Map<string, string[]>()
    for (const { name, kind, createdBy } of catalog.sources()) {
      if (kind !== 'table' || createdBy === null) continue
      const [result] = await millrace.sql(`SELECT * FROM ${name};`)
      if (result?.kind !== 'rows') throw new Error(`The table ${name} gave no rows.`)
      tables.set(name, result.rows.map((row) => JSON.stringify(row)).toSorted())
    }
    const offsets = catalog.queries().flatMap(({ id }) =>
      millrace.log.committedOffsets(offsetsGroup(id)).map(({ topic, partition, offset, metadata }) => {
        const end = millrace.log.ends(topic, partition).lastStable
        const place = kinds.get(topic)?.kind === 'table' ? `end−${end - offset}` : `${offset} of ${end}`
        return `${id} ${topic}-${partition} ${place} ${metadata ?? ''}`
      }),
    )
    return { topics, tables, offsets: offsets.toSorted() }
  } finally {
    await millrace.close()
  }
}

export function outputRecord(
  key: Uint8Array | null,
  value: Uint8Array | null,
  timestampMs: number,
): OutputRecord {
  return {
    key: key === null ? '' : Buffer.from(key).toString('latin1'),
    value: value === null ? null : `${Buffer.from(value).toString()} @${timestampMs}`,
  }
}

type OutputKind = Pick<OutputTopic, 'kind' | 'exchanged'>

function outputKinds(catalog: Catalog): Map<string, OutputKind> {
  const kinds = new Map<string, OutputKind>([[PROCESSING_LOG_TOPIC, { kind: 'exact', exchanged: true }]])
  for (const { plan } of catalog.queries()) {
    if (plan.sink === null) continue
    const isTable =
      plan.root.output === 'table' && !has(plan, (node) => node.kind === 'aggregate' && node.emit === 'final')
    const exchanged =
      has(plan, (node) => isExchange(node) || node.kind === 'foreign-key-join') ||
      sourcesRead(plan).some((source) => kinds.get(source.topic)?.exchanged === true)
    kinds.set(plan.sink.topic, { kind: isTable ? 'table' : 'exact', exchanged })
  }
  return kinds
}

function has(plan: QueryPlan, wanted: (node: PlanNode) => boolean): boolean {
  const visit = (node: PlanNode): boolean => wanted(node) || inputsOf(node).some(visit)
  return visit(plan.root)
}
