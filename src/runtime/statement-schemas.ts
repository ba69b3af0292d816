import { SqlError } from '../base/errors.ts'
import type { Format } from '../formats/format.ts'
import { schemaKey, subjectOf, type SchemaRegistry, type SchemaText } from '../formats/schema-registry.ts'
import type { Command } from '../plan/command.ts'
import type { DataSource, FormatName } from '../plan/data-source.ts'
import type { QueryPlan, SinkSpec } from '../plan/plan-node.ts'
import type { Statement } from '../sql/ast.ts'

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
      if (command.plan.sink !== null) await registerSinkSchemas(command.plan.sink, host)
      return
    default:
  }
}

/** What a query has to know of schemas before it starts: a registry elsewhere tells their numbers anew. */
export async function prepareSchemas({ sink }: QueryPlan, host: Registering): Promise<void> {
  if (sink === null) return
  const ids = [sink.keyFormat, sink.valueFormat]
    .flatMap((spec) => spec.properties['schemaId'] ?? [])
    .map(Number)
  await host.registry.load({ ids })
  await registerSinkSchemas(sink, host)
}

/** Registers what a query writes with. */
async function registerSinkSchemas(sink: SinkSpec, host: Registering): Promise<void> {
  for (const { subject, schema } of schemasOf(sink, host)) await host.registry.register(subject, schema)
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
