import Big from 'big.js'
import type * as protobufjs from 'protobufjs'
import { canonicalBigint, isInt32, type SqlValue } from '../../plan/sql-value.ts'
import { decimalBytes, decimalOf } from '../avro/avro-schema.ts'
import type { ByteWriter } from '../byte-writer.ts'
import type { CompiledSchema } from '../compiled-schema.ts'
import { fitsDecimal } from '../fit-decimal.ts'
import { timestampOf, WireMismatch } from '../wire-coercion.ts'
import { SchemaError, type WireField, type WireShape, type WireType } from '../wire-type.ts'
import { protobufLibrary } from './protobuf-library.ts'

/** A value that is there: how the library has it and how we have it. */
interface ProtoNode {
  readonly type: WireType
  read(value: unknown): SqlValue
  write(value: SqlValue): unknown
}

/** A field of ours, which is one of the message or one of several of which one is there. */
interface ProtoField {
  readonly field: WireField
  read(message: Message): SqlValue
  write(value: SqlValue, into: Record<string, unknown>): void
}

type Message = Readonly<Record<string, unknown>>

/**
 * Makes a message of a Protobuf schema ready. A field without presence has its type's zero where nothing is
 * written, and so do writers put it; messages, wrappers and `optional` fields may be null; a `oneof` is a
 * struct, of which at most one field isn't null; enums are strings.
 *
 * @throws SchemaError when a message contains itself, or a type has no SQL type
 */
export function compileMessage(message: protobufjs.Type): CompiledSchema {
  const node = messageNode(message, new Set())
  const { Writer } = protobufLibrary()
  return {
    type: node.type,
    // Values must not refer to the bytes read from: that memory is used again.
    decode: (bytes, start, end) => node.read(message.decode(bytes.subarray(start, end))),
    encode(value: SqlValue, into: ByteWriter): void {
      const bytes = message.encode(node.write(value) as Message, Writer.create()).finish()
      into.copy(bytes, 0, bytes.length)
    },
  }
}

function messageNode(message: protobufjs.Type, open: ReadonlySet<protobufjs.Type>): ProtoNode {
  if (open.has(message)) {
    throw new SchemaError(`The Protobuf message ${message.name} contains itself, which no SQL type does.`)
  }
  const inside = new Set(open).add(message)
  const choices = message.oneofsArray.filter((o) => !o.isProto3Optional)
  const fields = [
    ...choices.map((choice, i) => choiceField(choice, i, inside)),
    ...message.fieldsArray
      .filter((f) => f.partOf === null || f.partOf.isProto3Optional)
      .map((f) => plainField(f, inside)),
  ]
  return {
    type: { kind: 'struct', fields: fields.map((f) => f.field), optional: true },
    read: (value) => fields.map((field) => field.read(value as Message)),
    write: (value) => {
      const written: Record<string, unknown> = {}
      for (let i = 0; i < fields.length; i++) fields[i]!.write((value as readonly SqlValue[])[i]!, written)
      return written
    },
  }
}

function plainField(field: protobufjs.Field, open: ReadonlySet<protobufjs.Type>): ProtoField {
  const { name } = field
  if (name === '__proto__') throw new SchemaError("A Protobuf field can't be called __proto__.")
  const { MapField } = protobufLibrary()
  if (field instanceof MapField) return mapField(field, open)
  const node = valueNode(field, open)
  if (field.repeated) {
    return {
      field: { name, type: { kind: 'array', element: present(node), optional: false }, default: [] },
      read: (message) => ((message[name] ?? []) as unknown[]).map((item) => node.read(item)),
      write: (value, into) => {
        into[name] = ((value ?? []) as readonly SqlValue[]).map((item) => node.write(item))
      },
    }
  }
  const mayBeMissing = node.type.optional || field.hasPresence
  if (mayBeMissing) {
    return {
      field: { name, type: { ...node.type, optional: true }, default: undefined },
      read: (message) => {
        const value = Object.hasOwn(message, name) ? message[name] : null
        return value === null || value === undefined ? null : node.read(value)
      },
      write: (value, into) => {
        if (value !== null) into[name] = node.write(value)
      },
    }
  }
  return {
    field: { name, type: node.type, default: zeroOf(field) },
    // Where nothing is written the message's prototype has the zero.
    read: (message) => node.read(message[name]),
    write: (value, into) => {
      into[name] = node.write(value)
    },
  }
}

