import { SqlError } from '../base/errors.ts'
import { isExchange } from '../engine/graph.ts'
import type { Format } from '../formats/format.ts'
import { schemaKey, subjectOf, type SchemaRegistry, type SchemaText } from '../formats/schema-registry.ts'
import type { Command } from '../plan/command.ts'
import type { DataSource, FormatName } from '../plan/data-source.ts'
import { inputsOf, type PlanNode, type QueryPlan, type SinkSpec } from '../plan/plan-node.ts'
import type { Statement } from '../sql/ast.ts'
import { sourcesRead } from './catalog.ts'

interface Registering {
  readonly registry: SchemaRegistry
  readonly formatOf: (name: FormatName) => Format | undefined
}

/** Makes known the schemas a statement may take columns from: those of its topic, and those it gives numbers of. */
export async function loadSchemasOf(statement: Statement, registry: SchemaRegistry): Promise<void> {
  if (statement.kind !== 'create-source' && statement.kind !== 'create-as') return
  const text = (name: string): string | undefined => {
    const literal = statement.properties.find((p) => p.name === name)?.value
    if (literal === undefined || literal.kind === 'null') return undefined
    return 'value' in literal ? String(literal.value) : literal.text
  }
  const topic = text('KAFKA_TOPIC') ?? statement.name.name
  const ids = [text('KEY_SCHEMA_ID'), text('VALUE_SCHEMA_ID')]
    .map(Number)
    .filter((id) => Number.isSafeInteger(id))
  await registry.load({ ids, subjects: [subjectOf(topic, 'key'), subjectOf(topic, 'value')] })
}

/**
 * Registers the schemas by which a command's records are or will be written. What a declared topic has already
 * stays its newest; whoever writes rows registers what they are written with.
 *
 * @throws SqlError when an INSERT … VALUES would change the schema of a topic's keys
 */
export async function registerSchemas(command: Command, host: Registering): Promise<void> {
  const { registry } = host
  switch (command.kind) {
    case 'create-source':
      for (const { subject, schema } of schemasOf(command.source, host)) {
        if (registry.latest(subject) === undefined) await registry.register(subject, schema)
      }
      return
    case 'insert-values':
      for (const { side, subject, schema } of schemasOf(command.into, host)) {
        const newest = registry.latest(subject)
        if (side === 'key' && newest !== undefined && schemaKey(newest) !== schemaKey(schema)) {
          throw new SqlError('SQL_INSERT_KEY_SCHEMA', {
            message: `The keys of ${command.into.name} would get another schema than the one registered for ${subject}.`,
            stage: 'execute',
          })
        }
        await registry.register(subject, schema)
      }
      return
    case 'create-query':
    case 'insert-select':
    case 'create-alert':
      await registerQuerySchemas(command.queryId, command.plan, host)
      return
    default:
  }
}

/** What a query has to know of schemas before it starts: a registry elsewhere tells their numbers anew. */
export async function prepareSchemas(queryId: string, plan: QueryPlan, host: Registering): Promise<void> {
  const { sink } = plan
  const specs = [
    ...(sink === null ? [] : [sink.keyFormat, sink.valueFormat]),
    ...sourcesRead(plan).map((s) => s.keyFormat),
  ]
  const ids = specs.flatMap((spec) => spec.properties['schemaId'] ?? []).map(Number)
  await host.registry.load({ ids })
  await registerQuerySchemas(queryId, plan, host)
}

/**
 * Registers what a query writes with. Rows that change their partition go to that of their key as the topics
 * they meet have it, its schema's number included: that must be the same for as long as the query lives.
 */
async function registerQuerySchemas(queryId: string, plan: QueryPlan, host: Registering): Promise<void> {
  if (plan.sink !== null) {
    for (const { subject, schema } of schemasOf(plan.sink, host))
      await host.registry.register(subject, schema)
  }
  if (!hasExchange(plan.root)) return
  for (const source of sourcesRead(plan)) {
    for (const { side, schema } of schemasOf(source, host)) {
      if (side === 'key') await host.registry.register(`${subjectPrefix(queryId)}${source.topic}-key`, schema)
    }
  }
}

function subjectPrefix(queryId: string): string {
  return `_millrace-${queryId}-`
}

function hasExchange(node: PlanNode): boolean {
  return isExchange(node) || inputsOf(node).some(hasExchange)
}

/** The subjects that a query had for itself. */
export async function forgetQuerySchemas(queryId: string, registry: SchemaRegistry): Promise<void> {
  for (const subject of registry.subjects())
    if (subject.startsWith(subjectPrefix(queryId))) await registry.deleteSubject(subject)
}

/** A deleted topic's schemas go with it. */
export async function forgetSchemas(topic: string, registry: SchemaRegistry): Promise<void> {
  await registry.deleteSubject(subjectOf(topic, 'key'))
  await registry.deleteSubject(subjectOf(topic, 'value'))
}

/** The schemas of both sides where they have any: by the number given, else made from the columns. */
function schemasOf(
  target: DataSource | SinkSpec,
  { registry, formatOf }: Registering,
): readonly { readonly side: 'key' | 'value'; readonly subject: string; readonly schema: SchemaText }[] {
  const headers = 'headers' in target ? target.headers.map((h) => h.column) : []
  return (['key', 'value'] as const).flatMap((side) => {
    const spec = side === 'key' ? target.keyFormat : target.valueFormat
    const columns = target.schema.columns.filter((c) => c.role === side && !headers.includes(c.name))
    const schemas = formatOf(spec.name)?.schemas
    if (schemas === undefined || columns.length === 0) return []
    const { schemaId } = spec.properties
    const schema =
      schemaId === undefined ? schemas.textFor(side, columns, spec) : registry.byId(Number(schemaId))
    return schema === undefined ? [] : [{ side, subject: subjectOf(target.topic, side), schema }]
  })
}
