import type { Random } from '../../src/base/random.ts'

/** One record for a topic of a case. */
export interface Fed {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestampMs: number
}

/** How a record's own bytes are replaced; what is absent stays. */
export interface Poison {
  readonly name: string
  /** Made from the bytes of a good record, where there is one to spoil. */
  readonly value?: (good: Buffer) => Buffer | null
  readonly key?: () => Buffer | null
  readonly timestampMs?: number
}

/** A stream in some format, with records nothing can be made of. */
export interface Case {
  /** Name of the stream and its topic. */
  readonly name: string
  readonly columns: string
  readonly properties: string
  /** What INSERT takes for the i-th good record, key first. */
  readonly row: (i: number) => string
  /** None of these can be read. */
  readonly poisons: readonly Poison[]
  /** These can, though they look as if not: they come out as they are. */
  readonly oddities: readonly Poison[]
}

const text =
  (value: string): ((good: Buffer) => Buffer) =>
  () =>
    Buffer.from(value)
const bytes =
  (...values: number[]): ((good: Buffer) => Buffer) =>
  () =>
    Buffer.from(values)

/** Topics take records up to this. */
export const MESSAGE_BYTES_MAX = 4 << 20
const HUGE = 3 << 19
const DEEP = 100_000

/** As far ahead as the log takes records at all. */
const times: readonly Poison[] = [
  { name: 'a time no date has', timestampMs: 8_640_000_000_000_001 },
  { name: 'the latest time', timestampMs: Number.MAX_SAFE_INTEGER },
]

