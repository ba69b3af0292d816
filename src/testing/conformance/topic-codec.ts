import { NotSupportedError } from '../../base/errors.ts'
import { ByteWriter } from '../../formats/byte-writer.ts'
import type { Format, SchemaSupport } from '../../formats/format.ts'
import type { CompiledSchema } from '../../formats/compiled-schema.ts'
import { bareMessage } from '../../formats/protobuf/protobuf.ts'
import { FRAME_BYTES, frameOf } from '../../formats/schema-format.ts'
import { subjectOf, type SchemaRegistry } from '../../formats/schema-registry.ts'
import type { DataSource, FormatName, FormatSpec } from '../../plan/data-source.ts'
import { keyColumns, valueColumns, type Column } from '../../plan/schema.ts'
import type { CaseRecord, CaseWindow } from './case-file.ts'
import { actualFromJson, type ActualValue } from './compare.ts'
import { JsonNumber, parseJsonTree, printJsonTree, type JsonTree } from './json-tree.ts'
import { actualFromWire, valueFromCase } from './wire-json.ts'

/** What the cases write and see of a topic: logical values to bytes and back, independent of the engine's own formats. */

/** Where schemas are found. */
export interface CaseSchemas {
  readonly registry: SchemaRegistry
  formatOf(name: string): Format | undefined
}

/** @throws TypeError for a value that doesn't go with the format: a broken case */
export function encodeSide(
  side: 'key' | 'value',
  source: DataSource,
  record: CaseRecord,
  schemas: CaseSchemas,
): Uint8Array | null {
  const spec = side === 'key' ? source.keyFormat : source.valueFormat
  const headers = source.headers.map((h) => h.column)
  const columns = (side === 'key' ? keyColumns(source.schema) : valueColumns(source.schema)).filter(
    (c) => !headers.includes(c.name),
  )
  const tree = side === 'key' ? record.key : record.value
  const support = schemas.formatOf(spec.name)?.schemas
  const bytes =
    support !== undefined
      ? encodeBySchema(tree, spec, subjectOf(source.topic, side), support, schemas.registry)
      : spec.name === 'PROTOBUF_NOSR'
        ? encodeBare(tree, bareMessage(side, columns, spec))
        : encodeValue(tree, spec, columns)
  if (side === 'value' || bytes === null || source.windowedKey === null) return bytes
  if (record.window === null)
    throw new TypeError(`A record of the windowed topic ${record.topic} has no window.`)
  return withWindow(bytes, record.window)
}

export interface ActualRecord {
  readonly key: ActualValue
  readonly value: ActualValue
  readonly window: CaseWindow | null
}

/** @throws SyntaxError, RangeError when the bytes aren't of the topic's format */
export function decodeRecord(
  source: DataSource,
  record: { readonly key: Uint8Array | null; readonly value: Uint8Array | null },
  exactNumbers: boolean,
  schemas: CaseSchemas,
): ActualRecord {
  const decodeSide = (
    bytes: Uint8Array | null,
    spec: FormatSpec,
    columns: readonly Column[],
  ): ActualValue => {
    const support = schemas.formatOf(spec.name)?.schemas
    if (spec.name === 'PROTOBUF_NOSR' && bytes !== null) {
      const message = bareMessage(columns[0]?.role ?? 'value', columns, spec)
      return actualFromWire(message.decode(bytes, 0, bytes.length), message.type)
    }
    if (support === undefined || bytes === null) return decodeValue(bytes, spec, columns, exactNumbers)
    return decodeBySchema(bytes, support, schemas.registry)
  }
  const split = source.windowedKey === null || record.key === null ? null : splitWindow(record.key, source)
  return {
    key: decodeSide(split?.key ?? record.key, source.keyFormat, keyColumns(source.schema)),
    value: decodeSide(record.value, source.valueFormat, valueColumns(source.schema)),
    window: split?.window ?? null,
  }
}

/** Through the newest schema of the subject. */
function encodeBySchema(
  tree: JsonTree,
  spec: FormatSpec,
  subject: string,
  support: SchemaSupport,
  registry: SchemaRegistry,
): Uint8Array | null {
  if (tree === null) return null
  const schema = registry.latest(subject)
  if (schema === undefined) throw new TypeError(`No schema is registered for ${subject}.`)
  const header = support.messageHeader
  const message = header === null ? null : (spec.properties['fullSchemaName'] ?? null)
  const compiled = support.compile(schema, message)
  const into = new ByteWriter(256)
  const frame = [0, schema.id >>> 24, (schema.id >> 16) & 255, (schema.id >> 8) & 255, schema.id & 255]
  header?.write(schema, message, frame)
  into.copy(Uint8Array.from(frame), 0, frame.length)
  compiled.encode(valueFromCase(tree, compiled.type), into)
  return into.take()
}

