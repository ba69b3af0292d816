import { SchemaError, type WireField, type WireType } from '../wire-type.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** A place of a JSON Schema: its type, and whether a map in it is written as a list of entries. */
export interface JsonSchemaType {
  readonly type: WireType
  readonly hasEntryMaps: boolean
}

/**
 * What a JSON Schema says, with the hints Connect adds: `connect.type`, `connect.index`, and titles of logical
 * types. Without hints an integer is 64 bits and a number is a double.
 *
 * @throws SchemaError when the text is no such schema, or says something SQL has no type for
 */
export function readJsonSchema(text: string): JsonSchemaType {
  let schema: unknown
  try {
    schema = JSON.parse(text)
  } catch (cause) {
    throw new SchemaError(`The JSON Schema is not JSON: ${(cause as Error).message}`, { cause })
  }
  const reading = new JsonSchemaReading(schema)
  const type = reading.type(schema, '$')
  return { type, hasEntryMaps: reading.hasEntryMaps }
}

const DEPTH_MAX = 100

class JsonSchemaReading {
  readonly #root: unknown
  hasEntryMaps = false
  #depth = 0

  constructor(root: unknown) {
    this.#root = root
  }

  type(schema: unknown, path: string): WireType {
    if (++this.#depth > DEPTH_MAX) {
      throw new SchemaError(
        `The JSON Schema is nested deeper than ${DEPTH_MAX}, or contains itself, at ${path}.`,
      )
    }
    const type = this.#type(schema, path)
    this.#depth--
    return type
  }

  #type(schema: unknown, path: string): WireType {
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
      throw new SchemaError(`The JSON Schema says nothing about the type at ${path}.`)
    }
    const object = schema as JsonObject
    const reference = object['$ref']
    if (typeof reference === 'string') return this.type(this.#referenced(reference, path), path)
    const choices = object['oneOf'] ?? object['anyOf']
    if (Array.isArray(choices)) {
      const others = choices.filter((choice) => (choice as JsonObject | null)?.['type'] !== 'null')
      if (others.length === 1) {
        return { ...this.type(others[0], path), optional: others.length < choices.length }
      }
      throw new SchemaError(`The JSON Schema leaves a choice of types at ${path}, which no SQL type does.`)
    }
    const stated = object['type']
    if (Array.isArray(stated)) {
      const others = stated.filter((name) => name !== 'null')
      if (others.length !== 1)
        throw new SchemaError(`The JSON Schema leaves a choice of types at ${path}, which no SQL type does.`)
      return { ...this.#plain(String(others[0]), object, path), optional: others.length < stated.length }
    }
    if (Array.isArray(object['enum'])) return { kind: 'string', optional: false }
    const implied = object['properties'] !== undefined ? 'object' : undefined
    const name = stated ?? implied
    if (typeof name !== 'string')
      throw new SchemaError(`The JSON Schema says nothing about the type at ${path}.`)
    return this.#plain(name, object, path)
  }

  #plain(name: string, object: JsonObject, path: string): WireType {
    const optional = false
    const hint = object['connect.type']
    switch (object['title']) {
      case 'org.apache.kafka.connect.data.Decimal': {
        const parameters = (object['connect.parameters'] ?? {}) as JsonObject
        return {
          kind: 'decimal',
          precision: Number(parameters['connect.decimal.precision'] ?? 64),
          scale: Number(parameters['scale'] ?? 0),
          optional,
        }
      }
      case 'org.apache.kafka.connect.data.Date':
        return { kind: 'date', optional }
      case 'org.apache.kafka.connect.data.Time':
        return { kind: 'time', optional }
      case 'org.apache.kafka.connect.data.Timestamp':
        return { kind: 'timestamp', optional }
    }
    switch (name) {
      case 'boolean':
        return { kind: 'boolean', optional }
      case 'integer':
        return { kind: hint === 'int32' || hint === 'int16' || hint === 'int8' ? 'int32' : 'int64', optional }
      case 'number':
        return { kind: hint === 'float32' ? 'float32' : 'float64', optional }
      case 'string':
        return { kind: hint === 'bytes' ? 'bytes' : 'string', optional }
      case 'array':
        return this.#array(object, path)
      case 'object':
        return this.#object(object, path)
      default:
        throw new SchemaError(`The JSON Schema has the type ${name} at ${path}, which SQL has not.`)
    }
  }

  #array(object: JsonObject, path: string): WireType {
    const element = this.type(object['items'], `${path}[]`)
    if (object['connect.type'] === 'map' && element.kind === 'struct') {
      const at = (name: string): WireType => {
        const field = element.fields.find((f) => f.name === name)
        if (field === undefined) throw new SchemaError(`The entries of the map at ${path} have no ${name}.`)
        return field.type
      }
      this.hasEntryMaps = true
      return { kind: 'map', key: at('key'), value: at('value'), optional: false }
    }
    return { kind: 'array', element, optional: false }
  }

  #object(object: JsonObject, path: string): WireType {
    const properties = object['properties'] as JsonObject | undefined
    const others = object['additionalProperties']
    const isMap = object['connect.type'] === 'map' || (properties === undefined && typeof others === 'object')
    if (isMap) {
      return {
        kind: 'map',
        key: { kind: 'string', optional: false },
        value: this.type(others, `${path}.*`),
        optional: false,
      }
    }
    const required = Array.isArray(object['required']) ? (object['required'] as unknown[]) : []
    const fields = Object.entries(properties ?? {}).map(
      ([name, property], position): { readonly index: number; readonly field: WireField } => {
        const type = this.type(property, `${path}.${name}`)
        const index = (property as JsonObject)['connect.index']
        return {
          index: typeof index === 'number' ? index : position,
          field: {
            name,
            type: { ...type, optional: type.optional || !required.includes(name) },
            default: undefined,
          },
        }
      },
    )
    fields.sort((a, b) => a.index - b.index)
    return { kind: 'struct', fields: fields.map((f) => f.field), optional: false }
  }

  /** `#/definitions/Name`: a pointer into this document. */
  #referenced(reference: string, path: string): unknown {
    if (reference === '#') return this.#root
    if (!reference.startsWith('#/'))
      throw new SchemaError(`The JSON Schema refers to ${reference} at ${path}, which is outside of it.`)
    let place: unknown = this.#root
    for (const step of reference.slice(2).split('/')) {
      const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
      place =
        typeof place === 'object' && place !== null && Object.hasOwn(place, name)
          ? (place as JsonObject)[name]
          : undefined
    }
    if (place === undefined)
      throw new SchemaError(`The JSON Schema refers to ${reference} at ${path}, which it has not.`)
    return place
  }
}

