import type Big from 'big.js'
import { unreachable } from '../base/assert.ts'
import { javaDoubleText } from '../base/java-double.ts'
import type { SqlType } from '../plan/sql-type.ts'
import type { Row, SqlValue } from '../plan/sql-value.ts'

/** A JSON value with its numbers as they were written. */
export type JsonNode = null | boolean | string | JsonNumber | readonly JsonNode[] | JsonObject

/** Members in the order of the text; of equal names the last value counts, at the place of the first. */
export type JsonObject = ReadonlyMap<string, JsonNode>

/** A number as its token: `1`, `1.0` and `1.00` are three different ones. */
export class JsonNumber {
  readonly token: string

  constructor(token: string) {
    this.token = token
  }

  /** No point and no exponent. */
  get isInteger(): boolean {
    return !/[.eE]/.test(this.token)
  }
}

/** Text that is not JSON (RFC 8259). */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError'
  /** UTF-16 code units before the place. */
  readonly index: number

  constructor(what: string, index: number) {
    super(`${what} at character ${index + 1}`)
    this.index = index
  }
}

/** Deepest nesting of arrays and objects that is read. */
export const JSON_DEPTH_MAX = 1000

/**
 * Parses one JSON value that fills the whole text.
 *
 * @throws JsonSyntaxError
 */
