import type { DataSource, SourceCatalog } from '../plan/data-source.ts'
import { inputsOf, type PlanNode, type QueryPlan } from '../plan/plan-node.ts'
import type { SqlType } from '../plan/sql-type.ts'
import { PROCESSING_LOG_TOPIC } from './processing-log.ts'

/** A persistent query as it is stored: a restart runs this plan, not a new reading of the text. */
export interface QueryDefinition {
  readonly id: string
  readonly kind: 'create-stream' | 'create-table' | 'insert' | 'source-table' | 'alert'
  readonly statement: string
  readonly plan: QueryPlan
  /** Names of streams and tables read. */
  readonly reads: readonly string[]
  /** The stream or table written; null: none. */
  readonly writes: string | null
  readonly paused: boolean
  /** Position among the queries; kept when a query is replaced. */
  readonly order: number
  /** Settings in force when it was made. */
  readonly settings: Readonly<Record<string, string>>
}

/** One thing the catalog holds. */
export type CatalogEntry =
  | { readonly kind: 'source'; readonly source: DataSource }
  | { readonly kind: 'type'; readonly name: string; readonly type: SqlType }
  | { readonly kind: 'query'; readonly query: QueryDefinition }
  /** The number the next query gets. */
  | { readonly kind: 'query-number'; readonly next: number }

/** What an entry is stored under: a later one of the same key replaces it. */
export type EntryKey = string

/** `entry` null: the key's entry goes. */
export interface CatalogChange {
  readonly key: EntryKey
  readonly entry: CatalogEntry | null
}

export function keyOf(entry: CatalogEntry): EntryKey {
  switch (entry.kind) {
    case 'source':
      return sourceKey(entry.source.name)
    case 'type':
      return `type/${entry.name}`
    case 'query':
      return queryKey(entry.query.id)
    case 'query-number':
      return 'query-number'
  }
}

export function put(entry: CatalogEntry): CatalogChange {
  return { key: keyOf(entry), entry }
}

export function sourceKey(name: string): EntryKey {
  return `source/${name}`
}

export function queryKey(id: string): EntryKey {
  return `query/${id}`
}

export function typeKey(name: string): EntryKey {
  return `type/${name}`
}

/**
 * Streams, tables, types and queries of one Millrace, as committed. Changes only through {@link apply},
 * after they are durable.
 */
export class Catalog implements SourceCatalog {
  readonly #entries = new Map<EntryKey, CatalogEntry>()
  readonly #partitionsOf: (topic: string) => number | undefined
  readonly #topicNames: () => readonly string[]

  /**
   * @param partitionsOf  number of partitions of a topic of the log, or undefined if there is none
   * @param topicNames  of the topics of the log that are not internal
   */
  constructor(
    partitionsOf: (topic: string) => number | undefined,
    topicNames: () => readonly string[] = () => [],
  ) {
    this.#partitionsOf = partitionsOf
    this.#topicNames = topicNames
  }

  apply(changes: readonly CatalogChange[]): void {
    for (const { key, entry } of changes) {
      if (entry === null) this.#entries.delete(key)
      else this.#entries.set(key, entry)
    }
  }

  source(name: string): DataSource | undefined {
    const entry = this.#entries.get(sourceKey(name))
    return entry?.kind === 'source' ? entry.source : undefined
  }

  sourceNames(): readonly string[] {
    return this.sources().map((s) => s.name)
  }

  /** In order of declaration. */
  sources(): readonly DataSource[] {
    return [...this.#entries.values()].flatMap((e) => (e.kind === 'source' ? [e.source] : []))
  }

  type(name: string): SqlType | undefined {
    const entry = this.#entries.get(typeKey(name))
    return entry?.kind === 'type' ? entry.type : undefined
  }

  typeNames(): readonly string[] {
    return [...this.#entries.values()].flatMap((e) => (e.kind === 'type' ? [e.name] : []))
  }

  partitions(topic: string): number | undefined {
    return this.#partitionsOf(topic)
  }

  topicNames(): readonly string[] {
    return this.#topicNames()
  }

  isOwnTopic(topic: string): boolean {
    return topic.startsWith('_millrace') || topic === PROCESSING_LOG_TOPIC
  }

  query(id: string): QueryDefinition | undefined {
    const entry = this.#entries.get(queryKey(id))
    return entry?.kind === 'query' ? entry.query : undefined
  }

  /** In order of creation. */
  queries(): readonly QueryDefinition[] {
    return [...this.#entries.values()]
      .flatMap((e) => (e.kind === 'query' ? [e.query] : []))
      .sort((a, b) => a.order - b.order)
  }

  queryIds(): readonly string[] {
    return this.queries().map((q) => q.id)
  }

  nextQueryNumber(): number {
    const entry = this.#entries.get('query-number')
    return entry?.kind === 'query-number' ? entry.next : 0
  }
}

/** Streams and tables a plan reads, each once, in the order in which they are met. */
export function sourcesRead(plan: QueryPlan): readonly DataSource[] {
  const found = new Map<string, DataSource>()
  const visit = (node: PlanNode): void => {
    if (node.kind === 'source') found.set(node.source.name, node.source)
    for (const input of inputsOf(node)) visit(input)
  }
  visit(plan.root)
  return [...found.values()]
}
