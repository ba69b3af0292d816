import { assert } from '../base/assert.ts'
import type { FormatSpec } from '../plan/data-source.ts'
import {
  inputsOf,
  type PlanNode,
  type QueryPlan,
  type RekeyNode,
  type SourceNode,
  type TableAggregateNode,
} from '../plan/plan-node.ts'

/** A node before which rows change their partition. */
export type ExchangeNode = RekeyNode | TableAggregateNode

/**
 * A part of a query's plan that runs on one partition without leaving it: between topics and exchanges.
 * One task per partition runs it.
 */
export interface SubTopology {
  /** Position in {@link QueryGraph.subTopologies}. */
  readonly index: number
  /** The node whose output leaves it. */
  readonly root: PlanNode
  /** Where that goes: to the query's sink, or through the exchange before `node` of another sub-topology. */
  readonly exit:
    | { readonly kind: 'sink' }
    | { readonly kind: 'exchange'; readonly node: ExchangeNode; readonly to: number }
  readonly sources: readonly SourceNode[]
  /** Exchanges that feed it: the node, and the sub-topology that computes its input. */
  readonly entries: readonly { readonly node: ExchangeNode; readonly from: number }[]
  readonly partitions: number
  /** Whether all partitions of its sources go to its one task: rows that a foreign key brings together have different keys. */
  readonly gathers: boolean
  /** How keys are encoded to find a row's partition: as the topics read here do, so that joined rows meet. */
  readonly keyFormat: FormatSpec
}

export interface QueryGraph {
  /** Those that feed others come first. */
  readonly subTopologies: readonly SubTopology[]
}

const KAFKA_KEYS: FormatSpec = { name: 'KAFKA', properties: {}, wrapping: null }
const DELIMITED_KEYS: FormatSpec = { name: 'DELIMITED', properties: {}, wrapping: null }
const JSON_KEYS: FormatSpec = { name: 'JSON', properties: {}, wrapping: null }

/**
 * Cuts a plan into sub-topologies.
 *
 * @param partitionsOf  number of partitions of a source's topic
 */
export function buildGraph(plan: QueryPlan, partitionsOf: (topic: string) => number): QueryGraph {
  const done: SubTopology[] = []

  /** Adds the sub-topologies needed for `root`, itself last; returns its index. */
  const add = (root: PlanNode, exit: (index: number) => SubTopology['exit']): number => {
    const sources: SourceNode[] = []
    const entryNodes: ExchangeNode[] = []
    let gathers = false
    const visit = (node: PlanNode): void => {
      if (node.kind === 'foreign-key-join') gathers = true
      if (node.kind === 'source') sources.push(node)
      else if (isExchange(node)) entryNodes.push(node as ExchangeNode)
      else for (const input of inputsOf(node)) visit(input)
    }
    visit(root)
    // Those that feed this one are built first; they learn its index when it is known.
    const feeding = entryNodes.map((node) => ({
      node,
      from: add(node.input, () => ({ kind: 'exchange', node, to: -1 })),
    }))
    const index = done.length
    for (const { node, from } of feeding)
      done[from] = { ...done[from]!, exit: { kind: 'exchange', node, to: index } }
    const topicPartitions = sources.map((s) => partitionsOf(s.source.topic))
    const wanted = entryNodes.map((n) => (n.kind === 'rekey' ? n.partitions : null)).filter((p) => p !== null)
    const partitions = gathers
      ? 1
      : Math.max(
          1,
          ...(topicPartitions.length > 0
            ? topicPartitions
            : wanted.length > 0
              ? wanted
              : feeding.map(({ from }) => done[from]!.partitions)),
        )
    done.push({
      index,
      root,
      exit: exit(index),
      sources,
      entries: feeding,
      partitions,
      gathers,
      keyFormat: keyFormatFor(sources, entryNodes),
    })
    return index
  }

  add(plan.root, () => ({ kind: 'sink' }))
  return { subTopologies: done }
}

/** A boolean and no type guard: a rekey without keys is none. */
export function isExchange(node: PlanNode): boolean {
  return (node.kind === 'rekey' && node.keys.length > 0) || node.kind === 'table-aggregate'
}

function keyFormatFor(sources: readonly SourceNode[], entries: readonly ExchangeNode[]): FormatSpec {
  const source = sources.find((s) => s.source.keyFormat.name !== 'NONE')
  if (source !== undefined) return source.source.keyFormat
  const keys = entries[0]?.schema.columns.filter((c) => c.role === 'key') ?? []
  const scalar = keys.every((k) => ['INTEGER', 'BIGINT', 'DOUBLE', 'STRING', 'BYTES'].includes(k.type.kind))
  if (keys.length === 1 && scalar) return KAFKA_KEYS
  return keys.every((k) => k.type.kind !== 'STRUCT' && k.type.kind !== 'ARRAY') ? DELIMITED_KEYS : JSON_KEYS
}

/**
 * Names of a plan's stateful nodes, from their kind and the sources below them rather than from any
 * numbering, so that stores keep their names when a query is restarted by a later version.
 */
export function operatorIds(root: PlanNode): ReadonlyMap<PlanNode, string> {
  const ids = new Map<PlanNode, string>()
  const taken = new Set<string>()
  const visit = (node: PlanNode): string[] => {
    const below = node.kind === 'source' ? [node.source.name] : inputsOf(node).flatMap(visit)
    let id = `${node.kind}-${below.join('-')}`.slice(0, 120)
    for (let n = 2; taken.has(id); n++) id = `${node.kind}-${below.join('-')}`.slice(0, 110) + `-${n}`
    taken.add(id)
    ids.set(node, id)
    return below
  }
  visit(root)
  return ids
}

/** The id of one node; asserts that it belongs to the plan the ids were made for. */
export function idOf(ids: ReadonlyMap<PlanNode, string>, node: PlanNode): string {
  const id = ids.get(node)
  assert(id, 'a node of the plan has an id')
  return id
}
