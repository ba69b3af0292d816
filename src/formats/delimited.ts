import type Big from 'big.js'
import { javaDoubleText, parseJavaDouble } from '../base/java-double.ts'
import { assert, AssertionFailure } from '../base/assert.ts'
import type { FormatSpec } from '../plan/data-source.ts'
import type { Column } from '../plan/schema.ts'
import { printType, type SqlType } from '../plan/sql-type.ts'
import { canonicalBigint, isInt32, isTimestamp, type Row, type SqlValue } from '../plan/sql-value.ts'
import type { ByteWriter } from './byte-writer.ts'
import { nullVector, setValue } from './column-vectors.ts'
import { fitsDecimal, parseDecimal } from './fit-decimal.ts'
import type { ColumnDecoder, ColumnEncoder, DecodeFailure, Format } from './format.ts'
import { decodeBase64, parseInteger } from './json-coercion.ts'
import { base64Of } from './json-text.ts'
import { refusesMapInKey } from './map-in-key.ts'
import { ValueVector, type Vector } from './vector.ts'

/**
 * One CSV line per row. The property `delimiter` is one character, or the word SPACE or TAB; `,` if absent.
 * A null is an empty field, so empty text is read back as null.
 */
export const delimited: Format = {
  name: 'DELIMITED',
  properties: ['delimiter'],
  supportsKey: true,
  supportsValue: true,
  supportsSeveralColumns: true,
  wrappings: ['unwrapped'],
  refuses(side, columns, spec) {
    const delimiter = spec.properties['delimiter']
    if (delimiter !== undefined && delimiterOf(spec) === undefined) {
      return `Invalid delimiter value: '${delimiter}'. The delimiter must be a single character, SPACE or TAB.`
    }
    const mapInKey = refusesMapInKey(side, columns)
    if (mapInKey !== null) return mapInKey
    const bad = columns.find(({ type: { kind } }) => kind === 'ARRAY' || kind === 'MAP' || kind === 'STRUCT')
    if (bad === undefined) return null
    return `The 'DELIMITED' format does not support type '${bad.type.kind}', column: \`${bad.name}\``
  },
  decoder: (_side, columns, spec) => new DelimitedDecoder(columns, requireDelimiter(spec)),
  encoder: (side, columns, spec) => new DelimitedEncoder(side, columns, requireDelimiter(spec)),
}

function delimiterOf(spec: FormatSpec): string | undefined {
  const delimiter = spec.properties['delimiter'] ?? ','
  switch (delimiter.toUpperCase()) {
    case 'SPACE':
      return ' '
    case 'TAB':
      return '\t'
    default:
      return delimiter.length === 1 ? delimiter : undefined
  }
}

function requireDelimiter(spec: FormatSpec): string {
  const delimiter = delimiterOf(spec)
  assert(delimiter !== undefined, 'the delimiter was checked when the source was declared')
  return delimiter
}

/** What is wrong with a line. */
class LineError extends Error {
  override readonly name = 'LineError'
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

class DelimitedDecoder implements ColumnDecoder {
  readonly #columns: readonly Column[]
  readonly #delimiter: string

  constructor(columns: readonly Column[], delimiter: string) {
    this.#columns = columns
    this.#delimiter = delimiter
  }

  decode(
    bytes: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    count: number,
    wanted: readonly number[],
    failures: DecodeFailure[],
  ): (Vector | null)[] {
    const columns = this.#columns
    const vectors = columns.map((column, i): Vector | null => {
      if (!wanted.includes(i)) return null
      if (column.type.kind === 'STRING') return new ValueVector(new Array<SqlValue>(count).fill(null))
      return nullVector(column.type, count, bytes)
    })
    for (let row = 0; row < count; row++) {
      if (starts[row]! < 0) continue
      try {
        const values = this.#readLine(utf8.decode(bytes.subarray(starts[row], ends[row])))
        for (const column of wanted) setValue(vectors[column]!, row, values[column]!)
      } catch (error) {
        if (!(error instanceof LineError)) throw error
        failures.push({ row, reason: error.message })
      }
    }
    return vectors
  }

