import type { SchemaLanguage, SchemaReference } from '../../formats/schema-registry.ts'
import {
  isJsonArray,
  isJsonObject,
  JsonNumber,
  parseJsonTree,
  printJsonTree,
  type JsonObject,
  type JsonTree,
} from './json-tree.ts'

/** One case of a conformance file. */
export interface ConformanceCase {
  readonly id: string
  readonly kind: 'query' | 'rest'
  readonly name: string
  readonly statements: readonly string[]
  readonly properties: ReadonlyMap<string, string>
  readonly topics: readonly CaseTopic[]
  readonly inputs: readonly CaseRecord[]
  readonly outputs: readonly CaseRecord[]
  readonly expectedException: ExpectedException | null
  readonly post: JsonObject | null
}

export interface CaseTopic {
  readonly name: string
  readonly partitions: number
  /** null: nothing is registered for that side. */
  readonly key: CaseSchema | null
  readonly value: CaseSchema | null
}

/** A schema that is registered before the first statement. */
export interface CaseSchema {
  readonly language: SchemaLanguage
  readonly text: string
  /** null: any. */
  readonly id: number | null
  readonly references: readonly SchemaReference[]
}

export interface CaseRecord {
  readonly topic: string
  readonly key: JsonTree
  readonly value: JsonTree
  /** null: not given. */
  readonly timestampMs: number | null
  readonly window: CaseWindow | null
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
}

export interface CaseWindow {
  readonly startMs: number
  readonly endMs: number
  readonly type: 'time' | 'session'
}

export interface ExpectedException {
  readonly type: string
  readonly message: string | null
}

/** A case as it stands in the file; reading it may show that it is malformed. */
export interface UnreadCase {
  readonly id: string
  /** @throws TypeError naming the member that is wrong */
  read(): ConformanceCase
}

/**
 * The cases of a file's text, in file order.
 *
 * @returns null when the file has no `tests` array: it is no case file
 * @throws SyntaxError when the text isn't JSON
 */
export function casesOf(text: string): readonly UnreadCase[] | null {
  const tree = parseJsonTree(text)
  if (!isJsonObject(tree)) return null
  const tests = tree.get('tests')
  if (!isJsonArray(tests)) return null
  return tests.map((test, i) => {
    const id = isJsonObject(test) ? test.get('id') : undefined
    return { id: typeof id === 'string' ? id : `case ${i + 1}`, read: () => readCase(test) }
  })
}

function readCase(tree: JsonTree): ConformanceCase {
  const members = object(tree, 'case')
  const exception = members.get('expectedException')
  return {
    id: text(members, 'id'),
    kind: text(members, 'kind') === 'rest' ? 'rest' : 'query',
    name: optionalText(members, 'name') ?? '',
    statements: list(members, 'statements').map((s) => {
      if (typeof s !== 'string') throw new TypeError('A statement of the case is not a string.')
      return s
    }),
    properties: new Map(
      [...object(members.get('properties') ?? new Map(), 'properties')].map(([name, value]) => [
        name,
        typeof value === 'string' ? value : printJsonTree(value),
      ]),
    ),
    topics: list(members, 'topics').map(readTopic),
    inputs: list(members, 'inputs').map(readRecord),
    outputs: list(members, 'outputs').map(readRecord),
    expectedException: isJsonObject(exception)
      ? { type: optionalText(exception, 'type') ?? '', message: optionalText(exception, 'message') }
      : null,
    post: members.has('post') ? object(members.get('post')!, 'post') : null,
  }
}

function readTopic(tree: JsonTree): CaseTopic {
  const members = object(tree, 'topics[]')
  return {
    name: text(members, 'name'),
    partitions: wholeNumber(members, 'partitions') ?? 1,
    key: readSchema(members, 'key'),
    value: readSchema(members, 'value'),
  }
}

function readSchema(members: JsonObject, side: 'key' | 'value'): CaseSchema | null {
  const tree = members.get(`${side}Schema`) ?? null
  if (tree === null) return null
  const language = schemaLanguage(optionalText(members, `${side}Format`) ?? 'AVRO')
  return {
    language,
    text: schemaText(tree, language),
    id: wholeNumber(members, `${side}SchemaId`),
    references: list(members, `${side}SchemaReferences`).map((reference) => {
      const parts = object(reference, `${side}SchemaReferences[]`)
      return { name: text(parts, 'name'), text: schemaText(parts.get('schema') ?? null, language) }
    }),
  }
}

function schemaLanguage(format: string): SchemaLanguage {
  switch (format) {
    case 'AVRO':
      return 'AVRO'
    case 'PROTOBUF':
      return 'PROTOBUF'
    case 'JSON':
    case 'JSON_SR':
      return 'JSON'
    default:
      throw new TypeError(`A schema has the format ${format}.`)
  }
}

/** Protobuf is text; the others are JSON, in which a bare string is a type's name. */
function schemaText(tree: JsonTree, language: SchemaLanguage): string {
  return language === 'PROTOBUF' && typeof tree === 'string' ? tree : printJsonTree(tree)
}

function readRecord(tree: JsonTree): CaseRecord {
  const members = object(tree, 'record')
  const window = members.get('window') ?? null
  return {
    topic: text(members, 'topic'),
    key: members.get('key') ?? null,
    value: members.get('value') ?? null,
    timestampMs: wholeNumber(members, 'timestamp'),
    window: window === null ? null : readWindow(object(window, 'window')),
    headers: list(members, 'headers').map((header) => {
      const parts = object(header, 'headers[]')
      const value = optionalText(parts, 'VALUE')
      return {
        key: text(parts, 'KEY'),
        value: value === null ? null : new Uint8Array(Buffer.from(value, 'base64')),
      }
    }),
  }
}

function readWindow(members: JsonObject): CaseWindow {
  const type = optionalText(members, 'type')?.toLowerCase()
  if (type !== 'time' && type !== 'session') throw new TypeError(`A window has the type ${type ?? 'null'}.`)
  return { startMs: wholeNumber(members, 'start') ?? 0, endMs: wholeNumber(members, 'end') ?? 0, type }
}

function object(tree: JsonTree, what: string): JsonObject {
  if (!isJsonObject(tree)) throw new TypeError(`The member ${what} is not an object.`)
  return tree
}

function list(members: JsonObject, name: string): readonly JsonTree[] {
  const tree = members.get(name) ?? []
  if (!isJsonArray(tree)) throw new TypeError(`The member ${name} is not a list.`)
  return tree
}

function text(members: JsonObject, name: string): string {
  const value = optionalText(members, name)
  if (value === null) throw new TypeError(`The member ${name} is missing.`)
  return value
}

function optionalText(members: JsonObject, name: string): string | null {
  const value = members.get(name) ?? null
  if (value !== null && typeof value !== 'string') throw new TypeError(`The member ${name} is not a string.`)
  return value
}

function wholeNumber(members: JsonObject, name: string): number | null {
  const value = members.get(name) ?? null
  if (value === null) return null
  if (!(value instanceof JsonNumber)) throw new TypeError(`The member ${name} is not a number.`)
  return Number(value.text)
}