/** Inside of lists and maps nothing is missing, messages neither. */
function present(node: ProtoNode): WireType {
  return { ...node.type, optional: false }
}

function choiceField(
  choice: protobufjs.OneOf,
  index: number,
  open: ReadonlySet<protobufjs.Type>,
): ProtoField {
  const branches = choice.fieldsArray.map((field) => ({ name: field.name, node: valueNode(field, open) }))
  return {
    field: {
      name: `${choice.name}_${index}`,
      type: {
        kind: 'struct',
        fields: branches.map(({ name, node }) => ({
          name,
          type: { ...node.type, optional: true },
          default: undefined,
        })),
        optional: true,
      },
      default: undefined,
    },
    read: (message) => {
      if (!branches.some(({ name }) => Object.hasOwn(message, name))) return null
      return branches.map(({ name, node }) =>
        Object.hasOwn(message, name) ? node.read(message[name]) : null,
      )
    },
    write: (value, into) => {
      if (value === null) return
      for (const [i, { name, node }] of branches.entries()) {
        const branch = (value as readonly SqlValue[])[i]!
        if (branch === null) continue
        into[name] = node.write(branch)
        return
      }
    },
  }
}

function mapField(field: protobufjs.MapField, open: ReadonlySet<protobufjs.Type>): ProtoField {
  const { name } = field
  const key = scalarNode(field.keyType)
  const member = valueNode(field, open)
  const isLong = key.type.kind === 'int64' && field.keyType.endsWith('64')
  const { longFromHash } = protobufLibrary().util
  // The names of an object are text, whatever the keys are.
  const keyOf = (text: string): SqlValue => {
    if (isLong) return key.read(longFromHash(text))
    if (key.type.kind === 'string') return text
    return key.type.kind === 'boolean' ? text === 'true' : Number(text)
  }
  return {
    field: {
      name,
      type: { kind: 'map', key: key.type, value: present(member), optional: false },
      default: new Map(),
    },
    read: (message) =>
      new Map(Object.entries((message[name] ?? {}) as Message).map(([k, v]) => [keyOf(k), member.read(v)])),
    write: (value, into) => {
      const entries = [...((value ?? new Map()) as ReadonlyMap<SqlValue, SqlValue>)]
      into[name] = Object.fromEntries(
        entries.map(([k, v]) => [String(k as string | number | bigint | boolean), member.write(v)]),
      )
    },
  }
}

/** What fields and maps have in common. */
type FieldType = Pick<protobufjs.Field, 'type' | 'resolvedType' | 'parsedOptions'>

/** What one value of a field is: of repeated fields and maps, one element. */
function valueNode(field: FieldType, open: ReadonlySet<protobufjs.Type>): ProtoNode {
  const { resolvedType } = field
  if (resolvedType === null) return scalarNode(field.type)
  const { Enum } = protobufLibrary()
  if (resolvedType instanceof Enum) return enumNode(resolvedType)
  const known = WELL_KNOWN_NODES[resolvedType.fullName]
  return known === undefined ? messageNode(resolvedType, open) : known(field)
}

function enumNode({ name: enumName, values, valuesById }: protobufjs.Enum): ProtoNode {
  return {
    type: { kind: 'string', optional: false },
    read: (value) => valuesById[value as number] ?? `UNKNOWN_ENUM_VALUE_${enumName}_${value as number}`,
    write: (value) => {
      const number = Object.hasOwn(values, value as string) ? values[value as string] : undefined
      if (number === undefined) throw new SchemaError(`The enum ${enumName} has no value ${value as string}.`)
      return number
    },
  }
}

