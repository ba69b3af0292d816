import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemoryFileSystem } from '../../src/base/memory-file-system.ts'
import type { SchemaText } from '../../src/formats/schema-registry.ts'
import { EmbeddedSchemaRegistry, type StoredSchema } from '../../src/runtime/embedded-schema-registry.ts'
import { HttpSchemaRegistry } from '../../src/runtime/http-schema-registry.ts'
import { Millrace } from '../../src/runtime/millrace.ts'
import { RegistryServer } from './registry-server.ts'

const avro = (text: string): SchemaText => ({ language: 'AVRO', text, references: [] })

let server: RegistryServer
beforeEach(async () => {
  server = await RegistryServer.start()
})
afterEach(() => server.stop())

test('equal schemas have one number, whatever their subjects and layout', async () => {
  const registry = new EmbeddedSchemaRegistry()
  const one = await registry.register('a-value', avro('{"type":"int"}'))
  expect((await registry.register('b-value', avro('{ "type": "int" }'))).id).toBe(one.id)
  const other = await registry.register('a-value', avro('"long"'))
  expect(other.id).not.toBe(one.id)
  expect(registry.latest('a-value')!.id).toBe(other.id)
  // Registered before: no new version.
  await registry.register('a-value', avro('{"type":"int"}'))
  expect(registry.latest('a-value')!.id).toBe(other.id)
  await registry.deleteSubject('a-value')
  expect(registry.latest('a-value')).toBeUndefined()
  // Records may still name it.
  expect(registry.byId(other.id)!.text).toBe('"long"')
  expect((await registry.register('c-value', avro('"bytes"'))).id).toBe(other.id + 1)
})

test('registrations at the same time get different numbers, and nothing counts before it is stored', async () => {
  const stored: StoredSchema[] = []
  const registry = new EmbeddedSchemaRegistry(async (changes) => {
    await Promise.resolve()
    expect(registry.latest(changes[0]!.subject)?.id).not.toBe(changes[0]!.schema.id)
    stored.push(...changes)
  })
  const [one, two, again] = await Promise.all([
    registry.register('a-value', avro('"int"')),
    registry.register('a-value', avro('"long"')),
    registry.register('b-value', avro('"int"')),
  ])
  expect([one.id, two.id, again.id]).toEqual([1, 2, 1])
  const restored = new EmbeddedSchemaRegistry()
  restored.restore(stored)
  expect(restored.latest('a-value')).toEqual(two)
  expect(restored.idOf(avro('"int"'))).toBe(1)
})

test('a schema that could not be stored is not there', async () => {
  const registry = new EmbeddedSchemaRegistry(() => Promise.reject(new Error('disk full')))
  await expect(registry.register('a-value', avro('"int"'))).rejects.toThrow('disk full')
  expect(registry.latest('a-value')).toBeUndefined()
})

test('schemas outlive a restart: records written before it are read, and columns taken from them', async () => {
  const options = { fileSystem: new MemoryFileSystem(), commitIntervalMs: 0 }
  let millrace = await Millrace.open(options)
  await millrace.sql(`
    CREATE STREAM s (id STRING KEY, n BIGINT, tags ARRAY<STRING>)
      WITH (kafka_topic = 's', format = 'AVRO', partitions = 1);
    CREATE TABLE t WITH (value_format = 'PROTOBUF') AS SELECT id, SUM(n) AS total FROM s GROUP BY id;
    INSERT INTO s VALUES ('a', 9007199254740993, ARRAY['x']);
  `)
  await millrace.untilIdle()
  await millrace.close()
  millrace = await Millrace.open(options)
  try {
    expect(millrace.schemas.subjects()).toEqual(['T-key', 'T-value', 's-key', 's-value'])
    await millrace.sql(`
      INSERT INTO s VALUES ('a', 1, NULL);
      CREATE STREAM again WITH (kafka_topic = 'T', key_format = 'AVRO', value_format = 'PROTOBUF');
      CREATE STREAM j WITH (format = 'JSON_SR') AS SELECT rowkey AS id, total FROM again;
    `)
    await millrace.untilIdle()
    const rows: unknown[] = []
    for await (const row of millrace.query('SELECT * FROM t;')) rows.push(row)
    expect(rows).toEqual([{ ID: 'a', TOTAL: 9007199254740994n }])
    const values: string[] = []
    for await (const { value } of millrace.consume('J', { from: 'beginning' }))
      values.push(Buffer.from(value!.subarray(5)).toString())
    expect(values).toEqual(['{"TOTAL":9007199254740993}', '{"TOTAL":9007199254740994}'])
    await millrace.sql('DROP STREAM j DELETE TOPIC;')
    expect(millrace.schemas.subjects()).not.toContain('J-value')
  } finally {
    await millrace.close()
  }
})

test('keys that change their partition have one schema number for as long as their query lives', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 0 })
  try {
    // What the topic has is not what the columns make.
    await millrace.schemas.register(
      't-key',
      avro('{"type":"record","name":"Theirs","fields":[{"name":"A","type":"int"}]}'),
    )
    await millrace.sql(`
      CREATE TABLE t (k STRUCT<a INT> PRIMARY KEY, v INT) WITH (kafka_topic = 't', format = 'AVRO', partitions = 2);
      CREATE STREAM s (id INT KEY, a INT) WITH (kafka_topic = 's', value_format = 'JSON', partitions = 2);
      CREATE STREAM j WITH (key_format = 'JSON') AS SELECT t.k, s.id, v FROM s JOIN t ON STRUCT(a := s.a) = t.k;
    `)
    const own = millrace.schemas.subjects().filter((subject) => subject.startsWith('_millrace-'))
    expect(own).toEqual(['_millrace-CSAS_J_0-t-key'])
    await millrace.sql('TERMINATE ALL;')
    expect(millrace.schemas.subjects().filter((subject) => subject.startsWith('_millrace-'))).toEqual([])
  } finally {
    await millrace.close()
  }
})

