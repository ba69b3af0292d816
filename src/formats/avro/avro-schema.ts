import Big from 'big.js'
import type * as avsc from 'avsc'
import { canonicalBigint, type SqlValue } from '../../plan/sql-value.ts'
import type { ByteWriter } from '../byte-writer.ts'
import type { CompiledSchema } from '../compiled-schema.ts'
import { timestampOf, WireMismatch } from '../wire-coercion.ts'
import { AvroCursor } from './avro-cursor.ts'
import { SchemaError, type WireField, type WireShape, type WireType } from '../wire-type.ts'
import { avroLibrary } from './avro-library.ts'

/** One place of a schema: its type, how it is read, and what the library is given to write. */
interface AvroNode {
  readonly type: WireType
  read(from: AvroCursor): SqlValue
  write(value: SqlValue): unknown
}

type AvroObject = Readonly<Record<string, unknown>>

/**
 * Makes an Avro schema ready. Types Avro knows and SQL doesn't become their nearest: enums are strings, fixed is
 * bytes, a union of several types is a struct with a field for each; lists of entries that Connect marks as such
 * are maps.
 *
 * @throws SchemaError when the text is no Avro schema, or a record contains itself
 */
export function compileAvro(text: string): CompiledSchema {
  let schema: unknown
  try {
    schema = JSON.parse(text)
  } catch (cause) {
    throw new SchemaError(`The Avro schema is not JSON: ${(cause as Error).message}`, { cause })
  }
  const node = new AvroReading().node(schema, '')
  return new CompiledAvro(node, avroType(schema))
}

function avroType(schema: unknown): avsc.Type {
  const { Type, types } = avroLibrary()
  const long = types.LongType.__with({
    fromBuffer: (bytes: Buffer) => canonicalBigint(bytes.readBigInt64LE()),
    toBuffer: (value: number | bigint) => {
      const bytes = Buffer.allocUnsafe(8)
      bytes.writeBigInt64LE(BigInt(value))
      return bytes
    },
    fromJSON: (value: number) => value,
    toJSON: Number,
    isValid: (value: unknown) => typeof value === 'bigint' || Number.isInteger(value),
    compare: (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0),
  })
  try {
    return Type.forSchema(
      schema as avsc.Schema,
      {
        registry: { long },
        typeHook: (part, options) => {
          if (isLong(part)) return long
          // A branch has to be told by its name where there are several: values alone don't tell.
          return Array.isArray(part) && part.filter((branch) => branch !== 'null').length > 1
            ? new types.WrappedUnionType(part, options)
            : undefined
        },
      } as Partial<avsc.ForSchemaOptions>,
    )
  } catch (cause) {
    throw new SchemaError(`The Avro schema can't be used: ${(cause as Error).message}`, { cause })
  }
}

function isLong(part: unknown): boolean {
  return typeof part === 'object' && part !== null && (part as AvroObject)['type'] === 'long'
}

class CompiledAvro implements CompiledSchema {
  readonly type: WireType
  readonly #node: AvroNode
  readonly #avro: avsc.Type
  readonly #cursor = new AvroCursor()

  constructor(node: AvroNode, avro: avsc.Type) {
    this.type = node.type
    this.#node = node
    this.#avro = avro
  }

  decode(bytes: Uint8Array, start: number, end: number): SqlValue {
    const cursor = this.#cursor
    cursor.reset(bytes, start, end)
    const value = this.#node.read(cursor)
    if (cursor.left > 0) throw new WireMismatch(`${cursor.left} bytes follow the Avro data`)
    return value
  }

  encode(value: SqlValue, into: ByteWriter): void {
    const written = this.#node.write(value)
    for (;;) {
      const buffer = Buffer.from(into.bytes.buffer, into.bytes.byteOffset, into.bytes.byteLength)
      const next = this.#avro.encode(written, buffer, into.length)
      if (next >= 0) {
        into.length = next
        return
      }
      into.reserve(into.bytes.length - into.length - next)
    }
  }
}

const readInt = (from: AvroCursor): SqlValue => from.int()

/** Reads a schema's JSON; names that were defined are known to what follows. */
class AvroReading {
  readonly #named = new Map<string, AvroNode>()
  readonly #open = new Set<string>()

