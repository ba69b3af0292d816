import Big from 'big.js'
import fc from 'fast-check'
import type { Format } from '../../src/formats/format.ts'
import { formatFinder, formatsOver } from '../../src/formats/registry.ts'
import type { SchemaRegistry, SchemaText } from '../../src/formats/schema-registry.ts'
import type { FormatSpec } from '../../src/plan/data-source.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  BYTES,
  DATE,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  STRING,
  structOf,
  TIME,
  TIMESTAMP,
  type SqlType,
} from '../../src/plan/sql-type.ts'
import { canonicalBigint, type SqlValue } from '../../src/plan/sql-value.ts'
import { EmbeddedSchemaRegistry } from '../../src/runtime/embedded-schema-registry.ts'
import { columnsOf, decodeRows, encodeOne, specOf } from './format-harness.ts'

export type SchemaFormatName = 'AVRO' | 'JSON_SR' | 'PROTOBUF' | 'PROTOBUF_NOSR'

/** A registry and the formats over it. */
export function schemaFormats(): {
  readonly registry: EmbeddedSchemaRegistry
  readonly format: (name: string) => Format
} {
  const registry = new EmbeddedSchemaRegistry()
  const find = formatFinder(formatsOver(registry))
  return { registry, format: (name) => find(name)! }
}

/** Registers what columns are written with, encodes a row, and gives its bytes. */
export async function write(
  format: Format,
  registry: SchemaRegistry,
  types: Readonly<Record<string, SqlType>>,
  row: readonly SqlValue[],
  spec: Partial<FormatSpec> = {},
): Promise<Uint8Array | null> {
  const text = format.schemas?.textFor('value', columnsOf(types), specOf(format, spec))
  if (text !== undefined && spec.properties?.['schemaId'] === undefined)
    await registry.register('t-value', text)
  return encodeOne(format, types, row, spec)
}

/** Bytes of a value by a schema of somebody else's, framed. */
export async function writtenElsewhere(
  format: Format,
  registry: SchemaRegistry,
  schema: SchemaText,
  value: SqlValue,
): Promise<Uint8Array> {
  const { ByteWriter } = await import('../../src/formats/byte-writer.ts')
  const { id } = await registry.register('elsewhere-value', schema)
  const into = new ByteWriter(64)
  into.copy(Uint8Array.of(0, 0, 0, id >> 8, id & 255), 0, 5)
  const header: number[] = []
  format.schemas!.messageHeader?.write(schema, null, header)
  into.copy(Uint8Array.from(header), 0, header.length)
  format.schemas!.compile(schema, null).encode(value, into)
  return into.take()
}

/** The row of one record, or why it can't be read. */
export function read(
  format: Format,
  types: Readonly<Record<string, SqlType>>,
  bytes: Uint8Array | null,
  spec: Partial<FormatSpec> = {},
): readonly (SqlValue | undefined)[] | string {
  const columns = columnsOf(types)
  const { rows, failures } = decodeRows(
    format.decoder('value', columns, specOf(format, spec)),
    columns.length,
    [bytes],
  )
  return failures[0]?.reason ?? rows[0]!
}

const scalarTypes: readonly SqlType[] = [
  BOOLEAN,
  INTEGER,
  BIGINT,
  DOUBLE,
  STRING,
  BYTES,
  DATE,
  TIME,
  TIMESTAMP,
  decimal(9, 2),
  decimal(30, 10),
]

/** Types of columns; with `flat`, lists and maps hold only scalars and structs, as Protobuf has them. */
export function typesArbitrary(flat: boolean): fc.Arbitrary<SqlType> {
  const scalar = fc.constantFrom(...scalarTypes)
  return fc.letrec<{ any: SqlType; inner: SqlType; struct: SqlType }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      scalar,
      tie('inner').map(arrayOf),
      tie('inner').map((value) => mapOf(STRING, value)),
      tie('struct'),
    ),
    inner: flat ? fc.oneof({ depthSize: 'small' }, scalar, tie('struct')) : tie('any'),
    struct: fc
      .array(tie('any'), { minLength: 1, maxLength: 3 })
      .map((types) => structOf(types.map((type, i) => ({ name: `F${i}`, type })))),
  })).any
}

/**
 * Values of a type. `nulls`: `everywhere`, or only where Protobuf with `optional` tells them from zero: in
 * fields that are no lists or maps.
 */
export function valueArbitrary(
  type: SqlType,
  nulls: 'everywhere' | 'fields',
  isField = true,
): fc.Arbitrary<SqlValue> {
  const value = nonNull(type, nulls)
  const isList = type.kind === 'ARRAY' || type.kind === 'MAP'
  return nulls === 'everywhere' || (isField && !isList) ? fc.option(value, { freq: 6 }) : value
}

function nonNull(type: SqlType, nulls: 'everywhere' | 'fields'): fc.Arbitrary<SqlValue> {
  switch (type.kind) {
    case 'BOOLEAN':
      return fc.boolean()
    case 'INTEGER':
      return fc.integer()
    case 'BIGINT':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(canonicalBigint)
    case 'DOUBLE':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => (v === 0 ? 0 : v))
    case 'STRING':
      return fc.string({ unit: 'grapheme' })
    case 'BYTES':
      return fc.uint8Array({ maxLength: 6 })
    case 'DATE':
      return fc.integer({ min: -700_000, max: 2_000_000 })
    case 'TIME':
      return fc.integer({ min: 0, max: 86_399_999 })
    case 'TIMESTAMP':
      return fc.integer({ min: -60_000_000_000_000, max: 200_000_000_000_000 })
    case 'DECIMAL': {
      const digits = BigInt('9'.repeat(type.precision))
      return fc.bigInt({ min: -digits, max: digits }).map((unscaled) => {
        const value = new Big(unscaled.toString())
        return value.div(new Big(10).pow(type.scale))
      })
    }
    case 'ARRAY':
      return fc.array(valueArbitrary(type.element, nulls, false), { maxLength: 4 })
    case 'MAP':
      return fc
        .array(fc.tuple(fc.string(), valueArbitrary(type.value, nulls, false)), { maxLength: 4 })
        .map((entries) => new Map<SqlValue, SqlValue>(entries.filter(([key]) => key !== '__proto__')))
    case 'STRUCT':
      return fc.tuple(...type.fields.map((f) => valueArbitrary(f.type, nulls)))
  }
}

/** For comparing: decimals as text, the rest as it is. */
export function comparable(value: SqlValue | undefined): unknown {
  if (value instanceof Big) return `decimal ${value.toFixed()}`
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return value.map(comparable)
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([k, v]) => [`k ${String(k)}`, comparable(v as SqlValue)]))
  }
  return value
}