function encodeBare(tree: JsonTree, message: CompiledSchema): Uint8Array | null {
  if (tree === null) return null
  const into = new ByteWriter(256)
  message.encode(valueFromCase(tree, message.type), into)
  return into.take()
}

/** With the schema the bytes refer to. */
function decodeBySchema(bytes: Uint8Array, support: SchemaSupport, registry: SchemaRegistry): ActualValue {
  const id = frameOf(bytes, 0, bytes.length)
  const schema = registry.byId(id)
  if (schema === undefined) throw new RangeError(`The bytes refer to schema ${id}, which is not registered.`)
  const { message, next } = support.messageHeader?.read(schema, bytes, FRAME_BYTES, bytes.length) ?? {
    message: null,
    next: FRAME_BYTES,
  }
  const compiled = support.compile(schema, message)
  return actualFromWire(compiled.decode(bytes, next, bytes.length), compiled.type)
}

function encodeValue(tree: JsonTree, spec: FormatSpec, columns: readonly Column[]): Uint8Array | null {
  switch (spec.name) {
    case 'NONE':
      return null
    case 'JSON':
      return tree === null ? null : Buffer.from(printJsonTree(tree))
    case 'DELIMITED':
      if (tree === null) return null
      return Buffer.from(typeof tree === 'string' ? tree : textOf(tree))
    case 'KAFKA':
      return tree === null ? null : encodeKafka(tree, columns)
    default:
      throw unsupported(spec.name)
  }
}

function decodeValue(
  bytes: Uint8Array | null,
  spec: FormatSpec,
  columns: readonly Column[],
  exactNumbers: boolean,
): ActualValue {
  if (bytes === null || spec.name === 'NONE') return null
  switch (spec.name) {
    case 'JSON':
      return actualFromJson(parseJsonTree(utf8(bytes)), exactNumbers)
    case 'DELIMITED':
      return utf8(bytes)
    case 'KAFKA':
      return decodeKafka(bytes, columns)
    default:
      throw unsupported(spec.name)
  }
}

function encodeKafka(tree: JsonTree, columns: readonly Column[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  switch (columns[0]?.type.kind) {
    case 'INTEGER':
      view.setInt32(0, Number(textOf(tree)))
      return new Uint8Array(view.buffer, 0, 4)
    case 'BIGINT':
    case 'TIMESTAMP':
    case 'TIME':
    case 'DATE':
      view.setBigInt64(0, BigInt(textOf(tree)))
      return new Uint8Array(view.buffer)
    case 'DOUBLE':
      view.setFloat64(0, Number(textOf(tree)))
      return new Uint8Array(view.buffer)
    default:
      return Buffer.from(textOf(tree))
  }
}

function decodeKafka(bytes: Uint8Array, columns: readonly Column[]): ActualValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (columns[0]?.type.kind) {
    case 'INTEGER':
      return { kind: 'integer', value: BigInt(view.getInt32(0)) }
    case 'BIGINT':
    case 'TIMESTAMP':
    case 'TIME':
    case 'DATE':
      return { kind: 'integer', value: view.getBigInt64(0) }
    case 'DOUBLE':
      return { kind: 'decimal', text: javaDouble(view.getFloat64(0)) }
    default:
      return utf8(bytes)
  }
}

/** A double as Java prints it: plain from 10^-3 up to 10^7, else with an exponent; always a digit after the point. */
function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const size = Math.abs(value)
  if (size >= 1e-3 && size < 1e7) return Number.isInteger(value) ? `${value}.0` : String(value)
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
}

function withWindow(key: Uint8Array, window: CaseWindow): Uint8Array {
  const times = window.type === 'session' ? [window.endMs, window.startMs] : [window.startMs]
  const bytes = new Uint8Array(key.length + 8 * times.length)
  bytes.set(key)
  const view = new DataView(bytes.buffer)
  times.forEach((time, i) => view.setBigInt64(key.length + 8 * i, BigInt(time)))
  return bytes
}

function splitWindow(
  bytes: Uint8Array,
  source: DataSource,
): { readonly key: Uint8Array; readonly window: CaseWindow } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const timeAt = (fromEnd: number): number => Number(view.getBigInt64(bytes.length - fromEnd))
  if (source.windowedKey!.type === 'SESSION') {
    return {
      key: bytes.subarray(0, bytes.length - 16),
      window: { startMs: timeAt(8), endMs: timeAt(16), type: 'session' },
    }
  }
  const startMs = timeAt(8)
  return {
    key: bytes.subarray(0, bytes.length - 8),
    window: { startMs, endMs: startMs + (source.windowedKey!.sizeMs ?? 0), type: 'time' },
  }
}

/** A scalar as it is written. */
function textOf(tree: JsonTree): string {
  if (typeof tree === 'string') return tree
  return tree instanceof JsonNumber ? tree.text : printJsonTree(tree)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

function unsupported(format: FormatName): NotSupportedError {
  return new NotSupportedError(`The format ${format}`)
}
