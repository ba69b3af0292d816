import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { columnsOf, specOf } from './format-harness.ts'
import {
  comparable,
  read,
  schemaFormats,
  typesArbitrary,
  valueArbitrary,
  write,
  type SchemaFormatName,
} from './schema-harness.ts'

const OPTIONAL = { properties: { nullableRepresentation: 'OPTIONAL' } }
const WRAPPER = { properties: { nullableRepresentation: 'WRAPPER' } }

const forms: readonly [SchemaFormatName, object][] = [
  ['AVRO', {}],
  ['JSON_SR', {}],
  ['PROTOBUF', OPTIONAL],
  ['PROTOBUF', WRAPPER],
  ['PROTOBUF_NOSR', OPTIONAL],
]

for (const [name, spec] of forms) {
  const isProtobuf = name.startsWith('PROTOBUF')
  const rows = fc
    .array(typesArbitrary(isProtobuf), { minLength: 1, maxLength: 4 })
    .chain((types) =>
      fc.tuple(
        fc.constant(Object.fromEntries(types.map((type, i) => [`C${i}`, type]))),
        fc.tuple(...types.map((type) => valueArbitrary(type, isProtobuf ? 'fields' : 'everywhere'))),
      ),
    )

  test.prop([rows], { numRuns: 150 })(
    `what is written in ${name} ${JSON.stringify(spec)} is read back`,
    async ([types, row]) => {
      const { registry, format } = schemaFormats()
      const bytes = await write(format(name), registry, types, row, spec)
      const found = read(format(name), types, bytes, spec)
      expect(comparable(found as never)).toEqual(comparable(row))
    },
  )

  test.prop([rows, fc.nat(), fc.nat({ max: 255 })], { numRuns: 100 })(
    `damaged records in ${name} ${JSON.stringify(spec)} fail or are other rows, and never throw`,
    async ([types, row], at, byte) => {
      const { registry, format } = schemaFormats()
      const bytes = (await write(format(name), registry, types, row, spec))!
      if (bytes.length > 0) bytes[at % bytes.length] = byte
      const found = read(format(name), types, bytes.subarray(0, bytes.length - (at % 2)), spec)
      expect(typeof found === 'string' ? found.length : found.length).toBeGreaterThan(0)
    },
  )
}

const inferable = fc.array(typesArbitrary(true), { minLength: 1, maxLength: 5 })

for (const name of ['AVRO', 'JSON_SR', 'PROTOBUF'] as const) {
  test.prop([inferable], { numRuns: 100 })(
    `columns of ${name} are inferred from their own schema`,
    (types) => {
      const { format } = schemaFormats()
      const columns = columnsOf(Object.fromEntries(types.map((type, i) => [`C${i}`, type])))
      const spec = specOf(format(name))
      const schemas = format(name).schemas!
      const inferred = schemas.columnsOf(schemas.textFor('value', columns, spec), 'value', spec)
      expect(inferred).toEqual(columns.map(({ name: column, type }) => ({ name: column, type })))
    },
  )
}
