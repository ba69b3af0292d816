import { unreachable } from '../../base/assert.ts'
import { SchemaError, type WireField, type WireType } from '../wire-type.ts'

/** How null is told from a type's zero: by `optional`, by a wrapper message, or not at all. */
export type NullableRepresentation = 'OPTIONAL' | 'WRAPPER' | null

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * The Protobuf schema for a record, as text: fields numbered from 1, messages within called `ConnectDefault2` and
 * so on in the order they are met.
 *
 * @throws SchemaError for names Protobuf does not allow, and for lists of lists or of maps
 */
export function protobufText(
  type: WireType,
  fullName: string | null,
  nullable: NullableRepresentation,
): string {
  if (type.kind !== 'struct') throw new SchemaError('Protobuf has no values outside of messages.')
  const dot = fullName?.lastIndexOf('.') ?? -1
  const writing = new ProtobufWriting(nullable)
  const body = writing.message(fullName?.slice(dot + 1) ?? 'ConnectDefault1', type.fields, '')
  const imports = [...writing.imports].sort().map((name) => `import "${name}";\n`)
  return [
    'syntax = "proto3";\n',
    ...(dot > 0 ? [`package ${fullName!.slice(0, dot)};\n`] : []),
    '\n',
    ...(imports.length > 0 ? [...imports, '\n'] : []),
    body,
  ].join('')
}

const SCALARS = {
  boolean: ['bool', 'BoolValue'],
  int32: ['int32', 'Int32Value'],
  int64: ['int64', 'Int64Value'],
  float32: ['float', 'FloatValue'],
  float64: ['double', 'DoubleValue'],
  string: ['string', 'StringValue'],
  bytes: ['bytes', 'BytesValue'],
} as const

const TIMES = {
  date: ['google/type/date.proto', 'google.type.Date'],
  time: ['google/type/timeofday.proto', 'google.type.TimeOfDay'],
  timestamp: ['google/protobuf/timestamp.proto', 'google.protobuf.Timestamp'],
} as const

class ProtobufWriting {
  readonly imports = new Set<string>()
  readonly #nullable: NullableRepresentation
  #messages = 1

  constructor(nullable: NullableRepresentation) {
    this.#nullable = nullable
  }

  message(name: string, fields: readonly WireField[], indent: string): string {
    checkName(name)
    const nested: string[] = []
    const lines = fields.map((field, i) => {
      checkName(field.name)
      return `${indent}  ${this.#field(field.type, field.name, i + 1, nested, `${indent}  `)}\n`
    })
    const inner = nested.map((text) => `\n${text}`)
    return `${indent}message ${name} {\n${lines.join('')}${inner.join('')}${indent}}\n`
  }

  #field(type: WireType, name: string, number: number, nested: string[], indent: string): string {
    const options = type.kind === 'decimal' ? ` [${decimalMeta(type)}]` : ''
    if (type.kind === 'array') {
      const element = this.#type(type.element, name, nested, indent)
      const elementOptions = type.element.kind === 'decimal' ? ` [${decimalMeta(type.element)}]` : ''
      return `repeated ${element} ${name} = ${number}${elementOptions};`
    }
    if (type.kind === 'map') {
      const key = type.key.kind === 'string' ? 'string' : this.#type(type.key, name, nested, indent)
      const valueOptions = type.value.kind === 'decimal' ? ` [${decimalMeta(type.value)}]` : ''
      return `map<${key}, ${this.#type(type.value, name, nested, indent)}> ${name} = ${number}${valueOptions};`
    }
    const label = this.#nullable === 'OPTIONAL' ? 'optional ' : ''
    return `${label}${this.#type(type, name, nested, indent)} ${name} = ${number}${options};`
  }

  #type(type: WireType, field: string, nested: string[], indent: string): string {
    switch (type.kind) {
      case 'boolean':
      case 'int32':
      case 'int64':
      case 'float32':
      case 'float64':
      case 'string':
      case 'bytes': {
        const [scalar, wrapper] = SCALARS[type.kind]
        if (this.#nullable !== 'WRAPPER') return scalar
        this.imports.add('google/protobuf/wrappers.proto')
        return `google.protobuf.${wrapper}`
      }
      case 'date':
      case 'time':
      case 'timestamp': {
        const [file, message] = TIMES[type.kind]
        this.imports.add(file)
        return message
      }
      case 'decimal':
        this.imports.add('confluent/meta.proto')
        this.imports.add('confluent/type/decimal.proto')
        return 'confluent.type.Decimal'
      case 'struct': {
        const name = `ConnectDefault${++this.#messages}`
        nested.push(this.message(name, type.fields, indent))
        return name
      }
      case 'array':
      case 'map':
        throw new SchemaError(
          `Protobuf has no lists or maps directly inside of lists and maps, as there are in the field ${field}.`,
        )
      default:
        return unreachable(type)
    }
  }
}

function decimalMeta({ precision, scale }: { readonly precision: number; readonly scale: number }): string {
  return `(confluent.field_meta) = {params: [{value: "${precision}", key: "precision"}, {value: "${scale}", key: "scale"}]}`
}

function checkName(name: string): void {
  if (!NAME.test(name)) {
    throw new SchemaError(
      `Protobuf names are made of letters, digits and underscores and don't start with a digit, unlike \`${name}\`.`,
    )
  }
}