/** The JSON Schema for a type, as text. Everything inside may be null, and what stands alone as a whole. */
export function jsonSchemaText(type: WireType, alone: boolean): string {
  return JSON.stringify(alone ? nullable(type) : jsonSchemaOf(type))
}

function jsonSchemaOf(type: WireType): JsonObject {
  switch (type.kind) {
    case 'boolean':
    case 'string':
      return { type: type.kind }
    case 'int32':
    case 'int64':
      return { type: 'integer', 'connect.type': type.kind }
    case 'float32':
    case 'float64':
      return { type: 'number', 'connect.type': type.kind }
    case 'bytes':
      return { type: 'string', 'connect.type': 'bytes' }
    case 'date':
      return logical('Date', 'int32')
    case 'time':
      return logical('Time', 'int32')
    case 'timestamp':
      return logical('Timestamp', 'int64')
    case 'decimal':
      return {
        type: 'number',
        title: 'org.apache.kafka.connect.data.Decimal',
        'connect.version': 1,
        'connect.type': 'bytes',
        'connect.parameters': {
          scale: String(type.scale),
          'connect.decimal.precision': String(type.precision),
        },
      }
    case 'array':
      return { type: 'array', items: nullable(type.element) }
    case 'map':
      return { type: 'object', 'connect.type': 'map', additionalProperties: nullable(type.value) }
    case 'struct':
      return {
        type: 'object',
        properties: Object.fromEntries(
          type.fields.map((field, i) => [field.name, { 'connect.index': i, ...nullable(field.type) }]),
        ),
      }
  }
}

function nullable(type: WireType): JsonObject {
  return { oneOf: [{ type: 'null' }, jsonSchemaOf(type)] }
}

function logical(name: string, connectType: string): JsonObject {
  return {
    type: 'integer',
    title: `org.apache.kafka.connect.data.${name}`,
    'connect.version': 1,
    'connect.type': connectType,
  }
}
