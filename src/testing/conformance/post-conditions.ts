import { subjectOf, type RegisteredSchema } from '../../formats/schema-registry.ts'
import type { DataSource, FormatSpec } from '../../plan/data-source.ts'
import { inputsOf, type PlanNode } from '../../plan/plan-node.ts'
import { sameType, type SqlType } from '../../plan/sql-type.ts'
import type { Column } from '../../plan/schema.ts'
import { resolveType } from '../../sql/analyse/resolve-type.ts'
import { parseStatements } from '../../sql/parse.ts'
import type { TestDriver } from '../driver.ts'
import {
  isJsonArray,
  isJsonObject,
  JsonNumber,
  parseJsonTree,
  printJsonTree,
  type JsonObject,
  type JsonTree,
} from './json-tree.ts'

/** Checks what a case says must exist after it ran; the first thing that doesn't hold, or null. */
export function checkPostConditions(post: JsonObject, driver: TestDriver): string | null {
  const sources = post.get('sources')
  if (isJsonArray(sources)) {
    for (const expected of sources) {
      const problem = isJsonObject(expected) ? checkSource(expected, driver) : 'post.sources holds no object'
      if (problem !== null) return problem
    }
  }
  const topics = post.get('topics')
  return isJsonObject(topics) ? checkTopics(topics, driver) : null
}

function checkSource(expected: JsonObject, driver: TestDriver): string | null {
  const name = textOf(expected.get('name')) ?? ''
  const source = driver.catalog.source(name)
  const where = `post.sources ${name}`
  if (source === undefined) return `${where}: there is no such source`
  const type = textOf(expected.get('type'))
  if (type !== null && type.toLowerCase() !== source.kind)
    return `${where}: is a ${source.kind}, not a ${type}`
  const schema = textOf(expected.get('schema'))
  if (schema !== null) {
    const problem = compareSchema(schema, source, driver)
    if (problem !== null) return `${where}: ${problem}`
  }
  const keyFormat = expected.get('keyFormat')
  if (isJsonObject(keyFormat)) {
    const format = textOf(keyFormat.get('format'))
    if (format !== null && format !== source.keyFormat.name) {
      return `${where}: key format ${source.keyFormat.name}, expected ${format}`
    }
    const windowType = textOf(keyFormat.get('windowType'))
    if (windowType !== (source.windowedKey?.type ?? null)) {
      return `${where}: key window ${source.windowedKey?.type ?? 'none'}, expected ${windowType ?? 'none'}`
    }
    const size = keyFormat.get('windowSize')
    const expectedSize = size instanceof JsonNumber ? Number(size.text) : null
    if (expectedSize !== (source.windowedKey?.sizeMs ?? null)) {
      return `${where}: window size ${source.windowedKey?.sizeMs ?? 'none'}, expected ${expectedSize ?? 'none'}`
    }
  }
  const valueFormat = textOf(expected.get('valueFormat'))
  if (valueFormat !== null && valueFormat !== source.valueFormat.name) {
    return `${where}: value format ${source.valueFormat.name}, expected ${valueFormat}`
  }
  for (const [member, spec] of [
    ['keyFeatures', source.keyFormat],
    ['valueFeatures', source.valueFormat],
  ] as const) {
    const features = expected.get(member)
    if (features !== undefined && !sameFeatures(features, spec)) {
      return `${where}: ${member} [${featuresOf(spec).join()}], expected ${printJsonTree(features)}`
    }
  }
  const isSource = expected.get('isSource')
  if (typeof isSource === 'boolean' && isSource !== source.readOnly) {
    return `${where}: ${source.readOnly ? 'is' : 'is not'} read-only`
  }
  return null
}

function checkTopics(expected: JsonObject, driver: TestDriver): string | null {
  const topics = expected.get('topics')
  for (const topic of isJsonArray(topics) ? topics : []) {
    if (!isJsonObject(topic)) return 'post.topics holds no object'
    const name = textOf(topic.get('name')) ?? ''
    if (name.startsWith('_confluent-ksql-')) continue
    const source = driver.sourceOf(name)
    if (!driver.topicNames().includes(name) || source === undefined)
      return `post.topics ${name}: there is no such topic`
    for (const [member, spec] of [
      ['keyFormat', source.keyFormat],
      ['valueFormat', source.valueFormat],
    ] as const) {
      const format = topic.get(member)
      if (!isJsonObject(format)) continue
      const properties = format.get('properties')
      const expectedProperties = isJsonObject(properties)
        ? Object.fromEntries([...properties].map(([k, v]) => [k, textOf(v) ?? printJsonTree(v)]))
        : {}
      if (
        textOf(format.get('format')) !== spec.name ||
        !sameFeatures(format.get('features') ?? [], spec) ||
        !sameProperties(expectedProperties, propertiesOf(spec))
      ) {
        return `post.topics ${name}: ${member} is ${spec.name} [${featuresOf(spec).join()}] ${JSON.stringify(propertiesOf(spec))}, expected ${printJsonTree(format)}`
      }
    }
    for (const side of ['key', 'value'] as const) {
      const schema = topic.get(`${side}Schema`)
      if (schema === undefined || schema === null) continue
      const problem = compareRegistered(schema, driver.registry.latest(subjectOf(name, side)))
      if (problem !== null) return `post.topics ${name}: ${side}Schema ${problem}`
    }
  }
  const blacklist = textOf(expected.get('blacklist'))
  if (blacklist === null) return null
  const pattern = new RegExp(blacklist)
  const names = [
    ...driver.topicNames(),
    ...driver.plans.flatMap((plan, i) => repartitionTopics(plan.root, `query-${i}`)),
  ]
  const found = names.find((name) => pattern.test(name))
  return found === undefined ? null : `post.topics: ${found} must not exist`
}