  #readLine(line: string): SqlValue[] {
    const fields = splitLine(line, this.#delimiter)
    const columns = this.#columns
    if (fields.length !== columns.length) {
      throw new LineError(`The line has ${countOf(fields.length)}, but ${columns.length} are declared`)
    }
    return fields.map((field, i) => (field === '' ? null : readField(field, columns[i]!)))
  }
}

function countOf(fields: number): string {
  return fields === 1 ? '1 field' : `${fields} fields`
}

/** The fields of the first record of `text` that isn't an empty line. */
function splitLine(text: string, delimiter: string): string[] {
  const fields: string[] = []
  let at = 0
  while (text[at] === '\n' || text[at] === '\r') at++
  if (at === text.length) throw new LineError('There are no fields in the record')
  for (;;) {
    if (text[at] === '"' && delimiter !== '"') {
      let field = ''
      at++
      for (;;) {
        const quote = text.indexOf('"', at)
        if (quote < 0) throw new LineError(`The quote of field ${fields.length + 1} is not closed`)
        field += text.slice(at, quote)
        at = quote + 1
        if (text[at] !== '"') break
        field += '"'
        at++
      }
      // blanks after the closing quote don't count
      while (at < text.length && text[at] !== delimiter && !isLineEnd(text[at]) && /\s/.test(text[at]!)) at++
      if (at < text.length && text[at] !== delimiter && !isLineEnd(text[at])) {
        throw new LineError(`Text follows the closing quote of field ${fields.length + 1}`)
      }
      fields.push(field)
    } else {
      const start = at
      while (at < text.length && text[at] !== delimiter && !isLineEnd(text[at])) at++
      fields.push(text.slice(start, at))
    }
    if (text[at] !== delimiter) return fields
    at++
  }
}

function isLineEnd(character: string | undefined): boolean {
  return character === '\n' || character === '\r'
}

function readField(field: string, { name, type }: Column): SqlValue {
  const value = parseField(field, type)
  if (value === undefined) {
    const text = field.length > 60 ? `${field.slice(0, 60)}…` : field
    throw new LineError(
      `The text ${JSON.stringify(text)} cannot be read as ${printType(type)}, column ${name}`,
    )
  }
  return value
}

function parseField(field: string, type: SqlType): SqlValue | undefined {
  switch (type.kind) {
    case 'STRING':
      return field
    case 'BOOLEAN':
      return field.toLowerCase() === 'true'
    case 'INTEGER': {
      const value = parseInteger(field)
      return value !== undefined && value === BigInt.asIntN(32, value) ? Number(value) : undefined
    }
    case 'BIGINT':
      return parseLong(field)
    case 'TIME':
    case 'DATE':
    case 'TIMESTAMP': {
      const value = parseLong(field)
      if (value === undefined) return undefined
      const isIn = type.kind === 'TIMESTAMP' ? isTimestamp(value) : isInt32(value)
      return isIn ? value : undefined
    }
    case 'DOUBLE':
      return parseJavaDouble(field)
    case 'DECIMAL': {
      const value = parseDecimal(field)
      return value !== undefined && fitsDecimal(value, type.precision, type.scale) ? value : undefined
    }
    case 'BYTES':
      return decodeBase64(field)
    default:
      throw new AssertionFailure(`Broken invariant: the DELIMITED format has no ${type.kind}`)
  }
}

function parseLong(field: string): number | bigint | undefined {
  const value = parseInteger(field)
  return value !== undefined && value === BigInt.asIntN(64, value) ? canonicalBigint(value) : undefined
}

class DelimitedEncoder implements ColumnEncoder {
  readonly #side: 'key' | 'value'
  readonly #columns: readonly Column[]
  readonly #delimiter: string

  constructor(side: 'key' | 'value', columns: readonly Column[], delimiter: string) {
    this.#side = side
    this.#columns = columns
    this.#delimiter = delimiter
  }

  encode(vectors: readonly Vector[], row: number, into: ByteWriter): boolean {
    return this.#write((column) => vectors[column]!.value(row), into)
  }

  encodeRow(row: Row, into: ByteWriter): boolean {
    return this.#write((column) => row[column]!, into)
  }

  #write(valueOf: (column: number) => SqlValue, into: ByteWriter): boolean {
    const columns = this.#columns
    if (this.#side === 'key') {
      if (columns.length === 0) return false
      if (columns.length === 1 && valueOf(0) === null) return false
    }
    for (let column = 0; column < columns.length; column++) {
      if (column > 0) into.text(this.#delimiter)
      const value = valueOf(column)
      if (value !== null)
        into.text(quoteField(fieldText(value, columns[column]!.type), column, this.#delimiter))
    }
    return true
  }
}

function fieldText(value: SqlValue, type: SqlType): string {
  switch (type.kind) {
    case 'DOUBLE':
      return javaDoubleText(value as number)
    case 'DECIMAL':
      return (value as Big).toFixed(type.scale)
    case 'BYTES':
      return base64Of(value as Uint8Array)
    default:
      return String(value as boolean | number | bigint | string)
  }
}

/*
 * A field is quoted where a reader might take it for something else: the first one unless it starts with a
 * letter or digit (an empty line is no record), one that starts with a character up to # or ends with a blank,
 * and one that holds the delimiter, a quote or a line break.
 */
function quoteField(text: string, column: number, delimiter: string): string {
  const isPlain =
    (column > 0 ? text === '' || text.charCodeAt(0) > 0x23 : /^[A-Za-z0-9]/.test(text)) &&
    !(text.charCodeAt(text.length - 1) <= 0x20) &&
    !/["\n\r]/.test(text) &&
    !text.includes(delimiter)
  return isPlain ? text : `"${text.replaceAll('"', '""')}"`
}