  node(schema: unknown, namespace: string): AvroNode {
    if (Array.isArray(schema)) return this.#union(schema, namespace)
    if (typeof schema === 'string') return this.#primitiveOrNamed(schema, {}, namespace)
    if (typeof schema !== 'object' || schema === null)
      throw new SchemaError(`An Avro schema can't be ${JSON.stringify(schema)}.`)
    const object = schema as AvroObject
    switch (object['type']) {
      case 'record':
      case 'error':
        return this.#record(object, namespace)
      case 'enum': {
        const symbols = Array.isArray(object['symbols']) ? (object['symbols'] as unknown[]).map(String) : []
        const node = plain({ kind: 'string' }, (from) => {
          const symbol = symbols[from.int()]
          if (symbol === undefined) throw new WireMismatch('The record has a symbol its enum has not')
          return symbol
        })
        this.#named.set(fullName(object, namespace).name, node)
        return node
      }
      case 'fixed': {
        const node = bytesNode(object)
        this.#named.set(fullName(object, namespace).name, node)
        return node
      }
      case 'array':
        return this.#array(object, namespace)
      case 'map':
        return this.#map(object, namespace)
      default:
        return typeof object['type'] === 'string'
          ? this.#primitiveOrNamed(object['type'], object, namespace)
          : this.node(object['type'], namespace)
    }
  }

