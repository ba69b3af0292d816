import { unreachable } from '../base/assert.ts'
import { parseJavaDouble } from '../base/java-double.ts'
import { printType, type SqlType } from '../plan/sql-type.ts'
import { canonicalBigint, isInt32, isTimestamp, type SqlValue } from '../plan/sql-value.ts'
import { fitsDecimal, parseDecimal } from './fit-decimal.ts'
import {
  isJsonArray,
  JsonNumber,
  type JsonNode,
  type JsonObject,
  numberTokenText,
  printJson,
} from './json-text.ts'

/** A JSON value that no value of the wanted type stands for. The message names the path. */
export class JsonMismatch extends Error {
  override readonly name = 'JsonMismatch'
}

/** Where a value lies, from `$`: names of members and indexes of elements. */
export type JsonPath = (string | number)[]

/**
 * The SQL value a JSON value stands for, by the lenient rules of reading: text is taken for numbers, numbers
 * for text, fractions of integers are cut, integers wrap around.
 *
 * @param path  where `node` lies; on return as it was
 * @throws JsonMismatch
 */
export function coerceJson(node: JsonNode, type: SqlType, path: JsonPath): SqlValue {
  if (node === null) return null
  switch (type.kind) {
    case 'BOOLEAN':
      if (typeof node === 'boolean') return node
      if (typeof node === 'string') return node.toLowerCase() === 'true'
      throw mismatch(node, type, path)
    case 'INTEGER':
      if (node instanceof JsonNumber) return Number(BigInt.asIntN(32, integerPart(node.token)))
      if (typeof node === 'string') {
        const value = parseInteger(node)
        if (value !== undefined && value === BigInt.asIntN(32, value)) return Number(value)
      }
      throw mismatch(node, type, path)
    case 'BIGINT':
      return bigintOf(node, type, path)
    case 'TIME':
    case 'DATE':
    case 'TIMESTAMP': {
      const value = bigintOf(node, type, path)
      if (type.kind === 'TIMESTAMP' ? isTimestamp(value) : isInt32(value)) return value
      throw mismatch(node, type, path)
    }
    case 'DOUBLE':
      if (node instanceof JsonNumber) return Number(node.token)
      if (typeof node === 'string') {
        const value = parseJavaDouble(node)
        if (value !== undefined) return value
      }
      throw mismatch(node, type, path)
    case 'DECIMAL': {
      if (!(node instanceof JsonNumber) && typeof node !== 'string') throw mismatch(node, type, path)
      const value = parseDecimal(typeof node === 'string' ? node : node.token)
      if (value === undefined) throw mismatch(node, type, path)
      if (!fitsDecimal(value, type.precision, type.scale)) {
        throw new JsonMismatch(
          `${shown(node)} does not fit ${printType(type)} without rounding, at ${printPath(path)}`,
        )
      }
      return value
    }
    case 'STRING':
      return textOf(node)
    case 'BYTES': {
      const bytes = typeof node === 'string' ? decodeBase64(node) : undefined
      if (bytes === undefined) throw mismatch(node, type, path)
      return bytes
    }
    case 'ARRAY':
      if (!isJsonArray(node)) throw mismatch(node, type, path)
      return node.map((element, i) => coerceAt(element, type.element, path, i))
    case 'MAP': {
      if (!isObject(node)) throw mismatch(node, type, path)
      const map = new Map<SqlValue, SqlValue>()
      for (const [name, member] of node) {
        map.set(coerceJson(name, type.key, path), coerceAt(member, type.value, path, name))
      }
      return map
    }
    case 'STRUCT': {
      if (!isObject(node)) throw mismatch(node, type, path)
      const find = memberFinder(node)
      return type.fields.map((field) => coerceAt(find(field.name), field.type, path, field.name))
    }
    default:
      return unreachable(type)
  }
}