export function parseJson(text: string): JsonNode {
  const parser = new JsonParser(text)
  const node = parser.value(0)
  parser.end()
  return node
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// eslint-disable-next-line no-control-regex -- control characters are what must not stand in a string
const PLAIN_TEXT = /[^"\\\u0000-\u001f]*/y

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

class JsonParser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): JsonNode {
    this.#skipBlanks()
    const text = this.#text
    switch (text.charCodeAt(this.#at)) {
      case 0x7b:
        return this.#object(depth)
      case 0x5b:
        return this.#array(depth)
      case 0x22:
        return this.#string()
      case 0x74:
        return this.#word('true', true)
      case 0x66:
        return this.#word('false', false)
      case 0x6e:
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  end(): void {
    this.#skipBlanks()
    if (this.#at < this.#text.length) throw this.#unexpected()
  }

  #object(depth: number): JsonObject {
    this.#checkDepth(depth)
    const members = new Map<string, JsonNode>()
    this.#at++
    this.#skipBlanks()
    if (this.#take(0x7d)) return members
    for (;;) {
      this.#skipBlanks()
      if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#unexpected()
      const name = this.#string()
      this.#skipBlanks()
      if (!this.#take(0x3a)) throw this.#unexpected()
      members.set(name, this.value(depth + 1))
      this.#skipBlanks()
      if (this.#take(0x7d)) return members
      if (!this.#take(0x2c)) throw this.#unexpected()
    }
  }

  #array(depth: number): JsonNode[] {
    this.#checkDepth(depth)
    const elements: JsonNode[] = []
    this.#at++
    this.#skipBlanks()
    if (this.#take(0x5d)) return elements
    for (;;) {
      elements.push(this.value(depth + 1))
      this.#skipBlanks()
      if (this.#take(0x5d)) return elements
      if (!this.#take(0x2c)) throw this.#unexpected()
    }
  }

  #string(): string {
    const text = this.#text
    let result = ''
    this.#at++
    for (;;) {
      PLAIN_TEXT.lastIndex = this.#at
      PLAIN_TEXT.exec(text)
      const stop = PLAIN_TEXT.lastIndex
      if (stop > this.#at) result += text.slice(this.#at, stop)
      this.#at = stop
      const unit = text.charCodeAt(stop)
      if (unit === 0x22) {
        this.#at++
        return result
      }
      if (unit !== 0x5c) throw this.#unexpected()
      result += this.#escape()
    }
  }

  #escape(): string {
    const text = this.#text
    const letter = text[this.#at + 1]
    if (letter === 'u') {
      const hex = text.slice(this.#at + 2, this.#at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw new JsonSyntaxError('Bad \\u escape', this.#at)
      this.#at += 6
      return String.fromCharCode(Number.parseInt(hex, 16))
    }
    const plain = letter === undefined ? undefined : ESCAPES.get(letter)
    if (plain === undefined) throw new JsonSyntaxError('Bad escape', this.#at)
    this.#at += 2
    return plain
  }

  #number(): JsonNumber {
    NUMBER.lastIndex = this.#at
    const match = NUMBER.exec(this.#text)
    if (match === null) throw this.#unexpected()
    this.#at = NUMBER.lastIndex
    return new JsonNumber(match[0])
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected()
    this.#at += word.length
    return value
  }

  #take(unit: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== unit) return false
    this.#at++
    return true
  }

  #skipBlanks(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at)
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return
      this.#at++
    }
  }

  #checkDepth(depth: number): void {
    if (depth >= JSON_DEPTH_MAX) throw new JsonSyntaxError(`Nested deeper than ${JSON_DEPTH_MAX}`, this.#at)
  }

  #unexpected(): JsonSyntaxError {
    const character = this.#text[this.#at]
    return new JsonSyntaxError(
      character === undefined ? 'Unexpected end' : `Unexpected ${JSON.stringify(character)}`,
      this.#at,
    )
  }
}

/** A node as compact JSON text; decimal numbers as Java's BigDecimal prints them. */
export function printJson(node: JsonNode): string {
  if (node === null || typeof node === 'boolean') return String(node)
  if (typeof node === 'string') return quoteJson(node)
  if (node instanceof JsonNumber) return numberTokenText(node.token)
  if (isJsonArray(node)) return `[${node.map(printJson).join(',')}]`
  return `{${[...node].map(([name, value]) => `${quoteJson(name)}:${printJson(value)}`).join(',')}}`
}

export function isJsonArray(node: JsonNode): node is readonly JsonNode[] {
  return Array.isArray(node)
}

/** What Java's BigInteger or BigDecimal prints for a JSON number token: `1E3` becomes `1E+3`, `-0` becomes `0`. */
export function numberTokenText(token: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token)
  if (parts === null) return token
  const [, sign, whole, fraction = '', exponent] = parts
  if (fraction === '' && exponent === undefined) return whole === '0' ? '0' : token
  const digits = `${whole}${fraction}`.replace(/^0+(?=\d)/, '')
  const scale = fraction.length - Number(exponent ?? 0)
  const minus = digits === '0' || /^0+$/.test(digits) ? '' : sign!
  if (scale === 0) return minus + digits
  const adjusted = digits.length - 1 - scale
  if (scale > 0 && adjusted >= -6) {
    const padded = digits.padStart(scale + 1, '0')
    return `${minus}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
  }
  const point = digits.length > 1 ? `.${digits.slice(1)}` : ''
  const power = adjusted === 0 ? '' : `E${adjusted > 0 ? '+' : ''}${adjusted}`
  return `${minus}${digits[0]}${point}${power}`
}

// eslint-disable-next-line no-control-regex -- control characters must be escaped
const NEEDS_ESCAPE = /["\\\u0000-\u001f]/
// eslint-disable-next-line no-control-regex -- as above
const ESCAPED = /["\\\u0000-\u001f]/g

const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  0x08: '\\b',
  0x09: '\\t',
  0x0a: '\\n',
  0x0c: '\\f',
  0x0d: '\\r',
  0x22: '\\"',
  0x5c: '\\\\',
}

/** Text as a JSON string with only the escapes JSON asks for. */
export function quoteJson(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return `"${text}"`
  return `"${text.replace(ESCAPED, (c) => escapeJsonUnit(c.charCodeAt(0)))}"`
}

/** The escape of a quote, a backslash or a control character. */
export function escapeJsonUnit(unit: number): string {
  return SHORT_ESCAPES[unit] ?? `\\u${unit.toString(16).toUpperCase().padStart(4, '0')}`
}

/** A double as it stands in JSON: NaN and the infinities are strings. */
export function jsonDouble(value: number): string {
  return Number.isFinite(value) ? javaDoubleText(value) : `"${value}"`
}

export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/**
 * A value as JSON text: DECIMAL with the scale of its type, BYTES as base64, times as numbers, structs with
 * all their fields; keys of a MAP become text.
 */
export function printJsonValue(value: SqlValue, type: SqlType): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'TIME':
    case 'DATE':
    case 'TIMESTAMP':
      return String(value as boolean | number | bigint)
    case 'DOUBLE':
      return jsonDouble(value as number)
    case 'DECIMAL':
      return (value as Big).toFixed(type.scale)
    case 'STRING':
      return quoteJson(value as string)
    case 'BYTES':
      return `"${base64Of(value as Uint8Array)}"`
    case 'ARRAY':
      return `[${(value as Row).map((element) => printJsonValue(element, type.element)).join(',')}]`
    case 'MAP': {
      const members: string[] = []
      for (const [key, member] of value as ReadonlyMap<SqlValue, SqlValue>) {
        members.push(`${quoteJson(mapKeyText(key, type.key))}:${printJsonValue(member, type.value)}`)
      }
      return `{${members.join(',')}}`
    }
    case 'STRUCT':
      return `{${type.fields
        .map((field, i) => `${quoteJson(field.name)}:${printJsonValue((value as Row)[i]!, field.type)}`)
        .join(',')}}`
    default:
      return unreachable(type)
  }
}

/* ksqlDB writes a null key as the name "null". */
function mapKeyText(key: SqlValue, type: SqlType): string {
  if (key === null) return 'null'
  if (typeof key === 'string') return key
  const text = printJsonValue(key, type)
  return text.startsWith('"') ? text.slice(1, -1) : text
}