function plain(
  kind: WireShape['kind'] & ('boolean' | 'int32' | 'float32' | 'float64' | 'string'),
): ProtoNode {
  return { type: { kind, optional: false }, read: (value) => value as SqlValue, write: (value) => value }
}

function scalarNode(type: string): ProtoNode {
  switch (type) {
    case 'bool':
      return plain('boolean')
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return plain('int32')
    case 'uint32':
    case 'fixed32':
      // Does not fit 32 bits with a sign.
      return {
        type: { kind: 'int64', optional: false },
        read: (v) => v as number,
        write: (v) => Number(v) >>> 0,
      }
    case 'int64':
    case 'sint64':
    case 'sfixed64':
      return longNode(false)
    case 'uint64':
    case 'fixed64':
      return longNode(true)
    case 'float':
      return plain('float32')
    case 'double':
      return plain('float64')
    case 'string':
      return plain('string')
    case 'bytes':
      return {
        type: { kind: 'bytes', optional: false },
        read: (value) => Uint8Array.from(value as ArrayLike<number>),
        write: (value) => value,
      }
    default:
      throw new SchemaError(`The Protobuf type ${type} has no SQL type.`)
  }
}

/** 64 bits; unsigned ones beyond the signed range wrap around, as they do in a BIGINT. */
function longNode(unsigned: boolean): ProtoNode {
  return {
    type: { kind: 'int64', optional: false },
    read: (value) => longValue(value as LongBits | number),
    write: (value) => longBits(value as number | bigint, unsigned),
  }
}

interface LongBits {
  readonly low: number
  readonly high: number
  readonly unsigned: boolean
}

function longValue(value: LongBits | number): number | bigint {
  if (typeof value === 'number') return value
  const { low, high } = value
  if (high >= -0x200000 && high < 0x200000) {
    const number = high * 4294967296 + (low >>> 0)
    if (Number.isSafeInteger(number)) return number
  }
  return canonicalBigint((BigInt(high) << 32n) | BigInt(low >>> 0))
}

function longBits(value: number | bigint, unsigned: boolean): LongBits {
  if (typeof value === 'number') {
    const high = Math.floor(value / 4294967296)
    return { low: (value - high * 4294967296) | 0, high: high | 0, unsigned }
  }
  return {
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned,
  }
}

/** A scalar in a message of its own, so that it can be missing. */
function wrapped(type: string): () => ProtoNode {
  return () => {
    const node = scalarNode(type)
    return {
      type: { ...node.type, optional: true },
      // A missing value has its zero from the message's prototype.
      read: (value) => node.read((value as { readonly value: unknown }).value),
      write: (value) => (value === null ? null : { value: node.write(value) }),
    }
  }
}

const DAY_MS = 86_400_000

/** After which the calendar repeats: a Date reaches less far than days do. */
const DAYS_OF_400_YEARS = 146_097

/** Beyond it a decimal of a few bytes would be a text of gigabytes. */
const DECIMAL_SCALE_MAX = 1000