const jsonTexts: readonly Poison[] = [
  { name: 'nothing', value: text('') },
  { name: 'half an object', value: (good) => good.subarray(0, good.length >> 1) },
  { name: 'no JSON', value: text('{"V": 1, "T" "x"}') },
  { name: 'two objects', value: text('{"V":1}{"V":2}') },
  { name: 'an array', value: text('[1, 2]') },
  { name: 'a number', value: text('17') },
  { name: 'a word', value: text('nul') },
  { name: 'a wrong type', value: text('{"V":true,"T":"x"}') },
  { name: 'a wrong type in a column nobody reads', value: text('{"V":1,"T":"x","UNREAD":{"X":1}}') },
  { name: 'a wrong type deep inside', value: text('{"V":1,"M":{"a":1,"b":{"x":2}}}') },
  { name: 'text that is no number', value: text('{"V":"twelve"}') },
  {
    name: 'bad UTF-8',
    value: () => Buffer.concat([Buffer.from('{"T":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
  },
  {
    name: 'bad UTF-8 in a name',
    value: () => Buffer.concat([Buffer.from('{"'), Buffer.from([0xff]), Buffer.from('":1}')]),
  },
  { name: 'a byte order mark', value: text('\uFEFF{"V":1}') },
  { name: 'control characters in text', value: text('{"T":"a\u0000b"}') },
  { name: 'a bad escape', value: text('{"T":"\\x41"}') },
  { name: 'too deep', value: text(`{"V":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`) },
  {
    name: 'too deep in a member nobody knows',
    value: text(`{"Z":${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}}`),
  },
  { name: 'too deep and cut', value: text(`{"V":1,"T":${'['.repeat(DEEP)}`) },
  { name: 'huge and cut', value: text(`{"T":"${'x'.repeat(HUGE)}`) },
  { name: 'huge and wrong', value: text(`{"V":"${'7'.repeat(HUGE)}"}`) },
  { name: 'a wrong type under a huge name', value: text(`{"M":{"${'n'.repeat(HUGE)}":{"a":1}}}`) },
  { name: 'a number with a leading zero', value: text('{"V":012}') },
  { name: 'NaN', value: text('{"D":NaN}') },
]

const jsonOddities: readonly Poison[] = [
  { name: 'no value', value: () => null },
  { name: 'no key', key: () => null },
  { name: 'an empty object', value: text('{}') },
  { name: 'null', value: text('null') },
  { name: 'all null', value: text('{"V":null,"T":null,"D":null,"M":null}') },
  { name: 'beyond all doubles', value: text('{"V":1,"D":1e999}') },
  { name: 'a number of a million digits', value: text(`{"V":1,"T":"x","D":${'1'.repeat(1_000_000)}}`) },
  { name: 'names twice', value: text('{"V":1,"V":2,"v":3}') },
  { name: '__proto__', value: text('{"__proto__":{"V":9,"polluted":true},"V":1}') },
  { name: 'constructor', value: text('{"constructor":{"prototype":{"polluted":true}},"toString":1,"V":1}') },
  {
    name: '__proto__ in a map',
    value: text('{"V":1,"M":{"__proto__":1,"constructor":2,"hasOwnProperty":3}}'),
  },
  { name: 'a huge text', value: text(`{"V":1,"T":"${'y'.repeat(HUGE >> 4)}"}`) },
  { name: 'nested as deep as it may be', value: text(`{"V":1,"Z":${'['.repeat(990)}${']'.repeat(990)}}`) },
  { name: 'half a surrogate pair', value: text('{"V":1,"T":"\\ud800"}') },
  {
    name: 'ten thousand unknown members',
    value: text(`{${Array.from({ length: 10_000 }, (_, i) => `"N${i}":${i}`).join(',')}}`),
  },
]

const frames: readonly Poison[] = [
  { name: 'nothing', value: text('') },
  { name: 'no frame', value: text('{"V":1}') },
  { name: 'half a frame', value: bytes(0, 0, 0) },
  { name: 'another magic byte', value: (good) => Buffer.concat([Buffer.from([1]), good.subarray(1)]) },
]

const schemas: readonly Poison[] = [
  { name: 'an unknown schema', value: (good) => framed(987_654_321, good.subarray(5)) },
  { name: 'a negative schema', value: (good) => framed(-1, good.subarray(5)) },
]

function framed(id: number, body: Uint8Array): Buffer {
  const frame = Buffer.alloc(5)
  frame.writeInt32BE(id, 1)
  return Buffer.concat([frame, body])
}

const JSON_COLUMNS = 'v INT, t STRING, d DOUBLE, m MAP<STRING, INT>, unread INT'
const jsonRow = (i: number): string => `${i}, 'text ${i}', ${i}.5, MAP('a' := ${i}), ${i}`
const absent = (name: string): Poison => ({ name, value: () => null })

export const CASES: readonly Case[] = [
  {
    name: 'JSON_S',
    columns: JSON_COLUMNS,
    properties: `key_format = 'KAFKA', value_format = 'JSON'`,
    row: jsonRow,
    poisons: [...jsonTexts, ...times],
    oddities: jsonOddities,
  },
  {
    name: 'JSON_SR_S',
    columns: JSON_COLUMNS,
    properties: `key_format = 'KAFKA', value_format = 'JSON_SR'`,
    row: jsonRow,
    poisons: [
      ...frames,
      {
        name: 'a wrong type',
        value: (good) => Buffer.concat([good.subarray(0, 5), Buffer.from('{"V":[1]}')]),
      },
      { name: 'no JSON', value: (good) => Buffer.concat([good.subarray(0, 5), Buffer.from('{"V":')]) },
      {
        name: 'too deep',
        value: (good) => Buffer.concat([good.subarray(0, 5), Buffer.from(`{"V":${'['.repeat(DEEP)}`)]),
      },
    ],
    // The text says what it is: as in ksqlDB nobody asks what schema it was written with.
    oddities: [absent('no value'), ...schemas],
  },
  {
    name: 'AVRO_S',
    columns: JSON_COLUMNS,
    properties: `key_format = 'KAFKA', value_format = 'AVRO'`,
    row: jsonRow,
    poisons: [
      ...frames,
      ...schemas,
      { name: 'a frame and nothing', value: (good) => good.subarray(0, 5) },
      { name: 'cut in the middle', value: (good) => good.subarray(0, good.length >> 1) },
      { name: 'cut before its last byte', value: (good) => good.subarray(0, -1) },
      {
        name: 'a text longer than the record',
        value: (good) =>
          Buffer.concat([good.subarray(0, 5), Buffer.from([2, 2, 2, 0xfe, 0xff, 0xff, 0x7f, 1])]),
      },
      {
        name: 'a branch no union has',
        value: (good) => Buffer.concat([good.subarray(0, 5), Buffer.from([40, 2, 2])]),
      },
    ],
    oddities: [absent('no value')],
  },
  {
    name: 'PROTOBUF_S',
    columns: JSON_COLUMNS,
    properties: `key_format = 'KAFKA', value_format = 'PROTOBUF'`,
    row: jsonRow,
    poisons: [
      ...frames,
      ...schemas,
      { name: 'a frame and nothing', value: (good) => good.subarray(0, 5) },
      { name: 'cut before its last byte', value: (good) => good.subarray(0, -1) },
      {
        name: 'a wire type there is not',
        value: (good) => Buffer.concat([good.subarray(0, 6), Buffer.from([0x0f, 1, 2])]),
      },
      {
        name: 'groups within groups',
        value: (good) =>
          Buffer.concat([good.subarray(0, 6), Buffer.alloc(DEEP, 0xa3), Buffer.alloc(DEEP, 1)]),
      },
      {
        name: 'text longer than the record',
        value: (good) => Buffer.concat([good.subarray(0, 6), Buffer.from([0x12, 0x7f, 0x41])]),
      },
      {
        name: 'a message there is not',
        value: (good) => Buffer.concat([good.subarray(0, 5), Buffer.from([2, 0x7e]), good.subarray(6)]),
      },
    ],
    oddities: [
      absent('no value'),
      { name: 'no fields', value: (good) => good.subarray(0, 6) },
      { name: 'unknown fields', value: (good) => Buffer.concat([good, Buffer.from([0xf8, 0x06, 1])]) },
    ],
  },
  {
    name: 'PROTOBUF_NOSR_S',
    columns: JSON_COLUMNS,
    properties: `key_format = 'KAFKA', value_format = 'PROTOBUF_NOSR'`,
    row: jsonRow,
    poisons: [
      { name: 'cut before its last byte', value: (good) => good.subarray(0, -1) },
      { name: 'a wire type there is not', value: bytes(0x0f, 1, 2) },
      { name: 'text longer than the record', value: bytes(0x12, 0x7f, 0x41) },
      { name: 'a number without an end', value: bytes(0x08, 0xff, 0xff) },
      { name: 'field zero', value: bytes(0x00, 0x01) },
    ],
    oddities: [absent('no value'), { name: 'no fields', value: text('') }],
  },
  {
    name: 'DELIMITED_S',
    columns: 'v INT, t STRING, d DOUBLE',
    properties: `key_format = 'KAFKA', value_format = 'DELIMITED'`,
    row: (i) => `${i}, 'text ${i}', ${i}.5`,
    poisons: [
      { name: 'nothing', value: text('') },
      { name: 'only line ends', value: text('\n\n') },
      { name: 'too few columns', value: text('1,a') },
      { name: 'too many columns', value: text('1,a,2.0,4') },
      { name: 'text that is no number', value: text('one,a,1.0') },
      { name: 'an integer out of range', value: text('2147483648,a,1.0') },
      { name: 'an open quote', value: text('1,"a,1.0') },
      { name: 'text after a quote', value: text('1,"a"b,1.0') },
      { name: 'a million columns', value: text(','.repeat(1_000_000)) },
      { name: 'huge and wrong', value: text(`${'9'.repeat(HUGE)},a,1`) },
    ],
    oddities: [
      absent('no value'),
      { name: 'all empty', value: text(',,') },
      { name: 'quoted', value: text('1,"a ""b"", c",1e999') },
    ],
  },
  {
    name: 'KAFKA_S',
    columns: 'v INT',
    properties: `key_format = 'KAFKA', value_format = 'KAFKA'`,
    row: (i) => `${i}`,
    poisons: [
      { name: 'nothing', value: text('') },
      { name: 'three bytes', value: bytes(1, 2, 3) },
      { name: 'five bytes', value: bytes(1, 2, 3, 4, 5) },
      { name: 'huge', value: () => Buffer.alloc(HUGE) },
    ],
    oddities: [absent('no value')],
  },
  {
    name: 'KEYS',
    columns: 'v INT',
    properties: `key_format = 'JSON', value_format = 'JSON'`,
    row: (i) => `${i}`,
    poisons: [
      { name: 'a key that is no JSON', key: () => Buffer.from('{') },
      { name: 'a key of another type', key: () => Buffer.from('[[1]') },
      { name: 'a key that is not UTF-8', key: () => Buffer.from([0x22, 0xff, 0x22]) },
      { name: 'a key too deep', key: () => Buffer.from('['.repeat(DEEP)) },
      { name: 'key and value', key: () => Buffer.from('x'), value: text('y') },
    ],
    oddities: [
      { name: 'no key', key: () => null },
      { name: 'the key null', key: () => Buffer.from('null') },
    ],
  },
  {
    name: 'TIMES',
    columns: 'v INT, at BIGINT',
    properties: `key_format = 'KAFKA', value_format = 'JSON', timestamp = 'at'`,
    row: (i) => `${i}, ${timeOf(i)}`,
    poisons: [
      { name: 'no time', value: text('{"V":1}') },
      { name: 'null as time', value: text('{"V":1,"AT":null}') },
      { name: 'a word as time', value: text('{"V":1,"AT":"noon"}') },
      { name: 'a time before 1970', value: text('{"V":1,"AT":-1}') },
      { name: 'the earliest time', value: text('{"V":1,"AT":-9223372036854775808}') },
      { name: 'time 2^53', value: text('{"V":1,"AT":9007199254740992}') },
      { name: 'the last time that is exact', value: text('{"V":1,"AT":9007199254740991}') },
      { name: 'the latest time', value: text('{"V":1,"AT":9223372036854775807}') },
    ],
    oddities: [],
  },
  {
    name: 'TIME_TEXTS',
    columns: 'v INT, at STRING',
    properties: `key_format = 'KAFKA', value_format = 'JSON', timestamp = 'at', timestamp_format = 'yyyy-MM-dd HH:mm:ss.SSS'`,
    row: (i) => `${i}, '${new Date(timeOf(i)).toISOString().replace('T', ' ').slice(0, 23)}'`,
    poisons: [
      { name: 'no time', value: text('{"V":1}') },
      { name: 'another form', value: text('{"V":1,"AT":"2026-01-01T00:00:00Z"}') },
      { name: 'a day there is not', value: text('{"V":1,"AT":"2026-02-32 00:00:00.000"}') },
      { name: 'before 1970', value: text('{"V":1,"AT":"1969-12-31 23:59:59.999"}') },
      { name: 'a huge text', value: text(`{"V":1,"AT":"${'0'.repeat(HUGE)}"}`) },
    ],
    oddities: [],
  },
]

/** Event time of the i-th good record. */
export function timeOf(i: number): number {
  return 1_700_000_000_000 + i * 700
}

/** A value some of whose bits, bytes or stretches are others. */
export function spoiled(good: Buffer, random: Random): Buffer {
  const copy = Buffer.from(good)
  const at = random.below(copy.length)
  switch (random.below(4)) {
    case 0:
      copy[at]! ^= 1 << random.below(8)
      return copy
    case 1:
      return copy.subarray(0, at)
    case 2:
      return Buffer.concat([
        copy.subarray(0, at),
        copy.subarray(Math.min(copy.length, at + 1 + random.below(6))),
      ])
    default:
      return Buffer.concat([copy.subarray(0, at), Buffer.from([random.below(256), 0xff]), copy.subarray(at)])
  }
}