/** Names for the re-keyed streams a stateful step needs: what Kafka Streams would make topics for. */
function repartitionTopics(root: PlanNode, prefix: string): string[] {
  const found: string[] = []
  const visit = (node: PlanNode, feedsState: boolean): void => {
    if (node.kind === 'rekey' && node.keys.length > 0 && feedsState)
      found.push(`${prefix}-${found.length}-repartition`)
    if (node.kind === 'table-aggregate') found.push(`${prefix}-${found.length}-repartition`)
    const stateful =
      node.kind === 'aggregate' || node.kind === 'table-aggregate' || node.kind.endsWith('-join')
    const passesOn = node.kind === 'filter' || node.kind === 'project' || node.kind === 'flat-map'
    for (const input of inputsOf(node)) visit(input, stateful || (passesOn && feedsState))
  }
  visit(root, false)
  return found
}

function compareSchema(text: string, source: DataSource, driver: TestDriver): string | null {
  const [statement] = parseStatements(
    `CREATE STREAM x (${text.replaceAll(/\bPRIMARY\s+KEY\b/gi, 'KEY')}) WITH (x='x');`,
  )
  if (statement?.kind !== 'create-source') return `the expected schema ${text} is no column list`
  const expected = statement.columns.map((column): { name: string; type: SqlType; isKey: boolean } => ({
    name: column.name.name,
    type: resolveType(column.type, driver.catalog),
    isKey: column.constraint?.kind === 'key' || column.constraint?.kind === 'primary-key',
  }))
  const { columns } = source.schema
  const same =
    columns.length === expected.length &&
    columns.every((c: Column, i) => {
      const e = expected[i]!
      return c.name === e.name && sameType(c.type, e.type) && (c.role === 'key') === e.isKey
    })
  const shown = columns.map((c) => `${c.name} ${c.type.kind}${c.role === 'key' ? ' KEY' : ''}`).join(', ')
  return same ? null : `schema ${shown}, expected ${text}`
}

/** Features of a single column: only where the format leaves a choice. */
function featuresOf(spec: FormatSpec): readonly string[] {
  if (spec.name === 'KAFKA' || spec.name === 'DELIMITED' || spec.name === 'NONE') return []
  if (spec.wrapping === 'wrapped') return ['WRAP_SINGLES']
  return spec.wrapping === 'unwrapped' ? ['UNWRAP_SINGLES'] : []
}

/**
 * The format's own properties as the cases name them. A schema's number is none of them; and that wrapped
 * primitives are read as primitives is one, which this engine always does.
 */
function propertiesOf(spec: FormatSpec): Readonly<Record<string, string>> {
  const { schemaId: _schemaId, nullableRepresentation, ...others } = spec.properties
  return {
    ...others,
    ...(nullableRepresentation === undefined
      ? {}
      : { nullableRepresentation: nullableRepresentation.toLowerCase() }),
    ...(spec.name === 'PROTOBUF' ? { unwrapPrimitives: 'true' } : {}),
  }
}

/** JSON is compared as such, Protobuf as text without white space. */
function compareRegistered(expected: JsonTree, registered: RegisteredSchema | undefined): string | null {
  if (registered === undefined) return 'is not registered'
  const same =
    registered.language === 'PROTOBUF'
      ? typeof expected === 'string' &&
        registered.text.replaceAll(/\s/g, '') === expected.replaceAll(/\s/g, '')
      : printSorted(parseJsonTree(registered.text)) === printSorted(expected)
  return same ? null : `is ${registered.text}, expected ${printJsonTree(expected)}`
}

function printSorted(tree: JsonTree): string {
  if (isJsonArray(tree)) return `[${tree.map(printSorted).join()}]`
  if (!isJsonObject(tree)) return printJsonTree(tree)
  const members = [...tree].map(([name, value]) => `${JSON.stringify(name)}:${printSorted(value)}`)
  return `{${members.sort().join()}}`
}

function sameFeatures(expected: JsonTree, spec: FormatSpec): boolean {
  if (!isJsonArray(expected)) return false
  const features = featuresOf(spec)
  return expected.length === features.length && features.every((feature) => expected.includes(feature))
}

function sameProperties(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const print = (properties: Readonly<Record<string, string>>): string =>
    JSON.stringify(Object.entries(properties).sort(([x], [y]) => (x < y ? -1 : 1)))
  return print(a) === print(b)
}

function textOf(tree: JsonTree | undefined): string | null {
  return typeof tree === 'string' ? tree : null
}
