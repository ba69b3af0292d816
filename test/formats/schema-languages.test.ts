import Big from 'big.js'
import { describe, expect, test } from 'vitest'
import type { SchemaText } from '../../src/formats/schema-registry.ts'
import {
  arrayOf,
  BIGINT,
  BOOLEAN,
  decimal,
  DOUBLE,
  INTEGER,
  mapOf,
  printType,
  STRING,
  structOf,
  TIMESTAMP,
} from '../../src/plan/sql-type.ts'
import { columnsOf, specOf } from './format-harness.ts'
import { comparable, read, schemaFormats, write, writtenElsewhere } from './schema-harness.ts'

const avroSchema = (schema: unknown): SchemaText => ({
  language: 'AVRO',
  text: JSON.stringify(schema),
  references: [],
})
const jsonSchema = (schema: unknown): SchemaText => ({
  language: 'JSON',
  text: JSON.stringify(schema),
  references: [],
})
const proto = (text: string, references: SchemaText['references'] = []): SchemaText => ({
  language: 'PROTOBUF',
  text,
  references,
})

/** ``NAME TYPE, …`` of what a schema is inferred as. */
function inferred(format: 'AVRO' | 'PROTOBUF' | 'JSON_SR', schema: SchemaText, properties = {}): string {
  const { format: find } = schemaFormats()
  const columns = find(format).schemas!.columnsOf(schema, 'value', specOf(find(format), { properties }))
  return columns.map((c) => `${c.name} ${printType(c.type)}`).join(', ')
}