  #primitiveOrNamed(name: string, object: AvroObject, namespace: string): AvroNode {
    const logical = object['logicalType']
    switch (name) {
      case 'int':
        if (logical === 'date') return plain({ kind: 'date' }, readInt)
        if (logical === 'time-millis') return plain({ kind: 'time' }, readInt)
        return plain({ kind: 'int32' }, readInt)
      case 'long':
        return logical === 'timestamp-millis'
          ? plain({ kind: 'timestamp' }, (from) => timestampOf(from.long()))
          : plain({ kind: 'int64' }, (from) => from.long())
      case 'float':
        return plain({ kind: 'float32' }, (from) => from.float())
      case 'double':
        return plain({ kind: 'float64' }, (from) => from.double())
      case 'bytes':
        return bytesNode(object)
      case 'boolean':
        return plain({ kind: 'boolean' }, (from) => from.byte() === 1)
      case 'string':
        return plain({ kind: 'string' }, (from) => from.text())
      case 'null':
        throw new SchemaError('An Avro schema of nulls alone has no SQL type.')
      default: {
        const full = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
        const known = this.#named.get(full) ?? this.#named.get(name)
        if (known !== undefined) return known
        if (this.#open.has(full) || this.#open.has(name)) {
          throw new SchemaError(`The Avro record ${name} contains itself, which no SQL type does.`)
        }
        throw new SchemaError(`The Avro schema names the type ${name}, which it doesn't define.`)
      }
    }
  }

  #record(object: AvroObject, outer: string): AvroNode {
    const { name, namespace } = fullName(object, outer)
    this.#open.add(name)
    const given = object['fields']
    if (!Array.isArray(given)) throw new SchemaError(`The Avro record ${name} has no fields.`)
    const nodes: AvroNode[] = []
    const fields = given.map((field: AvroObject): WireField => {
      const node = this.node(field['type'], namespace)
      nodes.push(node)
      const preset = field['default']
      if (field['name'] === '__proto__') throw new SchemaError("An Avro field can't be called __proto__.")
      return {
        name: String(field['name']),
        type: node.type,
        default: preset === undefined ? undefined : defaultValue(preset, node.type),
      }
    })
    this.#open.delete(name)
    const names = fields.map((f) => f.name)
    const node: AvroNode = {
      type: { kind: 'struct', fields, optional: false },
      read: (from) => {
        const row = new Array<SqlValue>(nodes.length)
        for (let i = 0; i < nodes.length; i++) row[i] = nodes[i]!.read(from)
        return row
      },
      write: (value) => {
        const record: Record<string, unknown> = {}
        for (let i = 0; i < nodes.length; i++)
          record[names[i]!] = nodes[i]!.write((value as readonly SqlValue[])[i]!)
        return record
      },
    }
    this.#named.set(name, node)
    return node
  }

  #array(object: AvroObject, namespace: string): AvroNode {
    const element = this.node(object['items'], namespace)
    if (isMapEntry(object['items']) && element.type.kind === 'struct') {
      const { fields } = element.type
      const keyAt = fields.findIndex((f) => f.name === 'key')
      const valueAt = fields.findIndex((f) => f.name === 'value')
      if (keyAt < 0 || valueAt < 0)
        throw new SchemaError('The entries of an Avro map have a key and a value.')
      return {
        type: { kind: 'map', key: fields[keyAt]!.type, value: fields[valueAt]!.type, optional: false },
        read: (from) => {
          const map = new Map<SqlValue, SqlValue>()
          from.blocks(() => {
            const entry = element.read(from) as readonly SqlValue[]
            map.set(entry[keyAt]!, entry[valueAt]!)
          })
          return map
        },
        write: (value) =>
          [...(value as ReadonlyMap<SqlValue, SqlValue>)].map(([key, member]) => {
            const entry = fields.map((): SqlValue => null)
            entry[keyAt] = key
            entry[valueAt] = member
            return element.write(entry)
          }),
      }
    }
    return {
      type: { kind: 'array', element: element.type, optional: false },
      read: (from) => {
        const items: SqlValue[] = []
        from.blocks(() => items.push(element.read(from)))
        return items
      },
      write: (value) => (value as readonly SqlValue[]).map((item) => element.write(item)),
    }
  }

  #map(object: AvroObject, namespace: string): AvroNode {
    const member = this.node(object['values'], namespace)
    return {
      type: {
        kind: 'map',
        key: { kind: 'string', optional: false },
        value: member.type,
        optional: false,
      },
      read: (from) => {
        const map = new Map<SqlValue, SqlValue>()
        from.blocks(() => map.set(from.text(), member.read(from)))
        return map
      },
      write: (value) =>
        Object.fromEntries(
          [...(value as ReadonlyMap<SqlValue, SqlValue>)].map(([k, v]) => [k as string, member.write(v)]),
        ),
    }
  }

  #union(branches: readonly unknown[], namespace: string): AvroNode {
    const others = branches.filter((branch) => branch !== 'null')
    const optional = others.length < branches.length
    const nullAt = branches.indexOf('null')
    if (others.length === 1 && optional) {
      const node = this.node(others[0], namespace)
      return {
        type: { ...node.type, optional: true },
        read: (from) => (branchOf(from, branches.length) === nullAt ? null : node.read(from)),
        write: (value) => (value === null ? null : node.write(value)),
      }
    }
    const nodes = others.map((branch) => ({
      ...branchNames(branch, namespace),
      node: this.node(branch, namespace),
    }))
    return {
      type: {
        kind: 'struct',
        fields: nodes.map(({ field, node }) => ({
          name: field,
          type: { ...node.type, optional: true },
          default: null,
        })),
        optional,
      },
      read: (from) => {
        const branch = branchOf(from, branches.length)
        if (branch === nullAt) return null
        const chosen = branch - (nullAt >= 0 && nullAt < branch ? 1 : 0)
        return nodes.map(({ node }, i) => (i === chosen ? node.read(from) : null))
      },
      write: (value) => {
        if (value === null) return null
        const chosen = (value as readonly SqlValue[]).findIndex((v) => v !== null)
        if (chosen < 0) {
          if (optional) return null
          throw new WireMismatch('A union of several types has no value')
        }
        const { full, node } = nodes[chosen]!
        const written = node.write((value as readonly SqlValue[])[chosen]!)
        // Where there is no choice the library takes the value alone.
        return nodes.length === 1 ? written : { [full]: written }
      },
    }
  }
}

function plain(
  shape: Exclude<WireShape, { readonly kind: 'array' | 'map' | 'struct' }>,
  read: (from: AvroCursor) => SqlValue,
): AvroNode {
  return { type: { ...shape, optional: false }, read, write: (value) => value }
}

