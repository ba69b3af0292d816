import type * as protobufjs from 'protobufjs'
import type { SchemaText } from '../schema-registry.ts'
import { WireMismatch } from '../wire-coercion.ts'
import { SchemaError } from '../wire-type.ts'
import { protobufLibrary } from './protobuf-library.ts'
import { WELL_KNOWN } from './well-known.ts'

/** A `.proto` file with what it imports. */
export interface ProtoFile {
  /** Its own messages, in order, outermost ones only. */
  readonly messages: readonly protobufjs.Type[]
}

const known = new WeakMap<SchemaText, ProtoFile>()

/** @throws SchemaError */
export function protoFile(schema: SchemaText): ProtoFile {
  const file = known.get(schema) ?? parseFile(schema)
  known.set(schema, file)
  return file
}

function parseFile(schema: SchemaText): ProtoFile {
  const { Root, parse, common } = protobufLibrary()
  const root = new Root()
  const read = new Set<string>()
  const add = (text: string): protobufjs.IParserResult => {
    const result = parse(text, root, { keepCase: true })
    for (const name of [...(result.imports ?? []), ...(result.weakImports ?? [])]) {
      if (read.has(name)) continue
      read.add(name)
      const reference = schema.references.find((r) => r.name === name)?.text ?? WELL_KNOWN[name]
      const bundled = common.get(name)
      if (reference !== undefined) add(reference)
      else if (bundled?.nested !== undefined) root.addJSON(bundled.nested)
      else throw new SchemaError(`The Protobuf schema imports ${name}, which is not registered with it.`)
    }
    return result
  }
  try {
    const { package: name } = add(schema.text)
    root.resolveAll()
    const place = name === undefined || name === '' ? root : root.lookup(name)
    const own = new Set(ownMessages(schema.text))
    const { Type, Namespace } = protobufLibrary()
    const nested = place instanceof Namespace ? place.nestedArray : []
    const messages = nested.filter((n): n is protobufjs.Type => n instanceof Type && own.has(n.name))
    if (messages.length === 0) throw new SchemaError('The Protobuf schema has no message.')
    return { messages }
  } catch (cause) {
    if (cause instanceof SchemaError) throw cause
    throw new SchemaError(`The Protobuf schema can't be used: ${(cause as Error).message}`, { cause })
  }
}

/** Names of the outermost messages of a file by itself: what it imports may be in the same package. */
function ownMessages(text: string): readonly string[] {
  const { Root, parse, Type, Namespace } = protobufLibrary()
  const alone = new Root()
  const { package: name } = parse(text, alone, { keepCase: true })
  const place = name === undefined || name === '' ? alone : alone.lookup(name)
  return place instanceof Namespace
    ? place.nestedArray.filter((n) => n instanceof Type).map((n) => n.name)
    : []
}

/**
 * A message by its name, with or without the package; null: the first.
 *
 * @throws SchemaError
 */
export function messageOf(file: ProtoFile, name: string | null): protobufjs.Type {
  if (name === null) return file.messages[0]!
  for (const { message } of allMessages(file)) {
    if (fullNameOf(message) === name || message.name === name) return message
  }
  throw new SchemaError(`The Protobuf schema has no message ${name}.`)
}

export function fullNameOf(message: protobufjs.Type): string {
  return message.fullName.replace(/^\./, '')
}

/** All messages with their places: positions among the messages of each level. */
function* allMessages(file: ProtoFile): Iterable<{ message: protobufjs.Type; path: readonly number[] }> {
  yield* within(file.messages, [])
}

function* within(
  messages: readonly protobufjs.Type[],
  outer: readonly number[],
): Iterable<{ message: protobufjs.Type; path: readonly number[] }> {
  for (const [i, message] of messages.entries()) {
    const path = [...outer, i]
    yield { message, path }
    yield* within(nestedMessages(message), path)
  }
}

function nestedMessages(message: protobufjs.Type): readonly protobufjs.Type[] {
  const { Type } = protobufLibrary()
  return message.nestedArray.filter((n): n is protobufjs.Type => n instanceof Type)
}

/*
 * Which message of a schema follows: the count of positions, then the positions, all zigzag varints. The first
 * message, by far the most frequent, is a single zero.
 */

export function readMessageIndexes(
  schema: SchemaText,
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly message: string | null; readonly next: number } {
  if (start < end && bytes[start] === 0) return { message: null, next: start + 1 }
  let at = start
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (at >= end) throw new WireMismatch('The record ends within the places of its message')
      const byte = bytes[at++]!
      value |= (byte & 127) << shift
      if (byte < 128) return (value >>> 1) ^ -(value & 1)
    }
    throw new WireMismatch("The places of the record's message are no numbers")
  }
  const count = varint()
  if (count < 0 || count > 100) throw new WireMismatch(`A message can't lie ${count} levels deep`)
  let messages = protoFile(schema).messages
  let message: protobufjs.Type | undefined
  for (let i = 0; i < count; i++) {
    const index = varint()
    message = messages[index]
    if (message === undefined) throw new WireMismatch(`The schema has no message at place ${index}`)
    messages = nestedMessages(message)
  }
  return { message: message === undefined ? null : fullNameOf(message), next: at }
}

export function writeMessageIndexes(schema: SchemaText, name: string | null, into: number[]): void {
  const file = protoFile(schema)
  const wanted = messageOf(file, name)
  const path = [...allMessages(file)].find(({ message }) => message === wanted)?.path ?? [0]
  if (path.length === 1 && path[0] === 0) {
    into.push(0)
    return
  }
  for (const value of [path.length, ...path]) {
    let rest = value * 2
    for (; rest > 127; rest >>>= 7) into.push((rest & 127) | 128)
    into.push(rest)
  }
}