const WELL_KNOWN_NODES: Readonly<Record<string, (field: FieldType) => ProtoNode>> = {
  '.google.protobuf.DoubleValue': wrapped('double'),
  '.google.protobuf.FloatValue': wrapped('float'),
  '.google.protobuf.Int64Value': wrapped('int64'),
  '.google.protobuf.UInt64Value': wrapped('uint64'),
  '.google.protobuf.Int32Value': wrapped('int32'),
  '.google.protobuf.UInt32Value': wrapped('uint32'),
  '.google.protobuf.BoolValue': wrapped('bool'),
  '.google.protobuf.StringValue': wrapped('string'),
  '.google.protobuf.BytesValue': wrapped('bytes'),
  '.google.protobuf.Timestamp': () => ({
    type: { kind: 'timestamp', optional: true },
    read: (value) => {
      const { seconds, nanos } = value as { readonly seconds: LongBits | number; readonly nanos: number }
      return timestampOf(Number(longValue(seconds)) * 1000 + Math.floor(nanos / 1_000_000))
    },
    write: (value) => {
      const ms = value as number
      const seconds = Math.floor(ms / 1000)
      return { seconds: longBits(seconds, false), nanos: (ms - seconds * 1000) * 1_000_000 }
    },
  }),
  '.google.type.Date': () => ({
    type: { kind: 'date', optional: true },
    read: (value) => {
      const { year, month, day } = value as {
        readonly year: number
        readonly month: number
        readonly day: number
      }
      const cycle = Math.floor(year / 400)
      const date = new Date(0)
      date.setUTCFullYear(year - cycle * 400, month - 1, day)
      const days = date.getTime() / DAY_MS + cycle * DAYS_OF_400_YEARS
      if (isInt32(days)) return days
      throw new WireMismatch(`The record has no such day as ${year}-${month}-${day}`)
    },
    write: (value) => {
      const cycle = Math.floor((value as number) / DAYS_OF_400_YEARS)
      const date = new Date(((value as number) - cycle * DAYS_OF_400_YEARS) * DAY_MS)
      return {
        year: date.getUTCFullYear() + cycle * 400,
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
      }
    },
  }),
  '.google.type.TimeOfDay': () => ({
    type: { kind: 'time', optional: true },
    read: (value) => {
      const time = value as Readonly<Record<'hours' | 'minutes' | 'seconds' | 'nanos', number>>
      const ms =
        ((time.hours * 60 + time.minutes) * 60 + time.seconds) * 1000 + Math.floor(time.nanos / 1_000_000)
      if (isInt32(ms)) return ms
      throw new WireMismatch(`The record has no such time as ${time.hours}:${time.minutes}:${time.seconds}`)
    },
    write: (value) => {
      const ms = value as number
      return {
        hours: Math.floor(ms / 3_600_000),
        minutes: Math.floor(ms / 60_000) % 60,
        seconds: Math.floor(ms / 1000) % 60,
        nanos: (ms % 1000) * 1_000_000,
      }
    },
  }),
  '.confluent.type.Decimal': (field) => {
    const { precision, scale } = decimalParameters(field)
    return {
      type: { kind: 'decimal', precision, scale, optional: true },
      read: (value) => {
        const decimal = value as { readonly value: Uint8Array; readonly scale: number }
        if (Math.abs(decimal.scale) > DECIMAL_SCALE_MAX)
          throw new WireMismatch(`The record has a decimal of scale ${decimal.scale}`)
        const exact = decimalOf(decimal.value, decimal.scale)
        if (decimal.scale === scale || fitsDecimal(exact, precision, scale)) return exact
        throw new WireMismatch(`${exact.toFixed()} does not fit DECIMAL(${precision}, ${scale})`)
      },
      write: (value) => ({ value: decimalBytes(value as Big, scale), precision, scale }),
    }
  },
}

/** `[(confluent.field_meta) = {params: [{key: "precision", value: "4"}, {key: "scale", value: "2"}]}]` */
function decimalParameters(field: FieldType): { readonly precision: number; readonly scale: number } {
  let precision = 64
  let scale = 0
  for (const option of (field.parsedOptions ?? []) as readonly Readonly<Record<string, unknown>>[]) {
    const meta = option['(confluent.field_meta)'] as { readonly params?: unknown } | undefined
    const params = meta?.params
    const list = (Array.isArray(params) ? params : params === undefined ? [] : [params]) as readonly {
      readonly key: string
      readonly value: string
    }[]
    for (const { key, value } of list) {
      if (key === 'precision') precision = Number(value)
      if (key === 'scale') scale = Number(value)
    }
  }
  return { precision, scale }
}

/** What a field without presence holds where nothing was written. */
function zeroOf(field: protobufjs.Field): SqlValue {
  const { Enum } = protobufLibrary()
  if (field.resolvedType instanceof Enum) return enumNode(field.resolvedType).read(field.typeDefault)
  switch (scalarNode(field.type).type.kind) {
    case 'boolean':
      return false
    case 'string':
      return ''
    case 'bytes':
      return new Uint8Array(0)
    default:
      return 0
  }
}