/** Which branch of a union follows. */
function branchOf(from: AvroCursor, branches: number): number {
  const branch = from.int()
  if (branch >= 0 && branch < branches) return branch
  throw new WireMismatch(`The record has branch ${branch} of a union of ${branches}`)
}

/** Bytes, or a decimal: its unscaled value as a big-endian two's complement number. */
function bytesNode(object: AvroObject): AvroNode {
  const size = object['type'] === 'fixed' ? Number(object['size']) : undefined
  if (object['logicalType'] !== 'decimal') {
    return {
      type: { kind: 'bytes', optional: false },
      read: (from) => from.bytes(size),
      write: (value) => {
        const { buffer, byteOffset, byteLength } = value as Uint8Array
        return Buffer.from(buffer, byteOffset, byteLength)
      },
    }
  }
  const scale = Number(object['scale'] ?? 0)
  const precision = Number(object['precision'] ?? 64)
  return {
    type: { kind: 'decimal', precision, scale, optional: false },
    read: (from) => decimalOf(from.bytes(size), scale),
    write: (value) => decimalBytes(value as Big, scale, size ?? null),
  }
}

/** A decimal from its unscaled value, big-endian two's complement. */
export function decimalOf(bytes: Uint8Array, scale: number): Big {
  let unscaled = 0n
  for (const byte of bytes) unscaled = (unscaled << 8n) | BigInt(byte)
  unscaled = BigInt.asIntN(bytes.length * 8, unscaled)
  const value = new Big(unscaled.toString())
  value.e -= value.c[0] === 0 ? 0 : scale
  return value
}

/** The shortest unscaled value, or one of `size` bytes. */
export function decimalBytes(value: Big, scale: number, size: number | null = null): Buffer {
  const unscaled = BigInt(value.toFixed(scale).replace('.', ''))
  let length = 1
  while (BigInt.asIntN(length * 8, unscaled) !== unscaled) length++
  if (size !== null) {
    if (length > size) throw new WireMismatch(`${value.toFixed()} does not fit into ${size} bytes`)
    length = size
  }
  const bytes = Buffer.alloc(length)
  for (let at = length - 1, rest = unscaled; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 255n)
  return bytes
}

function fullName(object: AvroObject, outer: string): { readonly name: string; readonly namespace: string } {
  const name = typeof object['name'] === 'string' ? object['name'] : ''
  const dot = name.lastIndexOf('.')
  if (dot >= 0) return { name, namespace: name.slice(0, dot) }
  const namespace = typeof object['namespace'] === 'string' ? object['namespace'] : outer
  return { name: namespace === '' ? name : `${namespace}.${name}`, namespace }
}

/** How a branch of a union is called: by the library, and as a field. */
function branchNames(branch: unknown, namespace: string): { readonly full: string; readonly field: string } {
  if (typeof branch === 'string') {
    const primitive = /^(boolean|int|long|float|double|bytes|string)$/.test(branch)
    const full = primitive || branch.includes('.') || namespace === '' ? branch : `${namespace}.${branch}`
    return { full, field: branch.slice(branch.lastIndexOf('.') + 1) }
  }
  const object = branch as AvroObject
  if (typeof object['name'] === 'string') {
    const { name } = fullName(object, namespace)
    return { full: name, field: name.slice(name.lastIndexOf('.') + 1) }
  }
  return { full: String(object['type']), field: String(object['type']) }
}

function isMapEntry(items: unknown): boolean {
  if (typeof items !== 'object' || items === null) return false
  const object = items as AvroObject
  return (
    object['connect.internal.type'] === 'MapEntry' ||
    (object['name'] === 'MapEntry' && object['namespace'] === 'io.confluent.connect.avro')
  )
}

/** What a default in the schema's text stands for; only scalars can be written for a missing value. */
function defaultValue(preset: unknown, type: WireType): SqlValue | undefined {
  if (preset === null || typeof preset === 'boolean' || typeof preset === 'number') return preset
  if (typeof preset === 'string') {
    return type.kind === 'bytes'
      ? new Uint8Array(Buffer.from(preset, 'latin1'))
      : type.kind === 'string'
        ? preset
        : undefined
  }
  if (Array.isArray(preset) && preset.length === 0) return []
  return undefined
}
