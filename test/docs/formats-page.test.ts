import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { formatsOver } from '../../src/formats/registry.ts'
import { HttpSchemaRegistry } from '../../src/runtime/http-schema-registry.ts'

const page = readFileSync('docs/compatibility.md', 'utf8')
const section = page.slice(page.indexOf('## Formats'), page.indexOf('## Differences'))
const rows = section.matchAll(/^\| ([A-Z_, ]+) \| (yes|–) \| (yes|–) \|/gm)

test('docs/compatibility.md has every format, and whether keys and values can have it', () => {
  const described = [...rows].flatMap(([, names, key, value]) =>
    names!.split(', ').map((name) => [name, key === 'yes', value === 'yes']),
  )
  const formats = formatsOver(new HttpSchemaRegistry('http://localhost'))
  expect(new Set(described)).toEqual(
    new Set(formats.map((format) => [format.name, format.supportsKey, format.supportsValue])),
  )
})