test('an INSERT that would give keys another schema is refused', async () => {
  const millrace = await Millrace.open({ commitIntervalMs: 0 })
  try {
    await millrace.schemas.register('s-key', avro('"long"'))
    await millrace.schemas.register('same-key', avro('{"type":"int"}'))
    await millrace.sql(`
      CREATE STREAM s (id INT KEY, n INT) WITH (kafka_topic = 's', format = 'AVRO', partitions = 1);
      CREATE STREAM same (id INT KEY, n INT) WITH (kafka_topic = 'same', format = 'AVRO', partitions = 1);
      INSERT INTO same VALUES (1, 2);
    `)
    await expect(millrace.sql('INSERT INTO s VALUES (1, 2);')).rejects.toThrow(/another schema/)
  } finally {
    await millrace.close()
  }
})

test.each([
  [
    "CREATE STREAM x WITH (kafka_topic = 'x', value_format = 'AVRO', partitions = 1);",
    /No schema is registered for the values of topic x/,
  ],
  [
    "CREATE STREAM x WITH (kafka_topic = 'x', value_format = 'AVRO', value_schema_id = 9, partitions = 1);",
    /for the number 9/,
  ],
  [
    "CREATE STREAM x (id INT KEY) WITH (kafka_topic = 'odd', value_format = 'AVRO', partitions = 1);",
    /without fields/,
  ],
  ["CREATE STREAM x (a INT) WITH (kafka_topic = 'x', format = 'AVRO', partitions = 1);", /keys of topic x/],
  [
    "CREATE STREAM x (a INT) WITH (kafka_topic = 'x', value_format = 'AVRO', value_schema_id = 1, partitions = 1);",
    /can't be declared too/,
  ],
])('%s is refused', async (statement, message) => {
  const millrace = await Millrace.open()
  try {
    await millrace.schemas.register('odd-value', avro('"int"'))
    await expect(millrace.sql(statement)).rejects.toThrow(message)
  } finally {
    await millrace.close()
  }
})

test('a registry elsewhere: schemas are registered there, taken from there, and asked for once', async () => {
  const schemaRegistry = new HttpSchemaRegistry(server.url.replace('//', '//user:p%40ss@'))
  server.add('in-value', {
    schema: JSON.stringify({
      type: 'record',
      name: 'In',
      fields: [
        { name: 'id', type: 'string' },
        { name: 'n', type: 'int' },
      ],
    }),
  })
  const options = { fileSystem: new MemoryFileSystem(), commitIntervalMs: 0 }
  let millrace = await Millrace.open({ ...options, schemaRegistry })
  // id 1, "a", 3
  const record = Uint8Array.of(0, 0, 0, 0, 1, 2, 97, 6)
  try {
    await millrace.createTopic('in', { partitions: 1 })
    await millrace.sql(`
      CREATE STREAM s WITH (kafka_topic = 'in', value_format = 'AVRO');
      CREATE STREAM o AS SELECT id, n * 2 AS n FROM s;
    `)
    expect(server.subjects.has('O-value')).toBe(true)
    expect(server.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
    await millrace.produce('in', [{ value: record }])
    await millrace.untilIdle()
  } finally {
    await millrace.close()
  }
  // Another process knows none of the schemas until it meets them.
  millrace = await Millrace.open({ ...options, schemaRegistry: new HttpSchemaRegistry(server.url) })
  try {
    server.requests.length = 0
    await millrace.produce('in', [{ value: record }, { value: record }])
    await millrace.untilIdle()
    expect(server.requests.filter((r) => r === 'GET /schemas/ids/1')).toHaveLength(1)
    const values: string[] = []
    for await (const { value } of millrace.consume('O', { from: 'beginning' }))
      values.push(Buffer.from(value!).toString('hex'))
    const id = server.subjects.get('O-value')![0]!.id
    // a union branch before each value: "a" and 6
    expect(values).toEqual(new Array(3).fill(`000000000${id}02026102` + '0c'))
  } finally {
    await millrace.close()
  }
})

test('references are fetched with what names them, and named again when it is registered', async () => {
  server.add('event', {
    schema: 'syntax = "proto3"; message Event { int64 at = 1; }',
    schemaType: 'PROTOBUF',
  })
  const text = 'syntax = "proto3"; import "event.proto"; message L { Event e = 1; }'
  const references = [{ name: 'event.proto', subject: 'event', version: 1 }]
  server.add('l-value', { schema: text, schemaType: 'PROTOBUF', references })
  const registry = new HttpSchemaRegistry(server.url)
  await registry.load({ subjects: ['l-value', 'nowhere-value'], ids: [99] })
  const schema = registry.latest('l-value')!
  expect(schema.references.map((r) => r.name)).toEqual(['event.proto'])
  expect(registry.latest('nowhere-value')).toBeUndefined()
  expect(registry.byId(99)).toBeUndefined()
  expect((await registry.register('copy-value', schema)).id).toBe(schema.id)
  expect(server.subjects.get('copy-value')![0]!.body.references).toEqual(references)
})

test('a registry that does not answer is named', async () => {
  const registry = new HttpSchemaRegistry('http://127.0.0.1:1')
  await expect(registry.load({ ids: [1] })).rejects.toMatchObject({
    code: 'SCHEMA_REGISTRY_UNREACHABLE',
    message: expect.stringContaining('http://127.0.0.1:1'),
  })
})