describe('Avro', () => {
  test('types of other writers become their nearest', () => {
    const schema = avroSchema({
      type: 'record',
      name: 'R',
      namespace: 'n',
      fields: [
        { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A', 'B'] } },
        { name: 'again', type: ['null', 'E'] },
        { name: 'f', type: { type: 'fixed', name: 'F', size: 2 } },
        {
          name: 'u',
          type: ['null', 'int', { type: 'record', name: 'X', fields: [{ name: 'a', type: 'long' }] }],
        },
        { name: 'm', type: { type: 'map', values: 'float' } },
        { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 } },
        { name: 'ts', type: { type: 'long', logicalType: 'timestamp-millis' } },
        { name: 'micros', type: { type: 'long', logicalType: 'timestamp-micros' } },
      ],
    })
    expect(inferred('AVRO', schema)).toBe(
      'E STRING, AGAIN STRING, F BYTES, U STRUCT<`INT` INTEGER, `X` STRUCT<`A` BIGINT>>, M MAP<STRING, DOUBLE>, D DECIMAL(5, 2), TS TIMESTAMP, MICROS BIGINT',
    )
    expect(inferred('AVRO', schema, { schemaId: '1' })).toMatch(/^e STRING, again STRING/)
  })

  test('a union of several types says which one is there', async () => {
    const { registry, format } = schemaFormats()
    const schema = avroSchema({
      type: 'record',
      name: 'R',
      fields: [{ name: 'u', type: ['null', 'int', 'string', { type: 'array', items: 'long' }] }],
    })
    const types = {
      U: structOf([
        { name: 'INT', type: INTEGER },
        { name: 'STRING', type: STRING },
      ]),
    }
    const rowOf = async (u: readonly (number | string | number[] | null)[] | null): Promise<unknown> =>
      read(format('AVRO'), types, await writtenElsewhere(format('AVRO'), registry, schema, [u]))
    expect(await rowOf([5, null, null])).toEqual([[5, null]])
    expect(await rowOf([null, 'x', null])).toEqual([[null, 'x']])
    expect(await rowOf([null, null, [1]])).toEqual([[null, null]])
    expect(await rowOf(null)).toEqual([null])
  })

  test('a union of one type says so too', async () => {
    const { registry, format } = schemaFormats()
    const schema = avroSchema({ type: 'record', name: 'R', fields: [{ name: 'u', type: ['int'] }] })
    expect(inferred('AVRO', schema)).toBe('U STRUCT<`INT` INTEGER>')
    const types = { U: structOf([{ name: 'INT', type: INTEGER }]) }
    const bytes = await writtenElsewhere(format('AVRO'), registry, schema, [[7]])
    expect(read(format('AVRO'), types, bytes)).toEqual([[7]])
  })

  test('keys of maps are texts; fields whose maps have other keys are left out', async () => {
    const { registry, format } = schemaFormats()
    const entries = (name: string, key: unknown): unknown => ({
      type: 'array',
      items: {
        type: 'record',
        name: 'MapEntry',
        namespace: `io.confluent.connect.avro.${name}`,
        'connect.internal.type': 'MapEntry',
        fields: [
          { name: 'key', type: key },
          { name: 'value', type: 'string' },
        ],
      },
    })
    const schema = avroSchema({
      type: 'record',
      name: 'R',
      fields: [
        { name: 'byNumber', type: entries('a', 'long') },
        { name: 'byList', type: entries('b', { type: 'array', items: 'int' }) },
        {
          name: 'inside',
          type: {
            type: 'record',
            name: 'I',
            fields: [
              { name: 'x', type: 'int' },
              { name: 'y', type: entries('c', 'double') },
            ],
          },
        },
      ],
    })
    expect(inferred('AVRO', schema)).toBe('BYNUMBER MAP<STRING, STRING>, INSIDE STRUCT<`X` INTEGER>')
    const value = [new Map([[5, 'five']]), new Map(), [1, new Map()]]
    const bytes = await writtenElsewhere(format('AVRO'), registry, schema, value)
    const types = { BYNUMBER: mapOf(STRING, STRING), INSIDE: structOf([{ name: 'X', type: INTEGER }]) }
    expect(read(format('AVRO'), types, bytes)).toEqual([new Map([['5', 'five']]), [1]])
  })

  test('each record is read by the schema it names: missing fields are null, narrow types widen', async () => {
    const { registry, format } = schemaFormats()
    const types = { A: BIGINT, B: STRING, C: DOUBLE }
    const old = avroSchema({ type: 'record', name: 'R', fields: [{ name: 'a', type: 'int' }] })
    const next = avroSchema({
      type: 'record',
      name: 'R',
      fields: [
        { name: 'c', type: 'float' },
        { name: 'more', type: 'string' },
        { name: 'b', type: 'boolean' },
      ],
    })
    const one = await writtenElsewhere(format('AVRO'), registry, old, [7])
    const two = await writtenElsewhere(format('AVRO'), registry, next, [0.5, 'x', true])
    expect(read(format('AVRO'), types, one)).toEqual([7, null, null])
    expect(read(format('AVRO'), types, two)).toEqual([null, 'true', 0.5])
  })

  test.each([
    [
      'another type',
      { type: 'record', name: 'R', fields: [{ name: 'a', type: 'string' }] },
      ['x'],
      /string at \$\.A/,
    ],
    ['no record', 'int', 7, /not of an object/],
  ])('%s than the column has is a reason not to read the record', async (_, schema, value, reason) => {
    const { registry, format } = schemaFormats()
    const bytes = await writtenElsewhere(format('AVRO'), registry, avroSchema(schema), value)
    expect(read(format('AVRO'), { A: INTEGER }, bytes)).toMatch(reason)
  })

  test('records without a frame, of unknown schemas and of another language say so', async () => {
    const { registry, format } = schemaFormats()
    const types = { A: INTEGER }
    expect(read(format('AVRO'), types, Uint8Array.of(1, 2))).toMatch(/does not start with the number/)
    expect(read(format('AVRO'), types, Uint8Array.of(0, 0, 0, 0, 9, 2))).toMatch(/schema 9, which is not/)
    const bytes = await writtenElsewhere(format('JSON_SR'), registry, jsonSchema({ type: 'integer' }), 1)
    expect(read(format('AVRO'), types, bytes)).toMatch(/which is JSON, not AVRO/)
  })

  test('a list that claims more elements than there are bytes ends at once', async () => {
    const { registry, format } = schemaFormats()
    const types = { A: arrayOf(INTEGER) }
    const bytes = (await write(format('AVRO'), registry, types, [[1]]))!
    // union branch 1, then a count of 2^40
    const claim = Uint8Array.of(...bytes.subarray(0, 5), 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40)
    expect(read(format('AVRO'), types, claim)).toMatch(/too few for/)
  })

  test.each([
    ['{', /not JSON/],
    ['"null"', /nulls alone/],
    ['"Other"', /doesn't define/],
    ['{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}', /contains itself/],
    ['{"type":"enum","name":"E","symbols":["1"]}', /can't be used/],
  ])('%s is refused', (text, message) => {
    const { format } = schemaFormats()
    expect(() => format('AVRO').schemas!.compile({ language: 'AVRO', text, references: [] }, null)).toThrow(
      message,
    )
  })

  test('columns whose names Avro does not take are refused', () => {
    const { format } = schemaFormats()
    const avro = format('AVRO')
    expect(avro.refuses('value', columnsOf({ 'a-b': INTEGER }), specOf(avro))).toMatch(/unlike `a-b`/)
    expect(avro.refuses('value', columnsOf({ A: mapOf(INTEGER, INTEGER) }), specOf(avro))).toMatch(
      /MAPs with STRING keys/,
    )
    expect(
      avro.refuses('value', columnsOf({ A: structOf([{ name: 'B', type: INTEGER }]) }), specOf(avro)),
    ).toBeNull()
  })

  test('a given schema decides what is written: its defaults, further fields, and where null is none', async () => {
    const { registry, format } = schemaFormats()
    const schema = (second: object): SchemaText =>
      avroSchema({
        type: 'record',
        name: 'R',
        fields: [
          { name: 'a', type: 'int', default: 3 },
          { name: 'b', ...second },
        ],
      })
    const row = async (second: object, value: number | null): Promise<unknown> => {
      const { id } = await registry.register('t-value', schema(second))
      const spec = { properties: { schemaId: String(id) } }
      const bytes = await write(format('AVRO'), registry, { a: INTEGER }, [value], spec)
      return read(format('AVRO'), { A: INTEGER, B: STRING }, bytes)
    }
    expect(await row({ type: ['null', 'string'] }, 1)).toEqual([1, null])
    expect(await row({ type: ['null', 'string'] }, null)).toEqual([3, null])
    expect(await row({ type: 'string', default: 'd' }, 1)).toEqual([1, 'd'])
    await expect(row({ type: 'string' }, 1)).rejects.toThrow(/requires a value at \$\.b/)
  })
})

describe('JSON Schema', () => {
  test('hints of Connect decide the types, and their order', () => {
    const schema = jsonSchema({
      type: 'object',
      definitions: { money: { type: 'number' } },
      properties: {
        second: { 'connect.index': 1, type: 'integer', 'connect.type': 'int32' },
        first: { 'connect.index': 0, oneOf: [{ type: 'null' }, { type: 'integer' }] },
        third: { 'connect.index': 2, $ref: '#/definitions/money' },
        list: { 'connect.index': 3, type: 'array', items: { type: ['string', 'null'] } },
        map: { 'connect.index': 4, type: 'object', additionalProperties: { type: 'boolean' } },
        day: { 'connect.index': 5, type: 'integer', title: 'org.apache.kafka.connect.data.Date' },
      },
    })
    expect(inferred('JSON_SR', schema)).toBe(
      'FIRST BIGINT, SECOND INTEGER, THIRD DOUBLE, LIST ARRAY<STRING>, MAP MAP<STRING, BOOLEAN>, DAY DATE',
    )
  })

  test('maps may be lists of entries', async () => {
    const { registry, format } = schemaFormats()
    const entry = {
      type: 'object',
      properties: { key: { type: 'string' }, value: { type: 'integer', 'connect.type': 'int32' } },
    }
    const { id } = await registry.register(
      'x-value',
      jsonSchema({
        type: 'object',
        properties: { M: { type: 'array', 'connect.type': 'map', items: entry } },
      }),
    )
    const bytes = Uint8Array.of(0, 0, 0, 0, id, ...Buffer.from('{"M":[{"key":"a","value":1}]}'))
    expect(comparable(read(format('JSON_SR'), { M: mapOf(STRING, INTEGER) }, bytes) as never)).toEqual([
      { 'k a': 1 },
    ])
  })

  test('a choice of types, or a schema that contains itself, is refused', () => {
    expect(() =>
      inferred('JSON_SR', jsonSchema({ oneOf: [{ type: 'string' }, { type: 'integer' }] })),
    ).toThrow(/choice of types/)
    expect(() =>
      inferred('JSON_SR', jsonSchema({ type: 'object', properties: { a: { $ref: '#' } } })),
    ).toThrow(/contains itself/)
  })
})

describe('Protobuf', () => {
  test('types of other writers become their nearest', () => {
    const schema = proto(`syntax = "proto3"; package p;
      import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
      message M {
        enum Suit { SPADES = 0; HEARTS = 1; }
        uint32 u = 1; fixed64 f = 2; Suit s = 3; oneof pick { string a = 4; Inner b = 5; }
        message Inner { repeated sint32 n = 1; }
        map<string, Inner> m = 6; google.protobuf.Timestamp t = 7; google.protobuf.BoolValue w = 8;
      }`)
    expect(inferred('PROTOBUF', schema)).toBe(
      'PICK_0 STRUCT<`A` STRING, `B` STRUCT<`N` ARRAY<INTEGER>>>, U BIGINT, F BIGINT, S STRING, M MAP<STRING, STRUCT<`N` ARRAY<INTEGER>>>, T TIMESTAMP, W BOOLEAN',
    )
  })

  test('keys of maps are texts, whatever they are on the wire', async () => {
    const { registry, format } = schemaFormats()
    const schema = proto('syntax = "proto3"; message M { map<int64, string> a = 1; map<bool, int32> b = 2; }')
    expect(inferred('PROTOBUF', schema)).toBe('A MAP<STRING, STRING>, B MAP<STRING, INTEGER>')
    const value = [new Map([[9007199254740993n, 'x']]), new Map([[true, 1]])]
    const bytes = await writtenElsewhere(format('PROTOBUF'), registry, schema, value)
    const types = { A: mapOf(STRING, STRING), B: mapOf(STRING, INTEGER) }
    expect(read(format('PROTOBUF'), types, bytes)).toEqual([
      new Map([['9007199254740993', 'x']]),
      new Map([['true', 1]]),
    ])
  })

  test('zero stands for null, unless the field is optional, a wrapper or a message', async () => {
    const { registry, format } = schemaFormats()
    const types = { I: INTEGER, S: STRING, B: BOOLEAN, T: TIMESTAMP, L: arrayOf(BIGINT), D: decimal(4, 1) }
    const nulls = [null, null, null, null, null, null]
    const found = async (representation: string | null): Promise<unknown> => {
      const spec = representation === null ? {} : { properties: { nullableRepresentation: representation } }
      return read(format('PROTOBUF'), types, await write(format('PROTOBUF'), registry, types, nulls, spec))
    }
    expect(await found(null)).toEqual([0, '', false, null, [], null])
    expect(await found('OPTIONAL')).toEqual([null, null, null, null, [], null])
    expect(await found('WRAPPER')).toEqual([null, null, null, null, [], null])
    expect(comparable((await write(format('PROTOBUF_NOSR'), registry, types, nulls)) as never)).toBe('bytes ')
  })

  test('null among the elements of a list stops the writer: Protobuf has none there', async () => {
    const { registry, format } = schemaFormats()
    await expect(write(format('PROTOBUF'), registry, { L: arrayOf(INTEGER) }, [[1, null]])).rejects.toThrow(
      /no null at \$\.L\[\]/,
    )
  })

  test.each([
    ['a list of structs', arrayOf(structOf([{ name: 'X', type: INTEGER }])), [[1], null]],
    ['a list of timestamps', arrayOf(TIMESTAMP), [5, null]],
    ['a map of decimals', mapOf(STRING, decimal(4, 1)), new Map([['a', null]])],
  ])('null inside of %s does so too', async (_, type, value) => {
    const { registry, format } = schemaFormats()
    await expect(write(format('PROTOBUF'), registry, { L: type }, [value])).rejects.toThrow(
      'allows no null at',
    )
  })

  test('records say which message of the schema they are, by its places', async () => {
    const { registry, format } = schemaFormats()
    const { id } = await registry.register(
      'x-value',
      proto(
        'syntax = "proto3"; message A { int32 a = 1; } message B { message C { string c = 1; } int32 b = 1; }',
      ),
    )
    // two places, 1 and 0: B.C; then field 1, two bytes
    const bytes = Uint8Array.of(0, 0, 0, 0, id, 4, 2, 0, 10, 2, 104, 105)
    expect(read(format('PROTOBUF'), { A: INTEGER, C: STRING }, bytes)).toEqual([null, 'hi'])
    const nowhere = Uint8Array.of(0, 0, 0, 0, id, 2, 8, 10, 2, 104, 105)
    expect(read(format('PROTOBUF'), { C: STRING }, nowhere)).toMatch(/no message at place 4/)
    const spec = { properties: { schemaId: String(id), fullSchemaName: 'B.C' } }
    expect([...(await write(format('PROTOBUF'), registry, { c: STRING }, ['hi'], spec))!]).toEqual([...bytes])
  })

  test('what a schema imports comes from its references', () => {
    const text = 'syntax = "proto3"; import "event.proto"; message L { Event e = 1; }'
    const event = { name: 'event.proto', text: 'syntax = "proto3"; message Event { int64 at = 1; }' }
    expect(inferred('PROTOBUF', proto(text, [event]))).toBe('E STRUCT<`AT` BIGINT>')
    expect(() => inferred('PROTOBUF', proto(text))).toThrow(/imports event\.proto/)
  })

  test('64 bits and decimals are exact', async () => {
    const { registry, format } = schemaFormats()
    const types = { B: BIGINT, D: decimal(38, 3) }
    const row = [-9223372036854775808n, new Big('-12345678901234567890123456789012345.678')]
    const bytes = await write(format('PROTOBUF'), registry, types, row)
    expect(comparable(read(format('PROTOBUF'), types, bytes) as never)).toEqual(comparable(row))
  })

  test('lists of lists, odd names and broken texts are refused', () => {
    const { format } = schemaFormats()
    const protobuf = format('PROTOBUF')
    const reason = (types: Parameters<typeof columnsOf>[0]): string | null =>
      protobuf.refuses('value', columnsOf(types), specOf(protobuf))
    expect(reason({ A: arrayOf(arrayOf(INTEGER)) })).toMatch(/no lists or maps directly inside/)
    expect(reason({ 'a b': INTEGER })).toMatch(/unlike `a b`/)
    expect(reason({ A: mapOf(STRING, structOf([{ name: 'L', type: arrayOf(DOUBLE) }])) })).toBeNull()
    expect(() => inferred('PROTOBUF', proto('message {'))).toThrow(/can't be used/)
    expect(() => inferred('PROTOBUF', proto('syntax = "proto3"; message A { A a = 1; }'))).toThrow(
      /contains itself/,
    )
    expect(() =>
      inferred('PROTOBUF', proto('syntax = "proto3"; message A { int32 a = 1; }'), { fullSchemaName: 'B' }),
    ).toThrow(/no message B/)
  })
})