function coerceAt(node: JsonNode, type: SqlType, path: JsonPath, step: string | number): SqlValue {
  path.push(step)
  const value = coerceJson(node, type, path)
  path.pop()
  return value
}

/**
 * Looks up members of an object as columns are: by the exact name, else by the upper-cased name of a member,
 * of which the last one counts. Missing members are null.
 */
export function memberFinder(object: JsonObject): (name: string) => JsonNode {
  let upperCased: Map<string, JsonNode> | null = null
  return (name) => {
    const exact = object.get(name)
    if (exact !== undefined) return exact
    if (upperCased === null) {
      upperCased = new Map()
      for (const [member, value] of object) upperCased.set(member.toUpperCase(), value)
    }
    return upperCased.get(name) ?? null
  }
}

export function isObject(node: JsonNode): node is JsonObject {
  return node instanceof Map
}

function bigintOf(node: JsonNode, type: SqlType, path: JsonPath): number | bigint {
  if (node instanceof JsonNumber) return canonicalBigint(integerPart(node.token))
  if (typeof node === 'string') {
    const value = parseInteger(node)
    if (value !== undefined && value === BigInt.asIntN(64, value)) return canonicalBigint(value)
  }
  throw mismatch(node, type, path)
}

/** The whole part of a JSON number, of which only the low 64 bits count. */
function integerPart(token: string): bigint {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token)!
  const [, sign, whole, fraction = '', exponent = '0'] = parts
  const digits = whole! + fraction
  const wholeDigits = whole!.length + Number(exponent)
  // a multiple of 10^64 is one of 2^64
  if (wholeDigits <= 0 || wholeDigits - digits.length >= 64) return 0n
  const magnitude = lowBits(digits.slice(0, wholeDigits).padEnd(wholeDigits, '0'))
  return sign === '-' ? -magnitude : magnitude
}

/** The low 64 bits of a decimal number, in time proportional to its length. */
function lowBits(digits: string): bigint {
  if (digits.length <= 40) return BigInt(digits)
  let value = 0n
  for (let at = 0; at < digits.length; at += 18) {
    const part = digits.slice(at, at + 18)
    value = BigInt.asUintN(64, value * 10n ** BigInt(part.length) + BigInt(part))
  }
  return value
}

/** Integer text as Java's parseLong takes it, before the range is checked; undefined if it is none. */
export function parseInteger(text: string): bigint | undefined {
  if (text.length > 1000 || !/^[+-]?\d+$/.test(text)) return undefined
  return BigInt(text.startsWith('+') ? text.slice(1) : text)
}

function textOf(node: JsonNode): string {
  if (typeof node === 'string') return node
  if (node instanceof JsonNumber) return numberTokenText(node.token)
  if (node === null || typeof node === 'boolean') return String(node)
  if (isJsonArray(node)) return `[${node.map(textOf).join(', ')}]`
  return printJson(node)
}

/** Standard base64, padded or not; undefined for anything else. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const unpadded = text.replace(/={1,2}$/, '')
  if (!/^[A-Za-z0-9+/]*$/.test(unpadded) || unpadded.length % 4 === 1) return undefined
  if (unpadded.length !== text.length && text.length % 4 !== 0) return undefined
  return new Uint8Array(Buffer.from(text, 'base64'))
}

function mismatch(node: JsonNode, type: SqlType, path: JsonPath): JsonMismatch {
  return new JsonMismatch(`${shown(node)} cannot be read as ${printType(type)}, at ${printPath(path)}`)
}

const SHOWN_LENGTH_MAX = 60

function shown(node: JsonNode): string {
  if (node instanceof JsonNumber) return `The number ${shorten(node.token)}`
  if (typeof node === 'string') return `The text ${shorten(printJson(node))}`
  if (typeof node === 'boolean') return String(node)
  return isJsonArray(node) ? 'An array' : 'An object'
}

function shorten(text: string): string {
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text
}

export function printPath(path: JsonPath): string {
  return `$${path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')}`
}
