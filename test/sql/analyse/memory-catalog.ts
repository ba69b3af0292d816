import { ManualClock } from '../../../src/base/clock.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { compileOverRow } from '../../../src/engine/compile/cursor.ts'
import { functionRegistry } from '../../../src/functions/registry.ts'
import type { Command } from '../../../src/plan/command.ts'
import type { DataSource, SourceCatalog } from '../../../src/plan/data-source.ts'
import type { FormatRules } from '../../../src/plan/format-rules.ts'
import type { SqlType } from '../../../src/plan/sql-type.ts'
import { EmbeddedSchemaRegistry } from '../../../src/runtime/embedded-schema-registry.ts'
import { formatRulesOver } from '../../../src/runtime/format-rules.ts'
import { parseStatements } from '../../../src/sql/parse.ts'
import { prepare, type PrepareContext } from '../../../src/sql/prepare.ts'

/** A catalog that only remembers what commands would make. */
export class MemoryCatalog implements SourceCatalog {
  readonly sources = new Map<string, DataSource>()
  readonly types = new Map<string, SqlType>()
  readonly topics = new Map<string, number>()
  readonly queries = new Set<string>()
  #queryNumber = 0
  /** Partitions of topics nobody declared; undefined: there are none. */
  readonly #otherTopics: number | undefined

  constructor(otherTopics?: number) {
    this.#otherTopics = otherTopics
  }

  source(name: string): DataSource | undefined {
    return this.sources.get(name)
  }

  sourceNames(): readonly string[] {
    return [...this.sources.keys()]
  }

  type(name: string): SqlType | undefined {
    return this.types.get(name)
  }

  topicNames(): readonly string[] {
    return [...this.topics.keys()]
  }

  isOwnTopic(): boolean {
    return false
  }

  typeNames(): readonly string[] {
    return [...this.types.keys()]
  }

  partitions(topic: string): number | undefined {
    return this.topics.get(topic) ?? this.#otherTopics
  }

  queryIds(): readonly string[] {
    return [...this.queries]
  }

  nextQueryNumber(): number {
    return this.#queryNumber
  }

  apply(command: Command): void {
    switch (command.kind) {
      case 'create-source':
        this.#add(command.source, command.createTopic?.partitions)
        if (command.materialise !== null) this.#addQuery(command.materialise.queryId)
        break
      case 'create-query':
        this.#add(command.source, command.createTopic?.partitions)
        this.#addQuery(command.queryId)
        break
      case 'create-alert':
        this.#add(command.events, undefined)
        this.#addQuery(command.queryId)
        break
      case 'insert-select':
        this.#addQuery(command.queryId)
        break
      case 'alter-source':
        this.sources.set(command.source.name, command.source)
        break
      case 'create-type':
        this.types.set(command.name, command.type)
        break
      case 'drop-type':
        this.types.delete(command.name)
        break
      case 'drop':
        this.sources.delete(command.name)
        break
      default:
    }
  }

  #add(source: DataSource, partitions: number | undefined): void {
    this.sources.set(source.name, source)
    if (partitions !== undefined) this.topics.set(source.topic, partitions)
  }

  #addQuery(id: string): void {
    this.queries.add(id)
    this.#queryNumber++
  }
}

export interface Session {
  readonly catalog: MemoryCatalog
  readonly context: PrepareContext
  /** Prepares and applies all statements of a text; returns the last command. */
  run(text: string): Command
}

export function session(
  options: {
    readonly settings?: Readonly<Record<string, string>>
    readonly otherTopics?: number
    readonly formats?: FormatRules
    readonly keepExistingPartitions?: boolean
  } = {},
): Session {
  const catalog = new MemoryCatalog(options.otherTopics ?? 1)
  const functionContext = {
    clock: new ManualClock(),
    random: seededRandom(1),
    settings: new Map<string, string>(),
  }
  const context: PrepareContext = {
    catalog,
    functions: functionRegistry,
    formats: options.formats ?? formatRulesOver(new EmbeddedSchemaRegistry()),
    settings: new Map(Object.entries(options.settings ?? {})),
    keepExistingPartitions: options.keepExistingPartitions,
    evaluate: (expr) =>
      compileOverRow(
        expr,
        { columns: [] },
        { functions: functionRegistry, functionContext },
      )([], { timestampMs: 0 }),
  }
  return {
    catalog,
    context,
    run(text) {
      let last: Command = { kind: 'nothing', message: '' }
      for (const statement of parseStatements(text)) {
        last = prepare(statement, context)
        catalog.apply(last)
      }
      return last
    },
  }
}
